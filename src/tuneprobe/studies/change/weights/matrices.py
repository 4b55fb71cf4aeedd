"""How far a weight matrix moved, and in which directions.

W is the matrix before tuning, W + ΔW after; singular values and vectors of an (out, in) matrix.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh, eigvalsh

from tuneprobe.errors import TuneprobeError

Floats = NDArray[np.float64]
ZERO = 1e-14  # share of the largest squared singular value that is rounding


class WeightError(TuneprobeError):
    """Matrices that cannot be compared."""


class Movement(NamedTuple):
    """What tuning did to one matrix.

    Attributes
    ----------
    relative : float
        ``|ΔW| / |W|`` in the Frobenius norm; 0 where nothing moved.
    effective_rank : float
        ``exp(H(p))`` with ``p_i = s_i² / Σ s²`` of ΔW: in how many directions it moved; NaN where
        it did not move (Roy & Vetterli 2007).
    stable_rank : float
        ``Σ s² / s_1²`` of ΔW; NaN where it did not move.
    intruders : int
        Left singular vectors among the first k of W + ΔW whose largest cosine with all left
        singular vectors of W is below epsilon (Shuttleworth et al. 2025).
    """

    relative: float
    effective_rank: float
    stable_rank: float
    intruders: int


def movement(
    before: ArrayLike,
    after: ArrayLike,
    *,
    k: int = 10,
    epsilon: float = 0.6,
    old: Floats | None = None,
) -> Movement:
    """The movement of one matrix.

    Parameters
    ----------
    before, after : array of shape (n_out, n_in)
    k : int
        Singular vectors of the tuned matrix that are looked at; at most its rank.
    epsilon : float
        Cosine below which a direction counts as new.
    old : float64 ndarray, optional
        The `left_vectors` of `before`, where they are known.

    Raises
    ------
    WeightError
        If the shapes differ, a matrix is no matrix, or a weight is NaN or infinite.
    """
    W, tuned = _checked(before, after)
    delta = tuned - W
    size = float(np.linalg.norm(W))
    relative = float(np.linalg.norm(delta)) / size if size else float("nan")
    values = singular_values(delta)
    old = left_vectors(W) if old is None else old
    return Movement(
        relative, effective_rank(values), stable_rank(values), intruders(old, tuned, k, epsilon)
    )


def effective_rank(values: Floats) -> float:
    """``exp(-Σ p log p)`` with ``p = s² / Σ s²``; NaN where all singular values are 0.

    >>> round(effective_rank(np.array([2.0, 2.0, 0.0])), 6)
    2.0
    """
    share = np.asarray(values, dtype=np.float64) ** 2
    if not share.sum():
        return float("nan")
    share = share[share > 0] / share.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def stable_rank(values: Floats) -> float:
    """``Σ s² / max s²``; NaN where all singular values are 0.

    >>> stable_rank(np.array([2.0, 1.0, 1.0]))
    1.5
    """
    squares = np.asarray(values, dtype=np.float64) ** 2
    return float(squares.sum() / squares.max()) if squares.max() else float("nan")


def intruders(old: Floats, tuned: Floats, k: int, epsilon: float) -> int:
    """New directions among the first k left singular vectors of the tuned matrix, beside `old`."""
    new = left_vectors(tuned, k)
    return int((np.abs(old.T @ new).max(axis=0, initial=0.0) < epsilon).sum())


def left_vectors(matrix: Floats, k: int | None = None) -> Floats:
    """Left singular vectors of the k largest singular values above 0, all by default.

    From the eigenvectors of the smaller of both Gram matrices, five times as fast as a singular
    value decomposition; values below 1e-7 of the largest count as 0.

    Returns
    -------
    float64 ndarray of shape (n_out, at most k), largest value first.
    """
    n_out, n_in = matrix.shape
    gram = matrix @ matrix.T if n_out <= n_in else matrix.T @ matrix
    first = 0 if k is None else max(0, len(gram) - k)
    squares, vectors = eigh(gram, subset_by_index=(first, len(gram) - 1))
    known = np.flatnonzero(squares > ZERO * max(squares[-1], np.finfo(np.float64).tiny))[::-1]
    vectors = vectors[:, known]
    return vectors if n_out <= n_in else matrix @ vectors / np.sqrt(squares[known])


def singular_values(matrix: Floats) -> Floats:
    """Singular values of a matrix, those below 1e-7 of the largest as rounding leaves them."""
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    return np.sqrt(eigvalsh(gram).clip(min=0.0))[::-1]


def _checked(before: ArrayLike, after: ArrayLike) -> tuple[Floats, Floats]:
    W, tuned = (np.asarray(matrix, dtype=np.float64) for matrix in (before, after))
    if W.shape != tuned.shape or W.ndim != 2:
        raise WeightError(f"matrices of shapes {W.shape} and {tuned.shape}; expected two alike.")
    if not (np.isfinite(W).all() and np.isfinite(tuned).all()):
        raise WeightError("a weight is NaN or infinite; look at the training curve.")
    return W, tuned
