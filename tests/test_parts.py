"""Parts of a pairwise score and the rows made of them: by hand, planted, and by plain loops."""

from dataclasses import replace
from math import isnan

import numpy as np
import pytest
from made_up_pairs import Stored
from test_surface import sentences

from tuneprobe.errors import UnknownNameError
from tuneprobe.formats.examples import Examples, ExamplesBuilder
from tuneprobe.formats.results import NO_LAYER, to_frame
from tuneprobe.rng import rng
from tuneprobe.stats import StatsError
from tuneprobe.studies.pairwise.probe.foreign import (
    OTHER,
    OTHER_WORD,
    SAME_WORD,
    foreign_sets,
)
from tuneprobe.studies.pairwise.probe.parts import part_scores, parts_of
from tuneprobe.studies.pairwise.probe.ranking import Condition
from tuneprobe.studies.pairwise.probe.results import (
    axis_rows,
    pairwise_gaps,
    pairwise_results,
    per_document,
)
from tuneprobe.studies.pairwise.probe.study import (
    Ranked,
    Ranking,
    document_numbers,
    rank_pairs,
    rank_surface,
)

WORDS = Condition("cosine", "words")
SHARED = {"encoder": "e", "seed": 1, "confidence": 0.95, "bootstrap": 300}
KINDS = (OTHER, SAME_WORD, OTHER_WORD)
ASKED, N_WORDS = ("who", "when", "where"), 9
N, N_LAYERS, DIM = 90, 5, 16


def ranking(count, n_neg=None, foreign=None, state="finetuned", probe="answer-type") -> Ranking:
    count = np.array(count)
    n_neg = np.full(len(count), 10) if n_neg is None else np.array(n_neg)
    foreign = {name: np.array(value, float) for name, value in (foreign or {}).items()}
    rows = np.arange(len(count))
    return Ranking(probe, WORDS.name, state, rows, count, n_neg, n_neg + 1, foreign)


def twice_asked(state: str, *, apart: bool) -> Ranking:
    """Forty paragraphs, of each of which two questions are asked with the same outcome."""
    draw = np.random.default_rng(5)
    count = np.repeat(draw.integers(0, 11, size=(40, 4)), 2, axis=0)
    count = np.minimum(count + 1, 10) if state == "finetuned" else count
    found = ranking(count, state=state)
    return replace(found, document=None if apart else np.repeat(np.arange(40), 2))


def test_questions_of_one_paragraph_are_drawn_together() -> None:
    states = ("pretrained", "finetuned")
    both = {}
    for apart in (True, False):
        rankings = [twice_asked(state, apart=apart) for state in states]
        rows = pairwise_results(rankings, **SHARED)
        gaps = pairwise_gaps(
            rankings,
            after="finetuned",
            before="pretrained",
            layer_mark=0.5,
            permutations=200,
            margin=9.0,
            **SHARED,
        )
        both[apart] = {(r.metric, r.state, r.layer, r.against): r for r in [*rows, *gaps]}
    alone = [
        replace(
            one,
            example=one.example[::2],
            count=one.count[::2],
            n_neg=one.n_neg[::2],
            para_len=one.para_len[::2],
        )
        for one in (twice_asked(state, apart=True) for state in states)
    ]
    once = {(r.metric, r.state, r.layer, r.against): r for r in pairwise_results(alone, **SHARED)}
    for metric in ("eq3", "auc_micro", "auc_macro"):
        key = (metric, "finetuned", 2, "")
        joined, apart, single = both[False][key], both[True][key], once[key]
        assert joined.value == pytest.approx(apart.value)
        assert joined.n == 80
        assert (joined.low, joined.high) == pytest.approx((single.low, single.high))
        assert apart.high - apart.low < 0.8 * (joined.high - joined.low)
    for key, gap in both[False].items():
        if key[0] == "gap":
            assert gap.value == pytest.approx(both[True][key].value)
    equal = ("equivalence_p", "finetuned", 2, "pretrained")
    assert np.isnan(both[False][equal].value)  # forty paragraphs are too few
    assert np.isfinite(both[True][equal].value)


