"""Claims about what tuning changes, where, and whether it matters."""

from collections.abc import Iterator
from dataclasses import replace
from statistics import fmean

import pandas as pd

from tuneprobe.claims.evidence import Evidence
from tuneprobe.claims.verdicts import Check, Claim, Outcome, by_interval, widened
from tuneprobe.collect.estimates import NOT_MEASURED, Estimate, difference, estimates, mean
from tuneprobe.collect.tables import select
from tuneprobe.page.wording import task_label
from tuneprobe.stats import marked_layer
from tuneprobe.studies.change.measures import (
    AFTER,
    BEFORE,
    ELAZAR,
    ETHAYARAJH,
    NEYSHABUR,
    PRAKASH,
    SHUTTLEWORTH,
    STUDY,
    ZHANG,
    depth,
    gained,
    patched_probes,
    rows_of,
)

FEW = 5.0  # percent of the directions looked at
HALF = 0.5  # of the effective rank of a random change
OPPOSITE: dict[Outcome, Outcome] = {"pass": "fail", "fail": "pass", "undecided": "undecided"}
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
    yield from _below(evidence, "intruders", "new directions", FEW, "percent", by_lora=False)


def _lora_intrudes(evidence: Evidence) -> Iterator[Check]:
    for check in _below(evidence, "intruders", "new directions", FEW, "percent", by_lora=True):
        yield replace(check, outcome=OPPOSITE[check.outcome])


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


def _gained_is_used(evidence: Evidence) -> Iterator[Check]:
    found, last = [], depth(evidence.results)
    for task, of_task in rows_of(evidence.results, "erasure_gap").groupby("task"):
        gains = gained(evidence.results, str(task), "linear")
        gains = gains[gains.layer < last]
        more = [
            layer
            for layer, one in zip(gains.layer.tolist(), estimates(gains), strict=True)
            if widened(one, len(gains), evidence.alpha).low > 0
        ]
        used = estimates(of_task[of_task.layer.isin(more)])
        what = f"layers {', '.join(map(str, more))}" if more else "no layer below the last gained"
        numbers = _mean(used) if used else NOT_MEASURED
        found.append(Check(task_label(str(task)), what, "undecided", *numbers))
    yield from by_interval(found, evidence.alpha)


def _one_basin(evidence: Evidence) -> Iterator[Check]:
    yield from _below(evidence, "barrier", "rise above the chord, nats", 0.0, "fraction")


def _own_words(evidence: Evidence) -> Iterator[Check]:
    found = []
    rows = rows_of(evidence.results, "patch_excess", BEFORE, ("anchor", "match"))
    rows = rows[rows.layer == rows.layer.max()]
    for probe in patched_probes(rows):
        of_probe = rows[rows.label == probe]
        scores = [
            estimates(select(rows_of(evidence.results, "pair_score", state), label=probe))
            for state in (AFTER, BEFORE)
        ]
        if not all(scores):
            found.append(Check(probe, "not measured in both models"))
            continue
        after, before = (mean(one).value for one in scores)
        if abs(after - before) < evidence.margin:
            found.append(Check(probe, "the models differ too little"))
            continue
        for part, one in zip(of_probe.part.tolist(), estimates(of_probe), strict=True):
            value, low, high = one if after > before else (-one.value, -one.high, -one.low)
            found.append(Check(probe, f"{part}, towards tuned", "undecided", value, low, high))
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


def _below(
    evidence: Evidence,
    metric: str,
    what: str,
    limit: float,
    unit: str,
    by_lora: bool | None = None,
) -> Iterator[Check]:
    """A check per task that the number of all layers together is below a limit.

    Of all tasks, or of those alone that were tuned by a LoRA or not.
    """
    rows = rows_of(evidence.results, metric)
    if by_lora is not None:
        adapted = rows_of(evidence.results, "lora_rank").task
        rows = rows[rows.task.isin(adapted) == by_lora]

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
        "What is encoded is used, after tuning more than before.",
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
        "gained-is-used",
        f"{ETHAYARAJH} (a)",
        "What tuning makes easier to read is also used.",
        "Nothing: bits of V-information are of what can be read, and are often taken for what is "
        "used; there no information is erased.",
        "One check per task whose label is erased, over the layers below the last in which a "
        "linear classifier gains bits by tuning (intervals widened for the number of layers): what "
        "erasing costs beyond the control, after tuning less before, their mean. Undecided where "
        f"no layer gains. {INTERVAL_RULE}",
        "information",
        _gained_is_used,
        study=STUDY,
    ),
    Claim(
        "one-basin",
        f"{NEYSHABUR} (a)",
        "The pre-trained and the tuned encoder lie in one basin of the loss.",
        "Of image classifiers and two models tuned from the same weights: no barrier between them; "
        "shown as curves.",
        "One check per task, on the straight line between the weights: the highest rise of the "
        "loss above the chord between its ends. It passes if the interval lies below zero, fails "
        "if it lies above.",
        "path",
        _one_basin,
        study=STUDY,
        states=(AFTER,),
    ),
    Claim(
        "own-words-carry",
        f"{PRAKASH} (a)",
        "What tuning changed in a pair of words is carried by the states of these words.",
        "Of language models: activations of the tuned one, put into the other, bring its score.",
        "Two checks per probe, in the deepest layer that is patched: the tuned state of the anchor "
        "and of the match, put into the pre-trained encoder, moves the AUC towards the tuned "
        "encoder’s, beyond what other words do. Undecided where the AUC of the two differs by "
        f"less than the equivalence margin. {INTERVAL_RULE}",
        "patched",
        _own_words,
        study=STUDY,
    ),
    Claim(
        "lora-intrudes",
        f"{SHUTTLEWORTH} (b)",
        "Tuning by a LoRA adds intruder dimensions.",
        "Of language models: many after LoRA of low rank, hardly any after full tuning; figures "
        "only.",
        "One check per task that was tuned by a LoRA: the share of new directions among the first "
        f"ones of all matrices. It passes if the interval lies above {FEW:g} %, fails if it lies "
        "below. Not run where no task was tuned by a LoRA.",
        "weights",
        _lora_intrudes,
        study=STUDY,
        states=(AFTER,),
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
