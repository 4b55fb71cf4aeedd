"""Importance of heads by gradient (Michel et al. 2019): one forward and one backward pass.

A preview of the sweep (`sweep.py`), never in its place: a slope says nothing exact about a whole
step.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from tuneprobe.encoders.forward import TokenBudget
from tuneprobe.errors import TuneprobeError
from tuneprobe.studies.attention.ablation.blocks import Block, blocks
from tuneprobe.studies.attention.ablation.passes import masked_pass
from tuneprobe.studies.attention.ablation.sweep import (
    chunk_tokens,
    equal_length_batches,
    layer_zero,
    read_outputs,
    verify_ablation,
)
from tuneprobe.tuning.heads import Batch, LabelHead
from tuneprobe.tuning.labelled_texts import LabelledTexts

Floats = NDArray[np.float64]


def head_importance(
    head: LabelHead, data: LabelledTexts, *, tokens_per_chunk: int | None = None
) -> Floats:
    """``E |d loss / d m_h|`` at ``m_h = 1``, where m_h scales the context of head h.

    Michel et al. 2019, eq. 2, without their normalisation by layer. The expectation is over the
    texts of `data`; the loss of a text is the sum over its examples, as `example_losses` has it.

    Returns
    -------
    ndarray of shape (n_layers, n_heads)

    Raises
    ------
    TuneprobeError
        If `data` has no targets, or as for `verify_ablation`.
    """
    if data.targets is None:
        raise TuneprobeError("importance is of a loss: give labelled_texts the targets.")
    encoder, last_layer = data.encoder, masked_reader(data)
    shape = (encoder.n_layers, int(encoder.model.config.num_attention_heads))

    def steepness(texts: NDArray[np.int64]) -> Tensor:
        batch = data.batch(texts)
        masks = torch.ones((len(texts), *shape), device=encoder.device, requires_grad=True)
        states = last_layer(batch, masks).unsqueeze(0)
        loss = example_losses(read_outputs(head, states, batch)[0], batch["target"]).sum()
        (gradient,) = torch.autograd.grad(loss, masks)  # (batch, layers, heads)
        return gradient.abs().double().sum(dim=0).cpu()

    total = torch.zeros(shape, dtype=torch.float64)
    budget = TokenBudget(tokens_per_chunk or chunk_tokens(encoder), equal_length_batches)
    for _, found in budget.passes(data.lengths, steepness):
        total += found
    importance: Floats = (total / len(data.pieces)).numpy()
    return importance


def example_losses(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of labels, squared error of scores: (n, n_outputs) and (n,) to (n,)."""
    if targets.is_floating_point():
        return (outputs[:, 0] - targets) ** 2
    return cross_entropy(outputs, targets, reduction="none")


def masked_reader(data: LabelledTexts) -> Callable[[Batch, Tensor], Tensor]:
    """What reads texts of equal length where masks scale the contexts of the heads.

    It takes a batch and masks of shape (batch, layers, heads) and gives the last layer, (batch,
    seq, dim): layer by layer where the encoder is built as BERT, else by whole forward passes.

    Raises
    ------
    AblationError, EncoderError
        As for `verify_ablation`.
    """
    encoder = data.encoder
    if not verify_ablation(encoder, data.pieces):
        return partial(masked_pass, encoder)
    layers = blocks(encoder.model)

    def read(batch: Batch, masks: Tensor) -> Tensor:
        with torch.no_grad():
            hidden = layer_zero(encoder, batch)
        return masked_forward(layers, hidden, masks)

    return read


def masked_forward(layers: list[Block], hidden: Tensor, masks: Tensor) -> Tensor:
    """The last layer where `masks`, (batch, layers, heads), scale the contexts of the heads."""
    for number, layer in enumerate(layers):
        contexts = layer.contexts(hidden) * masks[:, None, number, :, None]
        hidden = layer.finish(hidden + layer.attended(contexts))
    return hidden
