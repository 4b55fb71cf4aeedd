"""The competence gate: did the tuned model learn its task, or only what a baseline knows too?

What tuning does to an encoder is told by an encoder that tuning taught something. So a task counts
as learned only where the tuned model is clearly above every baseline measured beside it; else the
claims that rest on it are undecided, whatever their numbers.
"""

from dataclasses import dataclass

import pandas as pd

from tuneprobe.collect.estimates import Estimate, estimates
from tuneprobe.collect.tables import select
from tuneprobe.formats.results import OVER_BASELINE
from tuneprobe.states import FINETUNED

LONG, SHORT = "long_f1", "short_f1"  # scores of a reader


@dataclass(frozen=True)
class Gap:
    """A score of the tuned model minus that of a baseline, in points, paired over the examples."""

    score: str
    baseline: str
    estimate: Estimate


@dataclass(frozen=True)
class Competence:
    """What the tuned model of a task is above its baselines by.

    ``reads`` says whether it is a reader, on whose encoder the pairs are probed.
    """

    task: str
    reads: bool
    gaps: tuple[Gap, ...]

    @property
    def decisive(self) -> tuple[Gap, ...]:
        """The gaps that decide: of a reader those of short answers.

        Which paragraph answers a question is often given away by the words that it shares, so a
        model that reads may choose it no better.
        """
        short = tuple(gap for gap in self.gaps if gap.score == SHORT)
        return short or self.gaps

    @property
    def learned(self) -> bool:
        """Whether every paired interval that decides lies above zero.

        No correction for their number: all of them must, an intersection-union test (Berger 1982).
        A gap without an interval is not above zero.
        """
        return all(gap.estimate.low > 0 for gap in self.decisive)

    @property
    def weakest(self) -> Gap:
        """The gap that decides with the lowest bound; first of all one without bounds."""
        return min(
            self.decisive, key=lambda gap: (gap.estimate.low == gap.estimate.low, gap.estimate.low)
        )


def competences(results: pd.DataFrame) -> dict[str, Competence]:
    """Task to competence, for each task whose tuned model was measured beside a baseline."""
    rows = select(results, metric=OVER_BASELINE, state=FINETUNED)
    found = {}
    for task, of_task in rows.groupby("task", sort=True):
        numbers = zip(of_task.score, of_task.against, estimates(of_task), strict=True)
        gaps = tuple(Gap(*one) for one in numbers)
        found[str(task)] = Competence(
            str(task), bool(of_task.score.isin((LONG, SHORT)).any()), gaps
        )
    return found
