"""Control labels: one per word type, drawn as the task's labels are."""

import numpy as np
import pytest

from tuneprobe.studies.geometry.classifiers.controls import (
    ControlError,
    control_labels,
    selectivity,
)

TYPES = [f"word{k}" for k in range(6000)]
LABELS = ["noun"] * 6 + ["verb"] * 3 + ["adverb"]


def test_a_word_type_has_one_label_wherever_it_stands() -> None:
    labels = dict(zip(TYPES, control_labels(TYPES, LABELS), strict=True))
    mixed = TYPES[100:300][::-1] * 2
    assert control_labels(mixed, LABELS).tolist() == [labels[word] for word in mixed]


def test_labels_are_drawn_from_the_training_distribution() -> None:
    names, counts = np.unique(control_labels(TYPES, LABELS), return_counts=True)
    assert names.tolist() == ["adverb", "noun", "verb"]
    np.testing.assert_allclose(counts / len(TYPES), [0.1, 0.6, 0.3], atol=0.03)


def test_another_seed_draws_other_labels() -> None:
    same = control_labels(TYPES, LABELS, seed=1) == control_labels(TYPES, LABELS, seed=2)
    assert same.mean() == pytest.approx(0.01 + 0.36 + 0.09, abs=0.03)


def test_without_training_labels_there_is_nothing_to_draw() -> None:
    with pytest.raises(ControlError, match="no training labels"):
        control_labels(TYPES, [])


def test_selectivity_is_the_difference_of_two_accuracies() -> None:
    assert selectivity(97.0, 71.5) == 25.5
