"""Training dynamics: how labels part while an encoder is tuned.

Snapshots are folders ``step_00000``, ``step_00005``, ... of representations, listed in the
``steps`` of meta.json. Distances and centroids are those of the training examples. The distance of
two labels is that of their convex hulls, 0 where they meet: DirectProbe's distance wherever the
space is linear, and no clustering is needed. How well labels are told apart at a step is read from
the test examples by the nearest centroid, which costs no training.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import nan
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr

from tuneprobe.artifacts import read_meta
from tuneprobe.formats.examples import Examples
from tuneprobe.formats.representations import Representations, open_representations
from tuneprobe.formats.results import Result, stamp
from tuneprobe.spaces import Space
from tuneprobe.states import FINETUNED
from tuneprobe.stats import correlation_bounds
from tuneprobe.studies.geometry.directprobe.study import hull_distances, label_pairs, pair_matrix
from tuneprobe.studies.geometry.similarity.similarity import SimilarityError, spatial_similarity
from tuneprobe.units import Tables, layer_units, measured

STUDY = "dynamics"
STEP = "step_{:05d}"
FOLLOWED = 3  # labels whose centroids are followed where none are named
TURN, FLAT = 0.1, 0.01  # of the range, and of the largest value: a smaller rise or fall is no turn

Array = NDArray[np.float64]


class Dynamics(NamedTuple):
    """The tables of one fine-tuning; layers and steps as numbers.

    Attributes
    ----------
    steps : step, layer, label, outside_min, n
        Smallest distance of a label to another one, and its training examples.
    similarity : step, layer, spatial_similarity, linear, n
        Spatial similarity to the first step; whether both spaces are linear; labels.
    changes : layer, label, first, last, change, place
        outside_min at the first and the last step; ``most`` and ``least`` mark the labels whose
        distance increased most and least in their layer.
    paths : layer, label, step, x, y
        Centroids of the followed labels on the first two principal axes of all of them.
    differences : layer, label, x, y, length
        Last centroid minus first, on the first two principal axes of all labels' differences, from
        the origin; and its length in the full space.
    numbers : layer, metric, value, low, high, n
        What `movement` makes of each layer; intervals have no bounds where n is too small.
    """

    steps: pd.DataFrame
    similarity: pd.DataFrame
    changes: pd.DataFrame
    paths: pd.DataFrame
    differences: pd.DataFrame
    numbers: pd.DataFrame


def open_snapshots(folder: Path, examples: Examples) -> dict[str, Representations]:
    """The representations of every step, by name of the step's folder, ascending."""
    names = [STEP.format(step) for step in sorted(read_meta(folder)["steps"])]
    return {name: open_representations(folder / name, examples) for name in names}


@contextmanager
def follow_snapshots(
    snapshots: Mapping[str, Representations],
    table: pd.DataFrame,
    *,
    rtol: float,
    path_labels: Sequence[str],
    most: int,
    confidence: float,
    encoder: str,
    task: str,
    seed: int,
    cache: Path,
    workers: int,
    backend: str = "local",
) -> Iterator[tuple[list[Result], Dynamics]]:
    """Result rows and tables of a fine-tuning, from `layer_snapshot` of every layer of every step.

    Parameters
    ----------
    snapshots : mapping
        Of `open_snapshots`.
    table : DataFrame
        Of `spaces.example_table`.
    path_labels, most, confidence
        As in `dynamics`.
    cache, workers, backend
        As in `units.measured`: the cache is removed when the block ends well.
    """
    units = layer_units(snapshots, lambda *_: {"rtol": rtol})
    where: dict[str, Any] = {"cache": cache, "workers": workers, "backend": backend}
    with measured(layer_snapshot, units, table, **where) as found:
        tables = dynamics(found, path_labels=path_labels, most=most, confidence=confidence)
        keys: dict[str, Any] = {"encoder": encoder, "task": task, "seed": seed}
        yield dynamics_results(tables, state=FINETUNED, **keys, level=confidence), tables


