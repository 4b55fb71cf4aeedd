"""Boundary probe: ranks by hand, the head's gradient and optimum, what the fit may not see."""

import numpy as np
import pytest
from scipy.optimize import check_grad

from tuneprobe.formats.examples import Examples, ExamplesBuilder
from tuneprobe.studies.pairwise.probe.boundary import BoundaryError, _loss, fit_head, rank_positions
from tuneprobe.studies.pairwise.probe.paragraphs import Pairs
from tuneprobe.studies.pairwise.probe.ranking import auc_macro
from tuneprobe.studies.pairwise.probe.study import rank_boundary


def sentences(lengths: list[int], match: list[tuple[int, int]]) -> Pairs:
    n = len(lengths)
    none = np.full(n, -1)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    return Pairs(
        none, np.arange(n), np.array(match), np.zeros((n, 2), int), indptr, np.arange(indptr[-1])
    )


def planted(seed: int, n: int = 60, dim: int = 8) -> tuple[np.ndarray, Pairs]:
    """Feature 0 is high at the first word of the answer, feature 1 at the last."""
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 6, n)
    end = start + rng.integers(1, 4, n)
    pairs = sentences([10] * n, list(zip(start, end, strict=True)))
    X = rng.normal(size=(10 * n, dim)).astype(np.float32)
    X[10 * np.arange(n) + start, 0] += 4
    X[10 * np.arange(n) + end - 1, 1] += 4
    return X, pairs


def test_positions_are_ranked_by_their_logits_for_start_and_end() -> None:
    X = np.array([[1, 9], [2, 4], [3, 5], [2, 7]], dtype=np.float32)
    found = rank_positions(X, sentences([4], [(1, 4)]), np.eye(2))
    # start: word 1 (2) beats 1, loses the tie with word 3; end: word 3 (7) beats 4 and 5
    assert found.count.tolist() == [1 + 2]
    assert found.n_neg.tolist() == [6]
    assert found.para_len.tolist() == [8]


def test_a_sentence_of_one_word_has_no_negatives() -> None:
    found = rank_positions(np.ones((1, 2)), sentences([1], [(0, 1)]), np.eye(2))
    assert found.n_neg.tolist() == [0]


def test_the_gradient_is_that_of_the_loss() -> None:
    rng = np.random.default_rng(0)
    features, first = rng.normal(size=(9, 3)), np.array([0, 4, 9])
    gold = np.array([[1, 3], [4, 4]])
    flat = rng.normal(size=6)
    error = check_grad(
        lambda w: _loss(w, features, first, gold, 0.1)[0],
        lambda w: _loss(w, features, first, gold, 0.1)[1],
        flat,
        epsilon=1e-3,
    )
    assert error < 1e-3


def test_the_loss_of_a_zero_head_is_twice_the_log_of_the_length() -> None:
    loss, _ = _loss(np.zeros(4), np.ones((5, 2)), np.array([0, 5]), np.array([[1, 3]]), 1.0)
    assert loss == pytest.approx(2 * np.log(5))


def test_a_planted_boundary_is_found_on_new_sentences_and_noise_is_not() -> None:
    X, train = planted(1)
    head = fit_head(X, train, l2=1e-3, iterations=100)
    new, test = planted(2)
    assert auc_macro(rank_positions(new, test, head)) > 95
    assert head[0].argmax() == 0
    assert head[1].argmax() == 1
    noise = np.random.default_rng(3).normal(size=new.shape)
    assert auc_macro(rank_positions(noise, test, head)) == pytest.approx(50, abs=8)


def test_shift_and_scale_of_a_feature_do_not_matter() -> None:
    X, train = planted(1)
    head = fit_head(X, train, l2=1e-2, iterations=200)
    scale = np.array([8, 0.25, *[2] * 6], dtype=np.float32)
    moved = fit_head(X * scale + 1, train, l2=1e-2, iterations=200)
    np.testing.assert_allclose(moved * scale, head, atol=5e-3)


def test_a_constant_feature_gets_no_weight() -> None:
    X, train = planted(1)
    X[:, 5] = 3.0
    assert np.abs(fit_head(X, train, l2=1e-2, iterations=50)[:, 5]).max() < 1e-6


def test_a_stronger_penalty_gives_a_smaller_head() -> None:
    X, train = planted(1)
    norms = [np.linalg.norm(fit_head(X, train, l2=l2, iterations=100)) for l2 in (1e-3, 1e-1, 10)]
    assert norms[0] > norms[1] > norms[2]


def test_fitting_twice_gives_the_same_bits() -> None:
    X, train = planted(1)
    a, b = (fit_head(X, train, l2=1e-3, iterations=50) for _ in range(2))
    assert np.array_equal(a, b)


def test_a_head_of_another_width_is_refused() -> None:
    with pytest.raises(BoundaryError, match=r"shape \(2, 3\), expected \(2, 2\)"):
        rank_positions(np.ones((4, 2)), sentences([4], [(1, 2)]), np.ones((2, 3)))


def test_no_training_sentences_is_one_clear_error() -> None:
    empty = sentences([1], [(0, 1)])
    nothing = Pairs(*(part[:0] for part in (empty.anchor, empty.paragraph, empty.match)),
                    empty.avoid[:0], empty.indptr, empty.words)  # fmt: skip
    with pytest.raises(BoundaryError, match="no training sentences"):
        fit_head(np.ones((1, 2)), nothing, l2=1e-3, iterations=5)


class OneLayer:
    """A single layer in memory."""

    layers = range(1)

    def __init__(self, X: np.ndarray) -> None:
        self.X = X

    def layer(self, number: int) -> np.ndarray:
        return self.X


def boundary_examples(match: np.ndarray) -> Examples:
    build = ExamplesBuilder()
    for number, (start, end) in enumerate(match):
        text = build.add_text(f"q{number}", ["who"], ["w"] * 10)
        for word in range(10):
            build.add_span(text, 1, word, word + 1, "word")
        answer = build.add_span(text, 1, int(start), int(end), "match")
        build.add_example(-1, answer, "boundary", "train" if number < 40 else "test")
    return build.build()


def test_only_the_test_split_is_ranked_and_the_lens_needs_a_head() -> None:
    X, pairs = planted(1)
    examples = boundary_examples(pairs.match)
    spread = np.random.default_rng(0).normal(size=(len(examples.spans), 8)).astype(np.float32)
    words = examples.spans.index[(examples.spans.end - examples.spans.start) == 1]
    word = examples.spans.iloc[words]
    spread[words] = X[10 * word.text + word.start]
    states = {"pretrained": OneLayer(spread), "finetuned": OneLayer(spread)}
    lens = {"finetuned": np.eye(2, 8)}
    found = rank_boundary(states, examples, l2=1e-3, iterations=50, lens_heads=lens)
    assert [(r.state, r.condition) for r in found] == [
        ("pretrained", "linear"),
        ("finetuned", "linear"),
        ("finetuned", "lens"),
    ]
    for ranking in found:
        assert ranking.example.tolist() == list(range(40, 60))
        assert ranking.count.sum() / ranking.n_neg.sum() > 0.9
