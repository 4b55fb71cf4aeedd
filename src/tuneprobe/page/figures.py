"""Figures as data: what is drawn, from which result rows, and what is said about it.

`tuneprobe.page.render` draws a spec; from the same spec come its data table, its CSV file, the
table of metrics/plots, the entry of dvc.yaml and what is missing. A figure that needs a condition
of its own is a function instead.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, NamedTuple

import pandas as pd

from tuneprobe.collect.tables import records
from tuneprobe.page.charts import STATES, Series
from tuneprobe.page.inputs import PageInputs

ALL_TASKS = "all tasks"
NOT_MEASURED = "Not measured in this run."
Where = Mapping[str, Any]  # column of result rows to a value or several
Select = Callable[[PageInputs], pd.DataFrame]
Text = str | Callable[[PageInputs], str]


@dataclass(frozen=True)
class Quantity:
    """One kind of panel of a curve figure; its label is the second line of a panel's heading.

    ``where`` gives the result rows, or is a function of the run that gives them with the columns
    of the figure.
    """

    label: str
    where: Where | Select
    digits: int = 1
    factor: float = 1.0  # of value and bounds
    over: Where | None = None  # rows by which values are divided, of the same task, state, layer
    around: Sequence[float] = ()  # values that the y axis holds in any case
    baseline: float | Where | None = None  # dotted: a number, or rows that have one per group
    baseline_label: str = ""  # of the dotted line, written with its value beside the label
    scale: str = "linear"
    groups: Sequence[str] = ()  # that have this panel; empty: all
    undefined: Callable[[PageInputs], Collection[str]] = lambda _: ()  # groups that cannot have it


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
    what the page calls one, which is a task where there is no such function.
    """

    name: str = field(kw_only=False)
    title: str = field(kw_only=False)
    axis: str = ""
    reading: Text = ""
    caption: Callable[[PageInputs], str] = lambda _: ""
    groups: Callable[[PageInputs], Sequence[Any]] = lambda _: ()
    label: Callable[[Any], str] | None = None
    plot: Plot | None = None


@dataclass(frozen=True, kw_only=True)
class Tabled(Spec):
    """What metrics/plots alone shows: a table of the focus that DVC draws."""

    table: Callable[[PageInputs, str], pd.DataFrame]


@dataclass(frozen=True, kw_only=True)
class Curves(Spec):
    """Small multiples: panels are groups × quantities, curves the series."""

    quantities: Sequence[Quantity] = ()
    by: str = "task"  # column whose values are the groups
    x: str = "layer"
    rev: str = "state"  # column whose values are the series
    series: Sequence[Series] | Callable[[PageInputs], Sequence[Series]] = STATES
    template: str = "curves"  # of .dvc/plots
    signed: bool = False
    mark: bool = False  # draw the layer mark of the claims
    margin: bool = False  # draw the equivalence margin around zero
    together: bool = False  # all quantities share one y axis
    better: bool = False  # higher is better: pre-trained below random weights is worth a note
    beside: Sequence[Beside] = ()
    also: Callable[[PageInputs, pd.DataFrame], pd.DataFrame] | None = None  # adds columns
    keep: Sequence[str] = ()  # which of these the template reads
    in_row: int = 0


@dataclass(frozen=True, kw_only=True)
class HeatMaps(Spec):
    """Maps of two columns, a panel per ``group`` and ``measure``.

    ``rows`` gives ``group``, ``measure``, the columns `x` and `y`, and ``value``.
    """

    rows: Select = lambda _: pd.DataFrame()
    x: str = "head"
    y: str = "layer"
    scale: str = ""  # what the colour bar shows
    y_up: bool = True
    own: str = ""  # what the table calls a row whose `x` is -1, which is not drawn
    order: Sequence[str] = ()
    row_height: int = 15  # pixels
    digits: int = 2
    diverging: bool = False
    step: float = 0.1  # limits of the scale are multiples of it
    ends: tuple[float | None, float | None] = (None, None)  # those of the scale that are fixed
    expected: bool = True  # of every group of the run


@dataclass(frozen=True, kw_only=True)
class Bars(Spec):
    """Horizontal bars with intervals, a panel per group.

    ``rows`` gives ``group``, ``name`` (of the bar), ``rev`` (of the series), ``value, low, high``.
    """

    rows: Select = lambda _: pd.DataFrame()
    names: Sequence[str] = ()  # the bars in their order; others come as they are
    series: Sequence[Series] = ()
    measure: str = "share, %"
    head: str = "share"


def sentences(
    write: Callable[..., Iterator[str]], nothing: str = NOT_MEASURED
) -> Callable[..., str]:
    """A caption of the sentences that a function yields; `nothing` where it yields none."""
    return wraps(write)(lambda *args: " ".join(filter(None, write(*args))) or nothing)


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
