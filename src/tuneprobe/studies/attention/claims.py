"""The claims of Kovaleva et al. 2019 about heads, and about what pre-training is worth."""

from collections.abc import Iterable, Iterator
from functools import partial
from statistics import quantiles

import pandas as pd

from tuneprobe.claims.evidence import Evidence
from tuneprobe.claims.verdicts import (
    ABOVE_ZERO,
    Check,
    Checks,
    Outcome,
    above,
    each_row,
    read_claims,
)
from tuneprobe.collect.estimates import Estimate, bounds_mean, difference, estimates, halves
from tuneprobe.collect.tables import select
from tuneprobe.formats.results import NO_HEAD, NO_LAYER
from tuneprobe.studies.attention.measures import (
    ABLATION,
    AFTER,
    BEFORE,
    CHANGED,
    FRAMES,
    STUDY,
    ablated,
    ablation_changes,
    by_type,
    map_floor,
    map_similarity,
    of_heads,
    pair_weights,
    pattern_shares,
    percent,
    shown_ablation,
    task_scores,
    without_a_fifth,
)

HETEROGENEOUS = (32.0, 61.0)  # smallest and largest share that the paper prints, in percent
LAST_SHARE = 2 / 12  # "the last two layers" of twelve
MIN_HEADS = 4  # fewer have no quartiles worth the name
SMALLEST = 1.0  # points of a score: the smallest effect of interest
THIRD, HALF = 100 / 3, 50.0
CORRECTED = "corrected"  # shares of patterns, by the network's confusion on labelled maps


def last_layers(n_layers: int) -> range:
    """The last two of twelve layers, scaled to the depth.

    >>> last_layers(12), last_layers(6)
    (range(11, 13), range(6, 7))
    """
    return range(n_layers + 1 - max(1, round(LAST_SHARE * n_layers)), n_layers + 1)


def tukey_fence(weights: Iterable[float]) -> float:
    """Third quartile plus 1.5 interquartile ranges: what lies above stands out (Tukey 1977)."""
    first, _, third = quantiles(weights, n=4, method="inclusive")
    return third + 1.5 * (third - first)


def within_published(one: Estimate) -> Outcome:
    """Pass where the whole interval lies within the paper's range, fail where outside."""
    least, most = HETEROGENEOUS
    if one.low >= least and one.high <= most:
        return "pass"
    return "fail" if one.high < least or one.low > most else "undecided"


def harmful(one: Estimate) -> Outcome:
    """Pass where a gain is certain, fail where none as large as the smallest of interest may be."""
    return "pass" if one.low > 0 else "fail" if one.high < SMALLEST else "undecided"


def _last_change_most(evidence: Evidence) -> Iterator[Check]:
    for task, rows in evidence.by_task(select(map_similarity(evidence.results), head=NO_HEAD)):
        layers = dict(zip(rows.layer.tolist(), estimates(rows), strict=True))
        last = last_layers(max(layers))
        earlier = [layers[layer] for layer in sorted(layers) if layer not in last]
        for layer in last:
            if earlier and layer in layers:
                fall = difference(min(earlier), layers[layer])
                yield Check(task, f"layer {layer} below all earlier ones by", *fall, "fraction")


def _cls_then_sep(evidence: Evidence) -> Iterator[Check]:
    rows = percent(select(by_type(evidence.results), state=AFTER, head=NO_HEAD))
    for task, of_task in evidence.by_task(rows):
        for kind, what, sign in (
            ("cls", "[CLS], early over late", 1),
            ("sep", "[SEP], late over early", -1),
        ):
            of_kind = select(of_task, token_type=kind)
            first, second = halves(of_kind, of_kind.layer.max())[::sign]
            if first and second:
                yield Check(task, what, *difference(bounds_mean(first), bounds_mean(second)))


def _shares(pattern: str) -> Checks:
    """Corrected shares of a pattern among all maps of the tuned encoder, in percent."""

    def rows(evidence: Evidence) -> pd.DataFrame:
        found = select(pattern_shares(evidence.results, CORRECTED), state=AFTER, layer=NO_LAYER)
        return percent(select(found, pattern=pattern))

    return each_row(f"{pattern} maps", rows, unit="percent")


def _vertical_change(evidence: Evidence) -> pd.DataFrame:
    rows = select(evidence.results, study=STUDY, metric="pattern_change", state=AFTER, **CHANGED)
    return percent(select(rows, pattern="vertical", classifier="network"))


def _mean_loss_falls(evidence: Evidence) -> pd.DataFrame:
    shown = shown_ablation(evidence.results)
    rows = select(evidence.results, study=ABLATION, metric="mean_loss_change", ablation=shown)
    return rows.assign(value=-rows.value, low=-rows.high, high=-rows.low)


def _average_head(evidence: Evidence) -> Iterator[Check]:
    mean = each_row("mean change of the score", lambda one: ablated(one.results, "mean_"))
    yield from mean(evidence)
    yield from each_row("mean fall of the loss", _mean_loss_falls, unit="fraction")(evidence)


def _over_majority(evidence: Evidence) -> Iterator[Check]:
    rows = select(task_scores(evidence.results), state="random-finetuned")
    for task, state, metric, one in zip(
        rows.task, rows.state, rows.metric, estimates(rows), strict=True
    ):
        gap = difference(one, evidence.find("evaluate", task, state, f"majority_{metric}"))
        yield Check(evidence.label(task), "random + tuned over the majority", *gap)


