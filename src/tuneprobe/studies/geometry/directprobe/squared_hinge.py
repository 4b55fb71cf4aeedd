"""Newton's method for the squared hinge: the planes and slacks along the path of `hulls`.

    min  ridge/2 |w|² + 1/2 Σ ξ_i²,    ξ_i = max(0, 1 - y_i (w·x_i + b))

The objective is quadratic as long as the active set {ξ > 0} does not change, so a step to the
least-squares solution of the active points, cut short where the exact line search says so, ends at
the minimum after a finite number of steps (Keerthi & DeCoste 2005, JMLR 6:341).
"""

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv

Array = NDArray[np.float64]

STEPS = 200  # the path needs 5 to 20 for each ridge
ROUNDING = 1e-12  # an empty slab thinner than that, in the unit ball, is not worth stopping for


class Plane(NamedTuple):
    """The hyperplane ``w·x + b = 0``; among inner products w is weights of the points."""

    w: Array
    b: float


def minimise(
    X: Array,
    y: Array,
    start: Plane,
    ridge: float,
    *,
    products: bool = False,
    until_separated: bool = False,
) -> tuple[Plane, Array]:
    """Minimise the ridge problem; return the plane and the slacks ξ.

    Parameters
    ----------
    X : array of shape (n, dim), or (n, n)
        Points, best centred and within the unit ball; or the inner products of all of them,
        cheaper where there are fewer points than dimensions.
    y : array of shape (n,)
        +1 or -1, both present.
    start : Plane
    ridge : float
    products : bool
        Whether X holds inner products; then ``w @ points`` is the normal of a plane, here and in
        what is returned.
    until_separated : bool
        Stop at the first plane that separates, before the minimum.
    """
    (w, b), above = start, y > 0
    heights = X @ w
    margin = y * (heights + b)
    before: NDArray[np.bool_] | None = None
    for _ in range(STEPS):
        active = margin < 1
        if before is not None and np.array_equal(active, before):
            break
        normal = heights if products else w  # w @ normal is |w|² either way
        if until_separated:
            width = margin[above].min() + margin[~above].min()
            if width > ROUNDING * sqrt(max(float(w @ normal), 0.0)):
                break
        target = _kernel_plane(X, y, active, ridge) if products else _plane(X, y, active, ridge)
        step = target.w - w
        rise = X @ step
        change = y * (rise + (target.b - b))
        flat, steep = step @ normal, step @ (rise if products else step)
        length = _line_search(margin, change, ridge * float(flat), ridge * float(steep))
        w, b = w + length * step, b + length * (target.b - b)
        heights, margin = heights + length * rise, margin + length * change
        before = active if length == 1 else None
    return Plane(w, b), np.maximum(1 - margin, 0)


def _plane(X: Array, y: Array, active: NDArray[np.bool_], ridge: float) -> Plane:
    """The plane ``min ridge |w|² + |X w + b - y|²`` of the active points.

    Solved in the smaller of sample and feature space.
    """
    X, y = X[active], y[active]
    n, dim = X.shape
    if n <= dim:
        weights, b = _kernel_plane(X @ X.T, y, np.ones(n, dtype=np.bool_), ridge)
        return Plane(weights @ X, b)
    mean, level = X.mean(axis=0), float(y.mean())
    scatter = X.T @ X - n * np.outer(mean, mean)
    scatter.flat[:: dim + 1] += ridge
    w = _solve(scatter, X.T @ y - n * level * mean)
    return Plane(w, float(level - mean @ w))


def _kernel_plane(gram: Array, y: Array, active: NDArray[np.bool_], ridge: float) -> Plane:
    """The same plane from the inner products of the points, as weights of these."""
    rows = np.flatnonzero(active)
    weights, n = np.zeros(len(y)), len(rows)
    if not n:
        return Plane(weights, 0.0)
    kernel = gram.take(rows, 0).take(rows, 1)
    kernel.flat[:: n + 1] += ridge
    right = np.ones((n, 2))
    right[:, 0] = y[rows]
    solved = _solve(kernel, right)
    b = float(solved[:, 0].sum() / solved[:, 1].sum())
    weights[rows] = solved[:, 0] - b * solved[:, 1]
    return Plane(weights, b)


def _solve(matrix: Array, right: Array) -> Array:
    """Solve a positive definite system; by singular values where rounding made it indefinite."""
    _, solution, failed = dposv(matrix, right)
    if failed:
        solution = np.linalg.lstsq(matrix, right, rcond=None)[0]
    return np.asarray(solution)


def _line_search(margin: Array, change: Array, flat: float, rise: float) -> float:
    """The exact minimum along a step of the piecewise quadratic objective.

    Its slope is piecewise linear and grows, with a kink where a slack vanishes or appears. Between
    two kinks it is ``flat + t rise - Σ change (1 - margin - t change)`` over the slacks that are
    there, with flat = ridge w·step and rise = ridge |step|².
    """
    lack = 1 - margin
    first, last = np.maximum(lack, 0), np.maximum(lack - change, 0)
    if abs(flat + rise - change @ last) <= 1e-6 * abs(flat - change @ first):
        return 1.0
    moving = change != 0
    lack, change = lack[moving], change[moving]
    kinks = lack / change
    ahead = kinks > 0
    order = np.flatnonzero(ahead)[np.argsort(kinks[ahead], kind="stable")]
    there = (lack > 0) | ((lack == 0) & (change < 0))  # just after the start
    sign = np.where(there, -1.0, 1.0)[order]  # a slack that vanishes, or one that appears
    pull = change * lack
    pulls = np.cumsum(np.append(pull[there].sum(), sign * pull[order]))
    drags = np.cumsum(np.append((change[there] ** 2).sum(), sign * change[order] ** 2))
    ends = flat - pulls[:-1] + kinks[order] * (rise + drags[:-1])
    piece = int(np.searchsorted(ends, 0.0))  # the first that ends at or above zero
    there[order[:piece]] ^= True  # summed anew: what the running sums took away left rounding
    steepness = rise + float((change[there] ** 2).sum())
    left = float(kinks[order[piece - 1]]) if piece else 0.0
    right = float(kinks[order[piece]]) if piece < len(order) else np.inf
    zero = float((pull[there].sum() - flat) / steepness) if steepness > 0 else left
    return min(max(left, zero), right)
