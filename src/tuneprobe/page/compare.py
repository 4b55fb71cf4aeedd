"""The page of several runs: runs as columns, their curves over each other, maps side by side.

The rows of a figure are those of metrics/plots, its title and axis those of dvc.yaml.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from tqdm import tqdm

from tuneprobe.collect.estimates import NOT_MEASURED, Estimate, difference, estimates, same
from tuneprobe.collect.metrics import by_study
from tuneprobe.compare import (
    CompareError,
    Difference,
    Run,
    differences,
    differing,
    numbers_of,
    overlaid,
)
from tuneprobe.page import charts
from tuneprobe.page.blocks import NOTHING, SAME, Cell, CellLike, Figure, Rows, ScoreTable, Table
from tuneprobe.page.charts import Series, renamed, swatch
from tuneprobe.page.figures import Bars, Curves, HeatMaps, Quantity
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.render import draw_figure
from tuneprobe.page.templates import render
from tuneprobe.wording import listed, number
from tuneprobe.yaml_file import read_yaml

PAIRED = "\N{NO-BREAK SPACE}†"
INTERVALS = (
    "‘same’: both runs have the number and its interval to the last digit. In "
    "brackets: the interval that each run computed, over its test examples; of the accuracy of "
    "a classifier (POS to TREC-50) over its initialisations only, so that it says nothing about "
    "other test examples. A number without brackets has none.",
    "† The difference is paired: both runs keep the scores of the same examples, and its interval "
    "is a bootstrap over the differences of single examples. Otherwise the interval follows from "
    "those of the two runs as if these were independent (Zou & Donner 2008); it is too wide where "
    "they share examples. No interval covers another seed: run several seeds for that.",
)
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


def read_plots(repository: Path) -> list[Plot]:
    """What dvc.yaml says about the tables of metrics/plots.

    Raises
    ------
    CompareError
        If there is no dvc.yaml.
    """
    pipeline = repository / "dvc.yaml"
    if not pipeline.exists():
        raise CompareError(f"{pipeline} is missing: call this at the top of the repository.")
    return [
        Plot(name, entry["title"], entry["template"], entry["y_label"] or entry["x_label"])
        for named in read_yaml(pipeline).get("plots", [])
        for name, entry in named.items()
    ]


def render_comparison(runs: Sequence[Run], plots: Sequence[Plot]) -> str:
    """One HTML page without outside resources; the same runs give the same bytes.

    What a run lacks is named.

    Raises
    ------
    CompareError
        If there are fewer than two runs, or more than looks that can be told apart.
    """
    if not 2 <= len(runs) <= len(charts.RUNS):
        raise CompareError(
            f"{len(runs)} different runs: expected 2 to {len(charts.RUNS)} that can be told apart."
        )
    looks = looks_of([run.name for run in runs])
    names = [run.name for run in runs]
    inputs = PageInputs(pd.DataFrame())
    drawn = [plot for plot in plots if len(overlaid(runs, plot.name))]
    return render(
        "compare.html.jinja",
        runs=list(zip(runs, map(swatch, looks), map(origin_of, runs), strict=True)),
        names=names,
        params=Table(
            ["parameter", *names], [[k, *v] for k, v in differing(runs).items()], 1 + len(runs)
        ),
        numbers=headline_table(runs),
        figures=[
            overlay(runs, looks, plot, inputs)
            for plot in tqdm(drawn, "draw", unit="figure", disable=None)
        ],
        absent=[plot.title for plot in plots if plot not in drawn],
    )


def origin_of(run: Run) -> str:
    """State, encoder and seed of a run, as far as its parameters say.

    >>> origin_of(Run("main", {"focus": "finetuned", "run.seeds": "13"}))
    'state finetuned, seed 13'
    """
    known = {"state": "focus", "encoder": "run.encoders", "seed": "run.seeds"}
    said = (f"{name} {run.params[key]}" for name, key in known.items() if run.params.get(key))
    return ", ".join(said)


def looks_of(names: Sequence[str]) -> list[Series]:
    """A look for each run; one that is named as a state of an encoder looks as that state does.

    >>> [look.variable for look in looks_of(["random", "main"])]
    ['--random', '--finetuned']
    """
    own = {look.name: look for look in charts.RUNS}
    free = iter([look for look in charts.RUNS if look.name not in names])
    looks = [own[name] if name in own else next(free) for name in names]
    return [renamed(look, name) for look, name in zip(looks, names, strict=True)]


def headline_table(runs: Sequence[Run]) -> ScoreTable:
    """Headline numbers by study: each run, and each further run minus the first."""
    others, of_runs = runs[1:], [run.headline for run in runs]
    gaps = [differences(runs[0], other) for other in others]

    def cells(name: str) -> list[CellLike]:
        values = [Cell(*found.get(name, NOT_MEASURED), digits=2) for found in of_runs]
        return [*values, *(_difference(found.get(name)) for found in gaps)]

    groups = [
        Rows(study, True, [(name.replace("_", " "), cells(name)) for name in of_study])
        for study, of_study in by_study(numbers_of(runs)).items()
    ]
    return ScoreTable(
        "headline",
        "",
        "Headline numbers",
        "Headline numbers of each run",
        [("Runs", len(runs)), (f"Minus {runs[0].name}", len(others))],
        [run.name for run in runs] + [run.name for run in others],
        groups,
        notes=INTERVALS if groups else (),
        missing=[] if groups else ["metrics/summary.json in every run"],
    )


def _difference(found: Difference | None) -> CellLike:
    if found is None:
        return NOTHING
    if found.same:
        return SAME
    cell = Cell(*found.estimate, digits=2, signed=True)
    return f"{cell}{PAIRED}" if found.paired else cell


# figures


def overlay(runs: Sequence[Run], looks: Sequence[Series], plot: Plot, inputs: PageInputs) -> Figure:
    """What one table of metrics/plots shows of the runs that have it; the others are named."""
    rows = overlaid(runs, plot.name)
    drawn = set(rows.rev)
    looks = [look for look in looks if look.name in drawn]
    missing = [f"{plot.name}.csv of {run.name}" for run in runs if run.name not in drawn]
    if plot.template in MAPS:
        figure = replace(draw_figure(_maps(plot, rows, looks), inputs), in_row=len(looks))
    elif plot.template == "scores":
        figure = draw_figure(_bars(plot, rows, looks), inputs)
    else:
        figure = draw_figure(_curves(plot, rows, looks), inputs)
        figure = replace(figure, table=_last_table(_at_last(rows), looks))
    return replace(figure, missing=missing)


def _shared(plot: Plot, rows: pd.DataFrame, caption: str) -> dict[str, Any]:
    panels = list(dict.fromkeys(rows.panel))
    texts = {"name": plot.name, "title": plot.title, "axis": plot.axis}
    return texts | {"caption": lambda _: caption, "groups": lambda _: panels, "label": str}


def _curves(plot: Plot, rows: pd.DataFrame, looks: Sequence[Series]) -> Curves:
    known = rows.baseline if "baseline" in rows else rows.value * nan
    lines = known.groupby(rows.panel, sort=False).first().to_dict()
    more = [name for name in ("significant",) if name in rows]
    return Curves(
        reading=CURVES,
        quantities=[
            Quantity("", lambda _: rows, digits=2, baseline=line, groups=[str(panel)])
            for panel, line in lines.items()
        ],
        by="panel",
        rev="rev",
        series=looks,
        template=plot.template,
        keep=more,
        together=True,
        **_shared(plot, rows, _caption(_at_last(rows), looks)),
    )


def _maps(plot: Plot, rows: pd.DataFrame, looks: Sequence[Series]) -> HeatMaps:
    means = rows.groupby("rev", sort=False).value.mean()
    caption = listed([f"{look.label} {number(means[look.name], 2)}" for look in looks])
    order = {look.name: place for place, look in enumerate(looks)}
    cells = rows.assign(group=rows.panel, measure=rows.rev, _run=rows.rev.map(order))
    cells["_panel"] = pd.factorize(cells.panel)[0]
    cells = cells.sort_values(["_panel", "_run"], kind="stable")
    return HeatMaps(
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
        found[str(panel)] = dict(zip(last.rev, estimates(last), strict=True))
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
