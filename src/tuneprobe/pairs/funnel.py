"""The funnel: how many examples each step kept, and why the others fell out."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import pandas as pd

from tuneprobe.pairs.observation import NoPair
from tuneprobe.rng import rng

S = TypeVar("S")
T = TypeVar("T")


class Step(NamedTuple):
    """One step: how many it kept, and how many it dropped for each reason."""

    name: str
    kept: int
    dropped: Counter[str]


class FunnelRow(NamedTuple):
    """One reason of one step; ``kept`` counts what the whole step kept."""

    probe: str
    split: str
    step: str
    kept: int
    dropped: int
    reason: str


@dataclass
class Funnel:
    """The steps of every probe and split.

    What a step kept is what the next one kept and dropped. Only with all pairs of a question
    (`SynonymRule`) does the step ``pair`` keep more than came: it turns questions into pairs.
    """

    rows: list[FunnelRow] = field(default_factory=list)

    def add(self, probe: str, split: str, steps: Iterable[Step]) -> None:
        """Add the steps of one probe and split; a step without loss is a row too."""
        for step in steps:
            reasons = sorted(step.dropped.items(), key=lambda item: (-item[1], item[0]))
            for reason, dropped in reasons or [("", 0)]:
                self.rows.append(FunnelRow(probe, split, step.name, step.kept, dropped, reason))

    def frame(self) -> pd.DataFrame:
        """The rows as a table, to be written as CSV."""
        return pd.DataFrame(self.rows, columns=list(FunnelRow._fields))


def sift(name: str, items: Iterable[S], judge: Callable[[S], T | NoPair]) -> tuple[list[T], Step]:
    """What `judge` makes of the items that it keeps, and the step that this was."""
    kept: list[T] = []
    dropped: Counter[str] = Counter()
    for item in items:
        judged = judge(item)
        if isinstance(judged, NoPair):
            dropped[judged.reason] += 1
        else:
            kept.append(judged)
    return kept, Step(name, len(kept), dropped)


def draw(items: Sequence[T], most: int, seed: int, probe: str, split: str) -> tuple[list[T], Step]:
    """At most `most` items, drawn at random without repetition and left in their order."""
    if len(items) <= most:
        return list(items), Step("sample", len(items), Counter())
    order = rng(seed, "pairs", probe, split).permutation(len(items))
    kept = [items[i] for i in sorted(order[:most])]
    return kept, Step("sample", most, Counter({"more than wanted": len(items) - most}))
