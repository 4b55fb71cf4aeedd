"""The command line: what `show` prints, and where a mistake ends."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tuneprobe.artifacts import ArtifactError
from tuneprobe.cli import app
from tuneprobe.stage import exit_on_mistake


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "metrics").mkdir()
    path = tmp_path / "metrics" / "summary.json"
    path.write_text('{"f1": 61.234, "long_f1": 50.0}')
    return path


def test_show_prints_every_headline_number(summary: Path) -> None:
    printed = CliRunner().invoke(app, ["show"]).stdout.split()
    assert printed == ["number", "value", "f1", "61.23", "long_f1", "50.00"]


def test_show_prints_json_for_programs(summary: Path) -> None:
    assert json.loads(CliRunner().invoke(app, ["show", "--json"]).stdout)["f1"] == 61.234


def test_show_without_a_run_says_what_to_run(summary: Path) -> None:
    summary.unlink()
    error = CliRunner().invoke(app, ["show"]).exception
    assert isinstance(error, ArtifactError)
    assert "run 'dvc repro'" in str(error)


def test_a_file_system_that_refuses_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device", "examples/x")

    with pytest.raises(SystemExit) as stop:
        exit_on_mistake(full)
    assert stop.value.code == 2
    assert capsys.readouterr().err == "error: [Errno 28] No space left on device: 'examples/x'\n"
