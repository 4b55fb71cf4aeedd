"""What stage scripts and the command line share: options, and one line for a user's mistake."""

import os
import re
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Annotated, NoReturn, TypedDict

import typer

from tuneprobe.errors import TuneprobeError

MISTAKE = 2
NO_MEMORY = re.compile("allocate memory|not enough memory|out of memory", re.IGNORECASE)  # torch
WORKERS, BACKEND = "TUNEPROBE_WORKERS", "TUNEPROBE_BACKEND"
BACKENDS = ("local", "dask")

EncoderName = Annotated[str, typer.Option("--encoder", help="A name under `encoders`.")]
TaskName = Annotated[str, typer.Option("--task", help="A name under `tasks`.")]
State = Annotated[str, typer.Option("--state", help="What is tuned, and from which weights.")]
Seed = Annotated[int, typer.Option("--seed", help="Of tuning and of the probes.")]
Study = Annotated[str, typer.Option("--study", help="Whose settings it is tuned with.")]


class SpreadError(TuneprobeError):
    """A variable of the environment that says nothing a stage understands."""


class Spread(TypedDict):
    """In how many processes a stage works, and where; no result depends on it."""

    workers: int
    backend: str


def spread() -> Spread:
    """What the environment says: ``TUNEPROBE_WORKERS`` (1) and ``TUNEPROBE_BACKEND`` (local)."""
    workers, backend = os.environ.get(WORKERS, "1"), os.environ.get(BACKEND, BACKENDS[0])
    if not workers.isdecimal() or int(workers) < 1:
        raise SpreadError(f"{WORKERS} is {workers!r}, expected a number of processes: 1, 2, …")
    if backend not in BACKENDS:
        raise SpreadError(f"{BACKEND} is {backend!r}, expected {' or '.join(BACKENDS)}.")
    return {"workers": int(workers), "backend": backend}


def run(main: Callable[..., None]) -> None:
    """Run the function of a stage script as a Typer command."""
    exit_on_mistake(lambda: typer.run(main))


def exit_on_mistake(command: Callable[[], None]) -> None:
    """Call `command`; what a user can mend ends in one line on stderr, exit code 2.

    That is a mistake, a file system that refuses, or memory that runs out. Typer itself ends
    quietly where Ctrl-C is pressed or the reader of the output goes away (``| head``).
    """
    if isinstance(sys.stdout, TextIOWrapper):  # a locale without a letter does not stop a print
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        command()
    except (TuneprobeError, OSError) as error:
        _end(f"error: {error}")
    except (MemoryError, RuntimeError) as error:
        if not (isinstance(error, MemoryError) or NO_MEMORY.search(str(error))):
            raise
        said = " ".join(str(error).split()) or "no more of it is free"
        _end(
            f"error: memory ran out ({said}): close what else needs it, lower {WORKERS} or, in "
            "params.yaml, tokens_per_batch, and run the same command again."
        )


def _end(line: str) -> NoReturn:
    print(line, file=sys.stderr)  # noqa: T201
    raise SystemExit(MISTAKE) from None
