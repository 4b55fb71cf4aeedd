"""What tells an answer's place without an encoder: its position, and how words are written.

The rows stand in the place of a layer's vectors, so that the linear head of `boundary.py` is
trained and ranked on them as on any layer::

    in 1987 ,   ->  shape of `in`: lower; of `1987`: digits; of its neighbours: lower, sign
"""

import re

import numpy as np
from numpy.typing import NDArray

from tuneprobe.formats.examples import Examples
from tuneprobe.studies.pairwise.probe.paragraphs import Ids

SHAPES = (
    ("digits", r"\d+"),
    ("number", r"[\d.,:/-]*\d[\d.,:/-]*"),
    ("mixed", r"(?=.*\d).+"),
    ("initial", r"[A-Z]\.?"),
    ("capitals", r"[A-Z.&-]+"),
    ("capitalised", r"[A-Z].*"),
    ("lower", r"[^\W_].*"),
    ("sign", r".*"),
)
NEIGHBOURS = (-1, 0, 1)
POSITIONS = 10  # equal parts of the sentence


def word_shapes(examples: Examples, words: Ids) -> NDArray[np.float32]:
    """One-hot shapes of each word and of its two neighbours, shape (n_spans, 3 * n_shapes).

    Rows of spans that are not in `words` are 0, as is the shape of a neighbour that is not there.
    """
    segments = [examples.texts[name].tolist() for name in ("words1", "words2")]
    X = np.zeros((len(examples.spans), len(NEIGHBOURS) * len(SHAPES)), dtype=np.float32)
    known: dict[str, int] = {}
    for span, segment, text, start in _places(examples, words):
        sentence = segments[segment][text]
        for column, offset in enumerate(NEIGHBOURS):
            if 0 <= start + offset < len(sentence):
                word = sentence[start + offset]
                shape = known.setdefault(word, shape_of(word))
                X[span, column * len(SHAPES) + shape] = 1
    return X


def word_positions(examples: Examples, words: Ids) -> NDArray[np.float32]:
    """One-hot tenth of the sentence that each word lies in, shape (n_spans, 10)."""
    segments = [examples.texts[name].tolist() for name in ("words1", "words2")]
    X = np.zeros((len(examples.spans), POSITIONS), dtype=np.float32)
    for span, segment, text, start in _places(examples, words):
        X[span, POSITIONS * start // len(segments[segment][text])] = 1
    return X


def shape_of(word: str) -> int:
    """Number of the first of `SHAPES` that the word has.

    >>> [SHAPES[shape_of(word)][0] for word in ("1987", "3.5", "B2", "A", "USA", "Ann", "in", ",")]
    ['digits', 'number', 'mixed', 'initial', 'capitals', 'capitalised', 'lower', 'sign']
    """
    fits = (n for n, (_, pattern) in enumerate(SHAPES) if re.fullmatch(pattern, word, re.DOTALL))
    return next(fits)


def _places(examples: Examples, words: Ids) -> list[tuple[int, int, int, int]]:
    """Span id, segment, text and position of some words."""
    spans = examples.spans.iloc[words]
    return list(zip(words.tolist(), spans.segment, spans.text, spans.start, strict=True))
