"""Statistics: values by hand, calibration on null data, bounds that can fail."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import spearmanr

from tuneprobe.stats import (
    StatsError,
    bootstrap_sums,
    equivalence,
    holm,
    layer_contrast,
    mean_interval,
    ratio_interval,
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
    assert got == (0.5, 0.5, 0.5)
    got = ratio_interval([0, 3], [2, 2], confidence=0.5, n_bootstrap=400, rng=rng())
    assert got.value == 0.75  # samples: 0, .75, .75, 1.5
    assert got.low in (0.0, 0.75)
    assert got.high in (0.75, 1.5)


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


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    draws = rng(4).normal(size=(60, 200))  # 200 data sets as columns
    got = mean_interval(draws, confidence=0.9, n_bootstrap=400, rng=rng())
    covered = ((got.low < 0) & (got.high > 0)).mean()
    assert 0.83 < covered < 0.96


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


def test_equivalence_needs_a_narrow_interval_inside_the_margins() -> None:
    narrow = rng(10).normal(size=400)
    narrow -= narrow.mean()
    settings = {"margin": 2.0, "alpha": 0.05, "n_bootstrap": 500}
    close = equivalence(narrow, **settings, rng=rng())
    assert close.equal
    assert close.p == 1 / 501
    for values in (60 * narrow, narrow + 2, narrow - 9):
        far = equivalence(values, **settings, rng=rng())
        assert not far.equal
        assert far.p > 0.05


def test_the_p_value_of_equivalence_agrees_with_its_interval() -> None:
    values = rng(11).normal(size=(50, 300)) + np.linspace(-0.6, 0.6, 300)
    found = equivalence(values, 0.4, alpha=0.05, n_bootstrap=999, rng=rng())
    assert ((found.p <= 0.05) == found.equal).mean() > 0.98
    assert 0.05 < found.equal.mean() < 0.8


def test_equivalence_is_claimed_for_at_most_alpha_of_the_data_on_the_margin() -> None:
    values = rng(12).normal(size=(80, 400)) + 0.5
    found = equivalence(values, 0.5, alpha=0.05, n_bootstrap=400, rng=rng())
    assert found.equal.mean() < 0.09


def test_a_margin_of_zero_is_refused() -> None:
    with pytest.raises(StatsError, match="expected a positive number"):
        equivalence([1.0], 0.0, alpha=0.05, n_bootstrap=10, rng=rng())


def test_the_trend_is_spearmans_correlation_with_the_layer() -> None:
    curve = np.array([[3.0, 1.0, 4.0, 1.0, 5.0]])
    got = trend_interval(curve, [2.0], confidence=0.9, n_bootstrap=20, rng=rng())
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