def layer_snapshot(space: Space, *, rtol: float) -> Tables:
    """Label distances and centroids of the training examples at one step and layer.

    Returns
    -------
    dict of DataFrame
        ``labels``: label, n, outside_min, centroid (a list of numbers), recall (share of the
        label's test examples whose nearest centroid is its own; NaN without any). ``pairs``:
        label1, label2, distance.
    """
    names, y, y_test = space.numbered()
    labels, distances = hull_distances(space.X_train, y, rtol=rtol)
    X = space.X_train.astype(np.float64)
    centroids = np.stack([X[y == label].mean(axis=0) for label in labels])
    nearest = labels[cdist(space.X_test.astype(np.float64), centroids).argmin(axis=1)]
    right, n_test = (
        np.bincount(y_test, weights, len(names))[labels] for weights in (nearest == y_test, None)
    )
    of_label = {
        "label": [names[label] for label in labels],
        "n": np.bincount(y)[labels],
        "outside_min": np.nanmin(distances, axis=1),
        "centroid": centroids.tolist(),
        "recall": np.divide(right, n_test, out=np.full(len(labels), np.nan), where=n_test > 0),
    }
    pairs = pd.DataFrame(
        label_pairs(distances, labels, names), columns=["label1", "label2", "distance"]
    )
    return {"labels": pd.DataFrame(of_label), "pairs": pairs}


def dynamics(
    found: Tables, *, path_labels: Sequence[str], most: int, confidence: float
) -> Dynamics:
    """The tables of a fine-tuning from those of its units.

    Parameters
    ----------
    found : dict of DataFrame
        What `units.measured` makes of `layer_snapshot`; the states are the steps.
    path_labels : sequence of str
        Labels to follow; where the task has none of them, the three most frequent.
    most : int
        How many labels of a layer are marked ``most`` and ``least``.
    confidence : float
        Of the intervals of correlations.
    """
    labels, pairs = (_with_steps(found[name]) for name in ("labels", "pairs"))
    followed = _followed(labels, path_labels)
    return Dynamics(
        steps=labels[["step", "layer", "label", "outside_min", "n"]],
        similarity=_similarity(pairs),
        changes=_by_layer(labels, _changes, most),
        paths=_by_layer(labels, _paths, followed),
        differences=_by_layer(labels, _differences),
        numbers=_by_layer(labels, movement, confidence),
    )


def dynamics_results(
    tables: Dynamics, *, state: str, encoder: str, task: str, seed: int, level: float = nan
) -> list[Result]:
    """Result rows of a fine-tuning, in the rows of the state that it ends in.

    Per layer: ``outside_min_change`` of each label and its mean over the labels (no label);
    ``spatial_similarity`` of a step to the first one, where both spaces are linear; and the
    numbers of `movement`, whose intervals have the confidence `level`.
    """

    def row(layer: Any, metric: str, value: Any, n: Any, **facet: Any) -> Result:
        return Result(metric, float(value), n=int(n), layer=int(layer), **facet)

    rows = []
    n_of = tables.steps.groupby("label").n.first()
    for layer, changes in tables.changes.groupby("layer"):
        mean, n_labels = changes.change.mean(), len(changes)
        rows.append(row(layer, "outside_min_change", mean, n_labels))
        for label, change in zip(changes.label, changes.change, strict=True):
            rows.append(row(layer, "outside_min_change", change, n_of[label], label=label))
    linear = tables.similarity[tables.similarity.linear]
    columns = (linear.layer, linear.spatial_similarity, linear.n, linear.step)
    for layer, similarity, n, step in zip(*columns, strict=True):
        rows.append(row(layer, "spatial_similarity", similarity, n, step=int(step)))
    for layer, metric, value, low, high, n in tables.numbers.itertuples(index=False):
        rows.append(row(layer, metric, value, n, low=low, high=high))
    keys: dict[str, Any] = {"study": STUDY, "encoder": encoder, "task": task, "seed": seed}
    return stamp(rows, **keys, state=state, level=level)


