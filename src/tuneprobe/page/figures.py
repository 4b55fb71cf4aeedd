"""Figures as data: what is drawn, from which result rows, and what is said about it.

`tuneprobe.page.render` draws a spec; from the same spec come its data table, its CSV file, the
table of metrics/plots, the entry of dvc.yaml and what is missing. A figure that needs a condition
of its own is a function instead.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

from tuneprobe.collect.tables import records
from tuneprobe.page.charts import STATES, Series
from tuneprobe.page.inputs import PageInputs

ALL_TASKS = "all tasks"
Where = Mapping[str, Any]  # column of result rows to a value or several
Select = Callable[[PageInputs], pd.DataFrame]
Text = str | Callable[[PageInputs], str]


@dataclass(frozen=True)
class Quantity:
    """One kind of panel of a curve figure.

    Attributes
    ----------
    label : str
        Second line of a panel's heading.
    where : mapping or callable
        The result rows; or a function that gives them, with the columns of the figure.
    factor : float
        Multiplies value and bounds.
    over : mapping, optional
        Rows by which the values are divided, of the same task, state and layer.
    around : sequence of float
        Values that the y axis holds in any case.
    baseline : float, mapping or None
        The dotted line: a number, or rows that have one for each group.
    baseline_label : str
        What the dotted line is, written with its value beside the label.
    groups : sequence of str
        Groups that have this panel; empty: all.
    undefined : callable
        Groups in which the quantity does not exist, so that it cannot be missing.
    """

    label: str
    where: Where | Select
    digits: int = 1
    factor: float = 1.0
    over: Where | None = None
    around: Sequence[float] = ()
    baseline: float | Where | None = None
    baseline_label: str = ""
    scale: str = "linear"
    groups: Sequence[str] = ()
    undefined: Callable[[PageInputs], Collection[str]] = lambda _: ()


@dataclass(frozen=True)
class Plot:
    """A table of metrics/plots: its name, the template that DVC draws it with, and its axes."""

    name: str
    template: str
    x_label: str
    y_label: str
    title: str = ""  # where it is not that of the figure
    x: str = ""
    y: str = ""


class Beside(NamedTuple):
    """Further columns of a data table: their label, and what differs in the rows."""

    label: str
    differs: Where
    significant: bool = False  # three digits in all, as of p-values


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What all figures have; the attributes are those of `blocks.Figure`.

    ``groups`` gives the groups of a run in their order, each of which has its panels; ``label``
    what the page calls one.
    """

    name: str = field(kw_only=False)
    title: str = field(kw_only=False)
    axis: str = ""
    reading: Text = ""
    caption: Callable[[PageInputs], str] = lambda _: ""
    groups: Callable[[PageInputs], Sequence[Any]] = lambda _: ()
    label: Callable[[Any], str] = str
    plot: Plot | None = None


@dataclass(frozen=True, kw_only=True)
class Tabled(Spec):
    """What metrics/plots alone shows: a table of the focus that DVC draws."""

    table: Callable[[PageInputs, str], pd.DataFrame]


@dataclass(frozen=True, kw_only=True)
class Curves(Spec):
    """Small multiples: panels are groups × quantities, curves the series.

    Attributes
    ----------
    by : str
        The column whose values are the groups.
    rev : str
        The column whose values are the series.
    template : str
        Of .dvc/plots.
    mark : bool
        Whether the layer mark of the claims is drawn.
    together : bool
        Whether all quantities share one y axis.
    better : bool
        Whether higher is better, so that pre-trained below random weights is worth a note.
    margin : bool
        Whether the equivalence margin is drawn around zero.
    beside : sequence of Beside
    also : callable, optional
        Gives the points further columns, which `keep` names, for the template.
    """

    quantities: Sequence[Quantity] = ()
    by: str = "task"
    x: str = "layer"
    rev: str = "state"
    series: Sequence[Series] | Callable[[PageInputs], Sequence[Series]] = STATES
    template: str = "curves"
    signed: bool = False
    mark: bool = False
    margin: bool = False
    together: bool = False
    better: bool = False
    beside: Sequence[Beside] = ()
    also: Callable[[PageInputs, pd.DataFrame], pd.DataFrame] | None = None
    keep: Sequence[str] = ()
    in_row: int = 0


@dataclass(frozen=True, kw_only=True)
class HeatMaps(Spec):
    """Maps of two columns, a panel per ``group`` and ``measure``.

    Attributes
    ----------
    rows : callable
        Gives ``group``, ``measure``, the columns `x` and `y`, and ``value``.
    own : str
        What the table calls a row whose `x` is -1, which is not drawn; empty: there are none.
    scale : str
        What the colour bar shows.
    step : float
        Limits of the scale are multiples of it.
    ends : pair of float or None
        An end of the scale that is fixed.
    """

    rows: Select = lambda _: pd.DataFrame()
    x: str = "head"
    y: str = "layer"
    y_label: str = ""
    scale: str = ""
    y_up: bool = True
    own: str = ""
    order: Sequence[str] = ()
    row_height: int = 15  # pixels
    digits: int = 2
    diverging: bool = False
    step: float = 0.1
    ends: tuple[float | None, float | None] = (None, None)
    expected: bool = True  # of every group of the run


@dataclass(frozen=True, kw_only=True)
class Bars(Spec):
    """Horizontal bars with intervals, a panel per group.

    Attributes
    ----------
    rows : callable
        Gives ``group``, ``name`` (of the bar), ``rev`` (of the series), ``value, low, high``.
    names : sequence of str
        The bars in their order; those that are not named come as they are.
    """

    rows: Select = lambda _: pd.DataFrame()
    names: Sequence[str] = ()
    series: Sequence[Series] = ()
    measure: str = "share, %"
    signed: bool = False
    step: float = 10
    head: str = "share"


def over_tasks(rows: pd.DataFrame) -> pd.DataFrame:
    """The mean over the tasks by state and layer; bounds are the lowest and the highest task."""
    found = rows.groupby(["state", "layer"]).value.agg(value="mean", low="min", high="max")
    return found.reset_index().assign(task=ALL_TASKS)


def most_and_least(rows: pd.DataFrame) -> tuple[dict[str, Any], dict[str, Any]]:
    """The row of the largest value, and that of the smallest."""
    found = records(rows)
    most, least = (end(found, key=lambda row: float(row["value"])) for end in (max, min))
    return most, least


def answer(name: str, title: str, reading: str, quantity: Quantity, **more: Any) -> Curves:
    """The panel of a study on the first screen: one quantity, over all its tasks together."""
    return Curves(
        name,
        title,
        reading=reading,
        groups=lambda _: [ALL_TASKS],
        label=lambda _: title,
        quantities=[quantity],
        **more,
    )
