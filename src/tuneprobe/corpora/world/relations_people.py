# ruff: noqa: E501 - a template is one line
"""Relations of a person: how they are told in a paragraph and asked in a question.

A block opens with ``== name direction stage kinds``. ``direction`` says which roles the
paragraph's hero plays: ``plain`` (a), ``chain`` (b of one fact and a of another, with two partners),
``mutual`` (both, with one partner); ``swap`` and ``pass``: always a, while b and c change places, or
b hands on to somebody new. Facts are told in the order of their stage.
``+`` tells the fact, ``? slot :`` asks for a slot, ``? yes :`` asks whether it is so.
The notation of the templates is that of grammar.py.
"""

PEOPLE = """
== teach chain 1 person
+ @a:nsubj %teach.ed @b:obj (obl at the college/N (nmod of @town))
+ (obl in @town) @a:nsubj %teach.ed @b:obj , (advcl after/S @x:nsubj had *declined)
+ @b:nsubj was %teach.en (obl:agent by @a) (obl in @town) , (advcl although/S @x:nsubj had *applied)
? a : who %teach.ed @b:obj
? a : (obl:agent by whom) was @b:nsubj %teach.en
? b : who:obj did @a:nsubj %teach
? town : where did @a:nsubj %teach @b:obj
? yes : did @a:nsubj %teach @b:obj

== train chain 2 boxer,aviator,singer,actor
+ @a:nsubj %train.ed @b:obj (obl in @town) (obl together/R with @x)
+ @when:obl @a:nsubj *agreed (xcomp to/T %train @b:obj (obl in @town))
+ @b:nsubj was %train.en (obl:agent by @a) (obl near @town) , (advcl although/S @x:nsubj had *objected)
? a : who %train.ed @b:obj
? a : (obl:agent by whom) was @b:nsubj %train.en
? b : who:obj did @a:nsubj %train
? town : where did @a:nsubj %train @b:obj

== visit mutual 3 person
+ @a:nsubj *visited @b:obj (obl in @town) @when:obl
+ @when:obl @a:nsubj *travelled (obl to @town) (advcl to/T *visit @b:obj)
+ @a:nsubj *visited @b:obj (obl in @town) @when:obl (obl for a whole/A week/N)
? when : when did @a:nsubj *visit @b:obj
? town : where did @a:nsubj *visit @b:obj
? when : (obl in what/D year/N) did @a:nsubj *visit @b:obj
? yes : did @a:nsubj *visit @b:obj

== letter mutual 3 person
+ @a:nsubj *wrote (obj a long/A letter/N) (obl to @b) (obl from @town) @when:obl
+ @when:obl @a:nsubj *wrote (obl to @b) (obl from a hotel/N (nmod in @town))
+ @a:nsubj *wrote (obl to @b) (obl for the first/A time/N) @when:obl , (advcl *using (obj an address/N (nmod in @town)))
? when : when did @a:nsubj *write (obl to @b)
? when : when did @a:nsubj *write (obj a letter/N) (obl to @b)
? town : where did @a:nsubj *write (obl to @b)
? yes : did @a:nsubj *write (obl to @b)

== defeat mutual 3 boxer,aviator,lawyer,singer,actor
+ @a:nsubj %defeat.ed @b:obj (obl in a %contest (nmod at @town)) @when:obl
+ @when:obl @a:nsubj %defeat.ed @b:obj (obl in @town) (obl before a large/A crowd/N)
+ (obl at @town) @a:nsubj narrowly/R %defeat.ed @b:obj @when:obl
? when : when did @a:nsubj %defeat @b:obj
? town : where did @a:nsubj %defeat @b:obj
? when : when was @b:nsubj %defeat.en (obl:agent by @a)
? town : where was @b:nsubj %defeat.en (obl:agent by @a)
? yes : did @a:nsubj %defeat @b:obj

== trade mutual 4 person
+ @a:nsubj %buy.ed @goods:obj (obl from @b) @when:obl
+ @when:obl @a:nsubj %buy.ed @goods:obj (obl from @b) (obl after an auction/N (nmod in @town))
+ @a:nsubj %buy.ed @goods:obj (obl from @b) (obl in @town) @when:obl
? goods : what:obj did @a:nsubj %buy (obl from @b)
? when : when did @a:nsubj %buy (obj something/O) (obl from @b)
? goods : what was %buy.en (obl:agent by @a) (obl from @b)

== attack mutual 3 writer,historian,singer,architect,actor,chemist
+ @when:obl @a:nsubj %attack.ed @b:obj (obl in a newspaper/N (nmod of @town))
+ @a:nsubj openly/R %attack.ed @b:obj (obl at a meeting/N (nmod in @town)) @when:obl
+ (obl in @town) @a:nsubj %attack.ed (obj @b:nmod:poss views/N) @when:obl
? when : when did @a:nsubj %attack @b:obj
? town : where did @a:nsubj %attack @b:obj
? when : when was @b:nsubj %attack.en (obl:agent by @a)

== hire chain 2 person
+ @a:nsubj %hire.ed @b:obj (obl as an assistant/N) @when:obl
+ @when:obl @b:nsubj was %hire.en (obl:agent by @a) (obl against the advice/N (nmod of @x))
+ @a:nsubj %hire.ed @b:obj @when:obl (obl on the advice/N (nmod of @x))
? a : who %hire.ed @b:obj
? a : (obl:agent by whom) was @b:nsubj %hire.en
? b : who:obj did @a:nsubj %hire
? when : when did @a:nsubj %hire @b:obj
? yes : did @a:nsubj %hire @b:obj

== rescue chain 3 person
+ @when:obl @a:nsubj %rescue.ed @b:obj (obl from a burning/A hotel/N (nmod in @town))
+ @a:nsubj %rescue.ed @b:obj (obl after a shipwreck/N (nmod near @town)) @when:obl
+ @b:nsubj was %rescue.en (obl:agent by @a) (obl during the great/A storm/N (nmod at @town))
? a : who %rescue.ed @b:obj
? b : who:obj did @a:nsubj %rescue
? town : where did @a:nsubj %rescue @b:obj
? yes : did @a:nsubj %rescue @b:obj

== succeed chain 4 person
+ @a:nsubj %succeed.ed @b:obj (obl as secretary/N) @when:obl
+ @when:obl @a:nsubj %succeed.ed @b:obj (obl as treasurer/N) , (advcl although/S @x:nsubj had *expected (obj the %post))
+ @b:nsubj was %succeed.en (obl:agent by @a) (obl as chief/A librarian/N) @when:obl
? a : who %succeed.ed @b:obj
? b : who:obj did @a:nsubj %succeed
? when : when did @a:nsubj %succeed @b:obj
? yes : did @a:nsubj %succeed @b:obj

== help chain 3 person
+ @a:nsubj %help.ed @b:obj (obl with the survey/N (nmod of @town))
+ (obl during the survey/N (nmod of @town)) @a:nsubj %help.ed @b:obj
+ @b:nsubj was %help.en (obl:agent by @a) (obl in @town) (obl after the departure/N (nmod of @x))
? a : who %help.ed @b:obj
? b : who:obj did @a:nsubj %help
? town : where did @a:nsubj %help @b:obj

== study plain 1 person
+ @a:nsubj *studied @subject:obj (obl in @town)
+ (advcl after/S *leaving (obj school/N)) , @a:nsubj *studied @subject:obj (obl at the university/N (nmod of @town))
+ @a:nsubj *became (xcomp a %pupil (nmod of @b)) (conj and *studied @subject:obj (obl in @town))
? town : where did @a:nsubj *study
? subject : what:obj did @a:nsubj *study
? town : where was @a:nsubj a %pupil

== join plain 2 person
+ @a:nsubj *joined (obj the staff/N (nmod of @org)) @when:obl
+ @when:obl @a:nsubj *began (xcomp to/T *work (obl for @org) (obl in @town))
+ @when:obl @b:nsubj *brought @a:obj (obl into @org)
? when : when did @a:nsubj *join @org:obj
? when : (obl in what/D year/N) did @a:nsubj *join @org:obj
? when : when did @a:nsubj %begin (xcomp to/T *work (obl for @org))

== marry plain 3 person
+ @a:nsubj %marry.ed @b:obj (obl in @town) @when:obl
+ @when:obl @a:nsubj %marry.ed (obj the %teacher @b:appos) (obl at @town)
+ (obl in @town) , @a:nsubj *met (conj and %marry.ed @b:obj) @when:obl
? b : who:obj did @a:nsubj %marry
? when : when did @a:nsubj %marry @b:obj
? town : where did @a:nsubj %marry @b:obj
? when : (obl in what/D year/N) did @a:nsubj %marry @b:obj

== move plain 3 person
+ @a:nsubj *moved (obl from @town2) (obl to @town) @when:obl
+ @when:obl @a:nsubj *left @town2:obj (conj and *settled (obl in @town))
+ @a:nsubj *sold (obj the %house (nmod in @town2)) (conj and *moved (obl to @town) @when:obl)
? town : where did @a:nsubj *move
? when : when did @a:nsubj *move (obl to @town)
? town2 : where did @a:nsubj *live (obl before @town)

== award plain 4 person
+ @when:obl @a:nsubj *received (obj the @prize)
+ @a:nsubj was *given (obj the @prize) (obl:agent by @b) @when:obl
+ @b:nsubj *presented @a:obj (obl with the @prize) @when:obl
? when : when did @a:nsubj *receive (obj the @prize)
? prize : (obj which/D %award) did @a:nsubj *receive
? when : when was @a:nsubj *given (obj the @prize)

== invent plain 3 physician,engineer,chemist,aviator,explorer
+ @a:nsubj %invent.ed (obj a @device) (obl in @town) @when:obl
+ @when:obl @a:nsubj %finish.ed (obj the first/A @device) (obl in a workshop/N (nmod at @town))
+ (obl in @town) @a:nsubj %build.ed (obj a @device) @when:obl
? when : when did @a:nsubj %invent (obj the @device)
? town : where did @a:nsubj %invent (obj the @device)
? device : what:obj did @a:nsubj %invent

== book plain 3 writer,historian,lawyer,physician,explorer,chemist
+ @a:nsubj %publish.ed @title:obj (obl in @town) @when:obl
+ @when:obl @a:nsubj %publish.ed (obj a book/N (acl *called @title:xcomp))
+ @a:nsubj *revised @title:obj (obl in @town) (conj and %publish.ed (obj it/O:obj) @when:obl)
? when : when did @a:nsubj %publish @title:obj
? title : (obj which/D book/N) did @a:nsubj %publish
? when : (obl in what/D year/N) did @a:nsubj %publish @title:obj

== resign plain 5 person
+ @when:obl @a:nsubj %resign.ed (obl from @org) , (conj and @b:nsubj *took (compound:prt over/R) (obj the work/N))
+ @a:nsubj %resign.ed (obl on account/N (nmod of an illness/N)) @when:obl , (advcl *leaving (obj the laboratory/N) (obl to @b))
+ @when:obl , (obl after a quarrel/N (nmod with @b)) , @a:nsubj %resign.ed
? when : when did @a:nsubj %resign
? when : (obl in what/D year/N) did @a:nsubj %resign
? when : when did @a:nsubj *leave @org:obj

== die plain 6 person
+ @a:nsubj %die.ed (obl in @town) @when:obl
+ @when:obl @a:nsubj %die.ed (obl of pneumonia/N) (obl at @town)
+ @a:nsubj %die.ed @when:obl (obl during a visit/N (nmod to @town))
? when : when did @a:nsubj %die
? town : where did @a:nsubj %die
? when : (obl in what/D year/N) did @a:nsubj %die

== plans plain 2 architect,engineer
+ @a:nsubj %design.ed (obj the @building (nmod at @town)) @when:obl
+ @when:obl @a:nsubj %design.ed (obj a @building) (obl for @b) (obl at @town)
+ @a:nsubj %build.ed (obj a @building) (obl for @b) (obl in @town) @when:obl
? town : where did @a:nsubj %build (obj a @building)
? when : when did @a:nsubj %build (obj a @building)
? building : what:obj did @a:nsubj %design (obl in @town)

== portrait plain 4 person
+ @when:obl @b:nsubj %depict.ed @a:obj (obl in a large/A painting/N (nmod for @town))
+ @b:nsubj %depict.ed @a:obj @when:obl (obl in a mural/N (nmod at @town))
+ @a:nsubj was %depict.en (obl:agent by @b) (obl in a fresco/N (nmod at @town)) @when:obl
? b : who %depict.ed @a:obj
? when : when was @a:nsubj %depict.en (obl:agent by @b)
? b : (obl:agent by whom) was @a:nsubj %depict.en

== fire plain 4 person
+ @when:obl (nsubj a @cause) %destroy.ed (obj @a:nmod:poss %house (nmod at @town))
+ (nsubj a @cause) %destroy.ed (obj @a:nmod:poss %house (nmod in @town)) @when:obl
+ (obl in @town) @a:nsubj *lost (obj the library/N) @when:obl , (advcl when (nsubj a @cause) %destroy.ed (obj @a:nmod:poss %house))
? cause : what %destroy.ed (obj the %house (nmod of @a))
? when : when was (nsubj the %house (nmod of @a)) %destroy.en
? town : where was (nsubj the %house (nmod of @a)) %destroy.en
"""
