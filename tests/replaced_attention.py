"""The plain way to ablate: a whole forward pass of the stock model with one attention replaced.

Through transformers' interface: an attention function *and* a mask function are registered, since
a model whose attention has no mask function of its name is given no mask for padding.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

NAME = "replaced"


@contextmanager
def replaced_attention(
    model, layer: int, head: int, ablation: str, inputs: dict[str, Tensor]
) -> Iterator[None]:
    """Within the block, `model` runs with a head (-1: all) of a layer (from 1; -1: none) ablated.

    `inputs` are all texts of the study; the ablation ``mean`` takes its averages over them.
    """
    real = inputs["attention_mask"].bool()
    modules = attention_modules(model)
    ablated = modules[layer - 1] if layer > 0 else None
    heads = slice(None) if head < 0 else slice(head, head + 1)
    means = mean_outputs(model, ablated, inputs) if ablation == "mean" and ablated else None

    def attention(module, query, key, value, attention_mask, scaling=None, **_):
        scores = query @ key.transpose(2, 3) * scaling
        if attention_mask is not None:
            scores = scores + attention_mask
        weights = torch.softmax(scores, dim=-1)
        if module is ablated and ablation == "uniform":
            uniform = real[:, None, None, :] / real.sum(dim=1)[:, None, None, None]
            weights[:, heads] = uniform.expand(-1, 1, weights.shape[2], -1)
        if module is ablated and ablation == "zero":
            weights[:, heads] = 0.0
        output = (weights @ value).transpose(1, 2).contiguous()
        if module is ablated and ablation == "mean":
            output[:, :, heads] = means[heads]
        return output, weights

    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, eager_mask)
    before = model.config._attn_implementation
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def attention_modules(model) -> list:
    """The modules that call the attention function, bottom up."""
    return [
        module
        for name, module in model.named_modules()
        if type(module).__name__.endswith("SelfAttention")
    ]


def mean_outputs(model, module, inputs: dict[str, Tensor]) -> Tensor:
    """Mean output of the attention function in `module` over all real tokens, (heads, head_dim)."""
    seen = []

    def attention(caller, query, key, value, attention_mask, scaling=None, **_):
        scores = query @ key.transpose(2, 3) * scaling
        if attention_mask is not None:
            scores = scores + attention_mask
        output = (torch.softmax(scores, dim=-1) @ value).transpose(1, 2).contiguous()
        if caller is module:
            seen.append(output)
        return output, None

    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, eager_mask)
    before = model.config._attn_implementation
    model.set_attn_implementation(NAME)
    model(**inputs)
    model.set_attn_implementation(before)
    return seen[0][inputs["attention_mask"].bool()].mean(dim=0)
