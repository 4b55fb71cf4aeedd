"""Convex hulls of point sets: do two of them meet, and how far apart are they?

Both questions have one answer here, an interval ``lower <= distance <= upper`` with a certificate
at either end: a hyperplane whose margin is `lower`, and a point of each hull that are `upper`
apart. ``lower > 0`` proves that the sets are separable, ``upper = 0`` that the hulls meet.

Both certificates come from one path of ridge problems (points x_i with sign y_i = ±1)

    min  ridge/2 |w|² + 1/2 Σ ξ_i²,    ξ_i = max(0, 1 - y_i (w·x_i + b)),    ridge → 0

which `squared_hinge.minimise` solves in a few Newton steps. At the minimum Σ y_i ξ_i x_i = ridge w
and Σ y_i ξ_i = 0: the slacks ξ are the weights of two hull points that lie along w, while w itself
is the direction of the hyperplane. Where ridge → 0 leaves w bounded, the two points become one;
where the slacks vanish, w is the direction of the hard-margin support vector machine.

Small sets need no path: one non-negative least squares problem, solved by the active sets of
Lawson & Hanson in compiled code, ends in either certificate (`_active_sets`).
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog, nnls

from tuneprobe.errors import TuneprobeError
from tuneprobe.studies.geometry.directprobe.squared_hinge import Array, Plane, minimise

TOUCH = 1e-7  # hull points closer than this share of the radius count as one: float32 tells no more
ACTIVE_SETS_UP_TO = 12_000  # numbers in both sets; above, Newton's steps on the path are cheaper
ORIGINS = 4  # of the active sets: two suffice to a thousandth
RIDGES_TO_DECIDE = (1e-3, 1e-6, 1e-9, 1e-12, 1e-14)
RIDGES_TO_MEASURE = (1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 1e-14)


class HullError(TuneprobeError):
    """Point sets that have no hull distance."""


@dataclass(frozen=True)
class HullGap:
    """The distance between two convex hulls as a certified interval.

    Attributes
    ----------
    lower, upper : float
        The distance lies between them. `lower` is 0 where no hyperplane separates the sets.
    normal : ndarray of shape (dim,)
        Unit normal of the separating hyperplane: ``A @ normal >= offset + lower / 2`` and
        ``B @ normal <= offset - lower / 2``. Zero where `lower` is 0.
    offset : float
    weights_a, weights_b : ndarray of shape (n_a,) and (n_b,)
        Convex weights of the two hull points: ``|weights_a @ A - weights_b @ B| == upper``.
    radius : float
        Largest distance of a point from the mean of all points, the unit of all tolerances.
    """

    lower: float
    upper: float
    normal: Array
    offset: float
    weights_a: Array
    weights_b: Array
    radius: float

    @property
    def separable(self) -> bool:
        """Whether a hyperplane strictly separates the two sets."""
        return self.lower > 0

    @property
    def meets(self) -> bool:
        """Whether the hulls have a point in common (up to ``TOUCH * radius``)."""
        return not self.separable and self.upper <= TOUCH * self.radius

    @property
    def distance(self) -> float:
        """The middle of the interval; 0 where the hulls meet."""
        return 0.5 * (self.lower + self.upper) if self.separable else 0.0


def separate(A: ArrayLike, B: ArrayLike) -> HullGap:
    """Whether the convex hulls of two point sets are disjoint, with the proof.

    The path of the module docstring, left as soon as a hyperplane separates the sets or the hull
    points coincide; HiGHS decides what is left.

    Parameters
    ----------
    A : array of shape (n_a, dim)
    B : array of shape (n_b, dim)

    Returns
    -------
    HullGap
        Either ``separable`` or ``meets``; the interval is valid but need not be tight.

    Examples
    --------
    >>> square = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> separate(square, [[2, 0], [2, 1]]).separable
    True
    >>> separate(square, [[0.5, 0.5]]).meets
    True
    """
    return _walk(A, B, rtol=np.inf)


def hull_distance(A: ArrayLike, B: ArrayLike, rtol: float = 1e-6) -> HullGap:
    """Distance between the convex hulls of two point sets: the margin of a hard-margin SVM.

        min |a - b|,  a in hull(A), b in hull(B)

    Parameters
    ----------
    A : array of shape (n_a, dim)
    B : array of shape (n_b, dim)
    rtol : float
        The interval is narrowed until ``upper - lower <= rtol * upper``. A gap so thin that double
        precision ends before leaves a wider interval, still valid.

    Examples
    --------
    >>> gap = hull_distance([[0, 0], [0, 1], [1, 0], [1, 1]], [[3, 0], [3, 1], [4, 0]])
    >>> round(gap.lower, 5), round(gap.upper, 5)
    (2.0, 2.0)
    """
    return _walk(A, B, rtol=rtol)


def hyperplane_gap(A: Array, B: Array, normal: Array) -> tuple[float, float]:
    """Width and middle of the empty slab between two sets along `normal`.

    ``(min A·n - max B·n) / |n|`` and its middle; the width is 0 unless it exceeds the rounding
    error of the products, so that a positive width is a proof.

    Returns
    -------
    width, offset : float
    """
    longest = max(float(np.abs(points).max(initial=0.0)) for points in (A, B))
    return _slab(A, B, normal, longest * len(normal) ** 0.5)


class _Problem(NamedTuple):
    """The two sets, centred and scaled into the unit ball, B below A."""

    X: Array  # (n_a + n_b, dim)
    y: Array  # +1 for A, -1 for B
    n_a: int
    centre: Array
    radius: float

    def gap(self) -> HullGap:
        """The interval [0, inf) before anything is known."""
        n_b = len(self.y) - self.n_a
        dim = self.X.shape[1]
        return HullGap(
            0.0, np.inf, np.zeros(dim), 0.0, np.zeros(self.n_a), np.zeros(n_b), self.radius
        )


def _walk(A: ArrayLike, B: ArrayLike, rtol: float) -> HullGap:
    """Follow the path of ridges until the interval is narrow or the hulls are known to meet."""
    problem = _problem(A, B)
    gap = problem.gap()
    if problem.radius == 0:
        return _with_hull_points(problem, gap, np.ones(len(problem.y)))
    X, y, *_ = problem
    if X.size <= ACTIVE_SETS_UP_TO:
        gap = _active_sets(problem, gap, rtol)
        if _decided(gap, rtol):
            return gap
    products = len(X) <= X.shape[1]
    points = X @ X.T if products else X
    plane = Plane(np.zeros(points.shape[1]), 0.0)
    deciding = bool(np.isinf(rtol))
    for ridge in RIDGES_TO_DECIDE if deciding else RIDGES_TO_MEASURE:
        plane, slack = minimise(
            points, y, plane, ridge, products=products, until_separated=deciding
        )
        gap = _with_hyperplane(problem, gap, plane.w @ X if products else plane.w)
        gap = _with_hull_points(problem, gap, slack)
        if _decided(gap, rtol):
            return gap
    if gap.separable:
        return _polish(problem, gap, slack)
    gap = _common_point(problem, gap)
    return gap if gap.meets else _highs(problem, gap)


def _active_sets(problem: _Problem, gap: HullGap, rtol: float) -> HullGap:
    """Both certificates by least distance programming (Lawson & Hanson 1974, chapter 23).

        min |w|² + b²  with  y_i (w·x_i + b) >= 1

    is the hard-margin support vector machine but for the penalty on b. Its dual is the
    non-negative least squares problem Σ α y x = 0, Σ α y = 0, Σ α = 1: solvable exactly where the
    hulls meet, and then α are the weights of the common point; else its residual is the plane.
    Moving the origin into that plane makes b, and with it the penalty, vanish in a few turns.
    """
    X, y, n_a, *_ = problem
    origin = 0.5 * (X[:n_a].mean(axis=0) + X[n_a:].mean(axis=0))
    target = np.append(np.zeros(X.shape[1] + 1), 1.0)
    for _ in range(ORIGINS):
        system = np.vstack([(X - origin).T * y, y, np.ones(len(y))])
        try:
            weights, _ = nnls(system, target)
        except RuntimeError:  # too many steps
            return gap
        w = system[:-2] @ weights
        gap = _with_hull_points(problem, _with_hyperplane(problem, gap, w), weights)
        if _decided(gap, rtol) or not gap.separable:
            return gap
        heights = X @ w
        middle = 0.5 * (heights[:n_a].min() + heights[n_a:].max())
        origin = origin + (middle - origin @ w) / (w @ w) * w
    return gap


def _decided(gap: HullGap, rtol: float) -> bool:
    if not gap.separable:
        return gap.meets
    return np.isinf(rtol) or gap.upper - gap.lower <= rtol * gap.upper


def _problem(A: ArrayLike, B: ArrayLike) -> _Problem:
    a, b = (np.asarray(points, dtype=np.float64) for points in (A, B))
    for points in (a, b):
        if points.ndim != 2 or not len(points) or not np.isfinite(points).all():
            raise HullError(
                f"a hull needs finite points, an array of shape (n >= 1, dim); got shape "
                f"{points.shape}{'' if np.isfinite(points).all() else ' with NaN or infinity'}."
            )
    if a.shape[1] != b.shape[1]:
        raise HullError(f"the points have {a.shape[1]} and {b.shape[1]} dimensions.")
    X = np.concatenate([a, b])
    centre = X.mean(axis=0)
    X -= centre
    radius = float(np.sqrt(np.einsum("ij,ij->i", X, X).max()))
    if radius > 0:
        X /= radius
    y = np.where(np.arange(len(X)) < len(a), 1.0, -1.0)
    return _Problem(X, y, len(a), centre, radius)


def _with_hyperplane(problem: _Problem, gap: HullGap, w: Array) -> HullGap:
    """Raise the lower end to the width of the slab along `w`, if that is more."""
    X, _, n_a, centre, radius = problem
    lower, offset = _slab(X[:n_a], X[n_a:], w, 1.0)
    if not lower * radius > gap.lower:
        return gap
    normal = w / np.linalg.norm(w)
    return replace(
        gap,
        lower=lower * radius,
        normal=normal,
        offset=float(offset * radius + normal @ centre),
    )


def _with_hull_points(problem: _Problem, gap: HullGap, slack: Array) -> HullGap:
    """Lower the upper end to the distance of the hull points with these weights, if that is less.

    The distance is floored at `lower`, which rounding may undercut once the two agree.
    """
    X, _, n_a, _, radius = problem
    total_a, total_b = slack[:n_a].sum(), slack[n_a:].sum()
    if not (total_a > 0 and total_b > 0):
        return gap
    weights_a, weights_b = slack[:n_a] / total_a, slack[n_a:] / total_b
    upper = radius * float(np.linalg.norm(weights_a @ X[:n_a] - weights_b @ X[n_a:]))
    if not upper < gap.upper:
        return gap
    return replace(gap, upper=max(upper, gap.lower), weights_a=weights_a, weights_b=weights_b)


def _polish(problem: _Problem, gap: HullGap, slack: Array) -> HullGap:
    """Narrow a thin gap by solving for its support points without a ridge, by least squares."""
    X, y, *_ = problem
    support = np.flatnonzero(slack > 0)
    if len(support) < 2:
        return gap
    S, sign = X[support], y[support]
    w = np.linalg.lstsq(S[1:] - S[0], sign[1:] - sign[0], rcond=None)[0]
    balance = np.vstack([(S * sign[:, None]).T, sign])  # Σ α y x = w, Σ α y = 0
    alpha = np.zeros(len(y))
    alpha[support] = np.linalg.lstsq(balance, np.r_[w, 0.0], rcond=None)[0]
    gap = _with_hyperplane(problem, gap, w)
    return _with_hull_points(problem, gap, np.maximum(alpha, 0))


def _common_point(problem: _Problem, gap: HullGap) -> HullGap:
    """Look for a point of both hulls by non-negative least squares: Σ α y x = 0, Σ α = 1 on each.

    Where hulls touch in few points the path nears the common point without reaching it; this
    active-set method does, in milliseconds where HiGHS takes minutes.
    """
    X, y, n_a, *_ = problem
    sides = (np.arange(len(y)) < n_a) == np.array([[True], [False]])
    system = np.vstack([(X * y[:, None]).T, sides])
    try:
        weights, _ = nnls(system, np.r_[np.zeros(X.shape[1]), 1.0, 1.0])
    except RuntimeError:  # too many steps
        return gap
    return _with_hull_points(problem, gap, weights)


def _highs(problem: _Problem, gap: HullGap) -> HullGap:
    """Decide by linear programming: the widest slab with ``|w|_∞ <= 1``, its duals as weights."""
    X, y, *_ = problem
    n, dim = X.shape
    rows = np.column_stack([-y[:, None] * X, -y, np.ones(n)])  # margin - y (w·x + b) <= 0
    found = linprog(
        c=np.r_[np.zeros(dim + 1), -1.0],
        A_ub=rows,
        b_ub=np.zeros(n),
        bounds=[(-1, 1)] * dim + [(None, None), (0, None)],
        method="highs",
    )
    if found.x is None:
        return gap
    gap = _with_hyperplane(problem, gap, found.x[:dim])
    return _with_hull_points(problem, gap, np.maximum(-found.ineqlin.marginals, 0))


def _slab(A: Array, B: Array, normal: Array, reach: float) -> tuple[float, float]:
    """Width and middle of the empty slab between two sets in the ball of radius `reach`."""
    length = float(np.linalg.norm(normal))
    if not length > 0:
        return 0.0, 0.0
    low, high = float((A @ normal).min()) / length, float((B @ normal).max()) / length
    rounding = 4 * len(normal) * float(np.finfo(np.float64).eps) * reach
    width = low - high
    return (width if width > rounding else 0.0), 0.5 * (low + high)
