"""The attention study of one task: what every head does, before and after tuning, and its rows.

Kovaleva et al. 2019: similarity of maps before and after tuning, attention to types of tokens, the
last layer's [CLS] row; and here the entropy of rows, and intervals over the texts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuneprobe.encoders.encoder import Encoder
from tuneprobe.encoders.pieces import Pieces
from tuneprobe.encoders.represent import read_texts
from tuneprobe.encoders.source import EncoderError
from tuneprobe.errors import UnknownNameError
from tuneprobe.formats.examples import Examples
from tuneprobe.formats.results import Result, stamp
from tuneprobe.rng import rng
from tuneprobe.studies.attention.maps.head_results import STUDY, UNIFORM, Values, head_results
from tuneprobe.studies.attention.maps.maps import LayerMaps, stream_maps
from tuneprobe.studies.attention.maps.measures import (
    map_similarity,
    received,
    row_entropy,
    type_share,
)
from tuneprobe.studies.attention.maps.token_types import TYPES, Mask


@dataclass(frozen=True)
class Aggregation:
    """How a map becomes a number.

    Attributes
    ----------
    rows : {"mean", "max"}
        Over the rows of a column: what a token receives.
    tokens : {"max", "mean", "sum"}
        Over the tokens of a type.
    padded_to : int
        0: similarity of maps cropped to real pieces. N: of maps padded to N pieces, the rows of
        padding included, as in Kovaleva et al.'s code (200).
    """

    rows: str = "mean"
    tokens: str = "max"
    padded_to: int = 0

    @property
    def crop(self) -> str:
        """``cropped`` or ``padded-200``."""
        return f"padded-{self.padded_to}" if self.padded_to else "cropped"


@dataclass(frozen=True)
class HeadMeasures:
    """What was measured of every text, NaN where a text has no token of a type.

    Attributes
    ----------
    aggregation : Aggregation
    lengths : int ndarray of shape (n_texts,)
        Word pieces, special tokens included.
    type_counts : int ndarray of shape (n_texts, n_types)
        Word pieces of each of `token_types.TYPES`.
    entropy : dict of state to float32 ndarray of shape (n_texts, n_layers, n_heads)
        Mean entropy of the rows in nats.
    share : dict of state to float32 ndarray of shape (n_types, n_texts, n_layers, n_heads)
        Attention that the types receive.
    cls_row : dict of state to float32 ndarray of shape (n_types, n_texts, 1, n_heads)
        Attention that [CLS] gives to the types, in the last layer.
    similarity : dict of (after, before) to float32 ndarray of shape (n_texts, n_layers, n_heads)
        Cosine of the maps of two states.
    floor : dict of (after, before) to float32 ndarray of shape (n_texts, n_layers, n_heads)
        Cosine of a head's map after and that of the next head of the layer before: what two heads
        that have nothing to do with each other share.
    """

    aggregation: Aggregation
    lengths: NDArray[np.int64]
    type_counts: NDArray[np.int64]
    entropy: dict[str, Values]
    share: dict[str, Values]
    cls_row: dict[str, Values]
    similarity: dict[tuple[str, str], Values]
    floor: dict[tuple[str, str], Values] = field(default_factory=dict)


def sample_texts(
    examples: Examples, *, max_texts: int, seed: int, split: str = "test"
) -> NDArray[np.int64]:
    """Ids of at most `max_texts` different texts of a split's examples, in ascending order."""
    spans = examples.examples.span1[examples.examples.split == split]
    texts = np.unique(examples.spans.text.to_numpy()[spans.to_numpy()])
    drawn = rng(seed, "attention-texts", split).permutation(len(texts))[:max_texts]
    return np.sort(texts[drawn])


