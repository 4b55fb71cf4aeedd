"""Figures of what heads attend to: patterns, similarity, types of tokens, entropy, word pairs."""

from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from tuneprobe.collect.attention import (
    AFTER,
    BEFORE,
    SHOWN_TYPES,
    TYPE_LABELS,
    by_type,
    entropy,
    map_similarity,
    of_heads,
    pair_weights,
    pattern_shares,
    task_label,
)
from tuneprobe.collect.tables import select
from tuneprobe.head_results import UNIFORM
from tuneprobe.patterns import PATTERNS
from tuneprobe.report import attention_captions as captions
from tuneprobe.report.attention_captions import records
from tuneprobe.report.attention_charts import (
    draw_attention_map,
    draw_bars,
    draw_heads,
    heads_table,
    limits,
)
from tuneprobe.report.blocks import Figure, Panel, Table
from tuneprobe.report.charts import STATES, Series, draw_panel, swatch
from tuneprobe.report.heat_maps import draw_heat_map, ramp
from tuneprobe.report.inputs import PageInputs
from tuneprobe.report.wording import MISSING, bounded, number, plain
from tuneprobe.results import NO_HEAD, NO_LAYER

TUNED = tuple(state for state in STATES if state.name in (AFTER, BEFORE))
MAX_MAPS = 10
MAX_RELATIONS = 4  # those of a task with the most texts
PERCENT = ["value", "low", "high"]


def maps_figure(inputs: PageInputs) -> Figure:
    """An attention map of each pattern: Figure 1 of the paper."""
    tables = {
        name.split("/")[0]: cells
        for name, cells in sorted(inputs.tables.items())
        if name.endswith("/attention/maps") and len(cells)
    }
    panels = [panel for task, cells in tables.items() for panel in _maps(inputs, task, cells)]
    task, cells = next(iter(tables.items()), ("", pd.DataFrame(columns=["text"])))
    text = " ".join(cells.text.iloc[0].split()).replace(" ##", "") if len(cells) else ""
    return Figure(
        "attention-maps",
        "Five patterns of attention",
        f"Maps of one text ({task_label(task)}, before tuning), each under the head that shows the "
        f"pattern most often: “{text}”"
        if panels
        else captions.NOTHING,
        "A row is a word piece that attends, a column one that is attended to, both from [CLS] at "
        "the top left to the last [SEP]; the darker, the more. The percentage says in how many of "
        "all texts the network sees the pattern in this head; it need not be seen in this text.",
        panels[:MAX_MAPS],
        "word pieces that attend",
        [],
        Table([], []),
        missing=[] if panels else ["stored maps (results/…/attention/maps) and their patterns"],
    )


