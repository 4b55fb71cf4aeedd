"""The geometry study: distances one can see, invariances, what is left out, errors."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_spaces import SQUARE, drawn_space, two_squares
from scipy.stats import special_ortho_group

from tuneprobe.artifacts import ArtifactError
from tuneprobe.formats.examples import Examples
from tuneprobe.spaces import Space, example_table
from tuneprobe.studies.geometry.directprobe import study
from tuneprobe.studies.geometry.directprobe.clusters import ClusteringError
from tuneprobe.studies.geometry.directprobe.study import (
    DISTANCES,
    hull_distances,
    layer_geometry,
    read_distances,
    write_directprobe_texts,
)
from tuneprobe.units import Tables

SETTINGS = {
    "loop": "exhaustive",
    "min_cluster_size": 1,
    "max_clusters": 10,
    "max_nearest": 100,
    "rtol": 1e-8,
    "directprobe_files": False,
    "seed": 13,
}


def space_of(examples: Examples, X: np.ndarray) -> Space:
    table = example_table(examples)
    train = (table.split == "train").to_numpy()
    y, types = (table[name].to_numpy(dtype=str) for name in ("label", "type"))
    X = X.astype(np.float32)
    return Space(X[train], y[train], X[~train], y[~train], types[train], types[~train])


def value(found: Tables, metric: str, label: str = "") -> float:
    numbers = found["numbers"]
    rows = numbers[(numbers.metric == metric) & (numbers.label == label)]
    assert len(rows) == 1
    return float(rows.value.iloc[0])


def test_squares_have_the_distances_that_one_can_see() -> None:
    found = layer_geometry(space_of(*two_squares()), **SETTINGS)
    assert value(found, "is_linear") == 1
    assert value(found, "n_clusters") == value(found, "n_labels") == 3
    assert value(found, "conflicts") == value(found, "n_shared") == 0
    assert [value(found, "outside_min", label) for label in "abc"] == pytest.approx([2, 2, 3])
    assert value(found, "outside_min") == pytest.approx(7 / 3)
    assert value(found, "inside_max", "b") == value(found, "inside_max") == pytest.approx(2**0.5)
    assert value(found, "inside_mean", "c") == pytest.approx((4 + 2 * 2**0.5) / 6)
    assert value(found, "nearest_accuracy") == 100
    train = found["distances"].query("split == 'train'")
    assert (train.label1 + train.label2).tolist() == ["ab", "ac", "bc"]
    assert train.distance.tolist() == pytest.approx([2, 3, 13**0.5])
    test = found["distances"].query("split == 'test'")
    assert test.distance.tolist() == pytest.approx([3, 4, 5])


def test_rigid_motion_changes_nothing_and_scaling_scales_the_distances() -> None:
    examples, X = drawn_space(60, 20, 5, 3.0, 1)
    turn = special_ortho_group.rvs(5, random_state=3)
    plain = layer_geometry(space_of(examples, X), **SETTINGS)
    moved = layer_geometry(space_of(examples, 4 * X @ turn + 2), **SETTINGS)
    scaled = plain["numbers"].metric.isin(["inside_max", "inside_mean", "outside_min"])
    assert scaled.any()
    expected = plain["numbers"].value.where(~scaled, 4 * plain["numbers"].value)
    assert moved["numbers"].value.to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-4)
    for name in ("label1", "label2", "split"):
        assert (moved["distances"][name] == plain["distances"][name]).all()
    assert moved["distances"].distance.to_numpy() == pytest.approx(
        4 * plain["distances"].distance.to_numpy(), rel=1e-4
    )


def test_xor_has_three_clusters_and_without_room_for_them_no_distances() -> None:
    X = np.concatenate([SQUARE + corner for corner in ((0, 0), (9, 9), (0, 9), (9, 0))])
    y = np.repeat(["even", "even", "odd", "odd"], 4)
    types = np.full(16, "w")
    space = Space(X.astype(np.float32), y, X[:1].astype(np.float32), y[:1], types, types[:1])
    found = layer_geometry(space, **SETTINGS)
    assert value(found, "is_linear") == 0
    assert value(found, "n_clusters") == 3  # one diagonal is a band, the other stays two squares
    assert value(found, "conflicts") == 1
    assert found["distances"].linear.tolist() == [False]
    assert found["distances"].distance.tolist() == pytest.approx([7 / 2**0.5])
    bounded = layer_geometry(space, **{**SETTINGS, "max_clusters": 2})
    assert set(bounded["numbers"].metric) == {
        *("n_clusters", "n_labels", "is_linear", "conflicts", "n_shared")
    }
    assert not len(bounded["distances"])


def test_hull_distances_are_those_of_directprobe_where_linear_and_0_where_hulls_meet() -> None:
    examples, X = drawn_space(60, 20, 5, 3.0, 1)
    space = space_of(examples, X)
    _, y, _ = space.numbered()
    _, distances = hull_distances(space.X_train, y, rtol=1e-8)
    found = layer_geometry(space, **SETTINGS)
    train = found["distances"].query("split == 'train'")
    assert train.distance.tolist() == pytest.approx(distances[np.triu_indices(4, 1)])
    mixed = np.concatenate([SQUARE, SQUARE + 0.5, SQUARE + 9]).astype(np.float32)
    _, distances = hull_distances(mixed, np.repeat([0, 1, 2], 4))
    assert distances[0, 1] == 0
    assert distances[1, 2] == pytest.approx(7.5 * 2**0.5)


def test_test_distances_are_left_out_where_test_labels_meet() -> None:
    space = space_of(*two_squares())
    types, y = np.full(8, "w"), np.array(list("aaaabbbb"))
    X = np.concatenate([SQUARE, SQUARE + 0.5]).astype(np.float32)
    met = Space(**{**vars(space), "X_test": X, "y_test": y, "types_test": types})
    assert set(layer_geometry(met, **SETTINGS)["distances"].split) == {"train"}


def test_predictions_can_be_sampled_or_left_out() -> None:
    space = space_of(*drawn_space(60, 20, 5, 3.0, 1))
    none = layer_geometry(space, **{**SETTINGS, "max_nearest": 0})
    assert "nearest_accuracy" not in set(none["numbers"].metric)
    some = layer_geometry(space, **{**SETTINGS, "max_nearest": 7})["numbers"]
    assert some[some.metric == "nearest_accuracy"].n.tolist() == [7]


def test_directprobe_files_are_those_of_the_original(tmp_path: Path) -> None:
    settings = {**SETTINGS, "directprobe_files": True}
    texts = layer_geometry(space_of(*two_squares()), **settings)["directprobe"]
    texts.insert(0, "layer", 4)
    texts.insert(0, "state", "tuned")
    write_directprobe_texts(texts, tmp_path)
    folder = tmp_path / "tuned" / "layer_04"
    names = ["clusters", "inside_max", "inside_mean", "log", "outside_min", "vec"]
    assert sorted(path.stem for path in folder.iterdir()) == names
    assert (folder / "vec.txt").read_text() == "a---b,2.0000\na---c,3.0000\nb---c,3.6056\n"


@pytest.mark.parametrize(("apart", "at_most"), [(9.0, 1), (0.0, 3)])
def test_above_max_clusters_the_log_and_a_warning_say_why_there_are_no_distances(
    apart: float, at_most: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Linear spaces are bounded too, at a multiple of the same number."""
    monkeypatch.setattr(study, "LINEAR_MORE", 3)
    space = space_of(*drawn_space(60, 20, 2, apart, 1))
    settings = {**SETTINGS, "directprobe_files": True, "max_clusters": at_most}
    found = layer_geometry(space, **settings)
    texts = dict(zip(found["directprobe"].file, found["directprobe"].text, strict=True))
    n_clusters = int(value(found, "n_clusters"))
    assert value(found, "is_linear") == (apart > 0)
    assert f"No distances: {n_clusters} clusters" in texts["log.txt"]
    assert f"max_clusters = {at_most}" in caplog.text
    assert len(texts) == 6
    assert len(texts["clusters.txt"].splitlines()) == 60
    assert texts["vec.txt"] == texts["inside_max.txt"] == ""
    assert "train" not in set(found["distances"].split)


