"""Verdicts: a claim is a list of checks, each an estimate with its interval.

A check `passes`, `fails`, or is `undecided`: the examples are too few to tell, or the number is
missing. The verdict follows by one rule for all claims (`judge`); nothing is typed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan
from statistics import NormalDist
from typing import Literal

import numpy as np

from tuneprobe.claims.evidence import Evidence
from tuneprobe.collect.estimates import Estimate
from tuneprobe.stats import holm

Outcome = Literal["pass", "fail", "undecided"]
HOLDS, PARTLY, FAILS, UNTESTED = "holds", "partly", "does not hold", "not testable here"
VERDICT_RULE = (
    "A claim holds if all its checks pass, does not hold if more of them fail than pass, and holds "
    "partly otherwise. It is not testable here if no check has a number, or if more than half of "
    "the checks are undecided. A check without a number counts as undecided. The level of the "
    "tests is that of all checks of a claim together: intervals are widened for their number "
    "(Bonferroni, taking an interval for a normal one), and p-values are Holm’s over them."
)


@dataclass(frozen=True)
class Check:
    """One estimate that a claim depends on.

    ``subject`` and ``what`` name it ("coreference", "layer 6"); low and high bound the value.
    ``unit`` says how the value is written: ``correlation``, ``difference``, ``fraction`` (a
    difference of numbers up to 1), ``similarity``, ``count`` or ``percent``.
    """

    subject: str
    what: str
    outcome: Outcome = "undecided"
    value: float = nan
    low: float = nan
    high: float = nan
    unit: str = "difference"


@dataclass(frozen=True)
class Claim:
    """A statement of a paper and how it is tested.

    Attributes
    ----------
    name : str
        Stable, used as an anchor.
    published : str
        What the paper shows for it.
    rule : str
        When a check passes, fails or is undecided, in words.
    figure : str
        Anchor of the figure that shows it.
    checks : callable
        Evidence to checks.
    study : str
        Study, as results name it.
    states : tuple of str
        States without which it cannot be tested.
    """

    name: str
    source: str
    statement: str
    published: str
    rule: str
    figure: str
    checks: Callable[[Evidence], Iterator[Check]]
    study: str = "pairwise"
    states: tuple[str, ...] = ("pretrained", "finetuned")


@dataclass(frozen=True)
class Finding:
    """A claim with its checks, the verdict, and why it is this verdict."""

    claim: Claim
    checks: tuple[Check, ...]
    verdict: str
    reason: str


def judge(claim: Claim, evidence: Evidence) -> Finding:
    """Test one claim; the rule is `VERDICT_RULE`."""
    absent = _absent_states(claim, evidence)
    checks = () if absent else tuple(claim.checks(evidence))
    if absent or not any(isfinite(check.value) for check in checks):
        return Finding(claim, checks, UNTESTED, absent or "no check of this claim has a number")
    passed, failed, undecided = (
        sum(check.outcome == outcome for check in checks)
        for outcome in ("pass", "fail", "undecided")
    )
    reason = f"{passed} of {len(checks)} checks pass, {failed} fail"
    if undecided:
        reason += f", {undecided} undecided"
    if missing := _without_numbers(checks):
        reason += f" (no numbers for {', '.join(missing)})"
    if 2 * undecided > len(checks):
        return Finding(claim, checks, UNTESTED, f"mostly undecided: {reason}")
    if passed == len(checks):
        return Finding(claim, checks, HOLDS, reason)
    return Finding(claim, checks, FAILS if failed > passed else PARTLY, reason)


def _absent_states(claim: Claim, evidence: Evidence) -> str:
    states = evidence.states(claim.study)
    absent = [state for state in claim.states if state not in states]
    if not states or (len(absent) > 1 and len(absent) == len(claim.states)):
        return f"the {claim.study} study is missing"
    return f"the state {absent[0]} is missing" if absent else ""


def _without_numbers(checks: Sequence[Check]) -> list[str]:
    measured = {check.subject for check in checks if isfinite(check.value)}
    return list(dict.fromkeys(check.subject for check in checks if check.subject not in measured))


def by_interval(
    checks: Iterable[Check], alpha: float, outcome: Callable[[float, float], Outcome] | None = None
) -> list[Check]:
    """The checks with outcomes by their intervals, widened for the number that have one.

    Parameters
    ----------
    outcome : callable
        Of the widened bounds; `above_zero` by default. A check without an interval keeps its own.
    """
    given = list(checks)
    n = sum(isfinite(check.low) and isfinite(check.high) for check in given)
    judged = []
    for check in given:
        if isfinite(check.low) and isfinite(check.high):
            _, low, high = widened(Estimate(check.value, check.low, check.high), n, alpha)
            check = replace(check, outcome=(outcome or above_zero)(low, high))
        judged.append(check)
    return judged


def widened(one: Estimate, n: int, alpha: float) -> Estimate:
    """The estimate with its interval at the level alpha / n, taken for a normal one.

    >>> [round(bound, 2) for bound in widened(Estimate(0.0, -1.96, 1.96), 2, 0.05)]
    [0.0, -2.24, 2.24]
    """
    normal = NormalDist()
    factor = normal.inv_cdf(1 - alpha / (2 * n)) / normal.inv_cdf(1 - alpha / 2)
    value, low, high = one
    return Estimate(value, value - factor * (value - low), value + factor * (high - value))


def holm_over(p: Sequence[float]) -> list[float]:
    """Holm's p-values over those that were measured; NaN stays NaN.

    >>> holm_over([0.01, nan, 0.04])
    [0.02, nan, 0.04]
    """
    values = np.asarray(p, dtype=np.float64)
    values[np.isfinite(values)] = holm(values[np.isfinite(values)])
    return [float(one) for one in values]


def above_zero(low: float, high: float, equal_within: float = 0.0) -> Outcome:
    """Pass above zero; fail below zero or, where equality has a margin, wholly within it."""
    if low > 0:
        return "pass"
    if high < 0 or (low > -equal_within and high < equal_within):
        return "fail"
    return "undecided"
