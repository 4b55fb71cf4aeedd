"""A stage's command in a forked process does what the shell would have it do."""

import os
import signal
import time
from pathlib import Path

import pytest
from forked import LIBRARIES

from tuneprobe import commands

SCRIPT = """
import os, sys, time
import neighbour
print(neighbour.NAME, sys.argv, os.environ["GIVEN"], os.environ.get("OUTER"), os.getcwd())
if "sleep" in sys.argv:
    time.sleep(60)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(commands, "LIBRARIES", LIBRARIES)  # the fork server of all tests
    (tmp_path / "stages").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "stages" / "one.py").write_text(SCRIPT)
    (tmp_path / "src" / "neighbour.py").write_text("NAME = 'next door'")
    return tmp_path


def begin(folder: Path, text: str) -> commands.Command:
    outer = {"PATH": os.environ["PATH"], "OUTER": "yes"}
    shell = ["bash", "--noprofile", "--norc", "-c", text]
    return commands.start(shell, text, folder / "log", cwd=str(folder), env=outer)


@pytest.mark.parametrize("end", ["", " | cat; exit ${PIPESTATUS[0]}"], ids=["forked", "shell"])
def test_arguments_environment_folder_and_exit_code(folder: Path, end: str) -> None:
    command = begin(folder, f"GIVEN=1 PYTHONPATH=src python stages/one.py 3 --task 'a b'{end}")
    assert isinstance(command, commands._Shell if end else commands._Forked)
    assert command.wait(60)
    assert command.poll() == 3
    said = (folder / "log").read_text().strip()
    assert said == f"next door ['stages/one.py', '3', '--task', 'a b'] 1 yes {folder}"


@pytest.mark.parametrize(("launcher", "kind"), [("", "_Forked"), ("nohup python", "_Shell")])
def test_a_launcher_is_taken_from_the_environment(folder: Path, launcher: str, kind: str) -> None:
    (folder / "stages" / "one.py").write_text("print('ran')")
    text = "${LAUNCHER:-python} stages/one.py"
    outer = {"PATH": os.environ["PATH"], "LAUNCHER": launcher}
    shell = ["bash", "--noprofile", "--norc", "-c", text]
    command = commands.start(shell, text, folder / "log", cwd=str(folder), env=outer)
    assert type(command) is getattr(commands, kind)
    assert command.wait(60)
    assert (folder / "log").read_text().endswith("ran\n")


def test_a_forked_command_leads_a_group_that_a_signal_ends(folder: Path) -> None:
    command = begin(folder, "GIVEN=1 PYTHONPATH=src python stages/one.py 0 sleep")
    while not (folder / "log").read_text():
        time.sleep(0.02)
    assert command.poll() is None
    assert os.getpgid(command.pid) == command.pid
    os.killpg(command.pid, signal.SIGTERM)
    assert command.wait(10)
    assert command.poll() == -signal.SIGTERM


def test_what_a_script_raises_stands_in_the_log(folder: Path) -> None:
    (folder / "stages" / "one.py").write_text("raise ValueError('no such thing')")
    command = begin(folder, "python stages/one.py")
    assert command.wait(60)
    assert command.poll() == 1
    assert "ValueError: no such thing" in (folder / "log").read_text()


def test_the_libraries_can_be_imported() -> None:
    for name in commands.LIBRARIES:
        __import__(name)
