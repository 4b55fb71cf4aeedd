"""The pairwise study on the page: Figure 1 and Table 2 of Cai et al. 2020, and the controls."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pandas as pd

from tuneprobe.claims import Evidence
from tuneprobe.collect.pairwise import ANSWER_METRICS
from tuneprobe.collect.tables import last_layer, select
from tuneprobe.report.blocks import Figure, Funnel, Rows, ScoreTable, Study
from tuneprobe.report.inputs import PageInputs
from tuneprobe.report.pairwise_figures import (
    centred_figure,
    gaps_figure,
    layers_figure,
    negatives_figure,
)
from tuneprobe.report.published import ANSWER_LABELS, PAPER_LAYERS, TABLE_2, TABLE_2_NOTES
from tuneprobe.report.wording import bounded, layer_ranges

FIGURES: tuple[tuple[Callable[[Evidence, Mapping[str, Any]], Figure], str], ...] = (
    (layers_figure, "layer_curves"),
    (gaps_figure, "gap_curves"),
    (negatives_figure, "layer_curves"),
    (centred_figure, "layer_curves"),
)


def pairwise_study(inputs: PageInputs) -> Study:
    """Figures, the table of answers, and where the examples come from."""
    evidence = inputs.evidence
    return Study(
        "pairwise",
        "Pairs that reading needs",
        "Which abilities that reading comprehension needs become stronger, and from which layer?",
        [
            *(draw(evidence, inputs.templates[name]) for draw, name in FIGURES),
            answer_table(inputs),
            Funnel("funnel", "Where the examples come from", list(_funnel_groups(inputs.funnel))),
        ],
        "No probe is trained. A matched pair (an anchor in the question, its match in the "
        "paragraph) is ranked against the same anchor paired with other words of the paragraph; a "
        "tie counts as lost. A word’s vector is the mean of its word pieces, a span’s vector the "
        "mean of its words; layer 0 is the embedding output. Intervals are "
        f"{100 * inputs.confidence:g} % BCa intervals of a bootstrap over examples. Differences "
        "between states are paired over the same examples and tested by random sign flips, with "
        "Holm’s correction over the layers of a probe; equality is tested by two one-sided tests "
        "of a bounded mean. "
        f"The layer mark, {evidence.marked_layers}, is the paper’s fifth of twelve at this depth.",
        list(_notes(inputs)),
    )


def answer_table(inputs: PageInputs) -> ScoreTable:
    """Table 2 of the paper and, under the same columns, ours."""
    ours = answer_rows(inputs.results)
    published = [(row.label, row.cells) for row in TABLE_2]
    return ScoreTable(
        "answers",
        "Table 2 of Cai et al. 2020",
        "Answering questions",
        "Precision, recall and F1 of long and short answers, exact match and F1 of single answers, "
        "in percent, beside Table 2 of Cai et al. 2020",
        [("Long answer", 3), ("Short answer", 3), ("Single answer", 2)],
        ["P", "R", "F1", "P", "R", "F1", "EM", "F1"],
        [
            Rows("Cai et al. 2020, BERT-base on Natural Questions", False, published),
            Rows(f"This run, {inputs.encoder} on {inputs.corpus}", True, ours),
        ],
        TABLE_2_NOTES,
        [] if ours else ["the study ‘evaluate’ has not run; only the published rows are shown"],
    )


def answer_rows(results: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """Our rows of Table 2: label, and the numbers of `ANSWER_METRICS` as text."""
    rows = select(results, study="evaluate", metric=ANSWER_METRICS)
    rows = rows[rows.task.str.endswith("-qa")]
    found = []
    for state, label in ANSWER_LABELS.items():
        of_state = select(rows, state=state).set_index("metric")
        if not len(of_state):
            continue
        cells = of_state[["value", "low", "high"]].reindex(list(ANSWER_METRICS))
        found.append((label, [bounded(*cell) for cell in cells.itertuples(index=False)]))
    return found


def _funnel_groups(funnel: pd.DataFrame) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for probe in dict.fromkeys(funnel.probe):
        rows = funnel[funnel.probe == probe]
        largest = max(1, (rows.kept + rows.dropped).max())
        yield (
            probe,
            [
                {
                    "step": row.step,
                    "kept": row.kept,
                    "dropped": row.dropped,
                    "reason": row.reason if isinstance(row.reason, str) else "",
                    "share": round(100 * row.kept / largest, 1),
                }
                for row in rows.itertuples()
            ],
        )


def _notes(inputs: PageInputs) -> Iterator[str]:
    """What this run does otherwise than the paper."""
    n_layers, mark = last_layer(inputs.results), inputs.evidence.mark
    if n_layers > 0 and n_layers != PAPER_LAYERS:
        low = layer_ranges(range(1, mark + 1))
        yield (
            f"The paper’s encoder has {PAPER_LAYERS} layers, this one {n_layers}: its mark ‘after "
            f"layer 5’ is scaled to the depth, so that layers {low} count as early and "
            f"{layer_ranges(range(mark + 1, n_layers + 1))} as late."
        )
    if inputs.corpus != "natural-questions":
        yield f"The paper uses Natural Questions; this run uses the corpus ‘{inputs.corpus}’."
    yield (
        "The curves show AUC averaged over examples, whose chance level is 50 for every paragraph "
        "length; the paper’s percentage (equation 3) cannot reach 100 and is in the data tables. "
        "Claim (a) is tested on equation 3."
    )
    yield (
        "The paper says of boundary only that it uses the ‘logits score of each position’. Both "
        "readings are drawn: a linear head trained on each frozen layer, and the QA head trained "
        "for the state (for the pre-trained one on the frozen encoder) applied to every layer."
    )