def test_distances_are_read_back_as_symmetric_matrices(tmp_path: Path) -> None:
    table = layer_geometry(space_of(*two_squares()), **SETTINGS)["distances"]
    table.insert(0, "layer", 2)
    table.insert(0, "state", "tuned")
    table.to_parquet(tmp_path / DISTANCES)
    found = read_distances(tmp_path / DISTANCES)
    assert sorted(found) == [("tuned", 2, "test"), ("tuned", 2, "train")]
    test = found["tuned", 2, "test"]
    assert test.labels == ("a", "b", "c")
    assert test.linear
    expected = [[np.nan, 3, 4], [3, np.nan, 5], [4, 5, np.nan]]
    assert test.matrix == pytest.approx(np.array(expected), nan_ok=True)
    with pytest.raises(ArtifactError, match="run 'dvc repro'"):
        read_distances(tmp_path / "elsewhere.parquet")
    pd.DataFrame({"state": ["tuned"]}).to_parquet(tmp_path / "old.parquet")
    with pytest.raises(ArtifactError, match="expected"):
        read_distances(tmp_path / "old.parquet")


def test_one_label_and_a_vector_with_nan_are_one_clear_error() -> None:
    examples, X = two_squares()
    space = space_of(examples, X)
    X[3, 0] = np.nan
    with pytest.raises(ClusteringError, match=r"1 of 12 vectors hold NaN or infinity.* row 3"):
        layer_geometry(space_of(examples, X), **SETTINGS)
    same = Space(**{**vars(space), "y_train": np.full(12, "a")})
    with pytest.raises(ClusteringError, match="1 label in 12 examples"):
        layer_geometry(same, **SETTINGS)
