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

An encoder whose layers are not built as BERT's is swept by whole forward passes (`passes.py`),
which give the same at some four times the cost.

The texts are swept in blocks, one after another here; `spread.py` spreads them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from tuneprobe.encoders.encoder import Encoder, pad_batch
from tuneprobe.encoders.forward import TokenBudget, fitted_tokens
from tuneprobe.encoders.pieces import Pieces
from tuneprobe.errors import TuneprobeError, UnknownNameError
from tuneprobe.formats.examples import WHOLE_TEXT
from tuneprobe.formats.results import NO_HEAD, NO_LAYER
from tuneprobe.studies.attention.ablation.blocks import Block, BlockError, blocks, embedded
from tuneprobe.studies.attention.ablation.passes import ablated_pass, summed_contexts
from tuneprobe.tuning.heads import INPUTS, Batch, LabelHead, last_layer
from tuneprobe.tuning.labelled_texts import LabelledTexts

TYPES = ("uniform", "zero", "mean")
ON_PROCESSOR = 768  # tokens per chunk where none are given
COPIES = 4  # of the variants of a layer, where all are in memory
BLOCK_TOKENS = 2048  # the sweep of so many takes a core some seconds, minutes with BERT-base
TOLERANCE = 1e-4  # of hidden states: between float32 rounding of two ways and a real change


Rows = NDArray[np.int64]
Outputs = NDArray[np.float32]


class AblationError(TuneprobeError):
    """A model that the sweep would measure wrongly."""


class Configuration(NamedTuple):
    """What is ablated: a head (from 0) of a layer (from 1), a whole layer (head -1), or nothing."""

    layer: int
    head: int


INTACT = Configuration(NO_LAYER, NO_HEAD)


def configurations(n_layers: int, n_heads: int) -> list[Configuration]:
    """All configurations in the order of the sweep: nothing; per layer its heads, then all of it.

    >>> [tuple(configuration) for configuration in configurations(1, 2)]
    [(-1, -1), (1, 0), (1, 1), (1, -1)]
    """
    heads = [*range(n_heads), NO_HEAD]
    return [INTACT, *(Configuration(1 + layer, h) for layer in range(n_layers) for h in heads)]


class Manner(NamedTuple):
    """How texts are swept.

    Attributes
    ----------
    ablation : str
    tokens : int
        That run through a layer together.
    means : list of float32 ndarrays of shape (heads, head_dim), optional
        Mean contexts of each layer, for the ablation ``mean``.
    layerwise : bool
        The layers are run one by one (`Stack`), not by whole forward passes (`passes.py`).
    """

    ablation: str
    tokens: int
    means: list[Outputs] | None = None
    layerwise: bool = True


Sweep = Callable[[list[LabelledTexts], Manner], Iterable[tuple[int, Outputs]]]


@torch.inference_mode()
def ablation_sweep(
    head: LabelHead,
    data: LabelledTexts,
    *,
    ablation: str = "uniform",
    tokens_per_chunk: int | None = ON_PROCESSOR,
    sweep: Sweep | None = None,
) -> Outputs:
    """The outputs of the task under every configuration.

    The context of an ablated head, its weighted mean of values, becomes for every token

    - ``uniform``: the mean of its values over the text's real tokens, [CLS] and [SEP] included:
      attention weights of 1 / L, as in the paper;
    - ``zero``: zero: the head is cut out (the `head_mask` of earlier versions of transformers);
    - ``mean``: its mean over all real tokens of all texts: the head says what it says on average.

    Parameters
    ----------
    data : LabelledTexts
        Texts with their examples, and the encoder that reads them.
    tokens_per_chunk : int, optional
        Tokens that run through a layer together. Some hundred are fastest on a processor. None: as
        many as a CUDA device's memory holds, 768 on a processor.
    sweep : callable, optional
        Gives the number and the outputs of each block of texts, in any order; by default
        `sweep_block` does, one after another.

    Returns
    -------
    ndarray of shape (n_configurations, n_examples, n_outputs)
        In the order of `configurations`.

    Raises
    ------
    AblationError
        If the sweep would be wrong for the encoder; see `verify_ablation`.
    EncoderError
        If its attention is not one softmax in each layer.
    OutOfMemoryError
        If the memory does not hold the variants of a single text.
    """
    if ablation not in TYPES:
        raise UnknownNameError("ablation", ablation, TYPES)
    layerwise = verify_ablation(data.encoder, data.pieces)
    tokens = tokens_per_chunk or chunk_tokens(data.encoder)
    means = mean_contexts(data, tokens, layerwise) if ablation == "mean" else None
    parts, manner = text_blocks(data.lengths, tokens), Manner(ablation, tokens, means, layerwise)
    todo = [data.select(texts) for texts in parts]
    swept = sweep(todo, manner) if sweep else _in_turn(head, todo, manner)
    outputs = np.full(_shape(head, data), np.nan, dtype=np.float32)
    with tqdm(total=len(data.pieces), unit="text", disable=None) as progress:
        for number, found in swept:
            outputs[:, data.examples_of(parts[number])] = found
            progress.update(len(parts[number]))
    return outputs


