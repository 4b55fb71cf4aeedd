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
    """Which words count as the initials of others.

    Attributes
    ----------
    case_sensitive : bool
        True: only a word in capitals abbreviates (the authors' code).
    window : str
        Which of several matching windows is taken: ``first`` or ``last`` (the authors' code).
    final_window : bool
        False: the window that ends the paragraph is never looked at (the authors' code).
    min_letters : int
        Shorter words do not abbreviate.
    stop_words : bool
        True: a stop word abbreviates, and a window may begin or end with one. Whatever the case,
        nearly every question then has a pair, and nearly all are chance: "in" → "it never".
    """

    case_sensitive: bool = False
    window: Literal["first", "last"] = "first"
    final_window: bool = True
    min_letters: int = 2
    stop_words: bool = False


def abbreviation_pairs(observation: Observation, rule: AbbreviationRule) -> list[Pair] | NoPair:
    """The first question word that abbreviates words of the paragraph, with these words.

    The initials are compared whatever their case, and full stops in the question word are passed
    over: "u.s." abbreviates "United States".

    Source: Cai et al. 2020, section 3.
    """
    question, paragraph = observation.question, observation.paragraph
    initials = "".join((word.lower() or " ")[0] for word in paragraph.words)
    for i in range(len(question.words)) if rule.stop_words else question.content:
        letters = question.words[i].replace(".", "")
        if len(letters) < rule.min_letters or not letters.isalpha():
            continue
        if rule.case_sensitive and not letters.isupper():
            continue
        windows = list(_windows(letters.lower(), initials, paragraph, rule))
        if windows:
            return [Pair((i, i + 1), windows[0 if rule.window == "first" else -1])]
    return NoPair("no question word is the initials of paragraph words")


def _windows(
    letters: str, initials: str, paragraph: Annotated, rule: AbbreviationRule
) -> Iterator[Interval]:
    """Where the letters stand in the initials of all paragraph words."""
    n_starts = len(initials) - len(letters) + (1 if rule.final_window else 0)
    for start in range(n_starts):
        end = start + len(letters)
        edges = paragraph.stop[start] or paragraph.stop[end - 1]
        if initials.startswith(letters, start) and (rule.stop_words or not edges):
            yield start, end
