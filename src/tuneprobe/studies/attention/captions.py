"""Captions of the attention study, written from the numbers, a sentence per task."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from tuneprobe.collect.estimates import estimate
from tuneprobe.collect.tables import records, select
from tuneprobe.formats.results import NO_HEAD, NO_LAYER
from tuneprobe.page.figures import NOT_MEASURED, sentences
from tuneprobe.page.inputs import PageInputs
from tuneprobe.studies.attention.claims import MIN_HEADS, tukey_fence
from tuneprobe.studies.attention.measures import (
    AFTER,
    BEFORE,
    DIRECTIONS,
    SHOWN_TYPES,
    TYPE_LABELS,
    UNIFORM,
    by_type,
    entropy,
    map_floor,
    map_similarity,
    of_heads,
    pair_weights,
    pattern_shares,
    type_label,
    without_a_fifth,
)
from tuneprobe.wording import bounded, listed, number, signed, spread


def place(row: "Mapping[str, Any] | pd.Series[Any]") -> str:
    """Where a head, or a whole layer, is.

    >>> place({"layer": 2, "head": 3}), place({"layer": 2, "head": -1})
    ('layer 2 head 3', 'layer 2')
    """
    layer = f"layer {row['layer']}"
    return layer if row["head"] == NO_HEAD else f"{layer} head {row['head']}"


def ends(rows: pd.DataFrame) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rows of the smallest and the largest value; of equals those of the first head."""
    ordered = rows.sort_values(["layer", "head"])
    return records(ordered.nsmallest(1, "value"))[0], records(ordered.nlargest(1, "value"))[0]


@sentences
def patterns_caption(inputs: PageInputs) -> Iterator[str]:
    """How many maps are heterogeneous before and after, and how far to trust that."""
    rows = select(pattern_shares(inputs.results), layer=NO_LAYER)
    for task, of_task in inputs.by_task(rows):
        texts = [
            f"{number(100 * found.value.iloc[0], 0)} % {when}"
            for state, when in ((BEFORE, "before tuning"), (AFTER, "after"))
            if len(found := select(of_task, state=state, pattern="heterogeneous"))
        ]
        if texts:
            yield f"On {task} heterogeneous maps are {listed(texts)}."
    if not len(rows):
        yield NOT_MEASURED
    agreement = select(inputs.results, metric="pattern_agreement")
    kappa = select(agreement, score="kappa", classifier="network-rule").value
    if len(kappa):
        yield f"Network and threshold rule agree with κ {spread(kappa.tolist(), 2)}."
    labelled = select(agreement, score="accuracy", classifier="network")
    if not len(labelled):
        yield "No labelled maps were given, so how often the network is right is unknown."
    for row in records(labelled):
        accuracy = bounded(*(100 * one for one in estimate(row)), digits=0)
        yield f"Of {row['n']} labelled maps ({row['state']}) it calls {accuracy} % right."


@sentences
def similarity_caption(inputs: PageInputs) -> Iterator[str]:
    """Which layer and which head change most; how alike the maps of unrelated heads are."""
    rows, floor = map_similarity(inputs.results), map_floor(inputs.results)
    for task, of_task in inputs.by_task(rows):
        low, high = ends(select(of_task, head=NO_HEAD))
        head, _ = ends(of_heads(of_task))
        yield (
            f"On {task} layer {low['layer']} changes most (mean cosine {number(low['value'], 2)}) "
            f"and layer {high['layer']} least ({number(high['value'], 2)}); of all heads "
            f"{place(head)} changes most ({number(head['value'], 2)})."
        )
    if len(floor):
        yield f"Unrelated heads of a layer share {spread(floor.value.tolist(), 2)}."


@sentences
def types_caption(inputs: PageInputs) -> Iterator[str]:
    """In which layer [CLS] and [SEP] receive most."""
    rows = select(by_type(inputs.results), token_type=SHOWN_TYPES, state=AFTER, head=NO_HEAD)
    for task, of_task in inputs.by_task(rows):
        tops = [
            (type_label(kind), ends(found)[1])
            for kind in ("cls", "sep")
            if len(found := select(of_task, token_type=kind))
        ]
        parts = [
            f"{kind} most in layer {top['layer']} ({number(100 * top['value'], 0)} %)"
            for kind, top in tops
        ]
        if parts:
            yield f"After tuning on {task} heads attend to {listed(parts)}."