def short_texts(
    encoder: Encoder, texts: pd.DataFrame, max_pieces: int
) -> tuple[pd.DataFrame, list[Pieces]]:
    """The texts of at most `max_pieces` word pieces, as a table numbered anew and as pieces.

    Raises
    ------
    EncoderError
        If there are none.
    """
    pieces = read_texts(encoder, texts)
    limit = min(max_pieces, encoder.max_pieces)
    short = [row for row, text in enumerate(pieces) if len(text) <= limit]
    if not short:
        raise EncoderError(
            f"none of the {len(texts)} texts has at most {limit} word pieces: raise the limit, or "
            "take a task with examples in the test split."
        )
    return texts.iloc[short].reset_index(drop=True), [pieces[row] for row in short]


def measure_heads(
    encoders: Mapping[str, Encoder],
    texts: Sequence[Pieces],
    types: Sequence[Mask],
    *,
    before: str = "pretrained",
    aggregation: Aggregation = Aggregation(),
    tokens_per_batch: int | None = None,
    also: Callable[[LayerMaps], None] | None = None,
) -> HeadMeasures:
    """Measure every head of every state in one pass over the texts.

    Parameters
    ----------
    encoders : mapping of state to Encoder
    types : sequence of bool ndarrays of shape (len(TYPES), n_pieces)
        Of each text, as `token_types` gives them.
    before : str
        The state that the maps of every other state are compared with.
    also : callable, optional
        Is shown the maps too, in the order of `encoders`; it must not keep them.
    """
    if before not in encoders:
        raise UnknownNameError("state", before, encoders)
    measures = _no_measures(encoders, texts, types, before, aggregation)
    padded = _PaddedTypes(types)

    def see(layer_maps: LayerMaps) -> None:
        for part in layer_maps.parts():
            _measure(part, dict(zip(encoders, part.maps, strict=True)), padded, before, measures)
        if also is not None:
            also(layer_maps)

    stream_maps(
        list(encoders.values()),
        texts,
        see,
        tokens_per_batch=tokens_per_batch,
        padded_to=aggregation.padded_to,
    )
    return measures


def attention_results(
    measures: HeadMeasures, *, encoder: str, task: str, seed: int, confidence: float, bootstrap: int
) -> list[Result]:
    """Result rows: means over the texts with bootstrap intervals, head by head.

    Metrics: ``map_similarity`` (of a state against another), ``map_floor`` (the same of unrelated
    heads), ``entropy`` (the scales ``nats`` and
    ``normalised``, divided by the log of the pieces), ``share`` and, in the last layer,
    ``cls_row_share`` (by type of token). The head -1 is the mean over a layer's heads. The state
    ``uniform`` gives the share that a type has where all attention is spread evenly. `n` counts
    the texts that have the type.
    """
    n_layers = next(iter(measures.entropy.values())).shape[1]
    rows = list(_uniform_results(measures, encoder, task, seed))
    for state, metric, stream, facets, values in _measured(measures):
        rows += head_results(
            values,
            encoder=encoder,
            task=task,
            state=state,
            seed=seed,
            metric=metric,
            stream=stream,
            layers=range(n_layers - values.shape[1] + 1, n_layers + 1),
            confidence=confidence,
            bootstrap=bootstrap,
            **facets,
        )
    return rows


class _PaddedTypes:
    """The types of some texts as one bool Tensor of shape (batch, n_types, seq)."""

    def __init__(self, types: Sequence[Mask]) -> None:
        self._types = [torch.from_numpy(np.ascontiguousarray(mask)) for mask in types]

    def __call__(self, texts: NDArray[np.int64], seq: int) -> Tensor:
        padded = torch.zeros(len(texts), len(TYPES), seq, dtype=torch.bool)
        for row, text in enumerate(texts):
            padded[row, :, : self._types[text].shape[1]] = self._types[text]
        return padded


