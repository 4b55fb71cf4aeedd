"""Heads of annotated word pairs: a slow loop, directions, pairings, refusals."""

from itertools import product

import numpy as np
import pytest
import torch
from small_encoders import HEADS, LAYERS, small_encoder, small_tokenizer
from tokenizers import Regex
from tokenizers.pre_tokenizers import Sequence, Split, WhitespaceSplit

from tuneprobe.encoders.encoder import Encoder, pad_batch
from tuneprobe.encoders.pieces import Pieces
from tuneprobe.encoders.represent import cut_texts
from tuneprobe.errors import UnknownNameError
from tuneprobe.formats.examples import Examples, ExamplesBuilder
from tuneprobe.formats.results import to_frame
from tuneprobe.rng import rng
from tuneprobe.studies.attention.maps.word_pairs import (
    MOVES,
    WordPairsError,
    annotated_pairs,
    moved_places,
    pair_results,
    pair_weights,
)

LETTERS = Sequence([WhitespaceSplit(), Split(Regex("."), "isolated")])


@pytest.fixture(scope="module")
def encoders() -> dict[str, Encoder]:
    found = {}
    for seed, state in enumerate(("pretrained", "finetuned")):
        encoder = small_encoder("bert", state, seed)
        letters = small_tokenizer("abcdefghi", LETTERS)
        found[state] = Encoder("small", state, encoder.model, letters, "")
    return found


@pytest.fixture(scope="module")
def examples() -> Examples:
    """Twelve texts of one or two segments with up to three pairs of two relations."""
    draw, builder = rng(0, "word-pairs"), ExamplesBuilder()
    for number in range(12):
        words = [["ab", "c", "def", "gh", "i"][k] for k in draw.integers(5, size=6 + number)]
        text = builder.add_text(f"t{number}", words, words[:4] if number % 2 else [])
        for pair in range(1 + number % 3):
            one = builder.add_span(text, 0, pair, pair + 2, "word")
            two = builder.add_span(text, number % 2, 3, 4, "word")
            builder.add_example(one, two, ["subject", "object"][pair % 2], "test")
        builder.add_example(builder.add_whole_text(text), -1, "x", "test")
    return builder.build()


def slow_weights(encoder: Encoder, examples: Examples, pairing: str) -> dict:
    """Largest weights by (text, relation, direction), one stored map and one pair at a time."""
    found: dict = {}
    for row in examples.examples[examples.examples.span2 >= 0].itertuples():
        one, two = (examples.spans.loc[span] for span in (row.span1, row.span2))
        (pieces,) = cut_texts(
            encoder, examples.texts.iloc[[one.text]].reset_index(drop=True), "pair"
        )
        with torch.inference_mode():
            maps = encoder.model(**pad_batch(encoder, [pieces]), output_attentions=True).attentions
        maps = torch.stack(maps)[:, 0].numpy()  # (layers, heads, seq, seq)
        places = [
            range(*pieces.bounds[span.segment][[span.start, span.end]]) for span in (one, two)
        ]
        pairs = (
            zip(*places, strict=False)
            if pairing == "zip"
            else [(a, b) for a in places[0] for b in places[1]]
        )
        for a, b in pairs:
            for direction, weight in (("from-to", maps[..., a, b]), ("to-from", maps[..., b, a])):
                key = (one.text, row.label, direction)
                found[key] = np.maximum(found.get(key, 0), weight)
    return found


@pytest.mark.parametrize("pairing", ["all", "zip"])
def test_weights_are_those_of_a_loop_over_stored_maps(encoders, examples, pairing):
    found = pair_weights(encoders, examples, pairing=pairing, tokens_per_batch=150)
    for state, encoder in encoders.items():
        slow = slow_weights(encoder, examples, pairing)
        assert len(found.groups) == len(slow)
        for row, group in enumerate(found.groups.itertuples()):
            expected = slow[group.text, group.relation, group.direction]
            np.testing.assert_allclose(found.weights[state][row], expected, atol=1e-5)


def test_the_two_directions_change_places_with_the_spans(encoders, examples):
    turned = examples.examples.rename(columns={"span1": "span2", "span2": "span1"})
    turned = Examples(examples.texts, examples.spans, turned[examples.examples.columns])
    plain, swapped = (pair_weights(encoders, table) for table in (examples, turned))
    for one, other in (("from-to", "to-from"), ("to-from", "from-to")):
        np.testing.assert_allclose(
            plain.weights["pretrained"][plain.groups.direction == one],
            swapped.weights["pretrained"][swapped.groups.direction == other],
            atol=1e-6,
        )


