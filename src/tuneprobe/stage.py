"""What every stage script shares: a command line, and one line for a user's mistake."""

import sys
from collections.abc import Callable

import typer

from tuneprobe.errors import TuneprobeError

MISTAKE = 2


def run(main: Callable[..., None]) -> None:
    """Run `main` as a Typer command; a `TuneprobeError` ends in one line and exit code 2."""
    try:
        typer.run(main)
    except TuneprobeError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(MISTAKE) from None
