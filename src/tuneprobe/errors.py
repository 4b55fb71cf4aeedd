"""The one base class of every mistake that a user can mend."""

from collections.abc import Iterable
from difflib import get_close_matches


class TuneprobeError(Exception):
    """A mistake in the input; the message says what came, what was expected and what to do."""


def first_line(error: BaseException) -> str:
    """What a foreign error says, its first line; its name where it says nothing.

    >>> first_line(ValueError("bad header.\\nat byte 3")), first_line(KeyError())
    ('bad header', 'KeyError')
    """
    return str(error).strip().partition("\n")[0].rstrip(".:") or type(error).__name__


class UnknownNameError(TuneprobeError):
    """A name that is not in a closed list.

    >>> print(UnknownNameError("task", "pairz", ["pairs", "qa"]))
    unknown task 'pairz'. Did you mean 'pairs'? Available: pairs, qa.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        close = get_close_matches(name, known, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        super().__init__(f"unknown {kind} '{name}'.{hint} Available: {', '.join(known)}.")
