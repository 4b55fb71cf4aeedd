"""The stages of dvc.yaml in the order of DVC's own graph, several at a time.

DVC runs one stage after another. Here it decides, restores, hashes and records, in this process and
for one stage at a time, with the calls that `dvc repro` makes; only the commands run side by side.
What was made is up to date for `dvc repro`, and the other way round.
"""

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from types import FrameType
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.reproduce import get_active_graph
from dvc.stage.cache import RunCacheNotFoundError
from dvc.stage.run import _make_cmd, get_executable, prepare_kwargs

from tuneprobe.artifacts import atomic_file
from tuneprobe.commands import Command, start
from tuneprobe.errors import TuneprobeError
from tuneprobe.paths import RECORDED_SECONDS

LOGS = Path(".cache") / "logs"
SECONDS = Path(".cache") / "seconds.json"  # that each stage took the last time
UNKNOWN = 20.0  # seconds of a stage that never ran
POLL = 0.05  # seconds between two looks at the running commands
TAIL = 15  # lines of a failed stage's output that are shown
PATIENCE = 5.0  # seconds that a command has to end after SIGTERM
LOCK_EVERY = 60.0  # seconds between two writings of dvc.lock, each of which reads all of it


class RunnerError(TuneprobeError):
    """A stage that failed, or data that are not those of data.dvc."""


@dataclass
class Running:
    """A stage whose command runs."""

    stage: Any
    command: Command
    log: Path
    began: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Summary:
    """What a run did: stages by what became of them, and the seconds it took."""

    ran: int
    restored: int
    current: int
    seconds: float


