"""The relations that facts are made of, read from their blocks of templates."""

import re
from dataclasses import dataclass
from functools import cache

from tuneprobe.corpora.world.grammar import GrammarError
from tuneprobe.corpora.world.relations_people import PEOPLE
from tuneprobe.corpora.world.relations_things import THINGS

PERSONS = (
    "physician writer lawyer architect explorer singer aviator boxer historian engineer chemist "
    "actor"
).split()
WORKS = "film play painting novel".split()
EVENTS = "battle revolt contest exhibition".split()
BUILDINGS = "hospital railway theater bridge library".split()
VEHICLES = "car plane".split()
ORGANISATIONS = "society council institute academy bureau union trust".split()
GROUPS = {
    "person": PERSONS,
    "org": ORGANISATIONS,
    "work": WORKS,
    "event": EVENTS,
    "building": BUILDINGS,
    "vehicle": VEHICLES,
}
_SLOT = re.compile(r"@(\w+)")
DIRECTIONS = ("plain", "chain", "mutual", "swap", "pass")


@dataclass(frozen=True)
class Relation:
    """A relation over entity kinds with its templates.

    Attributes
    ----------
    direction : str
        Which roles the hero of a paragraph plays; see relations_people.py.
    stage : int
        Place in the story; years rise with it.
    kinds : frozenset of str
        Kinds of entity that can be the hero.
    slots : tuple of str
        Roles and values besides the hero's.
    told : tuple of str
        Templates of the sentence.
    asked : tuple of (slot, template)
        Templates of the question; slot ``yes`` for a yes/no question.
    """

    name: str
    direction: str
    stage: int
    kinds: frozenset[str]
    slots: tuple[str, ...]
    told: tuple[str, ...]
    asked: tuple[tuple[str, str], ...]


def _kinds(names: str) -> frozenset[str]:
    return frozenset(k for name in names.split(",") for k in GROUPS.get(name, [name]))


def slots_of(template: str) -> set[str]:
    """Names of the slots of a template; the year of a date counts as the date."""
    return {"when" if name == "year" else name for name in _SLOT.findall(template)}


def _slots(told: tuple[str, ...], asked: list[str]) -> tuple[str, ...]:
    """The slots that each fact fills: all that occur, but for the hero and document's."""
    return tuple(sorted(slots_of(" ".join([*told, *asked])) - {"a", "org"}))


def _read_block(block: str) -> Relation:
    header, *lines = block.strip().split("\n")
    name, direction, stage, kinds = header.split()
    if direction not in DIRECTIONS:
        raise GrammarError(
            f"relation {name}: direction {direction!r}, expected one of {DIRECTIONS}."
        )
    asked = [line[2:].split(" : ", 1) for line in lines if line.startswith("? ")]
    told = tuple(line[2:] for line in lines if line.startswith("+ "))
    return Relation(
        name,
        direction,
        int(stage),
        _kinds(kinds),
        _slots(told, [template for _, template in asked]),
        told,
        tuple((slot.strip(), template) for slot, template in asked),
    )


@cache
def relations() -> tuple[Relation, ...]:
    """All relations, people's first."""
    blocks = (PEOPLE + THINGS).split("\n== ")
    return tuple(_read_block(block.removeprefix("== ")) for block in blocks if block.strip())
