"""The claims of Kovaleva et al. 2019 about heads, and about what pre-training is worth."""

from collections.abc import Callable, Iterable, Iterator
from statistics import fmean, quantiles
from typing import Any

import pandas as pd

from tuneprobe.claims.evidence import Evidence
from tuneprobe.claims.verdicts import Check, Claim, Outcome, by_interval, widened
from tuneprobe.collect.estimates import Estimate, difference
from tuneprobe.collect.tables import select
from tuneprobe.formats.results import NO_HEAD, NO_LAYER
from tuneprobe.studies.attention.measures import (
    AFTER,
    BEFORE,
    ablation_changes,
    by_type,
    map_similarity,
    of_heads,
    pair_weights,
    pattern_shares,
    task_label,
    task_scores,
)

KOVALEVA = "Kovaleva et al. 2019"
HETEROGENEOUS = (32.0, 61.0)  # smallest and largest share that the paper prints, in percent
LAST_SHARE = 2 / 12  # "the last two layers" of twelve
MIN_HEADS = 4  # fewer have no quartiles worth the name
WIDENED = "The interval is widened for the number of {0} and tasks tried, not of checks alone."
BEST_GAIN_RULE = (
    " It passes if it lies above zero, fails if no {0} has an upper bound above zero, and is "
    "undecided if the gain may be chance."
)


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


def _last_change_most(evidence: Evidence) -> Iterator[Check]:
    for task, rows in _by_task(select(map_similarity(evidence.results), head=NO_HEAD)):
        layers = _by_layer(rows)
        last = last_layers(max(layers))
        earlier = [one for layer, one in layers.items() if layer not in last]
        for layer in last:
            if earlier and layer in layers:
                fall = difference(min(earlier), layers[layer])
                what = f"layer {layer} below all earlier ones by"
                yield Check(task, what, "undecided", *fall, "fraction")


def _cls_then_sep(evidence: Evidence) -> Iterator[Check]:
    rows = select(by_type(evidence.results), state=AFTER, head=NO_HEAD)
    for task, of_task in _by_task(rows):
        for kind, sign in (("cls", 1), ("sep", -1)):
            layers = _by_layer(select(of_task, token_type=kind))
            half = max(layers, default=0) / 2
            early = _mean(one for layer, one in layers.items() if layer <= half)
            late = _mean(one for layer, one in layers.items() if layer > half)
            first, second = (early, late) if sign > 0 else (late, early)
            if first is not None and second is not None:
                excess = _times(difference(first, second), 100)
                what = "[CLS], early over late" if kind == "cls" else "[SEP], late over early"
                yield Check(task, what, "undecided", *excess)


def _heterogeneous(evidence: Evidence) -> Iterator[Check]:
    rows = select(pattern_shares(evidence.results), state=AFTER, layer=NO_LAYER, head=NO_HEAD)
    for task, share in _each(select(rows, pattern="heterogeneous")):
        yield Check(task, "heterogeneous maps", "undecided", *_times(share, 100), "percent")


def _within_published(low: float, high: float) -> Outcome:
    if low >= HETEROGENEOUS[0] and high <= HETEROGENEOUS[1]:
        return "pass"
    return "fail" if high < HETEROGENEOUS[0] or low > HETEROGENEOUS[1] else "undecided"


def _some_head_harms(evidence: Evidence) -> Iterator[Check]:
    yield from _best_gain(evidence, of_heads(_changes(evidence)))


def _some_layer_harms(evidence: Evidence) -> Iterator[Check]:
    yield from _best_gain(evidence, select(_changes(evidence), head=NO_HEAD))


def _best_gain(evidence: Evidence, rows: pd.DataFrame) -> Iterator[Check]:
    """The largest gain of each task; it fails only where no change may be a gain."""
    for task, changes in _by_task(rows):
        of_all = [
            (widened(_estimate(row), len(rows), evidence.alpha), row)
            for row in changes.to_dict("records")
        ]
        gain, best = max(of_all, key=lambda one: one[0].value)
        what = f"without layer {best['layer']}"
        if best["head"] != NO_HEAD:
            what += f" head {best['head']}"
        outcome: Outcome = "pass" if gain.low > 0 else "undecided"
        if all(one.high <= 0 for one, _ in of_all):
            outcome = "fail"
        yield Check(task, what, outcome, *gain)


def _pretraining_matters(evidence: Evidence) -> Iterator[Check]:
    scores = task_scores(evidence.results)
    tuned = dict(_each(select(scores, state=AFTER)))
    from_random = dict(_each(select(scores, state="random-finetuned")))
    for task in tuned:
        if task in from_random:
            gap = difference(tuned[task], from_random[task])
            yield Check(task, "tuned over random + tuned", "undecided", *gap)


def _two_heads_stand_out(evidence: Evidence) -> Iterator[Check]:
    rows = select(pair_weights(evidence.results), state=BEFORE, direction="from-to")
    for (task, relation), of_relation in of_heads(rows).groupby(["task", "relation"]):
        if len(of_relation) < MIN_HEADS:
            continue
        fence = tukey_fence(of_relation.value)
        for row in of_relation.nlargest(2, "value").to_dict("records"):
            over = Estimate(*(bound - fence for bound in _estimate(row)))
            what = f"layer {row['layer']} head {row['head']} over the fence by"
            subject = f"{task_label(str(task))}: {relation}"
            yield Check(subject, what, "undecided", *over, "fraction")


