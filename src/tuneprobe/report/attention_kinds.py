"""Three kinds of figures: maps of heads, bars before and after, curves before and after."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from tuneprobe.collect.attention import AFTER, BEFORE, of_heads, task_label
from tuneprobe.collect.tables import records, select
from tuneprobe.report.attention_charts import block, draw_bars, draw_heads, heads_table, limits
from tuneprobe.report.blocks import Figure, Panel, Table
from tuneprobe.report.charts import STATES, Series, draw_panel, swatch
from tuneprobe.report.heat_maps import ramp
from tuneprobe.report.inputs import PageInputs
from tuneprobe.report.wording import MISSING, bounded, number

TUNED = tuple(state for state in STATES if state.name in (AFTER, BEFORE))
PERCENT = ["value", "low", "high"]


def tasks_of(results: pd.DataFrame) -> list[str]:
    """The tasks whose heads were measured or removed."""
    rows = select(results, study=("attention", "ablation"))
    return sorted(set(rows.task[rows.metric != "pair_weight"]))


def absent(inputs: PageInputs, rows: pd.DataFrame) -> list[str]:
    """Tasks of the run that a figure has no rows of; all of them where no study ran."""
    tasks = tasks_of(inputs.results)
    if not tasks and not len(rows):
        return ["the studies ‘attention’ and ‘ablation’ have not run"]
    return [task_label(task) for task in tasks if task not in set(rows.task)]


def head_figure(
    inputs: PageInputs,
    parts: Mapping[str, pd.DataFrame],
    domain: tuple[float, float],
    *,
    name: str,
    title: str,
    caption: str,
    reading: str,
    measure: str,
    digits: int,
    diverging: bool = False,
    expected: bool = True,
) -> Figure:
    """Maps of layers by heads, one a part; `expected` of every task of the run."""
    panels = []
    for part, rows in parts.items():
        heads = of_heads(rows)
        ends = (number(heads.value.agg(end), digits) for end in ("min", "max"))
        label = f"{part}: {measure}, layer by head, from {' to '.join(ends)}"
        drawing = draw_heads(
            inputs.templates["heat_map"], heads, label, domain=domain, diverging=diverging
        )
        task, _, rest = part.partition(", ")
        panels.append(Panel(task, rest or measure, drawing))
    rows = pd.concat(parts.values()) if parts else pd.DataFrame(columns=["task"])
    missing = absent(inputs, rows) if expected else []
    if not parts and not missing:
        missing = [measure]
    return Figure(
        name,
        title,
        caption,
        f"{reading} Layers count from 1, heads from 0.",
        panels,
        "layer",
        [ramp(domain, diverging=diverging, digits=digits)] if panels else [],
        heads_table("of", parts, digits),
        missing=missing,
    )


def bar_figure(
    inputs: PageInputs,
    rows: pd.DataFrame,
    names: Sequence[str],
    *,
    name: str,
    title: str,
    caption: str,
    reading: str,
    axis: str,
) -> Figure:
    """Bars before and after, one panel a task; ``name`` labels a bar."""
    states = _drawn_states(rows)
    rows = select(rows, state=[state.name for state in states])
    rows = rows.assign(rev=rows.state, order=rows.name.map(list(names).index))
    rows = rows.sort_values(["task", "order", "state"])
    domain = limits([*rows.value, *rows.high], 10)
    panels = [
        Panel(
            task_label(str(task)),
            "share, %",
            draw_bars(
                inputs.templates["interval_bars"],
                of_task,
                states,
                f"{task_label(str(task))}: {_ends(of_task, 'name')}",
                domain=domain,
            ),
        )
        for task, of_task in rows.groupby("task")
    ]
    return Figure(
        name,
        title,
        caption,
        reading,
        panels,
        axis,
        [(block(state), state.label) for state in states] if panels else [],
        _state_table(rows, "name", states),
        wide=True,
        missing=absent(inputs, rows),
    )


def curve_figure(
    inputs: PageInputs,
    curves: Mapping[tuple[str, str], pd.DataFrame],
    *,
    name: str,
    title: str,
    caption: str,
    reading: str,
    axis: str,
    in_row: int = 0,
) -> Figure:
    """Curves over the layers before and after, one panel an entry."""
    drawn = pd.concat(curves.values()) if curves else pd.DataFrame(columns=["task", "state"])
    states = _drawn_states(drawn)
    domain = limits([value for part in curves.values() for value in part.high], 10)
    panels = []
    for (task, what), rows in curves.items():
        points = select(rows, state=[state.name for state in states]).sort_values("layer")
        points = points.assign(rev=points.state, panel=task)
        if len(points):
            columns = ["rev", "panel", "layer", "value", "low", "high", "baseline"]
            drawing = draw_panel(
                inputs.templates["curves"],
                points[columns],
                states,
                domain=domain,
                label=f"{task}, {what}: {_ends(points, 'layer')}",
            )
            panels.append(Panel(task, what, drawing))
    parts = [rows.assign(name=f"{task}, {what}") for (task, what), rows in curves.items()]
    return Figure(
        name,
        title,
        caption,
        reading,
        panels,
        axis,
        [(swatch(state), state.label) for state in states] if panels else [],
        _state_table(pd.concat(parts), "layer", states, "name") if parts else Table([], []),
        in_row=in_row,
        missing=absent(inputs, drawn),
    )


def percent(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(**{column: 100 * rows[column] for column in PERCENT})


def _drawn_states(rows: pd.DataFrame) -> list[Series]:
    return [state for state in TUNED if (rows.state == state.name).any()]


def _ends(rows: pd.DataFrame, by: str) -> str:
    """Smallest and largest value of each state, in words."""
    parts = []
    for state in TUNED:
        found = rows[rows.state == state.name]
        if len(found):
            low, *_, high = records(pd.concat([found, found]).sort_values("value"))
            parts.append(
                f"{state.label} from {number(low['value'])} ({by} {low[by]}) to "
                f"{number(high['value'])} ({by} {high[by]})"
            )
    return "; ".join(parts).replace("(name ", "(")


def _state_table(
    rows: pd.DataFrame, by: str, states: Sequence[Series], part: str = "task"
) -> Table:
    """A row for each part and value of `by`, a column a state."""
    label: Callable[[str], str] = task_label if part == "task" else str
    body = []
    for (name, at), found in rows.groupby([part, by], sort=False):
        cells = {
            row["state"]: bounded(row["value"], row["low"], row["high"]) for row in records(found)
        }
        line = [cells.get(state.name, MISSING) for state in states]
        body.append([label(str(name)), str(at), *line])
    head = ["of", "layer" if by == "layer" else "share", *(f"{s.label}, %" for s in states)]
    return Table(head, body, n_names=2)
