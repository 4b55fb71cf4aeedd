"""Figures of several runs: their curves over each other, their maps side by side."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan
from typing import Any

import pandas as pd

from tuneprobe.collect.estimates import NOT_MEASURED, Estimate, difference
from tuneprobe.compare import Run, overlaid
from tuneprobe.report.attention_charts import block, draw_bars, draw_heads, heads_table
from tuneprobe.report.blocks import Figure, Panel, Table
from tuneprobe.report.charts import Series, draw_panel, swatch
from tuneprobe.report.curve_figures import Measure, limits
from tuneprobe.report.heat_maps import ramp
from tuneprobe.report.wording import bounded, listed, number

CURVES = ("layer_curves", "gap_curves", "curves")
MAPS = {"heat_map": False, "change_map": True}  # whether the scale is centred on zero
BARS = ("scores",)
BOUNDS = ["value", "low", "high"]
READING = {
    **dict.fromkeys(
        CURVES,
        "One curve a run; bands are the intervals of each run alone. The folded table gives the "
        "last layer, with the difference to the first run; its interval takes the runs as "
        "independent, and is too wide where they rest on the same examples.",
    ),
    **dict.fromkeys(MAPS, "One map a run, all on the same scale. Layers count from 1."),
    **dict.fromkeys(BARS, "One bar a run."),
}


@dataclass(frozen=True)
class Plot:
    """An entry of ``plots`` in dvc.yaml: which table is drawn how.

    Attributes
    ----------
    name : str
        Stem of the table in metrics/plots.
    template : str
        Stem of a template of .dvc/plots.
    axis : str
        What the vertical axis shows.
    """

    name: str
    title: str
    template: str
    axis: str


def overlay(
    runs: Sequence[Run],
    looks: Sequence[Series],
    plot: Plot,
    templates: Mapping[str, Mapping[str, Any]],
) -> Figure:
    """What one table of metrics/plots shows of the runs that have it; the others are named."""
    rows = overlaid(runs, plot.name)
    drawn = set(rows.rev)
    looks = [look for look in looks if look.name in drawn]
    missing = [f"{plot.name}.csv of {run.name}" for run in runs if run.name not in drawn]
    reading = READING[plot.template]
    none = Table([], [])
    figure = Figure(plot.name, plot.title, "", reading, [], plot.axis, [], none, missing=missing)
    template = templates[plot.template]
    if plot.template in MAPS:
        return _maps(figure, rows, looks, template, diverging=MAPS[plot.template])
    if plot.template in BARS:
        return _bars(figure, rows, looks, templates["interval_bars"])
    return _curves(figure, rows, looks, template)


def _curves(
    figure: Figure, rows: pd.DataFrame, looks: Sequence[Series], template: Mapping[str, Any]
) -> Figure:
    domain = limits(Measure("", rows))
    if "baseline" in rows:  # one outside the axis would be drawn beside it
        rows["baseline"] = rows.baseline.where(rows.baseline.between(*domain))
    reach = (float(rows.layer.min()), float(rows.layer.max()))
    panels = []
    for panel, of_panel in rows.groupby("panel", sort=False):
        drawing = draw_panel(
            template,
            of_panel.sort_values("layer"),
            looks,
            domain=domain,
            label=f"{panel}, layers {of_panel.layer.min()} to {of_panel.layer.max()}: "
            + "; ".join(_spoken(of_panel, looks)),
            x_domain=reach,
        )
        panels.append(Panel(*_heading(panel), drawing))
    last = dict(_at_last(rows))
    return replace(
        figure,
        caption=_caption(last, looks),
        panels=panels,
        legend=[(swatch(look), look.label) for look in looks],
        table=_last_table(last, looks),
    )


def _spoken(rows: pd.DataFrame, looks: Sequence[Series]) -> Iterator[str]:
    for look in looks:
        curve = rows[rows.rev == look.name].sort_values("layer").value
        if len(curve):
            ends = number(curve.iloc[0], 2), number(curve.iloc[-1], 2)
            yield f"{look.label} from {ends[0]} to {ends[1]}"


def _heading(panel: object) -> tuple[str, str]:
    ability, _, measure = str(panel).partition(" · ")
    return ability, measure


def _at_last(rows: pd.DataFrame) -> Iterator[tuple[str, dict[str, Estimate]]]:
    """Each panel with the estimate of each run at the last layer that the run has."""
    for panel, of_panel in rows.groupby("panel", sort=False):
        last = of_panel.loc[of_panel.groupby("rev").layer.idxmax()]
        yield str(panel), dict(zip(last.rev, map(Estimate, *(last[name] for name in BOUNDS))))


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
    body = []
    for panel, found in last.items():
        of_runs = [found.get(look.name, NOT_MEASURED) for look in looks]
        gaps = [difference(one, of_runs[0]) for one in of_runs[1:]]
        body.append(
            [panel]
            + [bounded(*one, digits=2) for one in of_runs]
            + [bounded(*gap, sign=True, digits=2) for gap in gaps]
        )
    head = [look.label for look in looks] + [f"{one.label} less {first.label}" for one in others]
    return Table(["panel, last layer", *head], body)


def _bars(
    figure: Figure, rows: pd.DataFrame, looks: Sequence[Series], template: Mapping[str, Any]
) -> Figure:
    bars = rows.rename(columns={"metric": "name"}).assign(low=nan, high=nan)
    panels = [
        Panel(
            str(panel),
            "percent",
            draw_bars(template, of_panel, looks, f"{panel}: {_listed(of_panel)}", domain=(0, 100)),
        )
        for panel, of_panel in bars.groupby("panel", sort=False)
    ]
    bars["score"] = bars["panel"] + " · " + bars["name"]
    scores = {
        str(score): dict(zip(of_score.rev, of_score.value))
        for score, of_score in bars.groupby("score", sort=False)
    }
    body = [
        [score, *(number(of.get(look.name, nan), 2) for look in looks)]
        for score, of in scores.items()
    ]
    best = [max(of, key=lambda rev: of[rev]) for of in scores.values()]
    return replace(
        figure,
        caption="Highest: "
        + listed(
            [f"‘{rev}’ in {best.count(rev)} of {len(best)} scores" for rev in dict.fromkeys(best)]
        )
        + ".",
        panels=panels,
        legend=[(block(look), look.label) for look in looks],
        table=Table(["score", *(look.label for look in looks)], body),
        wide=True,
    )


def _listed(bars: pd.DataFrame) -> str:
    return ", ".join(
        f"{row.rev} {row.name} {row.value:.1f}" for row in bars.itertuples(index=False)
    )


def _maps(
    figure: Figure,
    rows: pd.DataFrame,
    looks: Sequence[Series],
    template: Mapping[str, Any],
    *,
    diverging: bool,
) -> Figure:
    low, high = float(rows.value.min()), float(rows.value.max())
    domain = (low, high) if isfinite(low) and low < high else (low - 0.5, low + 0.5)
    panels = []
    for panel, of_panel in rows.groupby("panel", sort=False):
        for look in looks:
            cells = of_panel[of_panel.rev == look.name]
            if len(cells):
                ends = f"from {number(cells.value.min(), 2)} to {number(cells.value.max(), 2)}"
                drawing = draw_heads(
                    template,
                    cells,
                    f"{panel}, {look.label}: layer by head, {ends}",
                    domain=domain,
                    diverging=diverging,
                )
                panels.append(Panel(str(panel), look.label, drawing))
    means = rows.groupby(["rev"], sort=False).value.mean()
    return replace(
        figure,
        caption="Mean over all heads: "
        + listed([f"{look.label} {number(means[look.name], 2)}" for look in looks])
        + ".",
        panels=panels,
        legend=[ramp(domain, diverging=diverging)],
        table=heads_table(
            "panel, run",
            {
                f"{panel}, {rev}": cells
                for (panel, rev), cells in rows.groupby(["panel", "rev"], sort=False)
            },
            digits=2,
        ),
        in_row=len(looks),
    )