@dataclass
class Runner:
    """Runs what is ready, `jobs` at a time.

    Attributes
    ----------
    repo : Repo
        Opened at the top of the repository, the current folder.
    jobs : int
    say : callable
        Gets one line for every stage that ends.
    """

    repo: Repo
    jobs: int
    say: Callable[[str], None]
    running: list[Running] = field(default_factory=list)
    unlocked: list[Any] = field(default_factory=list)  # stages made that dvc.lock does not have yet
    locked: float = field(default_factory=time.monotonic)

    def run(self, force: bool = False) -> Summary:
        """Run all stages that are not up to date; `force`: all of them, nothing from the cache.

        Raises
        ------
        RunnerError
            If a stage fails; the others are ended.
        """
        began = time.monotonic()
        graph = get_active_graph(self.repo.index.graph)
        self._refuse_other_data(graph)
        waits = {s: {d for d in graph.successors(s) if d.cmd} for s in graph if s.cmd}
        took = known_seconds()
        urgent = _urgency(graph, took)
        waiting = sorted(waits, key=lambda stage: (-urgent[stage], stage.addressing))
        done: set[Any] = set()
        counts = {"ran": 0, "restored": 0, "current": 0}
        with self._locking(), _ending(self.running):
            while waiting or self.running:
                ready = [s for s in waiting if waits[s] <= done]
                for stage in ready[: self.jobs - len(self.running)]:
                    waiting.remove(stage)
                    what = self._begin(stage, force)
                    if what:
                        counts[what] += 1
                        done.add(stage)
                        if what == "restored":
                            self._tell(stage, "from the cache", len(done), waits, done, took)
                for ended in self._ended():
                    took[ended.stage.addressing] = time.monotonic() - ended.began
                    self._finish(ended)
                    counts["ran"] += 1
                    done.add(ended.stage)
                    text = duration(took[ended.stage.addressing])
                    self._tell(ended.stage, text, len(done), waits, done, took)
                if time.monotonic() - self.locked > LOCK_EVERY:
                    self._lock()
        return Summary(**counts, seconds=time.monotonic() - began)

    def _refuse_other_data(self, graph: Any) -> None:
        """`dvc repro` would rewrite data.dvc without a word; the right data go into the cache."""
        for out in (out for stage in graph if not stage.cmd for out in stage.outs):
            with self.repo.lock:
                changed = not out.exists or out.changed_checksum()
                if not changed and out.changed_cache():
                    out.commit()
            if changed:
                raise RunnerError(
                    f"{out} is not what {out.stage.relpath} records: run 'tuneprobe data default' "
                    f"or 'dvc pull {out.stage.relpath}', or record it with 'dvc add'."
                )

    def _begin(self, stage: Any, force: bool) -> str:
        """Start a stage; what became of it where there is nothing to wait for."""
        with self.repo.lock:
            if not force and not stage.changed():
                return "current"
            stage.remove_outs(ignore_remove=False, force=False)
            if not force and self._restored(stage):
                return "restored"
            stage.save_deps()
        LOGS.mkdir(parents=True, exist_ok=True)
        log = LOGS / f"{stage.addressing.replace('/', '-')}.log"
        settings = prepare_kwargs(stage)
        settings["env"]["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        command = start(_make_cmd(get_executable(), stage.cmd), stage.cmd, log, **settings)
        self.running.append(Running(stage, command, log))
        return ""

    def _restored(self, stage: Any) -> bool:
        """Whether the run cache had what the stage would make; then it is recorded."""
        try:
            self.repo.stage_cache.restore(stage)
        except RunCacheNotFoundError:
            return False
        self._record(stage)
        return True

    def _record(self, stage: Any) -> None:
        """What `Stage.run` and `dvc repro` do once the outputs are there, but for dvc.lock."""
        uncached = any(
            not out.use_cache for out in stage.outs if not (out.is_metric or out.is_plot)
        )
        stage.save(run_cache=not uncached)
        stage.commit()
        self.unlocked.append(stage)

    def _lock(self) -> None:
        """Write what was made into dvc.lock: once for many stages, since that takes seconds."""
        if self.unlocked:
            with self.repo.lock:
                self.unlocked[0].dvcfile.dump_stages(self.unlocked, update_pipeline=False)
            self.unlocked.clear()
        self.locked = time.monotonic()

    @contextmanager
    def _locking(self) -> Iterator[None]:
        """Whatever ends the block, dvc.lock has what was made; after a kill the run cache has."""
        try:
            yield
        finally:
            self._lock()

    def _ended(self) -> list[Running]:
        """The stages whose command has ended, after a short wait."""
        if self.running:
            time.sleep(POLL)
        ended = [one for one in self.running if one.command.poll() is not None]
        for one in ended:
            self.running.remove(one)
        return ended

    def _finish(self, ended: Running) -> None:
        """Record what a command made."""
        name, code = ended.stage.addressing, ended.command.poll()
        if code:
            lines = ended.log.read_text(errors="replace", encoding="utf-8").splitlines()
            tail = "\n".join(line.split("\r")[-1] for line in lines[-TAIL:])
            raise RunnerError(
                f"stage {name} ended with {code}; the others were stopped. Its output is in "
                f"{ended.log}, its end:\n{tail}"
            )
        try:
            with self.repo.lock:
                self._record(ended.stage)
        except DvcException as error:
            raise RunnerError(f"stage {name}: {error}") from error
        with atomic_file(SECONDS) as part:
            seconds = {**known_seconds(), name: round(time.monotonic() - ended.began, 1)}
            part.write_text(json.dumps(seconds), encoding="utf-8")

    def _tell(
        self, stage: Any, text: str, n_done: int, waits: Any, done: set[Any], took: dict[str, float]
    ) -> None:
        # A stage that always runs says nothing of the others: all may be up to date.
        rest = [other.addressing for other in waits if other not in done]
        seconds = sum(took.get(name, _typical(name, took)) for name in rest) / self.jobs
        left = f"  (about {duration(seconds)} left)" if rest and not stage.always_changed else ""
        self.say(f"[{n_done}/{len(waits)}] {stage.addressing} {text}{left}")


def repro(jobs: int, say: Callable[[str], None], *, force: bool = False) -> Summary:
    """Run the pipeline of the current folder.

    Raises
    ------
    RunnerError
        If a stage fails, data differ from data.dvc, or DVC refuses.
    """
    logging.getLogger("dvc").setLevel(logging.WARNING)  # it would tell of each file that it writes
    try:
        with Repo() as repo:
            return Runner(repo, jobs, say).run(force)
    except DvcException as error:
        raise RunnerError(str(error)) from error


def known_seconds() -> dict[str, float]:
    """How long each stage took the last time, here or else in the recorded run, by name."""
    found: dict[str, float] = {}
    for path in (RECORDED_SECONDS, SECONDS):
        with suppress(OSError, ValueError):
            found |= json.loads(path.read_text(encoding="utf-8"))
    return found


def _urgency(graph: Any, took: dict[str, float]) -> dict[Any, float]:
    """Seconds from the start of a stage to the end of the last one that waits for it."""
    found: dict[Any, float] = {}

    def urgency(stage: Any) -> float:
        if stage not in found:
            own = took.get(stage.addressing, _typical(stage.addressing, took))
            found[stage] = own + max(map(urgency, graph.predecessors(stage)), default=0.0)
        return found[stage]

    for stage in graph:
        urgency(stage)
    return found


def _typical(name: str, took: dict[str, float]) -> float:
    """The mean of the stages of the same kind, or of all, or a guess."""
    kind = name.partition("@")[0]
    alike = [seconds for other, seconds in took.items() if other.partition("@")[0] == kind]
    return fmean(alike or took.values() or [UNKNOWN])


def duration(seconds: float) -> str:
    """Seconds in words.

    >>> duration(28.4), duration(200), duration(4000)
    ('28 s', '3 min', '1 h 7 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def _ending(running: list[Running]) -> Iterator[None]:
    """Whatever ends this process ends the commands too, and all that they started."""

    def stop(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        for one in running:
            _signal(one.command, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        for one in running:
            if not one.command.wait(max(deadline - time.monotonic(), 0)):
                _signal(one.command, signal.SIGKILL)
                one.command.wait()
        for number, handler in before.items():
            signal.signal(number, handler)


def _signal(command: Command, number: int) -> None:
    try:
        os.killpg(command.pid, number)
    except ProcessLookupError:
        return
