"""Ablation: equal to a forward pass with replaced attention, and refused where it would not be."""

from dataclasses import replace
from types import SimpleNamespace

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
from replaced_attention import attention_of, replaced_attention
from small_encoders import little_memory
from transformers import AttentionInterface

from tuneprobe.encoders import attention as attention_of_any
from tuneprobe.encoders.source import EncoderError
from tuneprobe.errors import UnknownNameError
from tuneprobe.studies.attention.ablation import sweep
from tuneprobe.studies.attention.ablation.blocks import BlockError, blocks
from tuneprobe.studies.attention.ablation.sweep import (
    TYPES,
    AblationError,
    ablation_sweep,
    configurations,
    equal_length_batches,
    verify_ablation,
)
from tuneprobe.tuning.heads import INPUTS, last_layer

LENGTHS = [9, 4, 9, 13, 3, 6]
HEAD_DIM = DIM // N_HEADS


@torch.inference_mode()
def naive_outputs(head, data, ablation) -> np.ndarray:
    """One padded forward pass of the stock model for each configuration."""
    batch = data.batch(np.arange(len(data.pieces)))
    inputs = {name: batch[name] for name in INPUTS if name in batch}
    outputs = []
    for configuration in configurations(N_LAYERS, N_HEADS):
        with replaced_attention(data.encoder.model, *configuration, ablation, inputs):
            hidden = last_layer(data.encoder, batch)
        outputs.append(head.logits(head.read(hidden, batch)).numpy())
    return np.array(outputs)


@pytest.mark.parametrize("n_spans", [0, 2], ids=["whole-texts", "word-pairs"])
@pytest.mark.parametrize("ablation", TYPES)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_sweep_equals_a_padded_forward_with_replaced_attention(
    family, ablation, n_spans
) -> None:
    data, head = (
        made_up_texts(made_up_encoder(family), LENGTHS, n_spans),
        made_up_head(n_spans or 1),
    )
    fast = ablation_sweep(head, data, ablation=ablation, tokens_per_chunk=20)
    slow = naive_outputs(head, data, ablation)
    assert fast.shape == slow.shape == (1 + N_LAYERS * (N_HEADS + 1), 6 * (n_spans or 1), 3)
    np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-5)
    assert (np.abs(slow[1:] - slow[0]).max(axis=(1, 2)) > 1e-2).all()


