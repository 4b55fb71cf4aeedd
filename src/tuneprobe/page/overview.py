"""What a run says first: what changes over the layers, what tuning taught, what pairs gain.

The two tables head the page and are metrics/results.md, from which README's are copied.
"""

from collections.abc import Callable, Iterator, Sequence
from math import nan

import pandas as pd

from tuneprobe.claims.competence import Competence, competences
from tuneprobe.collect.estimates import Estimate, estimates
from tuneprobe.collect.tables import last_layer, records, select
from tuneprobe.errors import TuneprobeError
from tuneprobe.formats.results import OVER_BASELINE
from tuneprobe.page.blocks import NOTHING, Cell, CellLike, Figure, Table
from tuneprobe.page.figures import Curves
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.render import draw_figure
from tuneprobe.states import FINETUNED, PRETRAINED, RANDOM
from tuneprobe.studies.pairwise.measures import GAP, PROBES, SPECIFIC, usual
from tuneprobe.wording import baseline_label, number, plain, score_label, task_label

STATES = (RANDOM, PRETRAINED, FINETUNED)
BASES = {RANDOM: "random weights", PRETRAINED: "pre-trained"}
GAINS = ("best baseline", "gain", "over pre-trained", "learned")
TAUGHT = (
    "What tuning taught: scores in percent; in points, paired over test examples, the gain over "
    "the best baseline, and what classifiers on the vectors gain over pre-trained ones."
)
PAIRED = (
    "Share of unmatched pairs that score below the matched one (AUC, chance 50), last layer; its "
    "pair-specific part (chance 0), and what tuning adds to that."
)
START, END = "<!-- results: made by `tuneprobe readme` -->", "<!-- end of results -->"


class OverviewError(TuneprobeError):
    """A text without a place for the results."""


def answer_figure(inputs: PageInputs, answers: Sequence[Curves]) -> Figure:
    """One panel of each study over the layers; those that have no numbers are left out."""
    drawn = [figure for one in answers if (figure := draw_figure(one, inputs)).panels]
    heads = list(dict.fromkeys(name for one in drawn for name in one.table.head))
    rows = [
        [dict(zip(one.table.head, row, strict=True)).get(name, NOTHING) for name in heads]
        for one in drawn
        for row in one.table.rows
    ]
    return Figure(
        "over-layers",
        "What changes over the layers",
        "",
        "Lines are means over the tasks of a study (over the five abilities in the first panel); "
        "bands reach from the lowest to the highest. Dotted: chance, or no change. "
        + " ".join(one.reading for one in drawn),
        [panel for one in drawn for panel in one.panels],
        "",
        list(dict.fromkeys(entry for one in drawn for entry in one.legend)),
        Table(heads, rows, n_names=2),
        in_row=4,
        below=[one for figure in drawn for one in figure.below],
    )


def tasks_table(
    results: pd.DataFrame,
    seeds: pd.DataFrame | None = None,
    label: Callable[[str], str] = task_label,
) -> Table:
    """Each tuned task: its score in each state, and the paired gain over the best baseline.

    `seeds` are the rows of every seed: of several, a last column counts those that agree on whether
    the task was learned.
    """
    head = ["tuned on", "score", "majority", *BASES.values(), "fine-tuned", *GAINS]
    by_seed = [] if seeds is None else [competences(rows) for _, rows in seeds.groupby("seed")]
    tuned = [of for of in by_seed if of]  # the others are draws of random weights
    alone = tuned if len(tuned) > 1 else []
    if alone:
        head.append("seeds that agree")
    found = competences(results)
    lines = [
        [label(name), *_task_row(results, one, [of[name] for of in alone if name in of])]
        for name, one in found.items()
    ]
    return Table(head, lines, n_names=2)


