"""Typed questions in TREC's format: the class of the answer that each question asks for.

    HUM:ind Who taught Otto Kern ?
    NUM:dist How far is Oakford from Thornby ?

Two in five come from the templates of the relations, with the class of the slot that is asked for,
the others from templates of their own. Every question names other people than all others.
"""

from collections.abc import Collection, Iterator

from tuneprobe.corpora.world import lexicon
from tuneprobe.corpora.world.documents import hero
from tuneprobe.corpora.world.draws import Draws
from tuneprobe.corpora.world.entities import NamePool, organisation
from tuneprobe.corpora.world.grammar import Token, Tokens, render
from tuneprobe.corpora.world.relations import BUILDINGS, VEHICLES, WORKS, relations
from tuneprobe.corpora.world.stories import Scene, article, close

FROM_RELATIONS = 40  # percent
SLOT_TYPES = {
    **dict.fromkeys("abc", "HUM:ind"),
    **dict.fromkeys(("town", "town2"), "LOC:city"),
    "when": "NUM:date",
    "goods": "ENTY:product",
    "device": "ENTY:product",
    "title": "ENTY:cremat",
    "cause": "ENTY:event",
    "building": "LOC:other",
    "prize": "ENTY:other",
    "subject": "ENTY:other",
}
# type | templates | a template that only dev uses
_OWN = """
ABBR:abb | What is the abbreviation of {org} ? | How is {org} called for short ? | By what initials does {town} know {org} ?
ABBR:exp | What does {abbreviation} stand for ? | What is the full name of the {abbreviation} ? | What do the letters {abbreviation} mean ?
DESC:def | What is {a_device} ? | What is meant by {subject} ? | What does the word {subject} mean ?
DESC:desc | What is {person} known for ? | What happened to {building} ? | What did {person} do in {town} ?
DESC:manner | How did {person} become famous ? | How does {a_device} work ? | How was {building} saved ?
DESC:reason | Why is {person} remembered ? | Why did {person} leave {town} ? | What made {person} leave {town} ?
ENTY:animal | What animal did {person} keep in {town} ? | Which animal is on the seal of {town} ? | What kind of bird did {person} train ?
ENTY:color | What colour was {vehicle} ? | In what colour was {building} painted ? | Is {vehicle} red or blue ?
ENTY:cremat | What novel did {person} write in {town} ? | Name a play by {person} . | Which film is set in {town} ?
ENTY:dismed | What disease killed {person} ? | Of what illness did {person} die ? | From what was {person} suffering in {town} ?
ENTY:event | What battle was fought near {town} ? | In which revolt did {person} take part ? | What contest did {person} win in {town} ?
ENTY:food | What dish is {town} known for ? | What did {person} eat for breakfast ? | Which fruit grows near {town} ?
ENTY:instru | What instrument did {person} play ? | Which instrument did {person} learn in {town} ? | On what did {person} play the tune of {work} ?
ENTY:lang | What language did {person} speak ? | In which language is {work} written ? | What is the mother tongue of {person} ?
ENTY:other | What prize did {person} receive ? | Which school of painting did {person} follow ? | What subject did {person} teach in {town} ?
ENTY:product | What did {person} sell in {town} ? | What machine did {person} invent ? | Which goods does {org} make ?
ENTY:sport | What sport did {person} take up in {town} ? | At which sport did {person} win a medal ? | What game is played in {town} ?
ENTY:veh | What car did {person} drive ? | In which aeroplane did {person} fly to {town} ? | What kind of ship was {vehicle} ?
HUM:desc | Who was {person} ? | Who is {person} ? | What sort of person was {person} ?
HUM:gr | Which society did {person} join ? | What company ordered {vehicle} ? | Which council ran {building} ?
HUM:ind | Name the architect of {building} . | What {trade} was born in {town} ? | Who is the hero of {work} ?
HUM:title | What post did {person} hold at {org} ? | What was the rank of {person} ? | What was {person} to {org} ?
LOC:city | What town was {person} born in ? | In what city is {building} ? | What is the home town of {person} ?
LOC:country | In which country is {town} ? | What country did {person} come from ? | To what land did {person} sail ?
LOC:mount | What mountain did {person} climb ? | Which mountain lies behind {town} ? | What is the highest peak near {town} ?
LOC:other | Which river flows through {town} ? | On what street did {person} live ? | What lake lies near {town} ?
NUM:count | How many novels did {person} write ? | How many people live in {town} ? | How many members has {org} ?
NUM:date | When was {person} born ? | On what day was {building} opened ? | What year did {person} die ?
NUM:dist | How far is {town} from {other_town} ? | How long is {building} in feet ? | How tall was {person} ?
NUM:money | How much did {person} pay for {goods} ? | What did {vehicle} cost ? | What was the price of {goods} in {town} ?
NUM:period | How long did {person} live in {town} ? | How old was {person} in {year} ? | For how many years was {person} at {org} ?
NUM:speed | How fast was {vehicle} ? | At what speed did {person} drive {vehicle} ? | How quickly did {person} drive to {town} ?
"""  # noqa: E501 - a type is one line


