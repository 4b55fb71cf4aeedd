"""The claims of Zhou & Srikumar 2022 about the geometry of labelled spaces."""

from collections.abc import Iterator
from dataclasses import replace
from math import isfinite, nan
from statistics import fmean

from scipy.stats import binomtest

from tuneprobe.claims.evidence import Evidence
from tuneprobe.claims.verdicts import Check, Claim, Outcome, above_zero, by_interval
from tuneprobe.collect.estimates import NOT_MEASURED, Estimate, difference
from tuneprobe.collect.tables import select
from tuneprobe.studies.geometry.measures import (
    AFTER,
    BEFORE,
    ORIGINAL,
    TRAIN_TEST,
    cross_tasks,
    deepest,
    task_label,
    tasks_of,
)

ZHOU = "Zhou & Srikumar 2022"
OPPOSITE: dict[Outcome, Outcome] = {"pass": "fail", "fail": "pass", "undecided": "undecided"}
HALF = 50.0  # percent of the labels
KEPT = 0.5  # the least similarity to the original space that the paper shows


def share_risen(rose: int, of: int, alpha: float) -> Estimate:
    """Percentage that rose with its exact binomial interval (Clopper & Pearson 1934).

    >>> [round(bound) for bound in share_risen(9, 10, 0.05)]
    [90, 55, 100]
    """
    if not of:
        return NOT_MEASURED
    bounds = binomtest(rose, of).proportion_ci(1 - alpha)
    return Estimate(100 * rose / of, 100 * float(bounds.low), 100 * float(bounds.high))


def distance_changes(evidence: Evidence, task: str) -> dict[str, float]:
    """Label to the change of its smallest distance to another label, at the last layer."""
    rows = select(
        evidence.results,
        study="geometry",
        task=task,
        metric="outside_min",
        layer=deepest(evidence.results),
    )
    rows = rows[rows.label != ""]
    before, after = (select(rows, state=s).set_index("label").value for s in (BEFORE, AFTER))
    changes = (after - before).dropna()
    return dict(zip(changes.index, changes, strict=True))


def _improves(evidence: Evidence) -> Iterator[Check]:
    layer = deepest(evidence.results)
    found = []
    for task in tasks_of(evidence.results, "classify"):
        before, after = (
            evidence.find("classify", task, state, "accuracy", layer, classifier="mlp")
            for state in (BEFORE, AFTER)
        )
        gap = evidence.find("classify", task, AFTER, "gap", layer, classifier="mlp", against=BEFORE)
        if not isfinite(gap.value):
            gap = difference(after, before)
        found.append(_by_sign(task, "accuracy", gap, zero=0.0))
    yield from by_interval(found, evidence.alpha)


def _tells_apart(evidence: Evidence) -> Iterator[Check]:
    layer = deepest(evidence.results)
    for task in tasks_of(evidence.results, "similarity"):
        before, after = (
            evidence.find(
                "similarity", task, state, "spatial_similarity", layer, **TRAIN_TEST
            ).value
            for state in (BEFORE, AFTER)
        )
        fell = before - after
        yield Check(task_label(task), "train to test", _sign(fell), -fell, unit="fraction")


def _groups(evidence: Evidence) -> Iterator[Check]:
    layer = deepest(evidence.results)
    for task in tasks_of(evidence.results, "geometry"):
        n_labels = evidence.find("geometry", task, BEFORE, "n_labels", layer).value
        before, after = (
            evidence.find("geometry", task, state, "n_clusters", layer).value
            for state in (BEFORE, AFTER)
        )
        fewer = before - after
        outcome = _sign(fewer)
        if before == n_labels and fewer == 0:
            outcome = "undecided"
        yield Check(task_label(task), "fewer clusters", outcome, fewer, unit="count")


def _pushes_apart(evidence: Evidence) -> Iterator[Check]:
    found = []
    for task in tasks_of(evidence.results, "geometry"):
        changes = distance_changes(evidence, task).values()
        share = share_risen(sum(change > 0 for change in changes), len(changes), evidence.alpha)
        found.append(_by_sign(task, "labels farther", share, zero=HALF))
    yield from by_interval(found, evidence.alpha, _above_half)


def _by_sign(task: str, what: str, found: Estimate, zero: float) -> Check:
    """A check that passes where a point is above `zero`; `by_interval` judges intervals."""
    unit = "percent" if zero else "difference"
    return Check(task_label(task), what, _sign(found.value - zero), *found, unit)


def _above_half(low: float, high: float) -> Outcome:
    return above_zero(low - HALF, high - HALF)


def _keeps_structure(evidence: Evidence) -> Iterator[Check]:
    rows = select(
        evidence.results,
        study="similarity",
        metric="spatial_similarity",
        state=AFTER,
        **ORIGINAL,
    )
    middle = deepest(evidence.results) / 2
    for task in tasks_of(evidence.results, "similarity"):
        curve = select(rows, task=task)
        lower = curve[(curve.layer > 0) & (curve.layer <= middle)].value
        upper = curve[curve.layer > middle].value
        least = curve.value.min() if len(curve) else nan
        kept = _sign(least - KEPT) if least != KEPT else "pass"
        yield Check(task_label(task), "lowest", kept, least, unit="similarity")
        fell = fmean(lower) - fmean(upper) if len(lower) and len(upper) else nan
        yield Check(task_label(task), "upper layers lower by", _sign(fell), fell, unit="similarity")


