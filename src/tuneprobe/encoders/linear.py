"""Linear layers on a processor: torch's own product, or oneDNN's, forward and backward.

Which is faster depends on the processor and on what torch was built with: torch's library of
matrix products leaves half of the speed of some makers' processors unused. They differ in the last
bits, so the choice is part of a result.
"""

import time
from copy import deepcopy
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from tuneprobe.encoders.source import EncoderError
from tuneprobe.errors import UnknownNameError

STOCK, ONEDNN, MEASURED = CHOICES = ("stock", "onednn", "measured")
TOLERANCE = 1e-5  # of a product, relative to its largest number
TOKENS, WIDTH, WIDE = 512, 384, 1536  # of the product that is measured
RUNS = 5
GAIN = 0.8  # of the time of torch's own; a smaller gain could be noise, and change the choice


class _Affine(torch.autograd.Function):
    """``x Wᵀ + b`` and its gradients as products of oneDNN."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        rows = grad.flatten(0, -2)
        return (
            _product(grad, weight.t()) if of_x else None,
            _product(rows.t(), x.flatten(0, -2).t()) if of_weight else None,
            rows.sum(0) if of_bias else None,
        )


def _product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """``left rightᵀ + bias``."""
    found: Tensor = torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")
    return found


class OneDNNLinear(nn.Linear):
    """A linear layer that oneDNN multiplies; in another precision than float32 torch does."""

    def forward(self, x: Tensor) -> Tensor:
        """From (..., n_in) to (..., n_out)."""
        if x.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        found: Tensor = _Affine.apply(x, self.weight, self.bias)
        return found


def with_linear(model: nn.Module, choice: str) -> nn.Module:
    """The model, its linear layers those of a choice; its weights stay where they are.

    Parameters
    ----------
    choice : str
        ``stock``, ``onednn``, or ``measured``: oneDNN's where a product and one with its gradients
        both take at most 80 % of the time of torch's own, the least of five. On a GPU always stock.

    Raises
    ------
    EncoderError
        If oneDNN's products or their gradients differ from torch's own by more than 1e-5 of the
        largest number, or this build of torch has none.
    """
    if choice not in CHOICES:
        raise UnknownNameError("choice of linear layers", choice, CHOICES)
    if choice == STOCK or next(model.parameters()).device.type != "cpu":
        return model
    if choice == ONEDNN:
        _refuse_difference()
    elif not faster():
        return model
    for part in model.modules():
        if type(part) is nn.Linear:
            part.__class__ = OneDNNLinear
    return model


def linear_of(model: nn.Module) -> str:
    """Which linear layers a model has: ``stock`` or ``onednn``."""
    return ONEDNN if any(isinstance(part, OneDNNLinear) for part in model.modules()) else STOCK


@cache
def faster() -> bool:
    """Whether oneDNN's products are faster here by a fifth, alone and with their gradients."""
    if not torch.backends.mkldnn.is_available():
        return False
    _refuse_difference()
    stock, onednn, x = _trial()
    for work in (_forward, _gradients):
        least = [float("inf")] * 2
        for _ in range(RUNS):
            for number, layer in enumerate((stock, onednn)):
                start = time.perf_counter()
                work(layer, x)
                least[number] = min(least[number], time.perf_counter() - start)
        if least[1] > GAIN * least[0]:
            return False
    return True


def _refuse_difference() -> None:
    if not torch.backends.mkldnn.is_available():
        raise EncoderError("this build of torch has no oneDNN: use linear=stock.")
    stock, onednn, x = _trial()
    pairs = zip(_gradients(stock, x), _gradients(onednn, x), strict=True)
    largest = max(float((mine - theirs).abs().max() / mine.abs().max()) for mine, theirs in pairs)
    if not largest <= TOLERANCE:
        raise EncoderError(
            f"oneDNN's linear layers differ from torch's by {largest:.1e} of the largest number, "
            f"expected at most {TOLERANCE}: use linear=stock on this machine."
        )


def _trial() -> tuple[nn.Linear, nn.Linear, Tensor]:
    """The same layer twice, torch's and oneDNN's, and what they read."""
    with torch.inference_mode(mode=False), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        stock, x = nn.Linear(WIDTH, WIDE), torch.randn(TOKENS, WIDTH)
        onednn = deepcopy(stock)
    onednn.__class__ = OneDNNLinear
    return stock, onednn, x


def _forward(layer: nn.Linear, x: Tensor) -> None:
    with torch.inference_mode():
        layer(x)


def _gradients(layer: nn.Linear, x: Tensor) -> tuple[Tensor, ...]:
    """Of the sum of squares: what it is of, and its gradients by input, weights and biases."""
    with torch.inference_mode(mode=False), torch.enable_grad():
        read = x.clone().requires_grad_()
        found = layer(read)
        weights = (read, layer.weight, layer.bias)
        return found.detach(), *torch.autograd.grad(found.square().sum(), weights)
