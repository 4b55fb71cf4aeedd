"""Pairs as arrays: anchors, matches, the words of the paragraphs, and their vectors."""

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuneprobe.errors import TuneprobeError
from tuneprobe.formats.examples import NO_SPAN, Examples

Matrix = NDArray[np.floating]
Ids = NDArray[np.int64]

ROWS_HELD = 16_384  # rows of a mapped matrix that stay in memory


class PairwiseError(TuneprobeError):
    """Pairs or vectors that cannot be ranked."""


@dataclass(frozen=True)
class Pairs:
    """Anchors and matches of n examples, and the paragraphs that the matches lie in.

    Attributes
    ----------
    anchor : ndarray of int, shape (n,)
        Span id of the anchor; -1 where there is none (boundary).
    paragraph : ndarray of int, shape (n,)
        Number of the paragraph.
    match : ndarray of int, shape (n, 2)
        The match, half-open, in word positions of the paragraph.
    avoid : ndarray of int, shape (n, 2)
        The anchor where it lies in the paragraph too, else empty; never part of a negative.
    indptr, words : ndarray of int, shapes (n_paragraphs + 1,) and (n_words,)
        Paragraph *p* has the word spans ``words[indptr[p]:indptr[p + 1]]``, in order.
    """

    anchor: Ids
    paragraph: Ids
    match: Ids
    avoid: Ids
    indptr: Ids
    words: Ids

    def __post_init__(self) -> None:
        start, end = self.match.T
        wrong = (start < 0) | (start >= end) | (end > self.para_len)
        if wrong.any():
            row = int(wrong.argmax())
            raise PairwiseError(
                f"the match of example {row} is [{start[row]}, {end[row]}), expected a "
                f"non-empty interval of its paragraph's {self.para_len[row]} words."
            )

    @property
    def para_len(self) -> Ids:
        """Words of each example's paragraph, shape (n,)."""
        return np.diff(self.indptr)[self.paragraph]

    def words_of(self, paragraph: int) -> Ids:
        """Span ids of one paragraph's words."""
        return self.words[self.indptr[paragraph] : self.indptr[paragraph + 1]]

    def by_paragraph(self) -> Iterator[tuple[int, Ids]]:
        """Each used paragraph once, with the numbers of its examples."""
        order = np.argsort(self.paragraph, kind="stable")
        used, first = np.unique(self.paragraph[order], return_index=True)
        for paragraph, rows in zip(used, np.split(order, first[1:]), strict=True):
            yield int(paragraph), rows


def pairs_from_examples(examples: Examples, rows: Sequence[int] | Ids) -> Pairs:
    """The pairs of some rows of an examples table of kind ``pairs``.

    Parameters
    ----------
    examples : Examples
        ``span1`` is the anchor (-1 in boundary), ``span2`` the match, in segment 1. Every word of
        segment 1 has a span of its own, whatever its role.
    rows : sequence of int
        Row numbers of ``examples.examples``; the result keeps their order.

    Raises
    ------
    PairwiseError
        If a match is not in the paragraph, lies in another text than its anchor, or a paragraph
        word has no span.
    """
    table, spans = examples.examples, examples.spans
    rows = np.asarray(rows, dtype=np.int64)
    anchor = table.span1.to_numpy(np.int64)[rows]
    match = table.span2.to_numpy(np.int64)[rows]
    text, segment = spans.text.to_numpy(np.int64), spans.segment.to_numpy()
    interval = spans[["start", "end"]].to_numpy(np.int64)
    _check_sides(rows, anchor, match, text, segment)
    used, paragraph = np.unique(text[match], return_inverse=True)
    indptr, words = _paragraph_words(examples, used)
    in_paragraph = (anchor != NO_SPAN) & (segment[anchor] == 1)
    avoid = np.where(in_paragraph[:, None], interval[anchor], 0)
    return Pairs(anchor, paragraph, interval[match], avoid, indptr, words)


def _check_sides(rows: Ids, anchor: Ids, match: Ids, text: Ids, segment: NDArray) -> None:
    outside = (match == NO_SPAN) | (segment[match] != 1)
    if outside.any():
        row = rows[outside.argmax()]
        raise PairwiseError(f"example {row} has no match (span2) in the paragraph (segment 1).")
    apart = (anchor != NO_SPAN) & (text[anchor] != text[match])
    if apart.any():
        at = int(apart.argmax())
        raise PairwiseError(
            f"example {rows[at]} joins text {text[anchor[at]]} with text {text[match[at]]}; "
            "anchor and match must be of one text."
        )


def _paragraph_words(examples: Examples, used: Ids) -> tuple[Ids, Ids]:
    spans = examples.spans
    single = spans[(spans.segment == 1) & (spans.end - spans.start == 1) & spans.text.isin(used)]
    single = single.sort_values(["text", "start"], kind="stable")
    length = examples.texts.words2.iloc[used].str.len().to_numpy(np.int64)
    indptr = np.concatenate([[0], np.cumsum(length)])
    expected = np.stack(
        [np.repeat(used, length), np.arange(indptr[-1]) - np.repeat(indptr[:-1], length)]
    )
    got = single[["text", "start"]].to_numpy(np.int64).T
    if not np.array_equal(got, expected):
        missing = sorted(
            set(zip(*expected.tolist(), strict=True)) - set(zip(*got.tolist(), strict=True))
        )
        where = "word {1} of text {0} has none".format(*missing[0]) if missing else "some have two"
        raise PairwiseError(f"every paragraph word needs one span of its own: {where}.")
    return indptr, single.index.to_numpy(np.int64)


def read_rows(X: Matrix, ids: Ids) -> Matrix:
    """The vectors of some spans, shape (len(ids), dim); refuses NaN and infinity."""
    if len(ids) and ids[-1] - ids[0] == len(ids) - 1 and (np.diff(ids) == 1).all():
        rows = np.asarray(X[ids[0] : ids[-1] + 1])
    else:
        rows = np.asarray(X[ids])
    if not np.isfinite(rows).all():
        span = ids[int((~np.isfinite(rows)).any(axis=1).argmax())]
        raise PairwiseError(
            f"the vector of span {span} holds NaN or infinity; the encoder that wrote it is "
            "broken: look at its training curve, then run 'dvc repro represent'."
        )
    return rows


def release(X: Matrix) -> None:
    """Let the system take back the pages of a read-only mapped matrix; no-op for other arrays."""
    mapped = getattr(X, "_mmap", None)
    if mapped is not None and getattr(X, "mode", "") == "r" and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)
