"""Which heads link annotated words: frame elements and targets, dependents and heads, coreference.

Examples with two spans of one text are such annotations, whatever their kind; the label is the
relation. For each text, relation and direction a head scores the largest weight that it gives to
any annotated pair; the head's number is the mean over the texts (Kovaleva et al. 2019).

A head that looks at the token before links whatever is annotated of neighbours. So the same pairs
are moved along the text, all by the same number of pieces, and what a head gives to them there, on
average over the places, is taken away: what is left is due to the words, not to their distance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuneprobe.encoders.encoder import Encoder
from tuneprobe.encoders.pieces import Pieces
from tuneprobe.encoders.represent import cut_texts
from tuneprobe.errors import TuneprobeError, UnknownNameError
from tuneprobe.formats.examples import NO_SPAN, WHOLE_TEXT, Examples
from tuneprobe.formats.results import Result, stamp
from tuneprobe.studies.attention.maps.head_results import STUDY, UNIFORM, Values, head_results
from tuneprobe.studies.attention.maps.maps import LayerMaps, stream_maps

DIRECTIONS = ("from-to", "to-from")  # from-to: row = a piece of span1, column = one of span2
PAIRING = ("all", "zip")
MOVES = 8  # places along the text at most that pairs are moved to

Places = NDArray[np.int64]


class WordPairsError(TuneprobeError):
    """Examples that annotate no pairs of words."""


@dataclass(frozen=True)
class PairWeights:
    """Scores of one text, relation and direction per row.

    Attributes
    ----------
    pairing : str
        ``all`` or ``zip``.
    groups : DataFrame
        ``text``, ``relation``, ``direction``, ``pieces`` (of the text).
    weights : dict of state to float32 ndarray of shape (n_groups, n_layers, n_heads)
    moved : dict of state to float32 ndarray of shape (n_groups, n_layers, n_heads)
        Mean over other places of the same text; NaN where the pairs fit nowhere else.
    """

    pairing: str
    groups: pd.DataFrame
    weights: dict[str, Values]
    moved: dict[str, Values]


def pair_weights(
    encoders: Mapping[str, Encoder],
    examples: Examples,
    *,
    split: str = "test",
    pairing: str = "all",
    tokens_per_batch: int | None = None,
) -> PairWeights:
    """Each head's largest weight between annotated words, by text, relation and direction.

    Parameters
    ----------
    encoders : mapping of state to Encoder
        Encoders that read the same pieces.
    examples : Examples
        Those of `split` with two spans of words in one text; the label is the relation.
    pairing : {"all", "zip"}
        Between a span's pieces and the other's: all pairs, or first with first, second with second
        and so on, as Kovaleva et al.'s code has it.

    Raises
    ------
    WordPairsError
        If no example of the split has two spans of words in one text.
    """
    if pairing not in PAIRING:
        raise UnknownNameError("pairing of pieces", pairing, PAIRING)
    pairs = annotated_pairs(examples, split)
    first = next(iter(encoders.values()))
    chosen = examples.texts.iloc[np.unique(pairs.text)]
    pieces = cut_texts(first, chosen.reset_index(drop=True), "pair")
    of_groups = _group_places(pairs, dict(zip(chosen.index, pieces, strict=True)), pairing)
    groups = pd.DataFrame(list(of_groups), columns=["text", "relation", "direction"])
    row_of_text = {text: row for row, text in enumerate(chosen.index)}
    text_rows = groups.text.map(row_of_text).to_numpy()
    groups["pieces"] = np.array([len(text) for text in pieces])[text_rows]
    places = list(of_groups.values())
    moves = [
        (group, moved)
        for group, (row, place) in enumerate(zip(text_rows, places, strict=True))
        for moved in moved_places(place, pieces[row])
    ]
    origin = np.array([group for group, _ in moves], dtype=np.int64)
    found = _largest_weights(
        encoders,
        pieces,
        np.concatenate([text_rows, text_rows[origin]]),
        [*places, *(moved for _, moved in moves)],
        tokens_per_batch,
    )
    n = len(groups)
    return PairWeights(
        pairing,
        groups,
        {state: values[:n] for state, values in found.items()},
        {state: _mean_of_groups(values[n:], origin, n) for state, values in found.items()},
    )


def moved_places(places: Places, pieces: Pieces) -> list[Places]:
    """The pairs moved along the text, all by the same number of pieces, `MOVES` times at most.

    Within the words: no pair reaches a special token. Of more places evenly spread ones are taken.

    Parameters
    ----------
    places : array of shape (2, n_pairs)
        Rows and columns of the pairs.
    """
    word = np.zeros(len(pieces), dtype=np.bool_)
    for bounds in pieces.bounds:
        word[bounds[0] : bounds[-1]] = True
    ways = np.arange(-int(places.min()), len(pieces) - int(places.max()))
    ways = ways[(ways != 0) & word[places[:, :, None] + ways].all(axis=(0, 1))]
    if len(ways) > MOVES:
        ways = ways[np.linspace(0, len(ways) - 1, MOVES).round().astype(np.int64)]
    return [places + way for way in ways]


def _mean_of_groups(values: Values, group: Places, n: int) -> Values:
    """Means of the values of each of n groups, whose numbers ascend; NaN for one without any."""
    means = np.full((n, *values.shape[1:]), np.nan, dtype=np.float32)
    present, starts, counts = np.unique(group, return_index=True, return_counts=True)
    if len(present):
        means[present] = np.add.reduceat(values, starts) / counts[:, None, None]
    return means


def annotated_pairs(examples: Examples, split: str) -> pd.DataFrame:
    """The pairs of words that a split's examples annotate, ordered by text and relation.

    Returns
    -------
    DataFrame with ``text``, ``relation``, and ``segment``, ``start``, ``end`` of both spans, each
    with the ending ``_from`` (span1) or ``_to`` (span2)
    """
    rows = examples.examples
    rows = rows[(rows.split == split) & (rows.span1 != NO_SPAN) & (rows.span2 != NO_SPAN)]
    one, two = (
        examples.spans.iloc[rows[column]].reset_index(drop=True) for column in ("span1", "span2")
    )
    pairs = pd.concat([one.add_suffix("_from"), two.add_suffix("_to")], axis="columns")
    pairs["relation"] = rows.label.to_numpy()
    words = (pairs.segment_from != WHOLE_TEXT) & (pairs.segment_to != WHOLE_TEXT)
    pairs = pairs[words & (pairs.text_from == pairs.text_to)]
    if not len(pairs):
        raise WordPairsError(
            f"none of the {len(rows)} examples with two spans in the split '{split}' links words "
            "of one text; give a task whose examples do, e.g. one of dependencies."
        )
    pairs = pairs.rename(columns={"text_from": "text"})
    pairs = pairs.drop(columns=["text_to", "role_from", "role_to"])
    return pairs.sort_values(["text", "relation"], kind="stable", ignore_index=True)


def pair_results(
    found: PairWeights, *, encoder: str, task: str, seed: int, confidence: float, bootstrap: int
) -> list[Result]:
    """Result rows by relation, direction and pairing, head by head.

    ``pair_weight``, and ``pair_excess``: that less what the head gives to as many pairs at the same
    distance elsewhere in the text (`PairWeights.moved`). The state ``uniform`` gives the weight
    that a pair has where all attention is spread evenly.
    """
    rows = []
    for (relation, direction), group in found.groups.groupby(["relation", "direction"]):
        names = [str(relation), str(direction), found.pairing]
        facets: dict[str, Any] = dict(zip(("relation", "direction", "pairing"), names, strict=True))
        even = float((1.0 / group.pieces).mean())
        row = Result("pair_weight", even, n=len(group), state=UNIFORM, **facets)
        rows += stamp([row], study=STUDY, encoder=encoder, task=task, seed=seed)
        for state, weights in found.weights.items():
            for metric, values in (
                ("pair_weight", weights),
                ("pair_excess", weights - found.moved[state]),
            ):
                rows += head_results(
                    values[group.index],
                    encoder=encoder,
                    task=task,
                    state=state,
                    seed=seed,
                    metric=metric,
                    stream="/".join(names),
                    layers=range(1, weights.shape[1] + 1),
                    confidence=confidence,
                    bootstrap=bootstrap,
                    **facets,
                )
    return rows


def _group_places(
    pairs: pd.DataFrame, pieces: Mapping[int, Pieces], pairing: str
) -> dict[tuple[int, str, str], Places]:
    """By (text, relation, direction): the rows and columns of its pairs, shape (2, n_pairs)."""
    found: dict[tuple[int, str, str], list[tuple[int, int]]] = {}
    match = {"all": product, "zip": zip}[pairing]
    spans = (
        pairs[[f"segment{end}", f"start{end}", f"end{end}"]].to_numpy() for end in ("_from", "_to")
    )
    for text, relation, *both in zip(pairs.text, pairs.relation, *spans, strict=True):
        one, two = (
            range(*pieces[text].bounds[segment][[start, end]]) for segment, start, end in both
        )
        for direction, rows, columns in zip(DIRECTIONS, (one, two), (two, one), strict=True):
            places = found.setdefault((text, relation, direction), [])
            places += match(rows, columns)
    return {group: np.array(places).T for group, places in found.items()}


def _largest_weights(
    encoders: Mapping[str, Encoder],
    pieces: Sequence[Pieces],
    text_rows: Places,
    places: Sequence[Places],
    tokens_per_batch: int | None,
) -> dict[str, Values]:
    """Largest weight of each group in one pass; groups of a text are neighbours."""
    config = next(iter(encoders.values())).model.config
    shape = (len(places), config.num_hidden_layers, config.num_attention_heads)
    weights = {state: np.empty(shape, dtype=np.float32) for state in encoders}
    groups_of_text = [np.flatnonzero(text_rows == row) for row in range(len(pieces))]

    def see(found: LayerMaps) -> None:
        groups, (texts, rows, columns), starts = _joined(found, groups_of_text, places)
        for state, maps in zip(encoders, found.maps, strict=True):
            values = maps[texts, :, rows, columns].cpu().numpy()  # (n_pairs, heads)
            weights[state][groups, found.layer - 1] = np.maximum.reduceat(values, starts)

    stream_maps(list(encoders.values()), pieces, see, tokens_per_batch=tokens_per_batch)
    return weights


def _joined(
    found: LayerMaps, groups_of_text: Sequence[Places], places: Sequence[Places]
) -> tuple[Places, Places, Places]:
    """The groups of a batch, their pairs as (batch row, row, column), and where each begins."""
    groups = np.concatenate([groups_of_text[text] for text in found.texts])
    n_groups = [len(groups_of_text[text]) for text in found.texts]
    n_pairs = [places[group].shape[1] for group in groups]
    rows = np.repeat(np.repeat(np.arange(len(found.texts)), n_groups), n_pairs)
    pairs = np.concatenate([places[group] for group in groups], axis=1)
    return groups, np.concatenate([rows[None], pairs]), np.cumsum([0, *n_pairs[:-1]])