def _no_measures(
    encoders: Mapping[str, Encoder],
    texts: Sequence[Pieces],
    types: Sequence[Mask],
    before: str,
    aggregation: Aggregation,
) -> HeadMeasures:
    """Arrays of the right shapes, to be filled text by text."""
    config = encoders[before].model.config
    n_layers, n_heads = config.num_hidden_layers, config.num_attention_heads

    def empty(*shape: int) -> Values:
        return np.full((*shape, n_heads), np.nan, dtype=np.float32)

    n_texts, n_types = len(texts), len(TYPES)

    def against() -> dict[tuple[str, str], Values]:
        others = (state for state in encoders if state != before)
        return {(state, before): empty(n_texts, n_layers) for state in others}

    return HeadMeasures(
        aggregation=aggregation,
        lengths=np.array([len(pieces) for pieces in texts]),
        type_counts=np.array([mask.sum(axis=1) for mask in types]),
        entropy={state: empty(n_texts, n_layers) for state in encoders},
        share={state: empty(n_types, n_texts, n_layers) for state in encoders},
        cls_row={state: empty(n_types, n_texts, 1) for state in encoders},
        similarity=against(),
        floor=against(),
    )


def _measure(
    part: LayerMaps,
    maps_of: dict[str, Tensor],
    padded: _PaddedTypes,
    before: str,
    measures: HeadMeasures,
) -> None:
    """Write down the numbers of one layer of some texts."""
    how, texts, layer = measures.aggregation, part.texts, part.layer - 1
    real = part.real()
    compared = part.real(at_least=how.padded_to)
    types = padded(texts, real.shape[1]).to(real.device)
    last = layer + 1 == measures.entropy[before].shape[1]
    for state, maps in maps_of.items():
        measures.entropy[state][texts, layer] = row_entropy(maps, real).cpu()
        share = type_share(received(maps, real, how.rows), types, how.tokens)
        measures.share[state][:, texts, layer] = share.movedim(-1, 0).cpu()
        if last:
            row = type_share(maps[:, :, 0], types, how.tokens)
            measures.cls_row[state][:, texts, 0] = row.movedim(-1, 0).cpu()
        if state != before:
            own, next_head = maps_of[before], maps_of[before].roll(-1, dims=1)
            for found, others in ((measures.similarity, own), (measures.floor, next_head)):
                found[state, before][texts, layer] = map_similarity(maps, others, compared).cpu()


def _measured(
    measures: HeadMeasures,
) -> Iterator[tuple[str, str, str, dict[str, str], Values]]:
    """State, metric, name of the samples, facets, values of shape (n_texts, n_layers, n_heads)."""
    how = measures.aggregation
    for metric, pairs in (("map_similarity", measures.similarity), ("map_floor", measures.floor)):
        for (state, before), values in pairs.items():
            yield state, metric, how.crop, {"against": before, "crop": how.crop}, values
    largest: Values = np.log(measures.lengths).astype(np.float32)[:, None, None]
    for state, values in measures.entropy.items():
        for scale, scaled in (("nats", values), ("normalised", values / largest)):
            yield state, "entropy", scale, {"scale": scale}, scaled
    for state in measures.share:
        for kind, share, row in zip(
            TYPES, measures.share[state], measures.cls_row[state], strict=True
        ):
            of = {"token_type": kind, "tokens": how.tokens}
            stream = f"{kind}/rows-{how.rows}/tokens-{how.tokens}"
            yield state, "share", stream, {**of, "rows": how.rows}, share
            yield state, "cls_row_share", f"{kind}/tokens-{how.tokens}", of, row


def _uniform_results(
    measures: HeadMeasures, encoder: str, task: str, seed: int
) -> Iterator[Result]:
    """The share of every type under even attention, 1 / pieces for each token."""
    how = measures.aggregation
    for kind, counts in zip(TYPES, measures.type_counts.T, strict=True):
        has = counts > 0
        if has.any():
            tokens = counts[has] if how.tokens == "sum" else 1.0
            value = float((tokens / measures.lengths[has]).mean())
            of: dict[str, Any] = {"token_type": kind, "rows": how.rows, "tokens": how.tokens}
            rows = [Result("share", value, n=int(has.sum()), state=UNIFORM, **of)]
            yield from stamp(rows, study=STUDY, encoder=encoder, task=task, seed=seed)
