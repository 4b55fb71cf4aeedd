"""The protocol of a study: everything that the page, `collect` and the claims need of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tuneprobe.claims.verdicts import Claim
from tuneprobe.collect.estimates import Estimate
from tuneprobe.measures import Measure
from tuneprobe.page.blocks import Block, Chapter
from tuneprobe.page.figures import Spec
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.render import draw_figure
from tuneprobe.yaml_file import read_yaml

Draw = Callable[[PageInputs], Block | Iterable[Block]]


@dataclass(frozen=True)
class Study:
    """A study as the page and the tables of metrics/ use it.

    Attributes
    ----------
    name : str
        Of its package, and anchor of its chapter.
    title, question, paper : str
    methods, notes : callable
        How it measures, a paragraph; how this run differs from the paper, a sentence each.
    measures : sequence of Measure
        Every number that its rows may hold.
    blocks : sequence of Spec or callable
        What the chapter shows, in its order: figures as data, and functions of the run.
    claims : sequence of Claim
    headline : callable
        Result rows and focus to the numbers that runs are compared by.
    headline_names : sequence of str
        All that `headline` may give, in their order.
    plots : sequence of Spec
        Tables of metrics/plots that the chapter does not show.
    """

    name: str
    title: str
    question: str
    paper: str
    methods: Callable[[PageInputs], str]
    notes: Callable[[PageInputs], Iterable[str]]
    measures: Sequence[Measure]
    blocks: Sequence[Spec | Draw]
    claims: Sequence[Claim]
    headline: Callable[[pd.DataFrame, str], dict[str, Estimate]]
    headline_names: Sequence[str]
    plots: Sequence[Spec] = ()

    @property
    def figures(self) -> list[Spec]:
        """The figures that are data, with those that only `dvc plots` draws."""
        return [one for one in (*self.blocks, *self.plots) if isinstance(one, Spec)]

    def chapter(self, inputs: PageInputs) -> Chapter:
        """The study as the page shows it, its figures drawn."""
        blocks: list[Block] = []
        for block in self.blocks:
            drawn = draw_figure(block, inputs) if isinstance(block, Spec) else block(inputs)
            blocks += [drawn] if hasattr(drawn, "kind") else drawn
        notes = list(self.notes(inputs))
        return Chapter(self.name, self.title, self.question, blocks, self.methods(inputs), notes)


def published(module: str) -> dict[str, Any]:
    """What a paper prints: ``published.yaml`` beside a module, given as its ``__file__``."""
    found: dict[str, Any] = read_yaml(Path(module).parent / "published.yaml")
    return found
