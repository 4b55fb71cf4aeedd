"""Decoding: from logits of windows to one answer per question, as BERT-joint does it.

Within a window the best starts are crossed with the best ends; a span scores its two logits minus
those of [CLS]; the best span of all windows is the answer. The long answer is the first top-level
candidate that holds it. (Alberti et al. 2019; google-research/language, bert_joint.)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuneprobe.formats.question import Candidate
from tuneprobe.scores.nq_eval import Prediction
from tuneprobe.tuning.windows import ANSWER_TYPES, CLS, UNKNOWN

NO_WORD = -1  # in `words`: a piece that no document word owns
LOWEST = -10_000.0  # score of a question without any span, as in BERT-joint's code

SPAN = np.dtype([("score", "f8"), ("start", "i8"), ("end", "i8"), ("type", "i8")])

Logits = NDArray[np.floating]
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Reading:
    """What a reader answers: document words [start, end), a score, one of `ANSWER_TYPES`."""

    start: int = 0
    end: int = 0
    score: float = LOWEST
    type: str = ANSWER_TYPES[UNKNOWN]


def best_spans(
    start: Logits, end: Logits, answer_type: Logits, words: Ids, *, top_k: int, max_answer: int
) -> NDArray[np.void]:
    """The highest scoring span of each window.

    ``score(i, j) = start_i + end_j - start_CLS - end_CLS`` over the `top_k` best starts i and the
    `top_k` best ends j with ``i <= j < i + max_answer``, both inside the document. As in the
    original, the best are chosen among all pieces, so that those outside the document use up
    places. Of equal scores the better start wins, then the better end, then the earlier piece.

    Parameters
    ----------
    start, end : ndarray of shape (n_windows, seq)
        Logits; -inf at padding.
    answer_type : ndarray of shape (n_windows, 5)
        Logits of `ANSWER_TYPES`.
    words : int ndarray of shape (n_windows, seq)
        The document word of each piece, -1 outside the document.
    max_answer : int
        Word pieces of an answer at most.

    Returns
    -------
    structured ndarray of shape (n_windows,)
        ``score`` (-inf where no span is allowed), ``start`` and ``end`` (document words,
        half-open), ``type`` (position in `ANSWER_TYPES`).
    """
    first, last = (np.argsort(-x, axis=1, kind="stable")[:, :top_k] for x in (start, end))
    start_at, from_word = (np.take_along_axis(x, first, axis=1)[:, :, None] for x in (start, words))
    end_at, to_word = (np.take_along_axis(x, last, axis=1)[:, None, :] for x in (end, words))
    length = last[:, None, :] - first[:, :, None] + 1  # (n_windows, top_k, top_k)
    allowed = (length > 0) & (length <= max_answer) & (from_word != NO_WORD) & (to_word != NO_WORD)
    scores = np.where(allowed, start_at + end_at, -np.inf)
    n_windows, k = first.shape
    best = scores.reshape(n_windows, k * k).argmax(axis=1)
    row, i, j = np.arange(n_windows), best // k, best % k
    spans = np.empty(n_windows, dtype=SPAN)
    spans["score"] = scores[row, i, j] - start[:, CLS] - end[:, CLS]
    spans["start"] = from_word[row, i, 0]
    spans["end"] = to_word[row, 0, j] + 1
    spans["type"] = answer_type.argmax(axis=1)
    return spans


def best_readings(items: Ids, spans: NDArray[np.void], n_items: int) -> list[Reading]:
    """The reading of each question: the span of its best window.

    Parameters
    ----------
    items : int ndarray of shape (n_windows,)
        The question of each window; of windows with equal scores the first wins.
    """
    readings = [Reading()] * n_items
    order = np.lexsort((-spans["score"], items))  # the best window of each question first
    found, first = np.unique(items[order], return_index=True)
    for item, span in zip(found, spans[order[first]], strict=True):
        if np.isfinite(span["score"]):
            score, start, end, kind = span.tolist()
            readings[item] = Reading(start, end, score, ANSWER_TYPES[kind])
    return readings


def to_prediction(reading: Reading, candidates: Sequence[Candidate]) -> Prediction:
    """Long answer (number of the candidate), short answer or yes/no, as nq_eval wants them.

    Yes and no take the place of the short span; no other type changes it, since the threshold on
    the score decides what counts as an answer.
    """
    if reading.start == reading.end:
        return Prediction(long_score=reading.score, short_score=reading.score)
    yes_no = reading.type.upper() if reading.type in ("yes", "no") else "NONE"
    shorts = frozenset({(reading.start, reading.end)}) if yes_no == "NONE" else frozenset()
    return Prediction(
        long_answer(reading, candidates), shorts, yes_no, reading.score, reading.score
    )


def long_answer(reading: Reading, candidates: Sequence[Candidate]) -> int | None:
    """Number of the first top-level candidate that holds the span; None if there is none."""
    for number, candidate in enumerate(candidates):
        if candidate.top_level and candidate.start <= reading.start <= reading.end <= candidate.end:
            return number
    return None
