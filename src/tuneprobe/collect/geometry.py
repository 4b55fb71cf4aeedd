"""What runs are compared by in the geometry study."""

from collections.abc import Iterator
from math import nan
from statistics import fmean
from typing import NamedTuple

import pandas as pd

from tuneprobe.collect.estimates import Estimate, estimates
from tuneprobe.collect.tables import CURVE_COLUMNS, last_layer, select, tidy_table

TASKS = {"pos": "POS", "dep": "DEP", "ps-role": "PS-role", "ps-fxn": "PS-fxn", "trec-50": "TREC-50"}
PROBES = {"mlp": "MLP", "linear": "linear"}
STUDIES = ("classify", "geometry", "similarity")
BEFORE, AFTER = "pretrained", "finetuned"
TO_ORIGINAL, TRAIN_TEST = f"{AFTER}/{BEFORE}", "train/test"
SPATIAL = {TO_ORIGINAL: "to the original", TRAIN_TEST: "train to test"}
HEADLINE_NAMES = (
    *(f"{key.removesuffix('-50').replace('-', '_')}_accuracy" for key in TASKS),
    "linear_layers",
    "train_test_similarity",
)
ACCURACY_COLUMNS = (*CURVE_COLUMNS, "baseline")


def task_key(task: str) -> str:
    """A task without its corpus; one that the paper does not have keeps its name.

    >>> task_key("world-ps-role"), task_key("ewt-pos"), task_key("sst2")
    ('ps-role', 'pos', 'sst2')
    """
    return next((key for key in TASKS if task == key or task.endswith(f"-{key}")), task)


def task_label(task: str) -> str:
    """A task as the paper spells it.

    >>> task_label("world-ps-role"), task_label("sst2")
    ('PS-role', 'sst2')
    """
    return TASKS.get(task_key(task), task)


def tasks_of(results: pd.DataFrame, *studies: str) -> list[str]:
    """Tasks that any of the studies has numbers of, in the paper's order."""
    order = list(TASKS)

    def place(task: str) -> tuple[int, str]:
        key = task_key(task)
        return (order.index(key) if key in TASKS else len(order), task)

    return sorted(set(select(results, study=studies or STUDIES).task), key=place)


def deepest(results: pd.DataFrame) -> int:
    """Number of the last layer in any study of labelled spaces; -1 where none has run."""
    return max(last_layer(results, study) for study in STUDIES)


def geometry_headline(results: pd.DataFrame, focus: str) -> dict[str, Estimate]:
    """Estimates of the state `focus`.

    ``<task>_accuracy`` of the paper's tasks at the last layer, by the MLP, in percent, its
    interval over the initialisations of the classifier; ``linear_layers``, how many layers of all
    tasks need one cluster a label; and ``train_test_similarity``, the spatial similarity of train
    to test at the last layer, the mean over the tasks. Of two corpora with one kind of labels the
    first counts.
    """
    found: dict[str, Estimate] = {}
    accuracy = estimates_at_last(results, "classify", "accuracy", "mlp", focus)
    for task in tasks_of(results, "classify"):
        if task_key(task) in TASKS and task in accuracy:
            name = task_key(task).removesuffix("-50").replace("-", "_")
            found.setdefault(f"{name}_accuracy", accuracy[task])
    linear = select(results, study="geometry", metric="is_linear", state=focus, condition="")
    if len(linear):
        found["linear_layers"] = Estimate(float(linear.value.sum()))
    similar = at_last(results, "similarity", "spatial_similarity", TRAIN_TEST, focus).values()
    if similar:
        found["train_test_similarity"] = Estimate(fmean(similar))
    return found


def geometry_tables(results: pd.DataFrame, focus: str) -> dict[str, pd.DataFrame]:
    """Tables of one row a point.

    ``accuracy`` the classifiers of `focus` by layer, their ``baseline`` the largest class;
    ``spatial`` the spatial similarity of the tuned space to the original one, and of train to test
    in `focus`.
    """
    return {
        "accuracy": tidy_table(list(_accuracy(results, focus)), ACCURACY_COLUMNS),
        "spatial": tidy_table(list(_spatial(results, focus)), CURVE_COLUMNS),
    }


