"""What a page is made of: figures, score tables, funnels; their cells are numbers, written last."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import Any, ClassVar, NamedTuple

from tuneprobe.wording import MISSING, bounded, number, signed


class Cell(NamedTuple):
    """A number of a table, with its interval where it has one.

    ``digits`` are those shown behind the point; where ``significant``, those shown in all. A CSV
    file has the number itself.

    >>> str(Cell(61.04, 58, 63.96)), str(Cell(-3.04, signed=True)), str(Cell(0.00123, digits=2))
    ('61.0 [58.0, 64.0]', '−3.0', '0.00')
    """

    value: float
    low: float = nan
    high: float = nan
    digits: int = 1
    signed: bool = False
    significant: bool = False

    def __str__(self) -> str:
        if not isfinite(self.value):
            return MISSING
        if self.significant:
            return f"{self.value:.{self.digits}g}"
        if isfinite(self.low) and isfinite(self.high):
            return bounded(*self[:3], sign=self.signed, digits=self.digits)
        return (signed if self.signed else number)(self.value, self.digits)


NOTHING = Cell(nan)
SAME = "same"  # of a difference: between two numbers that are equal to the last digit
CellLike = str | Cell


class Panel(NamedTuple):
    """A drawing under its two-part heading: the ability, and how it is measured."""

    ability: str
    measure: str
    svg: str

    @property
    def width(self) -> float:
        """Of the drawing in pixels, at which its labels have the size they should."""
        found = re.search(r'viewBox="0 0 ([\d.]+)', self.svg)
        return float(found[1]) if found else 0.0


@dataclass(frozen=True)
class Table:
    """The first `n_names` columns name the row, the others are numbers."""

    head: Sequence[str]
    rows: Sequence[Sequence[CellLike]]
    n_names: int = 1


@dataclass(frozen=True)
class Figure:
    """A figure of the page; its name is its anchor.

    The caption says what the numbers say, the reading how to read the drawing.
    """

    name: str
    title: str
    caption: str
    reading: str
    panels: list[Panel]
    axis: str  # what the vertical one shows
    legend: list[tuple[str, str]]
    table: Table
    in_row: int = 0  # panels of one row; 0: as many as fit
    missing: list[str] = field(default_factory=list)  # what could not be drawn
    undefined: list[str] = field(default_factory=list)  # what does not exist: types of whole texts
    below: list[str] = field(default_factory=list)  # where pre-trained is below random weights
    kind: ClassVar[str] = "figure"

    @property
    def said(self) -> str:
        """The first sentence of the caption, which heads the figure."""
        return self._sentences[0]

    @property
    def rest(self) -> str:
        """The other sentences, which stand below it."""
        return self._sentences[1] if len(self._sentences) > 1 else ""

    @property
    def _sentences(self) -> list[str]:
        return re.split(r"(?<=\.)\s+(?=[A-Z“])", self.caption, maxsplit=1)


class Rows(NamedTuple):
    """Rows of a score table under one heading; ``ours`` are measured, the others published."""

    heading: str
    ours: bool
    rows: Sequence[tuple[str, Sequence[CellLike]]]


@dataclass(frozen=True)
class ScoreTable:
    """A table in a paper's shape: published rows and ours under the same columns."""

    name: str
    number: str  # the paper's, as "Table 2"
    title: str
    caption: str
    over: Sequence[tuple[str, int]]  # headings over several columns, and over how many
    head: Sequence[str]  # a heading per column, without that of the row names
    groups: Sequence[Rows]
    notes: Sequence[str] = ()
    missing: Sequence[str] = ()
    said: str = ""  # its main number
    kind: ClassVar[str] = "scores"

    @property
    def starts(self) -> set[int]:
        """Columns with which a group of columns starts, but the first."""
        return {sum(width for _, width in self.over[:n]) for n in range(1, len(self.over))}


@dataclass(frozen=True)
class Funnel:
    """How many candidates each step kept and dropped, by probe."""

    name: str
    title: str
    groups: Sequence[tuple[str, list[dict[str, Any]]]]
    said: str = ""
    kind: ClassVar[str] = "funnel"


Block = Figure | ScoreTable | Funnel


@dataclass(frozen=True)
class Chapter:
    """One study as the page shows it."""

    name: str
    title: str
    question: str
    blocks: Sequence[Block]
    methods: str
    notes: Sequence[str] = ()  # how this run differs from the paper
    shown: Sequence[str] = ()  # anchors of the blocks that are open from the start

    @property
    def ordered(self) -> list[Block]:
        """The blocks, those that are open from the start first and in their own order."""
        shown = {name: place for place, name in enumerate(self.shown)}
        return sorted(self.blocks, key=lambda block: shown.get(block.name, len(shown)))
