"""The pairwise study: every probe, condition, state and layer becomes outcomes per example.

Layers loop outside, states inside, so that one layer of each state is read at a time.
`tuneprobe.studies.pairwise.probe.results` turns the outcomes into result rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from tuneprobe.formats.examples import NO_SPAN, Examples
from tuneprobe.states import NO_ENCODER
from tuneprobe.studies.pairwise.probe.boundary import fit_head, rank_positions
from tuneprobe.studies.pairwise.probe.foreign import OTHER_WORD, SAME_WORD, foreign_sets
from tuneprobe.studies.pairwise.probe.paragraphs import (
    Ids,
    Matrix,
    Pairs,
    PairwiseError,
    pairs_from_examples,
)
from tuneprobe.studies.pairwise.probe.ranking import (
    Condition,
    Frame,
    Outcomes,
    conditions,
    mean_vector,
    principal_axis,
    rank_matches,
)
from tuneprobe.studies.pairwise.probe.surface import word_positions, word_shapes

ANSWER_TYPE = "answer-type"
BOUNDARY, SWAPPED = "boundary", "boundary-swapped"
PAPER = Condition("cosine", "words")
TABLE_COLUMNS = ("example", "layer", "condition", "state", "count", "n_neg", "para_len")


class Layers(Protocol):
    """Vectors of one task in one state, e.g. `encoders.representations.Representations`."""

    @property
    def layers(self) -> range:
        """Their numbers; 0 is the embedding's output."""

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
    foreign : dict of str to ndarray of float, shape (n, n_layers)
        Mean count over the anchors of each foreign set (`foreign.py`); NaN where it has none.
    document : ndarray of int, shape (n,), optional
        Number of the document of each example (`document_numbers`); by default each has its own.
    """

    probe: str
    condition: str
    state: str
    example: Ids
    count: Ids
    n_neg: Ids
    para_len: Ids
    foreign: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    document: Ids | None = None

    @property
    def documents(self) -> Ids:
        """Number of the document of each example, (n,): what a bootstrap draws."""
        return np.arange(len(self.example)) if self.document is None else self.document

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Examples with at least one negative."""
        return self.n_neg > 0


class Ranked(NamedTuple):
    """What `rank_probes` and `rank_pairs` give.

    ``axis_share[state][layer]`` is the share of the variance of the paragraphs' words that lies
    along the principal axis of the layer.
    """

    rankings: list[Ranking]
    axis_share: dict[str, list[float]]


def rank_probes(
    states: Mapping[str, Layers],
    examples: Examples,
    *,
    similarities: Sequence[str],
    negatives: Sequence[str],
    views: Sequence[str],
    foreign_anchors: int,
    type_anchors: int,
    boundary: Mapping[str, Any],
    lens_heads: Mapping[str, Matrix],
    seed: int,
) -> Ranked:
    """Rank the matches of every probe, boundary with and without an encoder among them.

    Parameters
    ----------
    similarities, negatives, views : sequences of str
        Of which `ranking.conditions` makes all combinations.
    foreign_anchors, type_anchors : int
        Anchors of other questions, drawn under `seed`: in every condition; and, for answer types
        in the paper's condition, those with the same question word and with the others.
    boundary : mapping
        ``l2`` and ``iterations`` of `rank_boundary`.
    lens_heads : mapping
        As for `rank_boundary`.
    """
    others = foreign_sets(examples, pair_rows(examples), foreign_anchors, seed)
    asked = conditions(similarities, negatives, views)
    ranked = rank_pairs(states, examples, asked, others)
    typed = np.flatnonzero(examples.examples.label == ANSWER_TYPE)
    words = foreign_sets(examples, typed, type_anchors, seed, (SAME_WORD, OTHER_WORD))
    of_types = rank_pairs(states, examples, [PAPER], words, typed)
    rankings = [
        *with_foreign(ranked.rankings, of_types.rankings),
        *rank_boundary(states, examples, **boundary, lens_heads=lens_heads),
        *rank_surface(examples, **boundary),
    ]
    return Ranked(rankings, ranked.axis_share)


def rank_pairs(
    states: Mapping[str, Layers],
    examples: Examples,
    asked: Sequence[Condition],
    foreign: Mapping[str, Ids] | None = None,
    rows: Ids | None = None,
) -> Ranked:
    """Rank the matches of all probes but boundary, in every state and at every layer.

    The mean vector of a layer is that of all single-word spans, the principal axis that of the
    words of the ranked paragraphs.

    Parameters
    ----------
    foreign : dict of str to ndarray of int, shape (n_pairs, n_anchors), optional
        Foreign anchors of the ranked examples, as `foreign_anchors` draws them.
    rows : ndarray of int, shape (n_pairs,), optional
        The ranked examples; by default all that have an anchor (`pair_rows`).
    """
    rows = pair_rows(examples) if rows is None else rows
    if not len(rows):
        return Ranked([], {})
    label = examples.examples.label.to_numpy()[rows]
    pairs = pairs_from_examples(examples, rows)
    words = np.flatnonzero((examples.spans.end - examples.spans.start == 1).to_numpy())
    shares: dict[str, list[float]] = {}

    def rank(state: str, X: Matrix) -> dict[str, Outcomes]:
        axis, share = principal_axis(X, pairs.words)
        shares.setdefault(state, []).append(share)
        frame = Frame(mean_vector(X, words), axis)
        ranked = rank_matches(X, pairs, asked, frame, foreign)
        return {condition.name: found for condition, found in ranked.items()}

    rankings, documents = [], document_numbers(examples)[rows]
    for (state, condition), layers in _each_layer(states, rank).items():
        for probe in sorted(set(label)):
            of_probe = label == probe
            rankings.append(_ranking(probe, condition, state, rows, layers, of_probe, documents))
    return Ranked(rankings, shares)


