"""Linear layers of an encoder on a processor: torch's own, or oneDNN's on weights packed once.

Which are faster depends on the processor and on what torch was built with. They differ in the last
bits, so the choice is part of a result.
"""

import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn

from tuneprobe.encoders.encoder import Encoder, budget_batches, pad_batch
from tuneprobe.encoders.pieces import Pieces
from tuneprobe.encoders.source import EncoderError
from tuneprobe.errors import UnknownNameError

STOCK, ONEDNN, MEASURED = CHOICES = ("stock", "onednn", "measured")
TOLERANCE = 1e-4  # of hidden states, as between any two orders of summation in float32
PROBED = 2048  # tokens
RUNS = 5
GAIN = 0.95  # of the stock time; less is noise


class OneDNNLinear(nn.Module):
    """``x Wᵀ + b`` by oneDNN, W packed for it."""

    def __init__(self, stock: nn.Linear) -> None:
        super().__init__()
        self.packed = torch.ops.mkldnn._reorder_linear_weight(stock.weight.detach(), PROBED)
        self.bias = stock.bias

    def forward(self, x: Tensor) -> Tensor:
        """From (..., n_in) to (..., n_out)."""
        found: Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self.packed, self.bias, "none", [], ""
        )
        return found


@torch.inference_mode()
def with_linear(encoder: Encoder, choice: str, texts: Sequence[Pieces]) -> tuple[Encoder, str]:
    """The encoder with the linear layers of a choice, and which they are.

    Parameters
    ----------
    choice : str
        ``stock``, ``onednn``, or ``measured``: oneDNN's where a probe on a batch of `texts` takes
        at most 95 % of the stock time, median of five. On a GPU always stock.

    Raises
    ------
    EncoderError
        If oneDNN's layers change a hidden state by more than 1e-4.
    """
    if choice not in CHOICES:
        raise UnknownNameError("choice of linear layers", choice, CHOICES)
    if choice == STOCK or encoder.device.type != "cpu" or not texts:
        return encoder, STOCK
    packed = replace(encoder, model=_packed(encoder.model))
    batches = budget_batches(np.array([len(text) for text in texts]), PROBED)
    batch = pad_batch(encoder, [texts[text] for text in batches[len(batches) // 2]])
    _refuse_difference(encoder, packed, batch)
    if choice == MEASURED and not _faster(encoder, packed, batch):
        return encoder, STOCK
    return packed, ONEDNN


def _packed(model: nn.Module) -> nn.Module:
    """A copy of the model that shares all weights but the packed ones."""
    copied = deepcopy(model, {id(weight): weight for weight in model.parameters()})
    for part in list(copied.modules()):
        for name, child in part.named_children():
            if isinstance(child, nn.Linear):
                setattr(part, name, OneDNNLinear(child))
    return copied


def _refuse_difference(stock: Encoder, packed: Encoder, batch: dict[str, Tensor]) -> None:
    layers = (
        one.model(**batch, output_hidden_states=True).hidden_states for one in (stock, packed)
    )
    largest = max(float((mine - theirs).abs().max()) for mine, theirs in zip(*layers, strict=True))
    if not largest <= TOLERANCE:
        raise EncoderError(
            f"oneDNN's linear layers change a hidden state of {stock.name} by {largest:.1e}, "
            f"expected at most {TOLERANCE}: use represent.linear=stock on this machine."
        )


def _faster(stock: Encoder, packed: Encoder, batch: dict[str, Tensor]) -> bool:
    """Whether the packed encoder is faster, by medians of runs that alternate."""
    seconds: dict[str, list[float]] = {STOCK: [], ONEDNN: []}
    for _ in range(RUNS):
        for name, encoder in ((STOCK, stock), (ONEDNN, packed)):
            start = time.perf_counter()
            encoder.model(**batch)
            seconds[name].append(time.perf_counter() - start)
    return median(seconds[ONEDNN]) <= GAIN * median(seconds[STOCK])
