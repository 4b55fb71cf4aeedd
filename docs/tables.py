"""The tables of docs/, from the rows of committed runs: each function is one kind of table.

A table says from which run it is by the folder of `recorded.lay_out`, and of which encoder: the
first of the run where none is named.
"""

from collections.abc import Callable, Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any

import pandas as pd

from tuneprobe.collect.seeds import mean_over_seeds
from tuneprobe.inventory import Inventory
from tuneprobe.page.blocks import Table
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.overview import markdown, pairs_table, tasks_table
from tuneprobe.page.registry import judge_all
from tuneprobe.params import load_params
from tuneprobe.studies.change.measures import AFTER, BEFORE, rows_of
from tuneprobe.wording import bounded, number, task_label

Runs = Callable[[str], Path]  # the folder of a run, by its name
STATES = {"pretrained": "pre-trained", "finetuned": "fine-tuned"}
DIRECTIONS = {"from-to": "from the first to the second", "to-from": "from the second to the first"}
LAYERS = ("layer", "vectors", "weights", "alone", "above", "below", "used", "bits added")


def claims(runs: Runs, *columns: str) -> str:
    """Each claim and its verdict in some runs, each ``WHAT IT IS=RUN[:ENCODER]``."""
    found = {}
    for column in columns:
        name, _, run = column.rpartition("=")
        found[name] = _verdicts(_inputs(runs, run))
    head = ["claim", "paper", *found]
    rows = [
        [statement, source, *(of.get((source, statement), "–") for of in found.values())]
        for source, statement in dict.fromkeys(key for of in found.values() for key in of)
        if any(of.get((source, statement), "–") != "–" for of in found.values())
    ]
    return markdown(Table(head, rows))


def taught(runs: Runs, run: str) -> str:
    """What tuning taught, and of several seeds in how many."""
    inputs = _inputs(runs, run)
    return markdown(tasks_table(inputs.results, inputs.all_seeds))


def pairs(runs: Runs, run: str) -> str:
    """The pairwise probes in the last layer, and their pair-specific part."""
    return markdown(pairs_table(_inputs(runs, run).results))


def pairs_by_seed(runs: Runs, run: str) -> str:
    """What tuning adds to the pair-specific part under each seed, and over all of them."""
    inputs = _inputs(runs, run)
    every = inputs.results if inputs.all_seeds is None else inputs.all_seeds
    tables = {
        f"seed {seed}": pairs_table(every[every.seed == seed])
        for seed in inputs.params["run"]["seeds"]
    } | {"all": pairs_table(inputs.results)}
    changes = {name: {row[0]: row[-1] for row in table.rows} for name, table in tables.items()}
    rows = [[probe, *(of[probe] for of in changes.values())] for probe in changes["all"]]
    return markdown(Table(["ability", *changes], rows))


def changed(runs: Runs, run: str, task: str) -> str:
    """What changed and what mattered in a tuned task, by layer."""
    rows = _inputs(runs, run).results
    rows = rows[rows.task == task]
    scores = [number(rows_of(rows, "score", state).value.iloc[0]) for state in (AFTER, BEFORE)]
    name = task_label(task)
    title = f"{name}: tuned {scores[0]}, all layers put back {scores[1]}."
    return f"{title}\n\n{markdown(_layers(rows))}"


def across(runs: Runs, run: str, rows: str, columns: str, *where: str) -> str:
    """One number of a run, a row for each value of a column of the result rows, and so columns.

    Each of ``where`` is ``column=value[,value ...]``. A cell is the number with its interval; where
    there are several states, one number of each, in the order that is given. ``digits=2`` and
    ``signed=yes`` say how it is written.
    """
    asked = dict(one.split("=") for one in where)
    digits, sign = int(asked.pop("digits", 1)), bool(asked.pop("signed", ""))
    states = asked["state"].split(",")
    found = _inputs(runs, run).results
    for column, values in asked.items():
        found = found[found[column].astype(str).isin(values.split(","))]
    found = found.assign(task=found.task.map(task_label))
    cells: dict[Any, dict[Any, str]] = {}
    for (row, column), of_cell in found.groupby([rows, columns], sort=False):
        numbers = of_cell.set_index("state").reindex(states)
        cells.setdefault(row, {})[column] = (
            bounded(*numbers[["value", "low", "high"]].iloc[0], sign=sign, digits=digits)
            if len(states) == 1
            else " → ".join(number(value, digits) for value in numbers.value)
        )
    names = list(dict.fromkeys(name for of in cells.values() for name in of))
    lines = [[str(row), *(of.get(name, "–") for name in names)] for row, of in cells.items()]
    return markdown(Table([rows.replace("_", " "), *map(str, names)], lines))


