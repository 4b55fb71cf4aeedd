"""The attention study on the page: Figures 1 to 9 and Table 2 of Kovaleva et al. 2019."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from tuneprobe.collect.attention import task_label, task_scores
from tuneprobe.collect.tables import last_layer, select
from tuneprobe.formats.results import KEYS
from tuneprobe.report.ablation_figures import (
    head_ablation_figure,
    importance_figure,
    layer_ablation_figure,
)
from tuneprobe.report.attention_figures import (
    cls_row_figure,
    entropy_figure,
    maps_figure,
    pairs_figure,
    patterns_figure,
    similarity_figure,
    type_changes_figure,
    types_figure,
)
from tuneprobe.report.attention_published import THREE_WAYS, THREE_WAYS_NOTES
from tuneprobe.report.blocks import Figure, Rows, ScoreTable, Study
from tuneprobe.report.inputs import PageInputs
from tuneprobe.report.published import PAPER_LAYERS
from tuneprobe.report.wording import MISSING, bounded, number

FIGURES: tuple[Callable[[PageInputs], Figure], ...] = (
    maps_figure,
    patterns_figure,
    similarity_figure,
    types_figure,
    type_changes_figure,
    cls_row_figure,
    entropy_figure,
    pairs_figure,
    head_ablation_figure,
    layer_ablation_figure,
    importance_figure,
)
WAYS = {
    "random": "random",
    "pretrained": "pre-trained",
    "majority": "majority",
    "frozen": "frozen",
    "random-finetuned": "random + tuned",
    "finetuned": "tuned",
}


def attention_study(inputs: PageInputs) -> Study:
    """What heads attend to, what a task loses without them, and what pre-training is worth."""
    inputs = replace(inputs, results=inputs.results.sort_values(KEYS, kind="stable"))
    return Study(
        "attention",
        "Heads and what they are worth",
        "What does each head attend to, what does fine-tuning change in it, and what does a task "
        "lose without it?",
        [*(draw(inputs) for draw in FIGURES), three_ways_table(inputs)],
        "An attention map has a row for each word piece that attends and a column for each that is "
        "attended to; maps are measured one layer at a time, for all states on the same texts, and "
        "dropped. Similarity is the cosine of two flattened maps. Types of tokens are read by "
        "spaCy and aligned by character offsets. Patterns are classed by a network that was "
        "trained on drawn maps, and by a threshold rule. A head is ablated by giving it even "
        "attention over the real tokens; every head and every whole layer is ablated in turn. "
        "Intervals are percentiles of a bootstrap over texts or test examples.",
        list(_notes(inputs)),
    )


def three_ways_table(inputs: PageInputs) -> ScoreTable:
    """Table 2: frozen, tuned from random weights, tuned; beside them the majority."""
    ours = list(_score_rows(inputs))
    return ScoreTable(
        "three-ways",
        "Table 2 of Kovaleva et al. 2019",
        "What tuning and pre-training are worth",
        "First metric of each task in percent, by state, beside Table 2 of Kovaleva et al. 2019",
        [("Untrained head", 2), ("", 1), ("Trained", 3)],
        list(WAYS.values()),
        [
            Rows("Kovaleva et al. 2019, BERT-base on GLUE", False, _published()),
            Rows(f"This run, {inputs.encoder}", True, ours),
        ],
        THREE_WAYS_NOTES,
        [] if ours else ["no whole-text task was scored; only the published rows are shown"],
    )


def _published() -> list[tuple[str, list[str]]]:
    return [(row.task, row.cells) for row in THREE_WAYS]


def _score_rows(inputs: PageInputs) -> Iterator[tuple[str, list[str]]]:
    for task, rows in task_scores(inputs.results).groupby("task"):
        cells = {
            row["state"]: bounded(row["value"], row["low"], row["high"])
            for row in rows.to_dict("records")
        }
        cells["majority"] = number(rows.baseline.iloc[0])
        label = f"{task_label(str(task))}, {rows.metric.iloc[0]}"
        yield label, [cells.get(way, MISSING) for way in WAYS]


def _notes(inputs: PageInputs) -> Iterator[str]:
    """What this run does otherwise than the paper."""
    n_layers = last_layer(inputs.results, "attention")
    if 0 < n_layers != PAPER_LAYERS:
        yield (
            f"Kovaleva et al.’s encoder has {PAPER_LAYERS} layers, this one {n_layers}: ‘the last "
            "two layers’ is scaled to the depth."
        )
    yield (
        "Kovaleva et al.’s classifier of maps and their labelled maps are not public; this one has "
        "learned from drawn maps, and its agreement with a person is only known where labelled "
        "maps are given."
    )
    crops = select(inputs.results, study="attention", metric="map_similarity").condition
    if len(crops):
        yield (
            f"Maps are compared {', '.join(sorted(set(crops)))}; the authors’ notebook pads them "
            "to 200 word pieces, which can move the mean of a head by 0.21."
        )
    yield (
        "The authors’ code matches types of tokens by word-piece strings and counts a missing type "
        "as 0; here they are aligned by offsets and texts without the type are left out."
    )
