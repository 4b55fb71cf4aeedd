"""Commands in processes of their own, forked from one that has imported what they need.

A start of Python with torch, pandas or DVC costs seconds, and most tests that start a process ask
for its death, its output or its files and not for its start. `test_stages` starts stages, and
`test_storage` DVC, as a user does.
"""

import atexit
import gc
import os
import runpy
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from shutil import rmtree
from subprocess import CompletedProcess, TimeoutExpired
from tempfile import mkdtemp
from weakref import finalize

CONTEXT = get_context("forkserver")
LIBRARIES = (  # one server forks all processes of a test process: the first that starts it says
    "__main__",
    *("torch", "transformers.models.bert", "pandas", "pyarrow", "scipy.stats", "distributed"),
    *("sklearn.cluster", "sklearn.linear_model", "sklearn.svm", "safetensors.torch"),
    *("dvc.cli", "dvc.repo", "dvc.repo.experiments", "dvc.stage", "dvc_s3", "s3fs", "dvclive"),
    "tuneprobe.cli",
)
CONTEXT.set_forkserver_preload(list(LIBRARIES))


class Forked:
    """A Python command that runs, in a session of its own, as `subprocess.Popen` has it.

    Parameters
    ----------
    words : sequence of str
        ``dvc``, ``tuneprobe``, or what ``python`` runs (a script, ``-c``, ``-m``); and arguments.
    """

    def __init__(
        self, words: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None
    ) -> None:
        folder = Path(mkdtemp(prefix="forked-"))
        finalize(self, rmtree, folder, ignore_errors=True)
        self.words, self.out, self.err = list(words), folder / "out", folder / "err"
        settings = (self.words, cwd, dict(os.environ if env is None else env), self.out, self.err)
        self.process = CONTEXT.Process(target=_become, args=settings)
        self.process.start()
        assert self.process.pid
        self.pid = self.process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        return self.process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self.process.join(timeout)
        if self.returncode is None:
            raise TimeoutExpired(self.words, timeout or 0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it has said, once it has ended."""
        self.wait(timeout)
        return self.out.read_text(), self.err.read_text()

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):  # it has ended
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def finished(
    words: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None
) -> CompletedProcess[str]:
    """A command to its end, as `subprocess.run` has it; what it left running is not waited for."""
    running = Forked(words, cwd, env)
    out, err = running.communicate(timeout=300)
    return CompletedProcess(running.words, running.wait(), out, err)


def _become(words: list[str], cwd: Path, env: dict[str, str], out: Path, err: Path) -> None:
    gc.freeze()  # what the server has imported stays
    os.setsid()
    for number, file in ((1, out), (2, err)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = words
    try:
        _run(words)
    finally:  # what the interpreter does at its end, in its order
        threading._shutdown()
        atexit._run_exitfuncs()


def _run(words: list[str]) -> None:
    kind, *rest = words
    if kind == "dvc":
        from dvc.cli import main

        sys.exit(main(rest))
    if kind == "tuneprobe":
        from tuneprobe.cli import main

        sys.exit(main())
    if kind == "-c":
        code, *arguments = rest
        sys.argv = ["-c", *arguments]
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    elif kind == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(kind, run_name="__main__")
