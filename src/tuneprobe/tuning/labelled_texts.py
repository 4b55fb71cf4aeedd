"""Labelled texts: one input is one text, with all its examples.

A text is encoded once however many of its words are labelled. The vectors of an example are those
of its spans as `tuneprobe.encoders.represent` stores them: a word is the mean of its word pieces, a
span the mean of its words, a whole text its [CLS].
"""

from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from tuneprobe.encoders.encoder import Encoder, pad_batch
from tuneprobe.encoders.pieces import Pieces
from tuneprobe.encoders.represent import cut_texts, pooling_matrix
from tuneprobe.errors import TuneprobeError
from tuneprobe.formats.examples import NO_SPAN, Examples
from tuneprobe.tuning.heads import Batch

Targets = NDArray[np.int64] | NDArray[np.float32]


class LabelError(TuneprobeError):
    """Examples that no classifier or regression can be tuned on."""


@dataclass(frozen=True)
class LabelledTexts:
    """Texts as a training set: lengths to sort by, batches of tensors, a fingerprint.

    Attributes
    ----------
    pieces : list of Pieces
        The texts, one an input.
    spans : DataFrame
        The spans that `span_ids` counts.
    text : int64 ndarray of shape (n_inputs,)
        Text id of each input.
    span_ids : int64 ndarray of shape (n_examples, n_spans)
        The spans of each example.
    rows : list of int64 ndarrays
        The examples of each input.
    targets : ndarray of shape (n_examples,), optional
        Positions of labels, or scores.
    """

    encoder: Encoder
    pieces: list[Pieces]
    spans: pd.DataFrame
    text: NDArray[np.int64]
    span_ids: NDArray[np.int64]
    rows: list[NDArray[np.int64]]
    targets: Targets | None = None

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Word pieces of each text, special tokens included."""
        return np.array([len(pieces) for pieces in self.pieces])

    def examples_of(self, inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        """The examples of some inputs, in the order in which a batch holds them."""
        return np.concatenate([self.rows[one] for one in inputs])

    def select(self, inputs: NDArray[np.int64]) -> "LabelledTexts":
        """Some texts and their examples alone, the examples as `examples_of` orders them."""
        chosen = self.examples_of(inputs)
        ends = np.cumsum([len(self.rows[one]) for one in inputs])
        spans, span_ids = np.unique(self.span_ids[chosen], return_inverse=True)
        return replace(
            self,
            pieces=[self.pieces[one] for one in inputs],
            spans=self.spans.iloc[spans],
            text=self.text[inputs],
            span_ids=span_ids.reshape(len(chosen), -1),
            rows=np.split(np.arange(len(chosen)), ends[:-1]),
            targets=None if self.targets is None else self.targets[chosen],
        )

    def batch(self, rows: NDArray[np.int64]) -> Batch:
        """Padded inputs of shape (batch, seq), what `LabelHead` pools with, and targets.

        ``pool`` is sparse, (n_examples * n_spans, batch * seq); ``n_examples`` has shape (batch,),
        ``target`` (n_examples,).
        """
        pieces = [self.pieces[row] for row in rows]
        inputs = pad_batch(self.encoder, pieces)
        chosen = self.examples_of(rows)
        spans = self.spans.iloc[self.span_ids[chosen].ravel()]
        pool = pooling_matrix(pieces, self.text[rows], spans, inputs["input_ids"].shape[1])
        batch = inputs | {"pool": pool.to(self.encoder.device)}
        batch["n_examples"] = torch.tensor([len(self.rows[row]) for row in rows])
        return batch | self.targets_of(rows)

    def targets_of(self, rows: NDArray[np.int64]) -> Batch:
        """``target`` alone, of shape (n_examples,); nothing where there are no targets."""
        if self.targets is None:
            return {}
        chosen = self.targets[self.examples_of(rows)]
        return {"target": torch.from_numpy(chosen).to(self.encoder.device)}

    def sha256(self) -> str:
        """Fingerprint of all inputs, pooling and targets, in order."""
        digest = sha256()
        for pieces in self.pieces:
            for part in (pieces.ids, pieces.types, *pieces.bounds):
                digest.update(np.array([len(part), *part], dtype=np.int64).tobytes())
        spans = self.spans.iloc[self.span_ids.ravel()][["text", "segment", "start", "end"]]
        for table in (self.text, self.span_ids.shape, spans.to_numpy(), *self.rows):
            digest.update(np.asarray(table, dtype=np.int64).tobytes())
        if self.targets is not None:
            digest.update(self.targets.tobytes())
        return digest.hexdigest()


def labelled_texts(
    encoder: Encoder, examples: Examples, split: str, targets: Targets | None = None
) -> LabelledTexts:
    """The texts that have examples of a split.

    Parameters
    ----------
    targets : ndarray of shape (n_examples,), optional
        Of the examples of the split, in the order of the table: positions of labels, or scores.

    Raises
    ------
    LabelError
        If the split has no example, only some examples have a second span, or an example has spans
        of two texts.
    """
    table = examples.examples[examples.examples.split == split]
    if not len(table):
        raise LabelError(
            f"none of the {len(examples.examples)} examples is in the split '{split}': "
            "look at how the task's examples are prepared."
        )
    span_ids = _span_ids(examples, table)
    text_of_example = examples.spans.text.to_numpy()[span_ids[:, 0]]
    text, row = np.unique(text_of_example, return_inverse=True)
    rows = np.split(np.argsort(row, kind="stable"), np.cumsum(np.bincount(row))[:-1])
    pieces = cut_texts(encoder, examples.texts.iloc[text].reset_index(drop=True), "pair")
    return LabelledTexts(encoder, pieces, examples.spans, text, span_ids, rows, targets)


def _span_ids(examples: Examples, table: pd.DataFrame) -> NDArray[np.int64]:
    """The spans of each example, shape (n_examples, n_spans), all of one text."""
    n_spans = spans_per_example(examples)
    span_ids = table[["span1", "span2"]].to_numpy()[:, :n_spans]
    text = examples.spans.text.to_numpy()[span_ids]
    apart = np.flatnonzero((text != text[:, :1]).any(axis=1))
    if len(apart):
        raise LabelError(
            f"example {table.index[apart[0]]} has spans of the texts {text[apart[0]].tolist()}, "
            "expected two spans of one text."
        )
    return span_ids


def spans_per_example(examples: Examples) -> int:
    """1 or 2; the same for all examples of a task."""
    single = examples.examples.span2 == NO_SPAN
    if single.any() and not single.all():
        raise LabelError(
            f"{single.sum()} of {len(single)} examples have one span and the others two: "
            "give all of them the same number."
        )
    return 1 if single.any() else 2
