"""Figures of what heads attend to: patterns, similarity, types of tokens, entropy, word pairs."""

from collections.abc import Iterator, Mapping

import pandas as pd

from tuneprobe.collect.attention import (
    AFTER,
    BEFORE,
    DIRECTIONS,
    PATTERNS,
    SHOWN_TYPES,
    TYPES,
    UNIFORM,
    by_type,
    entropy,
    map_similarity,
    of_heads,
    pair_weights,
    pattern_shares,
    task_label,
    type_label,
)
from tuneprobe.collect.tables import records, select
from tuneprobe.formats.results import NO_HEAD, NO_LAYER
from tuneprobe.report import attention_captions as captions
from tuneprobe.report.attention_charts import draw_attention_map, limits
from tuneprobe.report.attention_kinds import (
    absent,
    bar_figure,
    curve_figure,
    head_figure,
    percent,
)
from tuneprobe.report.blocks import Figure, Panel, Table
from tuneprobe.report.heat_maps import draw_heat_map, ramp
from tuneprobe.report.inputs import PageInputs
from tuneprobe.report.wording import number

MAX_MAPS = 10


def maps_figure(inputs: PageInputs) -> Figure:
    """An attention map of each pattern: Figure 1 of the paper."""
    tables = {
        name.split("/")[0]: cells
        for name, cells in sorted(inputs.tables.items())
        if name.endswith("/attention/maps") and len(cells)
    }
    panels = [panel for task, cells in tables.items() for panel in _maps(inputs, task, cells)]
    return Figure(
        "attention-maps",
        "Five patterns of attention",
        captions.maps_caption(tables),
        "A row is a word piece that attends, a column one that is attended to, both from [CLS] at "
        "the top left to the last [SEP]; the stronger, the more. The percentage says in how many "
        "of all texts the network sees the pattern in this head; it need not be seen in this one.",
        panels[:MAX_MAPS],
        "word pieces that attend",
        [],
        _strongest_table(tables),
        missing=list(_unseen(tables))
        if panels
        else ["stored attention maps, or the patterns of the heads"],
    )


def patterns_figure(inputs: PageInputs) -> Figure:
    """Shares of the five patterns by task: Figure 2."""
    shares = pattern_shares(inputs.results)
    rows = percent(select(shares, layer=NO_LAYER, head=NO_HEAD))
    agreement = select(inputs.results, metric="pattern_agreement")
    return bar_figure(
        inputs,
        rows.assign(name=rows.pattern),
        list(PATTERNS),
        name="patterns",
        title="How often heads show which pattern",
        caption=captions.patterns_caption(shares, agreement),
        reading="A bar is the share of all maps (heads times texts) that the network classes so, "
        "with a bootstrap interval over the texts. The network has learned from drawn maps.",
        axis="pattern; bars in % of the maps",
    )


def similarity_figure(inputs: PageInputs) -> Figure:
    """Cosine of the maps before and after, by layer and head: Figure 5."""
    rows = map_similarity(inputs.results)
    heads = of_heads(rows)
    domain = (limits(heads.value.tolist(), 0.1, zero=False)[0] if len(heads) else 0.0, 1.0)
    return head_figure(
        inputs,
        {task_label(task): rows[rows.task == task] for task in sorted(set(rows.task))},
        domain,
        name="map-similarity",
        title="Which heads fine-tuning changes",
        caption=captions.similarity_caption(rows),
        reading="A cell is a head: the cosine of its maps before and after tuning, a mean over the "
        "texts. 1 (yellow) is unchanged; the darker, the more changed.",
        measure="similarity of maps before and after",
        digits=2,
    )


def types_figure(inputs: PageInputs) -> Figure:
    """Attention to [CLS], [SEP] and punctuation by layer: Figure 6."""
    rows = select(by_type(inputs.results), kind=SHOWN_TYPES)
    even = select(rows, state=UNIFORM).set_index(["task", "kind"]).value.mul(100).to_dict()
    curves = {
        (task_label(task), type_label(kind)): part.assign(
            baseline=even.get((task, kind), float("nan"))
        )
        for task in sorted(set(rows.task))
        for kind in SHOWN_TYPES
        if len(part := percent(select(rows, task=task, kind=kind, head=NO_HEAD)))
    }
    return curve_figure(
        inputs,
        curves,
        name="token-types",
        title="Attention to [CLS], [SEP] and punctuation",
        caption=captions.types_caption(rows),
        reading="A curve is the attention that a token of the type receives, a mean over the heads "
        f"of a layer and the texts; of several tokens in a text {_several(rows)}. The dotted line "
        "is what it would receive if all attention were spread evenly. Bands are bootstrap "
        "intervals.",
        axis="attention received, %",
        in_row=len(SHOWN_TYPES),
    )


def type_changes_figure(inputs: PageInputs) -> Figure:
    """After minus before for all types of tokens and layers."""
    changes = type_changes(inputs.results)
    reach = max(changes.value.abs().max() if len(changes) else 1.0, 0.1)
    panels = []
    for task, rows in changes.groupby("task"):
        label = f"{task_label(str(task))}: change of attention by type of token and layer"
        cells = rows.assign(type=rows.kind.map(type_label))
        drawing = draw_heat_map(
            inputs.templates["heat_map"],
            cells[["layer", "type", "value"]],
            label,
            x="layer",
            y="type",
            domain=(-reach, reach),
            diverging=True,
            order=[type_label(kind) for kind in TYPES if kind in set(rows.kind)],
            height=14 * rows.kind.nunique(),
        )
        panels.append(Panel(task_label(str(task)), "after minus before, points", drawing))
    return Figure(
        "type-changes",
        "What tuning does to the attention to types of tokens",
        captions.type_changes_caption(changes),
        "Blue: tokens of the type receive more attention after tuning than before; orange: less. "
        "Types are read by spaCy; a text without a token of a type is left out of its mean.",
        panels,
        "type of token",
        [ramp((-reach, reach), diverging=True, digits=1)] if panels else [],
        _change_table(changes),
        wide=True,
        missing=absent(inputs, changes),
    )


