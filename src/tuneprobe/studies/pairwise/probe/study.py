"""The pairwise study: every probe, condition, state and layer becomes outcomes per example.

Layers loop outside, states inside, so that one layer of each state is read at a time.
`tuneprobe.studies.pairwise.probe.results` turns the outcomes into result rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from tuneprobe.formats.examples import Examples
from tuneprobe.studies.pairwise.probe.boundary import fit_head, rank_positions
from tuneprobe.studies.pairwise.probe.paragraphs import (
    Ids,
    Matrix,
    PairwiseError,
    pairs_from_examples,
)
from tuneprobe.studies.pairwise.probe.ranking import Condition, Outcomes, mean_vector, rank_matches

BOUNDARY = "boundary"
TABLE_COLUMNS = ("example", "layer", "condition", "state", "count", "n_neg", "para_len")


class Layers(Protocol):
    """Vectors of one task in one state, e.g. `encoders.representations.Representations`."""

    @property
    def n_layers(self) -> int:
        """Number of layers, the embedding output (layer 0) included."""

    def layer(self, number: int) -> NDArray:
        """One layer, shape (n_spans, dim)."""


@dataclass(frozen=True)
class Ranking:
    """Outcomes of one probe in one condition and state at every layer.

    Attributes
    ----------
    example : ndarray of int, shape (n,)
        Row numbers of the examples table.
    count : ndarray of int, shape (n, n_layers)
        Negatives below the match; column 0 is the embedding output.
    n_neg, para_len : ndarray of int, shape (n,)
    """

    probe: str
    condition: str
    state: str
    example: Ids
    count: Ids
    n_neg: Ids
    para_len: Ids

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Examples with at least one negative."""
        return self.n_neg > 0


def rank_pairs(
    states: Mapping[str, Layers], examples: Examples, conditions: Sequence[Condition]
) -> list[Ranking]:
    """Rank the matches of all probes but boundary, in every state and at every layer.

    The mean vector of the centred conditions is that of all single-word spans of the task.
    """
    label = examples.examples.label.to_numpy()
    rows = np.flatnonzero(label != BOUNDARY)
    if not len(rows):
        return []
    pairs = pairs_from_examples(examples, rows)
    words = np.flatnonzero(examples.spans.end - examples.spans.start == 1)
    centred = any(condition.centred for condition in conditions)

    def rank(state: str, X: Matrix) -> dict[str, Outcomes]:
        mean = mean_vector(X, words) if centred else None
        return {c.name: found for c, found in rank_matches(X, pairs, conditions, mean).items()}

    rankings = []
    for (state, condition), layers in _each_layer(states, rank).items():
        for probe in sorted(set(label[rows])):
            of_probe = label[rows] == probe
            rankings.append(_ranking(probe, condition, state, rows, layers, of_probe))
    return rankings


def rank_boundary(
    states: Mapping[str, Layers],
    examples: Examples,
    *,
    l2: float,
    iterations: int,
    lens_heads: Mapping[str, Matrix] | None = None,
) -> list[Ranking]:
    """Rank the gold boundaries of the test split: ``linear`` in every state, ``lens`` where given.

    Parameters
    ----------
    lens_heads : mapping of state to ndarray of shape (2, dim), optional
        Start and end weights that are applied to every layer of the state.
    """
    heads, table = lens_heads or {}, examples.examples
    boundary = table.label == BOUNDARY
    train_rows = np.flatnonzero(boundary & (table.split == "train"))
    test_rows = np.flatnonzero(boundary & (table.split == "test"))
    if not len(test_rows):
        return []
    train = pairs_from_examples(examples, train_rows)
    test = pairs_from_examples(examples, test_rows)

    def rank(state: str, X: Matrix) -> dict[str, Outcomes]:
        head = fit_head(X, train, l2=l2, iterations=iterations)
        readings = {"linear": rank_positions(X, test, head)}
        if state in heads:
            readings["lens"] = rank_positions(X, test, heads[state])
        return readings

    return [
        _ranking(BOUNDARY, condition, state, test_rows, layers, np.ones(len(test_rows), dtype=bool))
        for (state, condition), layers in _each_layer(states, rank).items()
    ]


def example_table(rankings: Sequence[Ranking]) -> pd.DataFrame:
    """One row per example, layer, condition and state: count, n_neg, para_len.

    ``example`` is the row number in the examples table, which also names the probe.
    """
    tables = []
    for ranking in rankings:
        n, n_layers = ranking.count.shape
        tables.append(
            pd.DataFrame(
                {
                    "example": np.repeat(ranking.example, n_layers),
                    "layer": np.tile(np.arange(n_layers), n),
                    "condition": ranking.condition,
                    "state": ranking.state,
                    "count": ranking.count.ravel(),
                    "n_neg": np.repeat(ranking.n_neg, n_layers),
                    "para_len": np.repeat(ranking.para_len, n_layers),
                }
            )
        )
    return (
        pd.concat(tables, ignore_index=True)
        if tables
        else pd.DataFrame(columns=list(TABLE_COLUMNS))
    )


def _each_layer(
    states: Mapping[str, Layers], rank: Callable[[str, Matrix], Mapping[str, Outcomes]]
) -> dict[tuple[str, str], list[Outcomes]]:
    """Outcomes of every layer by (state, condition)."""
    depths = {state: layers.n_layers for state, layers in states.items()}
    if len(set(depths.values())) > 1:
        raise PairwiseError(f"the states have different numbers of layers: {depths}.")
    found: dict[tuple[str, str], list[Outcomes]] = {}
    for number in tqdm(range(max(depths.values(), default=0)), "rank", unit="layer", disable=None):
        for state, layers in states.items():
            try:
                outcomes = rank(state, layers.layer(number))
            except PairwiseError as error:
                raise PairwiseError(f"state {state}, layer {number}: {error}") from error
            for condition, outcome in outcomes.items():
                found.setdefault((state, condition), []).append(outcome)
    return found


def _ranking(
    probe: str, condition: str, state: str, rows: Ids, layers: list[Outcomes], of_probe: NDArray
) -> Ranking:
    count = np.stack([outcome.count[of_probe] for outcome in layers], axis=1)
    n_neg, para_len = layers[0].n_neg[of_probe], layers[0].para_len[of_probe]
    return Ranking(probe, condition, state, rows[of_probe], count, n_neg, para_len)
