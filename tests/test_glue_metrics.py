"""Metrics of GLUE: by hand, against scikit-learn and SciPy, and their intervals."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score

from tuneprobe.errors import UnknownNameError
from tuneprobe.scores.glue_metrics import (
    FUNCTIONS,
    METRICS,
    accuracy,
    bootstrap_weights,
    estimate,
    f1,
    majority_prediction,
    metrics_of,
    mid_ranks,
    pearson,
    spearman,
)
from tuneprobe.stats import StatsError

GOLD = np.array(["1", "1", "1", "0", "0"])
PREDICTED = np.array(["1", "0", "1", "1", "0"])


def once(n: int) -> np.ndarray:
    """The weights of the examples as they are."""
    return np.ones((1, n))


def of(metric: str, gold, predicted, n_bootstrap: int = 200):
    rng = np.random.default_rng(0)
    return estimate(metric, gold, predicted, confidence=0.9, n_bootstrap=n_bootstrap, rng=rng)


def some_labels(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    stream = np.random.default_rng(1)
    return stream.choice(["0", "1"], n), stream.choice(["0", "1"], n, p=[0.3, 0.7])


def some_scores(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Scores with many ties, and predictions that go with them."""
    stream = np.random.default_rng(2)
    gold = stream.integers(11, size=n) / 2
    return gold, (gold + stream.normal(size=n)).round(1)


def test_metrics_are_worked_out_by_hand():
    assert of("accuracy", GOLD, PREDICTED).value == pytest.approx(60.0)  # 3 of 5
    assert of("f1", GOLD, PREDICTED).value == pytest.approx(100 * 4 / 6)  # 2 tp, 3 + 3 positives
    gold, predicted = np.array([0.0, 1.0, 2.0]), np.array([0.0, 2.0, 1.0])
    assert of("pearson", gold, predicted).value == pytest.approx(50.0)
    assert of("spearman", gold, np.array([0.0, 9.0, 1.0])).value == pytest.approx(50.0)


def test_metrics_agree_with_scikit_learn_and_scipy():
    gold, predicted = some_labels()
    assert accuracy(gold, predicted, once(200)) == pytest.approx(accuracy_score(gold, predicted))
    expected = f1_score(gold, predicted, pos_label="1")
    assert f1(gold, predicted, once(200)) == pytest.approx(expected)
    scores = some_scores()
    assert pearson(*scores, once(200)) == pytest.approx(stats.pearsonr(*scores).statistic)
    assert spearman(*scores, once(200)) == pytest.approx(stats.spearmanr(*scores).statistic)


@pytest.mark.parametrize("metric", FUNCTIONS)
def test_a_weight_is_worth_as_many_copies_of_its_example(metric):
    gold, predicted = some_labels() if metric in ("accuracy", "f1") else some_scores()
    weights = np.random.default_rng(3).integers(4, size=(5, 200)).astype(float)
    rows = [np.repeat(np.arange(200), copies.astype(int)) for copies in weights]
    copied = [FUNCTIONS[metric](gold[row], predicted[row], once(len(row)))[0] for row in rows]
    assert FUNCTIONS[metric](gold, predicted, weights) == pytest.approx(copied, abs=1e-12)


def test_f1_counts_the_positive_class_alone():
    assert f1(GOLD, PREDICTED, once(5)) == pytest.approx(2 / 3)
    assert f1(GOLD, PREDICTED, once(5), positive="0") == pytest.approx(0.5)


def test_an_f1_without_positives_and_a_correlation_with_a_constant_are_zero():
    none = np.full(5, "0")
    assert of("f1", none, none).value == 0.0
    gold = np.tile([1.0, 2.0, 4.0, 3.0], 5)  # fewer than 20 have no interval
    for metric in ("pearson", "spearman"):
        assert of(metric, gold, np.full(20, 0.1)) == (0.0, 0.0, 0.0)
    assert pearson(gold[:3], 0.1 + np.array([0, 1e-9, 3e-9]), once(3)) == 0.0  # rounding of float32


def test_correlations_do_not_depend_on_unit_and_origin():
    gold, predicted = some_scores()
    for metric in ("pearson", "spearman"):
        moved = of(metric, gold, 1000 + 3 * predicted)
        assert moved == pytest.approx(of(metric, gold, predicted))


