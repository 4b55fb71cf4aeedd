"""Representations: the vectors of all spans of a task at every layer, in one pass.

A word is the mean of its word pieces, a span the mean of its words (Cai et al. 2020, section 3); a
whole text is its [CLS].
"""

from collections import deque
from collections.abc import Iterator
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from tuneprobe.artifacts import atomic_folder, reserve, write_meta
from tuneprobe.digests import computed_on
from tuneprobe.encoders.encoder import PRECISIONS, Encoder, budget_batches, pad_batch
from tuneprobe.encoders.forward import HostCopies, TokenBudget, encoding_tokens, write_behind
from tuneprobe.encoders.linear import STOCK
from tuneprobe.encoders.parallel import Arrays, gathered, is_main, require_same, wait_for_all
from tuneprobe.encoders.pieces import (
    Pieces,
    count_unknown,
    layout_pieces,
    refuse_unknown,
    word_pieces,
)
from tuneprobe.encoders.source import EncoderError
from tuneprobe.errors import UnknownNameError
from tuneprobe.formats.examples import WHOLE_TEXT, Examples
from tuneprobe.formats.representations import TYPES, layer_file

SpanVectors = tuple[np.ndarray, Arrays]


def write_representations(
    encoder: Encoder,
    examples: Examples,
    folder: Path,
    *,
    layout: str = "pair",
    tokens_per_batch: int | None = None,
    precision: str = "float32",
) -> None:
    """Encode every text once and store the spans' vectors of each layer.

    Texts are read in order of length under a token budget, so memory is bounded by
    ``tokens_per_batch`` x layers x dim whatever the corpus. Rows are written into memory-mapped
    files at their place, so the order of the batches leaves no trace. Several processes
    (`tuneprobe.encoders.parallel`) share the batches, the main process writes: the bytes are those
    of one. A batch is written while the next one is computed.

    Parameters
    ----------
    tokens_per_batch : int, optional
        None: `encoding_tokens`.
    precision : str
        ``float32``, or ``bfloat16`` (autocast; what is stored is float32 all the same).

    Raises
    ------
    EncoderError
        For a text longer than the encoder's maximum, a whole text in the layout ``plain``, or a
        vector that is not finite.
    OutOfMemoryError
        If the memory of a device does not hold a single text.
    """
    if precision not in PRECISIONS:
        raise UnknownNameError("precision", precision, PRECISIONS)
    if layout == "plain" and (examples.spans.segment == WHOLE_TEXT).any():
        raise EncoderError("whole texts are their [CLS], which 'plain' has not: use 'pair'.")
    texts = cut_texts(encoder, examples.texts, layout)
    tokens = tokens_per_batch or encoding_tokens(encoder)
    departures = {"precision": (precision, "float32"), "linear": (encoder.linear, STOCK)}
    facts = {
        "encoder": encoder.name,
        "state": encoder.state,
        "weights_sha256": encoder.weights_sha256,
        "tokenizer_sha256": encoder.tokenizer_sha256,
        "layout": layout,
        "pooling": "mean of word pieces, mean of words; whole text: [CLS]",
        "dtype": "float32",
        "last_layer": encoder.n_layers,
        "n_spans": len(examples.spans),
        "dim": encoder.dim,
        "spans_sha256": examples.spans_sha256(),
        **count_unknown(encoder.tokenizer, (text.ids for text in texts)),
        **{name: value for name, (value, usual) in departures.items() if value != usual},
    }
    require_same("what is encoded", f"{facts}, {tokens} tokens per batch")
    batches = span_vectors(encoder, texts, examples.spans, tokens, precision)
    types = span_types(texts, examples.spans)
    if is_main():
        _store(folder, batches, types, facts)
    else:
        deque(batches, maxlen=0)  # encodes and sends
    wait_for_all()


def cut_texts(encoder: Encoder, texts: pd.DataFrame, layout: str) -> list[Pieces]:
    """Every text as word pieces.

    Raises
    ------
    EncoderError
        For a text longer than the encoder's maximum, a text none of whose words has a piece, or
        texts of which the encoder does not know more than a few per cent.
    """
    cut, most = read_texts(encoder, texts, layout), encoder.max_pieces
    for number, pieces in enumerate(cut):
        if len(pieces) > most:
            raise EncoderError(
                f"text {number} ({texts.source[number]}) has {len(pieces)} word pieces; "
                f"{encoder.name} reads {most}: lower max_words of what prepares this task "
                "(prepare.pairs, prepare.labels, prepare.texts or prepare.frames)."
            )
    return cut


