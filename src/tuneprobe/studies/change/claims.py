"""Claims about what tuning changes, where, and whether it matters."""

from collections.abc import Iterator
from statistics import fmean

import pandas as pd

from tuneprobe.claims.evidence import Evidence
from tuneprobe.claims.verdicts import Check, Claim, Outcome, by_interval, widened
from tuneprobe.collect.estimates import Estimate, difference, estimates
from tuneprobe.stats import marked_layer
from tuneprobe.studies.change.measures import (
    AFTER,
    ELAZAR,
    SHUTTLEWORTH,
    STUDY,
    ZHANG,
    depth,
    rows_of,
    task_label,
)

FEW = 5.0  # percent of the directions looked at
HALF = 0.5  # of the effective rank of a random change
INTERVAL_RULE = "It passes if the interval lies above zero, fails if it lies below."


def _upper_carry(evidence: Evidence) -> Iterator[Check]:
    layer, level = _mark(evidence), evidence.alpha / 2  # of the checks one half are of each kind

    def within(low: float, high: float) -> Outcome:
        if low > -evidence.margin:
            return "pass"
        return "fail" if high < -evidence.margin else "undecided"

    upper = f"layers {layer + 1}–{depth(evidence.results)} over the others"
    for metric, what, outcome in (
        ("above_minus_below", upper, None),
        ("up_to_score_change", "the others put back", within),
    ):
        found = [
            Check(task, what, "undecided", *one)
            for task, rows in _by_task(rows_of(evidence.results, metric))
            for one in estimates(rows[rows.layer == layer])
        ]
        yield from by_interval(found, level, outcome)


def _unequal(evidence: Evidence) -> Iterator[Check]:
    rows = rows_of(evidence.results, "layer_score_change")
    for task, of_task in _by_task(rows):
        found = [widened(one, len(rows), evidence.alpha) for one in estimates(of_task)]
        layers = of_task.layer.tolist()
        costs_nothing = [one.low > -evidence.margin for one in found]
        costs = [one.high < 0 for one in found]
        best = max(range(len(found)), key=lambda n: found[n].low)
        worst = min(range(len(found)), key=lambda n: found[n].high)
        outcome: Outcome = "pass" if any(costs_nothing) else "undecided"
        if all(one.high < -evidence.margin for one in found):
            outcome = "fail"
        yield Check(task, f"layer {layers[best]} put back", outcome, *found[best])
        outcome = "pass" if any(costs) else "undecided"
        if all(costs_nothing):
            outcome = "fail"
        yield Check(task, f"layer {layers[worst]} put back", outcome, *found[worst])


def _change_matters(evidence: Evidence) -> Iterator[Check]:
    found = [
        Check(task, "change against cost", "undecided", *one, unit="correlation")
        for task, rows in _by_task(rows_of(evidence.results, "vectors_matter"))
        for one in estimates(rows)
    ]
    yield from by_interval(found, evidence.alpha)


def _few_intruders(evidence: Evidence) -> Iterator[Check]:
    yield from _below(evidence, "intruders", "new directions", FEW, "percent")


def _low_rank(evidence: Evidence) -> Iterator[Check]:
    yield from _below(evidence, "effective_rank", "of a random change", HALF, "similarity")


def _is_used(evidence: Evidence) -> Iterator[Check]:
    layer = _mark(evidence)
    found = []
    for metric, what in (("erasure_excess", "after tuning"), ("erasure_gap", "more than before")):
        for task, rows in _by_task(rows_of(evidence.results, metric)):
            for one in estimates(rows[rows.layer == layer]):
                found.append(Check(task, what, "undecided", *one))
    yield from by_interval(found, evidence.alpha)


def _top_changes(evidence: Evidence) -> Iterator[Check]:
    middle = depth(evidence.results) / 2
    found = []
    for task, rows in _by_task(rows_of(evidence.results, "difference")):
        lower = estimates(rows[(rows.layer > 0) & (rows.layer <= middle)])
        upper = estimates(rows[rows.layer > middle])
        if lower and upper:
            more = difference(_mean(upper), _mean(lower))
            found.append(Check(task, "upper half over lower half", "undecided", *more))
    yield from by_interval(found, evidence.alpha)


def _below(evidence: Evidence, metric: str, what: str, limit: float, unit: str) -> Iterator[Check]:
    """A check per task that the number of all layers together is below a limit."""
    rows = rows_of(evidence.results, metric)

    def outcome(low: float, high: float) -> Outcome:
        if high < limit:
            return "pass"
        return "fail" if low > limit else "undecided"

    found = [
        Check(task, what, "undecided", *one, unit=unit)
        for task, of_task in _by_task(rows[rows.layer < 0])
        for one in estimates(of_task)
    ]
    yield from by_interval(found, evidence.alpha, outcome)


