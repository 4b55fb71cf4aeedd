"""The claims of Zhou & Srikumar 2022 about the geometry of labelled spaces."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import isfinite, nan
from typing import Any

import pandas as pd
from scipy.stats import binomtest, spearmanr

from tuneprobe.claims.evidence import Evidence
from tuneprobe.claims.verdicts import (
    ABOVE_ZERO,
    OPPOSITE,
    WORST_FIRST,
    Check,
    Outcome,
    above,
    by_interval,
    read_claims,
)
from tuneprobe.collect.estimates import (
    NOT_MEASURED,
    Estimate,
    difference,
    estimates,
    halves,
    mean,
)
from tuneprobe.collect.tables import at_last_layer, select
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

    Its value is how many lie above zero. It passes if all checks pass but one in twenty-five, at
    least one; it fails if more of them fail. Fewer than `FEW` leave it undecided: there one is no
    exception from almost all.
    """
    judged = list(checks)
    n, known = len(judged), [check for check in judged if isfinite(check.value)]
    allowed = max(1, n // 25)
    passed, failed = (sum(c.outcome == outcome for c in judged) for outcome in ("pass", "fail"))
    outcome: Outcome = "fail" if failed > allowed else "pass"
    if n < FEW or (passed < n - allowed and failed <= allowed):
        outcome = "undecided"
    fallen = [check.subject for check in known if check.value <= 0]
    what = f"rises, not in {', '.join(fallen)}" if fallen else "rises"
    risen = float(len(known) - len(fallen)) if known else nan
    tasks = "tasks" if n > 1 else "task"
    return Check("accuracy", what, risen, unit=f"of {n} {tasks}", outcome=outcome)


def _gains(evidence: Evidence) -> list[Check]:
    """Accuracy after minus before of each task at the last layer, judged by intervals."""
    layer, found = deepest(evidence.results), []
    for task in tasks_of(evidence.results, "classify"):
        gap = evidence.find("classify", task, AFTER, "gap", layer, classifier="mlp", against=BEFORE)
        if not isfinite(gap.value):
            gap = _change(evidence, "classify", task, "accuracy", layer, classifier="mlp")
        found.append(_check(evidence, task, "accuracy", gap))
    return by_interval(found, evidence.alpha, ABOVE_ZERO)


def _deficits(evidence: Evidence) -> Iterator[Check]:
    """How much farther train and test are below random splits after tuning than before."""
    of = ("split_deficit", deepest(evidence.results))
    for task in tasks_of(evidence.results, "similarity"):
        change = _change(evidence, "similarity", task, *of, **TRAIN_TEST)
        yield _check(evidence, task, "farther below random splits", change, unit="fraction")


def _improves(evidence: Evidence) -> Iterator[Check]:
    if gains := _gains(evidence):
        yield almost_all(gains)


def _generalises(evidence: Evidence) -> Iterator[Check]:
    deficits = by_interval(_deficits(evidence), evidence.alpha, ABOVE_ZERO)
    parted = {check.subject: check for check in deficits}
    for gain in _gains(evidence):
        apart = parted.get(gain.subject, Check(gain.subject, ""))
        outcomes = {gain.outcome, apart.outcome}
        outcome: Outcome = next((one for one in WORST_FIRST if one in outcomes), "undecided")
        joined = replace(gain, what="accuracy, where train and test part", outcome=outcome)
        if not isfinite(apart.value):
            joined = replace(joined, outcome="undecided", **NOT_MEASURED._asdict())
        yield joined


def _groups(evidence: Evidence) -> Iterator[Check]:
    rows = select(evidence.results, study="geometry", metric="is_linear", state=BEFORE)
    for task in tasks_of(evidence.results, "geometry"):
        linear = select(rows, task=task)
        layers = linear.layer[linear.value < 1]
        layer = int(layers.max()) if len(layers) else deepest(evidence.results)
        change = _change(evidence, "geometry", task, "n_clusters", layer, back=True)
        fewer = change if len(layers) else NOT_MEASURED
        yield _check(evidence, task, f"fewer, layer {layer}", fewer, unit="clusters")


def _pushes_apart(evidence: Evidence) -> Iterator[Check]:
    for task in tasks_of(evidence.results, "geometry"):
        for metric, what in APART.items():
            changes = distance_changes(evidence, task, metric).values()
            share = share_risen(sum(change > 0 for change in changes), len(changes), evidence.alpha)
            yield _check(evidence, task, what, share, HALF, "percent")


def _keeps_structure(evidence: Evidence) -> Iterator[Check]:
    of = {"study": "similarity", "metric": "spatial_similarity", "state": AFTER, **ORIGINAL}
    rows, last = select(evidence.results, **of), deepest(evidence.results)
    for task in tasks_of(evidence.results, "similarity"):
        curve = select(rows, task=task)
        least = curve.value.min() if len(curve) else nan
        kept = _sign(least - KEPT) if least != KEPT else "pass"
        lower, upper = halves(curve, last)
        fell = mean(lower).value - mean(upper).value if lower and upper else nan
        name = evidence.label(task)
        yield Check(name, "lowest", least, unit="similarity", outcome=kept)
        yield Check(name, "upper layers lower by", fell, unit="similarity", outcome=_sign(fell))


def _depends_on_relation(evidence: Evidence) -> Iterator[Check]:
    shares, gains, related = [], [], []
    for row in cross_tasks(evidence.results):
        if row.tuned_on == row.task:
            continue
        subject = f"{evidence.label(row.task)} tuned on {evidence.label(row.tuned_on)}"
        share = share_risen(row.rose, row.rose + row.fell, evidence.alpha)
        before, after = (
            evidence.find(
                "cross-task", row.task, state, "accuracy", row.layer, classifier="mlp", **tuned
            )
            for state, tuned in ((BEFORE, {}), (AFTER, row.facets))
        )
        shares.append(_named(subject, "labels farther", share, HALF, "percent"))
        gains.append(_named(subject, "accuracy", difference(after, before)))
        related.append(row.related)
    level = evidence.alpha / 2  # of the claim's checks one half are shares, one half gains
    farther, better = by_interval(shares, level, above(HALF)), by_interval(gains, level, ABOVE_ZERO)
    for *checks, is_related in zip(farther, better, related, strict=True):
        for check in checks:
            yield check if is_related else replace(check, outcome=OPPOSITE[check.outcome])


def _not_monotone(evidence: Evidence) -> Iterator[Check]:
    for task, rows in _followed(evidence, "n_turning"):
        share = share_risen(round(rows.value.iloc[-1]), int(rows.n.iloc[-1]), evidence.alpha)
        yield _check(evidence, task, "labels that turn", share, HALF, "percent")


def _one_direction(evidence: Evidence) -> Iterator[Check]:
    for task, rows in _followed(evidence, "direction"):
        low, high = (
            mean(some) if some else NOT_MEASURED for some in halves(rows, rows.layer.max())
        )
        over = difference(low, Estimate(ONE_WAY, ONE_WAY, ONE_WAY))
        yield _check(evidence, task, f"lower layers over {ONE_WAY:g}", over, unit="fraction")
        less = difference(low, high)
        yield _check(evidence, task, "lower layers over upper ones", less, unit="fraction")


def _distance_tells_accuracy(evidence: Evidence) -> Iterator[Check]:
    if len(tasks_of(evidence.results, "geometry")) >= MANY:
        yield Check("tasks", "over tasks", *_over_tasks(evidence), "correlation")
    for metric, what in (("gain_by_label", "over labels"), ("gain_by_step", "over steps")):
        for task, rows in _followed(evidence, metric):
            (last,) = estimates(at_last_layer(rows))
            yield Check(evidence.label(task), what, *last, "correlation")


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
    for task, rows in _followed(evidence, "closest_parting"):
        (last,) = estimates(at_last_layer(rows))
        yield Check(evidence.label(task), "farther", *last, unit="doublings")


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


def _check(evidence: Evidence, task: str, *more: Any, **unit: Any) -> Check:
    return _named(evidence.label(task), *more, **unit)


def _named(
    subject: str, what: str, found: Estimate, zero: float = 0.0, unit: str = "points"
) -> Check:
    """A check that passes where a point is above `zero`; the rule of a claim judges intervals."""
    return Check(subject, what, *found, unit, _sign(found.value - zero))


def _sign(value: float) -> Outcome:
    """Outcome of a point without an interval."""
    if not isfinite(value):
        return "undecided"
    return "pass" if value > 0 else "fail"


GEOMETRY_CLAIMS = read_claims(
    __file__,
    {
        "accuracy": (_improves, None),
        "train-test": (_deficits, ABOVE_ZERO),
        "clusters": (_groups, ABOVE_ZERO),
        "distances": (_pushes_apart, above(HALF)),
        "related": (_depends_on_relation, None),
        "structure": (_keeps_structure, None),
        "generalises": (_generalises, None),
        "not-monotone": (_not_monotone, above(HALF)),
        "one-direction": (_one_direction, ABOVE_ZERO),
        "distance-and-accuracy": (_distance_tells_accuracy, ABOVE_ZERO),
        "closest-part": (_closest_part, ABOVE_ZERO),
    },
    one_way=ONE_WAY,
)
