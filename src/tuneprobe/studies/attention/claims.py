"""The claims of Kovaleva et al. 2019 about heads, and about what pre-training is worth."""

from collections.abc import Callable, Iterable, Iterator
from statistics import fmean, quantiles
from typing import Any

import pandas as pd

from tuneprobe.claims.evidence import Evidence
from tuneprobe.claims.verdicts import Check, Claim, Outcome, above_zero, by_interval
from tuneprobe.collect.estimates import Estimate, difference
from tuneprobe.collect.tables import records, select
from tuneprobe.formats.results import NO_HEAD, NO_LAYER
from tuneprobe.page.wording import task_label
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

KOVALEVA = "Kovaleva et al. 2019"
HETEROGENEOUS = (32.0, 61.0)  # smallest and largest share that the paper prints, in percent
LAST_SHARE = 2 / 12  # "the last two layers" of twelve
MIN_HEADS = 4  # fewer have no quartiles worth the name
SMALLEST = 1.0  # points of a score: the smallest effect of interest
THIRD, HALF = 100 / 3, 50.0
CORRECTED = "corrected"  # shares of patterns, by the network's confusion on labelled maps
LABELLED = (
    "The network’s shares are corrected by its confusion on labelled maps of this run; without "
    "any the claim is not testable."
)
CHOSEN = (
    "The interval is that of a maximum: the max-T bootstrap over all {0} (Westfall & Young). It "
    "passes if it lies above zero, fails if it lies below the smallest effect of interest, one "
    "point, and is undecided otherwise."
)
BY_INTERVAL = "It passes if the interval of the difference lies above zero, fails if below."

Checks = Callable[[Evidence], Iterator[Check]]
Rows = Callable[[pd.DataFrame], pd.DataFrame]


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


def judged(*sources: Checks, outcome: Callable[[float, float], Outcome] = above_zero) -> Checks:
    """The checks of all sources, with outcomes by their intervals (`verdicts.by_interval`)."""

    def checks(evidence: Evidence) -> Iterator[Check]:
        found = [check for source in sources for check in source(evidence)]
        yield from by_interval(found, evidence.alpha, outcome)

    return checks


def each_task(what: str, rows: Rows, unit: str = "difference") -> Checks:
    """One check per task, of rows of which each task has one."""

    def checks(evidence: Evidence) -> Iterator[Check]:
        for task, found in _each(rows(evidence.results)):
            yield Check(task, what, "undecided", *found, unit)

    return checks


def at_least(least: float) -> Callable[[float, float], Outcome]:
    """Pass where the whole interval lies above a number, fail where it lies below."""
    return lambda low, high: above_zero(low - least, high - least)


def within_published(low: float, high: float) -> Outcome:
    """Pass where the whole interval lies within the paper's range, fail where outside."""
    if low >= HETEROGENEOUS[0] and high <= HETEROGENEOUS[1]:
        return "pass"
    return "fail" if high < HETEROGENEOUS[0] or low > HETEROGENEOUS[1] else "undecided"


def harmful(low: float, high: float) -> Outcome:
    """Pass where a gain is certain, fail where none as large as the smallest of interest may be."""
    if low > 0:
        return "pass"
    return "fail" if high < SMALLEST else "undecided"


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


def _shares(classifier: str, pattern: str) -> Rows:
    """Shares of a pattern among all maps of the tuned encoder, in percent."""

    def rows(results: pd.DataFrame) -> pd.DataFrame:
        found = select(pattern_shares(results, classifier), state=AFTER, layer=NO_LAYER)
        return percent(select(found, pattern=pattern))

    return rows


def _vertical_change(results: pd.DataFrame) -> pd.DataFrame:
    rows = select(results, study=STUDY, metric="pattern_change", state=AFTER, **CHANGED)
    return percent(select(rows, pattern="vertical", classifier="network"))


def _mean_loss_falls(results: pd.DataFrame) -> pd.DataFrame:
    rows = select(
        results, study=ABLATION, metric="mean_loss_change", ablation=shown_ablation(results)
    )
    return rows.assign(value=-rows.value, low=-rows.high, high=-rows.low)


