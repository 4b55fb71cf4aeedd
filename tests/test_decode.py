"""Decoding: best spans against BERT-joint's own loops, documents, long answers."""

import numpy as np
import pytest

from tuneprobe.formats.question import Candidate
from tuneprobe.scores.decode import (
    LOWEST,
    NO_WORD,
    SPAN,
    Reading,
    best_readings,
    best_spans,
    long_answer,
    to_prediction,
)

QUESTION = 3  # pieces before the document: [CLS] question [SEP]


def make_windows(seed: int, n_windows: int = 20, seq: int = 24):
    """Random logits; each window has padding and words of one to three pieces."""
    stream = np.random.default_rng(seed)
    start, end = stream.normal(size=(2, n_windows, seq))
    kind = stream.normal(size=(n_windows, 5))
    words = np.full((n_windows, seq), NO_WORD)
    for row in range(n_windows):
        length = stream.integers(0, seq - QUESTION - 1)
        word = stream.integers(50) + np.cumsum(stream.random(length) < 0.6)
        words[row, QUESTION : QUESTION + length] = word
        start[row, QUESTION + length + 1 :] = end[row, QUESTION + length + 1 :] = -np.inf
    return start, end, kind, words


def slow_best(start, end, words, top_k: int, max_answer: int):
    """The loops of bert_joint's compute_predictions for one window."""
    best = (-np.inf, None, None)
    starts, ends = (sorted(range(len(x)), key=lambda at, x=x: -x[at])[:top_k] for x in (start, end))
    for i in starts:
        for j in ends:
            if j < i or words[i] == NO_WORD or words[j] == NO_WORD or j - i + 1 > max_answer:
                continue
            score = start[i] + end[j] - start[0] - end[0]
            if score > best[0]:
                best = (score, words[i], words[j] + 1)
    return best


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("top_k", "max_answer"), [(1, 30), (3, 4), (10, 30), (100, 2)])
def test_the_best_span_is_that_of_the_original_loops(seed, top_k, max_answer) -> None:
    start, end, kind, words = make_windows(seed)
    spans = best_spans(start, end, kind, words, top_k=top_k, max_answer=max_answer)
    for row, span in enumerate(spans):
        score, first, last = slow_best(start[row], end[row], words[row], top_k, max_answer)
        assert span["score"] == pytest.approx(score)
        if np.isfinite(score):
            assert (span["start"], span["end"]) == (first, last)
        assert span["type"] == kind[row].argmax()
    assert np.isfinite(spans["score"]).any()


def test_a_span_is_worked_out_by_hand() -> None:
    words = np.array([[NO_WORD, NO_WORD, 7, 7, 8, NO_WORD]])
    start = np.array([[1.0, 9.0, 2.0, 5.0, 0.0, 0.0]])
    end = np.array([[0.5, 9.0, 3.0, 1.0, 2.5, 9.0]])
    (span,) = best_spans(start, end, np.eye(5)[[3]], words, top_k=6, max_answer=30)
    assert span.tolist() == (5.0 + 2.5 - 1.0 - 0.5, 7, 9, 3)  # pieces 3 to 4; 3 to 2 is backwards
    (span,) = best_spans(start, end, np.eye(5)[[3]], words, top_k=6, max_answer=1)
    assert span.tolist() == (5.0 + 1.0 - 1.0 - 0.5, 7, 8, 3)


def test_padding_changes_no_span() -> None:
    start, end, kind, words = make_windows(3)
    wider = [
        np.pad(array, ((0, 0), (0, 7)), constant_values=fill)
        for array, fill in ((start, -np.inf), (end, -np.inf), (words, NO_WORD))
    ]
    narrow = best_spans(start, end, kind, words, top_k=10, max_answer=30)
    wide = best_spans(wider[0], wider[1], kind, wider[2], top_k=10, max_answer=30)
    assert np.array_equal(narrow, wide)


def test_the_best_window_of_each_question_wins_and_the_first_of_equals() -> None:
    rows = [(1.0, 0, 1, 3), (2.0, 5, 6, 4), (2.0, 8, 9, 3), (-np.inf, 0, 1, 3), (-3.0, 2, 4, 1)]
    spans = np.array(rows, dtype=SPAN)
    readings = best_readings(np.array([0, 0, 0, 1, 2]), spans, n_items=4)
    assert readings[0] == Reading(5, 6, 2.0, "long")
    assert readings[1] == readings[3] == Reading(0, 0, LOWEST, "unknown")
    assert readings[2] == Reading(2, 4, -3.0, "yes")


def test_the_long_answer_is_the_first_top_level_candidate_that_holds_the_span() -> None:
    candidates = [Candidate(0, 4), Candidate(4, 9, top_level=False), Candidate(4, 9)]
    candidates.append(Candidate(2, 12))
    found = [long_answer(Reading(*span), candidates) for span in ((0, 4), (4, 9), (3, 5), (11, 13))]
    assert found == [0, 2, 3, None]


def test_yes_and_no_take_the_place_of_the_short_span() -> None:
    candidates = [Candidate(0, 9)]
    kinds = ("unknown", "long", "short", "yes", "no")
    predictions = [to_prediction(Reading(2, 4, 1.5, kind), candidates) for kind in kinds]
    assert [p.yes_no for p in predictions] == ["NONE", "NONE", "NONE", "YES", "NO"]
    assert [p.shorts for p in predictions] == [frozenset({(2, 4)})] * 3 + [frozenset()] * 2
    assert {p.long for p in predictions} == {0}
    assert {p.short_score for p in predictions} == {1.5}


def test_a_question_without_any_span_has_no_answer() -> None:
    prediction = to_prediction(Reading(), [Candidate(0, 9)])
    assert prediction.long is None
    assert not prediction.has_short
