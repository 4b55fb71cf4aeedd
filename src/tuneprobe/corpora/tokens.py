"""Words of a text with their places, to turn spans of characters into spans of words.

text            Bo-Ann left.
words           Bo - Ann left .
characters      [3, 6)  →  words [2, 3)
"""

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from unicodedata import category

from tuneprobe.formats.question import Interval

LONGEST = 2000  # characters; Wikipedia's longest address has some 300
REPLACEMENT = "\ufffd"  # what a lost character became; tokenizers drop it


@dataclass(frozen=True)
class Tokens:
    """The words of a text; word *i* is ``text[starts[i]:ends[i]]``."""

    words: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def interval(self, start: int, end: int) -> Interval:
        """The words that share a character with the half-open span [start, end).

        >>> split_blanks("the red kite").interval(5, 9)
        (1, 3)
        """
        return bisect_right(self.ends, start), bisect_left(self.starts, end)


def is_visible(word: str) -> bool:
    """Whether a word has a letter, digit, mark or symbol; without one it yields no word piece.

    Byte-order marks and zero-width blanks stand as words in real corpora.
    """
    return any(category(letter)[0] in "LNPS" and letter != REPLACEMENT for letter in word)


def split_blanks(text: str) -> Tokens:
    """The words of a text that is already tokenised: whatever stands between blanks."""
    found = [(match.group(), *match.span()) for match in re.finditer(r"\S+", text)]
    return _tokens(found)


def tokenise(text: str) -> Tokens:
    """The words of running text, by spaCy's rules for English (no model); blanks are no words.

    Where more than `LONGEST` characters stand without a blank (no text has such words), blanks
    alone divide: the time of spaCy's rules grows with the square of that length.
    """
    if any(len(part) > LONGEST for part in text.split()):
        return split_blanks(text)
    found = [
        (token.text, token.idx, token.idx + len(token))
        for token in _english()(text)
        if not token.is_space
    ]
    return _tokens(found)


def _tokens(found: list[tuple[str, int, int]]) -> Tokens:
    words, starts, ends = zip(*found, strict=True) if found else ((), (), ())
    return Tokens(words, starts, ends)


@lru_cache(maxsize=1)
def _english() -> Any:
    from spacy.lang.en import English

    return English().tokenizer
