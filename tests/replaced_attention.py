"""The plain way to ablate: a whole forward pass of the stock model with one attention replaced.

Through transformers' interface: an attention function *and* a mask function are registered, since
a model whose attention has no mask function of its name is given no mask for padding.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

NAME = "replaced"
Edit = Callable[[nn.Module, Tensor, Tensor], tuple[Tensor, Tensor]]


@contextmanager
def replaced_attention(
    model: Any, layer: int, head: int, ablation: str, inputs: dict[str, Tensor]
) -> Iterator[None]:
    """Within the block, `model` runs with a head (-1: all) of a layer (from 1; -1: none) ablated.

    `inputs` are all texts of the study; the ablation ``mean`` takes its averages over them.
    """
    ablated = attention_modules(model)[layer - 1] if layer > 0 else None
    heads = slice(None) if head < 0 else slice(head, head + 1)
    real = inputs["attention_mask"].bool()
    uniform = (real / real.sum(dim=1, keepdim=True))[:, None, None, :]  # (batch, 1, 1, seq)
    means = mean_outputs(model, ablated, inputs) if ablated and ablation == "mean" else None

    def edit(module: nn.Module, weights: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        if module is not ablated:
            return weights, weights @ value
        if ablation != "mean":
            weights = weights.clone()
            weights[:, heads] = uniform if ablation == "uniform" else 0.0
        output = weights @ value  # (batch, heads, seq, head_dim)
        if means is not None:
            output[:, heads] = means[heads]
        return weights, output

    with attention(model, edit):
        yield


def mean_outputs(model: Any, module: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    """Mean output of a module's attention over all real tokens, (heads, 1, head_dim)."""
    seen = []

    def watch(caller: nn.Module, weights: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        if caller is module:
            seen.append((weights @ value).transpose(1, 2))
        return weights, weights @ value

    with attention(model, watch):
        model(**inputs)
    return seen[0][inputs["attention_mask"].bool()].mean(dim=0).unsqueeze(1)


@contextmanager
def attention(model: Any, edit: Edit) -> Iterator[None]:
    """Within the block, weights and output of every attention are what `edit` makes of them."""
    AttentionInterface.register(NAME, attention_of(edit))
    AttentionMaskInterface.register(NAME, eager_mask)
    before = model.config._attn_implementation
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def attention_of(edit: Edit | None) -> Callable[..., tuple[Tensor, Tensor]]:
    """Softmax attention in transformers' form; `edit` takes module, weights and values."""

    def forward(module, query, key, value, attention_mask, scaling=None, **_):
        scores = query @ key.transpose(2, 3) * scaling
        if attention_mask is not None:
            scores = scores + attention_mask
        weights = torch.softmax(scores, dim=-1)
        weights, output = edit(module, weights, value) if edit else (weights, weights @ value)
        return output.transpose(1, 2).contiguous(), weights

    return forward


def attention_modules(model: Any) -> list[nn.Module]:
    """The modules that call the attention function, bottom up."""
    return [module for module in model.modules() if type(module).__name__.endswith("SelfAttention")]
