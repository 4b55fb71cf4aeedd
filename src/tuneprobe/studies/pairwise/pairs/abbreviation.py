"""Abbreviation: a word of the question is the initials of consecutive words of the paragraph.

question    what does *rbc* stand for
paragraph   Oxygen is carried by *red blood cells* .
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tuneprobe.examples.annotate import Annotated
from tuneprobe.formats.question import Interval
from tuneprobe.studies.pairwise.pairs.observation import NoPair, Observation, Pair


@dataclass(frozen=True)
class AbbreviationRule:
    """Which words count as the initials of others; `AUTHORS_RULE` is that of the authors' code.

    Attributes
    ----------
    capitals : str
        ``paragraph``: every paragraph word of the window begins with a capital (the authors' code).
        ``none``: any case. The question word may have any case either way.
    window : str
        Which of several matching windows is taken: ``first`` or ``last`` (the authors' code).
    final_window : bool
        False: the window that ends the paragraph is never looked at (the authors' code).
    min_letters : int
        Shorter words do not abbreviate.
    question_stop_words : bool
        True: a stop word of the question may abbreviate: "in" → "is never".
    edge_stop_words : bool
        True: a window may begin or end with a stop word (the authors' code). Without `capitals`
        most of what this adds is chance: "pi" → "pi is".
    """

    capitals: Literal["none", "paragraph"] = "none"
    window: Literal["first", "last"] = "first"
    final_window: bool = True
    min_letters: int = 2
    question_stop_words: bool = False
    edge_stop_words: bool = False


AUTHORS_RULE = AbbreviationRule(
    capitals="paragraph", window="last", final_window=False, edge_stop_words=True
)


def abbreviation_pairs(observation: Observation, rule: AbbreviationRule) -> list[Pair] | NoPair:
    """The first question word that abbreviates words of the paragraph, with these words.

    The initials are compared whatever their case, and full stops in the question word are passed
    over: "u.s." abbreviates "United States".

    Source: Cai et al. 2020, section 3.
    """
    question, paragraph = observation.question, observation.paragraph
    for i in range(len(question.words)) if rule.question_stop_words else question.content:
        letters = question.words[i].replace(".", "")
        if len(letters) < rule.min_letters or not letters.isalpha():
            continue
        windows = list(_windows(letters.lower(), paragraph, rule))
        if windows:
            return [Pair((i, i + 1), windows[0 if rule.window == "first" else -1])]
    return NoPair("no question word is the initials of paragraph words")


def _windows(letters: str, paragraph: Annotated, rule: AbbreviationRule) -> Iterator[Interval]:
    """Where the letters are the initials of consecutive words of the paragraph."""
    initials = "".join((word.lower() or " ")[0] for word in paragraph.words)
    n_starts = len(initials) - len(letters) + (1 if rule.final_window else 0)
    for start in range(n_starts):
        end = start + len(letters)
        if initials.startswith(letters, start) and _allowed(start, end, paragraph, rule):
            yield start, end


def _allowed(start: int, end: int, paragraph: Annotated, rule: AbbreviationRule) -> bool:
    """Whether the rule lets a window that has the right initials stand."""
    if rule.capitals == "paragraph":
        words = paragraph.words[start:end]
        if not all(word[:1].isupper() for word in words):
            return False
    return rule.edge_stop_words or not (paragraph.stop[start] or paragraph.stop[end - 1])
