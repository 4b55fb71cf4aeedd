"""Cross-task probing: one task in the space of encoders that were tuned on others.

Zhou & Srikumar 2022, table 7: does tuning on a related task move the labels of this one apart, and
does the classifier gain? Distances are those of label hulls, 0 where they meet, on the training
examples.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tuneprobe.formats.results import NO_HEAD, Result
from tuneprobe.spaces import Space
from tuneprobe.studies.geometry.classifiers.study import layer_accuracy
from tuneprobe.studies.geometry.directprobe.study import hull_distances
from tuneprobe.units import NUMBERS, Number, Tables

STUDY = "cross-task"


def layer_labels(space: Space, *, rtol: float, classifier: Mapping[str, Any]) -> Tables:
    """Smallest distance of each label to another, and the accuracy of the classifier probes.

    Parameters
    ----------
    classifier : mapping
        Keyword arguments of `classifiers.study.layer_accuracy`.

    Returns
    -------
    dict of DataFrame
        ``numbers``: outside_min by label (the condition); accuracy and std, with the condition
        ``mlp`` or ``linear``; majority.
    """
    names, y, _ = space.numbered()
    labels, distances = hull_distances(space.X_train, y, rtol=rtol)
    counts = np.bincount(y)
    numbers = [
        Number("outside_min", names[label], float(value), n=int(counts[label]))
        for label, value in zip(labels, np.nanmin(distances, axis=1))
    ]
    found = layer_accuracy(space, **classifier)[NUMBERS]
    return {NUMBERS: pd.concat([pd.DataFrame(numbers), found], ignore_index=True)}


def change_results(
    numbers: pd.DataFrame, *, before: str, encoder: str, task: str, seed: int
) -> list[Result]:
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
    by_label = distances.pivot(index=["layer", "condition"], columns="state", values="value")
    rows = []
    for state in by_label.columns.drop(before):
        changes = by_label[state] - by_label[before]
        for layer, change in changes.groupby(level="layer"):
            measures = {
                "n_increased": (change > 0).sum(),
                "n_decreased": (change < 0).sum(),
                "mean_change": change.mean(),
            }
            where = (STUDY, encoder, task, str(state), seed, int(str(layer)), NO_HEAD)
            rows += [
                Result(*where, metric, "", float(value), n=len(change))
                for metric, value in measures.items()
            ]
    return rows
