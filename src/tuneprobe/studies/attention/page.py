"""The attention study on the page: Figures 1 to 9 and Table 1 of Kovaleva et al. 2019."""

from collections.abc import Iterator, Sequence
from math import nan

import pandas as pd

from tuneprobe.collect.estimates import Estimate, estimates, mean
from tuneprobe.collect.tables import at_last_layer, last_layer, select
from tuneprobe.formats.results import NO_HEAD, NO_LAYER
from tuneprobe.measures import PERCENT
from tuneprobe.page.blocks import NOTHING, Cell, CellLike, Figure, Panel, Rows, ScoreTable, Table
from tuneprobe.page.charts import STATES
from tuneprobe.page.figures import (
    Bars,
    Curves,
    HeatMaps,
    Plot,
    Quantity,
    answer,
    most_and_least,
    over_tasks,
)
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.marks import draw_points
from tuneprobe.page.render import EVERYTHING
from tuneprobe.page.study import Study, published
from tuneprobe.studies.attention import captions
from tuneprobe.studies.attention.claims import ATTENTION_CLAIMS
from tuneprobe.studies.attention.example_figure import changed_figure, maps_figure
from tuneprobe.studies.attention.measures import (
    ABLATION,
    AFTER,
    BEFORE,
    CHANGED,
    DIRECTIONS,
    KOVALEVA,
    MEASURES,
    PAIR_TASKS,
    PATTERNS,
    SENTENCE_TASKS,
    SHOWN_TYPES,
    STUDY,
    TYPES,
    UNIFORM,
    ablation_changes,
    by_type,
    map_similarity,
    of_heads,
    pair_weights,
    pattern_shares,
    percent,
    shown_ablation,
    task_scores,
    tasks_of,
    type_label,
)
from tuneprobe.wording import number

PAPER_LAYERS = 12
PUBLISHED = published(__file__)
ABLATED = {
    "uniform": "attends evenly to all real tokens",
    "zero": "says nothing",
    "mean": "says what it says on average",
}
WAYS = {
    "random": "random",
    "pretrained": "pre-trained",
    "majority": "majority",
    "frozen": "frozen",
    "random-finetuned": "random + tuned",
    "finetuned": "tuned",
}
COUNTED = " Layers count from 1, heads from 0."


def _tasks(inputs: PageInputs) -> list[str]:
    return tasks_of(inputs.results)


def _maps(rows: pd.DataFrame, measure: str | pd.Series) -> pd.DataFrame:
    """Rows of heads as a heat map has them, a panel per task and measure."""
    found = rows.assign(group=rows.task, measure=measure)
    return found.sort_values(["group", "measure", "layer", "head"], kind="stable")