@pytest.mark.parametrize("most", [10, 11])  # of ten other words
def test_the_pairs_of_a_paragraph_may_differ_by_the_bound_and_its_rounding(most: int) -> None:
    document = np.repeat(np.arange(3), [15, 1, 1])
    count = np.zeros((17, 3), dtype=np.int64)
    before = replace(ranking(count, state="pretrained"), document=document)
    after = replace(ranking(count + most * (document == 0)[:, None]), document=document)
    mean = per_document(np.where(document == 0, 100.0, 0.0), document)
    assert mean.max() > 100 * 15 / (17 / 3)  # by the last bit
    if most == 10:
        found = {row.metric: row.value for row in gaps_of([before, after]) if row.layer == 1}
        assert found["gap"] == pytest.approx(100 * 15 / 17)
    else:
        with pytest.raises(StatsError, match="expected none beyond 264"):
            gaps_of([before, after])


def test_texts_with_the_same_paragraph_have_the_same_document() -> None:
    build = ExamplesBuilder()
    for number, paragraph in enumerate((["a", "b"], ["a", "c"], ["a", "b"])):
        text = build.add_text(f"q{number}", ["who"], paragraph)
        anchor, word = (
            build.add_span(text, 0, 0, 1, "anchor"),
            build.add_span(text, 1, 0, 1, "word"),
        )
        build.add_example(anchor, word, "synonyms", "test")
        build.add_example(-1, word, "boundary", "test")
    assert document_numbers(build.build()).tolist() == [0, 0, 1, 1, 0, 0]


@pytest.fixture(scope="module")
def examples() -> Examples:
    """Questions with one of three words, each with a paragraph of its own."""
    build = ExamplesBuilder()
    for number in range(N):
        paragraph = [f"w{number}x{i}" for i in range(N_WORDS)]
        text = build.add_text(f"q{number}", [ASKED[number % 3]], paragraph)
        words = [build.add_span(text, 1, i, i + 1, "word") for i in range(N_WORDS)]
        anchor = build.add_span(text, 0, 0, 1, "anchor")
        build.add_example(anchor, words[number % N_WORDS], "answer-type", "test")
    return build.build()


def vectors(examples: Examples, pair=(0.0,) * N_LAYERS, word=(0.0,) * N_LAYERS) -> Stored:
    """Random layers; a match is partly its anchor (`pair`), partly its question word (`word`)."""
    draw, layers = np.random.default_rng(7), []
    anchor, match = (examples.examples[name].to_numpy() for name in ("span1", "span2"))
    for of_pair, of_word in zip(pair, word, strict=True):
        X = draw.normal(size=(len(examples.spans), DIM)).astype(np.float32)
        kinds = draw.normal(size=(3, DIM)).astype(np.float32)[np.arange(N) % 3]
        X[anchor] += 3 * of_word * kinds
        X[match] += of_pair * X[anchor] + of_word * kinds
        layers.append(X)
    return Stored(layers)


@pytest.fixture(scope="module")
def foreign(examples) -> dict[str, np.ndarray]:
    return foreign_sets(examples, np.arange(N), 12, 13, KINDS)


@pytest.fixture(scope="module")
def states(examples) -> dict[str, Stored]:
    growing = (0.0, 0.0, 0.0, 0.8, 0.8)
    return {
        "random": vectors(examples),
        "pretrained": vectors(examples),
        "finetuned": vectors(examples, pair=growing),
    }


@pytest.fixture(scope="module")
def ranked(examples, foreign, states) -> Ranked:
    return rank_pairs(states, examples, [WORDS], foreign)


@pytest.fixture(scope="module")
def rows(ranked):
    return to_frame(pairwise_results(ranked.rankings, **SHARED))


@pytest.fixture(scope="module")
def gaps(ranked):
    return to_frame(gaps_of(ranked.rankings))


