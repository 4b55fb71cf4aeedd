"""What runs are compared by: the headline numbers of one state, and the tables of `dvc plots`.

Names contain neither state nor encoder nor corpus, so that `dvc exp show` has the same columns and
`dvc plots diff` the same panels for every run.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tuneprobe.artifacts import atomic_file
from tuneprobe.collect.estimates import Estimate
from tuneprobe.collect.seeds import mean_over_seeds
from tuneprobe.errors import TuneprobeError, UnknownNameError
from tuneprobe.formats.results import significant
from tuneprobe.measures import check_measures
from tuneprobe.page.figures import Plot, Spec
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.registry import STUDIES, all_measures, plotted
from tuneprobe.page.render import plot_table
from tuneprobe.states import STATES
from tuneprobe.yaml_file import dump_yaml

HEADLINE_COLUMNS = ["name", *Estimate._fields]


class MetricsError(TuneprobeError):
    """Rows that headline numbers cannot be taken from."""


def headline(results: pd.DataFrame, focus: str) -> dict[str, float]:
    """At most 25 numbers of the state `focus`; a number that was not measured is left out.

    The rows are those of one encoder, and of any number of seeds.

    Raises
    ------
    UnknownNameError
        If `focus` is not a state, or a row holds a number that no study declares.
    """
    numbers = headline_estimates(results, focus)
    return {name: significant(number.value) for name, number in numbers.items()}


def headline_estimates(results: pd.DataFrame, focus: str) -> dict[str, Estimate]:
    """The headline numbers with their intervals; NaN bounds where none is known."""
    rows = checked(results, focus)
    found: dict[str, Estimate] = {}
    for study in STUDIES.values():
        found |= study.headline(rows, focus)
    return dict(sorted(found.items()))


def by_study(names: Iterable[str]) -> dict[str, list[str]]:
    """Headline numbers by the study that they are of, in its order; ``Other`` holds the rest."""
    waiting = list(names)
    grouped = {}
    for study in STUDIES.values():
        grouped[study.title] = [name for name in study.headline_units if name in waiting]
        waiting = [name for name in waiting if name not in study.headline_units]
    return {study: found for study, found in (grouped | {"Other": waiting}).items() if found}


def plot_tables(
    results: pd.DataFrame, focus: str, *, confidence: float = 0.95
) -> dict[str, pd.DataFrame]:
    """The tables of metrics/plots, file stem to frame; one without data keeps its columns.

    ``headline`` is drawn by no plot: the headline numbers with their intervals.
    """
    inputs = PageInputs(checked(results, focus), confidence=confidence)
    tables = {name_of(spec): plot_table(spec, inputs, focus) for spec in plotted()}
    numbers = headline_estimates(results, focus)
    rows = [(name, *map(significant, one)) for name, one in numbers.items()]
    return tables | {"headline": pd.DataFrame(rows, columns=HEADLINE_COLUMNS)}


def plot_entries() -> list[dict[str, Any]]:
    """The entries under ``plots:`` in dvc.yaml, one for each table that is drawn."""
    return [{name_of(spec): _entry(spec, spec.plot)} for spec in plotted() if spec.plot]


def plots_yaml() -> str:
    """`plot_entries` as dvc.yaml has them."""
    return dump_yaml({"plots": plot_entries()})


def name_of(spec: Spec) -> str:
    """Stem of the table of a spec in metrics/plots."""
    return spec.plot.name if spec.plot else spec.name


def checked(results: pd.DataFrame, focus: str) -> pd.DataFrame:
    """Rows of declared numbers, one per number over all seeds; refuse a state that none has."""
    if focus not in STATES:
        raise UnknownNameError("state", focus, STATES)
    if results.encoder.nunique() > 1:
        raise MetricsError(
            f"the rows are of {results.encoder.nunique()} encoders "
            f"({', '.join(sorted(set(results.encoder)))}); headline numbers are of one: select it."
        )
    return mean_over_seeds(check_measures(results, all_measures()), all_measures())


def write_tables(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write each table as ``<name>.csv``, each in one step."""
    for name, table in tables.items():
        with atomic_file(folder / f"{name}.csv") as part:
            table.to_csv(part, index=False)


def _entry(spec: Spec, plot: Plot) -> dict[str, Any]:
    file = f"metrics/plots/{plot.name}.csv"
    x = {file: plot.x} if plot.x == "value" else plot.x or "layer"
    named = {} if plot.x_label == x else {"x_label": plot.x_label}  # else by its column
    return {
        "x": x,
        "y": {file: plot.y or "value"},
        **named,
        "y_label": plot.y_label,
        "title": plot.title or spec.title,
        "template": plot.template,
    }
