"""What runs are compared by: the headline numbers of one state, and the tables of `dvc plots`.

Names contain neither state nor encoder nor corpus, so that `dvc exp show` has the same columns and
`dvc plots diff` the same panels for every run.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from tuneprobe.artifacts import atomic_file
from tuneprobe.collect import attention, geometry, pairwise
from tuneprobe.collect.attention import attention_headline, attention_tables
from tuneprobe.collect.conditions import with_conditions
from tuneprobe.collect.estimates import Estimate
from tuneprobe.collect.geometry import geometry_headline, geometry_tables
from tuneprobe.collect.pairwise import pairwise_headline, pairwise_tables
from tuneprobe.collect.tables import tidy_table
from tuneprobe.errors import UnknownNameError
from tuneprobe.formats.results import significant
from tuneprobe.states import STATES

__all__ = [
    "STUDY_NUMBERS",
    "by_study",
    "headline",
    "headline_estimates",
    "plot_tables",
    "write_tables",
]

HEADLINE_COLUMNS = ("name", *Estimate._fields)
STUDY_NUMBERS = {  # title of a study to the headline numbers that it may have
    "Pairs that reading needs": pairwise.HEADLINE_NAMES,
    "Spaces of labels": geometry.HEADLINE_NAMES,
    "Heads and what they are worth": attention.HEADLINE_NAMES,
}


def headline(results: pd.DataFrame, focus: str) -> dict[str, float]:
    """At most 35 numbers of the state `focus`; a number that was not measured is left out.

    Raises
    ------
    UnknownNameError
        If `focus` is not a state.
    """
    numbers = headline_estimates(results, focus)
    return {name: significant(number.value) for name, number in numbers.items()}


def headline_estimates(results: pd.DataFrame, focus: str) -> dict[str, Estimate]:
    """The headline numbers with their intervals; NaN bounds where none is known."""
    check_state(focus)
    results = with_conditions(results)
    found = pairwise_headline(results, focus)
    found |= geometry_headline(results, focus) | attention_headline(results, focus)
    return dict(sorted(found.items()))


def by_study(names: Iterable[str]) -> dict[str, list[str]]:
    """Headline numbers by the study that they are of, in its order; ``Other`` holds the rest."""
    waiting = list(names)
    grouped = {}
    for study, known in STUDY_NUMBERS.items():
        grouped[study] = [name for name in known if name in waiting]
        waiting = [name for name in waiting if name not in known]
    return {study: found for study, found in (grouped | {"Other": waiting}).items() if found}


def plot_tables(
    results: pd.DataFrame, focus: str, *, confidence: float = 0.95
) -> dict[str, pd.DataFrame]:
    """The tables of metrics/plots, file stem to frame; one without data keeps its columns.

    ``headline`` is drawn by no plot: the headline numbers with their intervals.
    """
    check_state(focus)
    results = with_conditions(results)
    numbers = headline_estimates(results, focus)
    rows = pd.DataFrame([(name, *one) for name, one in numbers.items()], columns=HEADLINE_COLUMNS)
    pairs = pairwise_tables(results, focus, confidence=confidence)
    drawn = pairs | geometry_tables(results, focus) | attention_tables(results, focus)
    return drawn | {"headline": tidy_table([rows], HEADLINE_COLUMNS)}


def check_state(focus: str) -> None:
    """Refuse a state that no study has."""
    if focus not in STATES:
        raise UnknownNameError("state", focus, STATES)


def write_tables(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write each table as ``<name>.csv``, each in one step."""
    for name, table in tables.items():
        with atomic_file(folder / f"{name}.csv") as part:
            table.to_csv(part, index=False)
