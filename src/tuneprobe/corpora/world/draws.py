"""Draws: integers from a hash, so that every machine and library version draws the same."""

from collections.abc import Sequence
from typing import TypeVar

from tuneprobe.rng import stream_seed

T = TypeVar("T")


class Draws:
    """An endless stream of integers named by (seed, purpose); it uses BLAKE2 and nothing else."""

    def __init__(self, seed: int, *purpose: str | int) -> None:
        self._seed = seed
        self._purpose = purpose
        self._count = 0

    def below(self, n: int) -> int:
        """An integer in [0, n)."""
        self._count += 1
        return stream_seed(self._seed, "world", *self._purpose, self._count) % n

    def chance(self, percent: int) -> bool:
        """True in `percent` of 100 draws."""
        return self.below(100) < percent

    def pick(self, items: Sequence[T]) -> T:
        """One of the items, all equally likely."""
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in a new order (Fisher and Yates)."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = self.below(last + 1)
            order[last], order[other] = order[other], order[last]
        return order
