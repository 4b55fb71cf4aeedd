"""Estimates: numbers between their bounds, and what their differences and means are known to."""

from collections.abc import Mapping, Sequence
from math import isnan, nan, sqrt
from statistics import fmean
from typing import Any, NamedTuple

import pandas as pd


class Estimate(NamedTuple):
    """A number between its bounds; NaN where it was not measured."""

    value: float
    low: float = nan
    high: float = nan


NOT_MEASURED = Estimate(nan)
BOUNDS = list(Estimate._fields)


def estimates(rows: pd.DataFrame) -> list[Estimate]:
    """The columns ``value, low, high`` of result rows."""
    return [
        Estimate(*cells) for cells in zip(*(rows[name].tolist() for name in BOUNDS), strict=True)
    ]


def estimate(row: Mapping[str, Any]) -> Estimate:
    """That of one row."""
    return Estimate(*(row[name] for name in BOUNDS))


def same(one: Estimate, other: Estimate) -> bool:
    """Whether two estimates are equal to the last digit; a bound that neither has is equal.

    >>> same(Estimate(23.0), Estimate(23.0)), same(Estimate(23.0), Estimate(23.0, 22.0, 24.0))
    (True, False)
    >>> same(NOT_MEASURED, NOT_MEASURED)
    False
    """
    bounds = zip(one[1:], other[1:], strict=True)
    return one.value == other.value and all(a == b or (isnan(a) and isnan(b)) for a, b in bounds)


def difference(after: Estimate, before: Estimate) -> Estimate:
    """Difference of two independent estimates, its interval from theirs (Zou & Donner 2008).

        low = d - sqrt((a - a_low)² + (b_high - b)²),    high likewise

    For normal estimates the usual interval; too wide where both rest on the same examples. NaN
    bounds where an estimate has none.

    >>> difference(Estimate(95, 92, 98), Estimate(90, 86, 94))
    Estimate(value=5, low=0.0, high=10.0)
    """
    gap = after.value - before.value
    below = sqrt((after.value - after.low) ** 2 + (before.high - before.value) ** 2)
    above = sqrt((after.high - after.value) ** 2 + (before.value - before.low) ** 2)
    return Estimate(gap, gap - below, gap + above)


def mean(of: Sequence[Estimate]) -> Estimate:
    """Mean of independent estimates, its interval from theirs (Zou & Donner 2008).

        low = m - sqrt(Σ (v_i - low_i)²) / n,    high likewise

    >>> mean([Estimate(10, 7, 13), Estimate(20, 16, 24)])
    Estimate(value=15.0, low=12.5, high=17.5)
    """
    middle, n = fmean(one.value for one in of), len(of)
    below = sqrt(sum((one.value - one.low) ** 2 for one in of)) / n
    above = sqrt(sum((one.high - one.value) ** 2 for one in of)) / n
    return Estimate(middle, middle - below, middle + above)


def bounds_mean(of: Sequence[Estimate]) -> Estimate:
    """Mean of estimates from the same examples, its bounds the means of theirs."""
    return Estimate(*map(fmean, zip(*of, strict=True)))


def halves(rows: pd.DataFrame, last: float) -> tuple[list[Estimate], list[Estimate]]:
    """The estimates of the layers from 1 to half of `last`, and of those above."""
    lower = rows[(rows.layer > 0) & (rows.layer <= last / 2)]
    return estimates(lower), estimates(rows[rows.layer > last / 2])
