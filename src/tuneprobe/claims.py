"""The papers' claims, each tested by a stated rule.

A claim is a list of checks, each an estimate with its interval. A check `passes`, `fails`, or is
`undecided`: the examples are too few to tell, or the number is missing. The verdict follows by one
rule for all claims (`judge`); nothing is typed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite, nan
from typing import Literal, NamedTuple

import pandas as pd

from tuneprobe.collect import GAP, PAIR_PROBES, PROBES, last_layer, select, usual_condition
from tuneprobe.results import NO_LAYER

Outcome = Literal["pass", "fail", "undecided"]
HOLDS, PARTLY, FAILS, UNTESTED = "holds", "partly", "does not hold", "not testable here"
VERDICT_RULE = (
    "A claim holds if all its checks pass, does not hold if more of them fail than pass, and holds "
    "partly otherwise. It is not testable here if no check has a number, or if more than half of "
    "the checks are undecided. A check without a number counts as undecided."
)


class Estimate(NamedTuple):
    """A number between its bounds; NaN where it was not measured."""

    value: float
    low: float
    high: float


NOT_MEASURED = Estimate(nan, nan, nan)
NUMBER_KEYS = ("task", "state", "metric", "layer", "condition")


@dataclass(frozen=True)
class Evidence:
    """Result rows of one run and what its tests were set to.

    Attributes
    ----------
    results : DataFrame
        Rows as `tuneprobe.results` writes them.
    layer_mark : float
        The paper's "after the fifth of twelve layers", as a share of the depth.
    margin : float
        Points of auc_macro within which two states count as equal.
    alpha : float
        Level of the tests.
    """

    results: pd.DataFrame
    layer_mark: float
    margin: float
    alpha: float

    @property
    def last(self) -> int:
        """Number of the last layer."""
        return last_layer(self.results)

    @property
    def mark(self) -> int:
        """The last layer that counts as low, as in `pairwise_study.pairwise_gaps`."""
        return round(self.layer_mark * self.last)

    @cached_property
    def numbers(self) -> dict[tuple[str, str, str, int, str], Estimate]:
        """Estimates of the pairwise study by probe, state, metric, layer and condition."""
        rows = select(self.results, study="pairwise")
        keys = zip(*(rows[name].tolist() for name in NUMBER_KEYS))
        cells = zip(*(rows[name].tolist() for name in Estimate._fields))
        return {key: Estimate(*cell) for key, cell in zip(keys, cells)}

    def number(
        self,
        probe: str,
        state: str,
        metric: str,
        layer: int = NO_LAYER,
        condition: str | None = None,
    ) -> Estimate:
        """One estimate, in the probe's usual condition unless another is named."""
        key = (probe, state, metric, layer, condition or usual_condition(probe))
        return self.numbers.get(key, NOT_MEASURED)