def read_texts(encoder: Encoder, texts: pd.DataFrame, layout: str = "pair") -> list[Pieces]:
    """Every text as word pieces, however long; texts of unknown pieces are refused."""
    tokenizer, segments = encoder.tokenizer, list(zip(texts.words1, texts.words2, strict=True))
    cut = [
        layout_pieces(
            tokenizer, word_pieces(tokenizer, one), word_pieces(tokenizer, two), layout=layout
        )
        for one, two in segments
    ]
    ids = (text.ids for text in cut)
    refuse_unknown(encoder.name, tokenizer, ids, chain.from_iterable(segments))
    return cut


@torch.inference_mode()
def span_vectors(
    encoder: Encoder,
    texts: list[Pieces],
    spans: pd.DataFrame,
    tokens_per_batch: int,
    precision: str = "float32",
) -> Iterator[SpanVectors]:
    """Yield span ids and their vectors at every layer, batch by batch, in the main process.

    Each item is (rows of shape (n,), one float32 array of shape (n, dim) per layer). The arrays of
    a CUDA device may still be on their way; whoever iterates waits for them.
    """
    rows_of_text = spans.groupby("text").indices
    lengths = np.array([len(pieces) for pieces in texts])
    budget = TokenBudget(tokens_per_batch)
    device, lower = encoder.device, PRECISIONS[precision]

    def rows_of(batch: np.ndarray) -> np.ndarray:
        return np.concatenate([rows_of_text.get(text, np.empty(0, int)) for text in batch])

    def vectors(batch: np.ndarray) -> HostCopies:
        pieces = [texts[text] for text in batch]
        inputs = pad_batch(encoder, pieces)
        seq = inputs["input_ids"].shape[1]
        pool = pooling_matrix(pieces, batch, spans.iloc[rows_of(batch)], seq).to(device)
        with torch.autocast(device.type, lower, enabled=lower != torch.float32):
            states = encoder.model(**inputs, output_hidden_states=True).hidden_states
        return HostCopies([_pooled(pool, state) for state in states])

    def encode(batch: np.ndarray) -> Arrays:
        passes = budget.passes(lengths[batch], lambda some: vectors(batch[some]))
        parts = [found for _, found in passes]
        return (
            parts[0]
            if len(parts) == 1
            else [np.concatenate(layer) for layer in zip(*parts, strict=True)]
        )

    def empty(batch: np.ndarray) -> Arrays:
        shape = (len(rows_of(batch)), encoder.dim)
        return [np.empty(shape, dtype=np.float32) for _ in range(encoder.n_layers + 1)]

    batches = [one for one in budget_batches(lengths, tokens_per_batch) if len(rows_of(one))]
    total = sum(int(lengths[batch].sum()) for batch in batches)
    quiet = None if is_main() else True
    with tqdm(total=total, unit="piece", unit_scale=True, disable=quiet) as progress:
        for batch, layers in gathered(batches, encode, empty):
            yield rows_of(batch), layers
            progress.update(int(lengths[batch].sum()))