def text_blocks(lengths: Rows, tokens: int) -> list[Rows]:
    """Whole batches of texts of equal length, shortest first, in blocks of some `BLOCK_TOKENS`."""
    batches = list(equal_length_batches(lengths, tokens))
    ends = np.cumsum([lengths[texts].sum() for texts in batches])
    borders = np.flatnonzero(np.diff((ends - 1) // BLOCK_TOKENS)) + 1
    return [np.concatenate(batches[i:j]) for i, j in pairwise([0, *borders, len(batches)])]


@torch.inference_mode()
def sweep_block(head: LabelHead, block: LabelledTexts, manner: Manner) -> Outputs:
    """The outputs of a block, (n_configurations, n_examples, n_outputs), whatever else is swept."""
    encoder, (ablation, tokens, means, layerwise) = block.encoder, manner
    on_device = (
        None if means is None else [torch.from_numpy(one).to(encoder.device) for one in means]
    )
    budget = TokenBudget(tokens, equal_length_batches)
    outputs = np.empty(_shape(head, block), dtype=np.float32)

    def variants(batch: Batch) -> Iterator[tuple[int, Tensor]]:
        if not layerwise:
            for number, place in enumerate(places_of(encoder)):
                yield number, ablated_pass(encoder, batch, *place, ablation, on_device).unsqueeze(0)
            return
        first_only = reads_first_only(block)
        stack = Stack(blocks(encoder.model), ablation, first_only, budget.tokens, on_device)
        yield from stack.variants(layer_zero(encoder, batch))

    def ablate(texts: Rows) -> None:
        batch, examples = block.batch(texts), block.examples_of(texts)
        for first, states in variants(batch):
            found = read_outputs(head, states, batch).cpu().numpy()
            outputs[first : first + len(found), examples] = found

    for _ in budget.passes(block.lengths, ablate):
        pass
    return outputs


def _in_turn(
    head: LabelHead, todo: list[LabelledTexts], manner: Manner
) -> Iterator[tuple[int, Outputs]]:
    for number, block in enumerate(todo):
        yield number, sweep_block(head, block, manner)


def _shape(head: LabelHead, data: LabelledTexts) -> tuple[int, int, int]:
    return len(places_of(data.encoder)), len(data.span_ids), head.output.out_features


def places_of(encoder: Encoder) -> list[Configuration]:
    """All configurations of an encoder."""
    return configurations(encoder.n_layers, int(encoder.model.config.num_attention_heads))


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

    def variants(self, hidden: Tensor, lowest: int = 1) -> Iterator[tuple[int, Tensor]]:
        """The last layer under every configuration that ablates `lowest` or a layer above, or none.

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
            if number + 1 >= lowest:
                replacement = self._replacement(number, hidden, contexts)
                changes = layer.head_outputs(replacement - contexts)
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


def equal_length_batches(lengths: Rows, tokens: int) -> Iterator[Rows]:
    """Group texts of equal length, shortest first, so that a group has about `tokens` tokens."""
    for length in np.unique(lengths):
        same = np.flatnonzero(lengths == length)
        rows = max(1, tokens // int(length))
        yield from (same[first : first + rows] for first in range(0, len(same), rows))


def reads_first_only(data: LabelledTexts) -> bool:
    """Whether the task reads nothing but [CLS] of the last layer."""
    segments = data.spans.segment.to_numpy()[data.span_ids]
    return bool((segments == WHOLE_TEXT).all())


def layer_zero(encoder: Encoder, batch: Batch) -> Tensor:
    """What the first layer reads of texts of equal length, shape (batch, seq, dim)."""
    return embedded(encoder.model, {name: batch[name] for name in INPUTS if name in batch})


def read_outputs(head: LabelHead, states: Tensor, batch: Batch) -> Tensor:
    """Outputs for a batch's examples, shape (n_some, n_examples, n_outputs).

    Parameters
    ----------
    states : Tensor of shape (n_some, batch, seq, dim)
        The last layer in some configurations; seq may be 1, the first token alone.
    """
    n_texts, seq = batch["input_ids"].shape
    pool = batch["pool"].to_dense().unflatten(1, (n_texts, seq))[:, :, : states.shape[2]]
    vectors = pool.flatten(1) @ states.flatten(1, 2)  # (n_some, n_examples * n_spans, dim)
    return head.logits(vectors.reshape(len(states), -1, head.output.in_features))


def chunk_tokens(encoder: Encoder) -> int:
    """Tokens whose variants, one for each head of a layer and one for all, fit the memory.

    On a processor 768, small enough for its cache.
    """
    n_variants = encoder.model.config.num_attention_heads + 1
    return fitted_tokens(encoder.device, COPIES * n_variants * encoder.dim, ON_PROCESSOR)


def mean_contexts(data: LabelledTexts, tokens: int, layerwise: bool = True) -> list[Outputs]:
    """Each head's context, averaged over all tokens: per layer, shape (heads, head_dim)."""
    budget = TokenBudget(tokens, equal_length_batches)

    def sums(texts: Rows) -> Tensor:
        batch, found = data.batch(texts), []
        if not layerwise:
            return summed_contexts(data.encoder, batch)
        hidden = layer_zero(data.encoder, batch)
        for layer in blocks(data.encoder.model):
            contexts = layer.contexts(hidden)
            found.append(contexts.double().sum(dim=(0, 1)))
            hidden = layer.finish(hidden + layer.attended(contexts))
        return torch.stack(found)  # (layers, heads, head_dim)

    total: Any = sum(found for _, found in budget.passes(data.lengths, sums))
    return list((total / int(data.lengths.sum())).float().cpu().numpy())


@torch.inference_mode()
def verify_ablation(encoder: Encoder, texts: Sequence[Pieces]) -> bool:
    """Whether the layers can be run one by one, as BERT's; after a look at three texts.

    What is ablated for it is the last layer alone, which costs next to nothing.

    Raises
    ------
    AblationError
        If ablating nothing changes something, padding changes something, or ablating changes
        nothing.
    EncoderError
        If there is no telling which softmax is which layer's attention.
    """
    by_length = sorted(texts, key=len)
    chosen = [by_length[place] for place in sorted({0, len(texts) // 2, len(texts) - 1})]
    alone = [last_layer(encoder, pad_batch(encoder, [text])) for text in chosen]
    padded = last_layer(encoder, pad_batch(encoder, chosen))
    for row, text in enumerate(chosen):
        if _largest(padded[row, : len(text)] - alone[row]) > TOLERANCE:
            raise _refusal(encoder, "padding changes", "its attention is given no mask for padding")
    looks, layerwise = _by_layers(encoder, chosen), True
    if looks is None or _wrong(looks, alone):
        looks, layerwise = _by_passes(encoder, chosen), False
        if _wrong(looks, alone):
            raise _refusal(encoder, "ablating nothing changes", "its eager attention is another")
    if not max(_largest(ablated - intact) for intact, ablated in looks) > TOLERANCE:
        raise _refusal(encoder, "no ablation changes", "its attention has no part in its output")
    return layerwise


Looks = list[tuple[Tensor, Tensor]]


def _wrong(looks: Looks, alone: Sequence[Tensor]) -> bool:
    """Whether a text's first vector with nothing ablated is not that of the plain forward pass."""
    pairs = zip(looks, alone, strict=True)
    return any(not _largest(intact - plain[:, :1]) <= TOLERANCE for (intact, _), plain in pairs)


def _by_layers(encoder: Encoder, texts: Sequence[Pieces]) -> Looks | None:
    """The first vectors of the last layer, intact and ablated, of a stack of BERT-like layers.

    None for a model that has no such layers.
    """
    looks = []
    try:
        layers = blocks(encoder.model)
        for text in texts:
            hidden = layer_zero(encoder, pad_batch(encoder, [text]))
            stack = Stack(layers, "zero", first_only=True, tokens_per_chunk=len(text))
            variants = dict(stack.variants(hidden, lowest=len(layers)))
            looks.append((variants.pop(0)[0], torch.stack(list(variants.values()))))
    except torch.OutOfMemoryError:
        raise
    except (BlockError, AttributeError, TypeError, ValueError, RuntimeError):
        return None  # parts of BERT's names that take or give something else
    return looks


def _by_passes(encoder: Encoder, texts: Sequence[Pieces]) -> Looks:
    """The same by whole forward passes, of any family."""
    top, looks = encoder.n_layers, []
    heads = [place for place in places_of(encoder) if place.layer == top]
    for text in texts:
        batch = pad_batch(encoder, [text])
        intact, *ablated = (
            ablated_pass(encoder, batch, *place, "zero")[:, :1] for place in (INTACT, *heads)
        )
        looks.append((intact, torch.stack(ablated)))
    return looks


def _refusal(encoder: Encoder, what: str, why: str) -> AblationError:
    return AblationError(
        f"{what} the last layer of '{encoder.name}' ({encoder.model.config.model_type}) by more "
        f"than {TOLERANCE}: {why}. Leave it out of `ablate`, or mend how it is loaded."
    )


def _largest(difference: Tensor) -> float:
    return float(difference.abs().max())
