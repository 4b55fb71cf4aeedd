"""The claims of Zhou & Srikumar 2022 about the geometry of labelled spaces."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import isfinite, nan
from statistics import fmean
from typing import Any

import pandas as pd
from scipy.stats import binomtest, spearmanr

from tuneprobe.claims.evidence import Evidence
from tuneprobe.claims.verdicts import Check, Claim, Outcome, above_zero, by_interval
from tuneprobe.collect.estimates import NOT_MEASURED, Estimate, difference, estimates, mean
from tuneprobe.collect.tables import records, select
from tuneprobe.page.wording import task_label
from tuneprobe.stats import correlation_bounds
from tuneprobe.studies.geometry.measures import (
    AFTER,
    BEFORE,
    ORIGINAL,
    TRAIN_TEST,
    cross_tasks,
    deepest,
    tasks_of,
)

ZHOU = "Zhou & Srikumar 2022"
OPPOSITE: dict[Outcome, Outcome] = {"pass": "fail", "fail": "pass", "undecided": "undecided"}
WORST_FIRST: tuple[Outcome, ...] = ("fail", "undecided", "pass")
HALF = 50.0  # percent of the labels
KEPT = 0.5  # the least similarity to the original space that the paper shows
ONE_WAY = 0.5  # the least mean cosine of the ways of labels that count as one direction
FEW = 5  # tasks of which one may be an exception from "almost all"
MANY = 10  # tasks over which a correlation can be told from none
APART = {"outside_min": "labels farther", "separation": "labels farther, in widths"}


def share_risen(rose: int, of: int, alpha: float) -> Estimate:
    """Percentage that rose with its exact binomial interval (Clopper & Pearson 1934).

    >>> [round(bound) for bound in share_risen(9, 10, 0.05)]
    [90, 55, 100]
    """
    if not of:
        return NOT_MEASURED
    bounds = binomtest(rose, of).proportion_ci(1 - alpha)
    return Estimate(100 * rose / of, 100 * float(bounds.low), 100 * float(bounds.high))


def distance_changes(
    evidence: Evidence, task: str, metric: str = "outside_min"
) -> dict[str, float]:
    """Label to the change of its smallest distance to another label, at the last layer."""
    layer = deepest(evidence.results)
    rows = select(evidence.results, study="geometry", task=task, metric=metric, layer=layer)
    rows = rows[rows.label != ""]
    before, after = (select(rows, state=s).set_index("label").value for s in (BEFORE, AFTER))
    changes = (after - before).dropna()
    return dict(zip(changes.index, changes, strict=True))


def almost_all(checks: Iterable[Check]) -> Check:
    """One check of many: all pass but few, the exceptions named.

    Its value is the percentage that lie above zero; it passes if all checks pass but one in
    twenty-five, at least one of `FEW` or more; it fails if more of them fail.
    """
    judged = list(checks)
    known = [check for check in judged if isfinite(check.value)]
    allowed = max(1, len(judged) // 25) if len(judged) >= FEW else 0
    passed, failed = (sum(c.outcome == outcome for c in judged) for outcome in ("pass", "fail"))
    outcome: Outcome = "pass" if passed >= len(judged) - allowed else "undecided"
    fallen = [check.subject for check in known if check.value <= 0]
    what = f"rises in {len(known) - len(fallen)} of {len(judged)}"
    if fallen:
        what += f", not in {', '.join(fallen)}"
    if not known:
        return Check("tasks", what, unit="percent")
    shares = (len(known) - len(fallen), passed, len(judged) - failed)
    value, low, high = (100 * number / len(judged) for number in shares)
    return Check(
        "tasks", what, "fail" if failed > allowed else outcome, value, low, high, "percent"
    )


def _gains(evidence: Evidence) -> list[Check]:
    """Accuracy after minus before of each task at the last layer, judged by intervals."""
    layer, found = deepest(evidence.results), []
    for task in tasks_of(evidence.results, "classify"):
        gap = evidence.find("classify", task, AFTER, "gap", layer, classifier="mlp", against=BEFORE)
        if not isfinite(gap.value):
            gap = _change(evidence, "classify", task, "accuracy", layer, classifier="mlp")
        found.append(_check(task_label(task), "accuracy", gap))
    return by_interval(found, evidence.alpha)


def _deficits(evidence: Evidence) -> list[Check]:
    """How much farther train and test are below random splits after tuning than before."""
    of = ("split_deficit", deepest(evidence.results))
    return by_interval(
        [
            _check(
                task_label(task),
                "farther below random splits",
                _change(evidence, "similarity", task, *of, **TRAIN_TEST),
                unit="fraction",
            )
            for task in tasks_of(evidence.results, "similarity")
        ],
        evidence.alpha,
    )


def _improves(evidence: Evidence) -> Iterator[Check]:
    if gains := _gains(evidence):
        yield almost_all(gains)


def _tells_apart(evidence: Evidence) -> Iterator[Check]:
    yield from _deficits(evidence)


def _generalises(evidence: Evidence) -> Iterator[Check]:
    parted = {check.subject: check for check in _deficits(evidence)}
    for gain in _gains(evidence):
        apart = parted.get(gain.subject, Check(gain.subject, ""))
        outcomes = {gain.outcome, apart.outcome}
        outcome: Outcome = next((one for one in WORST_FIRST if one in outcomes), "undecided")
        joined = replace(gain, what="accuracy, where train and test part", outcome=outcome)
        if not isfinite(apart.value):
            joined = replace(joined, outcome="undecided", **NOT_MEASURED._asdict())
        yield joined


def _groups(evidence: Evidence) -> Iterator[Check]:
    found = []
    for task in tasks_of(evidence.results, "geometry"):
        linear = select(
            evidence.results, study="geometry", task=task, metric="is_linear", state=BEFORE
        )
        layers = linear.layer[linear.value < 1]
        layer = int(layers.max()) if len(layers) else deepest(evidence.results)
        fewer = _change(evidence, "geometry", task, "n_clusters", layer, back=True)
        if not len(layers):
            fewer = NOT_MEASURED
        found.append(
            _check(task_label(task), f"fewer clusters, layer {layer}", fewer, unit="count")
        )
    yield from by_interval(found, evidence.alpha)


def _pushes_apart(evidence: Evidence) -> Iterator[Check]:
    found = []
    for task in tasks_of(evidence.results, "geometry"):
        for metric, what in APART.items():
            changes = distance_changes(evidence, task, metric).values()
            share = share_risen(sum(change > 0 for change in changes), len(changes), evidence.alpha)
            found.append(_check(task_label(task), what, share, HALF, "percent"))
    yield from by_interval(found, evidence.alpha, _above_half)


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
        shares.append(_check(subject, "labels farther", share, HALF, "percent"))
        gains.append(_check(subject, "accuracy", difference(after, before)))
        related.append(row.related)
    level = evidence.alpha / 2  # of the claim's checks one half are shares, one half gains
    judged = zip(
        by_interval(shares, level, _above_half), by_interval(gains, level), related, strict=True
    )
    for farther, better, is_related in judged:
        for check in (farther, better):
            yield check if is_related else replace(check, outcome=OPPOSITE[check.outcome])


def _not_monotone(evidence: Evidence) -> Iterator[Check]:
    found = []
    for task, rows in _followed(evidence, "n_turning"):
        last = records(rows)[-1]
        share = share_risen(round(last["value"]), last["n"], evidence.alpha)
        found.append(_check(task_label(task), "labels that turn", share, HALF, "percent"))
    yield from by_interval(found, evidence.alpha, _above_half)


def _one_direction(evidence: Evidence) -> Iterator[Check]:
    found = []
    for task, rows in _followed(evidence, "direction"):
        middle = rows.layer.max() / 2
        below = estimates(rows[(rows.layer > 0) & (rows.layer <= middle)])
        above = estimates(rows[rows.layer > middle])
        low, high = (mean(some) if some else NOT_MEASURED for some in (below, above))
        over = difference(low, Estimate(ONE_WAY, ONE_WAY, ONE_WAY))
        found.append(
            _check(task_label(task), f"lower layers over {ONE_WAY:g}", over, unit="fraction")
        )
        less = difference(low, high)
        found.append(
            _check(task_label(task), "lower layers over upper ones", less, unit="fraction")
        )
    yield from by_interval(found, evidence.alpha)


def _distance_tells_accuracy(evidence: Evidence) -> Iterator[Check]:
    found = []
    if len(tasks_of(evidence.results, "geometry")) >= MANY:
        found.append(
            Check("tasks", "over tasks", "undecided", *_over_tasks(evidence), "correlation")
        )
    for metric, what in (("gain_by_label", "over labels"), ("gain_by_step", "over steps")):
        for task, rows in _followed(evidence, metric):
            (last,) = estimates(rows[rows.layer == rows.layer.max()])
            found.append(Check(task_label(task), what, "undecided", *last, "correlation"))
    yield from by_interval(found, evidence.alpha)


def _over_tasks(evidence: Evidence) -> Estimate:
    """Rank correlation over the tasks of the changes of distance and of accuracy."""
    layer = deepest(evidence.results)
    changes = [
        (
            _change(evidence, "geometry", task, "outside_min", layer).value,
            _change(evidence, "classify", task, "accuracy", layer, classifier="mlp").value,
        )
        for task in tasks_of(evidence.results, "geometry")
    ]
    known = pd.DataFrame(changes, columns=["distance", "accuracy"]).dropna()
    if len(known) < 4 or (known.nunique() < 2).any():
        return NOT_MEASURED
    found = float(spearmanr(known.distance, known.accuracy).statistic)
    return Estimate(found, *correlation_bounds(found, len(known), confidence=1 - evidence.alpha))


def _closest_part(evidence: Evidence) -> Iterator[Check]:
    found = []
    for task, rows in _followed(evidence, "closest_parting"):
        (last,) = estimates(rows[rows.layer == rows.layer.max()])
        found.append(_check(task_label(task), "farther, doublings", last, unit="fraction"))
    yield from by_interval(found, evidence.alpha)


def _followed(evidence: Evidence, metric: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each task whose fine-tuning was followed, with the rows of a metric by layer."""
    rows = select(evidence.results, study="dynamics", metric=metric).sort_values("layer")
    for task in tasks_of(rows, "dynamics"):
        yield task, select(rows, task=task)


