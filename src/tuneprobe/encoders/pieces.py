"""Word pieces: texts as an encoder reads them.

Words are cut as parts of their running text, the words joined by single blanks: the tokenizer reads
that text, and a piece belongs to the word whose characters it covers. So every kind of tokenizer is
read as it was trained, those whose pieces hold the blank before a word among them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneprobe.encoders.source import EncoderError
from tuneprobe.errors import UnknownNameError

LAYOUTS = ("pair", "plain")
MOST_UNKNOWN = 0.05  # of the pieces of texts
FEW_UNKNOWN = 10  # pieces are no evidence of anything
TOGETHER = 1000  # words that are cut as one text

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Pieces:
    """A text as an encoder reads it.

    Attributes
    ----------
    ids, types : int64 ndarray of shape (n_pieces,)
        Word-piece ids, special tokens included, and segment ids.
    bounds : tuple of int64 ndarrays of shape (n_words + 1,)
        Per segment: word w is the pieces [bounds[w], bounds[w + 1]); none, if the tokenizer drops
        all its characters.
    """

    ids: np.ndarray
    types: np.ndarray
    bounds: tuple[np.ndarray, np.ndarray]

    def __len__(self) -> int:
        return len(self.ids)


class Cut(NamedTuple):
    """Words cut into pieces.

    Attributes
    ----------
    ids : int64 ndarray of shape (n_pieces,)
    words : int64 ndarray of shape (n_pieces,)
        The word of each piece, ascending.
    offsets : int64 ndarray of shape (n_pieces, 2)
        The characters of each piece in ``" ".join(words)``, half-open, without the blank before.
    """

    ids: Numbers
    words: Numbers
    offsets: Numbers


def cut_words(tokenizer: Any, words: Sequence[str]) -> Cut:
    """Cut words as parts of their running text.

    A word without a visible character, an empty one or a blank, is no part of it.

    Raises
    ------
    EncoderError
        If a piece reaches over two words.
    """
    kept = [number for number, word in enumerate(words) if word.strip()]
    if not kept:
        return Cut(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 2), np.int64))
    text = " ".join(words[number] for number in kept)
    encoding = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
    ids = np.array(encoding.ids, dtype=np.int64)
    offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
    lengths = np.array([len(words[number]) for number in kept], dtype=np.int64)
    ends = np.cumsum(lengths + 1) - 1
    # A blank belongs to the word after it where a piece begins, to the word before where it ends.
    first = np.minimum(np.searchsorted(ends, offsets[:, 0], side="right"), len(kept) - 1)
    last = np.searchsorted(ends, offsets[:, 1] - 1, side="left")
    if (joined := np.flatnonzero(last > first)).size:
        one = [words[kept[number]] for number in range(first[joined[0]], last[joined[0]] + 1)]
        raise EncoderError(
            f"the tokenizer joins the words {' '.join(map(repr, one))} to one piece, so that none "
            "of them has a vector of its own: take an encoder whose tokenizer keeps words apart."
        )
    starts = (ends - lengths)[first]
    whole = np.cumsum([0, *(len(word) + 1 for word in words)])[np.array(kept, dtype=np.int64)]
    inside = np.maximum(offsets, starts[:, None]) + (whole[first] - starts)[:, None]
    return Cut(ids, np.array(kept, dtype=np.int64)[first], inside)


def word_pieces(tokenizer: Any, words: Sequence[str]) -> list[list[int]]:
    """Word-piece ids of each word in its running text.

    A word whose characters the tokenizer drops (a zero-width space) has none.
    """
    cut = cut_words(tokenizer, words)
    bounds = np.cumsum([0, *np.bincount(cut.words, minlength=len(words))])
    ids = cut.ids.tolist()
    return [ids[first:last] for first, last in pairwise(bounds)]


def piece_table(tokenizer: Any, words: Iterable[str]) -> dict[str, list[int]]:
    """Word-piece ids of each different word where it stands behind another.

    For documents, which would take long to cut whole: `document_pieces` reads them off the table.
    """
    different = list(dict.fromkeys(words))
    table: dict[str, list[int]] = {}
    for first in range(0, len(different), TOGETHER):
        some = different[first : first + TOGETHER]
        table |= zip(some, word_pieces(tokenizer, ["the", *some])[1:], strict=True)
    return table


def document_pieces(
    tokenizer: Any, table: dict[str, list[int]], words: Sequence[str]
) -> list[list[int]]:
    """Word-piece ids of each word of a document, as `word_pieces` has them, off a table.

    The first word alone, which no blank precedes, is cut anew.
    """
    first = next((number for number, word in enumerate(words) if word.strip()), 0)
    cut = [table[word] for word in words]
    cut[first : first + 1] = word_pieces(tokenizer, words[first : first + 1])
    return cut


@dataclass(frozen=True)
class Frame:
    """The special tokens around one segment or two, as the tokenizer's post-processor puts them.

    Attributes
    ----------
    special : tuples of int
        Ids before the first segment, between the two, and after the last; for a single segment the
        second is empty.
    types : tuples of int
        Segment ids of these.
    segments : tuple of int
        Segment ids of the words of each segment.
    """

    special: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    types: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    segments: tuple[int, int]

    def __len__(self) -> int:
        return sum(map(len, self.special))

    def before(self, segment: int) -> int:
        """Special tokens before the words of a segment."""
        return sum(map(len, self.special[: segment + 1]))


@lru_cache(maxsize=16)
def frame_of(tokenizer: Any, n_segments: int) -> Frame:
    """The special tokens that a tokenizer puts around one segment or two.

    Where it has no post-processor of its own: [CLS] first [SEP] second [SEP], as BERT's.
    """
    backend = tokenizer.backend_tokenizer
    if backend.post_processor is None:
        return _bert_frame(tokenizer, n_segments)
    made = backend.encode(*("a", "b")[:n_segments], add_special_tokens=True)
    owners = made.sequence_ids
    if set(range(n_segments)) - set(owners):
        return _bert_frame(tokenizer, n_segments)
    places = [[row for row, owner in enumerate(owners) if owner == n] for n in range(n_segments)]
    cuts = [0, places[0][0], places[0][-1] + 1, places[-1][0], places[-1][-1] + 1, len(owners)]
    if n_segments == 1:
        cuts[3:5] = [cuts[2], cuts[2]]
    ids, types = (
        (tuple(row[cuts[0] : cuts[1]]), tuple(row[cuts[2] : cuts[3]]), tuple(row[cuts[4] :]))
        for row in (made.ids, made.type_ids)
    )
    return Frame(ids, types, (made.type_ids[places[0][0]], made.type_ids[places[-1][0]]))


def _bert_frame(tokenizer: Any, n_segments: int) -> Frame:
    head = () if tokenizer.cls_token_id is None else (tokenizer.cls_token_id,)
    stop = () if tokenizer.sep_token_id is None else (tokenizer.sep_token_id,)
    if n_segments == 1:
        return Frame((head, (), stop), ((0,) * len(head), (), (0,) * len(stop)), (0, 0))
    types = ((0,) * len(head), (0,) * len(stop), (1,) * len(stop))
    return Frame((head, stop, stop), types, (0, 1))


NO_FRAME = Frame(((), (), ()), ((), (), ()), (0, 0))


def layout_pieces(
    tokenizer: Any, first: list[list[int]], second: list[list[int]], layout: str = "pair"
) -> Pieces:
    """Put one or two segments of cut words into one input.

    ``pair`` puts the tokenizer's own special tokens around them: [CLS] first [SEP] second [SEP]
    with segment ids 0 and 1 for BERT, two separators in the middle for RoBERTa; ``plain`` is the
    bare concatenation without special tokens, as the authors of the pairwise probe wrote it.
    """
    if layout not in LAYOUTS:
        raise UnknownNameError("layout", layout, LAYOUTS)
    frame = frame_of(tokenizer, 2 if second else 1) if layout == "pair" else NO_FRAME
    head, middle, tail = frame.special
    bounds1 = len(head) + np.cumsum([0, *map(len, first)])
    bounds2 = bounds1[-1] + len(middle) + np.cumsum([0, *map(len, second)])
    if not second:
        bounds2 = bounds2 + len(tail)
    ids = [*head, *chain(*first), *middle, *chain(*second), *tail]
    lengths = [bounds[-1] - bounds[0] for bounds in (bounds1, bounds2)]
    one, two = ([kind] * length for kind, length in zip(frame.segments, lengths, strict=True))
    types = [*frame.types[0], *one, *frame.types[1], *two, *frame.types[2]]
    return Pieces(
        np.array(ids, dtype=np.int64), np.array(types, dtype=np.int64), (bounds1, bounds2)
    )


def count_unknown(tokenizer: Any, ids: Iterable[NDArray[np.integer]]) -> dict[str, int]:
    """How many word pieces there are, and how many of them are the one for the unknown."""
    unknown = tokenizer.unk_token_id
    found = [(len(some), int((some == unknown).sum())) for some in ids]
    n_pieces, n_unknown = map(sum, zip(*found, strict=True)) if found else (0, 0)
    return {"n_pieces": n_pieces, "n_unknown_pieces": n_unknown}


def refuse_unknown(
    name: str,
    tokenizer: Any,
    ids: Iterable[NDArray[np.integer]],
    segments: Iterable[Sequence[str]],
) -> None:
    """Refuse texts of which a tokenizer does not know more than a few per cent of the pieces.

    Parameters
    ----------
    ids : iterable of int arrays
        The pieces of the texts.
    segments : iterable of sequences of str
        Their words, read only where the texts are refused.
    """
    n_pieces, n_unknown = count_unknown(tokenizer, ids).values()
    if n_unknown < FEW_UNKNOWN or n_unknown <= MOST_UNKNOWN * n_pieces:
        return
    words = list(dict.fromkeys(chain.from_iterable(segments)))
    unknown = _unknown_words(tokenizer, words)
    capitals = [word for word in unknown if word != word.lower()]
    lower = dict.fromkeys(word.lower() for word in capitals)
    mended = lower.keys() - _unknown_words(tokenizer, list(lower))
    why = (
        "its vocabulary has small letters only, but its tokenizer_config.json says "
        "'do_lower_case: false'; set it to true"
        if len(mended) > len(unknown) / 2
        else "its vocabulary was made of another language or spelling; take an encoder of this one"
    )
    raise EncoderError(
        f"{n_unknown} of {n_pieces} word pieces ({n_unknown / n_pieces:.0%}) are unknown to "
        f"'{name}', those of {', '.join(map(repr, unknown[:3]))} among them, more than "
        f"{MOST_UNKNOWN:.0%}: {why}."
    )


def _unknown_words(tokenizer: Any, words: Sequence[str]) -> list[str]:
    unknown = tokenizer.unk_token_id
    return [
        word
        for word, ids in zip(words, word_pieces(tokenizer, words), strict=True)
        if unknown in ids
    ]
