"""Newton's method for the squared hinge: the planes and slacks along the path of `hulls`.

    min  ridge/2 |w|² + 1/2 Σ ξ_i²,    ξ_i = max(0, 1 - y_i (w·x_i + b))

The objective is quadratic as long as the active set {ξ > 0} does not change, so a step to the
least-squares solution of the active points, cut short where the exact line search says so, ends at
the minimum after a finite number of steps (Keerthi & DeCoste 2005, JMLR 6:341).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv

Array = NDArray[np.float64]

STEPS = 200  # the path needs 5 to 20 for each ridge
ROUNDING = 1e-12  # an empty slab thinner than that, in the unit ball, is not worth stopping for


class Plane(NamedTuple):
    """The hyperplane ``w·x + b = 0``."""

    w: Array
    b: float


def minimise(
    X: Array, y: Array, start: Plane, ridge: float, *, until_separated: bool = False
) -> tuple[Plane, Array]:
    """Minimise the ridge problem; return the plane and the slacks ξ.

    Parameters
    ----------
    X : array of shape (n, dim)
        Points, best centred and within the unit ball.
    y : array of shape (n,)
        +1 or -1, both present.
    start : Plane
    ridge : float
    until_separated : bool
        Stop at the first plane that separates, before the minimum.
    """
    plane, above = start, y > 0
    margin = y * (X @ plane.w + plane.b)
    before: NDArray[np.bool_] | None = None
    for _ in range(STEPS):
        active = margin < 1
        if before is not None and np.array_equal(active, before):
            break
        width = margin[above].min() + margin[~above].min()
        if until_separated and width > ROUNDING * np.linalg.norm(plane.w):
            break
        target = _least_squares(X[active], y[active], ridge)
        step = Plane(target.w - plane.w, target.b - plane.b)
        change = y * (X @ step.w + step.b)
        length = _line_search(margin, change, plane.w, step.w, ridge)
        plane = Plane(plane.w + length * step.w, plane.b + length * step.b)
        margin = margin + length * change
        before = active if length == 1 else None
    return plane, np.maximum(1 - margin, 0)


def _least_squares(X: Array, y: Array, ridge: float) -> Plane:
    """The plane ``min ridge |w|² + |X w + b - y|²``, in the smaller of sample and feature space."""
    n, dim = X.shape
    if not n:
        return Plane(np.zeros(dim), 0.0)
    if n <= dim:
        gram = X @ X.T
        gram.flat[:: n + 1] += ridge
        solved = _solve(gram, np.column_stack([y, np.ones(n)]))
        b = float(solved[:, 0].sum() / solved[:, 1].sum())
        return Plane(X.T @ (solved[:, 0] - b * solved[:, 1]), b)
    mean, level = X.mean(axis=0), float(y.mean())
    scatter = X.T @ X - n * np.outer(mean, mean)
    scatter.flat[:: dim + 1] += ridge
    w = _solve(scatter, X.T @ y - n * level * mean)
    return Plane(w, float(level - mean @ w))


def _solve(matrix: Array, right: Array) -> Array:
    """Solve a positive definite system; by singular values where rounding made it indefinite."""
    _, solution, failed = dposv(matrix, right)
    if failed:
        solution = np.linalg.lstsq(matrix, right, rcond=None)[0]
    return np.asarray(solution)


def _line_search(margin: Array, change: Array, w: Array, step: Array, ridge: float) -> float:
    """The exact minimum along a step of the piecewise quadratic objective.

    Its slope is piecewise linear and grows; the zero is bracketed by bisection over the points
    where a slack appears or vanishes, then interpolated.
    """

    def slope(t: float) -> float:
        slack = np.maximum(1 - margin - t * change, 0)
        return float(ridge * (w @ step + t * (step @ step)) - change @ slack)

    if abs(slope(1.0)) <= 1e-6 * abs(slope(0.0)):
        return 1.0
    moving = change != 0
    breaks = (1 - margin[moving]) / change[moving]
    breaks = np.sort(breaks[breaks > 0])
    low, high = 0, len(breaks)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if slope(breaks[middle]) >= 0 else (middle + 1, high)
    left = float(breaks[low - 1]) if low else 0.0
    right = float(breaks[low]) if low < len(breaks) else left + 1.0
    rise = slope(right) - slope(left)
    return left - slope(left) * (right - left) / rise if rise > 0 else left