def patterns_figure(inputs: PageInputs) -> Figure:
    """Shares of the five patterns by task: Figure 2."""
    shares = pattern_shares(inputs.results)
    rows = _percent(select(shares, layer=NO_LAYER, head=NO_HEAD))
    agreement = select(inputs.results, metric="pattern_agreement")
    return _bar_figure(
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
    return _head_figure(
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
        (task_label(task), TYPE_LABELS.get(kind, kind)): part.assign(
            baseline=even.get((task, kind), float("nan"))
        )
        for task in sorted(set(rows.task))
        for kind in SHOWN_TYPES
        if len(part := _percent(select(rows, task=task, kind=kind, head=NO_HEAD)))
    }
    return _curve_figure(
        inputs,
        curves,
        name="token-types",
        title="Attention to [CLS], [SEP] and punctuation",
        caption=captions.types_caption(rows),
        reading="A curve is the attention that a token of the type receives, a mean over the heads "
        "of a layer and the texts; of several tokens, as attention.tokens says. The dotted line is "
        "what it would receive if all attention were spread evenly. Bands are bootstrap intervals.",
        axis="attention received, %",
    )


def type_changes_figure(inputs: PageInputs) -> Figure:
    """After minus before for all types of tokens and layers."""
    changes = type_changes(inputs.results)
    reach = max(changes.value.abs().max() if len(changes) else 1.0, 0.1)
    panels = []
    for task, rows in changes.groupby("task"):
        label = f"{task_label(str(task))}: change of attention by type of token and layer"
        cells = rows.assign(type=rows.kind.map(lambda kind: TYPE_LABELS.get(kind, kind)))
        drawing = draw_heat_map(
            inputs.templates["heat_map"],
            cells[["layer", "type", "value"]],
            label,
            x="layer",
            y="type",
            domain=(-reach, reach),
            diverging=True,
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
        missing=absent(inputs, changes),
    )


def cls_row_figure(inputs: PageInputs) -> Figure:
    """What [CLS] attends to in the last layer: Figure 7."""
    rows = _percent(select(by_type(inputs.results, "cls_row_share"), head=NO_HEAD))
    rows = rows.assign(name=rows.kind.map(lambda kind: TYPE_LABELS.get(kind, kind)))
    return _bar_figure(
        inputs,
        rows,
        list(dict.fromkeys(rows.name)),
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
        (task_label(task), "entropy of rows"): _percent(select(rows, task=task, head=NO_HEAD))
        for task in sorted(set(rows.task))
    }
    return _curve_figure(
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
    before = shown_relations(select(rows, state=BEFORE))
    parts = {
        f"{task_label(str(task))}, {relation} {plain(str(direction))}": found
        for (task, relation, direction), found in before.groupby(["task", "relation", "direction"])
    }
    domain = limits(of_heads(before).value.tolist(), 0.05)
    return _head_figure(
        inputs,
        parts,
        domain,
        name="word-pairs",
        title="Heads that link annotated words",
        caption=captions.pairs_caption(before, select(rows, state=UNIFORM)),
        reading="A cell is a head before tuning: its largest weight between the word pieces of an "
        "annotated pair, a mean over the sentences. ‘From to’ is the row of the first word and the "
        "column of the second (for frames: from the element to the target).",
        measure="largest weight between the words",
        digits=3,
        expected=False,
    )


def shown_relations(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the relations of each task with the most texts, at most `MAX_RELATIONS`."""
    largest = rows.groupby(["task", "relation"]).n.max().reset_index()
    largest = largest.sort_values(["task", "n", "relation"], ascending=[True, False, True])
    kept = largest.groupby("task").head(MAX_RELATIONS)
    return rows.merge(kept[["task", "relation"]], on=["task", "relation"])


def type_changes(results: pd.DataFrame) -> pd.DataFrame:
    """``task``, ``kind``, ``layer``, ``value``: attention after minus before, in points."""
    rows = select(by_type(results), head=NO_HEAD)
    keys = ["task", "kind", "layer"]
    after, before = (select(rows, state=state).set_index(keys).value for state in (AFTER, BEFORE))
    return (100 * (after - before)).dropna().reset_index()


def tasks_of(results: pd.DataFrame) -> list[str]:
    """The tasks whose heads were measured or removed."""
    rows = select(results, study=("attention", "ablation"))
    return sorted(set(rows.task[rows.metric != "pair_weight"]))


def absent(inputs: PageInputs, rows: pd.DataFrame) -> list[str]:
    """Tasks of the run that a figure has no rows of; all of them where no study ran."""
    tasks = tasks_of(inputs.results)
    if not tasks and not len(rows):
        return ["the studies ‘attention’ and ‘ablation’ have not run"]
    return [task_label(task) for task in tasks if task not in set(rows.task)]


def _maps(inputs: PageInputs, task: str, cells: pd.DataFrame) -> Iterator[Panel]:
    for (pattern, layer, head), one in cells.groupby(["pattern", "layer", "head"], sort=False):
        where = f"layer {layer} head {head}"
        label = f"{pattern} map: {where} on {task_label(task)}, {one.row.nunique()} word pieces"
        share = f"{task_label(task)}, {where}, in {number(100 * one.share.iloc[0], 0)} % of texts"
        drawing = draw_attention_map(inputs.templates["heat_map"], one, label)
        yield Panel(str(pattern), share, drawing)


def _head_figure(
    inputs: PageInputs,
    parts: dict[str, pd.DataFrame],
    domain: tuple[float, float],
    *,
    name: str,
    title: str,
    caption: str,
    reading: str,
    measure: str,
    digits: int,
    diverging: bool = False,
    expected: bool = True,
) -> Figure:
    """Maps of layers by heads, one a part; `expected` of every task of the run."""
    panels = []
    for part, rows in parts.items():
        heads = of_heads(rows)
        ends = (number(heads.value.agg(end), digits) for end in ("min", "max"))
        label = f"{part}: {measure}, layer by head, from {' to '.join(ends)}"
        drawing = draw_heads(
            inputs.templates["heat_map"], heads, label, domain=domain, diverging=diverging
        )
        task, _, rest = part.partition(", ")
        panels.append(Panel(task, rest or measure, drawing))
    rows = pd.concat(parts.values()) if parts else pd.DataFrame(columns=["task"])
    missing = absent(inputs, rows) if expected else []
    if not parts and not missing:
        missing = [measure]
    return Figure(
        name,
        title,
        caption,
        f"{reading} Layers count from 1, heads from 0.",
        panels,
        "layer",
        [ramp(domain, diverging=diverging, digits=digits)] if panels else [],
        heads_table("of", parts, digits),
        missing=missing,
    )


def _bar_figure(
    inputs: PageInputs,
    rows: pd.DataFrame,
    names: Sequence[str],
    *,
    name: str,
    title: str,
    caption: str,
    reading: str,
    axis: str,
) -> Figure:
    """Bars before and after, one panel a task; ``name`` labels a bar."""
    states = _drawn_states(rows)
    rows = select(rows, state=[state.name for state in states])
    rows = rows.assign(rev=rows.state, order=rows.name.map(list(names).index))
    rows = rows.sort_values(["task", "order", "state"])
    domain = limits([*rows.value, *rows.high], 10)
    panels = [
        Panel(
            task_label(str(task)),
            "share, %",
            draw_bars(
                inputs.templates["interval_bars"],
                of_task,
                states,
                f"{task_label(str(task))}: {_ends(of_task, 'name')}",
                domain=domain,
            ),
        )
        for task, of_task in rows.groupby("task")
    ]
    return Figure(
        name,
        title,
        caption,
        reading,
        panels,
        axis,
        _legend(states) if panels else [],
        _state_table(rows, "name", states),
        missing=absent(inputs, rows),
    )


def _curve_figure(
    inputs: PageInputs,
    curves: dict[tuple[str, str], pd.DataFrame],
    *,
    name: str,
    title: str,
    caption: str,
    reading: str,
    axis: str,
) -> Figure:
    """Curves over the layers before and after, one panel an entry."""
    drawn = pd.concat(curves.values()) if curves else pd.DataFrame(columns=["task", "state"])
    states = _drawn_states(drawn)
    domain = limits([value for part in curves.values() for value in part.high], 10)
    panels = []
    for (task, what), rows in curves.items():
        points = select(rows, state=[state.name for state in states]).sort_values("layer")
        points = points.assign(rev=points.state, panel=task)
        if len(points):
            columns = ["rev", "panel", "layer", "value", "low", "high", "baseline"]
            drawing = draw_panel(
                inputs.templates["curves"],
                points[columns],
                states,
                domain=domain,
                label=f"{task}, {what}: {_ends(points, 'layer')}",
            )
            panels.append(Panel(task, what, drawing))
    parts = [rows.assign(name=f"{task}, {what}") for (task, what), rows in curves.items()]
    return Figure(
        name,
        title,
        caption,
        reading,
        panels,
        axis,
        _legend(states) if panels else [],
        _state_table(pd.concat(parts), "layer", states, "name") if parts else Table([], []),
        missing=absent(inputs, drawn),
    )


def _percent(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(**{column: 100 * rows[column] for column in PERCENT})


def _drawn_states(rows: pd.DataFrame) -> list[Series]:
    return [state for state in TUNED if (rows.state == state.name).any()]


def _legend(states: Sequence[Series]) -> list[tuple[str, str]]:
    return [(swatch(state), state.label) for state in states]


def _ends(rows: pd.DataFrame, by: str) -> str:
    """Smallest and largest value of each state, in words."""
    parts = []
    for state in TUNED:
        found = rows[rows.state == state.name]
        if len(found):
            low, *_, high = records(pd.concat([found, found]).sort_values("value"))
            parts.append(
                f"{state.label} from {number(low['value'])} ({by} {low[by]}) to "
                f"{number(high['value'])} ({by} {high[by]})"
            )
    return "; ".join(parts).replace("(name ", "(")


def _state_table(
    rows: pd.DataFrame, by: str, states: Sequence[Series], part: str = "task"
) -> Table:
    """A row for each part and value of `by`, a column a state."""
    label: Callable[[str], str] = task_label if part == "task" else str
    body = []
    for (name, at), found in rows.groupby([part, by], sort=False):
        cells = {
            row["state"]: bounded(row["value"], row["low"], row["high"]) for row in records(found)
        }
        line = [cells.get(state.name, MISSING) for state in states]
        body.append([label(str(name)), str(at), *line])
    head = ["of", "layer" if by == "layer" else "share", *(f"{s.label}, %" for s in states)]
    return Table(head, body, n_names=2)


def _change_table(changes: pd.DataFrame) -> Table:
    layers = sorted(set(changes.layer))
    body = []
    for (task, kind), rows in changes.groupby(["task", "kind"], sort=False):
        values = rows.set_index("layer").value.to_dict()
        cells = (number(values.get(layer, float("nan"))) for layer in layers)
        body.append([task_label(str(task)), TYPE_LABELS.get(str(kind), str(kind)), *cells])
    head = ["task", "type", *(f"layer {layer}" for layer in layers)]
    return Table(head, body, n_names=2)