def _bars(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """Rows of shares as bars in percent, a panel per task and a bar per `name` and state."""
    return percent(rows).assign(group=rows.task, name=rows[name], rev=rows.state)


# what heads attend to


def pattern_bars(inputs: PageInputs) -> pd.DataFrame:
    """Shares of the five patterns among all maps, by task and state."""
    return _bars(select(pattern_shares(inputs.results), layer=NO_LAYER, head=NO_HEAD), "pattern")


def cls_bars(inputs: PageInputs) -> pd.DataFrame:
    """What [CLS] attends to in the last layer, by task and state."""
    rows = _bars(select(by_type(inputs.results, "cls_row_share"), head=NO_HEAD), "token_type")
    return rows.assign(name=rows.name.map(type_label))


def similarity_maps(inputs: PageInputs) -> pd.DataFrame:
    """Cosine of the maps before and after, by layer and head."""
    rows = select(inputs.results, study=STUDY, metric="map_similarity", **CHANGED)
    return _maps(rows, "similarity of maps before and after")


def type_changes(inputs: PageInputs) -> pd.DataFrame:
    """Attention to types of tokens after minus before, in points, by layer."""
    rows = select(by_type(inputs.results), head=NO_HEAD)
    keys = ["task", "token_type", "layer"]
    after, before = (select(rows, state=state).set_index(keys).value for state in (AFTER, BEFORE))
    found = (100 * (after - before)).dropna().reset_index()
    return found.assign(
        group=found.task,
        measure="after minus before, points",
        type=found.token_type.map(type_label),
    )


def pair_maps(inputs: PageInputs) -> pd.DataFrame:
    """Heads that link annotated words, before tuning."""
    rows = select(pair_weights(inputs.results), state=BEFORE)
    return _maps(rows, rows.relation + ", " + rows.direction.map(DIRECTIONS))


def _types_reading(inputs: PageInputs) -> str:
    words = {"max": "the one that receives most", "mean": "their mean", "sum": "their sum"}
    found = sorted(set(by_type(inputs.results).tokens) & words.keys())
    several = " or ".join(words[one] for one in found) or words["max"]
    return (
        "A curve is the attention that a token of the type receives, a mean over the heads of a "
        f"layer and the texts; of several tokens in a text {several}. The dotted line is what it "
        "would receive if all attention were spread evenly. Bands are bootstrap intervals."
    )


PATTERNS_FIGURE = Bars(
    "patterns",
    "How often heads show which pattern",
    axis="pattern; bars in % of the maps",
    reading="A bar is the share of all maps (heads times texts) that the network classes so, with "
    "a bootstrap interval over the texts. The network has learned from generated maps.",
    caption=captions.patterns_caption,
    rows=pattern_bars,
    names=PATTERNS,
    series=STATES,
    groups=_tasks,
)
SIMILARITY = HeatMaps(
    "map-similarity",
    "Which heads fine-tuning changes",
    axis="layer",
    reading="A cell is a head: the cosine of its maps before and after tuning, a mean over the "
    f"texts. 1 (yellow) is unchanged; the darker, the more changed.{COUNTED}",
    caption=captions.similarity_caption,
    rows=lambda inputs: select(similarity_maps(inputs), state=AFTER),
    own="mean of the layer",
    scale="cosine",
    ends=(None, 1.0),
    groups=_tasks,
)
TYPES_FIGURE = Curves(
    "token-types",
    "Attention to [CLS], [SEP] and punctuation",
    axis="attention received, %",
    reading=_types_reading,
    caption=captions.types_caption,
    quantities=[
        Quantity(
            type_label(kind),
            {"study": STUDY, "metric": "share", "token_type": kind, "head": NO_HEAD},
            factor=100,
            around=[0.0],
            baseline={"study": STUDY, "metric": "share", "token_type": kind, "state": UNIFORM},
        )
        for kind in SHOWN_TYPES
    ],
    in_row=len(SHOWN_TYPES),
    plot=Plot("token_types", "curves", "layer", "attention received, %"),
    groups=_tasks,
)
TYPE_CHANGES = HeatMaps(
    "type-changes",
    "What tuning does to the attention to types of tokens",
    axis="type of token",
    reading="Green: tokens of the type receive more attention after tuning than before; purple: "
    "less. Types are read by spaCy; a text without a token of a type is left out of its mean.",
    caption=lambda inputs: captions.type_changes_caption(inputs, type_changes(inputs)),
    rows=type_changes,
    x="layer",
    y="type",
    y_up=False,
    order=[type_label(kind) for kind in TYPES],
    row_height=14,
    digits=1,
    diverging=True,
    scale="points",
    groups=_tasks,
)
CLS_ROW = Bars(
    "cls-row",
    "What [CLS] attends to in the last layer",
    axis="type of token; bars in % of the row",
    reading="A bar is the attention that [CLS], from which a task is read, gives to a token of the "
    "type in the last layer, a mean over its heads, with a bootstrap interval.",
    caption=captions.cls_row_caption,
    rows=cls_bars,
    names=[type_label(kind) for kind in TYPES],
    series=STATES,
    groups=_tasks,
)
ENTROPY = Curves(
    "entropy",
    "How focused attention is",
    axis="% of the largest entropy",
    reading="100 is attention spread evenly over all tokens, 0 attention to one of them. Means "
    "over heads and texts, with bootstrap intervals.",
    caption=captions.entropy_caption,
    quantities=[
        Quantity(
            "entropy of rows",
            {"study": STUDY, "metric": "entropy", "scale": "normalised", "head": NO_HEAD},
            factor=100,
            around=[0.0],
        )
    ],
    groups=_tasks,
)
PAIRS = HeatMaps(
    "word-pairs",
    "Heads that link annotated words",
    axis="layer",
    reading="A cell is a head before tuning: its largest weight between the word pieces of an "
    "annotated pair, a mean over the sentences. ‘First to second’ is the row of the first word and "
    f"the column of the second (for frames: from the element to the target).{COUNTED}",
    caption=captions.pairs_caption,
    rows=pair_maps,
    own="mean of the layer",
    digits=3,
    step=0.05,
    ends=(0.0, None),
    expected=False,
    groups=_tasks,
)

# what a task loses


def _changes(inputs: PageInputs) -> pd.DataFrame:
    return select(ablation_changes(inputs.results), state=AFTER)


def _ablated(inputs: PageInputs) -> str:
    ablated = ABLATED[shown_ablation(inputs.results)]
    return f"An ablated head {ablated}. Intervals are paired bootstraps over the test examples."


HEAD_ABLATION = HeatMaps(
    "head-ablation",
    "The task without one head",
    axis="layer",
    reading=lambda inputs: (
        "A cell is a head: the score of the fine-tuned encoder without it, minus the intact "
        "score. Green: better without; purple: worse; no colour: no change. Whole layers are in "
        f"the data table. {_ablated(inputs)}{COUNTED}"
    ),
    caption=lambda inputs: " ".join(
        dict.fromkeys(
            captions.ablation_caption(inputs, rows)
            for rows in (of_heads(_changes(inputs)), select(_changes(inputs), head=NO_HEAD))
        )
    ),
    rows=lambda inputs: _maps(_changes(inputs), "change of the score, points"),
    own="the whole layer",
    scale="points",
    digits=1,
    diverging=True,
    groups=_tasks,
)


def importance_figure(inputs: PageInputs) -> Figure:
    """Importance by gradient against the sweep."""
    rows = select(inputs.results, study=ABLATION, state=AFTER)
    keys = ["task", "layer", "head"]
    gradient = select(rows, metric="importance").set_index(keys).value.rename("by gradient")
    shown = shown_ablation(inputs.results)
    change = select(rows, metric="loss_change", ablation=shown).set_index(keys).value
    both = pd.concat([gradient, change.rename("change of the loss")], axis=1, join="inner")
    both = both.reset_index().sort_values(keys)
    spearman = select(rows, metric="importance_spearman", ablation=shown)
    rho = spearman.set_index("task").value.to_dict()
    panels: list[Panel] = []
    body: list[list[CellLike]] = []
    for task, points in both.groupby("task"):
        name = inputs.label(str(task))
        spoken = f"{name}: {len(points)} heads, importance by gradient and sweep"
        template = inputs.templates["points"]
        drawing = draw_points(template, points, spoken, x="by gradient", y="change of the loss")
        panels.append(Panel(name, f"ρ {number(rho[task], 2)}" if task in rho else "", drawing))
        for _, layer, head, *numbers in points.itertuples(index=False):
            cells = (Cell(one, digits=3, significant=True) for one in numbers)
            body.append([name, f"layer {layer} head {head}", *cells])
    without = [inputs.label(task) for task in _tasks(inputs) if task not in set(both.task)]
    return Figure(
        "importance",
        "A preview by gradient",
        captions.importance_caption(inputs, spearman),
        "A point is a head: its importance by gradient (Michel et al. 2019; one forward and one "
        "backward pass) against the change of the loss when it is ablated. Spearman’s ρ is of the "
        "importance with the mean absolute change of the loss.",
        panels,
        "change of the loss without the head",
        [],
        Table(["task", "head", "by gradient", "change of the loss"], body, n_names=2),
        missing=without if panels else [EVERYTHING],
    )


# tables


def three_ways_table(inputs: PageInputs) -> ScoreTable:
    """Table 1: frozen, tuned from random weights, tuned; beside them the majority."""
    ours = list(_score_rows(inputs))
    theirs = [
        (task, [*(Cell(row.get(way, nan)) for way in WAYS), NOTHING])
        for task, row in PUBLISHED["rows"].items()
    ]
    return ScoreTable(
        "three-ways",
        "Table 1 of Kovaleva et al. 2019",
        "What tuning and pre-training are worth",
        "First metric of each task in percent, by state, beside Table 1 of Kovaleva et al. 2019",
        [("Untrained head", 2), ("", 1), ("Trained", 4)],
        [*WAYS.values(), "gain"],
        [
            Rows("Kovaleva et al. 2019, BERT-base on GLUE", False, theirs),
            Rows(f"This run, {inputs.encoder}", True, ours),
        ],
        PUBLISHED["notes"],
        [] if ours else ["no whole-text task was scored; only the published rows are shown"],
        " ".join(
            f"{label}: random {cells[0]}, pre-trained {cells[1]}, tuned {cells[5]}."
            for label, cells in ours
        ),
    )


def _score_rows(inputs: PageInputs) -> Iterator[tuple[str, list[Cell]]]:
    for task, rows in task_scores(inputs.results).groupby("task"):
        found = dict(zip(rows.state, map(Cell, rows.value, rows.low, rows.high), strict=True))
        found["majority"] = Cell(rows.baseline.iloc[0])
        known = [found[way].value for way in ("majority", "random", "pretrained") if way in found]
        gain = found[AFTER].value - max(known) if AFTER in found and known else nan
        label = f"{inputs.label(str(task))}, {rows.metric.iloc[0]}"
        yield label, [*(found.get(way, NOTHING) for way in WAYS), Cell(gain, signed=True)]


# in one panel and one sentence


def moved_rows(inputs: PageInputs) -> pd.DataFrame:
    """1 − cosine of the maps before and after, the mean over heads and tasks."""
    rows = select(map_similarity(inputs.results), head=NO_HEAD)
    return over_tasks(rows.assign(value=1 - rows.value))


ANSWER = answer(
    "answer-maps",
    "How far maps moved",
    "Maps: 1 − cosine of the attention maps before and after tuning, a mean over heads.",
    Quantity("1 − cosine with pre-trained", moved_rows, around=[0.0], baseline=0.0, digits=2),
)


def finding(inputs: PageInputs) -> str:
    """In which layers maps change most and least, and how many heads a task can do without."""
    rows = moved_rows(inputs)
    if not len(rows):
        return ""
    far, near = most_and_least(rows)
    text = (
        f"Maps: those of layer {far['layer']} change most (1 − cosine {number(far['value'], 2)}) "
        f"and those of layer {near['layer']} least ({number(near['value'], 2)})"
    )
    heads = of_heads(_changes(inputs))
    if len(heads):
        lost = f"{sum(heads.high < 0)} of {len(heads)} cases"
        of = f"{heads.task.value_counts().max()} heads times {heads.task.nunique()} tasks"
        text += f"; without one head the score falls clearly in {lost} ({of})"
    return f"{text}."


# headline

HEADLINE_UNITS = {
    "pair_task_score": PERCENT,
    "sentence_task_score": PERCENT,
    "map_similarity_last": "cosine",
    "heterogeneous_share": "share of maps",
    "harmful_heads": "heads",
}


def headline(results: pd.DataFrame, focus: str) -> dict[str, Estimate]:
    """Estimates of the state `focus`, each the mean over the tasks that have it.

    ``pair_task_score`` and ``sentence_task_score``: first metric of the task, in percent.
    ``map_similarity_last``: cosine with the pre-trained maps, last layer.
    ``heterogeneous_share``: of all maps, by the network. ``harmful_heads``: heads without which
    the score is higher.
    """
    return {name: mean(found) for name, found in _numbers(results, focus) if found}


def _numbers(results: pd.DataFrame, focus: str) -> Iterator[tuple[str, Sequence[Estimate]]]:
    scores = select(task_scores(results), state=focus)
    yield "pair_task_score", estimates(select(scores, task=PAIR_TASKS))
    yield "sentence_task_score", estimates(select(scores, task=SENTENCE_TASKS))
    yield "map_similarity_last", _similarity_at_last(results, focus)
    shares = select(pattern_shares(results), state=focus, layer=NO_LAYER)
    yield "heterogeneous_share", estimates(select(shares, pattern="heterogeneous"))
    changes = of_heads(select(ablation_changes(results), state=focus))
    harmful = (changes.value > 0).groupby(changes.task).sum()
    yield "harmful_heads", [Estimate(float(count)) for count in harmful]


def _similarity_at_last(results: pd.DataFrame, focus: str) -> Sequence[Estimate]:
    """That of the pre-trained maps with themselves is 1, wherever any others were compared."""
    rows = select(map_similarity(results, AFTER if focus == BEFORE else focus), head=NO_HEAD)
    last = at_last_layer(rows)
    return [Estimate(1.0) for _ in last.value] if focus == BEFORE else estimates(last)


# tables of metrics/plots: the same maps for any focus

_HEAD_MAP = {"x_label": "head", "y_label": "layer", "x": "head", "y": "layer"}
SIMILARITY_PLOT = HeatMaps(
    "map-similarity-of-the-focus",
    "Similarity of maps before and after",
    rows=similarity_maps,
    own="mean of the layer",
    plot=Plot("map_similarity", "heat_map", **_HEAD_MAP),
    groups=_tasks,
)
HEAD_ABLATION_PLOT = HeatMaps(
    "head-ablation-of-the-focus",
    "The score without each head, points",
    rows=lambda inputs: _maps(ablation_changes(inputs.results), ""),
    own="the whole layer",
    plot=Plot("head_ablation", "change_map", **_HEAD_MAP),
    groups=_tasks,
)

# text


def methods(_: PageInputs) -> str:
    """How the study measures."""
    return (
        "An attention map has a row for each token that attends and a column for each that is "
        "attended to; maps are measured one layer at a time, for all states on the same texts, and "
        "not stored. Similarity is the cosine of two flattened maps. Types of tokens are read by "
        "spaCy and aligned by character offsets. Patterns are classed by a network that was "
        "trained on generated maps, and by a threshold rule. A head is ablated by giving it even "
        "attention over the real tokens; every head and every whole layer is ablated in turn. "
        "Intervals are percentiles of a bootstrap over texts or test examples."
    )


def notes(inputs: PageInputs) -> Iterator[str]:
    """How this run differs from the paper."""
    n_layers = last_layer(inputs.results, STUDY)
    if 0 < n_layers != PAPER_LAYERS:
        yield (
            f"Kovaleva et al.’s encoder has {PAPER_LAYERS} layers, this one {n_layers}: ‘the last "
            "two layers’ is scaled to the depth."
        )
    yield (
        "Kovaleva et al.’s classifier of maps and their labelled maps are not public; this one has "
        "learned from generated maps, and its agreement with a person is only known where labelled "
        "maps are given."
    )
    crops = select(inputs.results, study=STUDY, metric="map_similarity").crop
    if len(crops):
        yield (
            f"Maps are compared {', '.join(sorted(set(crops)))}; the authors’ notebook pads them "
            "to 200 word pieces, which can move the mean of a head by 0.21."
        )
    yield (
        "The authors’ code matches types of tokens by word-piece strings and counts a missing type "
        "as 0; here they are aligned by offsets and texts without the type are left out."
    )


ATTENTION = Study(
    "attention",
    "Heads and what they are worth",
    "What does each head attend to, what does fine-tuning change in it, and what does a task lose "
    "without it?",
    KOVALEVA,
    methods,
    notes,
    MEASURES,
    [
        changed_figure,
        SIMILARITY,
        PATTERNS_FIGURE,
        maps_figure,
        TYPES_FIGURE,
        TYPE_CHANGES,
        CLS_ROW,
        ENTROPY,
        PAIRS,
        HEAD_ABLATION,
        importance_figure,
        three_ways_table,
    ],
    ATTENTION_CLAIMS,
    headline,
    HEADLINE_UNITS,
    plots=[SIMILARITY_PLOT, HEAD_ABLATION_PLOT],
    shown=("changed-maps", "map-similarity", "head-ablation"),
    answer=ANSWER,
    finding=finding,
    published=PUBLISHED,
)
