"""Verdicts: a claim is a list of checks, each an estimate with its interval.

A check `passes`, `fails`, or is `undecided`: the examples are too few to tell, or the number is
missing. The verdict follows by one rule for all claims (`judge`); nothing is typed.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import pandas as pd

from tuneprobe.claims.competence import Competence
from tuneprobe.claims.evidence import Evidence
from tuneprobe.collect.estimates import Estimate, estimates
from tuneprobe.errors import UnknownNameError
from tuneprobe.stats import holm
from tuneprobe.wording import baseline_label, bounded, score_label, task_label
from tuneprobe.yaml_file import read_yaml

Outcome = Literal["pass", "fail", "undecided"]
HOLDS, PARTLY, FAILS, UNTESTED = "holds", "partly", "does not hold", "not testable here"
UNLEARNED = "undecided: the model did not learn the task"
VERDICT_RULE = (
    "A claim holds if all its checks pass, does not hold if more of them fail than pass, and holds "
    "partly otherwise. A claim of every probe, layer, step or task does not hold as soon as one "
    "check fails, however many are undecided. It is not testable here if no check has a number, or "
    "if more than half of the checks are undecided. A check without a number counts as undecided. "
    "The level of the tests is that of all checks of a claim together: intervals are widened for "
    "their number (Bonferroni, taking an interval for a normal one; the tables print the plain "
    "ones), and p-values are Holm’s over them. A task "
    "is learned if the tuned model is above each of its baselines, by the paired interval; a check "
    "that rests on a task that was not learned is undecided, and so is a claim most of whose "
    "checks are undecided for that. With several seeds of tuning, intervals cover other examples "
    "and other seeds, and each seed is judged by itself too."
)
REFUTED = "One check that fails refutes it."
WORST_FIRST: tuple[Outcome, ...] = ("fail", "undecided", "pass")
OPPOSITE: dict[Outcome, Outcome] = {"pass": "fail", "fail": "pass", "undecided": "undecided"}
SIGNED_UNITS = ("points", "nats", "doublings", "clusters", "correlation", "fraction")


@dataclass(frozen=True)
class Check:
    """One estimate that a claim depends on.

    ``subject`` and ``what`` name it ("coreference", "layer 6"); low and high bound the value.
    ``unit`` says how the value is written: ``points``, ``percent``, ``nats``, ``doublings``;
    without a word ``correlation``, ``similarity`` and ``fraction`` (a difference of numbers up to
    1); else it is a count of the words themselves: ``clusters``, ``of 5 tasks``. Bounds are plain,
    not widened for the number of checks.
    """

    subject: str
    what: str
    value: float = nan
    low: float = nan
    high: float = nan
    unit: str = "points"
    outcome: Outcome = "undecided"


Checks = Callable[[Evidence], Iterator[Check]]
Rule = Callable[[Estimate], Outcome]
Rows = Callable[[Evidence], pd.DataFrame]


def above(limit: float = 0.0) -> Rule:
    """Pass where the whole interval lies above a number, fail where it lies below.

    >>> above()(Estimate(2, 1, 3)), above(2.5)(Estimate(2, 1, 3))
    ('pass', 'undecided')
    """
    return lambda one: "pass" if one.low > limit else "fail" if one.high < limit else "undecided"


ABOVE_ZERO = above()


def below(limit: float) -> Rule:
    """Pass where the whole interval lies below a number, fail where it lies above."""
    return lambda one: OPPOSITE[above(limit)(one)]


def by_interval(checks: Iterable[Check], alpha: float, rule: Rule) -> list[Check]:
    """The checks with the outcomes of their intervals, widened for the number that have one."""
    given = list(checks)
    known = [isfinite(check.low) and isfinite(check.high) for check in given]
    return [
        replace(check, outcome=rule(widened(estimate_of(check), sum(known), alpha)))
        if is_known
        else check
        for check, is_known in zip(given, known, strict=True)
    ]


def estimate_of(check: Check) -> Estimate:
    """Its number between its bounds."""
    return Estimate(check.value, check.low, check.high)


def each_row(what: str, rows: Rows, **more: Any) -> Checks:
    """One check per row, which is called by its task, in the order of the tasks."""

    def checks(evidence: Evidence) -> Iterator[Check]:
        found = rows(evidence).sort_values("task", kind="stable")
        for task, one in zip(found.task, estimates(found), strict=True):
            yield Check(evidence.label(task), what, *one, **more)

    return checks


@dataclass(frozen=True)
class Claim:
    """A statement of a paper and how it is tested.

    The rule says in words when a check passes, fails or is undecided. ``outcome`` is that of an
    interval, widened for the number of checks; a check without an interval keeps its own, and
    every check where there is no such rule. A ``universal`` claim is refuted by one check that
    fails; one that is judged ``by_subject`` counts each subject once, by its worst check.
    """

    name: str  # stable, used as an anchor
    source: str
    statement: str
    published: str  # what the paper shows for it
    rule: str
    figure: str  # anchor of the figure that shows it
    checks: Checks
    outcome: Rule | None = ABOVE_ZERO
    study: str = "pairwise"  # as results name it
    states: Sequence[str] = ("pretrained", "finetuned")  # without which it cannot be tested
    gated: bool = True  # undecided where the task was not learned; not so if about its scores
    universal: bool = False  # of every probe, layer, step or task
    by_subject: bool = False

    def judged(self, evidence: Evidence) -> tuple[Check, ...]:
        """Its checks, each with its outcome."""
        checks = self.checks(evidence)
        return tuple(by_interval(checks, evidence.alpha, self.outcome) if self.outcome else checks)


def read_claims(
    module: str, tests: Mapping[str, tuple[Checks, Rule | None]], **numbers: float
) -> tuple[Claim, ...]:
    """The claims of a study: their texts from ``claims.yaml`` beside a module, and their tests.

    Parameters
    ----------
    module : str
        Its ``__file__``.
    tests : mapping
        Name of a claim to its checks and the rule of their outcomes.
    numbers
        What rules name in braces, beside the sentences that several of them share.

    Raises
    ------
    UnknownNameError
        If a claim has no test, or a test no claim.
    """
    given = read_yaml(Path(module).with_name("claims.yaml"))
    texts, words = given["claims"], {**given.get("sentences", {}), **numbers}
    for name in texts.keys() ^ tests.keys():
        raise UnknownNameError("claim", name, texts.keys() & tests.keys())
    found = []
    for name, text in texts.items():
        checks, outcome = tests[name]
        text = {"study": given["study"], "states": given["states"], **text}
        text["rule"] = text["rule"].format(**words)
        if text.get("universal"):
            text["rule"] += f" {REFUTED}"
        found.append(Claim(name, checks=checks, outcome=outcome, **text))
    return tuple(found)


@dataclass(frozen=True)
class Finding:
    """A claim with its checks, the verdict, and why it is this verdict.

    ``seeds`` is the verdict of each seed of tuning by itself, empty where there is one.
    """

    claim: Claim
    checks: tuple[Check, ...]
    verdict: str
    reason: str
    seeds: tuple[str, ...] = ()

    @property
    def outcomes(self) -> list[Outcome]:
        """Of each check; of each subject its worst, where the claim is judged by these."""
        if not self.claim.by_subject:
            return [check.outcome for check in self.checks]
        found: dict[str, list[Outcome]] = {}
        for check in self.checks:
            found.setdefault(check.subject, []).append(check.outcome)
        return [next(one for one in WORST_FIRST if one in of) for of in found.values()]

    @property
    def passed(self) -> str:
        """How many of what passed: ``3 of 8 checks pass``."""
        of = "tasks" if self.claim.by_subject else "checks"
        return f"{self.outcomes.count('pass')} of {len(self.outcomes)} {of} pass"


def judge(claim: Claim, evidence: Evidence) -> Finding:
    """Test one claim; the rule is `VERDICT_RULE`. With several seeds, say how far they agree."""
    finding = _judge(claim, evidence)
    alone = [_judge(claim, one) for one in evidence.per_seed.values()]
    if not alone:
        return finding
    verdicts = tuple(one.verdict for one in alone)
    reason = f"{finding.reason}; {_agreement(finding, alone)}"
    return replace(finding, reason=reason, seeds=verdicts)


def _agreement(finding: Finding, alone: Sequence[Finding]) -> str:
    """In how many seeds the verdict is the same, and for how many checks the sign is in all."""
    same = sum(one.verdict == finding.verdict for one in alone)
    text = f"{finding.verdict} in {same} of {len(alone)} seeds"
    values = [{(check.subject, check.what): check.value for check in one.checks} for one in alone]
    signed = [
        check for check in finding.checks if check.unit in SIGNED_UNITS and isfinite(check.value)
    ]
    agree = sum(
        all(
            np.sign(of.get((check.subject, check.what), nan)) == np.sign(check.value)
            for of in values
        )
        for check in signed
    )
    return f"{text}, {agree} of {len(signed)} checks with the same sign in all" if signed else text


def _judge(claim: Claim, evidence: Evidence) -> Finding:
    """The verdict on the evidence as it is, whatever the number of seeds behind it."""
    absent = _absent_states(claim, evidence)
    checks = () if absent else claim.judged(evidence)
    if absent or not any(isfinite(check.value) for check in checks):
        return Finding(claim, checks, UNTESTED, absent or "no check of this claim has a number")
    checks, gate = _gated(claim, checks, evidence)
    finding = Finding(claim, checks, "", "")
    of = Counter(finding.outcomes)
    passed, failed, undecided = of["pass"], of["fail"], of["undecided"]
    reason = f"{finding.passed}, {failed} fail"
    if undecided:
        reason += f", {undecided} undecided"
    if missing := _without_numbers(checks):
        reason += f" (no numbers for {', '.join(missing)})"
    if gate:
        reason += f"; {gate}"
    if failed and claim.universal:
        return replace(finding, verdict=FAILS, reason=reason)
    if gate and undecided > passed + failed:
        return replace(finding, verdict=UNLEARNED, reason=reason)
    if undecided > passed + failed:
        return replace(finding, verdict=UNTESTED, reason=f"mostly undecided: {reason}")
    verdict = HOLDS if not failed + undecided else FAILS if failed > passed else PARTLY
    return replace(finding, verdict=verdict, reason=reason)


def _gated(
    claim: Claim, checks: tuple[Check, ...], evidence: Evidence
) -> tuple[tuple[Check, ...], str]:
    """The checks, undecided where they rest on a task that was not learned, and a sentence on it.

    A check rests on a task if it has another number, or none, without the rows of the encoder
    that was tuned on it.
    """
    why = []
    for task, rest in evidence.unlearned if claim.gated else []:
        others = {(one.subject, one.what): one.value for one in claim.checks(rest)}
        rests = [others.get((one.subject, one.what), nan) != one.value for one in checks]
        rests = [it and isfinite(one.value) for it, one in zip(rests, checks, strict=True)]
        if any(rests):
            why.append(not_learned(task))
        checks = tuple(
            replace(one, outcome="undecided") if it else one
            for it, one in zip(rests, checks, strict=True)
        )
    return checks, "; ".join(why)


def not_learned(task: Competence) -> str:
    """That a task was not learned, and by which number.

    >>> from tuneprobe.claims.competence import Gap
    >>> gap = Gap("short_f1", "word-overlap", Estimate(-3.0, -6.0, 0.5))
    >>> not_learned(Competence("world-qa", True, (gap,)))
    'the model did not learn reading world: short F1 minus that of word overlap is −3.0 [−6.0, 0.5]'
    """
    weakest = task.weakest
    few = "" if isfinite(weakest.estimate.low) else " (too few examples)"
    return (
        f"the model did not learn {task_label(task.task)}: {score_label(weakest.score)} minus "
        f"that of {baseline_label(weakest.baseline)} is {bounded(*weakest.estimate)}{few}"
    )


def _absent_states(claim: Claim, evidence: Evidence) -> str:
    states = evidence.states(claim.study)
    absent = [state for state in claim.states if state not in states]
    if not states or (len(absent) > 1 and len(absent) == len(claim.states)):
        return f"the {claim.study} study is missing"
    return f"the state {absent[0]} is missing" if absent else ""


def _without_numbers(checks: Sequence[Check]) -> list[str]:
    measured = {check.subject for check in checks if isfinite(check.value)}
    return list(dict.fromkeys(check.subject for check in checks if check.subject not in measured))


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
