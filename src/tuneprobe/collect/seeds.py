"""Several seeds: the one place where rows of a run are reduced over them."""

from math import isfinite, isnan, nan, sqrt
from statistics import fmean, stdev
from typing import Any

import pandas as pd
from scipy.stats import norm as normal
from scipy.stats import t as student

from tuneprobe.collect.estimates import Estimate
from tuneprobe.formats.results import KEYS, significant

P_OF = {"p": "gap", "p_holm": "gap", "contrast_p": "contrast"}  # p-value: what it is of
P_VALUES = (*P_OF, "equivalence_p")
CONFIDENCE = 0.95  # where the rows do not say theirs
BY = [name for name in KEYS if name != "seed"]


def mean_over_seeds(results: pd.DataFrame) -> pd.DataFrame:
    """One row per number: the mean over its seeds; a number of one seed stays as it is.

    A p-value becomes the largest of all seeds, so that what is significant, or equal, is so in
    each; and of a difference at least that of its mean over seeds, whose interval covers them.
    """
    if not len(results) or not results.duplicated(BY).any():
        return results
    several = results.duplicated(BY, keep=False)
    rows: list[dict[Any, Any]] = []
    two_sided = {}
    for _, group in results[several].groupby(BY, sort=False, dropna=False):
        level = group.level.iloc[0]
        bounds = group[["value", "low", "high"]].itertuples(index=False)
        level = level if level == level else CONFIDENCE
        found = two_level([Estimate(*one) for one in bounds], level)
        first: dict[Any, Any] = group.iloc[0].to_dict()
        if first["metric"] in P_VALUES:
            found = Estimate(group.value.max(skipna=False))
        elif first["metric"] in P_OF.values():
            two_sided[_key(first, first["metric"])] = two_sided_p(found, level)
        rows.append({**first, **Estimate(*map(significant, found))._asdict()})
        rows[-1]["n"] = group.n.min()
    for row in rows:
        if row["metric"] in P_OF:
            least = two_sided.get(_key(row, P_OF[row["metric"]]), 0.0)
            row["value"] = max(row["value"], significant(least))
    reduced = pd.DataFrame(rows, columns=results.columns)
    return pd.concat([results[~several], reduced]).sort_index(kind="stable", ignore_index=True)


def two_level(of: list[Estimate], level: float) -> Estimate:
    """Mean over seeds with an interval for other examples and for other seeds.

        low = m - sqrt(mean((v - v_low)²) + (t s / √k)²),    high likewise

    v_low are the bounds of single seeds, s their standard deviation, k their number, t the
    quantile of Student's distribution with k - 1 degrees of freedom. All seeds are scored on the
    same examples, so the first part does not shrink with k. Without bounds it is left out. A number
    that one seed leaves undefined is undefined.

    >>> two_level([Estimate(10.0, 9.0, 11.0), Estimate(10.0, 9.0, 11.0)], 0.95)
    Estimate(value=10.0, low=9.0, high=11.0)
    """
    values = [one.value for one in of]
    if any(isnan(value) for value in values):
        return Estimate(nan, nan, nan)
    middle, k = fmean(values), len(of)
    spread = student.ppf((1 + level) / 2, k - 1) * stdev(values) / sqrt(k) if k > 1 else 0.0
    below, above = (
        sqrt(
            _mean_square([abs(one.value - bound) for one, bound in zip(of, bounds, strict=True)])
            + spread**2
        )
        for bounds in ([one.low for one in of], [one.high for one in of])
    )
    return Estimate(middle, middle - below, middle + above)


def two_sided_p(of: Estimate, level: float) -> float:
    """Of a mean of zero, taking the interval for a normal one; 0 where there is no interval.

    >>> round(two_sided_p(Estimate(1.96, 0.0, 3.92), 0.95), 3)
    0.05
    """
    bound = of.low if of.value > 0 else of.high
    if not isfinite(bound):
        return 0.0
    reach = abs(of.value - bound)
    if reach == 0.0:
        return float(of.value == 0)
    return float(2 * normal.sf(abs(of.value) / reach * normal.ppf((1 + level) / 2)))


def _key(row: dict[Any, Any], metric: str) -> tuple[Any, ...]:
    return (metric, *(row[name] for name in BY if name != "metric"))


def _mean_square(reaches: list[float]) -> float:
    """Of the reaches that are known; 0 without any."""
    known = [reach**2 for reach in reaches if reach == reach]
    return fmean(known) if known else 0.0