def test_ranks_leave_out_what_was_not_drawn():
    ranks = mid_ranks(np.array([5.0, 3.0, 9.0]), np.array([[1.0, 0.0, 2.0]]))
    assert ranks[0, [0, 2]].tolist() == [1.0, 2.5]


@pytest.mark.parametrize("metric", FUNCTIONS)
def test_the_interval_is_the_percentiles_of_plain_resampling(metric):
    gold, predicted = some_labels(60) if metric in ("accuracy", "f1") else some_scores(60)
    stream = np.random.default_rng(4)
    plain = []
    for _ in range(2000):
        rows = stream.integers(60, size=60)
        plain.append(FUNCTIONS[metric](gold[rows], predicted[rows], once(60))[0])
    expected = 100 * np.quantile(plain, [0.05, 0.95])
    found = of(metric, gold, predicted, n_bootstrap=2000)
    assert [found.low, found.high] == pytest.approx(expected, abs=1.7)  # one example of 60
    assert found.low < found.value < found.high


def test_drawn_weights_are_whole_numbers_that_sum_to_the_examples(monkeypatch):
    monkeypatch.setattr("tuneprobe.scores.glue_metrics.CHUNK", 30)
    chunks = list(bootstrap_weights(10, 7, np.random.default_rng(0)))
    weights = np.concatenate(chunks)
    assert [len(chunk) for chunk in chunks] == [3, 3, 1]
    assert (weights.sum(axis=1) == 10).all()
    assert (weights == weights.astype(int)).all()
    assert len(np.unique(weights, axis=0)) == 7


def test_the_majority_is_the_most_frequent_label_and_the_mean_score():
    assert majority_prediction(np.array(["b", "a", "b"])).tolist() == ["b", "b", "b"]
    assert majority_prediction(np.array(["b", "a"])).tolist() == ["a", "a"]
    assert majority_prediction(np.array([1.0, 4.0])).tolist() == [2.5, 2.5]


def test_no_constant_answer_is_more_accurate_than_the_majority():
    gold, _ = some_labels()
    best = max(np.mean(gold == label) for label in ("0", "1"))
    assert of("accuracy", gold, majority_prediction(gold)).value == pytest.approx(100 * best)


def test_the_majority_of_the_published_mrpc_counts_scores_what_the_paper_prints():
    gold = np.repeat(["1", "0"], [279, 129])
    constant = majority_prediction(gold)
    assert of("accuracy", gold, constant).value == pytest.approx(68.4, abs=0.05)
    assert of("f1", gold, constant).value == pytest.approx(81.2, abs=0.05)
    assert of("accuracy", gold, np.full(408, "0")).value == pytest.approx(31.6, abs=0.05)


def test_each_task_has_the_metrics_of_glue_and_others_those_of_their_kind():
    assert metrics_of("qqp", "label") == ("accuracy", "f1")
    assert metrics_of("stsb", "score") == ("pearson", "spearman")
    assert metrics_of("english-pos", "label") == ("accuracy",)
    assert {metric for names in METRICS.values() for metric in names} == set(FUNCTIONS)


def test_what_no_metric_is_defined_for_is_refused():
    with pytest.raises(StatsError, match="2 gold values and 3 predictions"):
        of("accuracy", GOLD[:2], PREDICTED[:3])
    with pytest.raises(StatsError, match="0 gold values"):
        of("accuracy", GOLD[:0], PREDICTED[:0])
    with pytest.raises(UnknownNameError, match="Did you mean 'accuracy'"):
        of("acuracy", GOLD, PREDICTED)
    with pytest.raises(UnknownNameError, match="kind of task"):
        metrics_of("world-qa", "qa")


def test_all_right_leaves_room_for_an_error_that_was_not_drawn() -> None:
    gold = np.full(200, "1")
    found = of("accuracy", gold, gold)
    assert found.value == found.high == 100
    assert found.low == pytest.approx(98.7, abs=0.05)  # level .9
    assert np.isnan(of("f1", gold[:19], gold[:19]).low)
