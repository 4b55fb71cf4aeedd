"""Erasure, weights and differences: values by hand, and what each must not change."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tuneprobe.studies.change.difference.vectors import (
    DifferenceError,
    difference_shares,
    neighbour_overlap,
    procrustes_distance,
)
from tuneprobe.studies.change.erasure.leace import ErasureError, fit_leace, random_eraser, whitening
from tuneprobe.studies.change.weights.matrices import WeightError, movement


def labelled(n: int = 300, dim: int = 12, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Correlated vectors in which the class can be read."""
    rng = np.random.default_rng(5)
    y = rng.integers(classes, size=n)
    X = rng.normal(size=(n, dim)) @ rng.normal(size=(dim, dim)) + 3
    return X + 2 * rng.normal(size=(classes, dim))[y], y


def accuracy(X: np.ndarray, y: np.ndarray) -> float:
    X = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-12)
    return LogisticRegression(C=1e6, max_iter=2000).fit(X, y).score(X, y)


def test_after_erasure_a_linear_classifier_is_at_the_majority() -> None:
    X, y = labelled()
    majority = np.bincount(y).max() / len(y)
    assert accuracy(X, y) > majority + 0.2
    assert accuracy(fit_leace(X, y)(X), y) <= majority + 0.01


def test_erasing_twice_is_erasing_once() -> None:
    X, y = labelled()
    erase = fit_leace(X, y)
    once = erase(X)
    assert np.allclose(erase(once), once)
    assert erase.rank == 2  # three classes differ along two directions


def test_the_eraser_moves_vectors_less_than_any_other_that_erases() -> None:
    """Against the orthogonal projection off the class means, which erases too."""
    X, y = labelled()
    moved = X - X.mean(axis=0)
    means = np.stack([moved[y == c].mean(axis=0) for c in range(3)])
    basis = np.linalg.svd(means, full_matrices=False)[2][:2]
    projected = X - moved @ basis.T @ basis
    assert accuracy(projected, y) <= np.bincount(y).max() / len(y) + 0.01
    least = ((fit_leace(X, y)(X) - X) ** 2).sum()
    assert least < ((projected - X) ** 2).sum()


def test_a_singular_covariance_is_no_obstacle() -> None:
    X, y = labelled()
    X = np.hstack([X, X[:, :4] * 2])
    erased = fit_leace(X, y)(X)
    means = np.stack([erased[y == c].mean(axis=0) for c in range(3)])
    assert np.allclose(means, means[0])


def test_the_control_removes_as_many_directions_and_leaves_the_concept() -> None:
    X, y = labelled()
    erase = random_eraser(whitening(X), 2, np.random.default_rng(1))
    assert erase.rank == 2
    assert np.linalg.matrix_rank(erase(X) - X.mean(axis=0)) == X.shape[1] - 2
    assert accuracy(erase(X), y) > np.bincount(y).max() / len(y) + 0.1


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.ones((3, 2)), [0, 1], "shape"),
        (np.ones((2, 2)), [0, 0], "one value only"),
        (np.array([[np.nan, 1], [1, 1]]), [0, 1], "NaN"),
    ],
)
def test_nothing_is_erased_of_what_shows_no_concept(X, y, message) -> None:
    with pytest.raises(ErasureError, match=message):
        fit_leace(X, y)


def test_ranks_and_intruders_of_matrices_made_by_hand() -> None:
    W = np.diag([5.0, 4, 3, 2, 0, 0])[:, :5]
    still = movement(W, W)
    assert (still.relative, still.intruders) == (0, 0)
    assert np.isnan(still.effective_rank)
    tuned = W.copy()
    tuned[0, 0] += 0.5  # along an old direction
    assert movement(W, tuned) == pytest.approx((0.5 / np.sqrt(54), 1.0, 1.0, 0))
    new = np.zeros_like(W)
    new[5, 4] = 9.0  # a left direction that W does not have among its own
    two = movement(W, W + new, k=1)
    assert two.effective_rank == pytest.approx(1)
    assert two.intruders == 1
    both = np.zeros_like(W)
    both[0, 0], both[1, 1] = 1, 1
    assert movement(W, W + both)[1:3] == pytest.approx((2, 2))


def test_matrices_that_are_not_alike_are_refused() -> None:
    with pytest.raises(WeightError, match=r"\(2, 3\) and \(3, 2\)"):
        movement(np.ones((2, 3)), np.ones((3, 2)))
    with pytest.raises(WeightError, match="NaN"):
        movement(np.ones((2, 2)), np.full((2, 2), np.nan))


def test_the_shares_of_a_shift_an_axis_and_noise() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(400, 6))
    shift = difference_shares(X, X + np.array([3, 0, 0, 0, 0, 0]))
    assert shift.mean_shift == pytest.approx(1)
    assert np.isnan(shift.participation)
    along = np.outer(rng.normal(size=400), [0, 1, 0, 0, 0, 0])
    axis = difference_shares(X, X + along, np.array([[0, 2.0, 0, 0, 0, 0]]), k=1)
    assert axis.head == pytest.approx(1)
    assert axis.mean_shift + axis.first_axes == pytest.approx(1)
    assert axis.participation == pytest.approx(1)
    noise = difference_shares(X, X + rng.normal(size=X.shape), k=3)
    assert noise.participation > 5.5
    assert noise.relative == pytest.approx(1, abs=0.05)


def test_neighbours_and_rotation() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(80, 5))
    rotation = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    assert neighbour_overlap(X, 2 * X @ rotation + 1).tolist() == [1.0] * 80
    assert procrustes_distance(X, 2 * X @ rotation + 1) == pytest.approx(0, abs=1e-9)
    other = rng.normal(size=(80, 5))
    slow = [set(np.argsort(np.linalg.norm(Z - Z[7], axis=1))[1:11].tolist()) for Z in (X, other)]
    assert neighbour_overlap(X, other)[7] == len(slow[0] & slow[1]) / 10
    assert procrustes_distance(X, other) > 0.3
    with pytest.raises(DifferenceError, match="same spans"):
        neighbour_overlap(X, X[:5])
