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
- Distances within a label are kept (float32); each row knows its nearest neighbour, and a row is
  searched again only when that neighbour is gone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tuneprobe.errors import UnknownNameError
from tuneprobe.hulls import Array, hyperplane_gap, separate

Labels = NDArray[np.int64]
Rows = NDArray[np.int64]
Floats = NDArray[np.float32]

LOOPS = ("exhaustive", "paper")
BLOCK = 1024  # rows of a distance matrix computed at once
SLACK = 1e-5  # float32 rounding of a squared length, as a share of it
PLANES = 100_000  # hyperplanes remembered at most
KILLERS = 3  # clusters that rejected a neighbour of this one, tried first


def cluster(X: Floats, y: Labels, *, loop: str = "exhaustive") -> Labels:
    """Cluster of each point, numbered by first appearance.

    Parameters
    ----------
    X : float32 array of shape (n, dim)
    y : int array of shape (n,)
    loop : {"exhaustive", "paper"}
    """
    if loop not in LOOPS:
        raise UnknownNameError("loop", loop, LOOPS)
    return _Clustering(X, y, conflicting_labels(X, y), paper=loop == "paper").run()


def conflicting_labels(X: Floats, y: Labels) -> NDArray[np.bool_]:
    """Which pairs of labels have hulls that meet, in the order of ``np.unique(y)``.

    The directions of linear discriminant analysis, one for each pair, settle most; then
    `hulls.separate` does.

    Returns
    -------
    ndarray of bool, shape (n_labels, n_labels), symmetric
    """
    labels = np.unique(y)
    points = [X[y == label].astype(np.float64) for label in labels]
    centroids = np.array([block.mean(axis=0) for block in points])
    scatter = sum(_scatter(block) for block in points) / len(X)
    scatter.flat[:: X.shape[1] + 1] += 1e-6 * np.trace(scatter) / X.shape[1] + 1e-30
    towards = np.linalg.solve(scatter, centroids.T).T
    conflict = np.zeros((len(labels), len(labels)), dtype=bool)
    for i in range(len(labels)):
        for j in range(i + 1, len(labels)):
            width, _ = hyperplane_gap(points[i], points[j], towards[i] - towards[j])
            conflict[i, j] = not width > 0 and not separate(points[i], points[j]).separable
    return conflict | conflict.T


def _scatter(points: Array) -> Array:
    centred = points - points.mean(axis=0)
    return np.asarray(centred.T @ centred)


def centroid(points: Array | Floats) -> Array:
    """Mean of the rows, rounded to float32 (as the original keeps it), held in float64."""
    return points.mean(axis=0, dtype=np.float64).astype(np.float32).astype(np.float64)


def centroid_distances(c: Array, C: Array) -> Floats:
    """Distances from rows `c` to rows `C`, float32; equal rows are exactly 0 apart."""
    c_lengths, C_lengths = (np.einsum("...i,...i->...", v, v) for v in (c, C))
    lengths = np.add.outer(c_lengths, C_lengths)
    squares = lengths - 2 * (c @ C.T)
    squares[squares <= 1e-14 * lengths] = 0
    return np.sqrt(squares).astype(np.float32)


@dataclass
class _Label:
    """The clusters of one label. A cluster keeps the slot of its lowest row; others fall empty."""

    members: list[Rows]  # rows of X, per slot
    centroids: Array  # (m, dim), float32 values
    near: Floats  # (m, m) distances between centroids; inf: never (again)
    cannot: NDArray[np.bool_]  # (m, m) rejected, itself or in a part
    inherit: bool  # whether cannot-links take a pair out of `near`
    keys: Rows  # lowest row of each slot: the name of the cluster
    radius: Array = field(init=False)
    best: Floats = field(init=False)
    nearest: Rows = field(init=False)
    alive: NDArray[np.bool_] = field(init=False)

    @classmethod
    def singletons(cls, X: Floats, rows: Rows, barred: NDArray[np.bool_], inherit: bool) -> "_Label":
        """Every point a cluster; `barred` points merge with none."""
        points = X[rows].astype(np.float64)
        m = len(rows)
        near = np.empty((m, m), dtype=np.float32)
        for start in range(0, m, BLOCK):
            near[start : start + BLOCK] = centroid_distances(points[start : start + BLOCK], points)
        cannot = barred[:, None] | barred
        if inherit:
            near[cannot] = np.inf
        np.fill_diagonal(near, np.inf)
        return cls([rows[i : i + 1] for i in range(m)], points, near, cannot, inherit, rows)

    def __post_init__(self) -> None:
        m = len(self.members)
        self.radius = np.zeros(m)
        self.alive = np.ones(m, dtype=bool)
        self.nearest = self.near.argmin(axis=1)
        self.best = self.near[np.arange(m), self.nearest]

    def closest(self) -> tuple[float, int, int]:
        """Distance and slots of the closest pair; infinite where none is left."""
        i = int(self.best.argmin())
        return float(self.best[i]), i, int(self.nearest[i])

    def reject(self, i: int, j: int) -> None:
        """Take a pair out, for good."""
        self.cannot[i, j] = self.cannot[j, i] = True
        self.near[i, j] = self.near[j, i] = np.inf
        self._search(np.array([i, j]))

    def merge(self, i: int, j: int, new_centroid: Array, radius: float) -> None:
        """Put the clusters of slots i < j into slot i."""
        self.members[i] = np.concatenate([self.members[i], self.members[j]])
        self.members[j] = self.members[j][:0]
        self.centroids[i], self.radius[i], self.alive[j] = new_centroid, radius, False
        self.cannot[i] |= self.cannot[j]
        self.cannot[:, i] = self.cannot[i]
        row = centroid_distances(new_centroid, self.centroids)
        row[~self.alive] = np.inf
        row[i] = np.inf
        if self.inherit:
            row[self.cannot[i]] = np.inf
        lost = (self.nearest == i) | (self.nearest == j)
        self.near[i] = self.near[:, i] = row
        self.near[j] = self.near[:, j] = np.inf
        closer = (row < self.best) | ((row == self.best) & (i < self.nearest))
        self.best[closer], self.nearest[closer] = row[closer], i
        lost[[i, j]] = True
        self._search(np.flatnonzero(lost))

    def _search(self, slots: Rows) -> None:
        for slot in slots:
            self.nearest[slot] = self.near[slot].argmin()
            self.best[slot] = self.near[slot, self.nearest[slot]]

    def compact(self) -> None:
        """Drop empty slots once they are most."""
        keep = np.flatnonzero(self.alive)
        if 2 * len(keep) > len(self.alive) or len(self.alive) < 64:
            return
        square = np.ix_(keep, keep)
        radius = self.radius[keep]
        self.near, self.cannot = self.near[square], self.cannot[square]
        self.centroids, self.keys = self.centroids[keep], self.keys[keep]
        self.members = [self.members[slot] for slot in keep]
        self.__post_init__()
        self.radius = radius