def pooling_matrix(
    pieces: list[Pieces], batch: np.ndarray, spans: pd.DataFrame, seq: int
) -> torch.Tensor:
    """Sparse (n_spans, batch * seq) matrix of weights: 1 / (words in span x pieces in word).

    Words without a piece do not count. A whole text has no words of its own: weight 1 on its first
    piece, [CLS].

    Raises
    ------
    EncoderError
        For a span none of whose words has a piece.
    """
    bounds = [text.bounds[segment] for text in pieces for segment in (0, 1)]
    first_word = np.cumsum([0, *map(len, bounds)])  # of (text, segment) in the joined bounds
    row_of_text = np.zeros(batch.max() + 1, dtype=np.int64)
    row_of_text[batch] = np.arange(len(batch))
    row = row_of_text[spans["text"].to_numpy()]
    start, end, segment = (spans[column].to_numpy() for column in ("start", "end", "segment"))
    whole = np.flatnonzero(segment == WHOLE_TEXT)
    span, word = _expand(first_word[2 * row + np.maximum(segment, 0)] + start, end - start)
    joined = np.concatenate(bounds)
    n_pieces = joined[word + 1] - joined[word]
    n_words = np.bincount(span[n_pieces > 0], minlength=len(spans))
    _refuse_unread(spans, (segment != WHOLE_TEXT) & (n_words == 0))
    which, piece = _expand(joined[word], n_pieces)
    weights = 1.0 / (n_words[span[which]] * n_pieces[which])
    span_of_piece = np.concatenate([span[which], whole])
    piece, weights = np.append(piece, np.zeros_like(whole)), np.append(weights, np.ones(len(whole)))
    index = torch.from_numpy(np.stack([span_of_piece, row[span_of_piece] * seq + piece]))
    shape = (len(spans), len(batch) * seq)
    values = torch.from_numpy(weights.astype(np.float32))
    return torch.sparse_coo_tensor(index, values, shape, check_invariants=False)


def _refuse_unread(spans: pd.DataFrame, unread: np.ndarray) -> None:
    if unread.any():
        span = spans.iloc[int(unread.argmax())]
        raise EncoderError(
            f"the words [{span.start}, {span.end}) of segment {span.segment} of text {span.text} "
            "yield no word piece, so that their span has no vector: leave its examples out, or "
            "take an encoder that knows their characters."
        )


def _expand(starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All members of the ranges [start, start + length), and which range each belongs to."""
    which = np.repeat(np.arange(len(starts)), lengths)
    before = np.cumsum(lengths) - lengths
    return which, np.arange(len(which)) - before[which] + starts[which]


def _pooled(pool: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
    flat = state.reshape(-1, state.shape[-1])  # (batch * seq, dim)
    return torch.sparse.mm(pool, flat.float())


def span_types(texts: list[Pieces], spans: pd.DataFrame) -> np.ndarray:
    """What the tokenizer makes of each span: equal numbers for equal word pieces, 0 for texts.

    An encoder that reads lower case cannot tell `The` from `the`; their pieces are the same.

    Parameters
    ----------
    texts : list of Pieces
    spans : DataFrame
        ``text, segment, start, end``, as of `Examples`.

    Returns
    -------
    int64 ndarray of shape (n_spans,)
        63 bits of a hash of the pieces' ids, so that train, test and other tasks agree.
    """
    columns = (spans[name].tolist() for name in ("text", "segment", "start", "end"))
    types = np.zeros(len(spans), dtype=np.int64)
    for row, (text, segment, start, end) in enumerate(zip(*columns, strict=True)):
        if segment != WHOLE_TEXT:
            pieces, bounds = texts[text], texts[text].bounds[segment]
            read = pieces.ids[bounds[start] : bounds[end]].astype("<i8").tobytes()
            types[row] = int.from_bytes(blake2b(read, digest_size=8).digest(), "big") >> 1
    return types


def _store(
    folder: Path, batches: Iterator[SpanVectors], types: np.ndarray, facts: dict[str, Any]
) -> None:
    """Write each layer's vectors at their rows, the spans' types, and meta.json."""
    shape = (facts["n_spans"], facts["dim"])
    with atomic_folder(folder) as part:
        stores = [
            np.lib.format.open_memmap(
                part / layer_file(layer), mode="w+", dtype=np.float32, shape=shape
            )
            for layer in range(facts["last_layer"] + 1)
        ]
        for layer in range(len(stores)):
            reserve(part / layer_file(layer))

        def write(found: SpanVectors) -> None:
            rows, layers = found
            for layer, (store, vectors) in enumerate(zip(stores, layers, strict=True)):
                _refuse_not_finite(vectors, rows, layer)
                store[rows] = vectors

        write_behind(batches, write)
        for store in stores:
            store.flush()
        np.save(part / TYPES, types)
        write_meta(part, **facts, computed_on=computed_on())


def _refuse_not_finite(vectors: np.ndarray, rows: np.ndarray, layer: int) -> None:
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise EncoderError(
            f"layer {layer} has a value that is not finite in span {rows[~finite][0]}: "
            "the checkpoint's weights are broken; run its fine-tuning again."
        )
