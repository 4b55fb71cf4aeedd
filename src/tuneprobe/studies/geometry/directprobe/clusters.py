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
- Clusters of all labels lie side by side (`_Balls`), so that one product tells a hull from all its
  foes' balls, however many labels there are.
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
MOST_PAIRS = 400_000_000  # of points of one label, whose distances are held: 5 bytes each
BLOCK = 4096  # points of a label whose heights along all directions are held at once
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
    rows = rows_by_label(y)
    conflict = np.zeros((len(rows), len(rows)), dtype=bool)
    for i, j in zip(*np.nonzero(np.triu(~_told_apart(points, rows), 1)), strict=True):
        conflict[i, j] = not separate(points[rows[i]], points[rows[j]]).separable
    return conflict | conflict.T


def rows_by_label(y: Labels) -> list[Rows]:
    """Rows of each label, ascending, in the order of ``np.unique(y)``."""
    _, counts = np.unique(y, return_counts=True)
    return np.split(np.argsort(y, kind="stable"), counts.cumsum()[:-1])


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
    least = np.full((len(rows), len(rows)), np.inf)
    for i, own in enumerate(rows):
        for first in range(0, len(own), BLOCK):
            heights = points[own[first : first + BLOCK]] @ towards.T
            below = (heights[:, i, None] - heights).min(axis=0)
            np.minimum(least[i], below, out=least[i])
    lengths = np.linalg.norm(towards, axis=1)
    reach = float(np.linalg.norm(points, axis=1).max()) * np.add.outer(lengths, lengths)
    rounding = 8 * dim * float(np.finfo(np.float64).eps) * reach
    return np.asarray(least + least.T > rounding)


class _Balls:
    """Centroids and radii of the clusters of all labels in one array, label after label.

    An empty slot has the radius minus infinity: no ball meets it.
    """

    def __init__(self, labels: list[Linkage]) -> None:
        self.labels = labels
        self.sizes = np.array([len(block.members) for block in labels])
        self.starts = self.sizes.cumsum() - self.sizes
        self.centroids = np.concatenate([block.centroids for block in labels])
        self.squares = np.concatenate([block.squares for block in labels])
        self.radius = np.concatenate([block.radius for block in labels])

    def slots(self, first: int, last: int) -> slice:
        """Where the clusters of the labels `first` to `last` are."""
        return slice(int(self.starts[first]), int(self.starts[last] + self.sizes[last]))

    def merge(self, label: int, i: int, j: int) -> None:
        """Take over what `Linkage.merge` made of two clusters."""
        block, start = self.labels[label], self.starts[label]
        self.centroids[start + i], self.squares[start + i] = block.centroids[i], block.squares[i]
        self.radius[start + i], self.radius[start + j] = block.radius[i], -np.inf

    def take(self, label: int) -> None:
        """Take over a label whose empty slots were dropped."""
        block, at = self.labels[label], self.slots(label, label)
        self.radius[at] = -np.inf
        self.sizes[label] = len(block.members)
        at = self.slots(label, label)
        self.centroids[at], self.squares[at] = block.centroids, block.squares
        self.radius[at] = block.radius

    def cluster(self, slot: int) -> tuple[int, Rows]:
        """Key and rows of the cluster in a slot."""
        label = int(np.searchsorted(self.starts, slot, side="right")) - 1
        block, own = self.labels[label], slot - self.starts[label]
        return int(block.keys[own]), block.members[own]


def _refuse_pairs(y: Labels, conflict: NDArray[np.bool_], paper: bool) -> None:
    """Centroid linkage holds the distances of all pairs of a label that conflicts with another."""
    counts = np.unique(y, return_counts=True)[1][conflict.any(axis=1) | paper]
    pairs = int((counts.astype(np.int64) ** 2).sum())
    if pairs > MOST_PAIRS:
        raise ClusteringError(
            f"the {counts.sum():,} points of {len(counts)} labels whose hulls meet have "
            f"{pairs:,} pairs within a label, expected at most {MOST_PAIRS:,} (2 GiB): lower the "
            "number of examples of what prepares this task, or merge labels that overlap."
        )


def _runs(labels: Labels) -> list[tuple[int, int]]:
    """First and last of each run of consecutive numbers.

    >>> _runs(np.array([0, 1, 2, 5]))
    [(0, 2), (5, 5)]
    """
    runs = np.split(labels, np.flatnonzero(np.diff(labels) > 1) + 1)
    return [(int(run[0]), int(run[-1])) for run in runs if len(run)]


class _Clustering:
    """The loop over all labels; see the module docstring."""

    def __init__(self, X: Floats, y: Labels, conflict: NDArray[np.bool_], paper: bool) -> None:
        self.X, self.y, self.paper = X, y, paper
        self.conflict = conflict
        _refuse_pairs(y, conflict, paper)
        self.foes = [np.flatnonzero(row) for row in conflict]
        rounding = X.shape[1] * float(np.finfo(np.float32).eps)  # of a float32 dot product
        self.slack = rounding * float(np.linalg.norm(X, axis=1).max())
        self.label_of = np.searchsorted(np.unique(y), y)
        self.shared = shared_points(X, y)
        self.labels = []
        for rows, foes in zip(rows_by_label(y), self.foes, strict=True):
            settled = not paper and not len(foes)
            self.labels.append(
                Linkage.whole(X, rows)
                if settled
                else Linkage.singletons(X, rows, self.shared[rows], inherit=not paper)
            )
        self.balls = _Balls(self.labels)
        self.runs = [_runs(foes) for foes in self.foes]
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
        self.balls.merge(label, i, j)
        self.owner[keys[1]] = keys[0]
        if block.compact():
            self.balls.take(label)
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
        near = [self._near(first, last, T, middle, radius) for first, last in self.runs[label]]
        left = {key: rows for found in near for key, rows in found if key not in killers}
        for key in sorted(left, key=lambda key: -len(left[key])):
            if not self._apart(T, left[key], keys, key):
                return self._blame(keys, key)
        return False

    def _near(
        self, first: int, last: int, T: Floats, middle: Array, radius: float
    ) -> list[tuple[int, Rows]]:
        """Clusters of labels `first` to `last` that neither balls nor lines tell from `T`.

        Two balls apart; the ball of the foe outside the slab of `T` along the line of centroids;
        all its points outside.
        """
        balls, at = self.balls, self.balls.slots(first, last)
        distance = centroid_distances(middle, balls.centroids[at], balls.squares[at])
        slots = np.flatnonzero(distance <= balls.radius[at] + radius + self.slack)
        away, slots = distance[slots, None], slots + at.start
        centroids = balls.centroids[slots].astype(np.float32)
        away = (centroids - middle.astype(np.float32)) / np.maximum(away, TINY)
        edge = (T @ away.T).max(axis=0, initial=-np.inf)  # of the slab of T along each line
        heart = np.einsum("ij,ij->i", away, centroids)
        close = heart - balls.radius[slots] <= edge + self.slack
        slots, away, edge = slots[close], away[close], edge[close]
        found = [balls.cluster(slot) for slot in slots]
        if found:
            members = [rows for _, rows in found]
            sizes = np.array([len(rows) for rows in members])
            points = self.X[np.concatenate(members)]
            heights = np.einsum("ij,ij->i", points, np.repeat(away, sizes, axis=0))
            lowest = np.minimum.reduceat(heights, np.r_[0, sizes.cumsum()[:-1]])
            found = [
                one for one, near in zip(found, lowest <= edge + self.slack, strict=True) if near
            ]
        return found

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
