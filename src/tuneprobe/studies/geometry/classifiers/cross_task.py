"""Cross-task probing: one task in the space of encoders that were tuned on others.

Zhou & Srikumar 2022, table 7: does tuning on a related task move the labels of this one apart, and
does the classifier gain? Distances are those of label hulls, 0 where they meet, on the training
examples.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tuneprobe.formats.representations import Representations
from tuneprobe.formats.results import Result, stamp
from tuneprobe.spaces import Space
from tuneprobe.states import FINETUNED, PRETRAINED
from tuneprobe.studies.geometry.classifiers.study import layer_accuracy
from tuneprobe.studies.geometry.directprobe.study import hull_distances
from tuneprobe.units import (
    NUMBERS,
    Tables,
    chosen,
    layer_units,
    measured,
    number_table,
    result_rows,
)

STUDY = "cross-task"


@contextmanager
def cross_spaces(
    states: Mapping[str, Representations],
    table: pd.DataFrame,
    *,
    tuned_on: Mapping[str, str],
    rtol: float,
    classifier: Mapping[str, Any],
    encoder: str,
    task: str,
    seed: int,
    confidence: float,
    bootstrap: int,
    cache: Path,
    workers: int,
    backend: str = "local",
) -> Iterator[list[Result]]:
    """Rows of `cross_results` for the last layer of every state.

    Parameters
    ----------
    states : mapping
        Name of a state to its representations; ``pretrained`` is what the others are compared with.
    tuned_on : mapping
        As for `cross_results`.
    classifier : mapping
        Keyword arguments of `layer_accuracy`; control labels and code lengths are left out.
    cache, workers, backend
        As in `units.measured`: the cache is removed when the block ends well.
    """
    extras = {"controls": False, "codelength": False, "seed": seed}
    given = {**classifier, **extras, "confidence": confidence, "bootstrap": bootstrap}
    settings = {"rtol": rtol, "classifier": given}
    units = [
        unit
        for unit in layer_units(states, lambda *_: settings)
        if chosen("last", unit.layer, unit.representations.layers[-1])
    ]
    where: dict[str, Any] = {"cache": cache, "workers": workers, "backend": backend}
    with measured(layer_labels, units, table, **where) as found:
        yield cross_results(
            found[NUMBERS],
            before=PRETRAINED,
            tuned_on=tuned_on,
            encoder=encoder,
            task=task,
            seed=seed,
            level=confidence,
        )


def layer_labels(space: Space, *, rtol: float, classifier: Mapping[str, Any]) -> Tables:
    """Smallest distance of each label to another, and the accuracy of the classifier probes.

    Parameters
    ----------
    classifier : mapping
        Keyword arguments of `classifiers.study.layer_accuracy`.

    Returns
    -------
    dict of DataFrame
        ``numbers``: outside_min by label; accuracy and std, by classifier (``mlp``, ``linear``);
        majority.
    """
    names, y, _ = space.numbered()
    labels, distances = hull_distances(space.X_train, y, rtol=rtol)
    counts = np.bincount(y)
    numbers = [
        Result("outside_min", float(value), n=int(counts[label]), label=names[label])
        for label, value in zip(labels, np.nanmin(distances, axis=1), strict=True)
    ]
    found = layer_accuracy(space, **classifier)[NUMBERS]
    return {NUMBERS: pd.concat([number_table(numbers), found], ignore_index=True)}


def cross_results(
    numbers: pd.DataFrame,
    *,
    before: str,
    tuned_on: Mapping[str, str],
    encoder: str,
    task: str,
    seed: int,
    level: float,
) -> list[Result]:
    """Result rows of all numbers, and of what became of the labels.

    Parameters
    ----------
    tuned_on : mapping
        State of the table to the task that its encoder was tuned on, where that is another one.
    """
    rows = [
        *result_rows(numbers, study=STUDY, encoder=encoder, task=task, seed=seed, level=level),
        *stamp(label_changes(numbers, before), study=STUDY, encoder=encoder, task=task, seed=seed),
    ]
    return [
        row._replace(state=FINETUNED, tuned_on=tuned_on[row.state])
        if row.state in tuned_on
        else row
        for row in rows
    ]


def label_changes(numbers: pd.DataFrame, before: str) -> Iterator[Result]:
    """What became of the labels in every other state.

    Rows of each state but `before`, per layer: ``n_increased`` and ``n_decreased``, the number of
    labels whose smallest distance to another became larger or smaller than in `before`;
    ``mean_change``, the mean over the labels. ``n`` counts the labels.

    Parameters
    ----------
    numbers : DataFrame
        What `units.measured` makes of `layer_labels`.
    """
    distances = numbers[numbers.metric == "outside_min"]
    by_label = distances.pivot(index=["layer", "label"], columns="state", values="value")
    for state in by_label.columns.drop(before):
        changes = by_label[state] - by_label[before]
        for layer, change in changes.groupby(level="layer"):
            measures = {
                "n_increased": (change > 0).sum(),
                "n_decreased": (change < 0).sum(),
                "mean_change": change.mean(),
            }
            for metric, value in measures.items():
                here = Result(metric, float(value), n=len(change), state=str(state))
                yield here._replace(layer=int(str(layer)))