def gaps_of(rankings, layer_mark: float = 0.5) -> list:
    tests = {"layer_mark": layer_mark, "permutations": 400, "margin": 15.0}
    return pairwise_gaps(rankings, after="finetuned", before="pretrained", **tests, **SHARED)


def slow_points(X, examples: Examples, example: int, anchor: int) -> float:
    """Percent of the other words of a paragraph that lie farther from the anchor, one by one."""
    match = int(examples.examples.span2.iloc[example])
    first = example * (N_WORDS + 1)  # of a text's spans; the last of them is the anchor
    others = [span for span in range(first, first + N_WORDS) if span != match]

    def cosine(span: int) -> float:
        a, b = X[span].tolist(), X[anchor].tolist()
        product = sum(x * y for x, y in zip(a, b, strict=True))
        return product / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5

    below = [cosine(span) < cosine(match) for span in others]
    return 100 * sum(below) / len(below)


def slow_parts(X, examples: Examples, foreign, example: int) -> dict[str, float]:
    own = slow_points(X, examples, example, int(examples.examples.span1.iloc[example]))
    mean = {}
    for kind in KINDS:
        found = [slow_points(X, examples, example, int(a)) for a in foreign[kind][example]]
        mean[kind] = sum(found) / len(found)
    return {
        "": own,
        "other": mean[OTHER],
        "specific": own - mean[OTHER],
        "type": mean[SAME_WORD] - mean[OTHER_WORD],
    }


def test_parts_by_hand() -> None:
    foreign = {OTHER: [[4.0], [1.5]], SAME_WORD: [[5.0], [2.0]], OTHER_WORD: [[3.0], [2.5]]}
    found = ranking([[9], [2]], n_neg=[10, 5], foreign=foreign)
    assert parts_of(found) == ["", "other", "specific", "type"]
    assert part_scores(found, "").ravel().tolist() == [90, 40]
    assert part_scores(found, "other").ravel().tolist() == [40, 30]
    assert part_scores(found, "specific").ravel().tolist() == [50, 10]
    assert part_scores(found, "type").ravel() == pytest.approx([20, -10])


def test_a_part_is_there_where_its_foreign_sets_are() -> None:
    assert parts_of(ranking([[9]])) == [""]
    assert parts_of(ranking([[9]], foreign={OTHER: [[1]]})) == ["", "other", "specific"]
    assert parts_of(ranking([[9]], foreign={SAME_WORD: [[1]]})) == [""]


def test_examples_without_a_negative_or_without_foreign_anchors_are_left_out() -> None:
    foreign = {OTHER: [[4.0], [np.nan], [0.0]]}
    found = ranking([[9], [8], [0]], n_neg=[10, 10, 0], foreign=foreign)
    assert part_scores(found, "specific").ravel().tolist() == [50]
    assert part_scores(found, "").ravel().tolist() == [90, 80]
    numbers = {(r.metric, r.part): r for r in pairwise_results([found], **SHARED)}
    assert numbers["auc_macro", "specific"].n == 1
    assert numbers["auc_macro", ""].n == 2


def test_an_unknown_part_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'specific'"):
        part_scores(ranking([[9]]), "specifc")


@pytest.mark.parametrize("state", ["pretrained", "finetuned"])
def test_every_part_equals_its_mean_by_plain_loops(examples, foreign, states, rows, state) -> None:
    X = states[state].layer(4)
    slow = [slow_parts(X, examples, foreign, example) for example in range(N)]
    for part in ("", "other", "specific", "type"):
        (value,) = rows.query(
            "state == @state and layer == 4 and part == @part and metric == 'auc_macro'"
        ).value
        assert value == pytest.approx(np.mean([one[part] for one in slow]), abs=1e-3), part


def curve(rows, state: str, part: str):
    found = rows.query("state == @state and part == @part and metric == 'auc_macro'")
    return found.set_index("layer")


