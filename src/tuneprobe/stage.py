"""What stage scripts and the command line share: options, and one line for a user's mistake."""

import os
import sys
from collections.abc import Callable
from typing import Annotated, TypedDict

import typer

from tuneprobe.errors import TuneprobeError

MISTAKE = 2
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
    """Call `command`; a mistake, or a refusing file system, ends in one line, exit code 2."""
    try:
        command()
    except (TuneprobeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(MISTAKE) from None
