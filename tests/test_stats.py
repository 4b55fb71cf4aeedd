"""Statistics: values by hand, calibration on null data, bounds that can fail."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest, norm, spearmanr
from scipy.stats import bootstrap as scipy_bootstrap
from scipy.stats import t as student

from tuneprobe.stats import (
    StatsError,
    bootstrap_sums,
    crossed_interval,
    equivalence,
    holm,
    layer_contrast,
    mean_interval,
    ratio_interval,
    share_interval,
    sign_flip_p,
    trend_interval,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_bootstrap_sums_draw_n_rows_with_replacement() -> None:
    sums = bootstrap_sums(np.eye(5), 400, rng())
    assert (sums.sum(axis=1) == 5).all()
    assert sums.mean(axis=0) == pytest.approx(np.ones(5), abs=0.15)
    assert sums.var(axis=0) == pytest.approx(np.full(5, 0.8), abs=0.25)


def test_chunks_change_no_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    values = rng(1).normal(size=(30, 2))
    whole = bootstrap_sums(values, 50, rng())
    p = sign_flip_p(values, n_permutations=50, rng=rng())
    monkeypatch.setattr("tuneprobe.stats.CHUNK", 90)
    np.testing.assert_allclose(bootstrap_sums(values, 50, rng()), whole)
    assert np.array_equal(sign_flip_p(values, n_permutations=50, rng=rng()), p)


def test_a_ratio_is_the_ratio_of_sums_within_its_bounds() -> None:
    got = ratio_interval([1, 3], [2, 6], confidence=0.95, n_bootstrap=50, rng=rng())
    assert got.value == 0.5
    above, below = np.arange(1.0, 31.0), np.tile([1.0, 2.0], 15)
    got = ratio_interval(above, below, confidence=0.95, n_bootstrap=400, rng=rng())
    assert got.value == above.sum() / 45
    assert got.value - 4 < got.low < got.value - 1
    assert got.value + 1 < got.high < got.value + 4
    same = ratio_interval(3 * below, below, confidence=0.95, n_bootstrap=50, rng=rng())
    assert same == (3, 3, 3)


def test_bounds_are_the_wider_of_scipys_bca_with_wider_tails_and_students() -> None:
    values = rng(3).exponential(size=60)
    level = 2 * norm.cdf(np.sqrt(60 / 59) * student.ppf(0.975, 59)) - 1
    expected = scipy_bootstrap(
        (values,), np.mean, confidence_level=level, n_resamples=9999, method="BCa", rng=rng(1)
    ).confidence_interval
    got = mean_interval(values, confidence=0.95, n_bootstrap=9999, rng=rng(2))
    half = student.ppf(0.975, 59) * values.std(ddof=1) / 60**0.5
    assert expected.high > values.mean() + half  # BCa lies higher on both sides
    assert got.high == pytest.approx(expected.high, rel=0.02)
    assert got.low == pytest.approx(values.mean() - half)


def test_columns_are_those_of_single_calls() -> None:
    values = rng(2).normal(size=(40, 3))
    settings = {"confidence": 0.9, "n_bootstrap": 100}
    together = mean_interval(values, **settings, rng=rng(7))
    for column in range(3):
        alone = mean_interval(values[:, column], **settings, rng=rng(7))
        np.testing.assert_allclose([part[column] for part in together], alone)


def test_the_interval_of_a_mean_agrees_with_the_normal_one() -> None:
    values = rng(3).normal(size=400)
    got = mean_interval(values, confidence=0.95, n_bootstrap=2000, rng=rng())
    half = 1.96 * values.std() / 20
    assert got.low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert got.high == pytest.approx(values.mean() + half, abs=0.15 * half)


GAPS = {  # differences of two percentages: draws of shape (n, m), and their mean
    "normal": (lambda draw, shape: draw.normal(size=shape), 0.0),
    "ranks among ten": (
        lambda draw, shape: 10.0 * (draw.integers(11, size=shape) - draw.integers(11, size=shape)),
        0.0,
    ),
    "skewed": (
        lambda draw, shape: 100 * (draw.beta(5, 1, size=shape) - draw.beta(2, 1, size=shape)),
        100 * (5 / 6 - 2 / 3),
    ),
}


@pytest.mark.parametrize("kind", GAPS)
@pytest.mark.parametrize("n", [20, 40, 300])
def test_intervals_cover_the_truth_as_often_as_they_say(kind: str, n: int) -> None:
    draw, truth = GAPS[kind]
    found = mean_interval(draw(rng(4), (n, 1500)), confidence=0.95, n_bootstrap=600, rng=rng())
    assert 0.93 < ((found.low <= truth) & (truth <= found.high)).mean() < 0.97


SPARSE = {  # 70 % zeros
    "symmetric": (lambda draw, shape: draw.normal(size=shape), 0.0),
    "one-sided": (lambda draw, shape: draw.exponential(size=shape), 0.3),
    "mixed": (lambda draw, shape: draw.normal(1, 1, size=shape), 0.3),
}


@pytest.mark.parametrize("kind", SPARSE)
@pytest.mark.parametrize("n", [40, 300])
def test_intervals_of_sparse_gaps_cover_the_truth_as_often_as_they_say(kind: str, n: int) -> None:
    draw, truth = SPARSE[kind]
    random = rng(4)
    gaps = np.where(random.random((n, 1500)) < 0.7, 0.0, draw(random, (n, 1500)))
    found = mean_interval(gaps, confidence=0.95, n_bootstrap=600, rng=rng())
    assert 0.93 < ((found.low <= truth) & (truth <= found.high)).mean() < 0.97


def test_an_interval_of_shares_stays_among_them() -> None:
    found = mean_interval([100.0] * 60 + [99.0], confidence=0.99, n_bootstrap=400, rng=rng())
    assert 99 < found.low < found.value < found.high <= 100


@pytest.mark.parametrize("interval", [mean_interval, trend_interval])
def test_too_few_examples_have_a_mean_but_no_interval(interval) -> None:
    values = rng(4).normal(size=(19, 3))
    given = (values,) if interval is mean_interval else (values, np.ones(19))
    found = interval(*given, confidence=0.95, n_bootstrap=50, rng=rng())
    assert np.isfinite(found.value).all()
    assert np.isnan(found.low).all()
    assert np.isnan(found.high).all()


def test_a_share_has_wilsons_interval() -> None:
    found = share_interval([200, 190, 0], 200, confidence=0.95)
    assert found.value.tolist() == [100, 95, 0]
    expected = [binomtest(k, 200).proportion_ci(0.95, "wilson") for k in (200, 190, 0)]
    assert found.low == pytest.approx([100 * one.low for one in expected])
    assert found.high == pytest.approx([100 * one.high for one in expected])
    assert np.isnan(share_interval(19, 19, confidence=0.95).low)
    with pytest.raises(StatsError, match="there are no examples"):
        share_interval(0, 0, confidence=0.95)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(bad: float) -> None:
    values = np.append(np.ones(59), bad)
    draws = {"rng": rng()}
    for test in (
        lambda: sign_flip_p(values, n_permutations=9, **draws),
        lambda: equivalence(values, 2.0, bound=100, alpha=0.05, n_draws=9, **draws),
        lambda: mean_interval(values, confidence=0.9, n_bootstrap=9, **draws),
        lambda: ratio_interval(np.ones(60), values, confidence=0.9, n_bootstrap=9, **draws),
    ):
        with pytest.raises(StatsError, match="1 of 60 values are NaN or infinite"):
            test()


def test_sign_flips_are_enumerated_for_few_examples() -> None:
    values = np.array([0.5, 1.0, -0.2, 2.0])
    signs = list(product((-1, 1), repeat=4))
    expected = np.mean([abs(np.dot(s, values)) >= abs(values.sum()) - 1e-12 for s in signs])
    assert sign_flip_p(values, n_permutations=0, rng=rng()) == expected == 4 / 16


def test_no_difference_at_all_has_p_one() -> None:
    for n in (5, 50):
        assert sign_flip_p(np.zeros(n), n_permutations=99, rng=rng()) == 1


def test_a_clear_difference_has_the_smallest_possible_p() -> None:
    assert sign_flip_p(np.ones(50), n_permutations=99, rng=rng()) == 1 / 100


def test_the_sign_flip_test_is_two_sided() -> None:
    values = rng(5).normal(size=30) + 0.2
    p = [sign_flip_p(side * values, n_permutations=500, rng=rng()) for side in (1, -1)]
    assert p[0] == p[1]


def test_sampled_sign_flips_agree_with_enumeration(monkeypatch: pytest.MonkeyPatch) -> None:
    values = rng(6).normal(size=12) + 0.3
    exact = sign_flip_p(values, n_permutations=0, rng=rng())
    monkeypatch.setattr("tuneprobe.stats.EXACT", 3)
    assert sign_flip_p(values, n_permutations=4000, rng=rng()) == pytest.approx(exact, abs=0.025)


def test_the_sign_flip_test_rejects_alpha_of_the_null_data() -> None:
    null = rng(7).normal(size=(40, 400))
    p = np.array([sign_flip_p(column, n_permutations=199, rng=rng(8)) for column in null.T])
    assert 0.02 < (p <= 0.05).mean() < 0.085
    assert np.median(p) == pytest.approx(0.5, abs=0.08)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.6]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []


def test_holm_keeps_the_family_error_below_alpha() -> None:
    p = rng(9).uniform(size=(2000, 6))
    rejected = np.array([(holm(row) <= 0.05).any() for row in p])
    assert 0.03 < rejected.mean() < 0.065


def test_the_contrast_is_high_minus_low_layers() -> None:
    gaps = [[1, 3, 6, 8, 10], [0, 0, 0, 0, 3]]
    assert layer_contrast(gaps, mark=2).tolist() == [6.0, 1.0]


@pytest.mark.parametrize("mark", [0, 3])
def test_a_mark_with_an_empty_side_is_refused(mark: int) -> None:
    with pytest.raises(StatsError, match="between 1 and 2"):
        layer_contrast(np.ones((2, 3)), mark=mark)


EQUIVALENCE = {"bound": 100.0, "alpha": 0.05, "n_draws": 500}


def test_equivalence_needs_a_narrow_interval_inside_the_margins() -> None:
    narrow = rng(10).normal(size=400)
    narrow -= narrow.mean()
    close = equivalence(narrow, 2.0, **EQUIVALENCE, rng=rng())
    assert close.equal
    assert close.p == 1 / 501
    for values in (25 * narrow, narrow + 2, narrow - 9):
        far = equivalence(values, 2.0, **EQUIVALENCE, rng=rng())
        assert not far.equal
        assert far.p > 0.05


def test_the_p_value_of_equivalence_agrees_with_its_interval() -> None:
    values = rng(11).normal(size=(60, 300)) + np.linspace(-0.6, 0.6, 300)
    settings = {**EQUIVALENCE, "bound": 8.0, "n_draws": 999}
    found = equivalence(values, 0.7, **settings, rng=rng())
    within = (found.low > -0.7) & (found.high < 0.7)
    assert (within == found.equal).mean() > 0.98
    assert 0.05 < found.equal.mean() < 0.9


@pytest.mark.parametrize("n", [3, 7, 15, 40, 50, 100, 300])
@pytest.mark.parametrize(("gap", "share"), [(20.0, 0.1), (100.0, 0.02), (4.0, 0.5)])
def test_rare_gaps_on_the_margin_are_called_equal_at_most_alpha_of_the_time(n, gap, share) -> None:
    values = np.where(rng(12).random((n, 1000)) < share, gap, 0.0)  # the mean is 2, the margin
    found = equivalence(values, 2.0, **EQUIVALENCE, rng=rng())
    assert found.equal.mean() < 0.05 + 2 * (0.05 * 0.95 / 1000) ** 0.5
    assert np.isnan(found.p).all() == (n < 50)


def test_equal_means_are_called_equal_as_often_as_a_pair_of_t_tests_does() -> None:
    values, n = rng(1).normal(size=(300, 400)) * 12, 300
    found = equivalence(values, 2.0, **EQUIVALENCE, rng=rng())
    half = student.ppf(0.95, n - 1) * values.std(axis=0, ddof=1) / n**0.5
    usual = np.abs(values.mean(axis=0)) + half < 2
    assert found.equal.mean() > usual.mean() - 0.05 > 0.7
    moved = equivalence(values + 2, 2.0, **EQUIVALENCE, rng=rng())
    assert moved.equal.mean() < 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5


@pytest.mark.parametrize("n", [50, 300])
@pytest.mark.parametrize("sd", [2.0, 5.0])
def test_gaps_at_the_bound_that_most_samples_miss_are_reckoned_with(n: int, sd: float) -> None:
    draw = rng(2)  # one percent are 100: with a mean of 1 of the others the mean is the margin
    values = draw.normal(size=(n, 600)) * sd + 1
    values = np.where(draw.random(values.shape) < 0.01, 100.0, values - 0.01 * values.mean())
    found = equivalence(values, 2.0, **EQUIVALENCE, rng=rng())
    assert found.equal.mean() < 0.05 + 2 * (0.05 * 0.95 / 600) ** 0.5
    naive = values.mean(axis=0) + student.ppf(0.95, n - 1) * values.std(axis=0, ddof=1) / n**0.5
    assert (naive < 2).mean() > found.equal.mean()


def test_without_a_gap_the_p_value_is_clopper_and_pearsons() -> None:
    found = equivalence(np.zeros(150), 2.0, **{**EQUIVALENCE, "n_draws": 20000}, rng=rng())
    assert found.p == pytest.approx(0.98**150, abs=0.006)


def test_a_margin_of_zero_and_a_gap_beyond_the_bound_are_refused() -> None:
    with pytest.raises(StatsError, match="expected a positive number"):
        equivalence([1.0], 0.0, **EQUIVALENCE, rng=rng())
    with pytest.raises(StatsError, match="is 101, expected none beyond 100"):
        equivalence([1.0, -101.0], 2.0, **EQUIVALENCE, rng=rng())


def test_the_trend_is_spearmans_correlation_with_the_layer() -> None:
    curve = np.tile([3.0, 1.0, 4.0, 1.0, 5.0], (20, 1))
    got = trend_interval(curve, np.full(20, 2.0), confidence=0.9, n_bootstrap=20, rng=rng())
    assert got.value == pytest.approx(spearmanr(curve[0], np.arange(5)).statistic)
    assert got.low == pytest.approx(got.value)


@pytest.mark.parametrize(("slope", "trend"), [(1.0, 1), (-1.0, -1), (0.0, 0)])
def test_a_rising_falling_or_flat_curve_has_trend_one_minus_one_or_zero(slope, trend) -> None:
    curves = rng(13).integers(5, size=(50, 1)) + slope * np.arange(6)
    got = trend_interval(curves, np.ones(50), confidence=0.9, n_bootstrap=50, rng=rng())
    assert got == pytest.approx((trend, trend, trend))


def test_noise_has_a_trend_interval_around_zero() -> None:
    curves = rng(14).normal(size=(80, 12))
    got = trend_interval(curves, np.ones(80), confidence=0.95, n_bootstrap=300, rng=rng())
    assert got.low < 0 < got.high


def test_no_examples_is_one_clear_error() -> None:
    with pytest.raises(StatsError, match="there are no examples"):
        sign_flip_p([], n_permutations=9, rng=rng())


def test_the_words_of_a_sentence_and_the_answers_of_a_start_are_drawn_together() -> None:
    draw = rng(20)
    shift = draw.normal(scale=2, size=(200, 30, 1, 1)) + draw.normal(scale=1, size=(200, 1, 1, 5))
    data = shift + draw.normal(size=(200, 30, 4, 5))  # data sets, sentences, words, starts
    groups = np.repeat(np.arange(30), 4)
    settings = {"confidence": 0.95, "n_bootstrap": 300}
    found = [
        crossed_interval(one.reshape(120, 5), groups, **settings, rng=rng(i))
        for i, one in enumerate(data)
    ]
    covered = np.mean([one.low < 0 < one.high for one in found])
    assert 0.88 < covered < 0.98
    alone = [mean_interval(one.mean(axis=(2,)).ravel(), **settings, rng=rng(1)) for one in data]
    assert np.mean([one.low < 0 < one.high for one in alone]) < covered


def test_fewer_than_twenty_sentences_have_no_interval() -> None:
    values = rng(21).normal(size=(400, 3))
    found = crossed_interval(
        values, np.arange(400) // 40, confidence=0.95, n_bootstrap=50, rng=rng()
    )
    assert found.value == pytest.approx(values.mean())
    assert np.isnan([found.low, found.high]).all()
