"""Artifacts and results on disk: whole or absent, and the same bytes again."""

from pathlib import Path

import pytest

from tuneprobe.artifacts import ArtifactError, atomic_file, atomic_folder, write_json
from tuneprobe.results import COLUMNS, Result, read_results, write_results
from tuneprobe.rng import rng, stream_seed


def write_half_a_folder(path: Path) -> None:
    with atomic_folder(path) as part:
        (part / "a").write_text("half")
        raise OSError("disk full")


def write_half_a_file(path: Path) -> None:
    with atomic_file(path) as part:
        part.write_text("half")
        raise OSError("disk full")


def test_a_failed_write_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with atomic_folder(target) as part:
        (part / "a").write_text("old")
    with pytest.raises(OSError, match="disk full"):
        write_half_a_folder(target)
    assert (target / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_a_killed_process_left_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / ".out.part").mkdir()
    (tmp_path / ".out.part" / "stale").write_text("x")
    with atomic_folder(tmp_path / "out") as part:
        (part / "fresh").write_text("y")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["fresh"]


def test_a_failed_file_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk full"):
        write_half_a_file(tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


def test_json_is_sorted_and_ends_in_a_newline(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"b": 1, "a": "é"})
    assert (tmp_path / "x.json").read_text() == '{\n  "a": "é",\n  "b": 1\n}\n'


def row(**changes: object) -> Result:
    plain = Result("s", "e", "t", "random", 1, 0, -1, "m", "", 1 / 3)
    return plain._replace(**changes)


def test_results_are_sorted_and_rounded_to_six_digits(tmp_path: Path) -> None:
    write_results([row(layer=2), row(layer=1, value=123456.789)], tmp_path / "r.csv")
    frame = read_results(tmp_path / "r.csv")
    assert tuple(frame.columns) == COLUMNS
    assert frame.layer.tolist() == [1, 2]
    assert frame.value.tolist() == [123457.0, 0.333333]
    assert frame.low.isna().all()
    assert frame.condition.tolist() == ["", ""]


def test_two_results_with_the_same_keys_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="same keys"):
        write_results([row(), row(value=2.0)], tmp_path / "r.csv")


def test_streams_are_named_so_that_purposes_never_share_numbers() -> None:
    assert rng(1, "a").integers(1 << 30) == rng(1, "a").integers(1 << 30)
    seeds = {stream_seed(1, "a", "b"), stream_seed(1, "ab"), stream_seed(1, "a\x1fb", "")}
    assert len(seeds) == 3


def test_a_stream_is_the_same_on_every_machine() -> None:
    assert stream_seed(13, "order", 0) == 6472591518030995038
    assert rng(13, "order", 0).integers(1 << 30, size=3).tolist() == [
        444911779,
        794694323,
        355398895,
    ]
