"""What stage scripts and the command line share: one line for a user's mistake."""

import sys
from collections.abc import Callable

import typer

from tuneprobe.errors import TuneprobeError

MISTAKE = 2


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
