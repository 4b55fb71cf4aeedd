"""How like each other the layers of one state are: CKA of every layer with every other."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tuneprobe.claims import Evidence
from tuneprobe.collect.geometry import (
    AFTER,
    BEFORE,
    layer_pairs,
    task_label,
    tasks_of,
)
from tuneprobe.collect.tables import records
from tuneprobe.report.blocks import Figure, Panel, Table
from tuneprobe.report.charts import STATES, Series
from tuneprobe.report.heat_maps import draw_heat_map, ramp
from tuneprobe.report.wording import number

Template = Mapping[str, Any]


def layer_map_figure(evidence: Evidence, template: Template) -> Figure:
    """CKA of every layer with every other, before and after."""
    states = [state for state in STATES if state.name in (BEFORE, AFTER)][::-1]
    cells = {
        (task, state): layer_pairs(evidence.results, task, state.name)
        for task in tasks_of(evidence.results, "similarity")
        for state in states
    }
    found = {key: rows for key, rows in cells.items() if len(rows)}
    low = min((float(rows.value.min()) for rows in found.values()), default=0.0)
    domain = (min(low, 0.99), 1.0)
    panels = [
        Panel(task_label(task), state.label, _layer_map(template, task, state, rows, domain))
        for (task, state), rows in found.items()
    ]
    missing = [
        f"{task_label(task)}, {state.label}" for task, state in cells if (task, state) not in found
    ]
    return Figure(
        "layer-map",
        "Which layers are like each other",
        _layer_map_caption(found),
        "Each cell is the linear CKA of two layers of one state over the same examples. A bright "
        "block is a run of layers that changes little; a dark edge is a step.",
        panels,
        "layer",
        [ramp(domain)] if panels else [],
        Table(
            ["task · state", "layer", "other layer", "CKA"],
            [
                [f"{task_label(task)} · {state.label}", *cell]
                for (task, state), rows in found.items()
                for cell in _layer_cells(rows)
            ],
            n_names=3,
        ),
        pairs=not missing,
        missing=missing,
    )


def _layer_map(
    template: Template,
    task: str,
    state: Series,
    rows: pd.DataFrame,
    domain: tuple[float, float],
) -> str:
    between = rows[rows.layer != rows.other].value
    spoken = (
        f", from {number(between.min(), 2)} to {number(between.max(), 2)}" if len(between) else ""
    )
    return draw_heat_map(
        template,
        rows.assign(panel=task, rev=state.name),
        f"{task_label(task)}, {state.label}: CKA between layers{spoken}",
        x="layer",
        y="other",
        domain=domain,
        y_label="layer",
        y_up=True,
    )


def _layer_cells(rows: pd.DataFrame) -> list[list[str]]:
    """Text of every pair of two layers, once."""
    once = records(rows[rows.layer < rows.other])
    return [[str(row["layer"]), str(row["other"]), number(row["value"], 3)] for row in once]


def _layer_map_caption(found: Mapping[tuple[str, Series], pd.DataFrame]) -> str:
    """How like the first and the last layer are, by task before and after tuning."""
    parts: dict[str, list[str]] = {}
    for (task, _), rows in found.items():
        ends = rows[(rows.layer == rows.layer.min()) & (rows.other == rows.other.max())]
        parts.setdefault(task_label(task), []).append(number(float(ends.value.iloc[0]), 2))
    if not parts:
        return "No two layers of one state were compared."
    shown = "; ".join(f"{task} {' and '.join(values)}" for task, values in parts.items())
    return f"Similarity of the lowest to the last layer, before and after tuning: {shown}."
