"""Attention of any encoder: in eager attention the weights are what the softmax gives.

A mode of torch sees every softmax of a forward pass, so that no family has to be named. What it
returns in place of the weights takes their place in the model.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from tuneprobe.encoders.source import EncoderError

SOFTMAX = {functional.softmax, torch.softmax, torch.Tensor.softmax}
See = Callable[[int, Tensor], Tensor | None]


class Attention(TorchFunctionMode):
    """Calls ``see(layer, weights)`` for every attention of a forward pass inside the block.

    Layers count from 1; weights have shape (batch, heads, queries, keys). What `see` returns, if
    anything, replaces them.
    """

    def __init__(self, see: See) -> None:
        super().__init__()
        self.see, self.n_seen = see, 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """`func` of `args`; of a softmax over four dimensions what `see` makes of it."""
        out = func(*args, **(kwargs or {}))
        if func not in SOFTMAX or out.ndim != 4:
            return out
        self.n_seen += 1
        replaced = self.see(self.n_seen, out)
        return out if replaced is None else replaced


@contextmanager
def eager_attention(model: nn.Module) -> Iterator[None]:
    """Let a model compute attention step by step in the block, and as before after it."""
    before = model.config._attn_implementation  # type: ignore[union-attr]
    model.set_attn_implementation("eager")  # type: ignore[operator]
    try:
        yield
    finally:
        model.set_attn_implementation(before)  # type: ignore[operator]


def softmax_maps(model: Any, inputs: dict[str, Tensor]) -> list[Tensor]:
    """The attention maps of all layers, each of shape (batch, heads, seq, seq).

    Call inside `eager_attention`.

    Raises
    ------
    EncoderError
        If the forward pass does not have one softmax over a map in each layer, so that what is a
        head's map cannot be told.
    """
    maps: list[Tensor] = []

    def see(layer: int, weights: Tensor) -> None:
        maps.append(weights)

    with Attention(see):
        model(**inputs)
    rows, seq = inputs["input_ids"].shape
    shape = (rows, model.config.num_attention_heads, seq, seq)
    depth, kind = model.config.num_hidden_layers, model.config.model_type
    if len(maps) != depth or any(found.shape != shape for found in maps):
        raise EncoderError(
            f"a model of the type '{kind}' computes {len(maps)} softmaxes of the shapes "
            f"{sorted({tuple(found.shape) for found in maps})} in a forward pass, expected {depth} "
            f"of {shape}, one map of each head in each layer: its attention cannot be read."
        )
    return maps
