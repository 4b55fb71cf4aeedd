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
PRODUCT = {torch.matmul, torch.bmm, Tensor.matmul, Tensor.__matmul__, Tensor.bmm}
See = Callable[[int, Tensor], Tensor | None]


class Attention(TorchFunctionMode):
    """Calls ``see(layer, weights)`` for every attention of a forward pass inside the block.

    Layers count from 1; weights have shape (batch, heads, queries, keys). What `see` returns, if
    anything, replaces them. Likewise ``mix(layer, contexts)`` with the weighted means of values, of
    shape (batch, heads, queries, head_dim): the first product of the weights with something.
    """

    def __init__(self, see: See, mix: See | None = None) -> None:
        super().__init__()
        self.see, self.mix, self.n_seen, self.n_mixed = see, mix, 0, 0
        self._weights: Tensor | None = None  # whose product is awaited

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """`func` of `args`; of attention weights, and of contexts, what is made of them."""
        out = func(*args, **(kwargs or {}))
        if func in SOFTMAX and out.ndim == 4:
            self.n_seen += 1
            out = _or(self.see(self.n_seen, out), out)
            self._weights, self._shape = out, out.shape[:3]
        elif self.mix and func in PRODUCT and self._awaited(args[0]):
            contexts = out.reshape(*self._shape, -1)
            self.n_mixed, self._weights = self.n_mixed + 1, None
            out = _or(self.mix(self.n_seen, contexts), contexts).reshape(out.shape)
        return out

    def _awaited(self, factor: Tensor) -> bool:
        """Whether a factor is the weights, the same numbers in memory, of whatever shape."""
        weights = self._weights
        return (
            weights is not None
            and factor.data_ptr() == weights.data_ptr()
            and factor.numel() == weights.numel()
        )


def _or(replaced: Tensor | None, given: Tensor) -> Tensor:
    return given if replaced is None else replaced


@contextmanager
def eager_attention(model: nn.Module) -> Iterator[None]:
    """Let a model compute attention step by step in the block, and as before after it."""
    before = model.config._attn_implementation  # type: ignore[union-attr]
    model.set_attn_implementation("eager")  # type: ignore[operator]
    try:
        yield
    finally:
        model.set_attn_implementation(before)  # type: ignore[operator]


def attended(
    model: Any, inputs: dict[str, Tensor], see: See, mix: See | None = None
) -> tuple[Tensor, Attention]:
    """The last layer of a forward pass whose attention `see`, and `mix`, were shown; and the mode.

    Call inside `eager_attention`.

    Raises
    ------
    EncoderError
        If the forward pass does not have one softmax over a map in each layer, so that what is a
        head's map cannot be told.
    """
    shapes: list[tuple[int, ...]] = []
    rows, seq = inputs["input_ids"].shape
    shape = (rows, model.config.num_attention_heads, seq, seq)

    def see_maps(layer: int, weights: Tensor) -> Tensor | None:
        shapes.append(tuple(weights.shape))
        return see(layer, weights) if shapes[-1] == shape else None

    with Attention(see_maps, mix) as mode:
        hidden: Tensor = model(**inputs).last_hidden_state
    depth, kind = model.config.num_hidden_layers, model.config.model_type
    if len(shapes) != depth or set(shapes) != {shape}:
        raise EncoderError(
            f"a model of the type '{kind}' computes {len(shapes)} softmaxes of the shapes "
            f"{sorted(set(shapes))} in a forward pass, expected {depth} "
            f"of {shape}, one map of each head in each layer: its attention cannot be read."
        )
    return hidden, mode


def softmax_maps(model: Any, inputs: dict[str, Tensor]) -> list[Tensor]:
    """The attention maps of all layers, each of shape (batch, heads, seq, seq).

    Call inside `eager_attention`; errors as of `attended`.
    """
    maps: list[Tensor] = []

    def see(layer: int, weights: Tensor) -> None:
        maps.append(weights)

    attended(model, inputs, see)
    return maps
