"""How alike are two spaces? Spatial similarity of labels, linear CKA, RSA.

All three ignore rigid motions and a common scale. Spatial similarity compares distances between
labels, so the examples may differ; CKA and RSA compare the same spans in two representations.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import pdist
from scipy.stats import pearsonr, spearmanr

from tuneprobe.errors import TuneprobeError, UnknownNameError
from tuneprobe.rng import rng

Array = NDArray[np.float64]

CORRELATIONS = {"pearson": pearsonr, "spearman": spearmanr}
MISSING = ("drop", "zero")


class SimilarityError(TuneprobeError):
    """Two spaces that cannot be compared."""


def spatial_similarity(
    distances1: ArrayLike,
    distances2: ArrayLike,
    labels1: Sequence[str],
    labels2: Sequence[str],
    *,
    missing: str = "drop",
) -> float:
    """Pearson correlation of the label-pair distances of two spaces.

    The n(n-1)/2 distances of each space, in sorted label order, make one vector (Zhou & Srikumar
    2022, section 3). Its values are hull distances where both spaces are linearly separable.

    Parameters
    ----------
    distances1, distances2 : arrays of shape (n_labels1, n_labels1) and (n_labels2, n_labels2)
        Symmetric, as `geometry.Distances.label_distances`; NaN where a label pair has none.
    labels1, labels2 : sequences of str
        Names of the rows.
    missing : {"drop", "zero"}
        A label pair that one space lacks is left out, or gets distance 0 (the authors' code).

    Raises
    ------
    SimilarityError
        Where fewer than two label pairs remain, or all distances of a space are equal.

    Examples
    --------
    >>> near, far = [[0, 1, 2], [1, 0, 3], [2, 3, 0]], [[0, 2, 4], [2, 0, 6], [4, 6, 0]]
    >>> round(spatial_similarity(near, far, "abc", "abc"), 6)
    1.0
    """
    if missing not in MISSING:
        raise UnknownNameError("treatment of missing pairs", missing, MISSING)
    names = sorted(set(labels1) | set(labels2))
    one = _pair_distances(distances1, labels1, names)
    two = _pair_distances(distances2, labels2, names)
    if missing == "drop":
        known = np.isfinite(one) & np.isfinite(two)
        one, two = one[known], two[known]
    return _correlate(np.nan_to_num(one), np.nan_to_num(two), "pearson", "label pairs")


def linear_cka(X1: ArrayLike, X2: ArrayLike, *, debiased: bool = False) -> float:
    """Linear centred kernel alignment of two representations of the same spans.

        HSIC(K1, K2) / sqrt(HSIC(K1, K1) HSIC(K2, K2)),    K = X Xᵀ

    with HSIC = |X1ᵀ X2|² of centred columns (Kornblith et al. 2019), or Song et al.'s unbiased
    estimate, whose expectation for unrelated spaces is 0 (Nguyen, Raghu & Kornblith 2021). All in
    feature space: memory grows with ``n dim + dim²``, never with n².

    Parameters
    ----------
    X1, X2 : arrays of shape (n, dim1) and (n, dim2)
    debiased : bool
        Needs at least 4 spans; may fall below 0.

    Examples
    --------
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [5.0, 1.0]])
    >>> round(linear_cka(X, 3 * X + 1), 6)
    1.0
    """
    one, two = (X - X.mean(axis=0) for X in _same_spans(X1, X2))
    if debiased and len(one) < 4:
        raise SimilarityError(f"debiased CKA needs at least 4 spans, got {len(one)}.")
    hsic = _unbiased_hsic if debiased else _hsic
    own = hsic(one, one) * hsic(two, two)
    if not own > 0:
        raise SimilarityError("CKA is undefined: all spans of one representation are equal.")
    return float(hsic(one, two) / np.sqrt(own))


def rsa(
    X1: ArrayLike,
    X2: ArrayLike,
    *,
    correlation: str = "spearman",
    metric: str = "euclidean",
    max_spans: int = 2000,
    seed: int = 13,
) -> float:
    """Representational similarity: correlation of the distances between all pairs of spans.

    Kriegeskorte et al. 2008. More than `max_spans` spans are thinned to a random sample of that
    size, the same for both representations.

    Parameters
    ----------
    X1, X2 : arrays of shape (n, dim1) and (n, dim2)
    correlation : {"pearson", "spearman"}
    metric : str
        Any metric of ``scipy.spatial.distance.pdist``; ``euclidean`` and ``cosine`` are usual.
    """
    if correlation not in CORRELATIONS:
        raise UnknownNameError("correlation", correlation, CORRELATIONS)
    X1, X2 = _same_spans(X1, X2)
    if len(X1) > max_spans:
        rows = np.sort(rng(seed, "rsa").choice(len(X1), max_spans, replace=False))
        X1, X2 = X1[rows], X2[rows]
    return _correlate(pdist(X1, metric), pdist(X2, metric), correlation, "span pairs")


def _pair_distances(distances: ArrayLike, labels: Sequence[str], names: list[str]) -> Array:
    """Upper triangle over `names`, row by row; NaN for a label that the space does not have."""
    D = np.asarray(distances, dtype=np.float64)
    if D.shape != (len(labels), len(labels)) or len(set(labels)) != len(labels):
        raise SimilarityError(
            f"distances have shape {D.shape} for {len(labels)} labels "
            f"({len(set(labels))} different): expected one row and one column for each label."
        )
    place = {label: row for row, label in enumerate(labels)}
    everything = np.full((len(names), len(names)), np.nan)
    rows = [names.index(label) for label in labels]
    order = [place[label] for label in labels]
    everything[np.ix_(rows, rows)] = D[np.ix_(order, order)]
    return np.asarray(everything[np.triu_indices(len(names), 1)])


def _correlate(one: Array, two: Array, correlation: str, of: str) -> float:
    if len(one) < 2:
        raise SimilarityError(f"a correlation needs two {of} known in both spaces, got {len(one)}.")
    if np.ptp(one) == 0 or np.ptp(two) == 0:
        raise SimilarityError(f"no correlation: all {len(one)} {of} of a space are equally far.")
    return float(CORRELATIONS[correlation](one, two).statistic)


def _same_spans(X1: ArrayLike, X2: ArrayLike) -> tuple[Array, Array]:
    """The gate: two finite float64 matrices with the same rows."""
    one, two = (np.asarray(X, dtype=np.float64) for X in (X1, X2))
    if one.ndim != 2 or two.ndim != 2 or len(one) != len(two) or len(one) < 2:
        raise SimilarityError(
            f"representations have shapes {one.shape} and {two.shape}: expected (n, dim1) and "
            "(n, dim2), row i of both being span i, n >= 2."
        )
    for X in (one, two):
        if not np.isfinite(X).all():
            row = int((~np.isfinite(X).all(axis=1)).argmax())
            raise SimilarityError(f"a representation holds NaN or infinity, first in row {row}.")
    return one, two


def _hsic(X1: Array, X2: Array) -> float:
    return float(((X1.T @ X2) ** 2).sum())


def _unbiased_hsic(X1: Array, X2: Array) -> float:
    """Song et al. 2012, eq. 5, with the diagonals of both kernels taken out.

        [tr KL + (1ᵀK1)(1ᵀL1) / ((n-1)(n-2)) - 2 (1ᵀKL1) / (n-2)] / (n (n-3))

    For centred columns ``K 1 = -diag(K)`` once the diagonal is zero.
    """
    n = len(X1)
    k, m = (np.einsum("ij,ij->i", X, X) for X in (X1, X2))
    trace = _hsic(X1, X2) - k @ m
    total = k.sum() * m.sum() / ((n - 1) * (n - 2))
    return float((trace + total - 2 * (k @ m) / (n - 2)) / (n * (n - 3)))
