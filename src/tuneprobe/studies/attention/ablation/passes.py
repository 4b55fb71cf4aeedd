"""Ablation by whole forward passes, of any family: what a head does is edited where it is computed.

Attention weights are what the softmax gives, so zeroing those of a head cuts its context out, and
scaling them scales it (`encoders.attention`). No family is named. It costs a forward pass for each
head and layer; layers below the ablated one are computed again each time.
"""

import torch
from torch import Tensor

from tuneprobe.encoders.attention import attended, eager_attention
from tuneprobe.encoders.encoder import Encoder
from tuneprobe.encoders.source import EncoderError
from tuneprobe.formats.results import NO_HEAD
from tuneprobe.tuning.heads import INPUTS, Batch


def ablated_pass(
    encoder: Encoder,
    batch: Batch,
    layer: int,
    head: int,
    ablation: str,
    means: list[Tensor] | None = None,
) -> Tensor:
    """The last layer, (batch, seq, dim), where a head (from 0; -1: all) of a layer is ablated.

    Parameters
    ----------
    layer : int
        From 1; -1: nothing is ablated.
    ablation : str
        As for `ablation_sweep`.
    means : list of Tensors of shape (heads, head_dim), optional
        Mean contexts of each layer, for the ablation ``mean``.
    """
    heads = slice(None) if head == NO_HEAD else slice(head, head + 1)
    real = batch["attention_mask"].float()
    uniform = (real / real.sum(dim=1, keepdim=True))[:, None, None, :]  # (batch, 1, 1, seq)

    def edit_weights(number: int, weights: Tensor) -> Tensor | None:
        if number != layer or means is not None:
            return None
        edited = weights.clone()
        edited[:, heads] = uniform.to(edited) if ablation == "uniform" else 0.0
        return edited

    def edit_contexts(number: int, contexts: Tensor) -> Tensor | None:
        if number != layer or means is None:
            return None
        edited = contexts.clone()
        edited[:, heads] = means[layer - 1][heads].unsqueeze(1).to(edited)
        return edited

    with eager_attention(encoder.model):
        hidden, _ = attended(encoder.model, _inputs(batch), edit_weights, edit_contexts)
    return hidden


def summed_contexts(encoder: Encoder, batch: Batch) -> Tensor:
    """Each head's context, summed over all tokens of texts of equal length, float64.

    Returns
    -------
    Tensor of shape (layers, heads, head_dim)

    Raises
    ------
    EncoderError
        If the contexts are not products of weights with values that can be told.
    """
    found: list[Tensor] = []

    def add(layer: int, contexts: Tensor) -> None:
        found.append(contexts.double().sum(dim=(0, 2)))

    with eager_attention(encoder.model):
        _, mode = attended(encoder.model, _inputs(batch), lambda *_: None, add)
    if mode.n_mixed != encoder.n_layers:
        raise EncoderError(
            f"a model of the type '{encoder.model.config.model_type}' shows the contexts of its "
            f"heads in {mode.n_mixed} of {encoder.n_layers} layers, so that they have no mean: "
            "ablate with 'uniform' or 'zero'."
        )
    return torch.stack(found)


def masked_pass(encoder: Encoder, batch: Batch, masks: Tensor) -> Tensor:
    """The last layer where `masks`, (batch, layers, heads), scale the contexts of the heads."""

    def scale(layer: int, weights: Tensor) -> Tensor:
        return weights * masks[:, layer - 1, :, None, None]

    with eager_attention(encoder.model):
        return attended(encoder.model, _inputs(batch), scale)[0]


def _inputs(batch: Batch) -> Batch:
    return {name: batch[name] for name in INPUTS if name in batch}
