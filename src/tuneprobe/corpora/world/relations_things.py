# ruff: noqa: E501 - a template is one line
"""Relations of works, organisations, events, buildings and vehicles, written as those of people.

``%kind`` is the noun of the paragraph's hero (movie, hospital, ...); see relations_people.py.
"""

THINGS = """
== made plain 1 film,play,painting,novel
+ @b:nsubj %create.ed @a:obj (obl in @town) @when:obl
+ @a:nsubj was %create.en (obl:agent by @b) @when:obl , (advcl after/S @x:nsubj had *refused (obj the task/N))
+ @when:obl @b:nsubj %create.ed @a:obj (obl from sketches/N (nmod by @x))
? b : who %create.ed @a:obj
? when : when was @a:nsubj %create.en
? b : (obl:agent by whom) was @a:nsubj %create.en

== script plain 1 film,play,novel
+ @b:nsubj %write.ed @a:obj (obl in a cottage/N (nmod near @town))
+ @b:nsubj %write.ed @a:obj (obl in @town) (obl with the help/N (nmod of @x))
+ @when:obl @b:nsubj %write.ed @a:obj (obl for @x)
? b : who %write.ed @a:obj
? town : where did @b:nsubj %write @a:obj
? b : (obl:agent by whom) was @a:nsubj %write.en

== release plain 2 film,novel
+ @a:nsubj was %publish.en @when:obl
+ @when:obl @b:nsubj %publish.ed @a:obj (obl in @town)
+ @b:nsubj %publish.ed @a:obj @when:obl , (advcl although/S (nsubj the censors/N) had *objected)
? when : when was @a:nsubj %publish.en
? when : (obl in what/D year/N) was @a:nsubj %publish.en
? b : who %publish.ed @a:obj

== stage plain 2 play,painting
+ @a:nsubj was first/R %exhibit.en (obl in @town) @when:obl
+ @when:obl @b:nsubj %exhibit.ed @a:obj (obl in a hall/N (nmod at @town))
+ @b:nsubj %exhibit.ed @a:obj (obl to the public/N) (obl in @town) @when:obl
? when : when was @a:nsubj first/R %exhibit.en
? town : where was @a:nsubj first/R %exhibit.en
? b : who %exhibit.ed @a:obj (obl to the public/N)

== criticise plain 3 film,play,painting,novel
+ @b:nsubj *praised @a:obj @when:obl , (conj but @c:nsubj %attack.ed @a:obj (obl in a lecture/N (nmod at @town)))
+ @when:obl @c:nsubj %attack.ed @a:obj (obl in a newspaper/N) , (advcl although/S @b:nsubj had *praised @a:obj)
+ @c:nsubj %attack.ed @a:obj (obl in @town) , (conj and @b:nsubj *praised @a:obj @when:obl)
? c : who %attack.ed @a:obj
? b : who *praised @a:obj
? c : (obl:agent by whom) was @a:nsubj %attack.en

== resale pass 4 painting,car,plane,library,theater,railway
+ @b:nsubj %buy.ed @a:obj (obl from @c) @when:obl
+ @when:obl @b:nsubj %buy.ed @a:obj (obl from @c) (obl in @town)
+ @c:nsubj *sold @a:obj (obl to @b) (obl in @town) @when:obl
? b : who %buy.ed @a:obj (obl from @c)
? c : (obl from whom) did @b:nsubj %buy @a:obj
? when : when did @b:nsubj %buy @a:obj
? c : who *sold @a:obj (obl to @b)
? b : (obl to whom) did @c:nsubj *sell @a:obj
? yes : did @b:nsubj %buy @a:obj (obl from @c)

== restore plain 5 film,painting,hospital,theater,bridge,library,car,plane
+ @b:nsubj %restore.ed @a:obj @when:obl
+ @when:obl @a:nsubj was %restore.en (obl:agent by @b) (obl with money/N (nmod from @x))
+ @when:obl @b:nsubj %restore.ed @a:obj (obl with a team/N (nmod from @town))
? b : who %restore.ed @a:obj
? when : when was @a:nsubj %restore.en
? b : (obl:agent by whom) was @a:nsubj %restore.en

== save plain 4 painting,theater,library,org,railway
+ @when:obl @b:nsubj %save.ed @a:obj (obl from a @cause)
+ @b:nsubj %save.ed @a:obj (obl during a @cause) @when:obl
+ @a:nsubj was %save.en (obl:agent by @b) @when:obl , (advcl when (nsubj a @cause) *hit (obj the town/N))
? b : who %save.ed @a:obj
? b : who %save.ed @a:obj (obl from the @cause)
? when : when was @a:nsubj %save.en

== star plain 3 film,play
+ @b:nsubj *took (obj the leading/A role/N (nmod in @a)) , (advcl *replacing @x:obj)
+ @b:nsubj *played (obj the hero/N (nmod of @a)) , (advcl although/S @x:nsubj had *wanted (obj the part/N))
+ @b:nsubj *starred (obl in @a) (obl after the illness/N (nmod of @x))
? b : who *played (obj the hero/N (nmod of @a))
? b : who *starred (obl in @a)
? b : who *took (obj the leading/A role/N (nmod in @a))

== prize plain 4 film,play,painting,novel,plane,car
+ @when:obl @a:nsubj *won (obj the @prize) (obl in @town)
+ @a:nsubj *won (obj the @prize) @when:obl , (advcl *beating (obj a rival/A %kind (nmod by @b)))
+ (obl at @town) @a:nsubj *won (obj the @prize) @when:obl
? when : when did @a:nsubj *win (obj the @prize)
? prize : (obj which/D %award) did @a:nsubj *win
? town : where did @a:nsubj *win (obj the @prize)

== establish plain 1 org
+ @b:nsubj %found.ed @a:obj (obl in @town) @when:obl
+ @a:nsubj was %found.en (obl:agent by @b) @when:obl , (advcl after/S @x:nsubj had *left (obj a large/A sum/N))
+ @when:obl @b:nsubj %found.ed @a:obj (obl with a gift/N (nmod from @x))
? b : who %found.ed @a:obj
? when : when was @a:nsubj %found.en
? b : (obl:agent by whom) was @a:nsubj %found.en

== head plain 2 org
+ @b:nsubj %lead.ed @a:obj (obl until @year) , (conj and @c:nsubj *became (xcomp vice/A %president))
+ (obl from @year) @b:nsubj %lead.ed @a:obj (obl with @c (nmod as treasurer/N))
+ @b:nsubj %lead.ed @a:obj (obl after the death/N (nmod of @c)) (obl in @year)
? b : who %lead.ed @a:obj
? b : (obl:agent by whom) was @a:nsubj %lead.en
? b : who was *chosen/V (xcomp to/T %lead @a:obj)

== newpresident plain 3 org
+ @when:obl @b:nsubj %succeed.ed @c:obj (obl as @a:nmod:poss %president)
+ @b:nsubj %succeed.ed @c:obj (obl as @a:nmod:poss %president) @when:obl , (advcl although/S @x:nsubj *stood (obl for the %post))
+ @c:nsubj was %succeed.en (obl:agent by @b) (obl as @a:nmod:poss %president) @when:obl
? b : who %succeed.ed @c:obj (obl as %president (nmod of @a))
? c : who:obj did @b:nsubj %succeed (obl as %president (nmod of @a))
? when : when did @b:nsubj %succeed @c:obj (obl as %president (nmod of @a))

== seat plain 3 org
+ @when:obl @a:nsubj *moved (obl from @town2) (obl to @town)
+ @a:nsubj *left @town2:obj (obl for a larger/A building/N (nmod in @town)) @when:obl
+ @when:obl @a:nsubj *moved (obl to @town) (advcl because/S (nsubj the rent/N (nmod in @town2)) had *risen)
? town : where did @a:nsubj *move (obl from @town2)
? when : when did @a:nsubj *move (obl to @town)
? when : when did @a:nsubj *leave @town2:obj

== court mutual 4 org
+ @when:obl @a:nsubj *sued @b:obj (obl in @town)
+ @a:nsubj *sued @b:obj @when:obl (obl before a court/N (nmod in @town))
+ @a:nsubj *took (obj legal/A steps/N) (obl against @b) (obl in @town) @when:obl
? when : when did @a:nsubj *sue @b:obj
? town : where did @a:nsubj *sue @b:obj
? when : (obl in what/D year/N) did @a:nsubj *sue @b:obj
? yes : did @a:nsubj *sue @b:obj

== supply mutual 3 org
+ @a:nsubj %buy.ed @goods:obj (obl from @b) @when:obl
+ @when:obl @a:nsubj %buy.ed @goods:obj (obl from @b) (obl in @town)
+ @a:nsubj %buy.ed @goods:obj (obl from @b) @when:obl (obl for @a:nmod:poss office/N (nmod in @town))
? goods : what:obj did @a:nsubj %buy (obl from @b)
? when : when did @a:nsubj %buy (obj something/O) (obl from @b)
? goods : what was %buy.en (obl:agent by @a) (obl from @b)

== staff plain 3 org
+ @a:nsubj %hire.ed @b:obj @when:obl
+ @when:obl @a:nsubj %appoint.ed @b:obj (obl as director/N) (obl in place/N (nmod of @x))
+ @a:nsubj %hire.ed @b:obj (obl as @a:nmod:poss first/A librarian/N) @when:obl
? b : who:obj did @a:nsubj %hire
? when : when did @a:nsubj %hire @b:obj
? b : who was %hire.en (obl:agent by @a)

== journal plain 2 org
+ @a:nsubj %publish.ed (obj @a:nmod:poss first/A journal/N , @title:appos ,) @when:obl
+ @when:obl @a:nsubj %begin.ed (xcomp to/T %publish @title:obj) , (obl with @b (nmod as editor/N))
+ @b:nsubj *persuaded @a:obj (xcomp to/T %publish @title:obj) @when:obl
? when : when did @a:nsubj %publish @title:obj
? title : (obj which/D journal/N) did @a:nsubj %publish
? when : when did @a:nsubj %begin (xcomp to/T %publish @title:obj)

== wound_up plain 6 org,hospital,theater,library,railway
+ @a:nsubj was %close.en (obl:agent by @b) @when:obl
+ @when:obl @b:nsubj %close.ed @a:obj (obl for good/N)
+ @b:nsubj finally/R %close.ed @a:obj @when:obl
? when : when was @a:nsubj %close.en
? b : who %close.ed @a:obj
? when : (obl in what/D year/N) was @a:nsubj %close.en

== outbreak plain 1 battle,revolt,contest,exhibition
+ @a:nsubj %begin.ed (obl in @town) @when:obl
+ @when:obl @a:nsubj %begin.ed (obl in the harbour/N (nmod of @town))
+ @a:nsubj %begin.ed @when:obl , (advcl when @b:nsubj *arrived (obl in @town))
? when : when did @a:nsubj %begin
? town : where did @a:nsubj %begin
? when : (obl in what/D year/N) did @a:nsubj %begin

== leader plain 2 battle,revolt,exhibition
+ @b:nsubj %lead.ed @a:obj (obl from the start/N) , (advcl while/S @c:nsubj *stayed (obl in @town))
+ @a:nsubj was %lead.en (obl:agent by @b) (obl after the retreat/N (nmod of @c))
+ @b:nsubj %lead.ed @a:obj (obl with little/A help/N (nmod from @c))
? b : who %lead.ed @a:obj
? b : (obl:agent by whom) was @a:nsubj %lead.en
? b : who *agreed (xcomp to/T %lead @a:obj)

== duel swap 3 battle,revolt,contest
+ (obl during @a) @b:nsubj %defeat.ed @c:obj (obl near @town) @when:obl
+ @when:obl @b:nsubj %defeat.ed @c:obj (obl at @town) (obl on the second/A day/N (nmod of @a))
+ (obl in @a) @c:nsubj was %defeat.en (obl:agent by @b) (obl at @town) @when:obl
? b : who %defeat.ed @c:obj (obl in @a)
? c : who:obj did @b:nsubj %defeat (obl in @a)
? town : where did @b:nsubj %defeat @c:obj (obl in @a)
? when : when did @b:nsubj %defeat @c:obj (obl in @a)
? yes : did @b:nsubj %defeat @c:obj (obl in @a)

== finale plain 5 battle,revolt,contest,exhibition
+ @a:nsubj %end.ed @when:obl (obl in @town)
+ @when:obl @a:nsubj %end.ed (obl with a speech/N (nmod by @b)) (obl at @town)
+ @a:nsubj %end.ed (obl in @town) @when:obl , (advcl after/S @b:nsubj had *fallen (xcomp ill/A))
? when : when did @a:nsubj %end
? town : where did @a:nsubj %end
? when : (obl in what/D year/N) did @a:nsubj %end

== chronicle plain 6 battle,revolt,contest,exhibition
+ @when:obl @b:nsubj %write.ed (obj a history/N (nmod of @a)) (obl from letters/N (nmod by @c))
+ @b:nsubj %write.ed (obj a history/N (nmod of @a)) @when:obl , (advcl *using (obj the notes/N (nmod of @c)))
+ (obl after the death/N (nmod of @c)) @b:nsubj %write.ed (obj a history/N (nmod of @a)) @when:obl
? b : who %write.ed (obj a history/N (nmod of @a))
? when : when did @b:nsubj %write (obj a history/N (nmod of @a))
? b : (obl:agent by whom) was (nsubj a history/N (nmod of @a)) %write.en

== victims plain 4 battle,revolt,exhibition
+ (nsubj a @cause) *interrupted @a:obj (obl near @town) @when:obl
+ @when:obl @a:nsubj was *interrupted (obl:agent by a @cause (nmod in @town))
+ @a:nsubj was *interrupted (obl:agent by a @cause) @when:obl , (conj and @b:nsubj *fled (obl to @town))
? cause : what *interrupted @a:obj
? when : when was @a:nsubj *interrupted
? when : (obl in what/D year/N) was @a:nsubj *interrupted

== drawing plain 1 hospital,railway,theater,bridge,library,car,plane
+ @b:nsubj %design.ed @a:obj @when:obl
+ @a:nsubj was %design.en (obl:agent by @b) (obl in competition/N (nmod with @x))
+ @when:obl @b:nsubj %design.ed @a:obj (obl on the model/N (nmod of a %kind (nmod by @x)))
? b : who %design.ed @a:obj
? when : when was @a:nsubj %design.en
? b : (obl:agent by whom) was @a:nsubj %design.en

== construction plain 2 hospital,railway,theater,bridge,library,car,plane
+ @b:nsubj %build.ed @a:obj @when:obl , (conj and @c:nsubj *paid (obl for the materials/N))
+ @a:nsubj was %build.en (obl:agent by @b) (obl for @c) @when:obl
+ @when:obl @b:nsubj %build.ed @a:obj (obl with workers/N (nmod from @town))
? b : who %build.ed @a:obj
? when : when was @a:nsubj %build.en
? b : (obl:agent by whom) was @a:nsubj %build.en

== ready plain 3 hospital,railway,theater,bridge,library
+ @a:nsubj was %finish.en @when:obl
+ @when:obl @b:nsubj %finish.ed @a:obj (obl after long/A delays/N)
+ @b:nsubj %finish.ed @a:obj @when:obl , (advcl when (nsubj the money/N) was almost/R *gone/A)
? when : when was @a:nsubj %finish.en
? b : who %finish.ed @a:obj
? when : (obl in what/D year/N) was @a:nsubj %finish.en

== opening plain 4 hospital,railway,theater,bridge,library
+ @b:nsubj *opened @a:obj @when:obl (obl in the absence/N (nmod of @x))
+ @when:obl @a:nsubj was *opened (obl:agent by @b)
+ @when:obl @b:nsubj *opened @a:obj (obl with a speech/N (nmod about @x))
? b : who *opened @a:obj
? when : when was @a:nsubj *opened
? b : (obl:agent by whom) was @a:nsubj *opened

== ruin plain 5 hospital,railway,theater,bridge,library,car,plane,painting
+ (nsubj a @cause) %destroy.ed @a:obj @when:obl
+ @when:obl @a:nsubj was %destroy.en (obl:agent by a @cause)
+ @when:obl (nsubj a @cause (nmod at @town)) almost/R %destroy.ed @a:obj
? cause : what %destroy.ed @a:obj
? when : when was @a:nsubj %destroy.en
? when : (obl in what/D year/N) was @a:nsubj %destroy.en

== mending plain 4 hospital,railway,theater,bridge,car,plane
+ @b:nsubj %repair.ed @a:obj @when:obl
+ @when:obl @a:nsubj was %repair.en (obl:agent by @b) (obl at the expense/N (nmod of @x))
+ @when:obl @b:nsubj %repair.ed @a:obj (obl with parts/N (nmod from @x))
? b : who %repair.ed @a:obj
? when : when was @a:nsubj %repair.en
? b : (obl:agent by whom) was @a:nsubj %repair.en

== trip plain 3 car,plane
+ @b:nsubj *drove @a:obj (obl to @town) @when:obl , (conj and @c:nsubj *followed (obl on horseback/N))
+ @when:obl @b:nsubj *took @a:obj (obl to @town) (advcl to/T *meet @c:obj)
+ @b:nsubj *took @a:obj (obl from the factory/N) (obl to @town) @when:obl
? b : who *took @a:obj (obl to @town)
? town : where did @b:nsubj *take @a:obj
? when : when did @b:nsubj *take @a:obj (obl to @town)
"""