def own_templates(split: str) -> dict[str, list[str]]:
    """The templates of each type that belong to no relation; dev has one more of each."""
    lines = [line.split(" | ") for line in _OWN.strip().split("\n")]
    end = None if split == "dev" else -1
    return {type: templates[:end] for type, *templates in lines}


def typed_questions(
    seed: int,
    split: str,
    names: NamePool,
    towns: list[str],
    count: int,
    avoid: Collection[str] = (),
) -> list[tuple[str, str]]:
    """`count` different questions of a split, none of those to avoid: type and text."""
    found: dict[str, str] = {}
    number = 0
    while len(found) < count:
        draws = Draws(seed, "typed", split, number)
        org = organisation("org", names.organisation())
        scene = Scene(draws, names, towns, org, 1840 + draws.below(100))
        related = draws.chance(FROM_RELATIONS)
        type, text = _of_a_relation(scene) if related else _of_its_own(scene, split)
        if text not in avoid:
            found.setdefault(text, type)
        number += 1
    return [(type, text) for text, type in found.items()]


def trec_lines(questions: list[tuple[str, str]]) -> Iterator[str]:
    """Lines of a ``.label`` file."""
    return (f"{type} {text}\n" for type, text in questions)


def _of_a_relation(scene: Scene) -> tuple[str, str]:
    """The question for a slot of a relation, about new people and things."""
    draws = scene.draws
    relation = draws.pick(relations())
    subject = hero(scene, draws.pick(sorted(relation.kinds)))
    roles = {slot: scene.fill(slot, subject, scene.year) for slot in relation.slots}
    roles |= {"a": subject, "org": scene.org}
    slot, template = draws.pick([a for a in relation.asked if a[0] != "yes"])

    def concept(name: str, form: str) -> Token:
        upos, entries = lexicon.CONCEPTS[name]
        return Token(draws.pick(entries)[form], upos)

    tokens = render(template, lambda name, label: roles[name].name, concept)
    return SLOT_TYPES[slot], _text(close(tokens, "?"))


def _of_its_own(scene: Scene, split: str) -> tuple[str, str]:
    """A question from a template of this module."""
    templates = own_templates(split)
    type = scene.draws.pick(sorted(templates))
    template = scene.draws.pick(templates[type])
    person = scene.person()
    device = _text(scene.fill("device", person, scene.year).name)
    return type, template.format(
        person=_text(person.name),
        town=_text(scene.town().name),
        other_town=_text(scene.town().name),
        org=_text(scene.org.name),
        abbreviation=scene.org.abbreviation,
        a_device=f"{article(device)} {device}",
        trade=scene.draws.pick(("painter", "poet", "singer", "aviator", "boxer", "explorer")),
        year=scene.year,
        **{slot: _thing(scene, slot) for slot in ("subject", "goods")},
        **{
            group: _text(hero(scene, scene.draws.pick(kinds)).name)
            for group, kinds in (("work", WORKS), ("building", BUILDINGS), ("vehicle", VEHICLES))
        },
    )


def _thing(scene: Scene, slot: str) -> str:
    return _text(scene.fill(slot, scene.person(), scene.year).name)


def _text(tokens: Tokens) -> str:
    return " ".join(token.form for token in tokens)
