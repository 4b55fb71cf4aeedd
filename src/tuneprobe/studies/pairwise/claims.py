"""The claims of Cai et al. 2020 about pairs.

What fine-tuning does to a pair is read from the part of the score that belongs to this pair
(`studies/pairwise/probe/parts.py`): the raw score also counts what any like anchor gets.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import nan
from statistics import fmean

from tuneprobe.claims.evidence import Evidence
from tuneprobe.claims.verdicts import Check, Claim, Outcome, by_interval, holm_over
from tuneprobe.collect.estimates import Estimate, difference
from tuneprobe.collect.tables import select
from tuneprobe.formats.results import NO_LAYER
from tuneprobe.studies.pairwise.measures import (
    AFTER,
    COSINE,
    EUCLIDEAN,
    GAP,
    HEADLINE_ANSWERS,
    PAIR_PROBES,
    PROBES,
    usual,
)

CAI = "Cai et al. 2020"
LEAST_RISE = 2.0  # points; a rise, or a difference of two rises, below it is none
EQUALITY_RULE = (
    "One check per probe and layer, of the gap in the part of the score that belongs to the pair "
    "(own anchor minus anchors of other questions). It passes if two one-sided tests put the mean "
    "gap within the equivalence margin; it fails if the interval of the gap lies wholly outside "
    "the margin; else, and with fewer than 50 examples, it is undecided. The equivalence tests are "
    "not corrected: the claim holds only if all of them pass, an intersection-union test (Berger "
    "1982)."
)
READ = (  # probe, part of its score, what a check calls it
    ("coreference", "specific", "coreference"),
    ("answer-type", "specific", "answer-type"),
    ("answer-type", "type", "answer-type: which question word"),
    ("boundary", "specific", "boundary"),
)


def _rises(evidence: Evidence) -> Iterator[Check]:
    rises = [
        Check(probe, state, "undecided", *evidence.number(probe, state, "rise_eq3"))
        for probe in PAIR_PROBES
        for state in ("pretrained", "finetuned")
    ]
    for check in by_interval(rises, evidence.alpha, _below_least_rise):
        small = check.outcome == "pass" and check.value < LEAST_RISE
        yield replace(check, outcome="undecided") if small else check


def _below_least_rise(low: float, high: float) -> Outcome:
    """Pass above zero, fail below the least rise; within both it is less than was claimed."""
    if high < LEAST_RISE:
        return "fail"
    return "pass" if low > 0 else "undecided"


def _measures_differ(evidence: Evidence) -> Iterator[Check]:
    found = []
    for probe in PAIR_PROBES:
        for state in ("pretrained", "finetuned"):
            cosine, euclidean = (
                evidence.number(probe, state, "rise_eq3", **condition)
                for condition in (COSINE, EUCLIDEAN)
            )
            found.append(Check(probe, state, "undecided", *difference(cosine, euclidean)))
    yield from by_interval(found, evidence.alpha, _differ)


def _differ(low: float, high: float) -> Outcome:
    if low > 0 or high < 0:
        return "pass"
    return "fail" if low > -LEAST_RISE and high < LEAST_RISE else "undecided"


def _answers_better(evidence: Evidence) -> Iterator[Check]:
    rows = select(evidence.results, study="evaluate", metric=HEADLINE_ANSWERS)
    rows = rows[(rows.threshold != "") | (rows.readout != "")]  # the others are of labels
    keys = zip(rows.task, rows.metric, rows.threshold, rows.readout, strict=True)
    found = []
    for task, metric, threshold, readout in sorted(set(keys)):
        after, frozen, before = (
            evidence.find("evaluate", task, state, metric, threshold=threshold, readout=readout)
            for state in ("finetuned", "frozen", "pretrained")
        )
        name = metric.replace("_", " ").replace("f1", "F1")
        for what, other in (("over a frozen encoder", frozen), ("over pre-trained", before)):
            found.append(Check(name, what, "undecided", *difference(after, other)))
    yield from by_interval(found, evidence.alpha)


def _equal_below_mark(evidence: Evidence) -> Iterator[Check]:
    yield from _equal(evidence, PROBES, range(1, evidence.mark + 1))


def _equal_everywhere(evidence: Evidence) -> Iterator[Check]:
    yield from _equal(evidence, ("synonyms", "abbreviation"), range(1, evidence.last + 1))


def _equal(evidence: Evidence, probes: Sequence[str], layers: Sequence[int]) -> Iterator[Check]:
    places = [(probe, layer) for probe in probes for layer in layers]
    gaps = [
        Check(probe, f"layer {layer}", "undecided", *_gap(evidence, probe, "gap", layer))
        for probe, layer in places
    ]
    p = [_gap(evidence, probe, "equivalence_p", layer).value for probe, layer in places]

    def outside(low: float, high: float) -> Outcome:
        return "fail" if low > evidence.margin or high < -evidence.margin else "undecided"

    for check, p_equal in zip(by_interval(gaps, evidence.alpha, outside), p, strict=True):
        yield replace(check, outcome="pass") if p_equal < evidence.alpha else check


def _better_and_growing(evidence: Evidence) -> Iterator[Check]:
    layer, found, p = evidence.last, [], []
    for probe, part, subject in READ:
        for what, metric, test, at in (
            (f"layer {layer}", "gap", "p", layer),
            ("growth", "contrast", "contrast_p", NO_LAYER),
        ):
            number = _gap(evidence, probe, metric, at, part)
            found.append(Check(subject, what, "undecided", *number))
            p.append(_gap(evidence, probe, test, at, part).value)

    def nothing(low: float, high: float) -> Outcome:
        return "fail" if low > -evidence.margin and high < evidence.margin else "undecided"

    above = {subject: _mean_gap_above(evidence, probe, part) for probe, part, subject in READ}
    for check, p_zero in zip(
        by_interval(found, evidence.alpha, nothing), holm_over(p), strict=True
    ):
        ahead = check.what != "growth" or above[check.subject] > 0
        outcome: Outcome = "pass" if check.value > 0 and ahead else "fail"
        yield replace(check, outcome=outcome) if p_zero < evidence.alpha else check


def _mean_gap_above(evidence: Evidence, probe: str, part: str) -> float:
    """Mean gap of the layers above the mark: a loss that shrinks is no gain that grows."""
    layers = range(evidence.mark + 1, evidence.last + 1)
    gaps = [_gap(evidence, probe, "gap", layer, part).value for layer in layers]
    return fmean(gaps) if gaps else nan


def _gap(
    evidence: Evidence, probe: str, metric: str, layer: int, part: str = "specific"
) -> Estimate:
    return evidence.number(probe, AFTER, metric, layer, **{**usual(probe), "part": part, **GAP})


PAIRWISE_CLAIMS = (
    Claim(
        "rise",
        f"{CAI} (a)",
        "Cosine percentages rise with the layer, before and after fine-tuning.",
        "Figure 1: rising curves for both models in all cosine panels; no numbers printed.",
        "One check per probe and state: the mean percentage (equation 3) of the last third of the "
        "layers minus that of the first third. It passes if the bootstrap interval lies above zero "
        "and the rise is at least 2 points, fails if the interval lies below 2 points, and is "
        "undecided otherwise.",
        "layers",
        _rises,
    ),
    Claim(
        "early-layers",
        f"{CAI} (b)",
        "In the first five of twelve layers both models are nearly equal in all five probes.",
        "Figure 1: curves on top of each other up to layer 5; no numbers printed.",
        "Layers 1 to the layer mark. " + EQUALITY_RULE,
        "specific",
        _equal_below_mark,
    ),
    Claim(
        "lexical",
        f"{CAI} (c)",
        "Synonyms and abbreviation are equal in every layer.",
        "Figure 1: curves on top of each other in all layers; no numbers printed.",
        "Layers 1 to last. " + EQUALITY_RULE,
        "specific",
        _equal_everywhere,
    ),
    Claim(
        "reading",
        f"{CAI} (d)",
        "In coreference, answer type and boundary the fine-tuned model is better, and the gap "
        "grows after layer 5.",
        "Figure 1: fine-tuned above pre-trained after layer 5; no numbers printed.",
        "Two checks per probe, of the part of the score that belongs to the pair: own anchor minus "
        "anchors of other questions; for boundary, own question minus another one. Two more for "
        "answer type: anchors with the same question word minus those with other ones. Better: the "
        "gap at the last layer. Growing: the mean gap above the layer mark minus the mean gap at "
        "or below it. Either passes if it is above zero by Holm’s p-value, fails if it is below "
        "zero by it or if its interval lies within the equivalence margin, and is undecided "
        "otherwise. A gap that grows but has a mean above the mark of zero or less fails.",
        "specific",
        _better_and_growing,
    ),
    Claim(
        "answers",
        f"{CAI} (e)",
        "The fine-tuned model answers better than the pre-trained one.",
        "Table 2: long and short answers of Natural Questions, F1 of the fine-tuned model above.",
        "Two checks per F1 (long answers, short answers, single answers): fine-tuned minus a "
        "head trained on the frozen encoder, and minus the pre-trained encoder with an untrained "
        "head. It passes if the interval of the difference lies above zero, fails if it "
        "lies below, and is undecided otherwise. The interval takes both for independent, and is "
        "too wide where they answer the same questions.",
        "answers",
        _answers_better,
        study="evaluate",
        gated=False,
    ),
    Claim(
        "measures",
        f"{CAI} (f)",
        "Cosine and Euclidean distance differ in their trend over the layers.",
        "Figure 1: rising curves in the cosine panels, other ones in the Euclidean; no numbers.",
        "One check per probe and state: the rise by cosine, as in (a), minus the rise by Euclidean "
        "distance. It passes if the interval lies wholly above or below zero, fails if it lies "
        "within 2 points of zero, and is undecided otherwise. The interval takes both rises for "
        "independent.",
        "layers",
        _measures_differ,
    ),
)