def test_random_vectors_have_a_specific_part_and_a_type_part_of_zero(rows) -> None:
    for part in ("specific", "type"):
        found = curve(rows, "random", part)
        assert ((found.low < 0) & (found.high > 0)).all()
        assert (found.value.abs() < 8).all()


def test_a_planted_pair_is_in_the_specific_part_of_its_layers_alone(rows) -> None:
    found = curve(rows, "finetuned", "specific")
    assert (found.low[[3, 4]] > 20).all()
    assert (found.value[[0, 1, 2]].abs() < 8).all()


def test_a_score_that_any_anchor_gets_is_no_part_of_the_pair(examples, foreign) -> None:
    shared = vectors(examples)
    spans = examples.examples[["span1", "span2"]].to_numpy().ravel()
    for X in shared.matrices:
        X[spans, 0] += 10  # anchors and matches lie together, whichever question they are of
    found = rank_pairs({"random": shared}, examples, [WORDS], foreign).rankings
    rows = to_frame(pairwise_results(found, **SHARED))
    assert (curve(rows, "random", "").value > 95).all()
    assert (curve(rows, "random", "other").value > 95).all()
    assert (curve(rows, "random", "specific").value.abs() < 3).all()


def test_a_planted_question_word_is_in_the_type_part(examples, foreign) -> None:
    typed = {"random": vectors(examples, word=(0, 0, 0, 1, 1))}
    found = rank_pairs(typed, examples, [WORDS], foreign).rankings
    part = curve(to_frame(pairwise_results(found, **SHARED)), "random", "type")
    assert (part.low[[3, 4]] > 15).all()
    assert (part.value[[0, 1, 2]].abs() < 8).all()


def test_gaps_of_parts_are_tested_like_those_of_the_score(gaps) -> None:
    tested = {"gap", "p", "p_holm", "equivalence", "equivalence_p", "contrast", "contrast_p"}
    for part in ("", "specific", "type"):
        of_part = gaps[gaps.part == part]
        assert set(of_part.metric) == tested
        assert set(zip(of_part.state, of_part.against, strict=True)) == {
            ("finetuned", "pretrained")
        }
    assert not (gaps.part == "other").any()
    value = gaps[gaps.part == "specific"].set_index(["metric", "layer"]).value
    assert value["gap", 2] == 0 < 20 < value["gap", 4]
    assert value["p_holm", 4] < 0.05 < value["p_holm", 1]
    assert value["equivalence_p", 1] < 0.05 < value["equivalence_p", 4]
    assert value["contrast", NO_LAYER] == pytest.approx(
        (value["gap", 3] + value["gap", 4]) / 2, rel=1e-5
    )
    assert value["contrast_p", NO_LAYER] < 0.01


def test_the_gap_of_a_part_is_the_difference_of_its_curves(rows, gaps) -> None:
    for part in ("specific", "type"):
        after, before = (curve(rows, state, part).value for state in ("finetuned", "pretrained"))
        gap = gaps.query("part == @part and metric == 'gap'").set_index("layer").value
        assert (after - before).tolist() == pytest.approx(gap.tolist(), abs=1e-3)


def numbers_of(*count, **more) -> dict:
    found = pairwise_results([ranking(count, **more)], **SHARED)
    return {row.metric: row for row in found if row.layer == NO_LAYER and not row.part}


@pytest.mark.parametrize(
    ("count", "rise"),
    [
        ([0, 2, 2, 5, 5, 8, 8], 600 / 11),  # last third 8, first 2, of 11 words
        ([9, 8, 8, 5, 5, 2, 2], -600 / 11),
        ([0, 9, 1, 9, 1, 9, 1], 0.0),
        ([5, 1, 2, 4], 300 / 11),
        ([5, 1, 2, 4, 4], 300 / 11),  # a third of four layers is one
        ([5, 1, 4], 300 / 11),
    ],
)
def test_a_rise_is_the_last_third_of_the_layers_less_the_first(count, rise) -> None:
    assert numbers_of(count)["rise_eq3"].value == pytest.approx(rise)


