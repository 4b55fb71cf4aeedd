"""Captions of the attention study, written from the numbers."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from tuneprobe.collect.tables import records, select
from tuneprobe.formats.results import NO_HEAD, NO_LAYER
from tuneprobe.page.wording import bounded, listed, number, signed, spread, task_label
from tuneprobe.studies.attention.claims import MIN_HEADS, tukey_fence
from tuneprobe.studies.attention.measures import (
    AFTER,
    BEFORE,
    DIRECTIONS,
    TYPE_LABELS,
    of_heads,
    type_label,
)

NOTHING = "Not measured in this run."


def place(row: Mapping[str, Any]) -> str:
    """Where a head, or a whole layer, is.

    >>> place({"layer": 2, "head": 3}), place({"layer": 2, "head": -1})
    ('layer 2 head 3', 'layer 2')
    """
    layer = f"layer {row['layer']}"
    return layer if row["head"] == NO_HEAD else f"{layer} head {row['head']}"


def _extreme(rows: pd.DataFrame, *, largest: bool) -> dict[str, Any]:
    """The row of the largest or smallest value; of equals the first head of the lowest layer."""
    ordered = rows.sort_values(["layer", "head"])
    return records(ordered.nlargest(1, "value") if largest else ordered.nsmallest(1, "value"))[0]


def _sentences(rows: pd.DataFrame, write: Callable[[str, pd.DataFrame], str]) -> str:
    """One sentence per task, in the order of their names."""
    if not len(rows):
        return NOTHING
    return " ".join(write(task_label(str(task)), of_task) for task, of_task in rows.groupby("task"))


def maps_caption(tables: Mapping[str, pd.DataFrame]) -> str:
    """Which texts the maps are of."""
    texts = [
        f"of {task_label(task)} “{' '.join(cells.text.iloc[0].split()).replace(' ##', '')}”"
        for task, cells in tables.items()
    ]
    if not texts:
        return NOTHING
    return (
        "Before tuning, the head that shows each pattern most often, on the shortest text stored: "
        f"{'; '.join(texts)}."
    )


def patterns_caption(shares: pd.DataFrame, agreement: pd.DataFrame) -> str:
    """How many maps are heterogeneous before and after, and how far to trust that."""

    def write(task: str, rows: pd.DataFrame) -> str:
        texts = [
            f"{number(100 * found.value.iloc[0], 0)} % {when}"
            for state, when in ((BEFORE, "before tuning"), (AFTER, "after"))
            if len(found := select(rows, state=state, pattern="heterogeneous"))
        ]
        return f"On {task} heterogeneous maps are {listed(texts)}." if texts else ""

    text = _sentences(select(shares, layer=NO_LAYER), write)
    kappa = select(agreement, score="kappa", classifier="network-rule").value
    if len(kappa):
        ends = dict.fromkeys([number(kappa.min(), 2), number(kappa.max(), 2)])
        text += f" Network and threshold rule agree with κ {' to '.join(ends)}."
    labelled = select(agreement, score="accuracy", classifier="network")
    if not len(labelled):
        text += " No labelled maps were given, so how often the network is right is unknown."
    for row in records(labelled):
        accuracy = bounded(*(100 * row[name] for name in ("value", "low", "high")), digits=0)
        text += f" Of {row['n']} labelled maps ({row['state']}) it calls {accuracy} % right."
    return text


def similarity_caption(rows: pd.DataFrame, floor: pd.DataFrame) -> str:
    """Which layer and which head change most; how alike the maps of unrelated heads are."""

    def write(task: str, of_task: pd.DataFrame) -> str:
        layers = select(of_task, head=NO_HEAD)
        low, high = (_extreme(layers, largest=largest) for largest in (False, True))
        head = _extreme(of_heads(of_task), largest=False)
        return (
            f"On {task} layer {low['layer']} changes most (mean cosine {number(low['value'], 2)}) "
            f"and layer {high['layer']} least ({number(high['value'], 2)}); of all heads "
            f"{place(head)} changes most ({number(head['value'], 2)})."
        )

    text = _sentences(rows, write)
    if len(floor):
        text += f" Unrelated heads of a layer share {spread(floor.value.tolist(), 2)}."
    return text


def types_caption(rows: pd.DataFrame) -> str:
    """In which layer [CLS] and [SEP] receive most."""

    def write(task: str, of_task: pd.DataFrame) -> str:
        parts = []
        for kind in ("cls", "sep"):
            found = select(of_task, token_type=kind)
            if len(found):
                top = _extreme(found, largest=True)
                parts.append(
                    f"{type_label(kind)} most in layer {top['layer']} "
                    f"({number(100 * top['value'], 0)} %)"
                )
        return f"After tuning on {task} heads attend to {listed(parts)}." if parts else ""

    return _sentences(select(rows, state=AFTER, head=NO_HEAD), write)


def type_changes_caption(changes: pd.DataFrame) -> str:
    """The largest change of special tokens, and of words."""

    def write(task: str, of_task: pd.DataFrame) -> str:
        parts = []
        special = of_task.token_type.isin(list(TYPE_LABELS))
        for rows in (of_task[special], of_task[~special]):
            if len(rows):
                top = records(rows.sort_values("value", key=abs))[-1]
                kind = type_label(top["token_type"])
                parts.append(f"{kind} in layer {top['layer']} ({signed(top['value'])} points)")
        return f"Tuning on {task} changes most the attention to {listed(parts)}."

    return _sentences(changes, write)


def cls_row_caption(rows: pd.DataFrame) -> str:
    """What [CLS] attends to in the last layer, after tuning."""

    def write(task: str, of_task: pd.DataFrame) -> str:
        top = _extreme(of_task, largest=True)
        kind = type_label(top["token_type"])
        share = number(100 * top["value"], 0)
        return f"After tuning on {task} [CLS] attends most to {kind} ({share} %)."

    return _sentences(select(rows, state=AFTER, head=NO_HEAD), write)


def entropy_caption(rows: pd.DataFrame) -> str:
    """Which layer is most focused, and whether tuning focuses or spreads."""

    def write(task: str, of_task: pd.DataFrame) -> str:
        after, before = (select(of_task, state=state) for state in (AFTER, BEFORE))
        if not len(after):
            return f"On {task} there is nothing after tuning."
        low = _extreme(after, largest=False)
        text = (
            f"After tuning on {task} layer {low['layer']} is the most focused "
            f"({number(100 * low['value'], 0)} % of the largest entropy)"
        )
        if len(before):
            moved = 100 * (after.value.mean() - before.value.mean())
            text += f"; the mean over layers moves by {signed(moved)} points"
        return text + "."

    return _sentences(select(rows, head=NO_HEAD), write)


def pairs_caption(rows: pd.DataFrame, even: pd.DataFrame) -> str:
    """The strongest head of each relation and direction, and how many stand out."""

    def write(task: str, of_task: pd.DataFrame) -> str:
        parts = []
        for (relation, direction), found in of_task.groupby(["relation", "direction"]):
            heads = of_heads(found)
            if len(heads) >= MIN_HEADS:
                best = _extreme(heads, largest=True)
                above = int((heads.value > tukey_fence(heads.value)).sum())
                parts.append(
                    f"{relation}, {DIRECTIONS[str(direction)]}: {place(best)} "
                    f"({number(best['value'], 2)}; {above})"
                )
        if not parts:
            return ""
        level = select(even, task=str(of_task.task.iloc[0])).value
        text = (
            f"On {task} the strongest heads, in brackets their weight and how many heads stand out "
            f"by Tukey’s fence: {'; '.join(parts)}."
        )
        if len(level):
            text += f" Even attention gives {spread(level.tolist(), 2)}."
        return text

    return _sentences(rows, write)


def ablation_caption(rows: pd.DataFrame) -> str:
    """How many heads, or layers, help and harm when removed; the extremes."""

    def write(task: str, of_task: pd.DataFrame) -> str:
        what = "layers" if (of_task["head"] == NO_HEAD).all() else "heads"
        helps, harms = int((of_task.value > 0).sum()), int((of_task.value < 0).sum())
        best, worst = (_extreme(of_task, largest=largest) for largest in (True, False))
        gain, loss = (
            f"{place(one)}: {bounded(one['value'], one['low'], one['high'], sign=True)}"
            for one in (best, worst)
        )
        return (
            f"On {task} the score rises without {helps} of {len(of_task)} {what} and falls without "
            f"{harms} (best {gain}; worst {loss} points)."
        )

    return _sentences(rows, write)


def importance_caption(rows: pd.DataFrame, pruned: pd.DataFrame) -> str:
    """How well the gradient ranks the heads as the sweep does; what several heads at once cost."""

    def write(task: str, of_task: pd.DataFrame) -> str:
        row = records(of_task)[0]
        rho = bounded(row["value"], row["low"], row["high"], digits=2)
        text = f"On {task} the two rank the heads with Spearman’s ρ {rho}."
        for one in records(select(pruned, task=row["task"])):
            change = bounded(one["value"], one["low"], one["high"], sign=True)
            text += (
                f" Without the {one['step']} heads of least importance at once: {change} points."
            )
        return text

    return _sentences(rows, write)
