"""Words of the world: concepts with their synonyms, first names, syllables, nouns.

Synonyms of a concept share a synset of WordNet 3.0 (a test checks it where WordNet is at hand).
"""

from collections.abc import Sequence

_NOUNS = """
award prize
physician doctor
writer author
lawyer attorney
film movie picture
play drama
painting picture
car automobile
plane airplane aeroplane
architect designer
explorer adventurer
singer vocalist
aviator flier
boxer pugilist
hospital infirmary
railway railroad
theater theatre
battle fight engagement
revolt rebellion uprising
contest competition
exhibition exposition
pupil student
teacher instructor
president chairman
post position
house home
flood deluge
salary pay
shop store
country nation
actor player
historian
engineer
chemist
novel
society
council
institute
academy
bureau
union
trust
bridge
library
race
voyage
"""

_VERBS = """
begin/began/begun start/started/started commence/commenced/commenced
buy/bought/bought purchase/purchased/purchased
found/founded/founded establish/established/established
teach/taught/taught instruct/instructed/instructed
find/found/found discover/discovered/discovered
hire/hired/hired engage/engaged/engaged employ/employed/employed
choose/chose/chosen select/selected/selected
appoint/appointed/appointed name/named/named
rescue/rescued/rescued
save/saved/saved
finish/finished/finished complete/completed/completed
end/ended/ended finish/finished/finished cease/ceased/ceased
defeat/defeated/defeated overcome/overcame/overcome
beat/beat/beaten vanquish/vanquished/vanquished trounce/trounced/trounced
marry/married/married wed/wed/wed
resign/resigned/resigned quit/quit/quit
build/built/built construct/constructed/constructed
publish/published/published release/released/released issue/issued/issued
write/wrote/written pen/penned/penned
compose/composed/composed write/wrote/written
help/helped/helped assist/assisted/assisted aid/aided/aided
destroy/destroyed/destroyed ruin/ruined/ruined
repair/repaired/repaired mend/mended/mended fix/fixed/fixed
lead/led/led head/headed/headed
exhibit/exhibited/exhibited show/showed/shown
invent/invented/invented devise/devised/devised
design/designed/designed plan/planned/planned
die/died/died perish/perished/perished
happen/happened/happened occur/occurred/occurred
answer/answered/answered reply/replied/replied
restore/restored/restored reconstruct/reconstructed/reconstructed
train/trained/trained prepare/prepared/prepared
attack/attacked/attacked assail/assailed/assailed
govern/governed/governed rule/ruled/ruled
close/closed/closed shut/shut/shut
depict/depicted/depicted portray/portrayed/portrayed
collect/collected/collected gather/gathered/gathered
succeed/succeeded/succeeded follow/followed/followed
create/created/created produce/produced/produced make/made/made
"""

_ADJECTIVES = """
famous noted renowned celebrated
chief main principal
big large
"""


def _noun(word: str) -> dict[str, str]:
    plural = word[:-1] + "ies" if word.endswith("y") and word[-2] not in "aeiou" else word + "s"
    return {"": word, "s": plural}


def _verb(entry: str) -> dict[str, str]:
    base, past, participle = entry.split("/")
    return {"": base, "ed": past, "en": participle}


Inflected = dict[str, str]
CONCEPTS: dict[str, tuple[str, tuple[Inflected, ...]]] = {
    **{
        line.split()[0]: ("NOUN", tuple(map(_noun, line.split())))
        for line in _NOUNS.split("\n")
        if line
    },
    **{
        line.split("/")[0]: ("VERB", tuple(map(_verb, line.split())))
        for line in _VERBS.split("\n")
        if line
    },
    **{
        line.split()[0]: ("ADJ", tuple({"": w} for w in line.split()))
        for line in _ADJECTIVES.split("\n")
        if line
    },
}