def pairs_table(results: pd.DataFrame) -> Table:
    """Each ability, last layer: AUC in each state; what of it is due to the pair itself."""
    states = [*BASES.values(), "fine-tuned"]
    head = ["ability", *states, *(f"pair-specific: {state}" for state in states), "change"]
    rows = [row for probe in PROBES if (row := _pairs_row(results, probe))]
    return Table(head, rows)


def markdown(table: Table) -> str:
    """A table as Markdown has it.

    >>> print(markdown(Table(["a", "b"], [["x", Cell(1.04)]])))
    | a | b |
    |---|---|
    | x | 1.0 |
    """
    lines = [table.head, ["---"] * len(table.head), *table.rows]
    written = ["| " + " | ".join(map(str, line)) + " |" for line in lines]
    return "\n".join([written[0], written[1].replace(" ", ""), *written[2:]])


def overview(results: pd.DataFrame) -> str:
    """Both tables as Markdown, each under a sentence that says what its numbers are."""
    tables = {TAUGHT: tasks_table(results), PAIRED: pairs_table(results)}
    parts = (f"{said}\n\n{markdown(table)}" for said, table in tables.items() if table.rows)
    return "\n\n".join(parts) + "\n"


def with_results(text: str, results: str) -> str:
    """A text in which what stands between the two marks is replaced.

    Raises
    ------
    OverviewError
        If the marks are not there.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise OverviewError(
            f"no '{START}' with an '{END}' behind it: put both where results belong."
        )
    return f"{before}{START}\n\n{results}\n{END}{after}"


def _task_row(
    results: pd.DataFrame, one: Competence, alone: Sequence[Competence]
) -> list[CellLike]:
    nearest = one.weakest
    over = select(
        results, task=one.task, state=FINETUNED, metric=OVER_BASELINE, score=nearest.score
    )
    where = {name: records(over)[0][name] for name in ("study", "layer", "classifier")}
    rows = select(results, task=one.task, metric=nearest.score, against="", **where)
    scores = rows.drop_duplicates("state").set_index("state").value
    tuned = float(scores.get(FINETUNED, nan))
    gaps = {gap.baseline: gap.estimate for gap in one.decisive if gap.score == nearest.score}
    majority = tuned - gaps["majority"].value if "majority" in gaps else nan
    cells = [Cell(float(scores.get(state, nan))) for state in BASES]
    # random weights are measured beside the first of several seeds alone
    known = scores.get(nearest.baseline, tuned - nearest.estimate.value)
    best = f"{baseline_label(nearest.baseline)} {number(float(known))}"
    added = select(
        results, task=one.task, state=FINETUNED, metric="gap", against=PRETRAINED, label="", **where
    )
    agree = sum(of.learned == one.learned for of in alone)
    return [
        score_label(nearest.score),
        Cell(majority),
        *cells,
        Cell(tuned),
        best,
        Cell(*nearest.estimate, signed=True),
        Cell(*(estimates(added) or [Estimate(nan)])[0], signed=True),
        "yes" if one.learned else "no",
        *([f"{agree} of {len(alone)}"] if alone else []),
    ]


def _pairs_row(results: pd.DataFrame, probe: str) -> list[CellLike]:
    rows = select(results, study="pairwise", task=probe, layer=last_layer(results))
    specific = {**usual(probe), **SPECIFIC}
    auc = select(rows, metric="auc_macro")
    cells = [*_by_state(select(auc, **usual(probe))), *_by_state(select(auc, **specific))]
    change = estimates(select(rows, metric="gap", state=FINETUNED, **specific, **GAP))
    if all(str(cell) == str(Cell(nan)) for cell in cells):
        return []
    return [plain(probe), *cells, Cell(*(change or [Estimate(nan)])[0], signed=True)]


def _by_state(rows: pd.DataFrame) -> Iterator[Cell]:
    """The number of each state, of the encoder as it is and not of its draws apart."""
    for state in STATES:
        found = select(rows, state=state).value
        yield Cell(float(found.iloc[0]) if len(found) else nan)