def _pretraining_matters(evidence: Evidence) -> Iterator[Check]:
    for task, rows in evidence.by_task(task_scores(evidence.results)):
        scores = dict(zip(rows.state, estimates(rows), strict=True))
        if {AFTER, "random-finetuned"} <= scores.keys():
            gap = difference(scores[AFTER], scores["random-finetuned"])
            yield Check(task, "tuned over random + tuned", *gap)


def _most_maps_stay(evidence: Evidence) -> Iterator[Check]:
    keys = ["task", "layer", "head"]
    floor = map_floor(evidence.results)
    rows = of_heads(map_similarity(evidence.results)).dropna(subset=["low", "high"])
    rows = rows.merge(floor[[*keys, "value"]].rename(columns={"value": "floor"}), on=keys)
    for task, heads in evidence.by_task(rows):
        middle = (1 + heads.floor) / 2
        counted = (heads[x] > middle for x in Estimate._fields)
        yield Check(task, "heads nearer to themselves", *_percentages(counted), "percent")


def _idle_heads(evidence: Evidence) -> Iterator[Check]:
    for task, rows in evidence.by_task(_of_heads(evidence).dropna(subset=["low", "high"])):
        idle = rows.value.abs() < SMALLEST
        surely = (rows.low > -SMALLEST) & (rows.high < SMALLEST)
        possibly = (rows.low < SMALLEST) & (rows.high > -SMALLEST)
        counted = (idle, surely, possibly)
        yield Check(task, "heads without effect", *_percentages(counted), "percent")


def _percentages(counted: Iterable["pd.Series[bool]"]) -> Estimate:
    return Estimate(*(100 * float(heads.mean()) for heads in counted))


def _frame_heads_ablated(evidence: Evidence) -> Iterator[Check]:
    places = {
        place for _, of_relation in _linking(True, evidence) for place in _strongest(of_relation)
    }
    rows = _of_heads(evidence)
    for task, place, one in zip(rows.task, _places(rows), estimates(rows), strict=True):
        if place in places:
            yield Check(evidence.label(task), f"without {place}", *one)


def _two_stand_out(frames: bool, evidence: Evidence) -> Iterator[Check]:
    for subject, of_relation in _linking(frames, evidence):
        fence = tukey_fence(of_relation.value)
        for place, one in _strongest(of_relation).items():
            over = Estimate(*(bound - fence for bound in one))
            yield Check(subject, f"{place} over the fence by", *over, "fraction")


def _linking(frames: bool, evidence: Evidence) -> Iterator[tuple[str, pd.DataFrame]]:
    """What each head gives to the pairs of a relation over what it gives elsewhere, before tuning.

    By task and relation, of those with enough heads.
    """
    rows = pair_weights(evidence.results, "pair_excess")
    rows = of_heads(select(rows, state=BEFORE, direction="from-to"))
    rows = rows[(rows.relation == FRAMES) == frames]
    for (task, relation), of_relation in rows.groupby(["task", "relation"]):
        if len(of_relation) >= MIN_HEADS:
            yield f"{evidence.label(str(task))}: {relation}", of_relation


def _strongest(rows: pd.DataFrame) -> dict[str, Estimate]:
    """The two heads of the largest values."""
    rows = rows.nlargest(2, "value")
    return dict(zip(_places(rows), estimates(rows), strict=True))


def _places(rows: pd.DataFrame) -> list[str]:
    heads = zip(rows.layer.tolist(), rows["head"].tolist(), strict=True)
    return [f"layer {layer} head {head}" for layer, head in heads]


def _largest(evidence: Evidence) -> pd.DataFrame:
    return ablated(evidence.results, "largest_")


def _of_heads(evidence: Evidence) -> pd.DataFrame:
    return of_heads(select(ablation_changes(evidence.results), state=AFTER))


ATTENTION_CLAIMS = read_claims(
    __file__,
    {
        "last-layers-change": (_last_change_most, ABOVE_ZERO),
        "cls-then-sep": (_cls_then_sep, ABOVE_ZERO),
        "heterogeneous": (_shares("heterogeneous"), within_published),
        "average-head": (_average_head, ABOVE_ZERO),
        "harmful-heads": (
            each_row("largest gain without a head", lambda one: of_heads(_largest(one))),
            harmful,
        ),
        "harmful-layers": (
            each_row(
                "largest gain without a layer",
                lambda one: select(_largest(one), head=NO_HEAD),
            ),
            harmful,
        ),
        "pre-training": (_pretraining_matters, ABOVE_ZERO),
        "random-tuned": (_over_majority, ABOVE_ZERO),
        "frame-heads": (partial(_two_stand_out, True), ABOVE_ZERO),
        "dependency-heads": (partial(_two_stand_out, False), ABOVE_ZERO),
        "vertical-third": (_shares("vertical"), above(THIRD)),
        "vertical-rises": (each_row("vertical share rises by", _vertical_change), ABOVE_ZERO),
        "most-maps-stay": (_most_maps_stay, above(HALF)),
        "frame-heads-ablated": (_frame_heads_ablated, above(-SMALLEST)),
        "idle-heads": (_idle_heads, above(HALF)),
        "several-heads": (
            each_row("without a fifth of the heads", lambda one: without_a_fifth(one.results)),
            above(-SMALLEST),
        ),
    },
)