@sentences
def type_changes_caption(inputs: PageInputs, changes: pd.DataFrame) -> Iterator[str]:
    """The largest change of special tokens, and of words."""
    for task, of_task in inputs.by_task(changes):
        special = of_task.token_type.isin(list(TYPE_LABELS))
        tops = [
            records(rows.sort_values("value", key=abs))[-1]
            for rows in (of_task[special], of_task[~special])
            if len(rows)
        ]
        parts = [
            f"{type_label(top['token_type'])} in layer {top['layer']} "
            f"({signed(top['value'])} points)"
            for top in tops
        ]
        yield f"Tuning on {task} changes most the attention to {listed(parts)}."


@sentences
def cls_row_caption(inputs: PageInputs) -> Iterator[str]:
    """What [CLS] attends to in the last layer, after tuning."""
    rows = select(by_type(inputs.results, "cls_row_share"), state=AFTER, head=NO_HEAD)
    for task, of_task in inputs.by_task(rows):
        _, top = ends(of_task)
        kind, share = type_label(top["token_type"]), number(100 * top["value"], 0)
        yield f"After tuning on {task} [CLS] attends most to {kind} ({share} %)."


@sentences
def entropy_caption(inputs: PageInputs) -> Iterator[str]:
    """Which layer is most focused, and whether tuning focuses or spreads."""
    for task, of_task in inputs.by_task(select(entropy(inputs.results), head=NO_HEAD)):
        after, before = (select(of_task, state=state) for state in (AFTER, BEFORE))
        if not len(after):
            yield f"On {task} there is nothing after tuning."
            continue
        low, _ = ends(after)
        text = (
            f"After tuning on {task} layer {low['layer']} is the most focused "
            f"({number(100 * low['value'], 0)} % of the largest entropy)"
        )
        if len(before):
            moved = 100 * (after.value.mean() - before.value.mean())
            text += f"; the mean over layers moves by {signed(moved)} points"
        yield f"{text}."


@sentences
def pairs_caption(inputs: PageInputs) -> Iterator[str]:
    """The strongest head of each relation and direction, and how many stand out."""
    weights = pair_weights(inputs.results)
    for task, of_task in inputs.by_task(select(weights, state=BEFORE)):
        parts = []
        for (relation, direction), found in of_task.groupby(["relation", "direction"]):
            heads = of_heads(found)
            if len(heads) >= MIN_HEADS:
                _, best = ends(heads)
                above = int((heads.value > tukey_fence(heads.value)).sum())
                parts.append(
                    f"{relation}, {DIRECTIONS[str(direction)]}: {place(best)} "
                    f"({number(best['value'], 2)}; {above})"
                )
        if parts:
            yield (
                f"On {task} the strongest heads, in brackets their weight and how many heads stand "
                f"out by Tukey’s fence: {'; '.join(parts)}."
            )
            even = select(weights, state=UNIFORM, task=str(of_task.task.iloc[0])).value
            if len(even):
                yield f"Even attention gives {spread(even.tolist(), 2)}."


@sentences
def ablation_caption(inputs: PageInputs, rows: pd.DataFrame) -> Iterator[str]:
    """How many heads, or layers, clearly help and harm when removed; the extremes."""
    for task, of_task in inputs.by_task(rows):
        what = "layers" if (of_task["head"] == NO_HEAD).all() else "heads"
        helps, harms = (sum(sure) or "none" for sure in (of_task.low > 0, of_task.high < 0))
        loss, gain = (
            f"{place(one)}: {bounded(*estimate(one), sign=True)}" for one in ends(of_task)
        )
        yield (
            f"On {task} the score clearly rises without {helps} of {len(of_task)} {what} and "
            f"clearly falls without {harms} (best {gain}; worst {loss} points)."
        )


@sentences
def importance_caption(inputs: PageInputs, rows: pd.DataFrame) -> Iterator[str]:
    """How well the gradient ranks the heads as the sweep does; what several heads at once cost."""
    pruned = without_a_fifth(inputs.results)
    for task, of_task in inputs.by_task(rows):
        row = records(of_task)[0]
        rho = bounded(*estimate(row), digits=2)
        yield f"On {task} the two rank the heads with Spearman’s ρ {rho}."
        for one in records(select(pruned, task=row["task"])):
            change = bounded(*estimate(one), sign=True)
            yield f"Without the {one['step']} heads of least importance at once: {change} points."