def test_the_size_of_the_chunks_and_the_other_texts_change_nothing() -> None:
    data, head = made_up_texts(made_up_encoder("bert"), LENGTHS), made_up_head()
    together = ablation_sweep(head, data, tokens_per_chunk=500)
    np.testing.assert_allclose(
        ablation_sweep(head, data, tokens_per_chunk=1), together, rtol=0, atol=1e-5
    )
    alone = replace(data, pieces=data.pieces[:1], span_ids=data.span_ids[:1])
    np.testing.assert_allclose(ablation_sweep(head, alone)[:, 0], together[:, 0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("ablation", TYPES)
def test_a_lack_of_memory_changes_no_output_beyond_float32_noise(ablation) -> None:
    data, head = made_up_texts(made_up_encoder("bert"), LENGTHS, 2), made_up_head(2)
    together = ablation_sweep(head, data, ablation=ablation, tokens_per_chunk=500)
    little_memory(data.encoder.model.encoder.layer[-1].output, most=60)
    parts = ablation_sweep(head, data, ablation=ablation, tokens_per_chunk=500)
    np.testing.assert_allclose(parts, together, rtol=0, atol=1e-5)


def test_a_head_that_is_uniform_already_is_not_changed_by_uniform_weights() -> None:
    encoder = made_up_encoder("bert")
    query = encoder.model.encoder.layer[1].attention.self.query
    torch.nn.init.zeros_(query.weight[2 * HEAD_DIM : 3 * HEAD_DIM].data)
    torch.nn.init.zeros_(query.bias[2 * HEAD_DIM : 3 * HEAD_DIM].data)
    outputs = ablation_sweep(made_up_head(), made_up_texts(encoder, LENGTHS))
    change = np.abs(outputs - outputs[0]).max(axis=(1, 2))
    same = configurations(N_LAYERS, N_HEADS).index((2, 2))
    assert change[same] < 1e-5
    assert np.delete(change[1:], same - 1).min() > 1e-2


@pytest.mark.parametrize("ablation", TYPES)
def test_a_head_that_is_not_projected_can_be_ablated_without_effect(ablation) -> None:
    encoder = made_up_encoder("distilbert")
    projection = encoder.model.transformer.layer[0].attention.out_lin.weight
    torch.nn.init.zeros_(projection[:, :HEAD_DIM].data)
    outputs = ablation_sweep(made_up_head(), made_up_texts(encoder, LENGTHS), ablation=ablation)
    change = np.abs(outputs - outputs[0]).max(axis=(1, 2))
    assert change[1] < 1e-5 < 1e-2 < change[2:].min()


def test_configurations_are_nothing_then_each_layer_with_its_heads_and_as_a_whole() -> None:
    found = configurations(2, 2)
    assert found == [(-1, -1), (1, 0), (1, 1), (1, -1), (2, 0), (2, 1), (2, -1)]


def test_texts_run_together_are_of_equal_length_within_the_budget() -> None:
    lengths = np.array([5, 3, 5, 5, 40, 3])
    batches = [batch.tolist() for batch in equal_length_batches(lengths, 10)]
    assert batches == [[1, 5], [0, 2], [3], [4]]


@pytest.fixture
def without_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(model):
        raise BlockError("not built as BERT's")

    monkeypatch.setattr(sweep, "blocks", unknown)


@pytest.mark.parametrize(
    ("family", "ablation"), [*zip(["bert"] * 3, TYPES, strict=True), ("distilbert", "uniform")]
)
@pytest.mark.usefixtures("without_blocks")
def test_whole_passes_equal_a_padded_forward_with_replaced_attention(family, ablation) -> None:
    data, head = made_up_texts(made_up_encoder(family), LENGTHS, 2), made_up_head(2)
    assert not verify_ablation(data.encoder, data.pieces)
    before = data.encoder.model.config._attn_implementation
    whole = ablation_sweep(head, data, ablation=ablation, tokens_per_chunk=20)
    np.testing.assert_allclose(whole, naive_outputs(head, data, ablation), rtol=0, atol=3e-5)
    assert data.encoder.model.config._attn_implementation == before


def test_an_encoder_that_bert_only_resembles_is_swept_by_whole_passes() -> None:
    encoder = made_up_encoder("bert")
    texts = made_up_texts(encoder, LENGTHS)
    assert verify_ablation(encoder, texts.pieces)
    for layer in encoder.model.encoder.layer:
        layer.attention.output.forward = rescaled(layer.attention.output)
    assert not verify_ablation(encoder, texts.pieces)
    swept = ablation_sweep(made_up_head(), texts)
    naive = naive_outputs(made_up_head(), texts, "uniform")
    np.testing.assert_allclose(swept, naive, rtol=0, atol=3e-5)


def rescaled(output):
    """The residual counts half: a block that has BERT's names and computes something else."""
    stock = type(output).forward
    return lambda hidden, residual: stock(output, hidden, 0.5 * residual)


@pytest.mark.usefixtures("without_blocks")
def test_contexts_that_cannot_be_told_are_refused_for_their_mean_alone(monkeypatch) -> None:
    monkeypatch.setattr(attention_of_any, "PRODUCT", set())
    data = made_up_texts(made_up_encoder("bert"), LENGTHS)
    assert np.isfinite(ablation_sweep(made_up_head(), data, ablation="zero")).all()
    with pytest.raises(EncoderError, match=r"'bert' shows .* 0 of 3 layers.*'uniform' or 'zero'"):
        ablation_sweep(made_up_head(), data, ablation="mean")


def test_attention_without_a_mask_function_is_refused_since_padding_changes_it() -> None:
    encoder = made_up_encoder("bert")
    AttentionInterface.register("maskless", attention_of(None))
    encoder.model.set_attn_implementation("maskless")
    with pytest.raises(AblationError, match="padding changes"):
        verify_ablation(encoder, made_up_texts(encoder, LENGTHS).pieces)


def test_a_model_whose_attention_has_no_part_in_its_output_is_refused() -> None:
    encoder = made_up_encoder("bert")
    for layer in encoder.model.encoder.layer:
        torch.nn.init.zeros_(layer.attention.output.dense.weight)
    with pytest.raises(AblationError, match="no ablation changes"):
        verify_ablation(encoder, made_up_texts(encoder, LENGTHS).pieces)


def test_a_family_that_has_not_the_names_of_berts_parts_says_which_is_missing() -> None:
    model = SimpleNamespace(config=SimpleNamespace(model_type="deberta", num_attention_heads=2))
    with pytest.raises(BlockError, match=r"'deberta' are not built as BERT's \(.*'encoder'\)"):
        blocks(model)


def test_an_unknown_ablation_is_answered_with_the_nearest() -> None:
    data = made_up_texts(made_up_encoder("bert"), LENGTHS)
    with pytest.raises(UnknownNameError, match="Did you mean 'uniform'"):
        ablation_sweep(made_up_head(), data, ablation="unifrom")