def _change(
    evidence: Evidence,
    study: str,
    task: str,
    metric: str,
    layer: int,
    *,
    back: bool = False,
    **facets: Any,
) -> Estimate:
    """A number after tuning less that before; with `back` the other way round."""
    before, after = (
        evidence.find(study, task, state, metric, layer, **facets) for state in (BEFORE, AFTER)
    )
    return difference(before, after) if back else difference(after, before)


def _check(
    subject: str, what: str, found: Estimate, zero: float = 0.0, unit: str = "difference"
) -> Check:
    """A check that passes where a point is above `zero`; `by_interval` judges intervals."""
    return Check(subject, what, _sign(found.value - zero), *found, unit)


def _sign(value: float) -> Outcome:
    """Outcome of a point without an interval."""
    if not isfinite(value):
        return "undecided"
    return "pass" if value > 0 else "fail"


POINT_RULE = (
    "One seed measures a point, so the sign decides; of several, the interval of their mean does."
)
BY_INTERVAL = "passes if the interval of the difference lies above zero, fails if it lies below"

GEOMETRY_CLAIMS = (
    Claim(
        "accuracy",
        f"{ZHOU} (a)",
        "Fine-tuning improves the accuracy of a classifier on the last layer in almost all tasks.",
        "Table 7: 24 of 25 accuracies rise; BERT-small falls on PS-fxn (86.26 to 85.08).",
        "One check, which names the exceptions: of each task the accuracy of the MLP at the last "
        "layer, after minus before, a paired bootstrap over test sentences and initialisations of "
        "the classifier. It passes if the intervals of all tasks lie above zero, one in "
        "twenty-five apart (of five tasks or more, one); it fails if more lie below, and is "
        "undecided otherwise. Without an interval the sign decides.",
        "classifiers",
        _improves,
        study="classify",
    ),
    Claim(
        "train-test",
        f"{ZHOU} (b)",
        "Fine-tuning makes the spaces of training and test examples less alike.",
        "Tables 2 and 7: for example BERT-base from .97 to .70 (POS), .84 to .57 (PS-fxn).",
        "One check per task: how far the spatial similarity of train to test lies below that of "
        "random splits of the same texts at the last layer, after tuning minus before. It "
        f"{BY_INTERVAL}. The interval is that of one more random split.",
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
        "One check per task: how many clusters DirectProbe needs less at the highest layer that is "
        "not linear before tuning. It passes above zero and fails otherwise; a task whose spaces "
        f"are all linear before tuning cannot show it and is undecided. {POINT_RULE}",
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
        "Two checks per task: the share of labels whose smallest distance to another label is "
        "larger after tuning, at the last layer; and of those where it is larger as a multiple of "
        "the mean distance within the label, which no scale of the space can raise. Each passes if "
        "the exact binomial interval lies above 50 %, fails if it lies below, and is undecided "
        "otherwise. Two labels may share one distance; the interval takes them as independent.",
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
        "half (layer 0 left out). Only points are measured, so the sign decides.",
        "spatial",
        _keeps_structure,
        study="similarity",
        states=(),
    ),
    Claim(
        "generalises",
        f"{ZHOU} (g)",
        "Train and test become less alike, and still the accuracy rises.",
        "Tables 2 and 7: BERT-base on POS from .97 to .70, and 93.39 to 95.68 %.",
        "One check per task joins (a) and (b) at the last layer, each by its interval: it passes "
        "if the accuracy rises and train and test part, fails if one of them goes the other way, "
        "and is undecided otherwise. The number shown is the gain in accuracy.",
        "spatial",
        _generalises,
        study="similarity",
        states=(),
    ),
    Claim(
        "not-monotone",
        f"{ZHOU} (h)",
        "The smallest distances do not rise steadily while the encoder is tuned.",
        "Curves of the smallest distances over the steps that fall and rise; no count printed.",
        "One check per task that is followed: the share of labels whose smallest distance at the "
        "last layer both rises and falls over the steps, each by more than a tenth of its range. "
        "It passes if the exact binomial interval lies above 50 %, fails if it lies below, and is "
        "undecided otherwise.",
        "distances",
        _not_monotone,
        study="dynamics",
        states=(AFTER,),
    ),
    Claim(
        "one-direction",
        f"{ZHOU} (i)",
        "In lower layers all labels move in one direction.",
        "Differences of the centroids: a bundle in low layers, a fan in high ones; no numbers "
        "printed.",
        "Two checks per task that is followed: the mean cosine of two labels’ centroid differences "
        f"(after minus before), the mean over the lower half of the layers, is above {ONE_WAY:g} "
        f"and above that over the upper half (layer 0 left out). {POINT_RULE}",
        "spatial",
        _one_direction,
        study="dynamics",
        states=(AFTER,),
    ),
    Claim(
        "distance-and-accuracy",
        f"{ZHOU} (j)",
        "Where labels move farther apart, the accuracy rises more.",
        "Distances and accuracies rise together (Table 5); no correlation printed.",
        "Rank correlations of the change of the smallest distance with that of the accuracy at the "
        "last layer: one check over the tasks (accuracy of the MLP) where there are ten, and two "
        "per task that is followed, over the labels and over the changes from step to step (share "
        "of a label’s test examples whose nearest centroid is its own). Each passes if its "
        "interval (Bonett & Wright) lies above zero, fails if it lies below, and is undecided "
        "otherwise.",
        "distances",
        _distance_tells_accuracy,
        study="geometry",
    ),
    Claim(
        "closest-part",
        f"{ZHOU} (k)",
        "In the last layer the labels that were closest to each other move apart.",
        "Ways of the centroids of ADJ, NOUN and VERB, which part in the last layer.",
        "One check per task that is followed: the distance of each label’s centroid to the one "
        "that was closest before, after over before tuning, its binary logarithm, the mean over "
        f"the labels at the last layer. It passes above zero and fails below. {POINT_RULE}",
        "distances",
        _closest_part,
        study="dynamics",
        states=(AFTER,),
    ),
)