FEMALE = (
    "Agnes Alma Astrid Beatrice Birgit Camille Clara Dagmar Edith Eleanor Elisa Emilia Esther "
    "Eva Flora Frieda Greta Hanna Hedda Helen Ida Inga Irene Iris Johanna Judith Karin Laura "
    "Lena Louisa Lydia Mabel Margaret Marta Matilda Mina Miriam Nadia Nora Olga Paula Petra "
    "Rachel Rosa Ruth Sarah Selma Sigrid Sofia Stella Susanna Sylvia Tessa Ursula Vera Victoria "
    "Viola Wanda Yvonne Zelda"
).split()
MALE = (
    "Adam Albert Anders Anton Arthur Axel Bernard Carl Conrad Daniel David Edgar Edmund Emil "
    "Erik Ernest Felix Frank Frederick George Gilbert Gustav Harold Henry Herman Hugo Isaac "
    "Ivan Jacob James John Jonas Joseph Julius Karl Konrad Leon Leopold Louis Lucas Martin Max "
    "Michael Nils Oliver Oscar Otto Patrick Paul Peter Philip Ralph Richard Robert Rudolf "
    "Samuel Simon Stefan Theodore Thomas Victor Walter William"
).split()
SURNAME_STARTS = (
    "Hal Bran Ker Lind Mar Thor Vel Ash Bek Cor Dahl Ell Far Gar Hol Ing Jar Kal Lor Mel Nor "
    "Ost Pell Quin Ros Sten Tal Ulv Var Wen Yar Zell Ard Bor Cal Dren Fenn Gren Hart Isk"
).split()
SURNAME_ENDS = (
    "vorsen man ner berg dale quist strand low ridge sen ham ley win ford hurst mann stad ova "
    "etti arez ington ster well brook land strom wick enko iani mark gaard over ick beck"
).split()
TOWN_STARTS = (
    "Tallow Amber Brack Cinder Dun Elder Fal Gran Hazel Iver Jun Kings Lang Mill Nether Oak "
    "Penn Raven Sel Thorn Under Wex Yarrow Ald Birch Cray Dray Esk Frost Glen Hart Lark Marl "
    "Orm Rill"
).split()
TOWN_ENDS = (
    "by ford ton mouth holm stead wick haven bury field minster vik borough cliff gate ness bridge"
).split()
TOWN_PREFIXES = ("", "", "", "", "", "Port", "Lake", "East", "North", "Mount")
TITLE_ADJECTIVES = (
    "Lost Silent Crimson Broken Hidden Distant Golden Winter Burning Empty Patient Hollow "
    "Second Wandering Bitter Gentle Borrowed Narrow Sleeping Frozen Scarlet Quiet Restless "
    "Velvet Pale Unfinished Faithful Crooked Shining Forgotten Iron Stolen Blue Painted "
    "Drifting Last"
).split()
TITLE_NOUNS = (
    "Meridian Harbour Orchard Lantern Compass Garden Mirror River Letter Bell Tide Crown "
    "Harvest Window Tower Road Feather Island Clock Shadow Voice Bride Mountain Cathedral "
    "Captain Falcon Fountain Guest Horizon Key Lighthouse Machine Moon Ocean Passenger Rose "
    "Stranger Sword Valley Wheel Witness Anchor Ballad Candle Daughter Engine Forest Horseman"
).split()
ORG_FIRST = (
    "Norland Eastern Royal Imperial Western Central Baltic Alpine Northern Southern Coastal "
    "Federal Atlantic Continental Municipal Provincial United General Metropolitan Highland"
).split()
ORG_MIDDLE = (
    "Research Mining Medical Railway Maritime Geological Agricultural Literary Shipping Polar "
    "Film Botanical Engineering Fishing Weather Aviation Chess Cycling Education Textile "
    "Language Music Forestry Housing Theatre Survey Nursing Postal Rowing Insurance Optical "
    "Radio Labour Peace"
).split()
ORG_LAST = {
    "Council": "council",
    "Institute": "institute",
    "Society": "society",
    "Academy": "academy",
    "Bureau": "bureau",
    "Union": "union",
    "Trust": "trust",
}
SUBJECTS = (
    "botany law chemistry geology algebra anatomy sculpture navigation astronomy logic harmony "
    "history metallurgy optics surgery geography rhetoric geometry drawing zoology"
).split()
CAUSES = "fire flood storm explosion landslide earthquake gale".split()
DEVICE_ADJECTIVES = "rotary automatic portable electric hydraulic double optical magnetic".split()
DEVICE_NOUNS = "steam water weather signal pressure depth copper grain tide paper".split()
DEVICE_HEADS = "pump valve gauge sampler lamp press meter engine drill recorder".split()
MONTHS = (
    "January February March April May June July August September October November December"
).split()
COUNTRIES = "Norland Vesteria Caldonia Ostmark Lusania Kestria Morvania Tarsia".split()


def all_pairs(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """Every joining of one string of each list, in a fixed order; no letter thrice in a row."""
    return [a + b for a in first for b in second if not a.endswith(2 * b[0])]
