"""Artifacts and results on disk: whole or absent, and the same bytes again."""

import multiprocessing
import os
import shutil
import subprocess
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from dvc.repo import Repo as DvcRepo
from killed import left_by_a_killed_process

from tuneprobe.artifacts import (
    ArtifactError,
    atomic_file,
    atomic_folder,
    read_json,
    scratch_name,
    write_json,
)
from tuneprobe.formats.results import COLUMNS, Result, read_results, write_results
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


def test_what_a_killed_process_left_is_removed_and_not_taken_over(tmp_path: Path) -> None:
    left = left_by_a_killed_process(tmp_path / "out")
    with atomic_folder(tmp_path / "out", sums=False) as part:
        (part / "fresh").write_text("y")
        assert not left.exists()
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "fresh"]


def test_what_others_are_writing_is_left_alone(tmp_path: Path) -> None:
    living = scratch_name(tmp_path / "out", os.getppid())
    other_target = left_by_a_killed_process(tmp_path / "out.csv")
    living.mkdir()
    for _ in range(2):
        with atomic_folder(tmp_path / "out"):
            pass
    assert living.exists()
    assert other_target.exists()


def test_two_processes_write_the_same_target_and_it_is_always_whole(tmp_path: Path) -> None:
    together = multiprocessing.get_context("fork").Barrier(2)
    writers = [
        multiprocessing.get_context("fork").Process(target=write_often, args=(tmp_path, together))
        for _ in range(2)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    files = [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))]
    assert files == ["file", "folder", "folder/a", "folder/b"]


def write_often(folder: Path, together: Barrier) -> None:
    for _ in range(20):
        with atomic_file(folder / "file") as part:
            part.write_text("whole")
            together.wait()
        with atomic_folder(folder / "folder", sums=False) as part:
            (part / "a").write_text("whole")
            together.wait()
            (part / "b").write_text("whole")


def test_git_and_dvc_see_nothing_of_what_is_half_written(root: Path, tmp_path: Path) -> None:
    for name in (".gitignore", ".dvcignore"):
        shutil.copy(root / name, tmp_path / name)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    out = tmp_path / "out"
    with DvcRepo.init(str(tmp_path), no_scm=True) as repo:
        write_json(out / "a.json", {})
        alone = hash_of(repo, out)
        (left_by_a_killed_process(out / "a.json") / "a.json").write_text("half")
        assert hash_of(repo, out) == alone
        write_json(out / "b.json", {})
        assert hash_of(repo, out) != alone
    left_by_a_killed_process(out)
    untracked = ["git", "ls-files", "--others", "--exclude-standard"]
    seen = subprocess.run(untracked, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "out/b.json" in seen.stdout
    assert ".part" not in seen.stdout


def hash_of(repo: DvcRepo, out: Path) -> str:
    return repo.add(str(out))[0].outs[0].hash_info.value


def test_a_failed_file_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk full"):
        write_half_a_file(tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


def test_json_is_sorted_and_ends_in_a_newline(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"b": 1, "a": "é"})
    assert (tmp_path / "x.json").read_text() == '{\n  "a": "é",\n  "b": 1\n}\n'


def row(**changes: object) -> Result:
    plain = Result("m", 1 / 3, study="s", encoder="e", task="t", state="random", seed=1, layer=0)
    return plain._replace(**changes)


def test_results_are_sorted_and_rounded_to_six_digits(tmp_path: Path) -> None:
    write_results([row(layer=2), row(layer=1, value=123456.789)], tmp_path / "r.csv")
    frame = read_results(tmp_path / "r.csv")
    assert tuple(frame.columns) == COLUMNS
    assert frame.layer.tolist() == [1, 2]
    assert frame.value.tolist() == [123457.0, 0.333333]
    assert frame.low.isna().all()
    assert frame.label.tolist() == ["", ""]
    assert frame.step.tolist() == [-1, -1]


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


def test_json_says_null_of_what_is_undefined_and_refuses_infinity(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"kappa": float("nan"), "all": [1.0, float("nan")]})
    assert read_json(tmp_path / "a.json") == {"kappa": None, "all": [1.0, None]}
    assert "NaN" not in (tmp_path / "a.json").read_text()
    with pytest.raises(ArtifactError, match="infinite number"):
        write_json(tmp_path / "b.json", {"accuracy": float("inf")})
    assert not (tmp_path / "b.json").exists()
