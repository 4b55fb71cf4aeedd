"""What a run says first: what tuning taught, and what it changed in the pairs of words.

The same two tables head the page and are metrics/results.md, from which README's are copied.
"""

from collections.abc import Iterator
from math import nan

import pandas as pd

from tuneprobe.claims.competence import Competence, competences
from tuneprobe.collect.estimates import Estimate, estimates
from tuneprobe.collect.tables import last_layer, records, select
from tuneprobe.errors import TuneprobeError
from tuneprobe.formats.results import OVER_BASELINE
from tuneprobe.page.blocks import Cell, CellLike, Table
from tuneprobe.page.wording import plain
from tuneprobe.states import FINETUNED, PRETRAINED, RANDOM
from tuneprobe.studies.change.measures import task_label
from tuneprobe.studies.pairwise.measures import GAP, PROBES, SPECIFIC, usual

STATES = (RANDOM, PRETRAINED, FINETUNED)
START, END = "<!-- results: made by `tuneprobe readme` -->", "<!-- end of results -->"


class OverviewError(TuneprobeError):
    """A text without a place for the results."""


def learned_table(results: pd.DataFrame) -> Table:
    """Each tuned task: its score, the baseline that comes nearest, the paired gain over it."""
    head = ["tuned on", "score", "nearest baseline", "baseline", "fine-tuned", "gain", "learned"]
    rows = [_learned_row(results, one) for one in competences(results).values()]
    return Table(head, rows, n_names=3)


def pairs_table(results: pd.DataFrame) -> Table:
    """Each ability, last layer: AUC in each state; what of it is due to the pair itself."""
    head = ["ability", *STATES, *(f"pair-specific: {state}" for state in STATES), "change"]
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
    tables = {
        "What tuning taught, in percent and points; the gain is paired over the test examples.": (
            learned_table(results)
        ),
        "Share of unmatched pairs that score below the matched one (AUC, chance 50), last layer; "
        "its pair-specific part (chance 0), and what tuning adds to that.": pairs_table(results),
    }
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


def _learned_row(results: pd.DataFrame, one: Competence) -> list[CellLike]:
    nearest = one.weakest
    tuned = _tuned_score(results, one.task, nearest.score)
    gain = Cell(*nearest.estimate, signed=True)
    score = nearest.score.replace("_", " ").replace("f1", "F1")
    names: list[CellLike] = [task_label(one.task), score, plain(nearest.baseline)]
    learned = "yes" if one.learned else "no"
    return [*names, Cell(tuned - nearest.estimate.value), Cell(tuned), gain, learned]


def _tuned_score(results: pd.DataFrame, task: str, score: str) -> float:
    """The score that the gaps are of: of the MLP on the last layer where a probe gives it."""
    over = select(results, task=task, state=FINETUNED, metric=OVER_BASELINE, score=score)
    where = records(over)[0]
    keys = {name: where[name] for name in ("study", "layer", "classifier")}
    found = select(results, task=task, state=FINETUNED, metric=score, against="", **keys).value
    return float(found.iloc[0]) if len(found) else nan


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
