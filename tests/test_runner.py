"""`tuneprobe repro`: DVC's own graph, side by side, as exact as `dvc repro`."""

import re
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from miniature import Done, Project, miniature, until

from tuneprobe.runner import Runner

pytestmark = pytest.mark.slow

CALL = """
from tuneprobe import commands, runner
from tuneprobe.stage import exit_on_mistake
commands.LIBRARIES = ()  # the fork server starts sooner
exit_on_mistake(lambda: print(runner.repro(2, lambda line: print(line, flush=True), force={force})))
"""


def words(force: bool = False) -> tuple[str, ...]:
    return ("-c", CALL.format(force=force))


def repro(project: Project, root: Path, **environment: str) -> Done:
    return project.run(*words(), PYTHONPATH=str(root / "src"), **environment)


@pytest.fixture(scope="module")
def fresh(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The miniature before its first run."""
    return miniature(root, tmp_path_factory.mktemp("fresh"))


@pytest.fixture
def project(fresh: Project, tmp_path: Path) -> Project:
    return fresh.copy(tmp_path)


def told(done: Done) -> dict[str, str]:
    """What was said of each stage, by its name."""
    lines = [re.match(r"\[(\d)/5\] (\S+) (.+)", line) for line in done.text.splitlines()]
    return {line[2]: f"{line[1]} {line[3]}" for line in lines if line}


def test_it_makes_what_dvc_makes_and_dvc_has_nothing_left_to_do(
    project: Project, root: Path, tmp_path_factory: pytest.TempPathFactory, fresh: Project
) -> None:
    done = repro(project, root)
    assert done.code == 0, done.text
    assert list(told(done)) == [*list(told(done))[:4], "collect"]
    assert set(told(done)) == {"prepare", "tune", "probe@plain", "probe@tuned", "collect"}
    assert re.fullmatch(r"1 \d+ s  \(about \d+ s left\)", told(done)["prepare"])
    assert re.fullmatch(r"5 \d+ s", told(done)["collect"])
    assert project.ok("repro").ran == []
    assert "up to date" in project.ok("status").text
    plain = fresh.copy(tmp_path_factory.mktemp("plain"))
    plain.ok("repro")
    assert project.made() == plain.made()
    ours, theirs = ((p.folder / "dvc.lock").read_text() for p in (project, plain))
    assert sorted(ours.splitlines()) == sorted(theirs.splitlines())


def test_what_is_up_to_date_is_not_run_and_what_the_cache_has_is_restored(
    project: Project, root: Path
) -> None:
    project.ok("repro")
    assert "ran=0, restored=0, current=5" in repro(project, root).text
    params = project.folder / "params.yaml"
    text = params.read_text()
    params.write_text(text.replace("scale: 1", "scale: 2"))
    assert "ran=3, restored=0, current=2" in repro(project, root).text
    params.write_text(text)
    assert "ran=0, restored=3, current=2" in repro(project, root).text
    forced = project.run(*words(force=True), PYTHONPATH=str(root / "src"))
    assert "ran=5, restored=0, current=0" in forced.text


def test_a_stage_that_fails_ends_the_run_with_its_output(project: Project, root: Path) -> None:
    script = project.folder / "stages" / "tune.py"
    script.write_text(script.read_text() + "\nsys.exit('no such weights')\n")
    done = repro(project, root)
    assert done.code == 2
    assert "error: stage tune ended with 1" in done.text
    assert done.text.rstrip().endswith("no such weights")
    assert set(told(done)) <= {"prepare", "probe@plain"}
    assert "Traceback" not in done.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_ended_ends_its_stages(
    project: Project, root: Path, number: signal.Signals
) -> None:
    waits = {"MINIATURE_WAIT_IN": "tune", "MINIATURE_SIGNALS": str(project.folder.parent)}
    running = project.start(*words(), PYTHONPATH=str(root / "src"), **waits)
    until((project.folder.parent / "waits").exists, "the stage did not start", seconds=90)
    stage = psutil.Process(int((project.folder.parent / "waits").read_text()))
    running.send_signal(number)
    running.communicate(timeout=60)
    assert running.returncode == 128 + number
    assert not stage.is_running() or stage.status() == psutil.STATUS_ZOMBIE  # nobody waits for it
    assert repro(project, root).code == 0


def test_other_data_than_recorded_are_refused_and_the_record_stays(
    project: Project, root: Path
) -> None:
    record = (project.folder / "data.dvc").read_bytes()
    (project.folder / "data" / "words.txt").write_text("other words")
    done = repro(project, root)
    assert done.code == 2
    assert "error: data is not what data.dvc records" in done.text
    assert (project.folder / "data.dvc").read_bytes() == record


@pytest.mark.parametrize(("always", "end"), [(False, "5 s  (about 20 s left)"), (True, "5 s")])
def test_a_stage_that_always_runs_promises_no_time(always: bool, end: str) -> None:
    stage, other = (SimpleNamespace(addressing=n, always_changed=always) for n in ("one", "two"))
    said: list[str] = []
    runner: Any = Runner(None, 1, said.append)
    runner._tell(stage, "5 s", 1, [stage, other], [stage], {})
    assert said == [f"[1/2] one {end}"]
