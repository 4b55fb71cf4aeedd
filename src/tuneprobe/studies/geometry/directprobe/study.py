"""The geometry study: DirectProbe at every layer of every state, and how far labels are apart.

`layer_geometry` turns one labelled space into tables; `cluster_spaces` runs it over layers and
states. The distances of label pairs go to ``distances.parquet``, which other stages read with
`read_distances`.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuneprobe.artifacts import ArtifactError, readable
from tuneprobe.formats.representations import Representations
from tuneprobe.formats.results import Result
from tuneprobe.rng import rng
from tuneprobe.spaces import Numbers, Space, Vectors
from tuneprobe.studies.geometry.directprobe.clusters import (
    Clustering,
    check_points,
    cluster,
    conflicting_labels,
    rows_by_label,
)
from tuneprobe.studies.geometry.directprobe.directprobe_files import write_directprobe
from tuneprobe.studies.geometry.directprobe.distances import Distances, measure, nearest_cluster
from tuneprobe.studies.geometry.directprobe.hulls import hull_distance
from tuneprobe.units import (
    NUMBERS,
    Tables,
    chosen,
    layer_units,
    measured,
    number_table,
    result_rows,
)

STUDY = "geometry"
DISTANCES = "distances.parquet"
DISTANCE_COLUMNS = ("state", "layer", "split", "linear", "label1", "label2", "distance")

LINEAR_MORE = 10  # times max_clusters: the most labels of a linear space whose hulls are measured

Array = NDArray[np.float64]
LOG = logging.getLogger(__name__)


@contextmanager
def cluster_spaces(
    states: Mapping[str, Representations],
    table: pd.DataFrame,
    *,
    nearest: str,
    max_nearest: int,
    encoder: str,
    task: str,
    seed: int,
    cache: Path,
    workers: int,
    backend: str = "local",
    **settings: Any,
) -> Iterator[tuple[list[Result], Tables]]:
    """Result rows and tables of `layer_geometry` for every layer of every state.

    Parameters
    ----------
    states : mapping
        Name of a state to its representations.
    table : DataFrame
        Of `spaces.example_table`.
    nearest : str
        On which layers there is a ``nearest_accuracy``, as `units.chosen` has it.
    cache, workers, backend
        As in `units.measured`: the cache is removed when the block ends well.
    **settings
        Further keyword arguments of `layer_geometry`.
    """

    def arguments(layer: int, last: int) -> dict[str, Any]:
        at_most = max_nearest if chosen(nearest, layer, last) else 0
        return {**settings, "max_nearest": at_most, "seed": seed}

    where: dict[str, Any] = {"cache": cache, "workers": workers, "backend": backend}
    with measured(layer_geometry, layer_units(states, arguments), table, **where) as found:
        keys: dict[str, Any] = {"encoder": encoder, "task": task, "seed": seed}
        yield result_rows(found[NUMBERS], study=STUDY, **keys), found


def layer_geometry(
    space: Space,
    *,
    loop: str,
    min_cluster_size: int,
    max_clusters: int,
    max_nearest: int,
    rtol: float,
    directprobe_files: bool,
    seed: int,
) -> Tables:
    """DirectProbe of one space.

    Parameters
    ----------
    loop, min_cluster_size
        As in `clusters.cluster` and `distances.measure`.
    max_clusters : int
        A space with more clusters gives neither distances nor a nearest-cluster accuracy, unless
        it is linear: their cost grows with the square. A linear space gives them up to ten times
        as many: its clusters are its labels. A warning and DirectProbe's log.txt say so.
    max_nearest : int
        Test examples of ``nearest_accuracy`` at most, a random sample; 0 for none.
    rtol : float
        Relative width of the certified intervals of hull distances.
    directprobe_files : bool
        Whether to give the original's six output files.

    Returns
    -------
    dict of DataFrame
        ``numbers``: n_clusters, n_labels, is_linear (1 or 0), conflicts (label pairs whose hulls
        meet), n_shared (examples with a copy under another label); where distances are measured
        inside_max, inside_mean, outside_min, separation (outside_min / inside_mean) by label, and
        their means over the labels (no label); nearest_accuracy in percent. ``distances``: split,
        linear, label1, label2, distance. ``directprobe``: file, text.
    """
    names, y, y_test = space.numbered()
    clustering = cluster(space.X_train, y, loop=loop)
    n, n_clusters = len(y), len(clustering.labels)
    numbers = [
        Result("n_clusters", n_clusters, n=n),
        Result("n_labels", len(clustering.conflict), n=n),
        Result("is_linear", float(clustering.is_linear), n=n),
        Result("conflicts", clustering.conflict.sum() / 2, n=n),
        Result("n_shared", clustering.n_shared, n=n),
    ]
    between: list[tuple[str, bool, str, str, float]] = []
    if len(names) <= LINEAR_MORE * max_clusters:
        between += _test_distances(space.X_test, y_test, names, rtol)
    tables: Tables = {}
    found = None
    reason = too_many_clusters(clustering, max_clusters)
    if reason:
        LOG.warning(reason)
    else:
        found = measure(space.X_train, clustering, min_cluster_size=min_cluster_size, rtol=rtol)
        numbers += _label_numbers(found, names, np.bincount(y, minlength=len(names)))
        train = label_pairs(found.label_distances, found.labels, names)
        between = [("train", clustering.is_linear, *pair) for pair in train] + between
        if max_nearest:
            numbers.append(_nearest_accuracy(space, clustering, y_test, max_nearest, seed))
    if directprobe_files:
        tables["directprobe"] = _directprobe_texts(clustering, found, names, reason)
    tables["distances"] = pd.DataFrame(between, columns=list(DISTANCE_COLUMNS[2:]))
    return {NUMBERS: number_table(numbers), **tables}


def too_many_clusters(clustering: Clustering, max_clusters: int) -> str:
    """The sentence that says why a space gets no distances; empty where it gets them.

    The number of hull distances grows with the square of the clusters. Those of a linear space are
    few and quick, so it may have `LINEAR_MORE` times as many clusters.
    """
    n_clusters = len(clustering.labels)
    at_most = LINEAR_MORE * max_clusters if clustering.is_linear else max_clusters
    if n_clusters <= at_most:
        return ""
    kind = "linear" if clustering.is_linear else "non-linear"
    return (
        f"No distances: {n_clusters} clusters, and max_clusters = {max_clusters} allows "
        f"{at_most} in a {kind} space; raise it to measure them."
    )


def hull_distances(X: Vectors, y: Numbers, *, rtol: float = 1e-6) -> tuple[Numbers, Array]:
    """Distances between the convex hulls of whole labels; 0 where two hulls meet.

    Where the space is linear these are DirectProbe's label distances, without clustering.

    Returns
    -------
    labels : int array of shape (n_labels,), the sorted labels of `y`
    distances : array of shape (n_labels, n_labels), NaN on the diagonal
    """
    X, y = check_points(X, y)
    hulls = [X[rows] for rows in rows_by_label(y)]
    conflict = conflicting_labels(X, y)
    distances = np.where(conflict, 0.0, np.nan)
    for i, j in zip(*np.nonzero(np.triu(~conflict, 1)), strict=True):
        gap = hull_distance(hulls[i], hulls[j], rtol)
        distances[[i, j], [j, i]] = gap.distance
    return np.unique(y), distances


@dataclass(frozen=True)
class LabelDistances:
    """Distances of the label pairs of one state, layer and split.

    Attributes
    ----------
    labels : tuple of str
    matrix : array of shape (n_labels, n_labels)
        Symmetric, NaN where a pair has none and on the diagonal.
    linear : bool
        Whether all labels are separable: the distances are those of one hull a label.
    """

    labels: tuple[str, ...]
    matrix: Array
    linear: bool


def read_distances(path: Path) -> dict[tuple[str, int, str], LabelDistances]:
    """Read distances.parquet of the geometry stage, by (state, layer, split)."""
    with readable(path):
        table = pd.read_parquet(path)
    if tuple(table.columns) != DISTANCE_COLUMNS:
        raise ArtifactError(
            f"{path} has columns {tuple(table.columns)}, expected {DISTANCE_COLUMNS}."
        )
    found = {}
    for key, pairs in table.groupby(["state", "layer", "split"]):
        state, layer, split = map(str, key)
        found[state, int(layer), split] = LabelDistances(
            *pair_matrix(pairs), bool(pairs.linear.all())
        )
    return found


def label_pairs(
    distances: Array, labels: Numbers, names: tuple[str, ...]
) -> Iterator[tuple[str, str, float]]:
    """The label pairs that have a distance, in sorted order: two names and the distance."""
    for i, j in combinations(range(len(labels)), 2):
        if np.isfinite(distances[i, j]):
            yield names[labels[i]], names[labels[j]], float(distances[i, j])


def pair_matrix(pairs: pd.DataFrame) -> tuple[tuple[str, ...], Array]:
    """Sorted labels and their distances, from rows of label1, label2, distance."""
    labels = tuple(sorted(set(pairs.label1) | set(pairs.label2)))
    place = {label: row for row, label in enumerate(labels)}
    rows, columns = pairs.label1.map(place), pairs.label2.map(place)
    matrix = np.full((len(labels), len(labels)), np.nan)
    matrix[rows, columns] = matrix[columns, rows] = pairs.distance
    return labels, matrix


def write_directprobe_texts(texts: pd.DataFrame, folder: Path) -> None:
    """Write the original's output files: ``<folder>/<state>/layer_XX/<file>``."""
    for state, layer, name, text in texts.itertuples(index=False):
        path = folder / state / f"layer_{layer:02d}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _test_distances(
    X: Vectors, y: Numbers, names: tuple[str, ...], rtol: float
) -> Iterator[tuple[str, bool, str, str, float]]:
    """Distances of the label pairs of the test split, if all its labels are separable."""
    if len(np.unique(y)) < 2:
        return
    labels, distances = hull_distances(X, y, rtol=rtol)
    if (distances == 0).any():
        return
    for pair in label_pairs(distances, labels, names):
        yield "test", True, *pair


