"""Ablation: equal to a forward pass with replaced attention, and refused where it would not be."""

import numpy as np
import pytest
import torch
from made_up_encoders import DIM, FAMILIES, N_HEADS, N_LAYERS, made_up_encoder, made_up_pieces
from replaced_attention import replaced_attention
from torch import nn

from tuneprobe.ablation import (
    TYPES,
    Reading,
    ablation_sweep,
    configurations,
)
from tuneprobe.encoder import pad_batch
from tuneprobe.heads import last_layer

LENGTHS = [9, 4, 9, 13, 2, 6]


class LinearHead(nn.Module):
    """The part of a label head that the sweep uses."""

    def __init__(self, n_spans: int, n_outputs: int = 3) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            self.output = nn.Linear(DIM * n_spans, n_outputs)

    def logits(self, vectors: torch.Tensor) -> torch.Tensor:
        return self.output(vectors)


def whole_text_readings(texts) -> list[Reading]:
    return [
        Reading(np.array([n]), np.eye(1, len(text), dtype=np.float32))
        for n, text in enumerate(texts)
    ]


def pair_readings(texts) -> list[Reading]:
    """Two examples of two spans in each text, numbered from the last text to the first."""
    draws = np.random.default_rng(5)
    rows = np.arange(2 * len(texts)).reshape(-1, 2)[::-1]
    return [
        Reading(row, draws.dirichlet(np.ones(len(text)), size=4).astype(np.float32))
        for row, text in zip(rows, texts)
    ]


@torch.inference_mode()
def naive_outputs(encoder, head, texts, readings, ablation) -> np.ndarray:
    """One padded forward pass of the stock model for each configuration."""
    inputs = pad_batch(encoder, texts)
    outputs = []
    for configuration in configurations(N_LAYERS, N_HEADS):
        with replaced_attention(encoder.model, *configuration, ablation, inputs):
            hidden = last_layer(encoder, inputs)
        found = {}
        for text, reading, state in zip(texts, readings, hidden):
            vectors = torch.from_numpy(reading.weights) @ state[: len(text)]
            logits = head.logits(vectors.reshape(len(reading.rows), -1))
            found |= dict(zip(reading.rows.tolist(), logits.numpy()))
        outputs.append([found[row] for row in sorted(found)])
    return np.array(outputs)


@pytest.mark.parametrize("ablation", TYPES)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_sweep_equals_a_padded_forward_with_replaced_attention(family, ablation) -> None:
    encoder, texts = made_up_encoder(family), made_up_pieces(LENGTHS)
    for n_spans, readings in ((1, whole_text_readings(texts)), (2, pair_readings(texts))):
        head = LinearHead(n_spans)
        fast = ablation_sweep(
            encoder, head, texts, readings, ablation=ablation, tokens_per_chunk=20
        )
        slow = naive_outputs(encoder, head, texts, readings, ablation)
        assert fast.shape == slow.shape == (1 + N_LAYERS * (N_HEADS + 1), 6 * n_spans, 3)
        np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-5)
        assert (np.abs(slow[1:] - slow[0]).max(axis=(1, 2)) > 1e-2).all()
