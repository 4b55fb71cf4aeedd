"""Experiments as docs/experiments.md tells: queued, shown, compared, applied, shared by Git."""

import csv
import io
import json
import shutil
from pathlib import Path

import psutil
import pytest
import vl_convert
import yaml
from dvc.repo import Repo
from miniature import Project, committed_run, miniature, until

pytestmark = pytest.mark.slow

LATE = ("exp", "run", "--queue", "-n", "late", "-S", "tune.rate=70")


@pytest.fixture(scope="module")
def project(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The miniature with experiments of a queue, one of whose two workers was killed."""
    folder = tmp_path_factory.mktemp("experiments")
    project = committed_run(miniature(root, folder))
    project.ok(*LATE)
    for name, setting in (("plain", "focus=plain"), ("double", "probe.scale=2")):
        project.ok("exp", "run", "--queue", "-n", name, "-S", setting)
    late = {"MINIATURE_WAIT_IN": "tune", "MINIATURE_SIGNALS": str(folder)}
    project.ok("queue", "start", "--jobs", "2", **late)
    until((folder / "waits").exists, "no worker took the experiment", seconds=60)
    worker_of(stage_of(project)).kill()
    until(lambda: {"plain", "double"} <= kept(project), "the other worker stopped", seconds=60)
    assert "stages/collect.py" in project.ok("queue", "logs", "--follow", "plain").text
    return project


def stage_of(project: Project) -> psutil.Process:
    """The process of the stage that waits."""
    return psutil.Process(int((project.folder.parent / "waits").read_text()))


def worker_of(stage: psutil.Process) -> psutil.Process:
    """The worker of the queue that runs a stage, by way of the experiment's process."""
    return next(one for one in stage.parents() if "queue-worker" in one.cmdline())


def kept(project: Project) -> set[str]:
    """The names of the experiments that are done."""
    return {path.name for path in (project.folder / ".git" / "refs" / "exps").rglob("*")}


def status(project: Project) -> dict[str, str]:
    """What `dvc queue status` says of each experiment."""
    lines = [line.split() for line in project.ok("queue", "status").text.splitlines()]
    header = lines.index(["Task", "Name", "Created", "Status"])
    tasks = lines[header + 1 : lines.index([], header)]
    return {words[1]: words[-1] for words in tasks}


def shown(project: Project) -> dict[str, dict[str, str]]:
    table = project.ok("exp", "show", "--csv", "--only-changed", "--drop", ".*json").text
    return {row["Experiment"] or row["rev"]: row for row in csv.DictReader(io.StringIO(table))}


def test_queued_experiments_are_shown_by_what_changed(project: Project) -> None:
    table = shown(project)
    assert {"plain", "double"} <= table.keys()
    assert (table["plain"]["focus"], table["double"]["probe.scale"]) == ("plain", "2")
    assert float(table["double"]["score"]) == 2 * float(table["main"]["score"])


def test_an_experiment_whose_worker_was_killed_is_closed_and_queued_again(
    project: Project,
) -> None:
    orphan = stage_of(project)  # goes on, but nobody waits for it
    assert status(project) == {"late": "Running", "plain": "Success", "double": "Success"}
    assert "late has been killed" in project.ok("queue", "kill", "late").text
    orphan.wait(timeout=30)
    assert status(project)["late"] == "Running"  # until it is killed once more

    def closed() -> bool:
        """The experiment's own process may still be ending when its stage has."""
        project.ok("queue", "kill", "late")
        return status(project)["late"] == "Failed"

    until(closed, "the experiment was not closed", seconds=60)
    project.ok("queue", "remove", "--failed")
    project.ok(*LATE)
    (project.folder.parent / "go").touch()  # for the second worker, if it is still there
    project.ok("queue", "start")
    until(lambda: "late" in kept(project), "the experiment did not run", seconds=60)
    table = shown(project)
    words, files = 5, 24
    assert float(table["late"]["score"]) == float(table["main"]["score"]) + words * files


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


def test_plots_of_two_revisions_are_drawn_together(root: Path, project: Project) -> None:
    recorded = {table.stem for table in (root / "metrics" / "plots").iterdir()}
    declared = yaml.safe_load((root / "dvc.yaml").read_text())["plots"]
    plots = [plot for plot in declared if set(plot) <= recorded]  # a new one has no table yet
    assert len(plots) >= 9
    folder = project.folder.parent / "plots"
    shutil.copytree(root / ".dvc" / "plots", folder / ".dvc" / "plots")
    tables = folder / "metrics" / "plots"
    tables.mkdir(parents=True)
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"plots": plots}))
    both = Project(folder, project.home)
    both.git("init", "--quiet")
    for name, digit in (("slow", "8"), ("fast", "7")):
        for table in (root / "metrics" / "plots").iterdir():
            (tables / table.name).write_text(table.read_text().replace(",9", f",{digit}"))
        both.git("add", "--all")
        both.git("commit", "--quiet", "--message", name)
        both.git("tag", name)
    drawn = json.loads(both.ok("plots", "diff", "slow", "fast", "--json").text)["data"]
    assert drawn.keys() == {name for plot in plots for name in plot}
    for name, (plot,) in drawn.items():
        assert "<DVC_METRIC" not in plot["content"], name
        picture = vl_convert.vegalite_to_svg(plot["content"])
        assert ">slow<" in picture, name
        assert ">fast<" in picture, name
    heads = vl_convert.vegalite_to_svg(drawn["map_similarity"][0]["content"])
    assert heads.index(">2<") < heads.index(">10<")  # numbers, though DVC reads words
