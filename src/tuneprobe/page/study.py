"""The protocol of a study: everything that the page, `collect` and the claims need of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from tuneprobe.claims.verdicts import Claim
from tuneprobe.collect.estimates import Estimate
from tuneprobe.measures import Measure
from tuneprobe.page.blocks import Block, Chapter, Figure, ScoreTable, Table
from tuneprobe.page.figures import Curves, Spec
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.render import draw_figure
from tuneprobe.yaml_file import read_yaml

Draw = Callable[[PageInputs], Block | Iterable[Block]]


@dataclass(frozen=True)
class Study:
    """A study as the page and the tables of metrics/ use it."""

    name: str  # of its package, and anchor of its chapter
    title: str
    question: str
    paper: str
    methods: Callable[[PageInputs], str]  # how it measures, a paragraph
    notes: Callable[[PageInputs], Iterable[str]]  # how this run differs from the paper
    measures: Sequence[Measure]  # every number that its rows may hold
    blocks: Sequence[Spec | Draw]  # of its chapter: figures as data, and functions of the run
    claims: Sequence[Claim]
    # rows and focus to the numbers that runs are compared by; their names, with units
    headline: Callable[[pd.DataFrame, str], dict[str, Estimate]] = lambda *_: {}
    headline_units: Mapping[str, str] = field(default_factory=dict)
    plots: Sequence[Spec] = ()  # tables of metrics/plots that the chapter does not show
    shown: Sequence[str] = ()  # anchors of the two or three blocks that are open
    answer: Curves | None = None  # the study in one panel, for the first screen
    finding: Callable[[PageInputs], str] = lambda _: ""  # and in one sentence, if it has numbers
    published: Mapping[str, Any] = field(default_factory=dict)  # what published.yaml says

    @property
    def figures(self) -> list[Spec]:
        """The figures that are data, with those that only `dvc plots` draws."""
        return [one for one in (*self.blocks, *self.plots) if isinstance(one, Spec)]

    def chapter(self, inputs: PageInputs) -> Chapter:
        """The study as the page shows it, its figures drawn."""
        first, *others = [inputs.of(name) for name in inputs.encoders] or [inputs]
        blocks = self._drawn(first)
        for other in others:
            more = {block.name: block for block in self._drawn(other)}
            blocks = [with_encoder(block, more.get(block.name), other.encoder) for block in blocks]
        notes = list(self.notes(first))
        text = self.name, self.title, self.question
        return Chapter(*text, blocks, self.methods(first), notes, self.shown)

    def _drawn(self, inputs: PageInputs) -> list[Block]:
        blocks: list[Block] = []
        for block in self.blocks:
            drawn = draw_figure(block, inputs) if isinstance(block, Spec) else block(inputs)
            blocks += [drawn] if isinstance(drawn, Block) else drawn
        return blocks


def with_encoder(block: Block, more: Block | None, encoder: str) -> Block:
    """A figure or table with what a further encoder adds: its panels and rows name it."""
    if isinstance(block, Figure) and isinstance(more, Figure):
        panels = [one._replace(ability=f"{one.ability}, {encoder}") for one in more.panels]
        rows = [[f"{name}, {encoder}", *cells] for name, *cells in more.table.rows]
        return replace(
            block,
            caption=f"{block.caption} {encoder}: {more.caption}",
            panels=[*block.panels, *panels],
            table=joined(block.table, replace(more.table, rows=rows)),
            missing=[*block.missing, *(f"{name}, {encoder}" for name in more.missing)],
        )
    if isinstance(block, ScoreTable) and isinstance(more, ScoreTable):
        ours = [group for group in more.groups if group.ours]
        groups = sorted([*block.groups, *ours], key=lambda group: group.ours, reverse=True)
        return replace(block, groups=groups)
    return block


def joined(first: Table, second: Table) -> Table:
    """One table of the rows of both, whose columns may differ: encoders have their own layers."""
    if not first.rows or first.head == second.head:
        return replace(second, rows=[*first.rows, *second.rows])
    head = list(dict.fromkeys([*first.head, *second.head]))
    rows = [
        [cells.get(name, "") for name in head]
        for table in (first, second)
        for cells in (dict(zip(table.head, row, strict=True)) for row in table.rows)
    ]
    return replace(first, head=head, rows=rows)


def published(module: str) -> dict[str, Any]:
    """What a paper prints: ``published.yaml`` beside a module, given as its ``__file__``."""
    found: dict[str, Any] = read_yaml(Path(module).parent / "published.yaml")
    return found
