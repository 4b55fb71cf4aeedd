"""Figures of several runs: their curves over each other, their maps side by side.

The rows are those of metrics/plots, the titles and axes those of dvc.yaml.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import nan
from typing import Any, NamedTuple

import pandas as pd

from tuneprobe.collect.estimates import NOT_MEASURED, Estimate, difference, same
from tuneprobe.compare import Run, overlaid
from tuneprobe.page.blocks import SAME, Cell, CellLike, Figure, Table
from tuneprobe.page.charts import Series
from tuneprobe.page.figures import Bars, Curves, HeatMaps, Quantity
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.render import BOUNDS, draw_figure
from tuneprobe.page.wording import listed, number

MAPS = {"heat_map": False, "change_map": True}  # whether the scale is centred on zero
CURVES = (
    "One curve per run; bands are the intervals of each run alone. The folded table gives the last "
    "layer, with the difference to the first run (‘same’: equal to the last digit, with its "
    "interval); the interval of a difference takes the runs as independent, and "
    "is too wide where they rest on the same examples."
)


class Plot(NamedTuple):
    """An entry of ``plots`` in dvc.yaml: which table of metrics/plots is drawn how."""

    name: str
    title: str
    template: str
    axis: str


def overlay(runs: Sequence[Run], looks: Sequence[Series], plot: Plot, inputs: PageInputs) -> Figure:
    """What one table of metrics/plots shows of the runs that have it; the others are named."""
    rows = overlaid(runs, plot.name)
    drawn = set(rows.rev)
    looks = [look for look in looks if look.name in drawn]
    missing = [f"{plot.name}.csv of {run.name}" for run in runs if run.name not in drawn]
    if plot.template in MAPS:
        figure = draw_figure(_maps(plot, rows, looks), inputs)
        figure = replace(figure, in_row=len(looks))
    elif plot.template == "scores":
        figure = draw_figure(_bars(plot, rows, looks), inputs)
    else:
        figure = draw_figure(_curves(plot, rows, looks), inputs)
        figure = replace(figure, table=_last_table(_at_last(rows), looks))
    return replace(figure, missing=missing)


def _shared(plot: Plot, rows: pd.DataFrame, caption: str) -> dict[str, Any]:
    panels = list(dict.fromkeys(rows.panel))
    return {
        "axis": plot.axis,
        "caption": lambda _: caption,
        "groups": lambda _: panels,
        "label": str,
    }


def _curves(plot: Plot, rows: pd.DataFrame, looks: Sequence[Series]) -> Curves:
    known = rows.baseline if "baseline" in rows else rows.value * nan
    lines = known.groupby(rows.panel).first().to_dict()
    more = [name for name in ("significant",) if name in rows]
    return Curves(
        plot.name,
        plot.title,
        reading=CURVES,
        quantities=[
            Quantity("", _panel_of(rows, panel), digits=2, baseline=lines[panel], groups=[panel])
            for panel in dict.fromkeys(rows.panel)
        ],
        by="panel",
        rev="rev",
        series=looks,
        template=plot.template,
        keep=more,
        together=True,
        **_shared(plot, rows, _caption(_at_last(rows), looks)),
    )


def _panel_of(rows: pd.DataFrame, panel: str) -> Callable[[PageInputs], pd.DataFrame]:
    return lambda _: rows[rows.panel == panel]


def _maps(plot: Plot, rows: pd.DataFrame, looks: Sequence[Series]) -> HeatMaps:
    means = rows.groupby("rev", sort=False).value.mean()
    caption = listed([f"{look.label} {number(means[look.name], 2)}" for look in looks])
    order = {look.name: place for place, look in enumerate(looks)}
    cells = rows.assign(group=rows.panel, measure=rows.rev, _run=rows.rev.map(order))
    cells["_panel"] = pd.factorize(cells.panel)[0]
    cells = cells.sort_values(["_panel", "_run"], kind="stable")
    return HeatMaps(
        plot.name,
        plot.title,
        reading="One map per run, all on the same scale. Layers count from 1.",
        rows=lambda _: cells,
        diverging=MAPS[plot.template],
        **_shared(plot, rows, f"Mean over all heads: {caption}."),
    )


def _bars(plot: Plot, rows: pd.DataFrame, looks: Sequence[Series]) -> Bars:
    scores = rows.groupby(["panel", "metric"], sort=False)
    best = [str(of.rev.iloc[of.value.to_numpy().argmax()]) for _, of in scores]
    caption = listed(
        [f"‘{rev}’ in {best.count(rev)} of {len(best)} scores" for rev in dict.fromkeys(best)]
    )
    bars = rows.rename(columns={"metric": "name"}).assign(group=rows.panel, low=nan, high=nan)
    return Bars(
        plot.name,
        plot.title,
        reading="One bar per run.",
        rows=lambda _: bars,
        names=list(dict.fromkeys(bars.name)),
        series=looks,
        measure="percent",
        head="score",
        **_shared(plot, rows, f"Highest: {caption}."),
    )


def _at_last(rows: pd.DataFrame) -> dict[str, dict[str, Estimate]]:
    """Each panel with the estimate of each run at the last layer that the run has."""
    found = {}
    for panel, of_panel in rows.groupby("panel", sort=False):
        last = of_panel.loc[of_panel.groupby("rev").layer.idxmax()]
        found[str(panel)] = dict(
            zip(last.rev, map(Estimate, *(last[name] for name in BOUNDS)), strict=True)
        )
    return found


def _caption(last: Mapping[str, Mapping[str, Estimate]], looks: Sequence[Series]) -> str:
    """Where each further run is above the first, and where they differ most."""
    first, *others = looks
    sentences = []
    for other in others:
        gaps = {
            panel: found[other.name].value - found[first.name].value
            for panel, found in last.items()
            if first.name in found and other.name in found
        }
        if gaps and not any(gaps.values()):
            sentences.append(f"‘{other.label}’ equals ‘{first.label}’ at the last layer.")
        elif gaps:
            widest = max(gaps, key=lambda panel: abs(gaps[panel]))
            ends = (number(last[widest][one.name].value, 2) for one in (other, first))
            sentences.append(
                f"At the last layer ‘{other.label}’ is above ‘{first.label}’ in "
                f"{sum(gap > 0 for gap in gaps.values())} of {len(gaps)} panels; they differ most "
                f"in {widest}: {' against '.join(ends)}."
            )
    return " ".join(sentences) or "Only one run has this table."


def _last_table(last: Mapping[str, Mapping[str, Estimate]], looks: Sequence[Series]) -> Table:
    first, *others = looks
    body: list[list[CellLike]] = []
    for panel, found in last.items():
        of_runs = [found.get(look.name, NOT_MEASURED) for look in looks]
        cells = [Cell(*one, digits=2) for one in of_runs]
        body.append([panel, *cells, *(_minus(one, of_runs[0]) for one in of_runs[1:])])
    head = [look.label for look in looks]
    head += [f"{one.label} minus {first.label}" for one in others]
    return Table(["panel, last layer", *head], body)


def _minus(one: Estimate, first: Estimate) -> CellLike:
    if same(one, first):
        return SAME
    return Cell(*difference(one, first), digits=2, signed=True)
