"""Centroid linkage within one label: which two clusters are closest, now that these were merged?

Distances are kept in full (float32). Each slot knows its nearest neighbour. When that one is gone,
the old distance bounds the new one from below, and the slot is searched again only once the bound
is the smallest of all. A merged cluster may be nearer than both its parts were: its new row tells.
Equal distances: the lowest slots first.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tuneprobe.studies.geometry.directprobe.squared_hinge import Array

Rows = NDArray[np.int64]
Floats = NDArray[np.float32]

BLOCK = 1024  # rows of a distance matrix computed at once


def centroid(points: Array | Floats) -> Array:
    """Mean of the rows, rounded to float32 (as the original keeps it), held in float64."""
    return points.mean(axis=0, dtype=np.float64).astype(np.float32).astype(np.float64)


def centroid_distances(c: Array, C: Array, C_squares: Array | None = None) -> Floats:
    """Distances from rows `c` to rows `C`, float32; equal rows are exactly 0 apart.

    `C_squares` are the squared lengths of the rows of `C`, where they are known.
    """
    squares = np.add.outer(_squares(c), _squares(C) if C_squares is None else C_squares)
    nothing = 1e-14 * squares
    squares -= 2 * (c @ C.T)
    squares[squares <= nothing] = 0
    return np.sqrt(squares).astype(np.float32)


def _squares(rows: Array) -> Array:
    return np.asarray(np.einsum("...i,...i->...", rows, rows))


@dataclass
class Linkage:
    """The clusters of one label and the distances between their centroids.

    A cluster keeps the slot of its lowest row; merged slots fall empty, and `compact` drops them.
    """

    members: list[Rows]  # rows of X, per slot
    centroids: Array  # (m, dim), float32 values
    near: Floats  # (m, m) distances between centroids; inf: never (again)
    cannot: NDArray[np.bool_]  # (m, m) rejected, itself or in a part
    inherit: bool  # whether cannot-links take a pair out of `near`
    keys: Rows  # lowest row of each slot: the name of the cluster
    squares: Array = field(init=False)
    radius: Array = field(init=False)
    best: Floats = field(init=False)  # distance to the nearest slot, or less where stale
    nearest: Rows = field(init=False)
    stale: NDArray[np.bool_] = field(init=False)  # the nearest slot has changed or is gone
    alive: NDArray[np.bool_] = field(init=False)

    @classmethod
    def singletons(
        cls, X: Floats, rows: Rows, barred: NDArray[np.bool_], *, inherit: bool
    ) -> "Linkage":
        """Every row a cluster; `barred` rows merge with none."""
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

    @classmethod
    def whole(cls, X: Floats, rows: Rows) -> "Linkage":
        """All rows one cluster."""
        alone = np.full((1, 1), np.inf, dtype=np.float32)
        return cls([rows], centroid(X[rows])[None], alone, alone > 0, True, rows[:1])

    def __post_init__(self) -> None:
        m = len(self.members)
        self.squares = _squares(self.centroids)
        self.radius = np.zeros(m)
        self.alive = np.ones(m, dtype=bool)
        self.stale = np.zeros(m, dtype=bool)
        self.nearest = self.near.argmin(axis=1)
        self.best = self.near[np.arange(m), self.nearest]

    def closest(self) -> tuple[float, int, int]:
        """Distance and slots of the closest pair; infinite where none is left."""
        while self.stale[i := int(self.best.argmin())]:
            self.nearest[i] = self.near[i].argmin()
            self.best[i] = self.near[i, self.nearest[i]]
            self.stale[i] = False
        return float(self.best[i]), i, int(self.nearest[i])

    def reject(self, i: int, j: int) -> None:
        """Take a pair out, for good."""
        self.cannot[i, j] = self.cannot[j, i] = True
        self.near[i, j] = self.near[j, i] = np.inf
        self.stale[[i, j]] = True

    def merge(self, i: int, j: int, new_centroid: Array, radius: float) -> None:
        """Put the clusters of slots i < j into slot i."""
        self.members[i] = np.concatenate([self.members[i], self.members[j]])
        self.members[j] = self.members[j][:0]
        self.centroids[i], self.radius[i], self.alive[j] = new_centroid, radius, False
        self.cannot[i] |= self.cannot[j]
        self.cannot[:, i] = self.cannot[i]
        self.squares[i] = _squares(new_centroid)
        row = centroid_distances(new_centroid, self.centroids, self.squares)
        row[~self.alive] = np.inf
        row[i] = np.inf
        if self.inherit:
            row[self.cannot[i]] = np.inf
        self.near[i] = self.near[:, i] = row
        self.near[j] = self.near[:, j] = np.inf
        self.stale |= (self.nearest == i) | (self.nearest == j)
        self.stale[[i, j]] = True
        self.best[i] = row.min()
        self.best[j] = np.inf
        closer = (row < self.best) | ((row == self.best) & (i < self.nearest) & ~self.stale)
        self.best[closer], self.nearest[closer], self.stale[closer] = row[closer], i, False

    def compact(self) -> bool:
        """Drop empty slots once they are a quarter; whether they were."""
        keep = np.flatnonzero(self.alive)
        if 4 * len(keep) > 3 * len(self.alive) or len(self.alive) < 64:
            return False
        square = np.ix_(keep, keep)
        radius = self.radius[keep]
        self.near, self.cannot = self.near[square], self.cannot[square]
        self.centroids, self.keys = self.centroids[keep], self.keys[keep]
        self.members = [self.members[slot] for slot in keep]
        self.__post_init__()
        self.radius = radius
        return True
