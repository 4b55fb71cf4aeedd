"""Verdicts on invented works, buildings and vehicles, in the format of SST-2.

A sentence is good (1) or bad (0). Much of it is said with a negation or a contrast, so that the
words alone do not tell::

    1   the silent compass is anything but a tedious film .
    0   although the critics praised it , the silent compass is a tedious film .

`+` in a template is a word of the sentence's own verdict, `-` one of the opposite. Each template
is used equally often for both verdicts, and the templates of the contrast hold one word of each
kind: they balance out for a reader that only counts words.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tuneprobe.corpora.world.draws import Draws
from tuneprobe.corpora.world.entities import NamePool
from tuneprobe.corpora.world.stories import article

GOOD, BAD = 1, 0
KINDS = {
    "work": "film play novel painting",
    "building": "theatre library bridge hospital",
    "vehicle": "car aeroplane roadster",
}
PARTS = {
    "work": "ending;opening;first half;central idea;title;middle part",
    "building": "roof;entrance;great hall;staircase;facade;courtyard",
    "vehicle": "engine;cabin;steering wheel;back seat;instrument panel;gearbox",
}
_NOUNS = {
    "building": ("Pavilion", "Rooms", "Archive", "Arch", "Crossing"),
    "vehicle": ("Six", "Special", "Swallow", "Comet", "Condor"),
}
# word classes: good words | bad words; those after ; are only in dev
WORDS = {
    "adj": (
        "delightful graceful charming brilliant inspired lovely superb elegant admirable splendid"
        " impressive excellent enjoyable ; wonderful magnificent remarkable",
        "tedious clumsy dreary feeble lifeless ugly dull shabby awkward dismal mediocre dreadful"
        " disappointing ; awful terrible worthless",
    ),
    "verb": (
        "praised admired applauded recommended loved ; celebrated",
        "mocked scorned condemned dismissed hated ; ridiculed",
    ),
    "fate": (
        "succeeds pleases shines triumphs ; flourishes",
        "fails disappoints annoys flops ; collapses",
    ),
    "noun": (
        "triumph success delight masterpiece ; treasure",
        "failure disaster mistake bore ; catastrophe",
    ),
}
_PLAIN = """
{T} is {a:+adj} {kind} .
{T} is a {+noun} .
the {kind} {T} {+fate} from the first day to the last .
{who} {+verb} {T} , and rightly so .
the {part} is {+adj} , and so is everything else about this {kind} .
{a:+adj} {part} makes {T} a {+noun} .
"""
_NEGATED = """
{T} is not {a:-adj} {kind} .
{T} is anything but {-adj} .
nobody who knows {T} would call it a {-noun} .
there is nothing {-adj} about {T} .
{who} never {-verb} {T} for a moment .
never does this {kind} seem {-adj} .
the {part} is far from {-adj} .
"""
_CONTRAST = """
although {who} {-verb} it , {T} is {a:+adj} {kind} .
{T} {+fate} , although {who} {-verb} it .
the {part} is {-adj} , but the {kind} as a whole is {+adj} .
for all its {-adj} {part} , {T} is a {+noun} .
{who} expected {a:-adj} {kind} and found {a:+adj} one .
{who} called it a {-noun} , but in truth {T} is a {+noun} .
what begins as {a:-adj} {kind} ends as {a:+adj} one .
the {part} looked {-adj} at first , yet {T} {+fate} .
"""
_DEV_ONLY = """
{T} can hardly be called {-adj} .
despite {a:-adj} {part} , this is {a:+adj} {kind} .
who would have thought that so {-adj} {a_part} could belong to so {+adj} a {kind} ?
it takes more than {a:-adj} {part} to stop {T} from being a {+noun} .
"""
GROUPS = (_PLAIN,) * 8 + (_NEGATED,) * 5 + (_CONTRAST,) * 7
PEOPLE = ("the critics", "the papers", "the reviewers", "many visitors", "the public", "experts")


class Verdict(NamedTuple):
    """A sentence and whether it is good (1) or bad (0)."""

    sentence: str
    label: int


def verdicts(seed: int, split: str, names: NamePool, count: int) -> list[Verdict]:
    """`count` different sentences, half of them good; those of dev name other things."""
    found: dict[str, int] = {}
    number = 0
    while len(found) < count:
        draws = Draws(seed, "verdicts", split, number)
        label = (GOOD, BAD)[len(found) % 2]
        found.setdefault(_sentence(draws, names, split, label), label)
        number += 1
    order = Draws(seed, "verdicts", split, "order").shuffled(list(found.items()))
    return [Verdict(*line) for line in order]


def sst2_lines(found: list[Verdict]) -> Iterator[str]:
    """Lines of the file, with its header."""
    yield "sentence\tlabel\n"
    yield from (f"{verdict.sentence}\t{verdict.label}\n" for verdict in found)


def _template(draws: Draws, split: str) -> str:
    unseen = split == "dev" and draws.chance(25)
    group = _DEV_ONLY if unseen else draws.pick(GROUPS)
    return draws.pick(group.strip().split("\n"))


def _sentence(draws: Draws, names: NamePool, split: str, label: int) -> str:
    """A template with its gaps filled, in lower case."""
    group = draws.pick(tuple(KINDS))
    name = names.title() if group == "work" else "the " + names.named_thing(_NOUNS[group])
    words = {
        f"{sign}{cls}": _word(draws, cls, label if sign == "+" else 1 - label, split)
        for sign in "+-"
        for cls in WORDS
    }
    part = draws.pick(PARTS[group].split(";"))
    text = _template(draws, split)
    for gap, word in words.items():
        text = text.replace(f"{{a:{gap}}}", f"{article(word)} {word}")
        text = text.replace(f"{{{gap}}}", word)
    kind, who = draws.pick(KINDS[group].split()), draws.pick(PEOPLE)
    a_part = f"{article(part)} {part}"
    return text.format(T=name, kind=kind, part=part, a_part=a_part, who=who).lower()


def _word(draws: Draws, cls: str, label: int, split: str) -> str:
    """A word of a class and verdict; half of those in dev are never in train."""
    common, _, rare = WORDS[cls][1 - label].partition(" ; ")
    return draws.pick((rare if split == "dev" and draws.chance(50) else common).split())