def movement(labels: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """How the labels of one layer moved: metric, value, low, high, n (labels, or steps).

    ``n_turning``: how many labels have an outside_min that is not monotone: over the steps it both
    rises and falls by more than a tenth of its range. ``direction``: mean cosine of the differences
    of two labels' centroids, last less first; 1 where all move alike, 0 expected of unrelated ways.
    ``closest_parting``: mean over the labels of ``log2 (d_last / d_first)``, d the distance to the
    centroid that was closest at the first step. ``gain_by_label``: Spearman correlation over the
    labels of the changes of outside_min and of recall from the first to the last step.
    ``gain_by_step``: the same of the means over the labels, over the changes from step to step. A
    correlation that is not defined has no row.

    Parameters
    ----------
    labels : DataFrame
        step, label, outside_min, centroid, recall of one layer.
    """
    distance, recall = (
        labels.pivot(index="label", columns="step", values=name).sort_index(axis=1)
        for name in ("outside_min", "recall")
    )
    first, last = (distance.columns[place] for place in (0, -1))
    ends = [labels[labels.step == step].set_index("label") for step in (first, last)]
    before, after = (np.stack(end.centroid.loc[distance.index].to_list()) for end in ends)
    found = [
        ("n_turning", float(turning(distance.to_numpy()).sum()), nan, nan, len(distance)),
        ("direction", mean_cosine(after - before), nan, nan, len(distance)),
        ("closest_parting", _closest_parting(before, after), nan, nan, len(distance)),
    ]
    by_label = (distance[last] - distance[first], recall[last] - recall[first])
    by_step = (one.mean().diff() for one in (distance, recall))
    for metric, changes in (("gain_by_label", by_label), ("gain_by_step", by_step)):
        known = pd.concat(list(changes), axis=1).dropna()
        if len(known) > 3 and (known.nunique() > 1).all():
            correlation = float(spearmanr(*known.to_numpy().T).statistic)
            bounds = correlation_bounds(correlation, len(known), confidence=confidence)
            found.append((metric, correlation, *bounds, len(known)))
    numbers = pd.DataFrame(found, columns=["metric", "value", "low", "high", "n"])
    return numbers[numbers.value.notna()]


def turning(curves: Array) -> NDArray[np.bool_]:
    """Whether each curve both rises and falls; (n, n_steps) to (n,).

    From any step to any later one, by more than `TURN` of its range and `FLAT` of its largest
    value: distances are certified to a thousandth.

    >>> turning(np.array([[1.0, 2.0, 1.95, 3.0], [1.0, 2.0, 1.5, 3.0], [1.0, 1.0, 1.0, 1.0]]))
    array([False,  True, False])
    """
    rise, fall = (
        (one - np.minimum.accumulate(one, axis=1)).max(axis=1) for one in (curves, -curves)
    )
    least = np.maximum(TURN * np.ptp(curves, axis=1), FLAT * np.abs(curves).max(axis=1))
    return np.asarray(np.minimum(rise, fall) > least)


def mean_cosine(moves: Array) -> float:
    """Mean cosine of two different rows, of those that are not zero; NaN for fewer than two.

        (|Σ u|² - n) / (n (n - 1)),    u = row / |row|

    >>> mean_cosine(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 0.0], [-1.0, 0.0]])).__round__(6)
    -0.333333
    """
    length = np.linalg.norm(moves, axis=1)
    units = moves[length > 0] / length[length > 0, None]
    n = len(units)
    return float(((units.sum(axis=0) ** 2).sum() - n) / (n * (n - 1))) if n > 1 else nan


def _closest_parting(before: Array, after: Array) -> float:
    """Mean log2 ratio of the distances to the centroid closest before; NaN where two coincide."""
    apart = cdist(before, before)
    np.fill_diagonal(apart, np.inf)
    near, own = apart.argmin(axis=1), np.arange(len(before))
    start, end = apart[own, near], np.linalg.norm(after - after[near], axis=1)
    known = (start > 0) & (end > 0)
    return float(np.log2(end[known] / start[known]).mean()) if known.any() else nan


def principal_axes(X: Array) -> Array:
    """First two principal axes of the rows, shape (dim, 2); the largest entry of each positive.

    An axis along which the rows do not vary is zero.

    >>> principal_axes(np.array([[1.0, 0, 0], [0, 0, 0], [3.0, 0, 0]])).round(6)
    array([[1., 0.],
           [0., 0.],
           [0., 0.]])
    """
    centred = X - X.mean(axis=0)
    _, spread, rows = np.linalg.svd(centred, full_matrices=False)
    axes = np.zeros((X.shape[1], 2))
    kept = min(2, int((spread > 1e-12 * max(spread[0], 1e-300)).sum()))
    axes[:, :kept] = rows[:kept].T
    largest = axes[np.abs(axes).argmax(axis=0), [0, 1]]
    return np.asarray(axes * np.where(largest < 0, -1, 1))


def _with_steps(table: pd.DataFrame) -> pd.DataFrame:
    """The number of updates in place of the name of the folder."""
    steps = table.state.str.removeprefix("step_").astype(int)
    return table.drop(columns="state").assign(step=steps)


def _followed(labels: pd.DataFrame, wanted: Sequence[str]) -> list[str]:
    n_of = labels.groupby("label").n.first()
    present = [label for label in wanted if label in n_of.index]
    return present or n_of.sort_values(ascending=False, kind="stable").index[:FOLLOWED].tolist()


def _by_layer(
    labels: pd.DataFrame, make: Callable[..., pd.DataFrame], *args: object
) -> pd.DataFrame:
    """What `make` gives for the rows of each layer, with the layer in front."""
    tables = []
    for layer, rows in labels.groupby("layer"):
        table = make(rows, *args)
        table.insert(0, "layer", layer)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _similarity(pairs: pd.DataFrame) -> pd.DataFrame:
    """Spatial similarity of every step to the first; steps that leave it undefined are left out."""
    rows = []
    for layer, of_layer in pairs.groupby("layer"):
        spaces = {step: pair_matrix(rows) for step, rows in of_layer.groupby("step")}
        labels, first = spaces[_ends(of_layer.step)[0]]
        for step, (_, matrix) in spaces.items():
            try:
                value = spatial_similarity(first, matrix, labels, labels)
            except SimilarityError:  # two labels, or all pairs equally far
                continue
            linear = not ((first == 0).any() or (matrix == 0).any())
            rows.append((step, layer, value, linear, len(labels)))
    return pd.DataFrame(rows, columns=["step", "layer", "spatial_similarity", "linear", "n"])


def _changes(labels: pd.DataFrame, most: int) -> pd.DataFrame:
    by_step = labels.pivot(index="label", columns="step", values="outside_min")
    first, last = (by_step[step] for step in _ends(labels.step))
    changes = pd.DataFrame({"first": first, "last": last, "change": last - first})
    order = changes.change.sort_values(ascending=False, kind="stable").index
    changes["place"] = ""
    changes.loc[order[-most:], "place"] = "least"
    changes.loc[order[:most], "place"] = "most"
    return changes.reset_index()


def _paths(labels: pd.DataFrame, followed: Sequence[str]) -> pd.DataFrame:
    rows = labels[labels.label.isin(followed)].sort_values(["label", "step"], kind="stable")
    centroids = np.stack(rows.centroid.to_list())
    x, y = ((centroids - centroids.mean(axis=0)) @ principal_axes(centroids)).T
    return rows[["label", "step"]].assign(x=x, y=y)


def _differences(labels: pd.DataFrame) -> pd.DataFrame:
    ends = [labels[labels.step == step].set_index("label") for step in _ends(labels.step)]
    first, last = (np.stack(end.centroid.loc[ends[0].index].to_list()) for end in ends)
    differences = last - first
    x, y = (differences @ principal_axes(differences)).T
    length = np.linalg.norm(differences, axis=1)
    return pd.DataFrame({"label": ends[0].index, "x": x, "y": y, "length": length})


def _ends(steps: pd.Series) -> tuple[int, int]:
    """The first and the last step."""
    return int(steps.min()), int(steps.max())
