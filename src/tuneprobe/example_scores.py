"""Scores of single examples behind headline numbers, so that runs are compared on the same ones."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from tuneprobe.collect.estimates import Estimate
from tuneprobe.rng import rng
from tuneprobe.stats import mean_interval
from tuneprobe.studies.pairwise.measures import PROBES

USUAL = "cosine/words"  # the ranking that the headline shows; of boundary another
TOLERANCE = 1e-3  # headline numbers have six digits


class ExampleScores(NamedTuple):
    """A number, in percent, as the mean of the scores of its examples.

    ``of`` is the fingerprint of the texts and spans that the row numbers in the index refer to.
    """

    of: str
    scores: pd.Series

    def make(self, number: float) -> bool:
        """Whether their mean is this number: else it is of other examples, or no mean at all."""
        return bool(abs(self.scores.mean() - number) < TOLERANCE)

    def pair_with(self, other: "ExampleScores") -> bool:
        """Whether both are of the same examples."""
        return self.of == other.of and self.scores.index.equals(other.scores.index)


def probe_scores(
    outcomes: pd.DataFrame, labels: pd.Series, of: str, focus: str
) -> Iterator[tuple[str, ExampleScores]]:
    """``<probe>_last``: per example, the share of unmatched pairs below the matched one.

    Parameters
    ----------
    outcomes : DataFrame
        As `pairwise.study.example_table` makes it.
    labels : Series
        Probe of each row of the examples table.
    """
    rows = outcomes[(outcomes.layer == outcomes.layer.max()) & (outcomes.state == focus)]
    rows = rows[rows.n_neg > 0].set_index("example").sort_index()
    probe_of = rows.index.map(labels)
    for probe in PROBES:
        found = rows[
            (probe_of == probe) & (rows.condition == ("linear" if probe == "boundary" else USUAL))
        ]
        if len(found):
            scores = 100.0 * found["count"] / found.n_neg
            yield f"{probe.replace('-', '_')}_last", ExampleScores(of, scores)


def text_scores(predictions: pd.DataFrame, of: str, focus: str) -> ExampleScores:
    """Whether the answer to each text is right, 100 or 0: its mean is the accuracy."""
    rows = predictions[predictions.state == focus].set_index("example").sort_index()
    return ExampleScores(of, 100.0 * (rows.gold == rows.predicted))


def paired_difference(
    name: str,
    after: ExampleScores,
    before: ExampleScores,
    *,
    confidence: float,
    n_bootstrap: int = 1000,
    seed: int = 13,
) -> Estimate:
    """Mean difference over the same examples with its BCa interval."""
    found = mean_interval(
        np.asarray(after.scores - before.scores),
        confidence=confidence,
        n_bootstrap=n_bootstrap,
        rng=rng(seed, "compare", name),
    )
    return Estimate(*map(float, found))
