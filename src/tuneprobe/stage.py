"""What stage scripts and the command line share: one line for a user's mistake."""

import sys
from collections.abc import Callable
from io import TextIOWrapper

import typer

from tuneprobe.errors import TuneprobeError

MISTAKE = 2
SMALLER = "lower the batch, tokens_per_batch or workers of the step in params.yaml, or free memory."


def run(main: Callable[..., None]) -> None:
    """Run the function of a stage script as a Typer command."""
    exit_on_mistake(lambda: typer.run(main))


def exit_on_mistake(command: Callable[[], None]) -> None:
    """Call `command`; what a user can mend ends in one line on stderr and exit code 2.

    That is a mistake, a file system that refuses, and a memory that is too small.
    """
    if isinstance(sys.stdout, TextIOWrapper):  # a locale without a letter does not stop a print
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        command()
    except (TuneprobeError, OSError) as error:
        said = str(error)
    except MemoryError as error:
        said = f"out of memory{f' ({error})' if str(error) else ''}: {SMALLER}"
    else:
        return
    print(f"error: {said}", file=sys.stderr)  # noqa: T201
    raise SystemExit(MISTAKE)
