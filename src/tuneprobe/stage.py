"""What stage scripts and the command line share: one line for a user's mistake."""

import re
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import NoReturn

import typer

from tuneprobe.errors import TuneprobeError

MISTAKE = 2
NO_MEMORY = re.compile("allocate memory|not enough memory|out of memory", re.IGNORECASE)  # torch


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
            f"error: memory ran out ({said}): close what else needs it, lower workers or "
            "tokens_per_batch in params.yaml, and run the same command again."
        )


def _end(line: str) -> NoReturn:
    print(line, file=sys.stderr)  # noqa: T201
    raise SystemExit(MISTAKE) from None
