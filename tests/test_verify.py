"""The recorded numbers are read from the committed remote, and compared with tolerances."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import yaml
from repository import git

from tuneprobe.cli import verify
from tuneprobe.formats.results import Result, read_results, stamp, write_results
from tuneprobe.measures import PERCENT, Measure
from tuneprobe.paths import RECORDED
from tuneprobe.recorded import LOCK, PARAMS, RecordedError, keep, lay_out, recorded_tables
from tuneprobe.verify import differing

TABLE = Path("results/e/t/classify/seed-13/layers.csv")
MEASURES = [Measure("classify", "accuracy", "accuracy", PERCENT)]
KEYS = {"study": "classify", "encoder": "e", "task": "t", "seed": 13}


def write(path: Path, *values: float, low: float = 80.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [Result("accuracy", value, low, 99.0, layer=n) for n, value in enumerate(values)]
    write_results(stamp(rows, **KEYS), path)
    return path


def record(root: Path, content: bytes, end: str = "") -> str:
    digest = hashlib.md5(content).hexdigest() + end
    path = root / RECORDED / "files" / "md5" / digest[:2] / digest[2:]
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return digest


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A checkout that recorded three numbers, and whose lock file is another by now."""
    root = tmp_path / "checkout"
    rows = record(root, write(tmp_path / "layers.csv", 86.3, 90.0, 50.0).read_bytes())
    listing = [{"md5": rows, "relpath": TABLE.name}, {"md5": "0" * 32, "relpath": "other.parquet"}]
    folder = record(root, json.dumps(listing).encode(), ".dir")
    outs = [{"path": TABLE.parent.as_posix(), "md5": folder}]
    (root / PARAMS).write_text("seed: 13")
    (root / LOCK).write_text(yaml.safe_dump({"schema": "2.0", "stages": {"c@t": {"outs": outs}}}))
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Record")
    (root / LOCK).write_text("stages: {}\n")
    git(root, "commit", "--quiet", "--all", "--message", "Run another")
    return root


def test_another_machine_is_within_tolerance_and_a_wrong_number_is_one_line(recorded: Path) -> None:
    found = recorded_tables(recorded, [TABLE, Path("results/e/t/change/seed-13/layers.csv")])
    assert list(found) == [TABLE]
    here = write(recorded / TABLE, 86.15, 91.9, 50.0)
    assert list(differing(read_results(here), found[TABLE], MEASURES)) == []
    write(here, 86.15, 92.1, 50.0, float("nan"))
    assert list(differing(read_results(here), found[TABLE], MEASURES)) == [
        "classify e t seed=13 layer=1 accuracy: value 92.1, recorded 90 (tolerance 2 %)",
        "classify e t seed=13 layer=3 accuracy: here alone",
    ]
    write(here, 86.3, float("nan"))
    lines = list(differing(read_results(here), found[TABLE], MEASURES))
    assert [line.partition("accuracy: ")[2] for line in lines] == [
        "value nan, recorded 90 (tolerance 2 %)",
        "recorded, but not here",
    ]
    write(here, 86.3, 90.0, 50.0, low=77.0)
    assert len(list(differing(read_results(here), found[TABLE], MEASURES))) == 3


def test_what_was_never_recorded_or_is_lost_is_one_sentence(recorded: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordedError, match=r"no commit of .* has recorded/ and dvc\.lock"):
        recorded_tables(tmp_path, [TABLE])
    for path in (recorded / RECORDED).rglob("*.dir"):
        path.unlink()
    with pytest.raises(RecordedError, match=r"\.dir is missing: take the folder recorded"):
        recorded_tables(recorded, [TABLE])


def test_the_recorded_run_is_laid_out_as_it_ran(recorded: Path, tmp_path: Path) -> None:
    (recorded / PARAMS).write_text("seed: 14")
    git(recorded, "commit", "--quiet", "--all", "--message", "Change a parameter")
    there = lay_out(recorded, "default", tmp_path / "run")
    assert (there / PARAMS).read_text() == "seed: 13"
    assert read_results(there / TABLE).value.tolist() == [86.3, 90.0, 50.0]
    assert [path.name for path in there.rglob("*.*")] == [PARAMS, TABLE.name]


def test_rows_are_kept_under_a_name_and_found_again(tmp_path: Path) -> None:
    (tmp_path / PARAMS).write_text("seed: 13")
    write(tmp_path / TABLE, 86.3)
    assert keep(tmp_path, "real", [TABLE]) == 1
    write(tmp_path / TABLE, 50.0)
    there = lay_out(tmp_path, "real", tmp_path / "unused")
    assert (there / PARAMS).read_text() == "seed: 13"
    assert read_results(there / TABLE).value.tolist() == [86.3]
    assert keep(tmp_path, "real", [TABLE]) == 1
    assert read_results(there / TABLE).value.tolist() == [50.0]
    with pytest.raises(RecordedError, match=r"no run 'other' .* expected default or one of real"):
        lay_out(tmp_path, "other", tmp_path / "unused")


def test_a_checkout_without_results_is_not_said_to_have_others_than_recorded(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(root / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecordedError, match="no result tables are here to compare"):
        verify(every=False)