def test_in_a_rise_an_example_counts_by_its_words_as_in_equation_3() -> None:
    found = numbers_of([0, 0, 0, 9], [0, 9, 9, 9], n_neg=[9, 19])
    assert found["rise_eq3"].value == pytest.approx(100 * 9 / (10 + 20))


def test_the_interval_of_a_rise_holds_it_and_needs_examples() -> None:
    draw = np.random.default_rng(2)
    many = numbers_of(*draw.integers(0, 11, (60, 5)).tolist())["rise_eq3"]
    assert many.low < many.value < many.high
    assert isnan(numbers_of([0, 1, 2, 3])["rise_eq3"].low)


def test_the_best_layer_is_chosen_on_one_half_and_reported_on_the_other() -> None:
    # whichever is drawn to choose, its best layer is the worst of the other
    found = numbers_of([0, 10, 0, 0], [0, 0, 10, 0])
    assert found["best_layer"].value in (1, 2)
    assert found["best_auc"].value == 0


def test_the_embedding_is_never_the_best_layer() -> None:
    found = numbers_of(*[[10, 1, 1, 7]] * 40)
    assert found["best_layer"].value == 3
    assert found["best_auc"].value == 70


def test_the_halves_are_a_named_draw_that_all_states_share() -> None:
    count = np.random.default_rng(5).integers(0, 11, (41, 8))
    order = rng(1, "pairwise", "answer-type", WORDS.name, "halves").permutation(41)
    best = count[order[:20], 1:].mean(axis=0).argmax() + 1
    for state in ("pretrained", "finetuned"):
        found = numbers_of(*count.tolist(), state=state)
        assert found["best_layer"].value == best
        assert found["best_auc"].value == pytest.approx(10 * count[order[20:], best].mean())


def test_the_best_layer_of_a_part_is_its_own(rows) -> None:
    best = rows[rows.metric.isin(["best_layer", "best_auc"]) & (rows.state == "finetuned")]
    value = best.set_index(["metric", "part"]).value
    assert value["best_layer", "specific"] in (3, 4)
    assert value["best_auc", "specific"] > 20
    assert {part for _, part in value.index} == {"", "other", "specific", "type"}


def test_one_example_has_no_best_layer() -> None:
    assert "best_layer" not in numbers_of([1, 2, 3, 4])


def test_two_layers_are_too_few_to_rise() -> None:
    assert not {"rise_eq3", "trend", "best_layer"} & set(numbers_of([1, 2]))


def test_the_share_of_the_principal_axis_is_a_row_of_every_state_and_layer(
    examples, states, foreign
) -> None:
    X = np.zeros((len(examples.spans), 2), dtype=np.float32)
    words = np.flatnonzero((examples.spans.segment == 1).to_numpy())
    X[words] = np.tile([[3, 0], [-3, 0], [0, 1], [0, -1]], (len(words) // 4 + 1, 1))[: len(words)]
    X[examples.examples.span1] = 1
    found = rank_pairs({"random": Stored([X, X])}, examples, [WORDS])
    rows = to_frame(axis_rows(found.axis_share, encoder="e", seed=1))
    moved = X[words] - X[words].mean(axis=0)
    share = np.linalg.eigvalsh(moved.T @ moved)
    assert rows.value.tolist() == pytest.approx([share[1] / share.sum()] * 2, abs=1e-4)
    assert set(rows.task) == {"words"}
    assert rows.layer.tolist() == [0, 1]


def test_rows_without_an_encoder_are_of_the_shape_and_the_position_of_words() -> None:
    rankings = rank_surface(sentences("1987"), l2=1e-3, iterations=50)
    rows = to_frame(pairwise_results(rankings, **SHARED))
    assert set(rows.state) == {"no-encoder"}
    scores = rows[rows.metric == "auc_macro"].set_index("readout")
    assert set(scores.index) == {"shape", "position"}
    assert set(scores.layer) == {0}
    assert scores.value["shape"] == 100
    assert not set(rows.metric) & {"trend", "rise_eq3", "best_layer"}