def cls_row_figure(inputs: PageInputs) -> Figure:
    """What [CLS] attends to in the last layer: Figure 7."""
    rows = percent(select(by_type(inputs.results, "cls_row_share"), head=NO_HEAD))
    rows = rows.assign(name=rows.kind.map(type_label))
    return bar_figure(
        inputs,
        rows,
        [type_label(kind) for kind in TYPES],
        name="cls-row",
        title="What [CLS] reads in the last layer",
        caption=captions.cls_row_caption(by_type(inputs.results, "cls_row_share")),
        reading="A bar is the attention that [CLS], from which a task is read, gives to a token of "
        "the type in the last layer, a mean over its heads, with a bootstrap interval.",
        axis="type of token; bars in % of the row",
    )


def entropy_figure(inputs: PageInputs) -> Figure:
    """Entropy of the rows by layer."""
    rows = entropy(inputs.results)
    curves = {
        (task_label(task), "entropy of rows"): percent(select(rows, task=task, head=NO_HEAD))
        for task in sorted(set(rows.task))
    }
    return curve_figure(
        inputs,
        {key: part.assign(baseline=float("nan")) for key, part in curves.items()},
        name="entropy",
        title="How focused attention is",
        caption=captions.entropy_caption(rows),
        reading="100 is attention spread evenly over all word pieces, 0 attention to one of them. "
        "Means over heads and texts, with bootstrap intervals.",
        axis="% of the largest entropy",
    )


def pairs_figure(inputs: PageInputs) -> Figure:
    """Heads that link annotated words, before tuning: Figures 3 and 4."""
    rows = pair_weights(inputs.results)
    before = select(rows, state=BEFORE)
    parts = {
        f"{task_label(str(task))}, {relation}, {DIRECTIONS[str(direction)]}": found
        for (task, relation, direction), found in before.groupby(["task", "relation", "direction"])
    }
    domain = limits(of_heads(before).value.tolist(), 0.05)
    return head_figure(
        inputs,
        parts,
        domain,
        name="word-pairs",
        title="Heads that link annotated words",
        caption=captions.pairs_caption(before, select(rows, state=UNIFORM)),
        reading="A cell is a head before tuning: its largest weight between the word pieces of an "
        "annotated pair, a mean over the sentences. ‘First to second’ is the row of the first "
        "word and the column of the second (for frames: from the element to the target).",
        measure="largest weight between the words",
        digits=3,
        expected=False,
    )


def type_changes(results: pd.DataFrame) -> pd.DataFrame:
    """``task``, ``kind``, ``layer``, ``value``: attention after minus before, in points."""
    rows = select(by_type(results), head=NO_HEAD)
    keys = ["task", "kind", "layer"]
    after, before = (select(rows, state=state).set_index(keys).value for state in (AFTER, BEFORE))
    return (100 * (after - before)).dropna().reset_index()


def _several(rows: pd.DataFrame) -> str:
    """What stands for the tokens of a type, as the conditions say."""
    words = {"max": "the one that receives most", "mean": "their mean", "sum": "their sum"}
    found = sorted(set(rows.condition.str.split("tokens-").str[-1]) & words.keys())
    return " or ".join(words[one] for one in found) or words["max"]


def _maps(inputs: PageInputs, task: str, cells: pd.DataFrame) -> Iterator[Panel]:
    for (pattern, layer, head), one in cells.groupby(["pattern", "layer", "head"], sort=False):
        where = f"layer {layer} head {head}"
        label = f"{pattern} map: {where} on {task_label(task)}, {one.row.nunique()} word pieces"
        share = f"{task_label(task)}, {where}, in {number(100 * one.share.iloc[0], 0)} % of texts"
        drawing = draw_attention_map(inputs.templates["heat_map"], one, label)
        yield Panel(str(pattern), share, drawing)


def _unseen(tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    for task, cells in tables.items():
        for pattern in PATTERNS:
            if pattern not in set(cells.pattern):
                yield f"{pattern} on {task_label(task)}, which no head shows"


def _strongest_table(tables: Mapping[str, pd.DataFrame]) -> Table:
    """What each word piece attends to most, map by map."""
    body = []
    for task, cells in tables.items():
        pieces = cells.text.iloc[0].split()
        for (pattern, layer, head), one in cells.groupby(["pattern", "layer", "head"], sort=False):
            for row in records(one.loc[one.groupby("row").weight.idxmax()]):
                where = [task_label(task), str(pattern), f"layer {layer} head {head}"]
                ends = [pieces[row["row"]], pieces[row["column"]]]
                body.append([*where, *ends, number(row["weight"], 3)])
    names = ["task", "pattern", "head", "word piece", "attends most to", "weight"]
    return Table(names, body, n_names=5)


def _change_table(changes: pd.DataFrame) -> Table:
    layers = sorted(set(changes.layer))
    body = []
    for (task, kind), rows in changes.groupby(["task", "kind"], sort=False):
        values = rows.set_index("layer").value.to_dict()
        cells = (number(values.get(layer, float("nan"))) for layer in layers)
        body.append([task_label(str(task)), type_label(str(kind)), *cells])
    head = ["task", "type", *(f"layer {layer}" for layer in layers)]
    return Table(head, body, n_names=2)