def _changes(evidence: Evidence) -> pd.DataFrame:
    return select(ablation_changes(evidence.results), state=AFTER)


def _by_task(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for task, of_task in rows.groupby("task"):
        yield task_label(str(task)), of_task


def _each(rows: pd.DataFrame) -> Iterator[tuple[str, Estimate]]:
    """Task and estimate of rows of which each task has one."""
    for row in rows.sort_values("task").to_dict("records"):
        yield task_label(row["task"]), _estimate(row)


def _by_layer(rows: pd.DataFrame) -> dict[int, Estimate]:
    ordered = rows.sort_values("layer").to_dict("records")
    return {row["layer"]: _estimate(row) for row in ordered}


def _estimate(row: Any) -> Estimate:
    return Estimate(row["value"], row["low"], row["high"])


def _mean(estimates: Iterable[Estimate]) -> Estimate | None:
    """Mean of estimates from the same examples, its bounds the means of theirs."""
    found = list(estimates)
    return Estimate(*map(fmean, zip(*found, strict=True))) if found else None


def _times(one: Estimate, factor: float) -> Estimate:
    return Estimate(*(factor * bound for bound in one))


def by_intervals(
    checks: Callable[[Evidence], Iterator[Check]],
    outcome: Callable[[float, float], Outcome] | None = None,
) -> Callable[[Evidence], Iterator[Check]]:
    """The same checks, with outcomes by their intervals (`verdicts.by_interval`)."""

    def judged(evidence: Evidence) -> Iterator[Check]:
        yield from by_interval(checks(evidence), evidence.alpha, outcome)

    return judged


ATTENTION_CLAIMS = (
    Claim(
        "last-layers-change",
        f"{KOVALEVA} (a)",
        "Fine-tuning changes the last two of twelve layers most.",
        "Figure 5: cosine of the maps before and after lowest in layers 11 and 12, QQP apart; no "
        "numbers printed.",
        "One check per task and layer of the last sixth: the lowest similarity of all layers below "
        "that sixth, less that of this layer. It passes if the interval of the difference lies "
        "above zero, fails if it lies below.",
        "map-similarity",
        by_intervals(_last_change_most),
        study="attention",
        states=(AFTER,),
    ),
    Claim(
        "cls-then-sep",
        f"{KOVALEVA} (b)",
        "Early layers attend to [CLS], later ones to [SEP].",
        "Figure 6, per task: [CLS] in the first layers, [SEP] in the later ones; no numbers "
        "printed.",
        "Two checks per task on the fine-tuned encoder, in points of attention, the first half of "
        "the layers against the second: [CLS] receives more in the first, [SEP] more in the "
        "second. Each passes if the interval of the difference lies above zero, fails if below.",
        "token-types",
        by_intervals(_cls_then_sep),
        study="attention",
        states=(AFTER,),
    ),
    Claim(
        "heterogeneous",
        f"{KOVALEVA} (c)",
        "The share of heterogeneous maps lies between 32 % and 61 %, depending on the task.",
        "Figure 2: 32 % (MRPC) to 61 % (QQP) of the maps of fine-tuned BERT-base.",
        "One check per task: the share among all maps of the fine-tuned encoder, as the network "
        "classes them. It passes if the interval lies within the published range, and fails if it "
        "lies wholly outside.",
        "patterns",
        by_intervals(_heterogeneous, _within_published),
        study="attention",
        states=(AFTER,),
    ),
    Claim(
        "harmful-heads",
        f"{KOVALEVA} (d)",
        "In every task some head does harm: without it the score is higher.",
        "Figure 8: from +0.1 points (STS-B) to +1.2 (MRPC), without intervals.",
        "One check per task: the largest gain of any head. "
        + WIDENED.format("heads")
        + BEST_GAIN_RULE.format("head"),
        "head-ablation",
        _some_head_harms,
        study="ablation",
        states=(AFTER,),
    ),
    Claim(
        "harmful-layers",
        f"{KOVALEVA} (e)",
        "Even without a whole layer the score can be higher.",
        "Figure 9: +3.2 points on RTE without layer 1, without an interval.",
        "One check per task: the largest gain of any layer. "
        + WIDENED.format("layers")
        + BEST_GAIN_RULE.format("layer"),
        "layer-ablation",
        _some_layer_harms,
        study="ablation",
        states=(AFTER,),
    ),
    Claim(
        "pre-training",
        f"{KOVALEVA} (f)",
        "Tuned from random weights, the encoder stays below the one tuned from pre-trained ones.",
        "Table 1: lower in all seven tasks, by 11.5 points (SST-2) to 79.8 (STS-B).",
        "One check per task: the score tuned from pre-trained weights less that tuned from random "
        "ones. It passes if the interval of the difference lies above zero, fails if below.",
        "three-ways",
        by_intervals(_pretraining_matters),
        study="evaluate",
        states=(AFTER, "random-finetuned"),
    ),
    Claim(
        "frame-heads",
        f"{KOVALEVA} (g)",
        "Before any tuning, two heads stand out in linking the words that an annotation links.",
        "Frame elements to their targets: .209 and .201 are the two strongest of 144 heads.",
        "Two checks per relation (of each task the four with the most texts): the two largest "
        "weights, less Tukey’s fence (third quartile plus 1.5 interquartile ranges of all heads, "
        "taken as fixed). Each passes if its interval lies above zero, fails if below.",
        "word-pairs",
        by_intervals(_two_heads_stand_out),
        study="attention",
        states=(BEFORE,),
    ),
)
