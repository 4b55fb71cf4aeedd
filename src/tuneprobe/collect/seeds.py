"""Several seeds: the one place where rows of a run are reduced over them."""

from collections.abc import Iterable
from math import inf, nan

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm as normal
from scipy.stats import t as student

from tuneprobe.collect.estimates import BOUNDS
from tuneprobe.formats.results import KEYS, significant
from tuneprobe.measures import Measure

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
P_OF = {"p": "gap", "p_holm": "gap", "contrast_p": "contrast"}  # p-value: what it is of
P_VALUES = (*P_OF, "equivalence_p")
CONFIDENCE = 0.95  # where the rows do not say theirs
BY = [name for name in KEYS if name != "seed"]


def mean_over_seeds(results: pd.DataFrame, measures: Iterable[Measure] = ()) -> pd.DataFrame:
    """One row per number: the mean over its seeds; a number of one seed stays as it is.

    A number without bounds under any seed, of a metric that has bounds elsewhere, is of too few
    examples for an interval, and its mean has none either: the seeds alone would make it too sure.
    A p-value becomes the largest of all seeds, so that what is significant, or equal, is so in
    each; and of a difference at least that of its mean over seeds, whose interval covers them.
    The intervals end where the `measures` do: those of few seeds are wide, and an accuracy is not
    above 100 %.
    """
    several = results.duplicated(BY, keep=False)
    if not several.any():
        return results
    rows = results[several]
    groups = rows.groupby(BY, sort=False, dropna=False)
    group = groups.ngroup().to_numpy()
    found = rows[~rows.duplicated(BY)].copy()  # the first of each group, in the order of `group`
    level = found.level.fillna(CONFIDENCE).to_numpy()
    value, low, high = (rows[name].to_numpy() for name in BOUNDS)
    found[BOUNDS] = np.column_stack(two_level(value, low, high, group, level))
    ranges = {(measure.study, measure.name): measure.range for measure in measures}
    keys = zip(found.study, found.metric, strict=True)
    least, most = np.array([ranges.get(key, (-inf, inf)) for key in keys]).T
    found["low"], found["high"] = found.low.clip(lower=least), found.high.clip(upper=most)
    found.loc[_too_few(results, rows, group), ["low", "high"]] = nan
    found["n"] = groups.n.min().to_numpy()
    of_p = found.metric.isin(P_VALUES).to_numpy()
    largest = groups.value.max(skipna=False).to_numpy()
    found.loc[of_p, "value"] = np.maximum(largest, _least_p(found, level))[of_p]
    found.loc[of_p, ["low", "high"]] = nan
    for name in BOUNDS:
        found[name] = [significant(number) for number in found[name]]
    return pd.concat([results[~several], found]).sort_index(kind="stable", ignore_index=True)


def _too_few(results: pd.DataFrame, rows: pd.DataFrame, group: NDArray[np.integer]) -> Booleans:
    """Which groups of `rows` lack bounds that others of their metric have."""
    kind = ["study", "metric"]
    bounded = results[results.low.notna()][kind].drop_duplicates()
    usual = rows[kind].merge(bounded, how="left", on=kind, indicator=True)._merge.eq("both")
    with_bounds = np.bincount(group, rows.low.notna()) > 0
    return (np.bincount(group, usual) > 0) & ~with_bounds


def two_level(
    values: Floats, lows: Floats, highs: Floats, group: NDArray[np.integer], level: Floats
) -> tuple[Floats, Floats, Floats]:
    """Means over seeds with intervals for other examples and for other seeds.

        low = m - sqrt(mean((v - v_low)²) + (t s / √k)²),    high likewise

    v_low are the bounds of single seeds, s their standard deviation, k their number, t the
    quantile of Student's distribution with k - 1 degrees of freedom. All seeds are scored on the
    same examples, so the first part does not shrink with k. Without bounds it is left out. A number
    that one seed leaves undefined is undefined.

    Parameters
    ----------
    values, lows, highs : array of shape (n,)
        Numbers of single seeds with their bounds, NaN where there are none.
    group : array of shape (n,)
        Which mean a number belongs to, from 0; each has at least two.
    level : array of shape (n_groups,)

    Returns
    -------
    Means, lower and upper bounds, each of shape (n_groups,).

    >>> of = np.array([10.0, 10.0]), np.array([9.0, 9.0]), np.array([11.0, 11.0])
    >>> [float(bound[0]) for bound in two_level(*of, np.array([0, 0]), np.array([0.95]))]
    [10.0, 9.0, 11.0]
    """
    k = np.bincount(group)
    mean = np.bincount(group, values) / k
    deviation = np.sqrt(np.bincount(group, (values - mean[group]) ** 2) / (k - 1))
    spread = student.ppf((1 + level) / 2, k - 1) * deviation / np.sqrt(k)
    reaches = (_mean_square(values - bounds, group, len(k)) for bounds in (lows, highs))
    below, above = (np.sqrt(reach + spread**2) for reach in reaches)
    return mean, mean - below, mean + above


def _mean_square(reaches: Floats, group: NDArray[np.integer], n_groups: int) -> Floats:
    """Of the reaches of each group that are known; 0 without any."""
    known = np.isfinite(reaches)
    squares = np.bincount(group[known], reaches[known] ** 2, minlength=n_groups)
    return squares / np.maximum(np.bincount(group[known], minlength=n_groups), 1)


def _least_p(found: pd.DataFrame, level: Floats) -> Floats:
    """Of each p-value of a mean over seeds, the least that the interval of this mean allows.

    Two-sided, for a mean of zero, taking the interval for a normal one; 0 where there is no
    interval.
    """
    middle = found.value.to_numpy()
    reach = np.abs(middle - np.where(middle > 0, found.low, found.high))
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * normal.sf(np.abs(middle) / reach * normal.ppf((1 + level) / 2))
    p = np.where(reach == 0, middle == 0, np.where(np.isfinite(reach), p, 0.0))
    difference = found.metric.isin(P_OF.values())
    of = found[BY].assign(p=p)[difference]
    named = found[BY].assign(metric=found.metric.map(P_OF))
    return named.merge(of, how="left", on=BY).p.fillna(0.0).to_numpy()