class _Clustering:
    """The loop over all labels; see the module docstring."""

    def __init__(self, X: Floats, y: Labels, conflict: NDArray[np.bool_], paper: bool) -> None:
        self.X, self.y, self.paper = X, y, paper
        self.conflict = conflict
        self.foes = [np.flatnonzero(row) for row in conflict]
        self.lengths = np.einsum("ij,ij->i", X, X)
        barred = shared_points(X, y)
        self.labels = []
        for label, foes in zip(np.unique(y), self.foes):
            rows = np.flatnonzero(y == label)
            settled = not paper and not len(foes)
            self.labels.append(
                _whole(X, rows)
                if settled
                else _Label.singletons(X, rows, barred[rows], inherit=not paper)
            )
        self.planes: dict[tuple[int, int], Floats] = {}
        self.killers: dict[int, list[int]] = {}
        self.owner = np.arange(len(X))

    def run(self) -> Labels:
        """Merge until no pair, or no attempt, is left."""
        attempts_left = np.inf
        heads = [block.closest() for block in self.labels]
        while attempts_left > 0:
            label = int(np.argmin([head[0] for head in heads]))
            distance, i, j = heads[label]
            if distance == np.inf:
                break
            if self._try(label, min(i, j), max(i, j)):
                attempts_left -= 1
            else:
                if attempts_left == np.inf and self.paper:
                    attempts_left = sum(int(block.alive.sum()) for block in self.labels)
                attempts_left -= 1
            heads[label] = self.labels[label].closest()
        return self._ids()

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
        members = {key: rows_ for key, rows_ in self._near_foes(label, middle, radius)}
        if not members:
            return False
        for key in self._killers(keys):
            if key in members and not self._apart(T, members.pop(key), keys, key):
                return self._blame(keys, key)
        left = self._not_between_centroids(T, middle, members)
        for key in sorted(left, key=lambda key: -len(members[key])):
            if not self._apart(T, members[key], keys, key):
                return self._blame(keys, key)
        return False

    def _near_foes(self, label: int, middle: Array, radius: float) -> Iterator[tuple[int, Rows]]:
        """Clusters of conflicting labels whose ball meets the ball around `middle`."""
        for foe in self.foes[label]:
            block = self.labels[foe]
            reach = block.radius + radius
            difference = centroid_distances(middle, block.centroids)
            for slot in np.flatnonzero((difference <= reach * (1 + SLACK)) & block.alive):
                yield int(block.keys[slot]), block.members[slot]

    def _not_between_centroids(
        self, T: Floats, middle: Array, members: dict[int, Rows]
    ) -> list[int]:
        """Foes that the slab along the line of centroids does not clear."""
        keys = list(members)
        if not keys:
            return []
        sizes = np.array([len(members[key]) for key in keys])
        starts = np.r_[0, sizes.cumsum()[:-1]]
        points = self.X[np.concatenate([members[key] for key in keys])]
        centres = np.add.reduceat(points, starts) / sizes[:, None]
        W = (middle - centres).astype(np.float32)
        W /= np.maximum(np.linalg.norm(W, axis=1, keepdims=True), 1e-30)
        ours = (T @ W.T).min(axis=0)
        theirs = np.maximum.reduceat(
            np.einsum("ij,ij->i", points, np.repeat(W, sizes, axis=0)), starts
        )
        slack = SLACK * np.sqrt(self.lengths.max())
        return [key for key, gap in zip(keys, ours - theirs) if not gap > slack]

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

    def _ids(self) -> Labels:
        ids = np.empty(len(self.X), dtype=np.int64)
        clusters = [rows for block in self.labels for rows in block.members if len(rows)]
        for number, rows in enumerate(sorted(clusters, key=lambda rows: int(rows.min()))):
            ids[rows] = number
        return ids


def _whole(X: Floats, rows: Rows) -> _Label:
    """A label that is one cluster at once."""
    one = np.full((1, 1), np.inf, dtype=np.float32)
    return _Label([rows], centroid(X[rows])[None], one, one > 0, True, rows[:1])


def shared_points(X: Floats, y: Labels) -> NDArray[np.bool_]:
    """Which points have an exact copy under another label: they can merge with none."""
    _, group = np.unique(X, axis=0, return_inverse=True)
    group = group.reshape(-1)
    low, high = np.full(group.max() + 1, y.max()), np.full(group.max() + 1, y.min())
    np.minimum.at(low, group, y)
    np.maximum.at(high, group, y)
    return np.asarray((low < high)[group])