def heads(runs: Runs, run: str) -> str:
    """How many heads do harm or help in each task, clearly: by their own interval; and the ends."""
    rows = _inputs(runs, run).results
    changes = rows[rows.metric.str.endswith("_change") & (rows["head"] >= 0)]
    changes = changes[
        (changes.ablation == "uniform") & ~changes.metric.str.contains("loss|largest")
    ]
    lines = []
    for (task, metric), found in changes.groupby(["task", "metric"], sort=False):
        name = f"{task_label(str(task))}, {str(metric).removesuffix('_change')}"
        counts = [
            f"{(sign * found.value > 0).sum()} of {len(found)}, {(sign * near > 0).sum()} clearly"
            for sign, near in ((1, found.low), (-1, found.high))
        ]
        ends = (
            f"{one.layer}·{one.head} {bounded(one.value, one.low, one.high, sign=True)}"
            for one in found.sort_values("value").iloc[[-1, 0]].itertuples()
        )
        lines.append([name, *counts, *ends])
    return markdown(Table(["task", "do harm", "help", "most harmful", "most helpful"], lines))


def strongest(runs: Runs, run: str, task: str, metric: str) -> str:
    """The three heads that link two spans most, by relation, state and direction."""
    rows = _inputs(runs, run).results
    found = rows[(rows.task == task) & (rows.metric == metric) & (rows["head"] >= 0)]
    lines = [
        [str(relation), STATES[str(state)], DIRECTIONS[str(direction)]]
        + [
            f"{one.layer}·{one.head} {bounded(one.value, one.low, one.high, digits=3)}"
            for one in of.sort_values("value", ascending=False).head(3).itertuples()
        ]
        for (relation, state, direction), of in found.groupby(["relation", "state", "direction"])
        if state in STATES
    ]
    return markdown(Table(["relation", "state", "weight", "first", "second", "third"], lines))


def _inputs(runs: Runs, run: str) -> PageInputs:
    name, _, encoder = run.partition(":")
    with chdir(runs(name)):
        params = load_params()
        every = Inventory.found(params).results()
    every = every[every.encoder == (encoder or params.run.encoders[0])]
    results = mean_over_seeds(every)
    return PageInputs(
        results=results,
        params=params.model_dump(),
        layer_mark=params.pairwise.layer_mark,
        margin=params.pairwise.equivalence_margin,
        confidence=params.intervals.confidence,
        all_seeds=None if results is every else every,
    )


def _verdicts(inputs: PageInputs) -> dict[tuple[str, str], str]:
    """By source and statement, with the checks that pass and of several seeds those that agree.

    "–" where nothing was measured.
    """
    found = {}
    for one in judge_all(inputs.evidence):
        counted = f"{one.verdict} ({one.outcomes.count('pass')} of {len(one.outcomes)})"
        if one.seeds:
            counted += f", in {one.seeds.count(one.verdict)} of {len(one.seeds)} seeds"
        found[one.claim.source, one.claim.statement] = counted if one.checks else "–"
    return found


def _layers(rows: pd.DataFrame) -> Table:
    bits = rows[(rows.metric == "v_gain") & (rows.classifier == "linear") & (rows.label == "")]
    plain = rows.assign(low=float("nan"), high=float("nan"))
    columns = [
        _cells(rows_of(plain, "difference"), sign=False),
        _cells(rows_of(plain, "weight_change"), 2, sign=False),
        _cells(rows_of(rows, "layer_score_change")),
        _cells(rows_of(plain, "up_to_score"), sign=False),
        _cells(rows_of(plain, "up_to_score", BEFORE), sign=False),
        _cells(rows_of(rows, "erasure_gap")),
        _cells(bits, 2),
    ]
    shown = {name: of for name, of in zip(LAYERS[1:], columns, strict=True) if of}
    layers = range(int(rows.layer.max()) + 1)
    lines = [[str(layer), *(of.get(layer, "") for of in shown.values())] for layer in layers]
    return Table([LAYERS[0], *shown], lines)


def _cells(rows: pd.DataFrame, digits: int = 1, sign: bool = True) -> dict[int, str]:
    """What is written of each layer, with its interval where it has one."""
    return {
        int(row.layer): bounded(row.value, row.low, row.high, sign=sign, digits=digits)
        for row in rows.itertuples()
    }


KINDS: Mapping[str, Callable[..., str]] = {
    "claims": claims,
    "taught": taught,
    "pairs": pairs,
    "pairs-by-seed": pairs_by_seed,
    "changed": changed,
    "across": across,
    "heads": heads,
    "strongest": strongest,
}