def _over_majority(evidence: Evidence) -> Iterator[Check]:
    for row in records(select(task_scores(evidence.results), state="random-finetuned")):
        majority = evidence.find("evaluate", row["task"], row["state"], f"majority_{row['metric']}")
        gap = difference(_estimate(row), majority)
        yield Check(task_label(row["task"]), "random + tuned over the majority", "undecided", *gap)


def _pretraining_matters(evidence: Evidence) -> Iterator[Check]:
    scores = task_scores(evidence.results)
    tuned = dict(_each(select(scores, state=AFTER)))
    from_random = dict(_each(select(scores, state="random-finetuned")))
    for task in tuned:
        if task in from_random:
            gap = difference(tuned[task], from_random[task])
            yield Check(task, "tuned over random + tuned", "undecided", *gap)


def _most_maps_stay(evidence: Evidence) -> Iterator[Check]:
    keys = ["task", "layer", "head"]
    floor = map_floor(evidence.results)
    rows = of_heads(map_similarity(evidence.results)).dropna(subset=["low", "high"])
    rows = rows.merge(floor[[*keys, "value"]].rename(columns={"value": "floor"}), on=keys)
    for task, heads in _by_task(rows):
        middle = (1 + heads.floor) / 2
        above = Estimate(*(100 * float((heads[x] > middle).mean()) for x in Estimate._fields))
        yield Check(task, "heads nearer to themselves", "undecided", *above, "percent")


def _idle_heads(evidence: Evidence) -> Iterator[Check]:
    for task, rows in _by_task(of_heads(_changes(evidence)).dropna(subset=["low", "high"])):
        idle = rows.value.abs() < SMALLEST
        surely = (rows.low > -SMALLEST) & (rows.high < SMALLEST)
        possibly = (rows.low < SMALLEST) & (rows.high > -SMALLEST)
        shares = Estimate(*(100 * float(heads.mean()) for heads in (idle, surely, possibly)))
        yield Check(task, "heads without effect", "undecided", *shares, "percent")


def _frame_heads_ablated(evidence: Evidence) -> Iterator[Check]:
    places = {
        (row["layer"], row["head"])
        for _, of_relation in _linking(evidence, frames=True)
        for row in records(of_relation.nlargest(2, "value"))
    }
    for row in records(of_heads(_changes(evidence))):
        if (row["layer"], row["head"]) in places:
            what = f"without layer {row['layer']} head {row['head']}"
            yield Check(task_label(row["task"]), what, "undecided", *_estimate(row))


def _frame_heads(evidence: Evidence) -> Iterator[Check]:
    yield from _two_stand_out(evidence, frames=True)


def _dependency_heads(evidence: Evidence) -> Iterator[Check]:
    yield from _two_stand_out(evidence, frames=False)


def _two_stand_out(evidence: Evidence, *, frames: bool) -> Iterator[Check]:
    for subject, of_relation in _linking(evidence, frames=frames):
        fence = tukey_fence(of_relation.value)
        for row in records(of_relation.nlargest(2, "value")):
            over = Estimate(*(bound - fence for bound in _estimate(row)))
            what = f"layer {row['layer']} head {row['head']} over the fence by"
            yield Check(subject, what, "undecided", *over, "fraction")


def _linking(evidence: Evidence, *, frames: bool) -> Iterator[tuple[str, pd.DataFrame]]:
    """What each head gives to the pairs of a relation over what it gives elsewhere, before tuning.

    By task and relation, of those with enough heads.
    """
    rows = pair_weights(evidence.results, "pair_excess")
    rows = of_heads(select(rows, state=BEFORE, direction="from-to"))
    rows = rows[(rows.relation == FRAMES) == frames]
    for (task, relation), of_relation in rows.groupby(["task", "relation"]):
        if len(of_relation) >= MIN_HEADS:
            yield f"{task_label(str(task))}: {relation}", of_relation


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


def _claim(
    letter: str,
    name: str,
    statement: str,
    published: str,
    rule: str,
    figure: str,
    checks: Checks,
    study: str = STUDY,
    states: tuple[str, ...] = (AFTER,),
) -> Claim:
    source = f"{KOVALEVA} ({letter})"
    return Claim(name, source, statement, published, rule, figure, checks, study, states)


