"""Δh = h_tuned - h_pretrained of the same spans: how much, along what, and whose neighbours change.

All arrays are (n, dim), row i the same span before and after.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigvalsh

from tuneprobe.errors import TuneprobeError

Floats = NDArray[np.float64]
CHUNK = 1_024  # rows whose distances to all others are held at once


class DifferenceError(TuneprobeError):
    """Vectors before and after that are not of the same spans."""


class Shares(NamedTuple):
    """Where the squared length of the differences lies; each but the last two in 0 ... 1.

    Attributes
    ----------
    mean_shift : float
        ``|mean Δh|² / mean |Δh|²``: the part that is the same for every span.
    first_axes : float
        Part in the first k principal axes of Δh about its mean.
    head : float
        Part in the span of the task's head directions; NaN where none are given.
    participation : float
        ``(Σ λ)² / Σ λ²`` of the covariance of Δh: in how many directions spans move.
    relative : float
        ``sqrt(mean |Δh|² / mean |h - mean h|²)`` with h before tuning.
    """

    mean_shift: float
    first_axes: float
    head: float
    participation: float
    relative: float


def difference_shares(
    before: ArrayLike, after: ArrayLike, head: ArrayLike | None = None, *, k: int = 3
) -> Shares:
    """Decompose the squared length of the differences.

    Parameters
    ----------
    before, after : array of shape (n, dim)
    head : array of shape (n_outputs, dim), optional
        Weights of the task's head; its row space is what the task reads.
    k : int
        Number of principal axes.
    """
    X, Y = _same_spans(before, after)
    delta = Y - X
    total = float((delta**2).sum()) / len(delta)
    spread = float(((X - X.mean(axis=0)) ** 2).sum()) / len(X)
    mean = delta.mean(axis=0)
    values = eigvalsh(np.cov(delta.T, bias=True))[::-1].clip(min=0)
    nan = float("nan")
    return Shares(
        mean_shift=float(mean @ mean) / total if total else nan,
        first_axes=float(values[:k].sum()) / total if total else nan,
        head=_in_span(delta, head) / total if total and head is not None else nan,
        participation=_participation(values) if values.sum() > 1e-12 * total else nan,
        relative=float(np.sqrt(total / spread)) if spread else nan,
    )


def _participation(values: Floats) -> float:
    """``(Σ λ)² / Σ λ²``: n for n equal eigenvalues."""
    return float(values.sum() ** 2 / (values**2).sum())


def _in_span(delta: Floats, head: ArrayLike) -> float:
    """Mean squared length of the differences within the row space of the head."""
    _, values, rows = np.linalg.svd(np.asarray(head, dtype=np.float64), full_matrices=False)
    basis = rows[values > 1e-10 * values.max()]
    return float(((delta @ basis.T) ** 2).sum()) / len(delta)


def neighbour_overlap(before: ArrayLike, after: ArrayLike, *, k: int = 10) -> Floats:
    """Share of each span's k nearest neighbours (Euclidean) that are the same; shape (n,).

    Ties are broken by row number. Expected of unrelated spaces: ``k / (n - 1)``.
    """
    X, Y = _same_spans(before, after)
    if not 1 <= k < len(X):
        raise DifferenceError(f"{k} neighbours of {len(X)} spans; expected 1 to {len(X) - 1}.")
    shares = np.empty(len(X))
    for first in range(0, len(X), CHUNK):
        rows = np.arange(first, min(first + CHUNK, len(X)))
        shares[rows] = (_near(X, rows, k) & _near(Y, rows, k)).sum(axis=1) / k
    return shares


def procrustes_distance(before: ArrayLike, after: ArrayLike) -> float:
    """Distance left after the best rotation, 0 (alike up to rotation and scale) to 1.

    ``1 - |Xᵀ Y|_* / (|X| |Y|)`` with centred X and Y, the nuclear and the Frobenius norm
    (Ding et al. 2021; half of their squared distance of matrices of norm 1).
    """
    X, Y = _same_spans(before, after)
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    size = np.linalg.norm(X) * np.linalg.norm(Y)
    if not size:
        raise DifferenceError("all vectors of one side are equal; no distance is defined.")
    product = X.T @ Y
    values = eigvalsh(product.T @ product).clip(min=0)  # squared singular values, twice as fast
    return float(1 - np.sqrt(values).sum() / size)


def _near(X: Floats, rows: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Which rows of X are the k nearest of some rows, these left out; shape (len(rows), n)."""
    distance = (X[rows] ** 2).sum(axis=1)[:, None] + (X**2).sum(axis=1) - 2 * X[rows] @ X.T
    distance[np.arange(len(rows)), rows] = np.inf
    near = distance <= np.partition(distance, k - 1, axis=1)[:, k - 1 : k]
    for row in np.flatnonzero(near.sum(axis=1) > k):  # a tie at the kth
        near[row] = False
        near[row, np.argsort(distance[row], kind="stable")[:k]] = True
    return near


def _same_spans(before: ArrayLike, after: ArrayLike) -> tuple[Floats, Floats]:
    X, Y = (np.asarray(side, dtype=np.float64) for side in (before, after))
    if X.ndim != 2 or X.shape != Y.shape or not len(X):
        raise DifferenceError(
            f"vectors of shapes {X.shape} and {Y.shape}; expected the same spans, (n, dim) twice."
        )
    if not (np.isfinite(X).all() and np.isfinite(Y).all()):
        raise DifferenceError("a vector holds NaN or infinity.")
    return X, Y
