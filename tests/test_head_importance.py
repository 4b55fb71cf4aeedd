"""Importance of heads by gradient: equal to measured slopes."""

import numpy as np
import pytest
import torch
from made_up_encoders import (
    DIM,
    FAMILIES,
    N_HEADS,
    N_LAYERS,
    made_up_encoder,
    made_up_head,
    made_up_texts,
)

from tuneprobe.errors import TuneprobeError
from tuneprobe.studies.attention.ablation import importance
from tuneprobe.studies.attention.ablation.blocks import blocks
from tuneprobe.studies.attention.ablation.importance import (
    example_losses,
    head_importance,
    masked_forward,
)
from tuneprobe.studies.attention.ablation.sweep import layer_zero
from tuneprobe.tuning.heads import last_layer

LENGTHS = [9, 4, 9, 13]
LABELS = np.array([0, 2, 1, 1])
STEP = 1e-3


@torch.inference_mode()
def slopes(head, data) -> np.ndarray:
    """Mean over the texts of the absolute central difference of the loss, one text at a time."""
    encoder = data.encoder
    encoder.model.double()
    found = np.zeros((len(data.pieces), N_LAYERS, N_HEADS))
    for text in range(len(data.pieces)):
        batch = data.batch(np.array([text]))
        hidden = layer_zero(encoder, batch)
        for place in np.ndindex(N_LAYERS, N_HEADS):
            losses = []
            for step in (STEP, -STEP):
                masks = hidden.new_ones((1, N_LAYERS, N_HEADS))
                masks[0][place] += step
                state = masked_forward(blocks(encoder.model), hidden, masks).float()
                outputs = head.logits(head.read(state, batch)).double()
                losses.append(float(example_losses(outputs, batch["target"]).sum()))
            found[text][place] = (losses[0] - losses[1]) / (2 * STEP)
    return np.abs(found).mean(axis=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_importance_is_the_mean_absolute_slope_of_the_loss(family) -> None:
    data, head = made_up_texts(made_up_encoder(family), LENGTHS, targets=LABELS), made_up_head()
    found = head_importance(head, data, tokens_per_chunk=18)
    np.testing.assert_allclose(found, slopes(head, data), rtol=1e-2, atol=1e-3)


def test_whole_passes_give_the_importance_of_the_layers_one_by_one(monkeypatch) -> None:
    data, head = made_up_texts(made_up_encoder("bert"), LENGTHS, targets=LABELS), made_up_head()
    layerwise = head_importance(head, data)
    monkeypatch.setattr(importance, "verify_ablation", lambda *_: False)
    np.testing.assert_allclose(head_importance(head, data), layerwise, rtol=1e-4, atol=1e-6)


def test_importance_of_a_score_is_the_slope_of_the_squared_error() -> None:
    scores = LABELS.astype(np.float32)
    data = made_up_texts(made_up_encoder("bert"), LENGTHS, targets=scores)
    head = made_up_head(kind="score", n_outputs=1)
    found = head_importance(head, data)
    np.testing.assert_allclose(found, slopes(head, data), rtol=1e-2, atol=1e-3)


def test_a_head_that_is_not_projected_has_no_importance() -> None:
    encoder = made_up_encoder("bert")
    projection = encoder.model.encoder.layer[1].attention.output.dense.weight
    torch.nn.init.zeros_(projection[:, : DIM // N_HEADS].data)
    found = head_importance(made_up_head(), made_up_texts(encoder, LENGTHS, targets=LABELS))
    assert found[1, 0] == 0.0
    assert (np.delete(found.ravel(), N_HEADS) > 0).all()


@torch.inference_mode()
def test_masks_of_one_are_the_stock_model() -> None:
    data = made_up_texts(made_up_encoder("roberta"), [7, 7])
    batch = data.batch(np.arange(2))
    masks = torch.ones(2, N_LAYERS, N_HEADS)
    state = masked_forward(blocks(data.encoder.model), layer_zero(data.encoder, batch), masks)
    torch.testing.assert_close(state, last_layer(data.encoder, batch), rtol=0, atol=1e-5)


def test_importance_without_targets_is_refused() -> None:
    data = made_up_texts(made_up_encoder("bert"), LENGTHS)
    with pytest.raises(TuneprobeError, match="give labelled_texts the targets"):
        head_importance(made_up_head(), data)
