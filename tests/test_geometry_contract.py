"""What the studies of labelled spaces write is what claims, metrics and page read."""

import json
from collections.abc import Callable
from math import isfinite
from pathlib import Path

import pandas as pd
import pytest
from made_up_results import made_up_funnel, made_up_params
from made_up_spaces import drawn_space, write_layers

from tuneprobe.claims.evidence import Evidence
from tuneprobe.claims.verdicts import judge
from tuneprobe.collect.metrics import headline, plot_tables
from tuneprobe.formats.representations import Representations
from tuneprobe.formats.results import Result, to_frame
from tuneprobe.page.blocks import Figure, ScoreTable
from tuneprobe.page.inputs import PageInputs
from tuneprobe.spaces import example_table, read_space
from tuneprobe.studies.geometry.claims import GEOMETRY_CLAIMS
from tuneprobe.studies.geometry.classifiers.cross_task import cross_results, layer_labels
from tuneprobe.studies.geometry.classifiers.study import layer_accuracy
from tuneprobe.studies.geometry.directprobe.study import DISTANCES, layer_geometry, read_distances
from tuneprobe.studies.geometry.page import GEOMETRY
from tuneprobe.studies.geometry.similarity.dynamics import (
    STEP,
    dynamics,
    dynamics_results,
    layer_snapshot,
)
from tuneprobe.studies.geometry.similarity.study import (
    spatial_similarities,
    split_deficits,
    state_pairs,
    vector_similarities,
)
from tuneprobe.units import NUMBERS, Tables, result_rows

KEYS = {"encoder": "made-up", "seed": 1}
STATES = ("random", "pretrained", "finetuned")
CROSS = ("pretrained", "finetuned", "finetuned-on-world-ps-role")
N_LAYERS = 3
CLASSIFIER = {
    "hidden": [[8, 8]],
    "decays": [1e-4],
    "initialisations": 2,
    "standardise": True,
    "regimen": {"max_epochs": 5},
    "confidence": 0.95,
    "bootstrap": 200,
    "linear": True,
    "orders": 2,
    "seed": 1,
}
PROBE = {
    "loop": "exhaustive",
    "min_cluster_size": 1,
    "max_clusters": 50,
    "max_nearest": 5,
    "rtol": 1e-4,
    "directprobe_files": False,
    "seed": 1,
}


def measured(
    states: dict[str, Representations], table: pd.DataFrame, measure: Callable[..., Tables], **how
) -> Tables:
    """The tables of every layer of every state, as `units.measured` gives them."""
    parts: dict[str, list[pd.DataFrame]] = {}
    for state, representations in states.items():
        for layer in representations.layers:
            for name, found in measure(read_space(representations, layer, table), **how).items():
                found.insert(0, "layer", layer)
                found.insert(0, "state", state)
                parts.setdefault(name, []).append(found)
    return {name: pd.concat(found, ignore_index=True) for name, found in parts.items()}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Result rows of two tasks of a small run, and the tables of one task's snapshots."""
    folder = tmp_path_factory.mktemp("run")
    examples, X = drawn_space(60, 40, 30, apart=0.5, seed=1)

    def layers(name: str, *, steps: float) -> Representations:
        """Centroids move away from the origin with `steps`, more so in higher layers."""
        matrices = [X * (1 + steps * layer) + steps * X**2 for layer in range(N_LAYERS)]
        return write_layers(folder / name, matrices, examples)

    states = {state: layers(state, steps=0.1 * n) for n, state in enumerate(STATES)}
    others = {state: layers(f"cross {state}", steps=0.1 * n) for n, state in enumerate(CROSS)}
    table = example_table(examples, states["pretrained"].types())
    rows: list[Result] = []
    for task in ("world-pos", "world-ps-fxn"):
        keys = {**KEYS, "task": task}
        found = measured(
            states, table, layer_accuracy, **CLASSIFIER, controls=True, codelength=True
        )
        rows += result_rows(found[NUMBERS], study="classify", **keys)
        found = measured(states, table, layer_geometry, **PROBE)
        rows += result_rows(found[NUMBERS], study="geometry", **keys)
        found["distances"].to_parquet(folder / DISTANCES, index=False)
        pairs = {"pairs": state_pairs(STATES), **keys}
        distances = read_distances(folder / DISTANCES)
        rows += spatial_similarities(distances, zero_fill=False, **pairs)
        compared = {"layer_states": ["pretrained", "finetuned"], "max_examples": 30, **pairs}
        rows += vector_similarities(states, table, neighbours=5, **compared)
        dealt = {"layers": [N_LAYERS - 1], "draws": 3, "rtol": 1e-3, "zero_fill": False}
        apart = table.assign(text=range(len(table)))  # of one text there is nothing to deal
        dealt |= {"confidence": 0.95, "cache": folder / "cache", "workers": 1}
        rows += split_deficits(states, apart, distances, **dealt, **keys)
    keys = {**KEYS, "task": "world-ps-fxn"}
    classifier = {**CLASSIFIER, "controls": False, "codelength": False}
    found = measured(others, table, layer_labels, rtol=1e-4, classifier=classifier)[NUMBERS]
    tuned_on = {state: state.removeprefix("finetuned-on-") for state in CROSS if "-on-" in state}
    rows += cross_results(found, before="pretrained", tuned_on=tuned_on, level=0.95, **keys)
    snapshots = {STEP.format(n): states[state] for n, state in enumerate(STATES)}
    followed = dynamics(
        measured(snapshots, table, layer_snapshot, rtol=1e-4),
        path_labels=[],
        most=3,
        confidence=0.95,
    )
    keys["task"] = "world-pos"
    rows += dynamics_results(followed, state="finetuned", **keys, level=0.95)
    tables = {f"world-pos/dynamics/{name}": part for name, part in followed._asdict().items()}
    return to_frame(rows), tables


def test_every_claim_finds_its_numbers(run):
    results, _ = run
    for claim in GEOMETRY_CLAIMS:
        finding = judge(claim, Evidence(results, 0.4167, 2.0, 0.05))
        assert finding.checks, claim.name
        if claim.name != "clusters":  # all spaces are linear before tuning
            assert all(isfinite(check.value) for check in finding.checks), claim.name


def test_metrics_and_plots_find_their_numbers(run):
    results, _ = run
    names = {"pos_accuracy", "ps_fxn_accuracy", "linear_layers", "train_test_similarity"}
    assert names <= set(headline(results, "finetuned"))
    assert all(len(plot_tables(results, "finetuned")[name]) for name in ("accuracy", "spatial"))


def test_every_figure_and_table_finds_its_numbers(root: Path, run):
    results, tables = run
    templates = {p.stem: json.loads(p.read_text()) for p in root.glob(".dvc/plots/*.json")}
    inputs = PageInputs(
        results,
        made_up_funnel(),
        made_up_params(),
        {},
        templates,
        "made-up",
        "world",
        layer_mark=0.4167,
        margin=2.0,
        confidence=0.95,
        tables=tables,
    )
    blocks = GEOMETRY.chapter(inputs).blocks
    assert sum(block.name.endswith("-world-pos") for block in blocks) == 4
    for block in blocks:
        if isinstance(block, Figure):
            assert block.panels, block.name
            assert not block.missing, block.missing
        if isinstance(block, ScoreTable):
            cells = [
                c for group in block.groups if group.ours for _, row in group.rows for c in row
            ]
            assert any(cell != "–" for cell in cells), block.name
