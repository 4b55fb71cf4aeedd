"""Boundary without an encoder: positions and shapes of words, by hand and on planted answers."""

import numpy as np
import pytest
from made_up_pairs import ids

from tuneprobe.formats.examples import NO_SPAN, Examples, ExamplesBuilder
from tuneprobe.studies.pairwise.probe.ranking import Outcomes, auc_macro
from tuneprobe.studies.pairwise.probe.study import rank_boundary, rank_surface
from tuneprobe.studies.pairwise.probe.surface import (
    POSITIONS,
    SHAPES,
    word_positions,
    word_shapes,
)

LOWER = [name for name, _ in SHAPES].index("lower")


def sentences(answers: str, *, swapped: bool = False) -> Examples:
    """Twenty sentences to train on and twenty to test on, `answers` somewhere among lower words."""
    builder = ExamplesBuilder()
    rng = np.random.default_rng(0)
    places = rng.integers(1, 9, size=40)
    for label in ("boundary", "boundary-swapped") if swapped else ("boundary",):
        for number, place in enumerate(places):
            split = "train" if number < 20 else "test"
            if label != "boundary" and split == "train":
                continue
            words = ["and"] * 10
            words[place] = answers
            text = builder.add_text(f"{label}{number}", ["what", "is"], words)
            spans = [builder.add_span(text, 1, n, n + 1, "word") for n in range(10)]
            builder.add_example(NO_SPAN, spans[place], label, split)
    return builder.build()


def test_shapes_of_a_word_and_its_neighbours_by_hand() -> None:
    examples = sentences("1987")
    X = word_shapes(examples, ids(0))
    assert X.shape == (400, 3 * len(SHAPES))
    assert X[0, :8].sum() == 0  # no word before the first
    assert X[0, 8 + LOWER] == 1
    assert X.sum() == 2


def test_positions_are_tenths_of_the_sentence() -> None:
    X = word_positions(sentences("1987"), ids(0, 4, 9))
    assert X[[0, 4, 9]].argmax(axis=1).tolist() == [0, 4, 9]
    assert X.shape == (400, POSITIONS)
    assert X.sum() == 3


def test_a_shape_that_marks_the_answer_is_found_and_a_position_that_does_not_is_not() -> None:
    shape, position = rank_surface(sentences("1987"), l2=1e-3, iterations=50)
    assert (shape.state, shape.condition) == ("no-encoder", "shape")
    assert auc_macro(outcome(shape)) == 100
    assert auc_macro(outcome(position)) < 75
    (plain, _) = rank_surface(sentences("and"), l2=1e-3, iterations=50)
    assert auc_macro(outcome(plain)) < 60


def outcome(ranking):
    return Outcomes(ranking.count[:, 0], ranking.n_neg, ranking.para_len)


class Vectors:
    """One layer in which the answer is marked after its own question and not after another."""

    layers = range(1)

    def __init__(self, examples: Examples) -> None:
        rng = np.random.default_rng(4)
        self.X = rng.normal(size=(len(examples.spans), 4)).astype(np.float32)
        own = examples.examples[examples.examples.label == "boundary"]
        self.X[own.span2, 0] += 20

    def layer(self, number: int) -> np.ndarray:
        return self.X


def test_the_sentence_after_another_question_is_the_foreign_set() -> None:
    examples = sentences("1987", swapped=True)
    (found,) = rank_boundary({"random": Vectors(examples)}, examples, l2=1e-3, iterations=50)
    own = found.count[:, 0] / found.n_neg
    other = found.foreign["other"][:, 0] / found.n_neg
    assert own.mean() == pytest.approx(1)
    assert abs(other.mean() - 0.5) < 0.2
    (alone,) = rank_boundary(
        {"random": Vectors(sentences("1987"))}, sentences("1987"), l2=1e-3, iterations=50
    )
    assert not alone.foreign
