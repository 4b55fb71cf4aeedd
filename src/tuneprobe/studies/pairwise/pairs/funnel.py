"""The funnel: how many examples each step kept, and why the others fell out."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import pandas as pd

from tuneprobe.rng import rng
from tuneprobe.studies.pairwise.pairs.observation import NoPair

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


def add_steps(parts: Iterable[Sequence[Step]]) -> list[Step]:
    """The steps of several parts of a corpus as the steps of the whole."""
    return [
        Step(
            same[0].name,
            sum(step.kept for step in same),
            sum((step.dropped for step in same), Counter()),
        )
        for same in zip(*parts, strict=True)
    ]


def draw(n: int, most: int, seed: int, probe: str, split: str) -> tuple[set[int], Step]:
    """Which of n items are drawn: at most `most`, at random without repetition."""
    if n <= most:
        return set(range(n)), Step("sample", n, Counter())
    order = rng(seed, "pairs", probe, split).permutation(n)
    return set(order[:most].tolist()), Step("sample", most, Counter({"more than wanted": n - most}))
