"""Distances in a labelled space: between hulls of clusters, within labels, from a new point.

The quantities of Zhou & Srikumar (ACL 2022) on top of the clusters of `clusters.cluster`.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tuneprobe.studies.geometry.directprobe.clusters import (
    Clustering,
    ClusteringError,
    Labels,
    check_points,
)
from tuneprobe.studies.geometry.directprobe.hulls import hull_distance
from tuneprobe.studies.geometry.directprobe.linkage import Floats, Rows
from tuneprobe.studies.geometry.directprobe.squared_hinge import Array

BLOCK = 1024  # rows of a distance matrix held at once
PAIRS_AT_ONCE = 2**24  # and no more pairs than these
FRANK_WOLFE_STEPS = 20  # enough to leave two or three hulls a point may be nearest to


@dataclass(frozen=True)
class Distances:
    """How far clusters and labels are apart, and how wide labels are.

    Attributes
    ----------
    labels : array of shape (n_labels,)
        The labels in sorted order, which all label axes follow.
    lower, upper : arrays of shape (n_clusters, n_clusters)
        Certified interval of the distance between the hulls of two clusters of different labels;
        NaN for one label, and for clusters below the minimum size.
    label_distances : array of shape (n_labels, n_labels)
        Mean of the hull distances over the pairs of clusters of two labels; with one cluster each
        the distance of the labels. NaN on the diagonal and where a label has no cluster left.
    outside_min : array of shape (n_labels,)
        Smallest label distance of each label.
    inside_max, inside_mean : arrays of shape (n_labels,)
        Largest distance of two points of a cluster, the maximum over the label's clusters; mean
        distance of two points of a cluster, the mean over its clusters. NaN where no cluster has
        two points.
    """

    labels: Labels
    lower: Array
    upper: Array
    label_distances: Array
    outside_min: Array
    inside_max: Array
    inside_mean: Array


def measure(
    X: ArrayLike,
    clustering: Clustering,
    *,
    min_cluster_size: int = 1,
    rtol: float = 1e-6,
) -> Distances:
    """All distances of a clustering.

    Parameters
    ----------
    X : array of shape (n, dim)
        The points that were clustered.
    min_cluster_size : int
        Smaller clusters take no part. 1 keeps all; the authors' code keeps those above 5 points.
    rtol : float
        Relative width of the certified intervals.
    """
    X, _ = check_points(X, clustering.labels[clustering.ids])
    labels = np.unique(clustering.labels)
    members = clustering.members
    kept = [k for k, rows in enumerate(members) if len(rows) >= min_cluster_size]
    lower, upper = _between(X, members, clustering.labels, kept, rtol)
    between = _by_label((lower + upper) / 2, clustering.labels, labels)
    within = [within_cluster(X[rows]) for rows in members]
    inside_max, inside_mean = np.full((2, len(labels)), np.nan)
    for place, label in enumerate(labels):
        own = [within[k] for k in kept if clustering.labels[k] == label and len(members[k]) > 1]
        if own:
            inside_max[place] = max(widest for widest, _ in own)
            inside_mean[place] = np.mean([mean for _, mean in own])
    return Distances(labels, lower, upper, between, _smallest(between), inside_max, inside_mean)


def within_cluster(points: ArrayLike) -> tuple[float, float]:
    """Largest and mean Euclidean distance of two different rows; 0 and 0 for one row.

    >>> within_cluster([[0, 0], [3, 4], [0, 8]])
    (8.0, 6.0)
    """
    P = np.asarray(points, dtype=np.float64)
    n = len(P)
    if n < 2:
        return 0.0, 0.0
    P = P - P.mean(axis=0)
    squares = np.einsum("ij,ij->i", P, P)
    widest, total = 0.0, 0.0
    at_once = min(BLOCK, max(1, PAIRS_AT_ONCE // n))
    for start in range(0, n, at_once):
        rows = slice(start, start + at_once)
        block = squares[rows, None] + squares
        block -= (2 * P[rows]) @ P.T
        block[np.arange(len(block)), np.arange(start, start + len(block))] = 0
        np.sqrt(np.maximum(block, 0, out=block), out=block)
        widest, total = max(widest, float(block.max())), total + float(block.sum())
    return widest, total / (n * (n - 1))


def nearest_cluster(points: ArrayLike, X: ArrayLike, clustering: Clustering) -> Labels:
    """Cluster whose hull is nearest to each point: DirectProbe's prediction.

    Certified bounds on all distances (Frank & Wolfe) leave a few hulls for each point; their
    distances are computed to 1e-6. Equal distances: the lowest cluster.

    Parameters
    ----------
    points : array of shape (n_points, dim)
    X : array of shape (n, dim)
        The points that were clustered.

    Returns
    -------
    int array of shape (n_points,)
        ``clustering.labels[nearest_cluster(...)]`` are the predicted labels.
    """
    X, _ = check_points(X, clustering.labels[clustering.ids])
    P = np.asarray(points, dtype=np.float32)
    if P.ndim != 2 or P.shape[1] != X.shape[1] or not np.isfinite(P).all():
        raise ClusteringError(
            f"points to predict have shape {P.shape}: expected (n, {X.shape[1]}), all finite."
        )
    hulls = [X[rows] for rows in clustering.members]
    bounds = np.array([point_hull_bounds(P, hull) for hull in hulls])  # (n_clusters, 2, n_points)
    return np.array(
        [_nearest(P[i], hulls, bounds[:, 0, i], bounds[:, 1, i]) for i in range(len(P))],
        dtype=np.int64,
    )


def point_hull_bounds(points: Floats, hull: Floats) -> tuple[Array, Array]:
    """Lower and upper bounds on the distance of each point to one hull.

    Frank & Wolfe's steps from the nearest vertex z: with g = z - p, every hull point a has
    ``g·(a - p) >= min g·(vertex - p)``, which over |g| is the lower bound; |g| is the upper.
    """
    P, H = np.asarray(points, dtype=np.float64), np.asarray(hull, dtype=np.float64)
    lower, upper = np.empty(len(P)), np.empty(len(P))
    for start in range(0, len(P), BLOCK):
        rows = slice(start, start + BLOCK)
        lower[rows], upper[rows] = _frank_wolfe(P[rows], H)
    return lower, upper


def _frank_wolfe(P: Array, H: Array) -> tuple[Array, Array]:
    everyone = np.arange(len(P))
    squares = np.einsum("ij,ij->i", H, H)
    z = H[(squares - 2 * P @ H.T).argmin(axis=1)]
    lower = np.zeros(len(P))
    for _ in range(FRANK_WOLFE_STEPS if len(H) > 1 else 1):
        g = z - P
        length = np.maximum(np.linalg.norm(g, axis=1), 1e-30)
        heights = g @ H.T
        lowest = heights.argmin(axis=1)
        height = heights[everyone, lowest]
        lower = np.maximum(lower, (height - np.einsum("ij,ij->i", g, P)) / length)
        towards = H[lowest] - z
        reach = np.einsum("ij,ij->i", towards, towards)
        drop = -np.einsum("ij,ij->i", g, towards)
        z = z + np.clip(drop / np.maximum(reach, 1e-30), 0, 1)[:, None] * towards
    return lower, np.linalg.norm(z - P, axis=1)


def _nearest(point: Floats, hulls: list[Floats], lower: Array, upper: Array) -> int:
    """The nearest hull, computing no more distances than the bounds leave open."""
    best, nearest = np.inf, -1
    open_ = np.flatnonzero(lower <= upper.min() * (1 + 1e-9))
    if len(open_) == 1:
        return int(open_[0])
    for k in open_[np.argsort(lower[open_], kind="stable")]:
        if lower[k] > best:
            break
        distance = hull_distance(point[None], hulls[k]).distance
        if (distance, k) < (best, nearest):
            best, nearest = distance, int(k)
    return nearest


def _between(
    X: Floats, members: list[Rows], cluster_labels: Labels, kept: list[int], rtol: float
) -> tuple[Array, Array]:
    """Intervals of the hull distances between kept clusters of different labels."""
    lower, upper = np.full((2, len(members), len(members)), np.nan)
    for i, j in combinations(kept, 2):
        if cluster_labels[i] == cluster_labels[j]:
            continue
        if len(members[i]) == len(members[j]) == 1:
            a, b = X[members[i][0]].astype(np.float64), X[members[j][0]]
            ends = (float(np.linalg.norm(a - b)),) * 2
        else:
            gap = hull_distance(X[members[i]], X[members[j]], rtol)
            ends = (gap.lower, gap.upper) if gap.separable else (0.0, 0.0)
        lower[[i, j], [j, i]], upper[[i, j], [j, i]] = ends
    return lower, upper


def _by_label(distances: Array, cluster_labels: Labels, labels: Labels) -> Array:
    """Mean over the pairs of clusters of two labels, ignoring NaN."""
    of_label = (cluster_labels == labels[:, None]).astype(np.float64)
    known = np.isfinite(distances).astype(np.float64)
    counts = of_label @ known @ of_label.T
    totals = of_label @ np.nan_to_num(distances) @ of_label.T
    return np.where(counts > 0, totals / np.maximum(counts, 1), np.nan)


def _smallest(between: NDArray[np.float64]) -> Array:
    """Smallest entry of each row, ignoring NaN; NaN where there is none."""
    least = np.where(np.isnan(between), np.inf, between).min(axis=1)
    return np.where(np.isinf(least), np.nan, least)
