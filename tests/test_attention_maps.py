"""Streaming of attention maps: the model's own maps, padding, order, memory, refusals."""

import gc
import weakref

import numpy as np
import pytest
import torch
from small_encoders import (
    ARCHITECTURES,
    HEADS,
    LAYERS,
    little_memory,
    made_up_pieces,
    small_encoder,
)
from torch import Tensor

from tuneprobe.encoders.encoder import Encoder, pad_batch
from tuneprobe.encoders.pieces import Pieces
from tuneprobe.encoders.source import EncoderError
from tuneprobe.studies.attention.maps.maps import LayerMaps, attention_blocks, stream_maps

TEXTS = made_up_pieces((5, 0), (9, 6), (1, 1), (5, 3), (20, 0))
every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


def streamed(
    encoders: list[Encoder], texts: list[Pieces], **settings: int
) -> dict[tuple[int, int, int], Tensor]:
    """Copies of all maps, cropped, by (encoder, text, layer)."""
    kept = {}

    def see(found: LayerMaps) -> None:
        for encoder, maps in enumerate(found.maps):
            for row, text in enumerate(found.texts):
                size = found.lengths[row]
                kept[encoder, int(text), found.layer] = maps[row, :, :size, :size].clone()

    stream_maps(encoders, texts, see, **settings)
    return kept


def stored(encoder: Encoder, text: Pieces) -> tuple[Tensor, ...]:
    """All maps of one text, as transformers returns them."""
    with torch.inference_mode():
        maps = encoder.model(**pad_batch(encoder, [text]), output_attentions=True).attentions
    assert len(maps) == LAYERS
    return tuple(layer[0] for layer in maps)


@every_architecture
def test_streamed_maps_are_the_stored_ones_of_each_text_alone_whatever_the_padding(architecture):
    encoders = [small_encoder(architecture), small_encoder(architecture, "finetuned", seed=1)]
    together = streamed(encoders, TEXTS, tokens_per_batch=10_000)
    assert len(together) == 2 * len(TEXTS) * LAYERS
    for (encoder, text, layer), maps in together.items():
        expected = stored(encoders[encoder], TEXTS[text])[layer - 1]
        torch.testing.assert_close(maps, expected, atol=1e-5, rtol=0)
        assert maps.shape == (HEADS, len(TEXTS[text]), len(TEXTS[text]))


def test_maps_come_again_in_smaller_batches_where_the_memory_runs_out():
    encoders = [small_encoder("bert"), small_encoder("bert", "finetuned", seed=1)]
    together = streamed(encoders, TEXTS)
    little_memory(encoders[1].model.encoder.layer[2], most=40)
    parts = streamed(encoders, TEXTS)
    assert parts.keys() == together.keys()
    for place, maps in parts.items():
        torch.testing.assert_close(maps, together[place], atol=1e-5, rtol=0)


@every_architecture
def test_padding_to_more_pieces_changes_no_real_row(architecture):
    encoder = small_encoder(architecture)
    plain = streamed([encoder], TEXTS)
    padded = streamed([encoder], TEXTS, padded_to=40)
    for place, maps in plain.items():
        torch.testing.assert_close(maps, padded[place], atol=1e-5, rtol=0)


def test_columns_of_padding_are_nought_and_rows_of_padding_are_not():
    def see(found: LayerMaps) -> None:
        (maps,) = found.maps
        assert maps.shape[-1] == 40
        for row, size in enumerate(found.lengths):
            assert not maps[row, :, :, size:].any()
            torch.testing.assert_close(maps[row].sum(-1), torch.ones(HEADS, 40))

    stream_maps([small_encoder("bert")], TEXTS, see, padded_to=40)


@every_architecture
def test_an_encoder_keeps_its_own_attention_afterwards(architecture):
    encoder = small_encoder(architecture)
    inputs = pad_batch(encoder, TEXTS)
    with torch.inference_mode():
        before = encoder.model(**inputs).last_hidden_state
        streamed([encoder, encoder], TEXTS)
        after = encoder.model(**inputs).last_hidden_state
    assert encoder.model.config._attn_implementation == "eager"
    assert torch.equal(before, after)


def test_layers_come_in_order_and_each_layer_with_the_maps_of_all_encoders():
    seen: list[tuple[int, int]] = []
    encoders = [small_encoder("bert", seed=seed) for seed in range(3)]
    stream_maps(encoders, TEXTS[:1], lambda found: seen.append((found.layer, len(found.maps))))
    assert seen == [(layer, 3) for layer in range(1, LAYERS + 1)]


def test_the_maps_of_a_layer_are_gone_when_the_next_is_shown():
    past: list[weakref.ref[Tensor]] = []

    def see(found: LayerMaps) -> None:
        gc.collect()
        assert all(maps() is None for maps in past)
        past.extend(weakref.ref(maps) for maps in found.maps)

    stream_maps([small_encoder("bert"), small_encoder("bert", seed=1)], TEXTS, see)
    assert len(past) == 2 * LAYERS


def test_parts_are_all_texts_of_a_batch_in_turn():
    def see(found: LayerMaps) -> None:
        parts = list(found.parts(values=2 * found.maps[0][0].numel()))
        assert [len(part.texts) for part in parts] == [2, 2, 1]
        np.testing.assert_array_equal(np.concatenate([part.texts for part in parts]), found.texts)
        assert torch.equal(torch.cat([part.maps[0] for part in parts]), found.maps[0])
        assert torch.equal(torch.cat([part.lengths for part in parts]), found.lengths)

    stream_maps([small_encoder("bert")], TEXTS, see, tokens_per_batch=10_000)


def test_encoders_of_other_shapes_are_refused():
    deep, shallow = small_encoder("bert"), small_encoder("bert", "finetuned")
    shallow.model.config.num_hidden_layers = 2
    with pytest.raises(EncoderError, match=r"3 x 4 \(pretrained\), 2 x 4 \(finetuned\)"):
        streamed([deep, shallow], TEXTS)


def test_padding_to_more_pieces_than_are_read_is_refused():
    encoder = small_encoder("bert")
    most = encoder.max_pieces
    with pytest.raises(EncoderError, match=f"padded to {most + 1} pieces, .* reads {most}"):
        stream_maps([encoder], TEXTS, lambda found: None, padded_to=most + 1)


def test_an_encoder_in_training_mode_is_refused():
    encoder = small_encoder("bert")
    encoder.model.train()
    with pytest.raises(EncoderError, match="training mode"):
        streamed([encoder], TEXTS)


def test_a_model_without_one_list_of_layers_is_refused():
    encoder = small_encoder("bert")
    encoder.model.config.num_hidden_layers = 5
    with pytest.raises(EncoderError, match="0 lists of 5 layers"):
        attention_blocks(encoder.model)


def test_a_model_whose_attention_is_its_own_is_refused(monkeypatch):
    encoder = small_encoder("bert")
    attention = attention_blocks(encoder.model)[0].attention.self
    monkeypatch.setattr(attention, "forward", lambda hidden, **others: (hidden, None))
    with pytest.raises(EncoderError, match="0 attention maps, expected 1"):
        streamed([encoder], TEXTS)
