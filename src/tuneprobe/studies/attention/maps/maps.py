"""Attention maps of one or more encoders, read in layer lockstep and dropped: never stored.

A map is L x L per head, rows the queries, columns the keys; each row sums to 1 over the real
pieces, [CLS] and [SEP] included. At each layer all encoders' maps of one padded batch lie in memory
together; when the next layer is computed they are gone.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

from tuneprobe.encoders.attention import eager_attention, softmax_maps
from tuneprobe.encoders.encoder import Encoder, pad_batch
from tuneprobe.encoders.forward import ON_PROCESSOR, TokenBudget, fitted_tokens
from tuneprobe.encoders.pieces import Pieces
from tuneprobe.encoders.source import EncoderError

ATTENTION = "tuneprobe-maps"
LAYERWISE = ("bert", "roberta", "electra", "distilbert")  # one mask for all layers, and no more
CACHED = 1 << 18  # values of a map that are read together: 1 MiB
MAPS_TOGETHER = 6  # of one encoder: the layer's, and what is computed of them


@dataclass(frozen=True)
class LayerMaps:
    """The maps of one layer, for one padded batch.

    Attributes
    ----------
    layer : int
        1 ... L.
    texts : int ndarray of shape (batch,)
        Which of the texts each row is.
    lengths : int64 Tensor of shape (batch,)
        Real pieces of each text, special tokens included.
    maps : tuple of float32 Tensors of shape (batch, heads, seq, seq)
        One per encoder. The columns of padding are 0. The rows of padding are not: padding, too,
        attends to real pieces.
    """

    layer: int
    texts: np.ndarray
    lengths: Tensor
    maps: tuple[Tensor, ...]

    def real(self, at_least: int = 0) -> Tensor:
        """1 for each real piece, or any before `at_least`, else 0: float32 of (batch, seq)."""
        place = torch.arange(self.maps[0].shape[-1], device=self.lengths.device)
        return (place < self.lengths.clamp(min=at_least)[:, None]).float()

    def parts(self, values: int = CACHED) -> Iterator["LayerMaps"]:
        """The same maps a few texts at a time, so that what is computed of them fits the cache."""
        step = max(1, values // self.maps[0][0].numel())
        for first in range(0, len(self.texts), step):
            rows = slice(first, first + step)
            maps = tuple(maps[rows] for maps in self.maps)
            yield LayerMaps(self.layer, self.texts[rows], self.lengths[rows], maps)


@torch.inference_mode()
def stream_maps(
    encoders: Sequence[Encoder],
    texts: Sequence[Pieces],
    see: Callable[[LayerMaps], None],
    *,
    tokens_per_batch: int | None = None,
    padded_to: int = 0,
) -> None:
    """Show every layer's maps of every text to `see`, which must not keep them.

    Memory beyond the encoders is one layer's maps, batch x heads x seq² floats for each encoder
    (of a family that is not in `LAYERWISE`: all layers'), and one forward pass of the batch;
    `tokens_per_batch` bounds batch x seq. Batches hold texts of
    like length; layers come in order, 1 ... L, batch by batch. Where the memory runs out,
    the texts of a batch come again in smaller ones: `see` must store what it finds, not add it up.

    Parameters
    ----------
    encoders
        Encoders that read the same pieces, of equal depth and number of heads.
    tokens_per_batch : int, optional
        None: as many as a CUDA device's memory holds, 1,024 on a processor.
    padded_to : int
        Pad each batch to at least so many pieces, as Kovaleva et al.'s code does.

    Raises
    ------
    EncoderError
        If the encoders differ in shape, read fewer than `padded_to` pieces, or do not have one
        softmax in each layer.
    OutOfMemoryError
        If the memory does not hold the maps of a single text.
    """
    _refuse_other_shapes(encoders)
    if padded_to > (most := min(encoder.max_pieces for encoder in encoders)):
        raise EncoderError(f"padded to {padded_to} pieces, but the encoder reads {most}.")
    lengths = np.array([len(pieces) for pieces in texts], dtype=np.int64)
    cost = np.maximum(lengths, padded_to)
    n_heads = encoders[0].model.config.num_attention_heads
    together = MAPS_TOGETHER + max(0 if _layerwise(one) else one.n_layers for one in encoders)
    floats = len(encoders) * together * n_heads * int(cost.max(initial=1))
    tokens = tokens_per_batch or fitted_tokens(encoders[0].device, floats, ON_PROCESSOR)

    def show(batch: NDArray[np.int64]) -> None:
        pieces = [texts[text] for text in batch]
        passes = [layer_maps(encoder, pieces, padded_to=padded_to) for encoder in encoders]
        real = torch.from_numpy(lengths[batch]).to(encoders[0].device)
        for layer in range(1, encoders[0].n_layers + 1):
            see(LayerMaps(layer, batch, real, tuple(next(maps) for maps in passes)))

    progress = tqdm(total=int(lengths.sum()), unit="piece", unit_scale=True, disable=None)
    with ExitStack() as stack, progress:
        for encoder in encoders:
            stack.enter_context(_maps_recorded(encoder))
        for batch, _ in TokenBudget(tokens).passes(cost, show):
            progress.update(int(lengths[batch].sum()))


def layer_maps(
    encoder: Encoder, texts: Sequence[Pieces], *, padded_to: int = 0
) -> Iterator[Tensor]:
    """The maps of one batch, layer by layer: each float32 of shape (batch, heads, seq, seq).

    Of a family in `LAYERWISE` nothing but the hidden state is held between two layers, and the last
    layer is left as soon as its maps are known. Call inside `stream_maps`, which sets the encoder's
    attention.
    """
    inputs = _padded(pad_batch(encoder, list(texts)), encoder, padded_to)
    if not _layerwise(encoder):
        yield from softmax_maps(encoder.model, inputs)
        return
    blocks = attention_blocks(encoder.model)
    hidden, rest, named = _first_block_inputs(encoder.model, blocks[0], inputs)
    shown: list[Tensor] = []

    def show_and_leave(maps: Tensor) -> None:
        shown.append(maps)
        raise _Enough

    for block in blocks[:-1]:
        hidden = block(hidden, *rest, **named, show_maps=shown.append)
        yield _take_maps(encoder, shown)
    with suppress(_Enough):
        blocks[-1](hidden, *rest, **named, show_maps=show_and_leave)
    yield _take_maps(encoder, shown)


def _layerwise(encoder: Encoder) -> bool:
    """Whether every block of the encoder takes the inputs that the first one takes."""
    return encoder.model.config.model_type in LAYERWISE


def _take_maps(encoder: Encoder, shown: list[Tensor]) -> Tensor:
    """The maps that one layer has shown, out of the list: one tensor, or the model is refused."""
    if len(shown) != 1:
        raise EncoderError(
            f"{type(encoder.model).__name__}: a layer showed {len(shown)} attention maps, "
            "expected 1; its attention does not go through transformers' interface."
        )
    return shown.pop()


def attention_blocks(model: nn.Module) -> nn.ModuleList:
    """The L blocks of a BERT-like model, in order: its one list of as many modules as layers."""
    depth = model.config.num_hidden_layers  # type: ignore[union-attr]
    lists = [part for part in model.modules() if isinstance(part, nn.ModuleList)]
    blocks = [part for part in lists if len(part) == depth]
    if len(blocks) != 1:
        raise EncoderError(
            f"{type(model).__name__} has {len(blocks)} lists of {depth} layers, expected 1: "
            "its attention maps cannot be read layer by layer."
        )
    return blocks[0]


def record_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    show_maps: Callable[[Tensor], None] | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Softmax attention that shows its weights, (batch, heads, seq, seq), to `show_maps`.

    The tensors have shape (batch, heads, seq, dim of a head). No dropout: maps are read in
    evaluation mode only.
    """
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    weights = (query * scale) @ key.transpose(-2, -1)
    if attention_mask is not None:
        weights += attention_mask
    torch.softmax(weights, dim=-1, out=weights)
    if show_maps is not None:
        show_maps(weights)
    return (weights @ value).transpose(1, 2).contiguous(), None


AttentionInterface.register(ATTENTION, record_attention)
AttentionMaskInterface.register(ATTENTION, eager_mask)  # without it padding would lose its mask


@contextmanager
def _maps_recorded(encoder: Encoder) -> Iterator[None]:
    """Let the encoder's attention show its maps, and give it its own back at the end."""
    if not _layerwise(encoder):
        with eager_attention(encoder.model):
            yield
        return
    before = encoder.model.config._attn_implementation
    encoder.model.set_attn_implementation(ATTENTION)
    try:
        yield
    finally:
        encoder.model.set_attn_implementation(before)


class _Enough(Exception):  # noqa: N818
    """Ends a forward pass of which the rest is not wanted."""


def _first_block_inputs(
    model: nn.Module, block: nn.Module, inputs: dict[str, Tensor]
) -> tuple[Tensor, tuple[Any, ...], dict[str, Any]]:
    """What the model gives its first block: the embedding output, and all other arguments.

    The model itself makes embeddings and mask, so that no architecture has to be spelled here.
    """
    given: list[Any] = []

    def stop(module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        given.extend((args, named))
        raise _Enough

    handle = block.register_forward_pre_hook(stop, with_kwargs=True)
    try:
        with suppress(_Enough):
            model(**inputs)
    finally:
        handle.remove()
    (hidden, *rest), named = given
    return hidden, tuple(rest), named


def _padded(inputs: dict[str, Tensor], encoder: Encoder, seq: int) -> dict[str, Tensor]:
    """Inputs padded to at least `seq` pieces: mask and segment ids with 0."""
    missing = max(0, seq - inputs["input_ids"].shape[1])
    fill = {"input_ids": encoder.pad_id}
    return {
        name: nn.functional.pad(values, (0, missing), value=fill.get(name, 0))
        for name, values in inputs.items()
    }


def _refuse_other_shapes(encoders: Sequence[Encoder]) -> None:
    shapes = {
        (encoder.n_layers, int(encoder.model.config.num_attention_heads)): encoder.state
        for encoder in encoders
    }
    if len(shapes) != 1:
        found = ", ".join(f"{shape[0]} x {shape[1]} ({state})" for shape, state in shapes.items())
        raise EncoderError(
            f"maps are compared head by head, but the encoders have {found or 'no'} layers x heads."
        )
    for encoder in encoders:
        if encoder.model.training:
            raise EncoderError(
                f"{encoder.name} ({encoder.state}) is in training mode: call eval()."
            )
