"""The table of docs/results.md: each claim, and its verdict in several runs.

``python benchmarks/claims_table.py world=FOLDER mpnet=FOLDER:ENCODER ...``; a folder is the top of
a repository that ran. Of a run of several encoders one column per encoder can be asked for.
"""

import os
from pathlib import Path

import typer

from tuneprobe.inventory import Inventory
from tuneprobe.page.reading import read_inputs
from tuneprobe.page.registry import judge_all
from tuneprobe.params import load_params


def verdicts(folder: Path, encoder: str) -> dict[tuple[str, str], str]:
    """Verdict of each claim, by source and statement, and the checks that pass."""
    os.chdir(folder)
    params = load_params()
    inputs = read_inputs(params, Inventory.found(params))
    found = {}
    for one in judge_all(inputs.of(encoder or inputs.encoders[0]).evidence):
        n_passed = sum(check.outcome == "pass" for check in one.checks)
        checks = f" ({n_passed} of {len(one.checks)})" if one.checks else ""
        found[one.claim.source, one.claim.statement] = f"{one.verdict}{checks}"
    return found


def main(runs: list[str]) -> None:
    """Print the table in Markdown."""
    columns = {}
    for run in runs:
        name, _, place = run.partition("=")
        folder, _, encoder = place.partition(":")
        columns[name] = verdicts(Path(folder).absolute(), encoder)
    typer.echo(f"| claim | paper | {' | '.join(columns)} |\n|---|---|{'---|' * len(columns)}")
    for source, statement in next(iter(columns.values())):
        cells = " | ".join(column[source, statement] for column in columns.values())
        typer.echo(f"| {statement} | {source} | {cells} |")


if __name__ == "__main__":
    typer.run(main)
