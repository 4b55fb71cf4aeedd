"""Similarities of spaces: values by hand, the kernel formulas written out, invariances."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import spearmanr, special_ortho_group

from tuneprobe.rng import rng
from tuneprobe.studies.geometry.similarity.similarity import (
    SimilarityError,
    linear_cka,
    rsa,
    spatial_similarity,
)

ONE = np.array([[0, 1, 2, 4], [1, 0, 3, 5], [2, 3, 0, 6], [4, 5, 6, 0.0]])


def spans(n: int = 60, dim: int = 5, seed: int = 0) -> np.ndarray:
    return rng(seed, "spans", n, dim).normal(size=(n, dim)) + 2


def test_spatial_similarity_is_the_correlation_of_label_pair_distances():
    two = ONE.copy()
    two[0, 1] = two[1, 0] = 9
    by_hand = np.corrcoef([1, 2, 4, 3, 5, 6], [9, 2, 4, 3, 5, 6])[0, 1]
    assert spatial_similarity(ONE, two, "abcd", "abcd") == pytest.approx(by_hand)


def test_spatial_similarity_ignores_scale_and_the_order_of_labels():
    order = [2, 0, 3, 1]
    names = ["abcd"[k] for k in order]
    shuffled = 7 * ONE[np.ix_(order, order)]
    assert spatial_similarity(ONE, shuffled, "abcd", names) == pytest.approx(1)


def test_labels_of_one_space_only_are_dropped_or_at_distance_zero():
    three = 2 * ONE[:3, :3]
    assert spatial_similarity(ONE, three, "abcd", "abc") == pytest.approx(1)
    by_hand = np.corrcoef([1, 2, 4, 3, 5, 6], [2, 4, 0, 6, 0, 0])[0, 1]
    zero = spatial_similarity(ONE, three, "abcd", "abc", missing="zero")
    assert zero == pytest.approx(by_hand)


def test_an_unknown_pair_distance_counts_as_missing():
    gap = ONE.copy()
    gap[1, 2] = gap[2, 1] = np.nan
    by_hand = np.corrcoef([1, 2, 4, 3, 5, 6], [1, 2, 4, 0, 5, 6])[0, 1]
    assert spatial_similarity(ONE, gap, "abcd", "abcd", missing="zero") == pytest.approx(by_hand)
    assert spatial_similarity(ONE, gap, "abcd", "abcd") == pytest.approx(1)


@pytest.mark.parametrize(
    ("one", "two", "names1", "names2", "message"),
    [
        (ONE[:2, :2], ONE[:2, :2], "ab", "ab", "needs two label pairs"),
        (ONE, ONE, "abcd", "wxyz", "got 0"),
        (ONE, np.ones((4, 4)), "abcd", "abcd", "equally far"),
        (ONE, ONE, "abc", "abcd", r"shape \(4, 4\) for 3 labels"),
        (ONE, ONE, "abca", "abcd", "3 different"),
    ],
)
def test_spaces_that_cannot_be_compared_say_why(one, two, names1, names2, message):
    with pytest.raises(SimilarityError, match=message):
        spatial_similarity(one, two, names1, names2)


def kernel_hsic(X: np.ndarray, Y: np.ndarray) -> float:
    n = len(X)
    H = np.eye(n) - 1 / n
    return float(np.trace(X @ X.T @ H @ Y @ Y.T @ H))


def kernel_unbiased_hsic(X: np.ndarray, Y: np.ndarray) -> float:
    n = len(X)
    K, L = (Z @ Z.T * (1 - np.eye(n)) for Z in (X, Y))
    total = K.sum() * L.sum() / ((n - 1) * (n - 2))
    return float((np.trace(K @ L) + total - 2 * (K @ L).sum() / (n - 2)) / (n * (n - 3)))


@pytest.mark.parametrize(("debiased", "hsic"), [(False, kernel_hsic), (True, kernel_unbiased_hsic)])
def test_cka_is_the_kernel_formula(debiased, hsic):
    X = spans()
    Y = X[:, :3] ** 2 + spans(60, 3, seed=1)
    by_hand = hsic(X, Y) / np.sqrt(hsic(X, X) * hsic(Y, Y))
    assert linear_cka(X, Y, debiased=debiased) == pytest.approx(by_hand)


@pytest.mark.parametrize("debiased", [False, True])
def test_cka_ignores_rigid_motion_and_scale(debiased):
    X = spans()
    turn = special_ortho_group(5, seed=rng(0, "turn")).rvs()
    assert linear_cka(X, 3 * X @ turn - 1, debiased=debiased) == pytest.approx(1)


def test_debiased_cka_of_unrelated_spaces_is_nought_on_average_where_plain_is_not():
    pairs = [(spans(20, 30, seed), spans(20, 30, seed + 1000)) for seed in range(200)]
    assert np.mean([linear_cka(*pair) for pair in pairs]) > 0.5
    assert abs(np.mean([linear_cka(*pair, debiased=True) for pair in pairs])) < 0.01


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_rsa_is_the_rank_correlation_of_pair_distances(metric):
    X, Y = spans(12), spans(12, 3, seed=2)

    def distance(a, b):
        if metric == "euclidean":
            return np.sqrt(((a - b) ** 2).sum())
        return 1 - a @ b / np.sqrt((a @ a) * (b @ b))

    vectors = [[distance(Z[i], Z[j]) for i, j in combinations(range(12), 2)] for Z in (X, Y)]
    assert rsa(X, Y, metric=metric) == pytest.approx(spearmanr(*vectors).statistic)


def test_rsa_of_many_spans_is_that_of_one_seeded_sample():
    X = spans(300)
    Y = X + 0.5 * spans(300, seed=3)
    full, thinned = rsa(X, Y), rsa(X, Y, max_spans=100)
    assert thinned == rsa(X, Y, max_spans=100)
    assert thinned == pytest.approx(full, abs=0.1)
    assert thinned != full


@pytest.mark.parametrize("measure", [linear_cka, rsa])
def test_different_rows_and_nan_are_refused(measure):
    X = spans()
    with pytest.raises(SimilarityError, match=r"\(60, 5\) and \(59, 5\)"):
        measure(X, X[1:])
    broken = X.copy()
    broken[7, 1] = np.nan
    with pytest.raises(SimilarityError, match="first in row 7"):
        measure(X, broken)
    with pytest.raises(SimilarityError, match="equal"):
        measure(X, np.ones((60, 5)))