ATTENTION_CLAIMS = (
    _claim(
        "a",
        "last-layers-change",
        "Fine-tuning changes the last two of twelve layers most.",
        "Figure 5: cosine of the maps before and after lowest in layers 11 and 12, QQP apart; no "
        "numbers printed.",
        "One check per task and layer of the last sixth: the lowest similarity of all layers below "
        f"that sixth, less that of this layer. {BY_INTERVAL}",
        "map-similarity",
        judged(_last_change_most),
    ),
    _claim(
        "b",
        "cls-then-sep",
        "Early layers attend to [CLS], later ones to [SEP].",
        "Figure 6, per task: [CLS] in the first layers, [SEP] in the later ones; no numbers "
        "printed.",
        "Two checks per task on the fine-tuned encoder, in points of attention, the first half of "
        "the layers against the second: [CLS] receives more in the first, [SEP] more in the "
        f"second. {BY_INTERVAL}",
        "token-types",
        judged(_cls_then_sep),
    ),
    _claim(
        "c",
        "heterogeneous",
        "The share of heterogeneous maps lies between 32 % and 61 %, depending on the task.",
        "Figure 2: 32 % (MRPC) to 61 % (QQP) of the maps of fine-tuned BERT-base.",
        f"One check per task: the share among all maps of the fine-tuned encoder. {LABELLED} It "
        "passes if the interval lies within the published range, and fails if it lies wholly "
        "outside.",
        "patterns",
        judged(
            each_task("heterogeneous maps", _shares(CORRECTED, "heterogeneous"), "percent"),
            outcome=within_published,
        ),
    ),
    _claim(
        "d",
        "average-head",
        "Without a head drawn at random the score rises on average.",
        "The authors’ blog: disabling a random head gives on average an increase in performance.",
        "Two checks per task: the mean over all heads of the change of the score, and of the fall "
        "of the loss, each one paired test. It passes if the interval lies above zero, fails if "
        "below.",
        "head-ablation",
        judged(
            each_task("mean change of the score", lambda rows: ablated(rows, "mean_")),
            each_task("mean fall of the loss", _mean_loss_falls, "fraction"),
        ),
        ABLATION,
    ),
    _claim(
        "e",
        "harmful-heads",
        "In every task some head does harm: without it the score is higher.",
        "Figure 8: from +0.1 points (STS-B) to +1.2 (MRPC), without intervals.",
        f"One check per task: the largest gain of any head. {CHOSEN.format('heads')}",
        "head-ablation",
        judged(
            each_task(
                "largest gain without a head", lambda rows: of_heads(ablated(rows, "largest_"))
            ),
            outcome=harmful,
        ),
        ABLATION,
    ),
    _claim(
        "f",
        "harmful-layers",
        "Even without a whole layer the score can be higher.",
        "Figure 9: +3.2 points on RTE without layer 1, without an interval.",
        f"One check per task: the largest gain of any layer. {CHOSEN.format('layers')}",
        "head-ablation",
        judged(
            each_task(
                "largest gain without a layer",
                lambda rows: select(ablated(rows, "largest_"), head=NO_HEAD),
            ),
            outcome=harmful,
        ),
        ABLATION,
    ),
    _claim(
        "g",
        "pre-training",
        "Tuned from random weights, the encoder stays below the one tuned from pre-trained ones.",
        "Table 1: lower in all seven tasks, by 11.5 points (SST-2) to 79.8 (STS-B).",
        "One check per task: the score tuned from pre-trained weights less that tuned from random "
        f"ones, at equal budget. {BY_INTERVAL}",
        "three-ways",
        judged(_pretraining_matters),
        "evaluate",
        (AFTER, "random-finetuned"),
    ),
    _claim(
        "h",
        "random-tuned",
        "Tuned from random weights, the encoder does disturbingly well.",
        "Table 1: 80.5 on SST-2, 61.0 on MNLI; on MRPC and RTE no more than the majority.",
        "One check per task: the score tuned from random weights, at the budget of the pre-trained "
        f"ones, less that of the majority. {BY_INTERVAL}",
        "three-ways",
        judged(_over_majority),
        "evaluate",
        ("random-finetuned",),
    ),
    _claim(
        "i",
        "frame-heads",
        "Before any tuning, two heads stand out in linking core frame elements to their targets.",
        "Weights of .209 and .201 are the two strongest of 144 heads.",
        "Two checks per release of FrameNet: the two largest of what the heads give to elements "
        "two words or more from the target, less what they give to pairs at the same distance "
        "elsewhere in the text; less Tukey’s fence (third quartile plus 1.5 interquartile ranges "
        f"of all heads, taken as fixed). {BY_INTERVAL} Not testable without annotated frames.",
        "word-pairs",
        judged(_frame_heads),
        states=(),
    ),
    _claim(
        "j",
        "dependency-heads",
        "Before any tuning, two heads stand out in linking a word and its head.",
        "Not in the paper, which links frame elements: the same analysis of dependencies.",
        "Two checks per relation (of each task the four with the most texts), as for frames: the "
        "two largest of what the heads give to the pairs less what they give to pairs at the same "
        f"distance elsewhere in the text, less Tukey’s fence of all heads. {BY_INTERVAL}",
        "word-pairs",
        judged(_dependency_heads),
        states=(),
    ),
    _claim(
        "k",
        "vertical-third",
        "At least a third of the maps are vertical.",
        "The share of the vertical pattern in Figure 2; no numbers printed.",
        f"One check per task: the vertical share among all maps of the fine-tuned encoder. "
        f"{LABELLED} It passes if the interval lies above a third, fails if it lies below.",
        "patterns",
        judged(
            each_task("vertical maps", _shares(CORRECTED, "vertical"), "percent"),
            outcome=at_least(THIRD),
        ),
    ),
    _claim(
        "l",
        "vertical-rises",
        "Tuning makes more maps vertical.",
        "Vertical attention to special tokens is said to grow with tuning; no numbers printed.",
        "One check per task: the vertical share among all maps after tuning less that before, of "
        f"the same texts, as the network classes them. {BY_INTERVAL}",
        "patterns",
        judged(each_task("vertical share rises by", _vertical_change)),
    ),
    _claim(
        "m",
        "most-maps-stay",
        "Most maps do not change much with tuning.",
        "Figure 5: cosines near 1 in most heads; no numbers printed.",
        "One check per task: the share of heads whose maps before and after are nearer to equal "
        "than to unrelated: their cosine lies above the middle of 1 and of the floor, the cosine "
        "with the next head of the layer. The bounds count the heads of which the interval lies "
        "above it, and reaches it. It passes if the lower bound is above 50 %, fails if the upper "
        "bound is below.",
        "map-similarity",
        judged(_most_maps_stay, outcome=at_least(HALF)),
    ),
    _claim(
        "n",
        "frame-heads-ablated",
        "The heads that link frame elements are not crucial to the tasks.",
        "The scores of Figure 8 without these heads; no numbers printed.",
        "Two checks per task: the change of the score without each of the two strongest heads of "
        "(i). It passes if the interval lies above a loss of one point, the smallest effect of "
        "interest, fails if it lies below. Not testable without annotated frames.",
        "head-ablation",
        judged(_frame_heads_ablated, outcome=at_least(-SMALLEST)),
        ABLATION,
    ),
    _claim(
        "o",
        "idle-heads",
        "Many heads can go without effect.",
        "Figure 8: most cells are close to the intact score; no count.",
        "One check per task: the share of heads without which the score changes by less than one "
        "point, the smallest effect of interest. The bounds count the heads whose interval lies "
        "within one point, and reaches into it. It passes if the lower bound is above 50 %, fails "
        "if the upper bound is below.",
        "head-ablation",
        judged(_idle_heads, outcome=at_least(HALF)),
        ABLATION,
    ),
    _claim(
        "p",
        "several-heads",
        "Several heads can go at once.",
        "Not measured in the paper; Michel et al. 2019 prune 20 to 40 % of BERT’s heads.",
        "One check per task: the change of the score without a fifth of the heads, those of least "
        "importance by gradient on other texts. It passes if the interval lies above a loss of "
        "one point, fails if it lies below.",
        "importance",
        judged(
            each_task("without a fifth of the heads", without_a_fifth),
            outcome=at_least(-SMALLEST),
        ),
        ABLATION,
    ),
)
