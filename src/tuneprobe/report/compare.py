"""The page of several runs: runs as columns, their curves over each other."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from tuneprobe.collect import by_study
from tuneprobe.compare import CompareError, Run, differing, numbers_of, overlaid
from tuneprobe.paths import PLOT_TEMPLATES
from tuneprobe.report import charts
from tuneprobe.report.blocks import Rows, ScoreTable, Table
from tuneprobe.report.charts import Series, swatch
from tuneprobe.report.compare_figures import Plot, overlay
from tuneprobe.report.templates import render
from tuneprobe.report.wording import number, signed


def read_plots(repository: Path) -> tuple[list[Plot], dict[str, dict[str, Any]]]:
    """What dvc.yaml says about the tables of metrics/plots, and the templates by stem.

    Raises
    ------
    CompareError
        If there is no dvc.yaml.
    """
    pipeline = repository / "dvc.yaml"
    if not pipeline.exists():
        raise CompareError(f"{pipeline} is missing: call this at the top of the repository.")
    plots = [
        Plot(name, entry["title"], entry["template"], entry["y_label"] or entry["x_label"])
        for named in yaml.safe_load(pipeline.read_text()).get("plots", [])
        for name, entry in named.items()
    ]
    files = (repository / PLOT_TEMPLATES).glob("*.json")
    return plots, {path.stem: json.loads(path.read_text()) for path in files}


def render_comparison(
    runs: Sequence[Run], plots: Sequence[Plot], templates: Mapping[str, Mapping[str, Any]]
) -> str:
    """One HTML page without scripts or outside resources; the same runs give the same bytes.

    What a run lacks is named. `templates` are those of .dvc/plots, by stem.

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
    drawn = [plot for plot in plots if len(overlaid(runs, plot.name))]
    return render(
        "compare.html.jinja",
        runs=list(zip(runs, map(swatch, looks))),
        names=names,
        params=Table(
            ["parameter", *names], [[k, *v] for k, v in differing(runs).items()], 1 + len(runs)
        ),
        numbers=headline_table(runs),
        figures=[overlay(runs, looks, plot, templates) for plot in drawn],
        absent=[plot.title for plot in plots if plot not in drawn],
    )


def looks_of(names: Sequence[str]) -> list[Series]:
    """A look for each run; one that is named as a state of an encoder looks as that state does.

    >>> [look.variable for look in looks_of(["random", "main"])]
    ['--random', '--finetuned']
    """
    own = {look.name: look for look in charts.RUNS}
    free = iter([look for look in charts.RUNS if look.name not in names])
    looks = [own[name] if name in own else next(free) for name in names]
    return [replace(look, name=name, label=name) for look, name in zip(looks, names)]


def _params_table(runs: Sequence[Run]) -> Table:
    rows = [[name, *values] for name, values in differing(runs).items()]
    return Table(["parameter", *(run.name for run in runs)], rows, n_names=1 + len(runs))


def headline_table(runs: Sequence[Run]) -> ScoreTable:
    """Headline numbers by study: each run, and each further run less the first."""
    others = [run.name for run in runs[1:]]
    found = numbers_of(runs)
    groups = [
        Rows(study, True, [(name.replace("_", " "), _cells(found[name])) for name in names])
        for study, names in by_study(found).items()
    ]
    return ScoreTable(
        "headline",
        "",
        "Headline numbers",
        "Headline numbers of each run",
        [("Runs", len(runs)), (f"Less {runs[0].name}", len(others))],
        [run.name for run in runs] + others,
        groups,
        missing=[] if groups else ["metrics/summary.json in every run"],
    )


def _cells(values: Sequence[float]) -> list[str]:
    first, *rest = values
    return [number(value, 2) for value in values] + [signed(value - first, 2) for value in rest]
