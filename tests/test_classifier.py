"""The classifier probe: what it must reach, what it must not, and what it says to bad input."""

import numpy as np
import pytest

from tuneprobe.rng import rng
from tuneprobe.studies.geometry.classifiers.classifier import (
    LINEAR,
    ClassifierError,
    classify,
    held_out_rows,
    majority_accuracy,
    standardised,
)
from tuneprobe.studies.geometry.classifiers.networks import Regimen

FAST = Regimen(learning_rate=0.01, batch=50, max_epochs=60)
SMALL = [(16, 16), (8, 16)]


def corners(n: int, purpose: str) -> tuple[np.ndarray, np.ndarray]:
    """Points around the corners of a square; the label is the exclusive or of the two signs."""
    draw = rng(0, "corners", purpose)
    signs = draw.integers(2, size=(n, 2))
    X = (2 * signs - 1 + draw.normal(scale=0.15, size=(n, 2))).astype(np.float32)
    return X, np.where(signs[:, 0] == signs[:, 1], "same", "different")


def blobs(n: int, purpose: str, n_labels: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Labels as separated clouds."""
    y = np.arange(n) % n_labels
    X = 4 * np.eye(n_labels)[y] + rng(0, "blobs", purpose).normal(scale=0.3, size=(n, n_labels))
    return X.astype(np.float32), y


def test_a_linearly_separable_problem_reaches_100_percent_with_and_without_hidden_layers() -> None:
    for hidden in (SMALL, LINEAR):
        found = classify(
            *blobs(400, "train"), *blobs(200, "test"), hidden=hidden, decays=[1e-4], regimen=FAST
        )
        np.testing.assert_array_equal(found.accuracies, 100)


def test_exclusive_or_needs_the_hidden_layers() -> None:
    data = (*corners(600, "train"), *corners(400, "test"))
    assert classify(*data, hidden=SMALL, decays=[1e-4], regimen=FAST).mean > 99
    assert 35 < classify(*data, hidden=LINEAR, decays=[1e-4], regimen=FAST).mean < 75


def test_the_best_of_the_grid_is_chosen_on_held_out_examples() -> None:
    """A decay of a million leaves nothing to learn with; one unit cannot say four labels well."""
    found = classify(
        *blobs(400, "train"),
        *blobs(200, "test"),
        hidden=[(1, 1), (16, 16)],
        decays=[1e6, 1e-3],
        regimen=FAST,
    )
    assert found.network.hidden == (16, 16)
    assert found.network.decay == 1e-3
    assert found.grid[3].score == max(trained.score for trained in found.grid)


def test_of_equally_good_networks_the_smaller_and_then_the_more_decayed_wins() -> None:
    found = classify(
        *blobs(400, "train"),
        *blobs(200, "test"),
        hidden=[(32, 32), (16, 32)],
        decays=[1e-4, 1e-3, 1e-7],
        regimen=FAST,
    )
    assert [trained.score for trained in found.grid] == [1.0] * 6
    assert (found.network.hidden, found.network.decay) == ((16, 32), 1e-3)


def test_every_initialisation_is_reported_with_mean_and_deviation() -> None:
    X, y = corners(300, "train")
    noisy = np.where(rng(0, "noise").random(300) < 0.3, "same", y)
    found = classify(X, noisy, X, y, hidden=[(4, 4)], decays=[1e-4], regimen=Regimen(max_epochs=9))
    assert found.predictions.shape == (5, 300)
    by_hand = [100 * sum(row == y) / 300 for row in found.predictions]
    np.testing.assert_allclose(found.accuracies, by_hand)
    assert len(set(by_hand)) > 1
    assert found.mean == pytest.approx(np.mean(by_hand))
    assert found.std == pytest.approx(np.std(by_hand, ddof=1))


def test_the_grid_is_raced_but_the_initialisations_are_not() -> None:
    data = (*corners(200, "train"), *corners(100, "test"))
    slow = Regimen(learning_rate=1e-4, max_epochs=6, patience=99)
    raced = Regimen(learning_rate=1e-4, max_epochs=6, patience=99, race=(2, 4))
    grid = {"hidden": [(32, 32)], "decays": [10.0**-k for k in range(6)]}
    found = classify(*data, **grid, regimen=raced)
    chosen = {"hidden": [found.network.hidden], "decays": [found.network.decay]}
    alone = classify(*data, **chosen, regimen=slow)
    np.testing.assert_allclose(found.accuracies, alone.accuracies, atol=1)


def test_the_order_of_the_grid_changes_no_number() -> None:
    data = (*corners(200, "train"), *corners(100, "test"))
    brief = Regimen(max_epochs=5)
    once = classify(*data, hidden=SMALL, decays=[1e-4, 1e-2], initialisations=2, regimen=brief)
    again = classify(
        *data, hidden=SMALL[::-1], decays=[1e-2, 1e-4], initialisations=2, regimen=brief
    )
    assert once.network == again.network
    np.testing.assert_array_equal(once.accuracies, again.accuracies)


def test_a_test_label_unseen_in_training_is_an_error_and_reported() -> None:
    X, y = blobs(100, "test")
    y = np.where(np.arange(100) < 10, 9, y)
    found = classify(*blobs(400, "train"), X, y, hidden=SMALL, decays=[1e-4], regimen=FAST)
    assert found.unseen == (9,)
    np.testing.assert_array_equal(found.accuracies, 90)


def test_scale_and_shift_do_not_matter_when_standardised() -> None:
    (X, y), (X_test, y_test) = corners(400, "train"), corners(200, "test")
    options = {"hidden": [(16, 16)], "decays": [1e-4]}
    options["regimen"] = Regimen(learning_rate=0.01, batch=50, max_epochs=20)
    plain = classify(X, y, X_test, y_test, **options)
    small = (X / 1024 + 1, y, X_test / 1024 + 1, y_test)
    np.testing.assert_allclose(classify(*small, **options).accuracies, plain.accuracies, atol=1)
    assert classify(*small, standardise=False, **options).mean < plain.mean - 10


def test_a_constant_column_is_centred_and_never_blown_up() -> None:
    X = np.array([[1, 0.1], [2, 0.1], [3, 0.1]], dtype=np.float32)
    train, test = standardised(X, X + 1)
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(train.std(axis=0), [1, 0], atol=1e-6)
    np.testing.assert_allclose(test[:, 1], 1, atol=1e-6)


def test_the_majority_is_that_of_the_training_labels() -> None:
    assert majority_accuracy(list("aabbbc"), list("aaab")) == 25
    assert majority_accuracy(list("ba"), list("aab")) == pytest.approx(200 / 3)


def test_a_tenth_of_every_label_is_held_out() -> None:
    y = np.repeat([0, 1, 2], [200, 40, 1])
    held = held_out_rows(y, seed=13)
    assert held.sum() in (24, 25)
    assert np.bincount(y[held], minlength=3)[:2].tolist() == [20, 4]
    np.testing.assert_array_equal(held, held_out_rows(y, seed=13))
    assert (held != held_out_rows(y, seed=14)).any()


X, Y = blobs(40, "errors")
BROKEN = np.where(np.arange(40)[:, None] == 7, np.nan, X)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((BROKEN, Y, X, Y), "train holds NaN or infinity in 1 of 40 vectors, first in row 7"),
        ((X, Y, BROKEN, Y), "test holds NaN"),
        ((X, Y[:-1], X, Y), r"vectors of shape \(40, 4\) and labels of shape \(39,\)"),
        ((X, np.zeros(40), X, Y), "all 40 training examples have the label 0"),
        ((X, Y, X[:, :3], Y), "train has 4 dimensions, test 3"),
        ((X[:0], Y[:0], X, Y), "n >= 1"),
    ],
)
def test_bad_examples_are_answered_with_one_clear_error(data: tuple, message: str) -> None:
    with pytest.raises(ClassifierError, match=message):
        classify(*data)


def test_an_empty_grid_is_refused() -> None:
    with pytest.raises(ClassifierError, match="0 networks"):
        classify(X, Y, X, Y, decays=[])
