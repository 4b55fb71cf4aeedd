"""Experiments as docs/experiments.md tells: queued, shown, compared, applied, shared by Git."""

import csv
import io
from pathlib import Path

import pytest
from dvc.repo import Repo
from miniature import Project, committed_run, miniature

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The miniature with two experiments that workers of the queue ran."""
    project = committed_run(miniature(root, tmp_path_factory.mktemp("experiments")))
    for name, setting in (("plain", "focus=plain"), ("double", "probe.scale=2")):
        project.ok("exp", "run", "--queue", "-n", name, "-S", setting)
    project.ok("queue", "start", "--jobs", "2")
    project.ok("queue", "logs", "--follow", "plain")
    project.ok("queue", "logs", "--follow", "double")
    return project


def shown(project: Project) -> dict[str, dict[str, str]]:
    table = project.ok("exp", "show", "--csv", "--only-changed", "--drop", ".*json").text
    return {row["Experiment"] or row["rev"]: row for row in csv.DictReader(io.StringIO(table))}


def test_queued_experiments_are_shown_by_what_changed(project: Project) -> None:
    table = shown(project)
    assert {"plain", "double"} <= table.keys()
    assert (table["plain"]["focus"], table["double"]["probe.scale"]) == ("plain", "2")
    assert float(table["double"]["score"]) == 2 * float(table["main"]["score"])


def test_experiments_are_compared(project: Project) -> None:
    assert "probe.scale" in project.ok("params", "diff", "main", "double").text
    assert "score" in project.ok("metrics", "diff", "main", "double").text
    assert "focus" in project.ok("exp", "diff", "plain", "double").text


def test_an_experiment_travels_by_git_and_storage_and_nothing_runs_again(
    project: Project, tmp_path: Path
) -> None:
    project.git("init", "--quiet", "--bare", str(tmp_path / "group.git"))
    project.git("remote", "add", "group", str(tmp_path / "group.git"))
    project.git("push", "--quiet", "group", "main")
    project.ok("push")
    project.ok("exp", "push", "group", "double")
    clone = project.clone("clone")
    clone.git("remote", "add", "group", str(tmp_path / "group.git"))
    clone.ok("exp", "pull", "group", "double")
    clone.ok("exp", "apply", "double")
    clone.ok("pull")
    assert "scale: 2" in (clone.folder / "params.yaml").read_text()
    assert clone.ok("repro").ran == []
    clone.ok("exp", "save", "--name", "kept")
    clone.ok("exp", "branch", "kept", "kept-probe")
    clone.git("rev-parse", "--verify", "kept-probe")
    assert float(shown(clone)["double"]["score"]) == float(shown(project)["double"]["score"])


def test_an_artifact_is_named_for_others(project: Project) -> None:
    with Repo(str(project.folder)) as repo:
        named = repo.artifacts.read()["dvc.yaml"]
    assert named["checkpoint"].path == "checkpoints/mini"