class CrossTask(NamedTuple):
    """A row of Table 7: a task probed after tuning on another, or on itself.

    ``rose`` and ``fell`` count the labels whose smallest distance to another label changed,
    ``change`` is the mean change, ``accuracy`` that of the MLP, in percent; all at the last layer.
    """

    task: str
    tuned_on: str
    state: str
    layer: int
    rose: int
    fell: int
    change: float
    accuracy: float

    @property
    def related(self) -> bool:
        """Whether both tasks are of one family, as PS-role and PS-fxn."""
        probed, tuned = (task_key(name).partition("-")[0] for name in (self.task, self.tuned_on))
        return probed == tuned


def cross_tasks(results: pd.DataFrame) -> list[CrossTask]:
    """The rows of Table 7: first tuned on the probed task itself, then related, then others."""
    rows = select(results, study="cross-task", condition=["", "mlp"])
    rows = rows[rows.layer == rows.groupby("task").layer.transform("max")]
    found = [
        _cross_task(str(task), str(state), of_state)
        for (task, state), of_state in rows.groupby(["task", "state"])
        if state != BEFORE
    ]
    return sorted(found, key=lambda row: (row.task, row.tuned_on != row.task, not row.related))


def _cross_task(task: str, state: str, rows: pd.DataFrame) -> CrossTask:
    values = rows.set_index("metric").value.to_dict()
    return CrossTask(
        task,
        task if state == AFTER else state.removeprefix(f"{AFTER}-on-"),
        state,
        int(rows.layer.iloc[0]),
        int(values.get("n_increased", 0)),
        int(values.get("n_decreased", 0)),
        values.get("mean_change", nan),
        values.get("accuracy", nan),
    )


def at_last(
    results: pd.DataFrame, study: str, metric: str, condition: str, state: str
) -> dict[str, float]:
    """Task to the value at its last layer, where it was measured."""
    found = estimates_at_last(results, study, metric, condition, state)
    return {task: one.value for task, one in found.items()}


def estimates_at_last(
    results: pd.DataFrame, study: str, metric: str, condition: str, state: str
) -> dict[str, Estimate]:
    """Task to the estimate at its last layer, where it was measured."""
    rows = select(results, study=study, metric=metric, condition=condition, state=state)
    rows = rows[rows.layer == rows.groupby("task").layer.transform("max")]
    return dict(zip(rows.task, estimates(rows)))


def majority(results: pd.DataFrame, task: str) -> float:
    """Share of the largest class in percent; NaN where it was not measured."""
    rows = select(results, study="classify", task=task, metric="majority")
    return float(rows.value.iloc[0]) if len(rows) else nan


def layer_pairs(results: pd.DataFrame, task: str, state: str) -> pd.DataFrame:
    """Linear CKA of all pairs of layers of one state: the columns ``layer, other, value``."""
    rows = select(results, study="similarity", metric="cka", task=task, state=state)
    rows = rows[rows.condition.str.startswith("layer ")]
    other = rows.condition.str.removeprefix("layer ").astype(int)
    return rows.assign(other=other)[["layer", "other", "value"]].sort_values(["layer", "other"])


def _accuracy(results: pd.DataFrame, focus: str) -> Iterator[pd.DataFrame]:
    rows = select(results, study="classify", metric="accuracy", state=focus)
    for task in tasks_of(results, "classify"):
        for probe, label in PROBES.items():
            curve = select(rows, task=task, condition=probe).sort_values("layer")
            panel = f"{task_label(task)} · {label}"
            yield curve.assign(panel=panel, baseline=majority(results, task))


def _spatial(results: pd.DataFrame, focus: str) -> Iterator[pd.DataFrame]:
    rows = select(results, study="similarity", metric="spatial_similarity")
    for task in tasks_of(results, "similarity"):
        for condition, label in SPATIAL.items():
            state = AFTER if condition == TO_ORIGINAL else focus
            curve = select(rows, task=task, condition=condition, state=state).sort_values("layer")
            yield curve.assign(panel=f"{task_label(task)} · {label}")
