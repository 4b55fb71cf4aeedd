"""Measures: the closed vocabulary of what a result row may say, and how a number is written."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

import pandas as pd

from tuneprobe.errors import UnknownNameError
from tuneprobe.formats.results import FACETS, Result, facet_columns

PERCENT, POINTS, FRACTION = "%", "points", "fraction"


@dataclass(frozen=True)
class Measure:
    """One kind of number.

    Attributes
    ----------
    study, name : str
        Columns ``study`` and ``metric`` of its rows.
    label, unit : str
        What a reader calls it; ``%``, ``points``, ``fraction``, or empty.
    cite : str
        Where it is defined.
    facets : tuple of str
        The columns that its rows may fill.
    within : pair of float, optional
        What no value lies outside of; by default 0 and 100 of a percentage, of others nothing.
    """

    study: str
    name: str
    label: str
    unit: str = ""
    cite: str = ""
    facets: tuple[str, ...] = ()
    within: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        facet_columns(self.facets)

    @property
    def range(self) -> tuple[float, float]:
        """What no value lies outside of, nor an end of an interval."""
        return self.within or ((0.0, 100.0) if self.unit == PERCENT else (-inf, inf))


def check_measures(results: pd.DataFrame, measures: Iterable[Measure]) -> pd.DataFrame:
    """The rows, each of which a measure declares.

    Raises
    ------
    UnknownNameError
        Names the nearest metric of the study, or the nearest facet of the metric.
    """
    known = {(measure.study, measure.name): measure for measure in measures}
    defaults = Result._field_defaults
    facets = {one: results[one] != defaults[one] for one in (*FACETS, "other", "against")}
    used = pd.DataFrame(facets).groupby([results.study, results.metric]).any()
    for (study, metric), has in zip(used.index.tolist(), used.to_numpy(), strict=True):
        if (study, metric) not in known:
            names = [name for of, name in known if of == study] or [of for of, _ in known]
            raise UnknownNameError(f"metric of the study '{study}'", str(metric), set(names))
        declared = known[str(study), str(metric)].facets
        for facet in used.columns[has]:
            if facet not in declared:
                raise UnknownNameError(f"facet of '{metric}'", facet, declared or ["none"])
    return results
