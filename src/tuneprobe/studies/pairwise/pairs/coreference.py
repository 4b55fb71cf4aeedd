"""Coreference: the question's entity, and the pronoun that stands for it beside the answer.

question    when was *ann lee* born
paragraph   Ann Lee is a painter . *She* was born in 1970 .
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from tuneprobe.examples.annotate import Annotated, is_mark
from tuneprobe.formats.question import Interval
from tuneprobe.studies.pairwise.pairs.observation import (
    ANSWER_CROSSES,
    NO_SHORT_ANSWER,
    PARAGRAPH,
    NoPair,
    Observation,
    Pair,
)

# Reflexives are left out: what they stand for is in their own sentence.
PRONOUNS = frozenset("he she it they him her them his hers its their theirs".split())
# A pronoun does not stand for a date, a time, an amount or a number.
NUMERIC = frozenset("DATE TIME PERCENT MONEY QUANTITY ORDINAL CARDINAL".split())
QUOTES = frozenset(["``", "''", '"', "“", "”"])
LONGEST_TITLE = 10  # words between two quotes; a longer stretch is speech

EntityMode = Literal["named", "quoted", "shared"]


@dataclass(frozen=True)
class CoreferenceRule:
    """What an entity is, and which of its mentions is the anchor.

    Attributes
    ----------
    anchor : str
        ``question`` (the paper) or ``paragraph`` (the authors' code).
    entities : tuple of str
        Tried in this order: ``named`` (a named entity of the paragraph), ``quoted`` (words between
        quotes), ``shared`` (the longest n-gram of both texts that has a proper noun).
    """

    anchor: Literal["question", "paragraph"] = "question"
    entities: tuple[EntityMode, ...] = ("named", "quoted", "shared")


def coreference_pairs(observation: Observation, rule: CoreferenceRule) -> list[Pair] | NoPair:
    """The entity, and the first third-person pronoun of the answer's sentence.

    The entity occurs in the question, whatever its case, and in the paragraph before the answer's
    sentence; the question may leave out stop words at its edges. Of several the longest is taken,
    then the earliest in the paragraph.

    Source: Cai et al. 2020, section 3; what an entity is, is not said there.
    """
    if observation.answer is None:
        return NO_SHORT_ANSWER
    sentence = observation.answer_sentence
    if sentence is None:
        return ANSWER_CROSSES
    pronoun = _first_pronoun(observation.paragraph, sentence)
    if pronoun is None:
        return NoPair("no third-person pronoun in the answer's sentence")
    for mode in rule.entities:
        mentions = list(_mentions(observation, ENTITIES[mode], before=sentence[0]))
        if mentions:
            asked, told = max(mentions, key=_length_then_earliness)
            if rule.anchor == "paragraph":
                return [Pair(told, pronoun, PARAGRAPH)]
            return [Pair(asked, pronoun)]
    return NoPair("no entity of the question before the answer's sentence")


def _length_then_earliness(mention: tuple[Interval, Interval]) -> tuple[int, int]:
    _, (start, end) = mention
    return end - start, -start


def _first_pronoun(paragraph: Annotated, sentence: Interval) -> Interval | None:
    for i in range(*sentence):
        if paragraph.words[i].lower() in PRONOUNS:
            return i, i + 1
    return None


def _mentions(
    observation: Observation,
    entities: Callable[[Observation, int], Iterator[Interval]],
    before: int,
) -> Iterator[tuple[Interval, Interval]]:
    """Where an entity stands in the question and in the paragraph."""
    asked, told = _lower(observation.question), _lower(observation.paragraph)
    for start, end in entities(observation, before):
        at = _find(told[start:end], asked)
        if at is not None:
            yield (at, at + end - start), (start, end)


def _named(observation: Observation, before: int) -> Iterator[Interval]:
    """Named entities of the paragraph, with and without an article."""
    for entity in observation.paragraph.entities:
        if entity.end <= before and entity.kind not in NUMERIC:
            yield entity.start, entity.end
            yield from _trimmed(observation.paragraph, entity.start, entity.end)


def _quoted(observation: Observation, before: int) -> Iterator[Interval]:
    """Words between two quotes, with and without an article."""
    words = observation.paragraph.words[:before]
    marks = [i for i, word in enumerate(words) if word in QUOTES]
    for opening, closing in zip(marks[::2], marks[1::2], strict=False):
        if 0 < closing - opening - 1 <= LONGEST_TITLE:
            yield opening + 1, closing
            yield from _trimmed(observation.paragraph, opening + 1, closing)


def _shared(observation: Observation, before: int) -> Iterator[Interval]:
    """Every n-gram of both texts that has a proper noun and is not part of a longer one."""
    paragraph = observation.paragraph
    asked, told = _lower(observation.question), _lower(paragraph)[:before]
    for i in range(len(asked)):
        for j in range(len(told)):
            if asked[i] != told[j] or (i and j and asked[i - 1] == told[j - 1]):
                continue
            n = _common_prefix(asked[i:], told[j:])
            for start, end in _trimmed(paragraph, j, j + n):
                if "PROPN" in paragraph.pos[start:end]:
                    yield start, end


ENTITIES: dict[EntityMode, Callable[[Observation, int], Iterator[Interval]]] = {
    "named": _named,
    "quoted": _quoted,
    "shared": _shared,
}


def _trimmed(paragraph: Annotated, start: int, end: int) -> Iterator[Interval]:
    """The interval without stop words and punctuation at its edges; nothing if that is all."""
    idle = [paragraph.stop[i] or is_mark(paragraph.words[i]) for i in range(start, end)]
    if not all(idle):
        yield start + idle.index(False), end - idle[::-1].index(False)


def _lower(text: Annotated) -> list[str]:
    return [word.lower() for word in text.words]


def _find(part: list[str], whole: list[str]) -> int | None:
    """Where `part` first stands in `whole`."""
    n = len(part)
    return next((i for i in range(len(whole) - n + 1) if whole[i : i + n] == part), None)


def _common_prefix(a: list[str], b: list[str]) -> int:
    """How many words the two lists begin with in common."""
    return next(
        (n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
