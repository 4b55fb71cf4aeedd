"""Dropout that draws 16 random bits for each value: on a processor, where drawing costs most."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

VALUES = 1 << 16  # of 16 bits


def dropout(x: Tensor, p: float) -> Tensor:
    """Zero each value with probability p, divide the others by 1 - p (Srivastava et al. 2014).

    p is rounded to a multiple of 2⁻¹⁶, so that one draw of 64 bits decides about four values:
    0.1 becomes 0.100006. The draws come from torch's global generator, in one thread, so they do
    not depend on the number of threads.
    """
    dropped = round(p * VALUES)
    draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    bits = draws.view(torch.int16)[: x.numel()].view(x.shape)
    kept = bits >= dropped - VALUES // 2
    return (x * kept).mul_(VALUES / (VALUES - dropped)) if dropped < VALUES else x * 0


@contextmanager
def quick_dropout(model: nn.Module) -> Iterator[None]:
    """Let every `nn.Dropout` of a model on a processor draw as `dropout` does, in the block."""
    modules = [module for module in model.modules() if isinstance(module, nn.Dropout)]
    if next(model.parameters()).device.type != "cpu":
        modules = []
    for module in modules:
        module.forward = partial(_forward, module)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for module in modules:
            del module.forward


def _forward(module: nn.Dropout, x: Tensor) -> Tensor:
    return dropout(x, module.p) if module.training and module.p else x
