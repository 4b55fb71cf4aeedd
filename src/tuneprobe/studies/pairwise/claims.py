"""The claims of Cai et al. 2020 about pairs.

What fine-tuning does to a pair is read from the part of the score that belongs to this pair
(`studies/pairwise/probe/parts.py`): the raw score also counts what any like anchor gets.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from math import nan
from statistics import fmean

from tuneprobe.claims.evidence import Evidence
from tuneprobe.claims.verdicts import (
    ABOVE_ZERO,
    Check,
    Outcome,
    by_interval,
    holm_over,
    read_claims,
)
from tuneprobe.collect.estimates import Estimate, difference
from tuneprobe.collect.tables import select
from tuneprobe.formats.results import NO_LAYER
from tuneprobe.studies.pairwise.measures import (
    AFTER,
    BEFORE,
    COSINE,
    EUCLIDEAN,
    GAP,
    HEADLINE_ANSWERS,
    PAIR_PROBES,
    PROBES,
    usual,
)
from tuneprobe.wording import score_label

LEAST_RISE = 2.0  # points; a rise, or a difference of two rises, below it is none
READ = (  # probe, part of its score, what a check calls it
    ("coreference", "specific", "coreference"),
    ("answer-type", "specific", "answer-type"),
    ("answer-type", "type", "answer-type: which question word"),
    ("boundary", "specific", "boundary"),
)


def _rises(evidence: Evidence) -> Iterator[Check]:
    for probe, state in product(PAIR_PROBES, (BEFORE, AFTER)):
        yield Check(probe, state, *evidence.number(probe, state, "rise_eq3"))


def _risen(one: Estimate) -> Outcome:
    """Fail below the least rise; pass above zero, if the rise is no smaller than it."""
    if one.high < LEAST_RISE:
        return "fail"
    return "pass" if one.low > 0 and one.value >= LEAST_RISE else "undecided"


def _measures_differ(evidence: Evidence) -> Iterator[Check]:
    for probe, state in product(PAIR_PROBES, (BEFORE, AFTER)):
        cosine, euclidean = (
            evidence.number(probe, state, "rise_eq3", **how) for how in (COSINE, EUCLIDEAN)
        )
        yield Check(probe, state, *difference(cosine, euclidean))


def _differ(one: Estimate) -> Outcome:
    if one.low > 0 or one.high < 0:
        return "pass"
    return "fail" if one.low > -LEAST_RISE and one.high < LEAST_RISE else "undecided"


def _answers_better(evidence: Evidence) -> Iterator[Check]:
    rows = select(evidence.results, study="evaluate", metric=HEADLINE_ANSWERS)
    rows = rows[(rows.threshold != "") | (rows.readout != "")]  # the others are of labels
    keys = zip(rows.task, rows.metric, rows.threshold, rows.readout, strict=True)
    for task, metric, threshold, readout in sorted(set(keys)):
        after, frozen, before = (
            evidence.find("evaluate", task, state, metric, threshold=threshold, readout=readout)
            for state in (AFTER, "frozen", BEFORE)
        )
        for what, other in (("over a frozen encoder", frozen), ("over pre-trained", before)):
            yield Check(score_label(metric), what, *difference(after, other))


def _equal_below_mark(evidence: Evidence) -> Iterator[Check]:
    yield from _equal(evidence, PROBES, range(1, evidence.mark + 1))


def _equal_everywhere(evidence: Evidence) -> Iterator[Check]:
    yield from _equal(evidence, ("synonyms", "abbreviation"), range(1, evidence.last + 1))


def _equal(evidence: Evidence, probes: Sequence[str], layers: Sequence[int]) -> Iterator[Check]:
    places = list(product(probes, layers))
    gaps = [
        Check(probe, f"layer {layer}", *_gap(evidence, probe, "gap", layer))
        for probe, layer in places
    ]

    def outside(one: Estimate) -> Outcome:
        beyond = one.low > evidence.margin or one.high < -evidence.margin
        return "fail" if beyond else "undecided"

    for check, place in zip(by_interval(gaps, evidence.alpha, outside), places, strict=True):
        p_equal = _gap(evidence, place[0], "equivalence_p", place[1]).value
        yield replace(check, outcome="pass") if p_equal < evidence.alpha else check


def _better_and_growing(evidence: Evidence) -> Iterator[Check]:
    layer, found, p = evidence.last, [], []
    for probe, part, subject in READ:
        for what, metric, test, at in (
            (f"layer {layer}", "gap", "p", layer),
            ("growth", "contrast", "contrast_p", NO_LAYER),
        ):
            found.append(Check(subject, what, *_gap(evidence, probe, metric, at, part)))
            p.append(_gap(evidence, probe, test, at, part).value)

    def nothing(one: Estimate) -> Outcome:
        within = one.low > -evidence.margin and one.high < evidence.margin
        return "fail" if within else "undecided"

    above = {subject: _mean_gap_above(evidence, probe, part) for probe, part, subject in READ}
    judged = by_interval(found, evidence.alpha, nothing)
    for check, p_zero in zip(judged, holm_over(p), strict=True):
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


PAIRWISE_CLAIMS = read_claims(
    __file__,
    {
        "rise": (_rises, _risen),
        "early-layers": (_equal_below_mark, None),
        "lexical": (_equal_everywhere, None),
        "reading": (_better_and_growing, None),
        "answers": (_answers_better, ABOVE_ZERO),
        "measures": (_measures_differ, _differ),
    },
)
