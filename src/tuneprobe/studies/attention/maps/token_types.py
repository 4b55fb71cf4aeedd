"""Types of tokens: [CLS], [SEP] and what spaCy says of the words, for every word piece.

spaCy reads the raw text, the words joined by blanks. A piece and a spaCy token belong together if
they share at least half the characters of the shorter one, so that accents, hyphens, cut and joined
words align:

pieces           don  '   t      cannot
spaCy tokens     do   n't n't    can, not
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc, Token
from tqdm import tqdm

from tuneprobe.encoders.pieces import Pieces, cut_words

Mask = NDArray[np.bool_]
Segment = tuple[str, ...]

BATCH = 64  # texts; larger ones are not faster on one core
UNUSED_PARTS = ("ner", "lemmatizer")  # of the spaCy model; parser and tagger are needed
NEGATIONS = frozenset("no not n't never none nobody nothing nowhere neither nor without".split())
SPECIAL_TYPES = ("cls", "sep")
WORD_TYPES: dict[str, Callable[[Token], bool]] = {
    "punctuation": lambda token: token.pos_ == "PUNCT",
    "noun": lambda token: token.pos_ in ("NOUN", "PROPN"),
    "verb": lambda token: token.pos_ in ("VERB", "AUX"),
    "pronoun": lambda token: token.pos_ == "PRON",
    "subject": lambda token: token.dep_ in ("nsubj", "nsubjpass", "csubj", "csubjpass", "expl"),
    "object": lambda token: token.dep_ in ("dobj", "obj", "iobj", "dative"),
    "negation": lambda token: token.dep_ == "neg" or token.lower_ in NEGATIONS,
}
TYPES = (*SPECIAL_TYPES, *WORD_TYPES)


def token_types(
    nlp: Language, tokenizer: Any, texts: pd.DataFrame, pieces: Sequence[Pieces]
) -> list[Mask]:
    """Which types each word piece has, text by text; a piece may have several, or none.

    spaCy reads each different segment once.

    Parameters
    ----------
    nlp : Language
        With tagger and parser: ``load_spacy(exclude=UNUSED_PARTS)``.
    texts : DataFrame
        ``words1`` and ``words2``, as `Examples.texts` has them.
    pieces : sequence of Pieces
        The same texts as the encoder reads them, special tokens included.

    Returns
    -------
    list of bool ndarrays of shape (len(TYPES), n_pieces)
    """
    segments = [
        (tuple(first), tuple(second))
        for first, second in zip(texts.words1, texts.words2, strict=True)
    ]
    different = list(dict.fromkeys(words for pair in segments for words in pair if words))
    docs = nlp.pipe((" ".join(words) for words in different), batch_size=BATCH)
    shown = tqdm(docs, total=len(different), desc="parse", unit="text", leave=False, disable=None)
    typed = {
        words: piece_types(tokenizer, words, doc)
        for words, doc in zip(different, shown, strict=True)
    }
    return [_text_types(text, pair, typed) for text, pair in zip(pieces, segments, strict=True)]


def piece_types(tokenizer: Any, words: Sequence[str], doc: Doc) -> Mask:
    """Types of the pieces of one segment, from spaCy's reading of ``" ".join(words)``.

    Returns
    -------
    bool ndarray of shape (len(WORD_TYPES), n_pieces)
    """
    together = belong_together(
        piece_offsets(tokenizer, words),
        np.array([(token.idx, token.idx + len(token)) for token in doc]),
    )
    of_token = np.array([[has(token) for token in doc] for has in WORD_TYPES.values()])
    return of_token @ together.T


def piece_offsets(tokenizer: Any, words: Sequence[str]) -> NDArray[np.int64]:
    """Characters of each word piece in ``" ".join(words)``, half-open, shape (n_pieces, 2)."""
    return cut_words(tokenizer, words).offsets


def belong_together(pieces: NDArray[np.int64], tokens: NDArray[np.int64]) -> Mask:
    """Whether piece and token share at least half the characters of the shorter one.

    Both are character intervals of shape (n, 2); the result has shape (n_pieces, n_tokens).

    Examples
    --------
    >>> don_t = np.array([(0, 3), (3, 4), (4, 5)])
    >>> belong_together(don_t, np.array([(0, 2), (2, 5)])).astype(int).tolist()
    [[1, 0], [0, 1], [0, 1]]
    """
    first, last = (
        choose(pieces[:, None, side], tokens[None, :, side])
        for side, choose in enumerate((np.maximum, np.minimum))
    )
    shorter = np.minimum((pieces[:, 1] - pieces[:, 0])[:, None], tokens[:, 1] - tokens[:, 0])
    together: Mask = (last > first) & (2 * (last - first) >= shorter)
    return together


def _text_types(
    text: Pieces, segments: tuple[Segment, Segment], typed: dict[Segment, Mask]
) -> Mask:
    """Put the segments' types at their places, and the special tokens around them."""
    types = np.zeros((len(TYPES), len(text)), dtype=bool)
    types[TYPES.index("cls"), 0] = True
    for words, bounds in zip(segments, text.bounds, strict=True):
        if words:
            types[len(SPECIAL_TYPES) :, bounds[0] : bounds[-1]] = typed[words]
    first, second = text.bounds
    stops = [*range(first[-1], second[0]), *range(second[-1], len(text))]
    types[TYPES.index("sep"), stops] = True
    return types
