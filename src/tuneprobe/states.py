"""The states of an encoder: what its weights went through before it was measured."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

RANDOM = "random"  # the published architecture, weights drawn anew
PRETRAINED = "pretrained"  # as published
FINETUNED = "finetuned"  # tuned on the task from the published weights
FROZEN = "frozen"  # as published, under a head that was trained on it
RANDOM_FINETUNED = "random-finetuned"  # tuned on the task from random weights
NO_ENCODER = "no-encoder"  # of a baseline that reads words alone
TUNED = (FINETUNED, RANDOM_FINETUNED)

STATES = (RANDOM, PRETRAINED, FINETUNED)  # those whose vectors and maps are compared


class Member(NamedTuple):
    """One encoder that a stage measures.

    Attributes
    ----------
    name : str
        What the stage calls it: its state; ``random:14`` for a further draw of random weights.
    state : str
    seed : int
        Of its tuning, or of its random weights.
    """

    name: str
    state: str
    seed: int


def members(states: Iterable[str], seed: int, draws: Sequence[int]) -> list[Member]:
    """The encoders of some states under one seed of tuning, each draw of random weights by itself.

    >>> [member.name for member in members(("random", "pretrained"), 13, (13, 14))]
    ['random', 'random:14', 'pretrained']
    >>> [member.name for member in members(("random", "pretrained"), 13, ())]
    ['pretrained']
    """
    found = []
    for state in states:
        if state != RANDOM:
            found.append(Member(state, state, seed))
            continue
        for place, draw in enumerate(draws):
            found.append(Member(RANDOM if place == 0 else f"{RANDOM}:{draw}", RANDOM, draw))
    return found


def stamped(rows: Iterable[Any], measured: Iterable[Member]) -> list[Any]:
    """Rows that name a member, with its state and its seed in place of the name."""
    by_name = {member.name: member for member in measured}
    return [
        row._replace(state=by_name[row.state].state, seed=by_name[row.state].seed)
        if row.state in by_name
        else row
        for row in rows
    ]