@dataclass(frozen=True)
class Check:
    """One estimate that a claim depends on.

    ``probe`` and ``what`` name it ("coreference", "layer 6"); low and high bound the value.
    """

    probe: str
    what: str
    outcome: Outcome
    value: float = nan
    low: float = nan
    high: float = nan


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
    """

    name: str
    source: str
    statement: str
    published: str
    rule: str
    figure: str
    checks: Callable[[Evidence], Iterator[Check]]


@dataclass(frozen=True)
class Finding:
    """A claim with its checks, the verdict, and why it is this verdict."""

    claim: Claim
    checks: tuple[Check, ...]
    verdict: str
    reason: str


def judge(claim: Claim, evidence: Evidence) -> Finding:
    """Test one claim; the rule is `VERDICT_RULE`."""
    absent = _absent_states(evidence)
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
    if missing := _probes_without_numbers(checks):
        reason += f" (no numbers for {', '.join(missing)})"
    if 2 * undecided > len(checks):
        return Finding(claim, checks, UNTESTED, f"too little to decide: {reason}")
    if passed == len(checks):
        return Finding(claim, checks, HOLDS, reason)
    return Finding(claim, checks, FAILS if failed > passed else PARTLY, reason)


def judge_all(evidence: Evidence) -> list[Finding]:
    """Test every claim of `CLAIMS`."""
    return [judge(claim, evidence) for claim in CLAIMS]


def _absent_states(evidence: Evidence) -> str:
    states = set(select(evidence.results, study="pairwise").state)
    absent = [state for state in ("pretrained", "finetuned") if state not in states]
    if len(absent) == 2:
        return "the pairwise study is missing"
    return f"the state {absent[0]} is missing" if absent else ""


def _probes_without_numbers(checks: Sequence[Check]) -> list[str]:
    measured = {check.probe for check in checks if isfinite(check.value)}
    return list(dict.fromkeys(check.probe for check in checks if check.probe not in measured))


def _rises(evidence: Evidence) -> Iterator[Check]:
    for probe in PAIR_PROBES:
        for state in ("pretrained", "finetuned"):
            value, low, high = evidence.number(probe, state, "trend_eq3")
            yield Check(probe, state, _above_zero(low, high), value, low, high)


def _equal_below_mark(evidence: Evidence) -> Iterator[Check]:
    for probe in PROBES:
        yield from _equal(evidence, probe, range(1, evidence.mark + 1))


def _equal_everywhere(evidence: Evidence) -> Iterator[Check]:
    for probe in ("synonyms", "abbreviation"):
        yield from _equal(evidence, probe, range(1, evidence.last + 1))


def _equal(evidence: Evidence, probe: str, layers: Sequence[int]) -> Iterator[Check]:
    for layer in layers:
        value, low, high = evidence.number(probe, GAP, "gap", layer)
        outcome: Outcome = "undecided"
        if _within_margin(evidence, probe, layer):
            outcome = "pass"
        elif _different(evidence, probe, layer):
            outcome = "fail"
        yield Check(probe, f"layer {layer}", outcome, value, low, high)


def _better_and_growing(evidence: Evidence) -> Iterator[Check]:
    for probe in ("coreference", "answer-type", "boundary"):
        layer = evidence.last
        value, low, high = evidence.number(probe, GAP, "gap", layer)
        outcome: Outcome = "undecided"
        if _different(evidence, probe, layer):
            outcome = "pass" if value > 0 else "fail"
        elif _within_margin(evidence, probe, layer):
            outcome = "fail"
        yield Check(probe, f"layer {layer}", outcome, value, low, high)
        value, low, high = evidence.number(probe, GAP, "contrast")
        outcome = _above_zero(low, high, equal_within=evidence.margin)
        yield Check(probe, "growth", outcome, value, low, high)


def _above_zero(low: float, high: float, equal_within: float = 0.0) -> Outcome:
    """Pass above zero; fail below zero or, where equality has a margin, wholly within it."""
    if low > 0:
        return "pass"
    if high < 0 or (low > -equal_within and high < equal_within):
        return "fail"
    return "undecided"


def _within_margin(evidence: Evidence, probe: str, layer: int) -> bool:
    return evidence.number(probe, GAP, "equivalence_p", layer).value < evidence.alpha


def _different(evidence: Evidence, probe: str, layer: int) -> bool:
    return evidence.number(probe, GAP, "p_holm", layer).value < evidence.alpha


CAI = "Cai et al. 2020"
EQUALITY_RULE = (
    "One check per probe and layer. It passes if two one-sided tests put the mean gap within the "
    "equivalence margin; else it fails if Holm's p-value shows a difference; else it is undecided."
)

CLAIMS = (
    Claim(
        "rise",
        f"{CAI} (a)",
        "Cosine percentages rise with the layer, before and after fine-tuning.",
        "Figure 1: rising curves for both models in all cosine panels; no numbers printed.",
        "One check per probe and state: Spearman's correlation of the percentage (equation 3) with "
        "the layers 1 to last. It passes if the bootstrap interval lies above zero, fails if it "
        "lies below, and is undecided otherwise.",
        "layers",
        _rises,
    ),
    Claim(
        "early-layers",
        f"{CAI} (b)",
        "In the first five of twelve layers both models are nearly equal in all five probes.",
        "Figure 1: curves on top of each other up to layer 5; no numbers printed.",
        "Layers 1 to the layer mark. " + EQUALITY_RULE,
        "gaps",
        _equal_below_mark,
    ),
    Claim(
        "lexical",
        f"{CAI} (c)",
        "Synonyms and abbreviation are equal in every layer.",
        "Figure 1: curves on top of each other in all layers; no numbers printed.",
        "Layers 1 to last. " + EQUALITY_RULE,
        "gaps",
        _equal_everywhere,
    ),
    Claim(
        "reading",
        f"{CAI} (d)",
        "In coreference, answer type and boundary the fine-tuned model is better, and the gap "
        "grows after layer 5.",
        "Figure 1: fine-tuned above pre-trained after layer 5; no numbers printed.",
        "Two checks per probe. Better: the gap at the last layer is above zero by Holm's p-value "
        "(fails if below zero, or equal within the margin). Growing: the mean gap above the layer "
        "mark minus the mean gap at or below it has its interval above zero (fails if below zero "
        "or within the margin).",
        "gaps",
        _better_and_growing,
    ),
)
