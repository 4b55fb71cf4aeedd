"""Captions of the geometry study, written from the numbers."""

from collections.abc import Mapping
from math import isfinite
from statistics import fmean, median
from typing import Any

import pandas as pd

from tuneprobe.claims import Evidence
from tuneprobe.claims.geometry import KEPT, distance_changes
from tuneprobe.collect.geometry import (
    AFTER,
    BEFORE,
    TO_ORIGINAL,
    TRAIN_TEST,
    at_last,
    task_label,
    tasks_of,
)
from tuneprobe.collect.tables import records, select
from tuneprobe.report.wording import listed, number, signed

NOTHING = "There are no two states to compare."


def both(
    evidence: Evidence, study: str, metric: str, condition: str
) -> dict[str, tuple[float, float]]:
    """Task to the value before and after tuning at the last layer, where both are known."""
    before, after = (
        at_last(evidence.results, study, metric, condition, state) for state in (BEFORE, AFTER)
    )
    return {
        task: (before[task], after[task])
        for task in tasks_of(evidence.results, study)
        if isfinite(before.get(task, float("nan"))) and isfinite(after.get(task, float("nan")))
    }


def of_tasks(count: int, total: int) -> str:
    """How many of the tasks.

    >>> of_tasks(4, 5), of_tasks(1, 1)
    ('4 of 5 tasks', 'the one task')
    """
    if total == 1:
        return "the one task" if count else "not the one task"
    return f"{count} of {total} tasks"


def classifiers_caption(evidence: Evidence) -> str:
    """In how many tasks tuning raises the accuracy, and where most."""
    found = both(evidence, "classify", "accuracy", "mlp")
    if not found:
        return NOTHING
    gaps = {task: after - before for task, (before, after) in found.items()}
    widest = max(gaps, key=lambda task: abs(gaps[task]))
    text = (
        "At the last layer the MLP is more accurate after tuning in "
        f"{of_tasks(sum(gap > 0 for gap in gaps.values()), len(gaps))}. The difference is widest "
        f"in {task_label(widest)}: {_from_to(found[widest])} %."
    )
    random = at_last(evidence.results, "classify", "accuracy", "mlp", "random")
    if random:
        text += f" An encoder with random weights gives {_range(list(random.values()))} %."
    return text


def clusters_caption(evidence: Evidence) -> str:
    """How many spaces are linear, before and after."""
    rows = select(evidence.results, study="geometry", metric="is_linear", condition="")
    if not len(rows):
        return "DirectProbe has not run."
    parts = []
    for state, name in ((BEFORE, "before"), (AFTER, "after")):
        of_state = select(rows, state=state)
        if len(of_state):
            parts.append(f"{int(of_state.value.sum())} of {len(of_state)} {name} tuning")
    text = f"Spaces (a task at a layer) whose labels are one cluster each: {listed(parts)}."
    curved = both(evidence, "geometry", "n_clusters", "")
    labels = at_last(evidence.results, "geometry", "n_labels", "", BEFORE)
    shown = [
        f"{task_label(task)} {_from_to(pair, 0)}"
        for task, pair in curved.items()
        if pair[0] > labels.get(task, pair[0])
    ]
    return text + (f" Clusters at the last layer: {'; '.join(shown)}." if shown else "")


def distances_caption(evidence: Evidence) -> str:
    """How many labels move apart, and by how much against the width of labels."""
    parts = []
    for task in tasks_of(evidence.results, "geometry"):
        changes = distance_changes(evidence, task)
        if changes:
            risen = sum(change > 0 for change in changes.values())
            parts.append(f"{risen} of {len(changes)} ({task_label(task)})")
    if not parts:
        return NOTHING
    text = (
        "Labels whose nearest other label is farther away after tuning, at the last layer: "
        f"{listed(parts)}."
    )
    wide = both(evidence, "geometry", "inside_mean", "")
    if wide:
        narrower = sum(after < before for before, after in wide.values())
        text += f" The labels themselves become narrower in {of_tasks(narrower, len(wide))}."
    return text


def spatial_caption(evidence: Evidence) -> str:
    """The least similarity to the original; whether train and test part."""
    rows = select(
        evidence.results, study="similarity", metric="spatial_similarity", condition=TO_ORIGINAL
    )
    parts = []
    if len(rows):
        least = lowest(rows)
        parts.append(
            f"The tuned spaces keep a similarity of at least {number(least['value'], 2)} to the "
            f"original ones ({task_label(least['task'])}, layer {least['layer']}); the paper finds "
            f"{number(KEPT, 1)} or more."
        )
    found = both(evidence, "similarity", "spatial_similarity", TRAIN_TEST)
    if found:
        fell = sum(after < before for before, after in found.values())
        before, after = (fmean(values) for values in zip(*found.values()))
        parts.append(
            f"At the last layer train and test are less alike after tuning in "
            f"{of_tasks(fell, len(found))}; on average {_from_to((before, after), 2)}."
        )
    return " ".join(parts) or "No pair of linear spaces was compared."


def alike_caption(rows: pd.DataFrame, names: Mapping[str, str]) -> str:
    """Where each measure is lowest; `rows` are the drawn ones."""
    parts = []
    for metric, name in names.items():
        of_metric = select(rows, metric=metric)
        if len(of_metric):
            least = lowest(of_metric)
            parts.append(
                f"{name} is lowest in {task_label(least['task'])} at layer {least['layer']}, "
                f"{number(least['value'], 2)}"
            )
    return f"{'; '.join(parts)}." if parts else "No two states were compared."


def controls_caption(evidence: Evidence) -> str:
    """Whether tuning raises selectivity and shortens the code."""
    chosen = both(evidence, "classify", "selectivity", "mlp")
    coded = both(evidence, "classify", "compression", "mlp")
    parts = []
    if chosen:
        rose = sum(after > before for before, after in chosen.values())
        middle = median(after - before for before, after in chosen.values())
        parts.append(
            f"The MLP becomes more selective with tuning in {of_tasks(rose, len(chosen))} (median "
            f"change {signed(middle)} points)."
        )
    if coded:
        rose = sum(after > before for before, after in coded.values())
        parts.append(f"The labels compress better after it in {of_tasks(rose, len(coded))}.")
    return " ".join(parts) or "Neither control labels nor codelength were measured in two states."


def lowest(rows: pd.DataFrame) -> dict[str, Any]:
    """The row with the least value."""
    return min(records(rows), key=lambda row: float(row["value"]))


def _from_to(pair: tuple[float, float], digits: int = 1) -> str:
    return f"{number(pair[0], digits)} to {number(pair[1], digits)}"


def _range(values: list[float]) -> str:
    low, high = number(min(values)), number(max(values))
    return low if low == high else f"{low} to {high}"