def test_rows_are_means_over_texts_by_relation_and_direction(encoders, examples):
    found = pair_weights(encoders, examples)
    rows = pair_results(
        found, encoder="small", task="made-up", seed=1, confidence=0.9, bootstrap=50
    )
    frame = to_frame(rows)
    assert set(zip(frame.relation, frame.direction, frame.pairing, strict=True)) == {
        (relation, direction, "all")
        for relation in ("subject", "object")
        for direction in ("from-to", "to-from")
    }
    objects = found.groups[
        (found.groups.relation == "object") & (found.groups.direction == "from-to")
    ]
    (row,) = frame[
        (frame.metric == "pair_weight")
        & (frame.relation == "object")
        & (frame.direction == "from-to")
        & (frame.state == "finetuned")
        & (frame.layer == 2)
        & (frame["head"] == 3)
    ].itertuples()
    expected = found.weights["finetuned"][objects.index, 1, 3].mean()
    assert row.value == pytest.approx(expected, rel=1e-5)
    assert row.n == len(objects) == 8
    assert len(frame) == 4 * (1 + 2 * 2 * LAYERS * (HEADS + 1))
    excess = frame[(frame.metric == "pair_excess") & (frame.state == "finetuned")]
    (row,) = excess[
        (excess.relation == "object")
        & (excess.direction == "from-to")
        & (excess.layer == 2)
        & (excess["head"] == 3)
    ].itertuples()
    less = found.moved["finetuned"][objects.index, 1, 3]
    assert row.value == pytest.approx(expected - less.mean(), rel=1e-4)


def test_what_a_head_gives_elsewhere_is_the_mean_over_the_places_that_pairs_fit_in(
    encoders, examples
):
    found, encoder = pair_weights(encoders, examples), encoders["finetuned"]
    group = found.groups[found.groups.direction == "from-to"].iloc[0]
    text = examples.texts.iloc[[group.text]].reset_index(drop=True)
    (pieces,) = cut_texts(encoder, text, "pair")
    with torch.inference_mode():
        maps = encoder.model(**pad_batch(encoder, [pieces]), output_attentions=True).attentions
    maps = torch.stack(maps)[:, 0].numpy()
    words = {piece for bounds in pieces.bounds for piece in range(bounds[0], bounds[-1])}
    pairs = [
        (a, b)
        for row in examples.examples[examples.examples.label == group.relation].itertuples()
        if examples.spans.text[row.span1] == group.text
        for a, b in product(*(range(*piece_range(pieces, examples, s)) for s in row[1:3]))
    ]
    tops = []
    for way in range(-len(pieces), len(pieces)):
        moved = [(a + way, b + way) for a, b in pairs]
        if way and all(a in words and b in words for a, b in moved):
            tops.append(np.max([maps[..., a, b] for a, b in moved], axis=0))
    assert 1 < len(tops) <= MOVES  # short enough that every place is taken
    expected = np.mean(tops, axis=0)
    np.testing.assert_allclose(found.moved["finetuned"][group.name], expected, atol=1e-5)


def piece_range(pieces, examples: Examples, span_id: int) -> tuple[int, int]:
    span = examples.spans.loc[span_id]
    bounds = pieces.bounds[span.segment]
    return int(bounds[span.start]), int(bounds[span.end])


def test_a_head_that_looks_at_the_next_piece_everywhere_has_no_excess():
    n = 40
    pieces = Pieces(np.arange(n), np.zeros(n, np.int64), (np.arange(1, n), np.array([n - 1])))
    places = np.array([[5, 9], [6, 10]])
    moved = moved_places(places, pieces)
    assert len(moved) == MOVES
    assert all(
        (one[1] - one[0] == 1).all() and one.min() > 0 and one.max() < n - 1 for one in moved
    )
    assert not any(np.array_equal(one, places) for one in moved)
    assert moved_places(np.array([[1], [n - 2]]), pieces) == []  # it fits nowhere else


def test_even_attention_gives_a_pair_one_piece_of_the_text(encoders, examples):
    found = pair_weights(encoders, examples)
    rows = pair_results(found, encoder="s", task="t", seed=1, confidence=0.9, bootstrap=5)
    even = [row for row in rows if row.state == "uniform"]
    even = [row for row in even if (row.relation, row.direction) == ("object", "from-to")]
    groups = found.groups[
        (found.groups.relation == "object") & (found.groups.direction == "from-to")
    ]
    assert even[0].value == pytest.approx((1 / groups.pieces).mean())


def test_pairs_of_other_splits_whole_texts_and_single_spans_are_left_out(examples):
    builder = ExamplesBuilder()
    text = builder.add_text("t", ["a", "b", "c"])
    other = builder.add_text("u", ["a"])
    a, b = (builder.add_span(text, 0, word, word + 1, "word") for word in range(2))
    builder.add_example(a, b, "kept", "test")
    builder.add_example(a, b, "train", "train")
    builder.add_example(a, -1, "single", "test")
    builder.add_example(a, builder.add_whole_text(text), "whole", "test")
    builder.add_example(a, builder.add_span(other, 0, 0, 1, "word"), "across", "test")
    assert annotated_pairs(builder.build(), "test").relation.tolist() == ["kept"]


def test_examples_without_pairs_are_refused(encoders):
    builder = ExamplesBuilder()
    builder.add_example(builder.add_whole_text(builder.add_text("t", ["a"])), -1, "x", "test")
    with pytest.raises(WordPairsError, match="none of the 0 examples with two spans"):
        pair_weights(encoders, builder.build())


def test_an_unknown_pairing_is_refused(encoders, examples):
    with pytest.raises(UnknownNameError, match="pairing of pieces 'first'"):
        pair_weights(encoders, examples, pairing="first")
