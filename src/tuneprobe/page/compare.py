"""The page of several runs: runs as columns, their curves over each other."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from tuneprobe.collect.estimates import NOT_MEASURED
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
from tuneprobe.page.blocks import NOTHING, SAME, Cell, CellLike, Rows, ScoreTable, Table
from tuneprobe.page.charts import Series, swatch
from tuneprobe.page.compare_figures import Plot, overlay
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.templates import render
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
    return [replace(look, name=name, label=name) for look, name in zip(looks, names, strict=True)]


def headline_table(runs: Sequence[Run]) -> ScoreTable:
    """Headline numbers by study: each run, and each further run minus the first."""
    others = runs[1:]
    names = numbers_of(runs)
    of_runs = [run.headline for run in runs]
    gaps = [differences(runs[0], other) for other in others]

    def cells(name: str) -> list[CellLike]:
        values = [Cell(*found.get(name, NOT_MEASURED), digits=2) for found in of_runs]
        return [*values, *(_difference(found.get(name)) for found in gaps)]

    groups = [
        Rows(study, True, [(name.replace("_", " "), cells(name)) for name in of_study])
        for study, of_study in by_study(names).items()
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
