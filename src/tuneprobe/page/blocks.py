"""What a page is made of: figures, score tables, funnels; their cells are numbers, written last."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import Any, ClassVar, NamedTuple

from tuneprobe.page.wording import MISSING, bounded, number, signed


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


@dataclass(frozen=True)
class Table:
    """The first `n_names` columns name the row, the others are numbers."""

    head: Sequence[str]
    rows: Sequence[Sequence[CellLike]]
    n_names: int = 1


@dataclass(frozen=True)
class Figure:
    """A figure of the page.

    Attributes
    ----------
    name : str
        Anchor.
    caption, reading : str
        What the numbers say; how to read the drawing.
    panels : list of Panel
    axis : str
        What the vertical axis shows.
    pairs : bool
        Whether two panels after each other belong together.
    wide : bool
        Whether a panel needs more room than a curve.
    in_row : int
        How many panels belong in one row; 0: as many as fit.
    missing : list of str
        What could not be drawn.
    undefined : list of str
        What does not exist, as the accuracy on control labels of texts that have no word type.
    """

    name: str
    title: str
    caption: str
    reading: str
    panels: list[Panel]
    axis: str
    legend: list[tuple[str, str]]
    table: Table
    pairs: bool = False
    wide: bool = False
    in_row: int = 0
    missing: list[str] = field(default_factory=list)
    undefined: list[str] = field(default_factory=list)
    kind: ClassVar[str] = "figure"


class Rows(NamedTuple):
    """Rows of a score table under one heading; ``ours`` are measured, the others published."""

    heading: str
    ours: bool
    rows: Sequence[tuple[str, Sequence[CellLike]]]


@dataclass(frozen=True)
class ScoreTable:
    """A table in a paper's shape: published rows and ours under the same columns.

    Attributes
    ----------
    number : str
        The paper's, as "Table 2".
    over : list of (str, int)
        Headings over several columns, and over how many; may be empty.
    head : list of str
        One heading per column, without that of the row names.
    """

    name: str
    number: str
    title: str
    caption: str
    over: Sequence[tuple[str, int]]
    head: Sequence[str]
    groups: Sequence[Rows]
    notes: Sequence[str] = ()
    missing: Sequence[str] = ()
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
    kind: ClassVar[str] = "funnel"


Block = Figure | ScoreTable | Funnel


@dataclass(frozen=True)
class Chapter:
    """One study as the page shows it.

    Attributes
    ----------
    question : str
        What it asks, in a sentence.
    methods : str
        How it measures, a paragraph.
    notes : sequence of str
        How this run differs from the paper.
    """

    name: str
    title: str
    question: str
    blocks: Sequence[Block]
    methods: str
    notes: Sequence[str] = ()
