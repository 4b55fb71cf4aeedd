"""Ablation: what a task's outputs become when one head, or one whole layer, stops choosing.

Kovaleva et al. 2019, section 4.5. The sweep over all heads and layers is exact and shares what its
configurations have in common:

- hidden states below the ablated layer are computed once;
- an ablated head differs from the intact one by its share of the attention output alone, and the
  shares of all heads come from one product;
- all variants of a layer run stacked through the layers above, in chunks of a few hundred tokens,
  small enough to stay in the processor's cache;
- inputs of equal length run together, so nothing is padded;
- where the task reads [CLS] alone, the last layer computes that one row.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from tuneprobe.blocks import Block, blocks, embedded
from tuneprobe.encoder import Encoder, Pieces, pad_batch
from tuneprobe.errors import TuneprobeError, UnknownNameError
from tuneprobe.examples import WHOLE_TEXT
from tuneprobe.heads import last_layer
from tuneprobe.results import NO_HEAD, NO_LAYER

TYPES = ("uniform", "zero", "mean")
TOLERANCE = 1e-4  # of hidden states: between float32 rounding of two ways and a real change


class AblationError(TuneprobeError):
    """A model that the sweep would measure wrongly."""


class Configuration(NamedTuple):
    """What is ablated: a head (from 0) of a layer (from 1), a whole layer (head -1), or nothing."""

    layer: int
    head: int


INTACT = Configuration(NO_LAYER, NO_HEAD)


@dataclass(frozen=True)
class Reading:
    """What a task reads of the last layer of one text.

    Attributes
    ----------
    rows : int ndarray of shape (n_examples,)
        The examples of this text: their places in the output of the sweep.
    weights : float32 ndarray of shape (n_examples * n_spans, n_pieces)
        Vector ``n_spans * e + s`` of the text is this mean of its pieces: span s of example e.
    """

    rows: NDArray[np.int64]
    weights: NDArray[np.float32]

    @property
    def first_only(self) -> bool:
        """Whether nothing but the first piece, [CLS], is read."""
        return not self.weights[:, 1:].any()


def configurations(n_layers: int, n_heads: int) -> list[Configuration]:
    """All configurations in the order of the sweep: nothing; per layer its heads, then all of it.

    >>> [tuple(configuration) for configuration in configurations(1, 2)]
    [(-1, -1), (1, 0), (1, 1), (1, -1)]
    """
    heads = [*range(n_heads), NO_HEAD]
    return [INTACT, *(Configuration(1 + layer, h) for layer in range(n_layers) for h in heads)]


def span_weights(pieces: Pieces, spans: pd.DataFrame) -> NDArray[np.float32]:
    """Weights of a text's pieces in its spans, shape (n_spans, n_pieces).

    A word is the mean of its pieces, a span the mean of its words, a whole text its [CLS].
    """
    weights = np.zeros((len(spans), len(pieces)), dtype=np.float32)
    for row, segment, start, end in zip(weights, spans.segment, spans.start, spans.end):
        if segment == WHOLE_TEXT:
            row[0] = 1.0
            continue
        bounds = pieces.bounds[segment]
        for word in range(start, end):
            n_pieces = bounds[word + 1] - bounds[word]
            row[bounds[word] : bounds[word + 1]] = 1.0 / (n_pieces * (end - start))
    return weights


@torch.inference_mode()
def ablation_sweep(
    encoder: Encoder,
    head: Any,
    texts: Sequence[Pieces],
    readings: Sequence[Reading],
    *,
    ablation: str = "uniform",
    tokens_per_chunk: int = 384,
) -> NDArray[np.float32]:
    """The outputs of the task under every configuration.

    The context of an ablated head, its weighted mean of values, becomes for every token

    - ``uniform``: the mean of its values over the text's real tokens, [CLS] and [SEP] included:
      attention weights of 1 / L, as in the paper;
    - ``zero``: zero: the head is cut out (the `head_mask` of earlier versions of transformers);
    - ``mean``: its mean over all real tokens of all `texts`: the head says what it says on average.

    Parameters
    ----------
    head : LabelHead
        ``head.logits`` takes vectors of shape (..., n_spans * dim) to (..., n_outputs).
    texts, readings : sequences of equal length
    tokens_per_chunk : int
        Tokens that run through a layer together. Some hundred are fastest on a processor.

    Returns
    -------
    ndarray of shape (n_configurations, n_examples, n_outputs)
        In the order of `configurations`.

    Raises
    ------
    AblationError
        If the encoder is not the stack of layers that the sweep takes it for; see
        `verify_ablation`.
    """
    if ablation not in TYPES:
        raise UnknownNameError("ablation", ablation, TYPES)
    verify_ablation(encoder, texts, ablation)
    stack = Stack(
        blocks(encoder.model),
        ablation,
        first_only=all(reading.first_only for reading in readings),
        tokens_per_chunk=tokens_per_chunk,
    )
    lengths = np.array([len(text) for text in texts])
    batches = list(equal_length_batches(lengths, tokens_per_chunk))
    if ablation == "mean":
        inputs = (layer_zero(encoder, [texts[text] for text in batch]) for batch in batches)
        stack = replace(stack, means=mean_contexts(stack.layers, inputs))
    outputs = _empty_outputs(stack, head, readings)
    for batch in tqdm(batches, unit="batch", disable=None):
        hidden = layer_zero(encoder, [texts[text] for text in batch])
        for first, states in stack.variants(hidden):
            for text, state in zip(batch, states.unbind(dim=1)):
                _write_outputs(outputs[first : first + len(state)], head, readings[text], state)
    return outputs


@dataclass(frozen=True)
class Stack:
    """The layers of an encoder, to be run from any of them up.

    Attributes
    ----------
    first_only : bool
        The last layer is wanted for the first token alone.
    means : list of Tensors of shape (heads, head_dim), optional
        Mean contexts of each layer, for the ablation ``mean``.
    """

    layers: list[Block]
    ablation: str
    first_only: bool
    tokens_per_chunk: int
    means: list[Tensor] | None = None

    def variants(self, hidden: Tensor) -> Iterator[tuple[int, Tensor]]:
        """The last layer under every configuration.

        Parameters
        ----------
        hidden : Tensor of shape (batch, seq, dim)
            Layer 0 of texts of equal length.

        Yields
        ------
        Number of the first of some configurations, and their states of shape
        (n_some, batch, seq, dim); seq is 1 where the first token alone is wanted.
        """
        for number, layer in enumerate(self.layers):
            contexts = self._contexts(number, hidden)
            intact = hidden[:, : contexts.shape[1]] + layer.attended(contexts)
            changes = layer.head_outputs(self._replacement(number, hidden, contexts) - contexts)
            changes = torch.cat([changes, changes.sum(dim=0, keepdim=True)])
            top = self._climb((intact + changes).flatten(0, 1), number)
            yield 1 + number * len(changes), top.unflatten(0, changes.shape[:2])
            hidden = layer.finish(intact)
        yield 0, hidden.unsqueeze(0)

    def _contexts(self, number: int, hidden: Tensor) -> Tensor:
        layer = self.layers[number]
        first_only = self.first_only and number == len(self.layers) - 1
        return layer.first_contexts(hidden) if first_only else layer.contexts(hidden)

    def _replacement(self, number: int, hidden: Tensor, contexts: Tensor) -> Tensor:
        """What stands for the contexts of ablated heads, of a shape that broadcasts to theirs."""
        if self.ablation == "uniform":
            return self.layers[number].uniform_contexts(hidden)
        return torch.zeros_like(contexts) if self.means is None else self.means[number]

    def _climb(self, attended: Tensor, number: int) -> Tensor:
        """From input plus attention output of a layer, (rows, seq, dim), to the top."""
        rows = max(1, self.tokens_per_chunk // attended.shape[1])
        return torch.cat([self._climb_chunk(part, number) for part in attended.split(rows)])

    def _climb_chunk(self, attended: Tensor, number: int) -> Tensor:
        hidden = self.layers[number].finish(attended)
        for above in range(number + 1, len(self.layers)):
            contexts = self._contexts(above, hidden)
            layer = self.layers[above]
            hidden = layer.finish(hidden[:, : contexts.shape[1]] + layer.attended(contexts))
        return hidden


def equal_length_batches(lengths: NDArray[np.int64], tokens: int) -> Iterator[NDArray[np.int64]]:
    """Group texts of equal length, shortest first, so that a group has about `tokens` tokens."""
    for length in np.unique(lengths):
        same = np.flatnonzero(lengths == length)
        rows = max(1, tokens // int(length))
        yield from (same[first : first + rows] for first in range(0, len(same), rows))


def layer_zero(encoder: Encoder, texts: list[Pieces]) -> Tensor:
    """What the first layer reads of texts of equal length, shape (batch, seq, dim)."""
    return embedded(encoder.model, pad_batch(encoder, texts))


def mean_contexts(layers: list[Block], inputs: Iterable[Tensor]) -> list[Tensor]:
    """Each head's context, averaged over all tokens: per layer, shape (heads, head_dim).

    Parameters
    ----------
    inputs : iterable of Tensors of shape (batch, seq, dim)
        Layer 0 of texts of equal length each.
    """
    totals: list[Any] = [0.0] * len(layers)
    n_tokens = 0
    for hidden in inputs:
        n_tokens += hidden.shape[0] * hidden.shape[1]
        for number, layer in enumerate(layers):
            contexts = layer.contexts(hidden)
            totals[number] = totals[number] + contexts.double().sum(dim=(0, 1))
            hidden = layer.finish(hidden + layer.attended(contexts))
    return [(total / n_tokens).float() for total in totals]


@torch.inference_mode()
def verify_ablation(encoder: Encoder, texts: Sequence[Pieces], ablation: str = "uniform") -> None:
    """Refuse an encoder for which the sweep would be wrong, after a look at three texts.

    Raises
    ------
    AblationError
        If ablating nothing changes something (the layers are not those of the model as it runs),
        padding changes something, or ablating changes nothing.
    """
    by_length = sorted(texts, key=len)
    chosen = [by_length[place] for place in sorted({0, len(texts) // 2, len(texts) - 1})]
    padded = last_layer(encoder, pad_batch(encoder, chosen))
    layers, changes = blocks(encoder.model), []
    for row, text in enumerate(chosen):
        alone = last_layer(encoder, pad_batch(encoder, [text]))
        hidden = layer_zero(encoder, [text])
        means = mean_contexts(layers, [hidden]) if ablation == "mean" else None
        stack = Stack(layers, ablation, True, tokens_per_chunk=len(text), means=means)
        variants = dict(stack.variants(hidden))
        intact = variants.pop(0)[0]
        changes += [_largest(states - intact) for states in variants.values()]
        _refuse(encoder, "ablating nothing changes", _largest(intact - alone[:, :1]) > TOLERANCE)
        _refuse(encoder, "padding changes", _largest(padded[row, : len(text)] - alone) > TOLERANCE)
    _refuse(encoder, "no ablation changes", max(changes) <= TOLERANCE)


def _refuse(encoder: Encoder, what: str, wrong: bool) -> None:
    if wrong:
        raise AblationError(
            f"{what} the last layer of '{encoder.name}' ({encoder.model.config.model_type}) by "
            f"more than {TOLERANCE}: its layers are not those that `blocks` describes; "
            "leave it out of `ablate`, or describe it there."
        )


def _largest(difference: Tensor) -> float:
    return float(difference.abs().max())


def _empty_outputs(stack: Stack, head: Any, readings: Sequence[Reading]) -> NDArray[np.float32]:
    n_configurations = 1 + len(stack.layers) * (stack.layers[0].n_heads + 1)
    n_examples = sum(len(reading.rows) for reading in readings)
    shape = (n_configurations, n_examples, head.output.out_features)
    return np.full(shape, np.nan, dtype=np.float32)


def _write_outputs(
    outputs: NDArray[np.float32], head: Any, reading: Reading, states: Tensor
) -> None:
    """Outputs of one text's examples from its states, (n_some, seq, dim), at their places."""
    weights = torch.from_numpy(reading.weights[:, : states.shape[1]]).to(states.device)
    vectors = (weights @ states).reshape(len(states), len(reading.rows), -1)
    outputs[:, reading.rows] = head.logits(vectors).cpu().numpy()