def _depends_on_relation(evidence: Evidence) -> Iterator[Check]:
    shares, gains, related = [], [], []
    for row in cross_tasks(evidence.results):
        if row.tuned_on == row.task:
            continue
        subject = f"{task_label(row.task)} tuned on {task_label(row.tuned_on)}"
        share = share_risen(row.rose, row.rose + row.fell, evidence.alpha)
        what = ("accuracy", row.layer)
        before, after = (
            evidence.find("cross-task", row.task, state, *what, classifier="mlp", **tuned)
            for state, tuned in ((BEFORE, {}), (AFTER, row.facets))
        )
        shares.append(_by_sign(subject, "labels farther", share, zero=HALF))
        gains.append(_by_sign(subject, "accuracy", difference(after, before), zero=0.0))
        related.append(row.related)
    level = evidence.alpha / 2  # of the claim's checks one half are shares, one half gains
    judged = zip(
        by_interval(shares, level, _above_half), by_interval(gains, level), related, strict=True
    )
    for farther, better, is_related in judged:
        for check in (farther, better):
            yield check if is_related else replace(check, outcome=OPPOSITE[check.outcome])


def _sign(value: float) -> Outcome:
    """Outcome of a point without an interval."""
    if not isfinite(value):
        return "undecided"
    return "pass" if value > 0 else "fail"


POINT_RULE = "Only a point is measured, so the sign decides."

GEOMETRY_CLAIMS = (
    Claim(
        "accuracy",
        f"{ZHOU} (a)",
        "Fine-tuning improves the accuracy of a classifier on the last layer in almost all tasks.",
        "Table 7: 14 of the 15 accuracies compared here rise; BERT-small falls on PS-fxn "
        "(86.26 to 85.08).",
        "One check per task: accuracy of the MLP at the last layer, after minus before. It passes "
        "if the interval of the difference lies above zero, fails if it lies below, and is "
        "undecided otherwise. It is a paired bootstrap over test sentences and initialisations of "
        "the classifier; without an interval the sign decides.",
        "classifiers",
        _improves,
        study="classify",
    ),
    Claim(
        "train-test",
        f"{ZHOU} (b)",
        "Fine-tuning makes the spaces of training and test examples less alike.",
        "Tables 2 and 7: for example BERT-base from .97 to .70 (POS), .84 to .57 (PS-fxn).",
        "One check per task: by how much the spatial similarity of train to test falls at the last "
        f"layer. It passes above zero and fails otherwise. {POINT_RULE}",
        "spatial",
        _tells_apart,
        study="similarity",
        states=(),
    ),
    Claim(
        "clusters",
        f"{ZHOU} (c)",
        "Fine-tuning groups the examples of each label into fewer clusters, towards one per label.",
        "Table 3: BERT-tiny from 3936 to 20 clusters (POS), 653 to 46 (DEP), 402 to 40 (PS-fxn).",
        "One check per task: how many clusters DirectProbe needs less at the last layer. It passes "
        "above zero and fails otherwise; a space with one cluster per label before tuning that has "
        f"as many after cannot show it and is undecided. {POINT_RULE}",
        "clusters",
        _groups,
        study="geometry",
    ),
    Claim(
        "distances",
        f"{ZHOU} (d)",
        "Fine-tuning pushes the labels away from each other.",
        "Figures of the smallest distances over the steps: most labels rise; on PS-fxn all 40 do "
        "(Table 5).",
        "One check per task: the share of labels whose smallest distance to another label is "
        "larger after tuning, at the last layer. It passes if the exact binomial interval lies "
        "above 50 %, fails if it lies below, and is undecided otherwise. Two labels may share one "
        "distance; the interval takes them as independent.",
        "distances",
        _pushes_apart,
        study="geometry",
    ),
    Claim(
        "related",
        f"{ZHOU} (e)",
        "Tuning on a related task pushes labels apart too; tuning on an unrelated task does not.",
        "Table 5, probed on PS-fxn: tuned on PS-role 27 of 40 labels rise and the accuracy is "
        "88.53; tuned on POS none does, 83.24; before tuning 87.75.",
        "Two checks per task tuned on: the share of labels whose smallest distance rose (against "
        "50 %) and the accuracy over that before tuning (against zero), at the last layer. Of a "
        "related task (its name begins as that of the probed one, as PS-role and PS-fxn) a check "
        "passes if the interval lies above and fails if below; of an unrelated task it passes if "
        "the interval lies below and fails if above. Without an interval the sign decides.",
        "cross-task",
        _depends_on_relation,
        study="cross-task",
        states=(),
    ),
    Claim(
        "structure",
        f"{ZHOU} (f)",
        "Fine-tuning changes upper layers most, yet all layers keep their structure.",
        "Similarity to the original space falls from layer to layer and stays at .5 or above.",
        "Two checks per task: the lowest spatial similarity of a tuned layer to the original one "
        "is at least .5; the mean over the upper half of the layers is below that over the lower "
        f"half (layer 0 left out). {POINT_RULE}",
        "spatial",
        _keeps_structure,
        study="similarity",
        states=(),
    ),
)
