"""`tuneprobe run`: an experiment differs from the last commit in what it names."""

import os
import shutil
from pathlib import Path

import pytest
from repository import git
from typer.testing import CliRunner

from tuneprobe.cli import app
from tuneprobe.experiment import ExperimentError, changed_params
from tuneprobe.params import ParamsError

DVC = """#!/bin/sh
printf '%s\\0' "$@" > called
cp params.yaml began
echo 'focus: left behind' >> params.yaml
exit ${FAILS:-0}
"""


@pytest.fixture
def checkout(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A commit with params.yaml, and a `dvc` that writes down what it is told."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(root / "params.yaml", tmp_path)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "params.yaml")
    git(tmp_path, "commit", "--quiet", "--message", "params")
    dvc = tmp_path / "bin" / "dvc"
    dvc.parent.mkdir()
    dvc.write_text(DVC)
    dvc.chmod(0o755)
    monkeypatch.setenv("PATH", f"{dvc.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def run(*words: str) -> int:
    return CliRunner().invoke(app, ["run", *words], catch_exceptions=False).exit_code


def test_experiments_in_a_row_each_begin_with_what_is_committed(root: Path, checkout: Path) -> None:
    committed = (root / "params.yaml").read_text()
    for name, setting in (("pre", "focus=pretrained"), ("slow", "finetune.learning_rate=3e-5")):
        assert run(name, setting) == 0
        words = (checkout / "called").read_text().split("\0")[:-1]
        assert words == ["exp", "run", "--name", name, "-S", setting]
        assert (checkout / "began").read_text() == committed
        assert (checkout / "params.yaml").read_text() == committed


def test_any_list_may_be_emptied_beside_any_other(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC rewrites params.yaml; a list in lines of its own, with a comment, it would break."""
    monkeypatch.chdir(root)
    lists = ("geometry.dynamics.tasks", "geometry.cross.tasks", "geometry.cross.tuned_on")
    emptied = changed_params([f"{key}=[]" for key in lists])
    assert emptied.geometry.dynamics.tasks == emptied.geometry.cross.tuned_on == ()
    assert changed_params([f"{lists[0]}=[]"]).geometry.cross.tasks == ("world-ps-fxn",)


def test_params_are_put_back_after_an_experiment_that_fails(
    root: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILS", "3")
    assert run("bad", "finetune.epochs=2") == 3
    assert (checkout / "params.yaml").read_text() == (root / "params.yaml").read_text()


def test_params_that_are_not_committed_are_refused(checkout: Path) -> None:
    params = checkout / "params.yaml"
    params.write_text(params.read_text().replace("threads: 1", "threads: 2"))
    with pytest.raises(ExperimentError, match=r"params\.yaml differs from the last commit"):
        run("slow", "finetune.epochs=2")
    assert "threads: 2" in params.read_text()
    assert not (checkout / "called").exists()


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ("finetune.epochs", ExperimentError, "expected key=value"),
        ("finetune.epoch=2", ExperimentError, "epoch"),
        ("finetune.epochs=0", ParamsError, "finetune.epochs is 0"),
        ("geometry.tasks=[world-pso]", ParamsError, "Did you mean 'world-pos'"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_runs(
    checkout: Path, setting: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run("bad", setting)
    assert not (checkout / "called").exists()


def test_outside_of_git_it_is_one_sentence(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    shutil.copy(root / "params.yaml", tmp_path)
    with pytest.raises(ExperimentError, match="git status"):
        run("slow", "finetune.epochs=2")