def _label_numbers(
    found: Distances, names: tuple[str, ...], counts: NDArray[np.int64]
) -> Iterator[Result]:
    """Inside and outside distances of each label, their ratio, and their means over the labels."""
    apart = np.divide(
        found.outside_min,
        found.inside_mean,
        out=np.full(len(found.labels), np.nan),
        where=found.inside_mean > 0,
    )
    measured = {name: getattr(found, name) for name in ("inside_max", "inside_mean", "outside_min")}
    for metric, values in (measured | {"separation": apart}).items():
        known = np.isfinite(values)
        for label, value in zip(found.labels[known], values[known], strict=True):
            yield Result(metric, float(value), n=int(counts[label]), label=names[label])
        if known.any():
            yield Result(metric, float(values[known].mean()), n=int(known.sum()))


def _nearest_accuracy(
    space: Space, clustering: Clustering, y_test: Numbers, at_most: int, seed: int
) -> Result:
    """Share of test examples whose nearest cluster has their label, percent."""
    rows = np.arange(len(y_test))
    if len(rows) > at_most:
        rows = np.sort(rng(seed, STUDY, "nearest").choice(len(rows), at_most, replace=False))
    nearest = nearest_cluster(space.X_test[rows], space.X_train, clustering)
    right = clustering.labels[nearest] == y_test[rows]
    return Result("nearest_accuracy", 100 * float(right.mean()), n=len(rows))


def _directprobe_texts(
    clustering: Clustering, found: Distances | None, names: tuple[str, ...], reason: str
) -> pd.DataFrame:
    with TemporaryDirectory() as parent:
        folder = Path(parent) / STUDY
        write_directprobe(folder, clustering, found, names, reason=reason)
        texts = [(path.name, path.read_text(encoding="utf-8")) for path in sorted(folder.iterdir())]
    return pd.DataFrame(texts, columns=["file", "text"])
