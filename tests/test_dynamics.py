"""Training dynamics: two labels that part, values by hand; paths and differences on the plane."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_spaces import SQUARE, word_examples, write_layers
from scipy.stats import spearmanr

from tuneprobe.artifacts import write_meta
from tuneprobe.formats.results import Result
from tuneprobe.spaces import example_table
from tuneprobe.studies.geometry.similarity.dynamics import (
    Dynamics,
    dynamics,
    dynamics_results,
    layer_snapshot,
    mean_cosine,
    movement,
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
        tables = dynamics(found, path_labels=path_labels, most=most, confidence=0.95)
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


def test_the_movement_of_labels_is_that_of_a_slow_loop() -> None:
    draw, steps, n = np.random.default_rng(3), [0, 5, 10, 15, 20, 25], 12
    centroids = draw.normal(size=(len(steps), n, 4)).cumsum(axis=0)
    distance, recall = draw.uniform(1, 9, size=(len(steps), n)), draw.random((len(steps), n))
    distance[:, 0] = [1, 2, 3, 3, 4, 5]
    rows = [
        (step, f"l{label:02}", distance[i, label], centroids[i, label].tolist(), recall[i, label])
        for i, step in enumerate(steps)
        for label in range(n)
    ]
    columns = ["step", "label", "outside_min", "centroid", "recall"]
    found = movement(pd.DataFrame(rows, columns=columns).sample(frac=1, random_state=1), 0.95)
    found = found.set_index("metric")
    turns = 0
    for curve in distance.T:
        ways = [b - a for i, a in enumerate(curve) for b in curve[i:]]
        turns += min(max(ways), -min(ways)) > 0.1 * (max(curve) - min(curve))
    assert found.value["n_turning"] == turns < n
    moves = centroids[-1] - centroids[0]
    cosines = [
        a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        for i, a in enumerate(moves)
        for b in moves[:i]
    ]
    assert found.value["direction"] == pytest.approx(np.mean(cosines))
    parted = []
    for label in range(n):
        apart = [np.linalg.norm(centroids[0, label] - one) for one in centroids[0]]
        near = min((value, i) for i, value in enumerate(apart) if i != label)[1]
        after = np.linalg.norm(centroids[-1, label] - centroids[-1, near])
        parted.append(np.log2(after / apart[near]))
    assert found.value["closest_parting"] == pytest.approx(np.mean(parted))
    by_label = spearmanr(distance[-1] - distance[0], recall[-1] - recall[0]).statistic
    assert found.value["gain_by_label"] == pytest.approx(by_label)
    by_step = spearmanr(np.diff(distance.mean(axis=1)), np.diff(recall.mean(axis=1))).statistic
    assert found.value["gain_by_step"] == pytest.approx(by_step)
    assert found.n.to_dict() == {
        "n_turning": n,
        "direction": n,
        "closest_parting": n,
        "gain_by_label": n,
        "gain_by_step": 5,
    }
    assert found.low["gain_by_label"] < by_label < found.high["gain_by_label"]


def test_labels_that_move_alike_have_one_direction_and_those_that_stay_have_none() -> None:
    assert mean_cosine(np.tile([1.0, 2.0], (5, 1))) == pytest.approx(1)
    assert mean_cosine(np.random.default_rng(0).normal(size=(300, 200))) == pytest.approx(
        0, abs=0.01
    )
    assert np.isnan(mean_cosine(np.zeros((5, 2))))


def test_the_rows_say_how_the_labels_moved(tmp_path: Path) -> None:
    _, rows = measure_snapshots(tmp_path / "snapshots")
    found = {(row.layer, row.metric): row.value for row in rows if not row.label}
    assert found[1, "n_turning"] == 0
    assert found[1, "closest_parting"] == pytest.approx((2 * np.log2(6 / 2) + 0) / 3)
    assert (1, "direction") not in found  # one label alone moves


def test_principal_axes_point_the_same_way_whatever_the_sign_of_the_data() -> None:
    X = np.random.default_rng(0).normal(size=(9, 4)) * [5, 2, 1, 0.1]
    assert principal_axes(X) == pytest.approx(principal_axes(-X))
    assert principal_axes(X).T @ principal_axes(X) == pytest.approx(np.eye(2))
    assert (principal_axes(np.ones((3, 4))) == 0).all()
