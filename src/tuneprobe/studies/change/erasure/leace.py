"""LEACE: the least change of the vectors that removes all linear information on a concept.

``r(x) = x - W⁺ P W (x - mean)`` with W = (Σ_xx)^(-1/2) on the range of Σ_xx (the whitening) and P
the orthogonal projection on the column space of W Σ_xz. After it no linear classifier of the
concept does better than a constant one, under any convex loss; among all affine maps with that
property it moves the vectors least. Source: Belrose et al. 2023 (NeurIPS), theorem 4.3.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tuneprobe.errors import TuneprobeError

Floats = NDArray[np.float64]
RTOL = 1e-10  # eigenvalues below this share of the largest count as 0


class ErasureError(TuneprobeError):
    """Vectors and a concept that nothing can be erased of."""


@dataclass(frozen=True)
class Eraser:
    """An affine map ``x -> x - (x - mean) · out @ into.T``.

    Attributes
    ----------
    mean : ndarray of shape (dim,)
    out, into : ndarray of shape (dim, rank)
        What is read off a vector, and where it is taken away.
    """

    mean: Floats
    out: Floats
    into: Floats

    @property
    def rank(self) -> int:
        """Number of directions that are removed."""
        return self.out.shape[1]

    def __call__(self, X: ArrayLike) -> Floats:
        """The vectors without the concept, shape (n, dim)."""
        X = np.asarray(X, dtype=np.float64)
        return X - ((X - self.mean) @ self.out) @ self.into.T


class Whitening(NamedTuple):
    """What all erasers of the same vectors share; by `whitening`.

    Attributes
    ----------
    mean : ndarray of shape (dim,)
    down, up : ndarray of shape (dim, dim)
        Σ^(-1/2) and Σ^(1/2) on the range of the covariance Σ, both symmetric.
    """

    mean: Floats
    down: Floats
    up: Floats


def whitening(X: ArrayLike) -> Whitening:
    """The whitening of vectors of shape (n, dim): one eigenproblem of dim."""
    X = np.asarray(X, dtype=np.float64)
    mean = X.mean(axis=0)
    moved = X - mean
    values, vectors = np.linalg.eigh(moved.T @ moved / len(X))
    used = values > RTOL * max(values[-1], np.finfo(float).tiny)
    values, vectors = values[used], vectors[:, used]
    down = (vectors / np.sqrt(values)) @ vectors.T
    return Whitening(mean, down, (vectors * np.sqrt(values)) @ vectors.T)


def fit_leace(X: ArrayLike, concept: ArrayLike, known: Whitening | None = None) -> Eraser:
    """The LEACE eraser of a concept, from vectors that show it.

    Parameters
    ----------
    X : array of shape (n, dim)
    concept : array of shape (n,) or (n, n_columns)
        Class of each vector (strings or integers), or numbers: what is to be erased.
    known : Whitening, optional
        Of X, where it was computed before.

    Raises
    ------
    ErasureError
        If there are fewer than two vectors, their number differs from the concept's, a vector
        holds NaN or infinity, or the concept has one value only.

    Examples
    --------
    >>> X = np.array([[1.0, 0], [2, 1], [3, 0], [4, 1]])
    >>> erased = fit_leace(X, [0, 0, 1, 1])(X)
    >>> bool(np.allclose(erased[:2].mean(axis=0), erased[2:].mean(axis=0)))
    True
    """
    X, Z = _checked(X, concept)
    known = whitening(X) if known is None else known
    cross = known.down @ ((X - known.mean).T @ (Z - Z.mean(axis=0)) / len(X))
    left, values, _ = np.linalg.svd(cross, full_matrices=False)
    basis = left[:, values > RTOL**0.5 * max(values[0], np.finfo(float).tiny)]
    return Eraser(known.mean, known.down @ basis, known.up @ basis)


def random_eraser(known: Whitening, rank: int, generator: np.random.Generator) -> Eraser:
    """The control: as many random directions of the whitened space, removed in the same way."""
    drawn = generator.standard_normal((len(known.mean), rank))
    basis, _ = np.linalg.qr(known.down @ (known.up @ drawn))
    return Eraser(known.mean, known.down @ basis, known.up @ basis)


def _checked(X: ArrayLike, concept: ArrayLike) -> tuple[Floats, Floats]:
    X, given = np.asarray(X, dtype=np.float64), np.asarray(concept)
    if X.ndim != 2 or len(X) < 2 or len(X) != len(given):
        raise ErasureError(
            f"there are vectors of shape {X.shape} and a concept of shape {given.shape}; expected "
            "(n, dim) and n values with n of at least 2."
        )
    if not np.isfinite(X).all():
        raise ErasureError("a vector holds NaN or infinity.")
    if given.ndim == 1:
        classes, number = np.unique(given, return_inverse=True)
        Z = np.eye(len(classes))[number]
    else:
        Z = given.astype(np.float64)
    if not np.ptp(Z, axis=0).any():
        raise ErasureError("the concept has one value only; there is nothing to erase.")
    return X, Z
