"""The tables of docs/, from the rows of committed runs: each function is one kind of table.

A table says from which run it is by the folder of `recorded.lay_out`, and of which encoder: the
first of the run where none is named.
"""

from collections.abc import Callable, Mapping
from contextlib import chdir
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from tuneprobe.collect.seeds import mean_over_seeds
from tuneprobe.inventory import Inventory
from tuneprobe.page.blocks import ScoreTable, Table
from tuneprobe.page.figures import Spec
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.overview import markdown, pairs_table, tasks_table
from tuneprobe.page.registry import STUDIES, all_measures, judge_all
from tuneprobe.params import load_params
from tuneprobe.studies.change.measures import AFTER, BEFORE, rows_of
from tuneprobe.wording import bounded, number, task_label

Runs = Callable[[str], Path]  # the folder of a run, by its name
LAYERS = ("layer", "vectors", "weights", "alone", "above", "below", "used", "bits added")


def claims(runs: Runs, *columns: str) -> str:
    """Each claim and its verdict in some runs, each ``WHAT IT IS=RUN[:ENCODER]``."""
    found = {}
    for column in columns:
        name, _, run = column.rpartition("=")
        found[name] = _verdicts(*_place(runs, run))
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


def mattered(runs: Runs, run: str, mark: str) -> str:
    """What putting layers back costs each task, and the line between the weights before and after.

    ``mark`` is the layer that above and below are held against each other at.
    """
    rows = _inputs(runs, run).results
    lines = []
    for task, found in rows_of(rows, "score").groupby("task"):
        own = rows[rows.task == task]
        alone = rows_of(own, "layer_score_change")
        last, most = alone.iloc[-1], alone.loc[alone.value.idxmin()]
        halves = rows_of(own, "above_minus_below")
        ranks = rows_of(own, "effective_rank")
        lines.append(
            [
                task_label(str(task)),
                number(found.value.iloc[0]),
                _cell(last),
                f"layer {most.layer}: {_cell(most)}",
                _cell(rows_of(own, "vectors_matter").iloc[0], 2),
                _cell(halves[halves.layer == int(mark)].iloc[0]),
                _cell(rows_of(own, "barrier").iloc[0], 2),
                _cell(ranks[ranks.layer == -1].iloc[0], 2, sign=False),
            ]
        )
    head = ["tuned on", "score", "last layer put back", "costliest layer", "change and cost, ρ"]
    head += [f"above − up to layer {mark}", "barrier, nats", "effective rank"]
    return markdown(Table(head, lines))


def _cell(row: Any, digits: int = 1, sign: bool = True) -> str:
    return bounded(row.value, row.low, row.high, sign=sign, digits=digits)


def ablated(runs: Runs, run: str, task: str, score: str) -> str:
    """A score without each layer's attention, and without single heads of it.

    Clearly: the interval of that head alone holds no zero; some do by chance.
    """
    rows = _inputs(runs, run).results
    rows = rows[(rows.task == task) & (rows.ablation == "uniform")]
    (whole,) = rows[(rows.metric == score) & (rows.layer == -1)].itertuples()
    rows = rows[rows.metric == f"{score}_change"]
    heads, layers = rows[rows["head"] >= 0], rows[rows["head"] == -1]

    def ends(found: pd.DataFrame) -> list[str]:
        of = found.sort_values("value")
        return [f"head {one['head']}: {_cell(one)}" for _, one in of.iloc[[-1, 0]].iterrows()]

    counts = (
        f"{(sign * heads.value > 0).sum()} {what}, {(sign * near > 0).sum()} clearly"
        for sign, near, what in ((1, heads.low, "do harm"), (-1, heads.high, "help"))
    )
    of = f"{bounded(whole.value, whole.low, whole.high)} on {whole.n:,} texts"
    title = f"{task_label(task)}, {score}: {of}; of {len(heads)} heads {', '.join(counts)}."
    lines = [
        [str(layer), *map(_cell, layers[layers.layer == layer].itertuples()), *ends(found)]
        for layer, found in heads.groupby("layer")
    ]
    head = ["layer", "without its attention", "most harmful head", "most helpful head"]
    return f"{title}\n\n{markdown(Table(head, lines))}"


