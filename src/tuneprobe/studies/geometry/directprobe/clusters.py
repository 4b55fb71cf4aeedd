"""DirectProbe's clustering: the fewest pure clusters whose convex hulls stay apart.

Definition (Zhou & Srikumar, NAACL 2021). Every point starts as a cluster. The closest pair of
clusters of one label (Euclidean distance of centroids, float32) is merged, unless the hull of the
union meets the hull of a cluster of another label; a rejected pair is not tried again. The end is
reached when no pair is left (``exhaustive``), or after as many attempts as there were clusters at
the first rejection (``paper``, the code of 2021). Equal distances: the lowest label, then the
lowest rows first.

What makes it fast, and why each step is exact
- Hulls only grow. Two labels that are separable as a whole never conflict, and a label without
  conflict is one cluster. A pair that was rejected stays rejected in every pair of clusters that
  contain it, whatever the others have become: merged rows inherit the union of cannot-links.
- A hull lies inside the ball around its centroid and inside every half-space that holds its
  points: balls first, then the slab along the line of centroids, then known hyperplanes; only
  what is left goes to `hulls.separate`.
- `linkage` finds the closest pair without looking at all pairs.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tuneprobe.errors import TuneprobeError, UnknownNameError
from tuneprobe.studies.geometry.directprobe.hulls import hyperplane_gap, separate
from tuneprobe.studies.geometry.directprobe.linkage import (
    Floats,
    Linkage,
    Rows,
    centroid,
    centroid_distances,
)
from tuneprobe.studies.geometry.directprobe.squared_hinge import Array

Labels = NDArray[np.int64]

LOOPS = ("exhaustive", "paper")
TINY = 1e-30
PLANES = 100_000  # hyperplanes remembered at most
KILLERS = 3  # clusters that rejected a neighbour of this one, tried first


class ClusteringError(TuneprobeError):
    """Points or labels that cannot be clustered."""


@dataclass(frozen=True)
class Clustering:
    """Pure clusters with disjoint hulls.

    Attributes
    ----------
    ids : int array of shape (n,)
        Cluster of each point; clusters are numbered by their first point.
    labels : array of shape (n_clusters,)
        Label of each cluster, as it came.
    conflict : bool array of shape (n_labels, n_labels)
        Pairs of labels, in sorted order, whose hulls meet as a whole.
    n_shared : int
        Points with an exact copy under another label. They cannot be told apart by any cluster:
        each stays alone, at distance 0 from its copy.
    attempts, rejections : int
        Pairs that were tried and that were rejected.
    """

    ids: Labels
    labels: Labels
    conflict: NDArray[np.bool_]
    n_shared: int
    attempts: int
    rejections: int

    @property
    def is_linear(self) -> bool:
        """Whether one cluster per label suffices: all labels are linearly separable."""
        return not self.conflict.any()

    @property
    def members(self) -> list[Rows]:
        """Rows of each cluster, ascending."""
        order = np.argsort(self.ids, kind="stable")
        return np.split(order, np.bincount(self.ids).cumsum()[:-1])


def cluster(X: ArrayLike, y: ArrayLike, *, loop: str = "exhaustive") -> Clustering:
    """DirectProbe's clusters of labelled points; see the module docstring.

    Parameters
    ----------
    X : array of shape (n, dim)
        Rounded to float32, as the original does.
    y : array of shape (n,)
        Labels: strings or integers.
    loop : {"exhaustive", "paper"}
        When to stop: no pair is left, or as many attempts were made after the first rejection
        (it included) as there were clusters then.

    Raises
    ------
    ClusteringError
        For NaN or infinite vectors, one label only, or X and y of different lengths.

    Examples
    --------
    >>> found = cluster([[0, 0], [1, 1], [0, 1], [1, 0]], [0, 0, 1, 1])
    >>> found.ids, found.is_linear
    (array([0, 0, 1, 2]), False)
    """
    if loop not in LOOPS:
        raise UnknownNameError("loop", loop, LOOPS)
    X, y = check_points(X, y)
    names, numbers = np.unique(y, return_inverse=True)
    conflict = conflicting_labels(X, numbers)
    found = _Clustering(X, numbers, conflict, paper=loop == "paper").run()
    return replace(found, labels=names[found.labels])


def check_points(X: ArrayLike, y: ArrayLike) -> tuple[Floats, Labels]:
    """The gate of every function here: float32 vectors, one per row, and their labels."""
    X, y = np.asarray(X, dtype=np.float32), np.asarray(y)
    if X.ndim != 2 or y.ndim != 1 or len(X) != len(y):
        raise ClusteringError(
            f"X has shape {X.shape} and y has shape {y.shape}: expected (n, dim) and (n,), "
            "a label for each vector."
        )
    if y.dtype == object and all(isinstance(label, str) for label in y):
        y = y.astype(str)
    if y.dtype.kind not in "iuU":
        raise ClusteringError(f"labels are {y.dtype}, expected strings or integers.")
    bad = ~np.isfinite(X).all(axis=1)
    if bad.any():
        raise ClusteringError(
            f"{bad.sum()} of {len(X)} vectors hold NaN or infinity, the first in row "
            f"{bad.argmax()}: leave them out or mend the representation."
        )
    if len(np.unique(y)) < 2:
        raise ClusteringError(
            f"{len(np.unique(y))} label in {len(y)} examples: geometry compares two or more."
        )
    return X, y if y.dtype.kind == "U" else y.astype(np.int64)


def conflicting_labels(X: Floats, y: Labels) -> NDArray[np.bool_]:
    """Which pairs of labels have hulls that meet, in the order of ``np.unique(y)``.

    The directions of linear discriminant analysis, one for each pair, settle most; then
    `hulls.separate` does.

    Returns
    -------
    ndarray of bool, shape (n_labels, n_labels), symmetric
    """
    points = X.astype(np.float64) - X.mean(axis=0, dtype=np.float64)
    rows = [np.flatnonzero(y == label) for label in np.unique(y)]
    conflict = np.zeros((len(rows), len(rows)), dtype=bool)
    for i, j in zip(*np.nonzero(np.triu(~_told_apart(points, rows), 1)), strict=True):
        conflict[i, j] = not separate(points[rows[i]], points[rows[j]]).separable
    return conflict | conflict.T


def _told_apart(points: Array, rows: list[Rows]) -> NDArray[np.bool_]:
    """Which pairs of labels their direction of linear discriminant analysis separates, for sure.

    The direction of labels i and j is t_i - t_j, so one product of all points with all t serves
    every pair: ``slack[i, j]`` is the least height of the points of i along it.
    """
    n, dim = points.shape
    centroids = np.array([points[own].mean(axis=0) for own in rows])
    around = np.concatenate([points[own] - mean for own, mean in zip(rows, centroids, strict=True)])
    scatter = around.T @ around / n
    scatter.flat[:: dim + 1] += 1e-6 * np.trace(scatter) / dim + 1e-30
    towards = np.linalg.solve(scatter, centroids.T).T
    least = np.empty((len(rows), len(rows)))
    for i, own in enumerate(rows):
        heights = points[own] @ towards.T
        least[i] = (heights[:, i, None] - heights).min(axis=0)
    lengths = np.linalg.norm(towards, axis=1)
    reach = float(np.linalg.norm(points, axis=1).max()) * np.add.outer(lengths, lengths)
    rounding = 8 * dim * float(np.finfo(np.float64).eps) * reach
    return np.asarray(least + least.T > rounding)


class _Clustering:
    """The loop over all labels; see the module docstring."""

    def __init__(self, X: Floats, y: Labels, conflict: NDArray[np.bool_], paper: bool) -> None:
        self.X, self.y, self.paper = X, y, paper
        self.conflict = conflict
        self.foes = [np.flatnonzero(row) for row in conflict]
        rounding = X.shape[1] * float(np.finfo(np.float32).eps)  # of a float32 dot product
        self.slack = rounding * float(np.linalg.norm(X, axis=1).max())
        self.label_of = np.searchsorted(np.unique(y), y)
        self.shared = shared_points(X, y)
        self.labels = []
        for label, foes in zip(np.unique(y), self.foes, strict=True):
            rows = np.flatnonzero(y == label)
            settled = not paper and not len(foes)
            self.labels.append(
                Linkage.whole(X, rows)
                if settled
                else Linkage.singletons(X, rows, self.shared[rows], inherit=not paper)
            )
        self.planes: dict[tuple[int, int], Floats] = {}
        self.killers: dict[int, list[int]] = {}
        self.owner = np.arange(len(X))

    def run(self) -> Clustering:
        """Merge until no pair, or no attempt, is left."""
        budget = np.inf
        attempts = rejections = 0
        heads = [block.closest() for block in self.labels]
        while attempts < budget:
            label = int(np.argmin([head[0] for head in heads]))
            distance, i, j = heads[label]
            if distance == np.inf:
                break
            if not self._try(label, min(i, j), max(i, j)):
                if self.paper and not rejections:
                    budget = attempts + sum(int(block.alive.sum()) for block in self.labels)
                rejections += 1
            attempts += 1
            heads[label] = self.labels[label].closest()
        return self._result(attempts, rejections)

    def _try(self, label: int, i: int, j: int) -> bool:
        """Merge two clusters or reject the pair."""
        block = self.labels[label]
        rows = np.concatenate([block.members[i], block.members[j]])
        middle = centroid(self.X[rows])
        radius = float(np.sqrt(((self.X[rows] - middle) ** 2).sum(axis=1).max()))
        keys = (int(block.keys[i]), int(block.keys[j]))
        if block.cannot[i, j] or self._meets_a_foe(label, rows, middle, radius, keys):
            block.reject(i, j)
            return False
        block.merge(i, j, middle, radius)
        self.owner[keys[1]] = keys[0]
        block.compact()
        return True

    def _meets_a_foe(
        self, label: int, rows: Rows, middle: Array, radius: float, keys: tuple[int, int]
    ) -> bool:
        """Whether the hull of `rows` meets the hull of a cluster of another label."""
        T = self.X[rows]
        killers = self._killers(keys)
        for key in killers:
            if not self._apart(T, self._members(key), keys, key):
                return self._blame(keys, key)
        near = [self._near(int(foe), T, middle, radius) for foe in self.foes[label]]
        left = {key: rows for found in near for key, rows in found if key not in killers}
        for key in sorted(left, key=lambda key: -len(left[key])):
            if not self._apart(T, left[key], keys, key):
                return self._blame(keys, key)
        return False

    def _near(self, foe: int, T: Floats, middle: Array, radius: float) -> list[tuple[int, Rows]]:
        """Clusters of label `foe` that neither balls nor lines of centroids tell from `T`.

        Two balls apart; the ball of the foe outside the slab of `T`; all its points outside.
        """
        block = self.labels[foe]
        distance = centroid_distances(middle, block.centroids, block.squares)
        slots = np.flatnonzero((distance <= block.radius + radius + self.slack) & block.alive)
        centroids = block.centroids[slots].astype(np.float32)
        away = centroids - middle.astype(np.float32)
        away /= np.maximum(distance[slots, None], TINY)
        edge = (T @ away.T).max(axis=0, initial=-np.inf)  # of the slab of T along each line
        heart = np.einsum("ij,ij->i", away, centroids)
        close = heart - block.radius[slots] <= edge + self.slack
        slots, away, edge = slots[close], away[close], edge[close]
        if len(slots):
            members = [block.members[slot] for slot in slots]
            sizes = np.array([len(rows) for rows in members])
            points = self.X[np.concatenate(members)]
            heights = np.einsum("ij,ij->i", points, np.repeat(away, sizes, axis=0))
            lowest = np.minimum.reduceat(heights, np.r_[0, sizes.cumsum()[:-1]])
            slots = slots[lowest <= edge + self.slack]
        return [(int(block.keys[slot]), block.members[slot]) for slot in slots]

    def _members(self, key: int) -> Rows:
        block = self.labels[self.label_of[key]]
        return block.members[int(np.searchsorted(block.keys, key))]

    def _apart(self, T: Floats, rows: Rows, keys: tuple[int, int], foe: int) -> bool:
        """Whether two hulls are apart: by a known hyperplane, or by a new one, which is kept."""
        A, B = T.astype(np.float64), self.X[rows].astype(np.float64)
        for key in keys:
            plane = self.planes.get((key, foe))
            if plane is not None and hyperplane_gap(A, B, plane.astype(np.float64))[0] > 0:
                self.planes[(keys[0], foe)] = plane
                return True
        found = separate(A, B)
        if found.separable:
            if len(self.planes) >= PLANES:
                self.planes.clear()
            normal = found.normal.astype(np.float32)
            self.planes[(keys[0], foe)], self.planes[(foe, keys[0])] = normal, -normal
        return found.separable

    def _killers(self, keys: tuple[int, int]) -> list[int]:
        known = [foe for key in keys for foe in self.killers.get(key, [])]
        return list(dict.fromkeys(self._owner(foe) for foe in known))

    def _blame(self, keys: tuple[int, int], foe: int) -> bool:
        for key in keys:
            kept = [foe, *(k for k in self.killers.get(key, []) if k != foe)]
            self.killers[key] = kept[:KILLERS]
        return True

    def _owner(self, key: int) -> int:
        while self.owner[key] != key:
            key = int(self.owner[key])
        return key

    def _result(self, attempts: int, rejections: int) -> Clustering:
        members = [rows for block in self.labels for rows in block.members if len(rows)]
        members.sort(key=lambda rows: int(rows.min()))
        ids = np.empty(len(self.X), dtype=np.int64)
        for number, rows in enumerate(members):
            ids[rows] = number
        return Clustering(
            ids=ids,
            labels=self.y[[rows[0] for rows in members]],
            conflict=self.conflict,
            n_shared=int(self.shared.sum()),
            attempts=attempts,
            rejections=rejections,
        )


def shared_points(X: Floats, y: Labels) -> NDArray[np.bool_]:
    """Which points have an exact copy under another label: they can merge with none."""
    _, group = np.unique(X, axis=0, return_inverse=True)
    group = group.reshape(-1)
    low, high = np.full(group.max() + 1, y.max()), np.full(group.max() + 1, y.min())
    np.minimum.at(low, group, y)
    np.maximum.at(high, group, y)
    return np.asarray((low < high)[group])