def _mark(evidence: Evidence) -> int:
    return marked_layer(evidence.layer_mark, depth(evidence.results))


def _by_task(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for task, of_task in rows.groupby("task"):
        yield task_label(str(task)), of_task


def _mean(of: list[Estimate]) -> Estimate:
    """Mean of estimates from the same texts, its bounds the means of theirs."""
    return Estimate(*map(fmean, zip(*of, strict=True)))


CHANGE_CLAIMS = (
    Claim(
        "upper-layers-carry",
        "Cai et al. 2020 (g)",
        "What tuning gains lies in the layers above the fifth of twelve.",
        "Concluded from Figure 1: the abilities that reading needs differ above that layer alone; "
        "no layer is put back.",
        "Two checks per task, under the tuned head. First: the score of an encoder that is tuned "
        f"above the layer mark alone, less that of one tuned below it alone. {INTERVAL_RULE} "
        "Second: what putting back all below the mark costs; it passes if the interval lies "
        "within the equivalence margin, fails if it lies beyond.",
        "put-back",
        _upper_carry,
        study=STUDY,
        states=(AFTER,),
    ),
    Claim(
        "layers-unequal",
        f"{ZHANG} (a)",
        "Layers are not equal: some can be put back at no cost, others cannot.",
        "Of networks trained from random weights: most upper layers can be put back, some lower "
        "ones cannot; shown as heat maps.",
        "Two checks per task, over its layers, intervals widened for all layers and tasks. The "
        "first passes if some layer costs less than the equivalence margin with its whole "
        "interval, and fails if every one costs more. The second passes if some layer costs "
        "anything with its whole interval, and fails if every one costs less than the margin.",
        "changed-mattered",
        _unequal,
        study=STUDY,
        states=(AFTER,),
    ),
    Claim(
        "change-matters",
        "Kovaleva et al. 2019 (h)",
        "The layers that tuning changes most are those that matter most to the task.",
        "Inferred from Figure 5: the last two layers change most, so they are said to hold what "
        "the score gains; no layer is put back.",
        "One check per task: the rank correlation over the layers of how far vectors moved with "
        f"how much the loss rises when the layer alone is put back. {INTERVAL_RULE}",
        "changed-mattered",
        _change_matters,
        study=STUDY,
        states=(AFTER,),
    ),
    Claim(
        "few-intruders",
        f"{SHUTTLEWORTH} (a)",
        "Full tuning adds hardly any intruder dimension.",
        "Of language models: hardly any after full tuning, many after LoRA of low rank; figures "
        "only.",
        "One check per task: the share of new directions among the first ones of all matrices. It "
        f"passes if the interval lies below {FEW:g} %, fails if it lies above.",
        "weights",
        _few_intruders,
        study=STUDY,
        states=(AFTER,),
    ),
    Claim(
        "low-rank",
        "Hu et al. 2022 (a)",
        "What tuning adds to a matrix is of low rank.",
        "Assumed by LoRA, whose added matrices of rank 1 to 8 suffice; of the change of full "
        "tuning no rank is measured.",
        "One check per task: the effective rank of the change over that of the same numbers at "
        f"random places, a mean over the matrices. It passes if the interval lies below {HALF:g}, "
        "fails if it lies above.",
        "weights",
        _low_rank,
        study=STUDY,
        states=(AFTER,),
    ),
    Claim(
        "encoded-is-used",
        f"{ELAZAR} (a)",
        "What tuning makes easier to read is also used.",
        "Of BERT before any tuning: how well a property can be read does not tell whether it is "
        "used; random directions are the control.",
        "Two checks per task at the layer mark: what the erased label costs a linear classifier "
        "of the last layer, beyond what as many random directions cost, after tuning; and that "
        f"less the same before tuning. {INTERVAL_RULE}",
        "erasure",
        _is_used,
        study=STUDY,
    ),
    Claim(
        "top-changes",
        "Merchant et al. 2020 (a)",
        "Tuning changes the upper layers more than the lower ones.",
        "Of BERT on reading, inference and parsing: representations differ most in the top "
        "layers; shown as curves.",
        "One check per task: how far vectors moved, of their spread, in the upper half of the "
        f"layers less in the lower half. {INTERVAL_RULE}",
        "changed-mattered",
        _top_changes,
        study=STUDY,
        states=(AFTER,),
    ),
)
