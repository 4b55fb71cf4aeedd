"""Training dynamics: two labels that part, values by hand; paths and differences on the plane."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_spaces import SQUARE, word_examples, write_layers

from tuneprobe.artifacts import write_meta
from tuneprobe.formats.results import Result
from tuneprobe.spaces import example_table
from tuneprobe.studies.geometry.similarity.dynamics import (
    Dynamics,
    dynamics,
    dynamics_results,
    layer_snapshot,
    open_snapshots,
    principal_axes,
)
from tuneprobe.units import layer_units, measured

STEPS = {0: 0.0, 5: 1.0, 10: 4.0}  # step to how far label b has moved along x


def measure_snapshots(
    folder: Path, path_labels: tuple[str, ...] = (), most: int = 1
) -> tuple[Dynamics, list[Result]]:
    """Squares at x = 0 (a), 2 (b, moving), and y = 5 (c), in 3 dimensions; layer 0 stays."""
    examples = word_examples(list("aaaabbbbcccccccc"), ["a"])
    corners = [(0, 0), (2, 0), (0, 5), (0, 5)]
    start = np.concatenate([SQUARE + corner for corner in corners] + [[[0.5, 0.5]]])
    start = np.column_stack([start, np.zeros(len(start))])
    for step, way in STEPS.items():
        now = start.copy()
        now[4:8, 0] += way
        write_layers(folder / f"step_{step:05d}", [start, now], examples)
    write_meta(folder, steps=list(STEPS))
    units = layer_units(open_snapshots(folder, examples), lambda *_: {"rtol": 1e-8})
    cache = folder.parent / "cache"
    with measured(layer_snapshot, units, example_table(examples), cache=cache, workers=1) as found:
        tables = dynamics(found, path_labels=path_labels, most=most)
    keys = {"state": "finetuned", "encoder": "e", "task": "t", "seed": 13}
    return tables, dynamics_results(tables, **keys)


def at_last_layer(table: pd.DataFrame) -> pd.DataFrame:
    return table[table.layer == 1]


def test_the_nearest_label_is_as_far_as_one_can_see_at_every_step(tmp_path: Path) -> None:
    tables, _ = measure_snapshots(tmp_path / "snapshots")
    wide = at_last_layer(tables.steps).pivot(index="label", columns="step", values="outside_min")
    assert wide.loc["a"].tolist() == pytest.approx([1, 2, 4])  # to b, b, c
    assert wide.loc["b"].tolist() == pytest.approx([1, 2, 5])
    assert wide.loc["c"].tolist() == pytest.approx([4, 4, 4])
    assert tables.steps.groupby("label").n.first().to_dict() == {"a": 4, "b": 4, "c": 8}
    changes = at_last_layer(tables.changes).set_index("label")
    assert changes.change.tolist() == pytest.approx([3, 4, 0])
    assert changes.place.to_dict() == {"a": "", "b": "most", "c": "least"}


def test_similarity_to_the_first_step_is_the_correlation_of_the_pair_distances(
    tmp_path: Path,
) -> None:
    tables, rows = measure_snapshots(tmp_path / "snapshots")
    similar = at_last_layer(tables.similarity).set_index("step")
    first, last = [1, 4, 17**0.5], [5, 4, (25 + 16) ** 0.5]  # ab, ac, bc
    assert similar.spatial_similarity[0] == pytest.approx(1)
    assert similar.spatial_similarity[10] == pytest.approx(np.corrcoef(first, last)[0, 1])
    assert similar.linear.all()
    still = tables.similarity[tables.similarity.layer == 0]
    assert still.spatial_similarity.tolist() == pytest.approx([1, 1, 1])
    found = {(row.layer, row.metric, row.label, row.step): (row.value, row.n) for row in rows}
    assert found[1, "outside_min_change", "b", -1] == (pytest.approx(4), 4)
    assert found[1, "outside_min_change", "", -1] == (pytest.approx(7 / 3), 3)
    assert found[1, "spatial_similarity", "", 10] == (similar.spatial_similarity[10], 3)


def test_paths_keep_the_distances_that_a_centroid_goes(tmp_path: Path) -> None:
    tables, _ = measure_snapshots(tmp_path / "snapshots", path_labels=("b", "c", "nowhere"))
    paths = at_last_layer(tables.paths).set_index(["label", "step"])
    assert set(paths.index.get_level_values("label")) == {"b", "c"}
    went = paths.loc["b", 10] - paths.loc["b", 5]
    assert np.hypot(went.x, went.y) == pytest.approx(3)
    assert np.ptp(paths.loc["c"].to_numpy(), axis=0) == pytest.approx(0)


def test_without_names_the_most_frequent_labels_are_followed(tmp_path: Path) -> None:
    tables, _ = measure_snapshots(tmp_path / "snapshots", path_labels=("X",))
    assert set(tables.paths.label) == {"a", "b", "c"}


def test_differences_start_in_the_origin_and_keep_their_length(tmp_path: Path) -> None:
    tables, _ = measure_snapshots(tmp_path / "snapshots")
    differences = at_last_layer(tables.differences).set_index("label")
    assert differences.loc["b", ["x", "y", "length"]].tolist() == pytest.approx([4, 0, 4])
    assert differences.loc["c", ["x", "y", "length"]].tolist() == pytest.approx([0, 0, 0])


def test_principal_axes_point_the_same_way_whatever_the_sign_of_the_data() -> None:
    X = np.random.default_rng(0).normal(size=(9, 4)) * [5, 2, 1, 0.1]
    assert principal_axes(X) == pytest.approx(principal_axes(-X))
    assert principal_axes(X).T @ principal_axes(X) == pytest.approx(np.eye(2))
    assert (principal_axes(np.ones((3, 4))) == 0).all()