def patched(runs: Runs, run: str, layer: str) -> str:
    """What states of one encoder do in the other at the words of a pair, beyond as many others."""
    rows = _inputs(runs, run).results
    scores = rows[rows.metric == "pair_score"].pivot(index="label", columns="state", values="value")
    of_layer = rows[(rows.metric == "patch_excess") & (rows.layer == int(layer))]
    lines = []
    for label, score in scores.iterrows():
        found = of_layer[of_layer.label == label].set_index(["state", "part"])
        places = ((BEFORE, "anchor"), (BEFORE, "match"), (AFTER, "match"))
        cells = [_cell(found.loc[place]) for place in places]
        ends = (number(score[state]) for state in (BEFORE, AFTER))
        lines.append([label.replace("-", " "), *ends, *cells])
    head = ["probe", "AUC before", "after", "tuned state of the anchor, into pre-trained"]
    head += ["of the match", "pre-trained state of the match, into tuned"]
    return markdown(Table(head, lines))


def as_published(runs: Runs, name: str, *columns: str) -> str:
    """A table in its paper's shape: the published rows, then those of some runs.

    ``name`` is its anchor on the page, each run ``WHAT IT IS=RUN[:ENCODER]``.
    """
    shape, groups = None, {}
    for column in columns:
        what, _, run = column.rpartition("=")
        shape = _score_table(name, _inputs(runs, run))
        groups |= {one.heading: one.rows for one in shape.groups if not one.ours}
        groups[what] = [line for one in shape.groups if one.ours for line in one.rows]
    assert shape is not None
    over = [heading for heading, width in shape.over for _ in range(width)]
    head = [f"{above} {one}".strip() for above, one in zip(over, shape.head, strict=True)]
    rows = [
        line
        for heading, lines in groups.items()
        for line in [
            [f"*{heading}*", *[""] * len(head)],
            *([name, *cells] for name, cells in lines),
        ]
    ]
    return markdown(Table([shape.number, *head], rows))


def _score_table(name: str, inputs: PageInputs) -> ScoreTable:
    for study in STUDIES.values():
        for block in study.blocks:
            if not isinstance(block, Spec):
                drawn = block(inputs)
                if isinstance(drawn, ScoreTable) and drawn.name == name:
                    return drawn
    raise KeyError(name)


def _inputs(runs: Runs, run: str) -> PageInputs:
    return _read(*_place(runs, run))


def _place(runs: Runs, run: str) -> tuple[Path, str]:
    """The folder of a run, and the encoder; "" for its first."""
    name, _, encoder = run.partition(":")
    return runs(name), encoder


@cache
def _read(folder: Path, encoder: str) -> PageInputs:
    with chdir(folder):
        params = load_params()
        every = Inventory.found(params).results()
    every = every[every.encoder == (encoder or params.run.encoders[0])]
    results = mean_over_seeds(every, all_measures())
    return PageInputs(
        results=results,
        params=params.model_dump(),
        layer_mark=params.pairwise.layer_mark,
        margin=params.pairwise.equivalence_margin,
        confidence=params.intervals.confidence,
        all_seeds=None if results is every else every,
    )


@cache
def _verdicts(folder: Path, encoder: str) -> dict[tuple[str, str], str]:
    """By source and statement, with the checks that pass and of several seeds those that agree.

    "–" where nothing was measured.
    """
    found = {}
    for one in judge_all(_read(folder, encoder).evidence):
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
    return {int(row.layer): _cell(row, digits, sign) for row in rows.itertuples()}


KINDS: Mapping[str, Callable[..., str]] = {
    "claims": claims,
    "taught": taught,
    "pairs": pairs,
    "pairs-by-seed": pairs_by_seed,
    "changed": changed,
    "mattered": mattered,
    "ablated": ablated,
    "patched": patched,
    "as-published": as_published,
}
