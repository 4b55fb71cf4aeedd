"""Anchors of other questions in the place of an example's own: the draw, and the mean count."""

import numpy as np
import pytest
from made_up_pairs import ids
from test_pairwise import ALL, WORDS, frame_of, random_pairs, slow_rank

from tuneprobe.formats.examples import Examples, ExamplesBuilder
from tuneprobe.studies.pairwise.probe.foreign import (
    NONE,
    OTHER_WORD,
    SAME_WORD,
    anchor_words,
    foreign_anchors,
)
from tuneprobe.studies.pairwise.probe.paragraphs import Pairs
from tuneprobe.studies.pairwise.probe.ranking import principal_axis, rank_matches


def slow_foreign(X, pairs: Pairs, condition, frame, foreign) -> np.ndarray:
    """The mean count over the foreign anchors, each ranked by the plain loop as if it were own."""
    counts = []
    for anchors in foreign.T:
        replaced = Pairs(
            anchors, pairs.paragraph, pairs.match, pairs.avoid, pairs.indptr, pairs.words
        )
        counts.append(slow_rank(X, replaced, condition, frame).count)
    return np.mean(counts, axis=0)


@pytest.mark.parametrize("condition", ALL, ids=lambda condition: condition.name)
def test_foreign_anchors_are_ranked_as_if_they_were_the_own_one(condition) -> None:
    rng = np.random.default_rng(11)
    pairs = random_pairs(rng, n_paragraphs=6, n=9)
    X = (rng.normal(size=(9 + len(pairs.words), 7)) + 0.5).astype(np.float32)
    frame, foreign = frame_of(X, pairs), rng.integers(0, 9, (9, 4))
    found = rank_matches(X, pairs, ALL, frame, {"a": foreign[:, :3], "b": foreign[:, 3:]})
    assert np.array_equal(
        found[condition].count, rank_matches(X, pairs, ALL, frame)[condition].count
    )
    for name, part in (("a", foreign[:, :3]), ("b", foreign[:, 3:])):
        expected = slow_foreign(X, pairs, condition, frame, part)
        assert np.allclose(found[condition].foreign[name], expected)


def test_an_example_without_foreign_anchors_has_no_mean_count() -> None:
    pairs = random_pairs(np.random.default_rng(1), n_paragraphs=3, n=2)
    X = np.random.default_rng(0).normal(size=(2 + len(pairs.words), 5)).astype(np.float32)
    found = rank_matches(X, pairs, [WORDS], foreign={"a": np.array([[1], [NONE]])})[WORDS]
    assert np.isfinite(found.foreign["a"]).tolist() == [True, False]


def questions(*rows: tuple[str, str, str]) -> Examples:
    """One example a row: probe, anchor word, paragraph; the match is the paragraph's first word."""
    builder = ExamplesBuilder()
    for number, (probe, anchor, paragraph) in enumerate(rows):
        text = builder.add_text(str(number), [anchor, "is"], paragraph.split())
        anchor_span = builder.add_span(text, 0, 0, 1, "anchor")
        match = builder.add_span(text, 1, 0, 1, "match")
        builder.add_example(anchor_span, match, probe, "test")
    return builder.build()


EXAMPLES = (
    ("answer-type", "who", "Ann left"),
    ("answer-type", "Who", "Ben stayed"),
    ("answer-type", "when", "Ann left"),
    ("answer-type", "where", "in Rome"),
    ("synonyms", "car", "an auto"),
)


def test_anchors_come_from_the_same_probe_and_another_paragraph() -> None:
    examples = questions(*EXAMPLES)
    anchor = examples.examples.span1.to_numpy()
    drawn = foreign_anchors(examples, np.arange(5), n_anchors=40, seed=13)
    assert set(drawn[0]) == {anchor[1], anchor[3]}  # not its own, not the one beside `Ann left`
    assert set(drawn[1]) == {anchor[0], anchor[2], anchor[3]}
    assert set(drawn[4]) == {NONE}


def test_same_and_other_words_are_told_apart_whatever_their_case() -> None:
    examples = questions(*EXAMPLES)
    anchor = examples.examples.span1.to_numpy()
    same, other = (
        foreign_anchors(examples, np.arange(5), n_anchors=9, seed=13, kind=kind)
        for kind in (SAME_WORD, OTHER_WORD)
    )
    assert set(same[0]) == {anchor[1]}
    assert set(other[0]) == {anchor[3]}
    assert set(same[3]) == {NONE}
    assert anchor_words(examples, anchor).tolist() == ["who", "who", "when", "where", "car"]


def test_an_example_draws_the_same_whatever_else_is_ranked() -> None:
    examples = questions(*EXAMPLES)
    some = foreign_anchors(examples, ids(0, 1, 3), n_anchors=5, seed=13)
    fewer = foreign_anchors(examples, ids(0, 1, 3), n_anchors=5, seed=13)
    assert np.array_equal(some, fewer)
    assert not np.array_equal(some, foreign_anchors(examples, ids(0, 1, 3), n_anchors=5, seed=14))


def test_the_principal_axis_is_that_of_a_singular_value_decomposition() -> None:
    X = (np.random.default_rng(3).normal(size=(60, 8)) * np.arange(1, 9) + 2).astype(np.float32)
    rows = np.arange(5, 55)
    axis, share = principal_axis(X, rows)
    moved = X[rows].astype(float) - X[rows].mean(axis=0)
    _, values, vectors = np.linalg.svd(moved)
    assert abs(axis @ vectors[0]) == pytest.approx(1, abs=1e-6)
    assert share == pytest.approx(values[0] ** 2 / (values**2).sum(), rel=1e-5)
