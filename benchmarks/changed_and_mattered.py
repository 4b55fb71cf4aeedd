"""The table of docs/results.md: what changed and what mattered, by layer, from the rows of a run.

``python benchmarks/changed_and_mattered.py TASK ... [--encoder NAME]``, at the top of a repository
that ran.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import typer

from tuneprobe.collect.seeds import mean_over_seeds
from tuneprobe.formats.results import read_results
from tuneprobe.studies.change.measures import AFTER, BEFORE, rows_of
from tuneprobe.wording import number, signed, task_label

COLUMNS = ("layer", "vectors, %", "weights, %", "alone", "above", "below", "used", "bits added")


def read_rows(task: str, encoder: str) -> pd.DataFrame:
    """The rows of a task, means over the seeds."""
    tables = [
        read_results(path)
        for study in ("change", "classify")
        for path in sorted(Path("results").glob(f"{encoder}/{task}/{study}/seed-*/layers.csv"))
    ]
    return mean_over_seeds(pd.concat(tables, ignore_index=True))


def cells(rows: pd.DataFrame, digits: int = 1, sign: bool = True) -> dict[int, str]:
    """What is written of each layer, with its interval where it has one."""
    found = {}
    for row in rows.itertuples():
        write = signed if sign else number
        bounds = f" [{signed(row.low, digits)}, {signed(row.high, digits)}]"
        found[int(row.layer)] = write(row.value, digits) + (bounds if row.low == row.low else "")
    return found


def lines(rows: pd.DataFrame) -> Iterator[str]:
    """The table in Markdown."""
    bits = rows[(rows.metric == "v_gain") & (rows.classifier == "linear") & (rows.label == "")]
    plain = rows.assign(low=float("nan"), high=float("nan"))
    columns = [
        cells(rows_of(plain, "difference"), sign=False),
        cells(rows_of(plain, "weight_change"), 2, sign=False),
        cells(rows_of(rows, "layer_score_change")),
        cells(rows_of(plain, "up_to_score"), sign=False),
        cells(rows_of(plain, "up_to_score", BEFORE), sign=False),
        cells(rows_of(rows, "erasure_gap")),
        cells(bits, 2),
    ]
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|" + "---|" * len(COLUMNS)
    for layer in range(int(rows.layer.max()) + 1):
        yield f"| {layer} | {' | '.join(column.get(layer, '') for column in columns)} |"


def main(tasks: list[str], encoder: str = "minilm-l6") -> None:
    """Print the table of each task."""
    for task in tasks:
        rows = read_rows(task, encoder)
        scores = [rows_of(rows, "score", state).value for state in (AFTER, BEFORE)]
        tuned, plain = (number(one.iloc[0]) for one in scores)
        barrier = [signed(value, 2) for value in rows_of(rows, "barrier").value]
        matters = [signed(value, 2) for value in rows_of(rows, "vectors_matter").value]
        typer.echo(f"\n{task_label(task)}: tuned {tuned}, all put back {plain}")
        typer.echo(f"change against cost ρ {' '.join(matters)}, barrier {' '.join(barrier)} nats")
        typer.echo("\n".join(lines(rows)))


if __name__ == "__main__":
    typer.run(main)