def with_foreign(rankings: Sequence[Ranking], others: Sequence[Ranking]) -> list[Ranking]:
    """The rankings with the foreign sets of `others` of the same probe, condition and state."""
    more = {(one.probe, one.condition, one.state): one.foreign for one in others}
    return [
        replace(one, foreign={**one.foreign, **more.get((one.probe, one.condition, one.state), {})})
        for one in rankings
    ]


def document_numbers(examples: Examples) -> Ids:
    """Number of the document of each row of the examples table: equal for equal paragraphs.

    Several questions may be asked of one paragraph; they share its words, so that their outcomes
    are not independent.
    """
    table = examples.examples
    span = np.where(table.span1 == NO_SPAN, table.span2, table.span1)
    of_text = pd.factorize(pd.Series([tuple(words) for words in examples.texts.words2]))[0]
    numbers: Ids = of_text[examples.spans.text.to_numpy()[span]]
    return numbers


def pair_rows(examples: Examples) -> Ids:
    """Rows of the examples table that have an anchor: all probes but boundary."""
    return np.flatnonzero((examples.examples.span1 != NO_SPAN).to_numpy())


def rank_boundary(
    states: Mapping[str, Layers],
    examples: Examples,
    *,
    l2: float,
    iterations: int,
    lens_heads: Mapping[str, Matrix] | None = None,
) -> list[Ranking]:
    """Rank the gold boundaries of the test split: ``linear`` in every state, ``lens`` where given.

    The foreign set ``other`` is the same sentence after another question's words, where the
    examples hold it (``boundary-swapped``).

    Parameters
    ----------
    lens_heads : mapping of state to ndarray of shape (2, dim), optional
        Start and end weights that are applied to every layer of the state.
    """
    heads, table = lens_heads or {}, examples.examples
    train_rows = np.flatnonzero((table.label == BOUNDARY) & (table.split == "train"))
    test_rows = np.flatnonzero((table.label == BOUNDARY) & (table.split == "test"))
    if not len(test_rows):
        return []
    train, test = (pairs_from_examples(examples, rows) for rows in (train_rows, test_rows))
    swapped_rows = np.flatnonzero(table.label == SWAPPED)
    swapped = pairs_from_examples(examples, swapped_rows) if len(swapped_rows) else None

    def rank(state: str, X: Matrix) -> dict[str, Outcomes]:
        head = fit_head(X, train, l2=l2, iterations=iterations)
        readings = {"linear": head, **({"lens": heads[state]} if state in heads else {})}
        return {name: _rank_both(X, test, swapped, head) for name, head in readings.items()}

    everywhere = np.ones(len(test_rows), dtype=bool)
    documents = document_numbers(examples)[test_rows]
    return [
        _ranking(BOUNDARY, condition, state, test_rows, layers, everywhere, documents)
        for (state, condition), layers in _each_layer(states, rank).items()
    ]


def rank_surface(examples: Examples, *, l2: float, iterations: int) -> list[Ranking]:
    """Boundary without an encoder: the linear head on how words are written, and where they stand.

    The state is ``no-encoder``, the conditions ``shape`` and ``position``; there is one layer, 0.
    """
    table = examples.examples
    of_probe = table.label == BOUNDARY
    train_rows, test_rows = (
        np.flatnonzero(of_probe & (table.split == split)) for split in ("train", "test")
    )
    if not len(test_rows):
        return []
    train, test = (pairs_from_examples(examples, rows) for rows in (train_rows, test_rows))
    words, everywhere = np.concatenate([train.words, test.words]), np.ones(len(test_rows), bool)
    rankings, documents = [], document_numbers(examples)[test_rows]
    for condition, surface in (("shape", word_shapes), ("position", word_positions)):
        X = surface(examples, words)
        found = rank_positions(X, test, fit_head(X, train, l2=l2, iterations=iterations))
        keys = (BOUNDARY, condition, NO_ENCODER, test_rows)
        rankings.append(_ranking(*keys, [found], everywhere, documents))
    return rankings


def _rank_both(X: Matrix, test: Pairs, swapped: Pairs | None, head: Matrix) -> Outcomes:
    """The outcomes, with those after another question as the foreign set."""
    found = rank_positions(X, test, head)
    if swapped is None:
        return found
    other = rank_positions(X, swapped, head).count.astype(np.float64)
    return replace(found, foreign={"other": other})


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
    depths = {state: layers.layers[-1] for state, layers in states.items()}
    if len(set(depths.values())) > 1:
        raise PairwiseError(f"the states have different last layers: {depths}.")
    found: dict[tuple[str, str], list[Outcomes]] = {}
    for number in tqdm(
        range(max(depths.values(), default=-1) + 1), "rank", unit="layer", disable=None
    ):
        for state, layers in states.items():
            try:
                outcomes = rank(state, layers.layer(number))
            except PairwiseError as error:
                raise PairwiseError(f"state {state}, layer {number}: {error}") from error
            for condition, outcome in outcomes.items():
                found.setdefault((state, condition), []).append(outcome)
    return found


def _ranking(
    probe: str,
    condition: str,
    state: str,
    rows: Ids,
    layers: list[Outcomes],
    of_probe: NDArray,
    documents: Ids,
) -> Ranking:
    count = np.stack([outcome.count[of_probe] for outcome in layers], axis=1)
    n_neg, para_len = layers[0].n_neg[of_probe], layers[0].para_len[of_probe]
    foreign = {
        name: np.stack([outcome.foreign[name][of_probe] for outcome in layers], axis=1)
        for name in layers[0].foreign
    }
    outcomes = (count, n_neg, para_len, foreign)
    return Ranking(probe, condition, state, rows[of_probe], *outcomes, documents[of_probe])
