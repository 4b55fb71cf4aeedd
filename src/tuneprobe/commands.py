"""Commands of stages: a Python script in a process that has torch and pandas already, or a shell.

A stage of the pipeline spends five to seven seconds of processor time on importing libraries. Where
a command is a plain `python script.py …`, it is forked from one server process that imported them
once (`multiprocessing`'s fork server). Only libraries are imported there, none of the project's own
modules: a script runs the code that lies in the folder when its stage begins.
"""

import multiprocessing
import os
import re
import runpy
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

LIBRARIES = (  # what the stages import, in the order of what it costs
    "torch",
    "transformers.models.auto.modeling_auto",
    "transformers.models.bert.modeling_bert",
    "scipy.optimize",
    "scipy.stats",
    "pandas",
    "pyarrow.parquet",
    "pydantic",
    "typer",
)
SHELL = re.compile(r"[|&;<>()$`\\*?\[\]#~{}!\n]")  # what only a shell can do
ASSIGNMENT = re.compile(r"(\w+)=(.*)")
DEFAULTED = re.compile(r"\$\{(\w+):-(\w+)\}")  # the shell's: a variable, or else this word


class Command(Protocol):
    """A command that runs in a session of its own."""

    @property
    def pid(self) -> int:
        """The process, which leads its session."""

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it has ended, after at most so many seconds."""


@dataclass(frozen=True)
class Script:
    """`A=b python script.py argument …`, taken apart."""

    path: str
    arguments: tuple[str, ...]
    environment: dict[str, str]


def start(words: list[str] | str, text: str, log: Path, **settings: Any) -> Command:
    """Start a command; what it prints goes to a file.

    Parameters
    ----------
    words : list of str
        The whole command, for `subprocess.Popen`.
    text : str
        The command as it is written.
    settings : Any
        Of `subprocess.Popen`: ``cwd``, ``env`` and the rest.
    """
    environment = dict(settings["env"])
    script = as_script(DEFAULTED.sub(lambda v: environment.get(v[1]) or v[2], text))
    if script and "forkserver" in multiprocessing.get_all_start_methods():
        return _Forked(script, log, str(settings["cwd"]), environment)
    return _Shell(words, log, settings)


def as_script(text: str) -> Script | None:
    """The script that a command runs, or None where it needs a shell or is something else.

    >>> as_script("PYTHONPATH=src python stages/tune.py --seed 3").arguments
    ('--seed', '3')
    >>> as_script("python stages/tune.py > log"), as_script("dvc version")
    (None, None)
    """
    if SHELL.search(text):
        return None
    words, environment = shlex.split(text), {}
    while words and (assigned := ASSIGNMENT.fullmatch(words[0])):
        environment[assigned[1]] = assigned[2]
        words.pop(0)
    if len(words) < 2 or words[0] != "python" or not words[1].endswith(".py"):
        return None
    return Script(words[1], tuple(words[2:]), environment)


class _Shell:
    def __init__(self, words: list[str] | str, log: Path, settings: dict[str, Any]) -> None:
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                words, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, **settings
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def poll(self) -> int | None:
        return self.process.poll()

    def wait(self, seconds: float | None = None) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.process.poll() is not None


class _Forked:
    def __init__(self, script: Script, log: Path, folder: str, environment: dict[str, str]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(LIBRARIES))
        log.write_bytes(b"")
        self.process: BaseProcess = context.Process(
            target=_run, args=(script, str(log.resolve()), folder, environment)
        )
        self.process.start()

    @property
    def pid(self) -> int:
        assert self.process.pid is not None  # it was started
        return self.process.pid

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self, seconds: float | None = None) -> bool:
        self.process.join(seconds)
        return self.process.exitcode is not None


def _run(script: Script, log: str, folder: str, environment: dict[str, str]) -> None:
    """In the forked process: what the shell and the interpreter would do for this script."""
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.close(output)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment | script.environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    own = [str(Path(script.path).resolve().parent), *(str(Path(p).resolve()) for p in given if p)]
    sys.path[:] = own + [p for p in sys.path if p not in ("", *own)]
    sys.argv[:] = [script.path, *script.arguments]
    runpy.run_path(script.path, run_name="__main__")
