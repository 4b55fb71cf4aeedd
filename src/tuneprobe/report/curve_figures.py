"""Small multiples: for each task one panel a measure, curves by layer or step."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from typing import Any

import pandas as pd

from tuneprobe.collect.tables import records
from tuneprobe.report.blocks import Figure, Panel, Table
from tuneprobe.report.charts import Series, draw_panel, swatch
from tuneprobe.report.wording import MISSING, bounded, number

COLUMNS = ["rev", "panel", "value", "low", "high", "baseline"]


@dataclass(frozen=True)
class Measure:
    """One kind of panel.

    Attributes
    ----------
    label : str
        Second line of a panel's heading.
    rows : DataFrame
        Points of all groups: ``task`` (the group), ``rev`` (a name of the series), the column of
        the x axis, ``value, low, high``; where there is one a ``baseline``.
    around : sequence of float
        Values that the y axis holds in any case.
    baseline : str
        What the dotted line is, written with its value beside the label.
    undefined : collection of str
        Groups in which the quantity does not exist, so that it cannot be missing.
    """

    label: str
    rows: pd.DataFrame
    around: Sequence[float] = ()
    baseline: str = ""
    scale: str = "linear"
    digits: int = 1
    undefined: Collection[str] = ()


@dataclass(frozen=True)
class Curves:
    """A figure of curves before it is drawn; the attributes are those of `blocks.Figure`."""

    name: str
    title: str
    caption: str
    reading: str
    axis: str
    measures: Sequence[Measure]
    series: Sequence[Series]
    groups: Sequence[str]
    group_label: Callable[[str], str] = str
    x: str = "layer"


def draw_curves(curves: Curves, template: Mapping[str, Any]) -> Figure:
    """One panel for each group and measure; the measures share their y axis over the groups."""
    drawn = [measure.rows for measure in curves.measures if len(measure.rows)]
    seen = set(pd.concat(drawn).rev) if drawn else set()
    series = [one for one in curves.series if one.name in seen]
    domains = [limits(measure) for measure in curves.measures]
    panels: list[Panel] = []
    missing: list[str] = []
    undefined: list[str] = []
    for group in curves.groups:
        for measure, domain in zip(curves.measures, domains):
            rows = measure.rows[measure.rows.task == group]
            name = f"{curves.group_label(group)}, {measure.label}"
            if len(rows):
                panels.append(_panel(curves, template, group, measure, rows, series, domain))
            else:
                exists = group not in measure.undefined
                (missing if exists else undefined).append(name)
                if len(curves.measures) == 2:  # keeps the two rows of panels in step
                    label = f"{measure.label}: {'not measured' if exists else 'not defined'}"
                    panels.append(Panel(curves.group_label(group), label, ""))
    if not drawn:
        missing, undefined = ["every number of this figure"], []
    absent = [one.label for one in curves.series if one not in series] if drawn else []
    return Figure(
        curves.name,
        curves.title,
        curves.caption,
        curves.reading,
        panels if drawn else [],
        curves.axis,
        [(swatch(one), one.label) for one in series],
        Table(
            ["task · measure", curves.x, *(one.label for one in series)],
            list(_table_rows(curves, series)),
            n_names=2,
        ),
        pairs=len(curves.measures) == 2,
        missing=[*missing, *absent],
        undefined=undefined,
    )


def limits(measure: Measure) -> tuple[float, float]:
    """Round limits of a y axis that hold all intervals and what it should hold in any case.

    >>> rows = pd.DataFrame({"value": [61.0, 83.0], "low": [60.0, 82.0], "high": [62.0, 84.0]})
    >>> limits(Measure("accuracy", rows))
    (55.0, 85.0)
    """
    numbers = [measure.rows[name] for name in ("value", "low", "high") if name in measure.rows]
    values = pd.concat([*numbers, pd.Series(list(measure.around), dtype=float)]).dropna()
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if measure.scale == "log":
        return low / 1.2, high * 1.2
    reach = high - low or abs(high) or 1.0
    step = _round_step(reach / 10)
    bottom = step * floor((low - 0.02 * reach) / step)
    return max(bottom, 0.0) if low >= 0 else bottom, step * ceil((high + 0.02 * reach) / step)


def _round_step(width: float) -> float:
    """The smallest of 1, 2, 5, 10, 20 … and their tenths that is no less than `width`."""
    power = 10.0 ** floor(log10(width))
    return next(power * part for part in (1, 2, 5, 10) if power * part >= width * 0.999)


def _panel(
    curves: Curves,
    template: Mapping[str, Any],
    group: str,
    measure: Measure,
    rows: pd.DataFrame,
    series: Sequence[Series],
    domain: tuple[float, float],
) -> Panel:
    name = f"{curves.group_label(group)}, {measure.label}"
    ordered = [rows[rows.rev == one.name].sort_values(curves.x) for one in series]
    spoken = "; ".join(
        f"{one.label} from {number(curve.value.iloc[0], measure.digits)} to "
        f"{number(curve.value.iloc[-1], measure.digits)}"
        for one, curve in zip(series, ordered)
        if len(curve)
    )
    points = pd.concat(ordered).assign(panel=name)
    heading, baseline = measure.label, _baseline(rows)
    if measure.baseline and isfinite(baseline):
        heading += f", {measure.baseline} {number(baseline, measure.digits)}"
    inside = domain[0] <= baseline <= domain[1]
    points["baseline"] = baseline if inside else float("nan")
    drawing = draw_panel(
        template,
        points[[*COLUMNS, curves.x]],
        series,
        domain=domain,
        label=f"{name}, {curves.x} {rows[curves.x].min()} to {rows[curves.x].max()}: {spoken}",
        x=curves.x,
        x_domain=_reach(curves),
        scale=measure.scale,
    )
    return Panel(curves.group_label(group), heading, drawing)


def _reach(curves: Curves) -> tuple[float, float]:
    """First and last place on the x axis of any panel."""
    places = pd.concat([measure.rows[curves.x] for measure in curves.measures])
    low, high = float(places.min()), float(places.max())
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _baseline(rows: pd.DataFrame) -> float:
    """The dotted line of a panel; NaN where there is none."""
    known = rows.baseline.dropna().tolist() if "baseline" in rows else []
    return float(known[0]) if known else float("nan")


def _table_rows(curves: Curves, series: Sequence[Series]) -> Iterator[list[str]]:
    for group in curves.groups:
        for measure in curves.measures:
            rows = records(measure.rows[measure.rows.task == group])
            cells = {
                (row["rev"], row[curves.x]): bounded(
                    row["value"], row["low"], row["high"], digits=measure.digits
                )
                for row in rows
            }
            name = f"{curves.group_label(group)} · {measure.label}"
            for x in sorted({x for _, x in cells}):
                yield [name, str(x), *(cells.get((one.name, x), MISSING) for one in series)]
