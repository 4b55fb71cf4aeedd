"""Uncertainty: bootstrap intervals, paired tests, equivalence and trends over examples.

Examples are the unit of resampling. Arrays have shape (n,) or (n, n_columns), where the columns
are layers; all columns are resampled together, so that curves stay curves.

Too few examples give no interval: its bounds are NaN below `LEAST` examples, and two means are
never called equal below `LEAST_EQUAL`. Numbers that are not finite are refused.
"""

from fractions import Fraction
from itertools import product
from math import atanh, floor, nan, sqrt, tanh
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit
from scipy.stats import rankdata

from tuneprobe.errors import TuneprobeError

Floats = NDArray[np.float64]
CHUNK = 4_000_000  # weights or signs held at once
LEAST = 20  # examples of an interval
LEAST_EQUAL = 50  # examples of a test of equivalence
LEAST_MISSED = 0.002  # the smallest probability of a miss that a test of equivalence looks at
EXACT = 12  # up to 2**12 sign patterns are enumerated


class StatsError(TuneprobeError):
    """Numbers that a statistic is not defined for."""


class Interval(NamedTuple):
    """An estimate between its bounds, NaN for too few examples; of shape () or (n_columns,)."""

    value: Floats
    low: Floats
    high: Floats


class Equivalence(NamedTuple):
    """Two one-sided tests: the p-value and the (1 - 2 alpha) interval of the mean difference.

    NaN, and not equal, for too few examples.
    """

    p: Floats
    low: Floats
    high: Floats
    equal: NDArray[np.bool_]


def bootstrap_sums(values: ArrayLike, n_bootstrap: int, rng: np.random.Generator) -> Floats:
    """Column sums of `n_bootstrap` samples of n rows, drawn with replacement.

    Parameters
    ----------
    values : array of shape (n, n_columns)

    Returns
    -------
    ndarray of shape (n_bootstrap, n_columns)
    """
    values = _columns(values)
    n = len(values)
    sums = np.empty((n_bootstrap, values.shape[1]))
    step = max(1, CHUNK // n)
    for first in range(0, n_bootstrap, step):
        part = sums[first : first + step]
        drawn = rng.integers(n, size=(len(part), n)) + n * np.arange(len(part))[:, None]
        weights = np.bincount(drawn.ravel(), minlength=len(part) * n).reshape(len(part), n)
        part[:] = weights.astype(np.float64) @ values
    return sums


def ratio_interval(
    numerator: ArrayLike,
    denominator: ArrayLike,
    *,
    confidence: float,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> Interval:
    """``sum(numerator) / sum(denominator)`` with the wider of two intervals, at either end.

    BCa (Efron 1987): bias-corrected and accelerated, with tails widened for small samples
    (`bootstrap_bounds`); and Student's, ``r ± t s``, which stays within the ratios of the examples.
    BCa alone takes the skew of few examples that are not zero for that of all: of symmetric gaps of
    which 70 % are zero it holds the mean .88 of the time at n = 40 and a level of .95; Student's
    alone misses skewed ones. benchmarks/simulate_intervals.py compares them.

    Parameters
    ----------
    numerator : array of shape (n,) or (n, n_columns)
    denominator : array of shape (n,), positive
    """
    curve, samples = _ratio_samples(numerator, denominator, n_bootstrap, rng)
    above, below = _columns(numerator), _columns(denominator)
    influence, n = above - curve * below, len(above)
    skew = _acceleration(influence)
    low, high = bootstrap_bounds(samples, n, confidence=confidence, bca=(curve, skew))
    if n >= LEAST:
        spread = np.sqrt(n / (n - 1) * (influence**2).sum(axis=0)) / below.sum()
        half, ratios = stdtrit(n - 1, (1 + confidence) / 2) * spread, above / below
        low = np.minimum(low, np.maximum(curve - half, ratios.min(axis=0)))
        high = np.maximum(high, np.minimum(curve + half, ratios.max(axis=0)))
    return _like(numerator, Interval(curve, low, high))


def crossed_interval(
    values: ArrayLike,
    groups: ArrayLike,
    *,
    confidence: float,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> Interval:
    """Mean over examples and repetitions; whole groups, and repetitions, are resampled.

    Examples of one group, the words of a sentence, are not independent, and a repetition, the
    initialisation of a classifier, is a draw as much as they are. BCa over the groups.

    Parameters
    ----------
    values : array of shape (n, n_repetitions)
    groups : int or str array of shape (n,)
    """
    values = _columns(values)
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.zeros((group.max() + 1, values.shape[1] + 1))
    np.add.at(sums, group, np.hstack([values, np.ones((len(values), 1))]))
    mean, n_repetitions = values.mean(), values.shape[1]
    drawn = bootstrap_sums(sums, n_bootstrap, rng)
    repetitions = rng.integers(n_repetitions, size=(n_bootstrap, n_repetitions))
    samples = np.take_along_axis(drawn, repetitions, axis=1).mean(axis=1) / drawn[:, -1]
    skew = _acceleration((sums[:, :-1].mean(axis=1) - mean * sums[:, -1])[:, None])
    (low,), (high,) = bootstrap_bounds(
        samples[:, None], len(sums), confidence=confidence, bca=(np.array([mean]), skew)
    )
    return Interval(mean, low, high)


def share_interval(hits: ArrayLike, n: int, *, confidence: float) -> Interval:
    """A share of n examples, in percent, with Wilson's interval (1927).

    Not empty where all or none is a hit.

    Parameters
    ----------
    hits : array of shape () or (n_columns,)
        Number of hits.

    Examples
    --------
    >>> [round(float(bound), 1) for bound in share_interval(200, 200, confidence=0.95)]
    [100.0, 98.1, 100.0]
    """
    if n < 1:
        raise StatsError("there are no examples; at least one is needed.")
    share = np.asarray(hits, dtype=np.float64) / n
    if n < LEAST:
        nothing = np.full_like(share, np.nan)
        return Interval(100 * share, nothing, nothing)
    z = ndtri((1 + confidence) / 2)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = np.minimum(middle - half, share), np.maximum(middle + half, share)
    return Interval(100 * share, 100 * low, 100 * high)


def bootstrap_bounds(
    samples: Floats,
    n: int,
    *,
    confidence: float,
    bca: tuple[Floats, Floats] | None = None,
) -> tuple[Floats, Floats]:
    """Percentiles of bootstrap samples of a statistic of n examples, (n_columns,) each.

    A bootstrap sample varies like a normal variable of known, too small variance. So the normal
    quantile of the level is replaced by ``sqrt(n / (n - 1)) t``, Student's (Hesterberg 2015,
    section 5.3). NaN below `LEAST` examples.

    Parameters
    ----------
    samples : array of shape (n_bootstrap, n_columns)
    bca : pair of arrays of shape (n_columns,), optional
        The statistic and its acceleration, for a statistic that no bound cuts off (a mean): the
        percentiles are corrected for bias and skew.
    """
    if n < LEAST:
        nothing = np.full(samples.shape[1], np.nan)
        return nothing, nothing.copy()
    z = np.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 + confidence) / 2)
    value, skew = (np.zeros(samples.shape[1]),) * 2 if bca is None else bca
    shift = np.zeros_like(skew)
    if bca is not None:
        below = ((samples < value).mean(axis=0) + (samples <= value).mean(axis=0)) / 2
        edge = 0.5 / len(samples)
        shift = ndtri(np.clip(below, edge, 1 - edge))
    ordered = np.sort(samples, axis=0)
    low, high = (
        _quantiles(ordered, ndtr(shift + (shift + side) / (1 - skew * (shift + side))))
        for side in (-z, z)
    )
    return low, high


def mean_interval(
    values: ArrayLike, *, confidence: float, n_bootstrap: int, rng: np.random.Generator
) -> Interval:
    """Mean over the examples with its interval, as `ratio_interval`; (n,) or (n, n_columns)."""
    return ratio_interval(
        values,
        np.ones(len(np.asarray(values))),
        confidence=confidence,
        n_bootstrap=n_bootstrap,
        rng=rng,
    )


def trend_interval(
    numerator: ArrayLike,
    denominator: ArrayLike,
    *,
    confidence: float,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> Interval:
    """Spearman correlation of the curve ``sum(numerator) / sum(denominator)`` with the layer.

    1 for a curve that never falls, -1 for one that never rises, 0 for a flat one. The bounds are
    percentiles over bootstrap curves (`bootstrap_bounds`).

    Parameters
    ----------
    numerator : array of shape (n, n_layers)
    denominator : array of shape (n,)
    """
    curve, samples = _ratio_samples(numerator, denominator, n_bootstrap, rng)
    n = len(_columns(numerator))
    trends = _spearman_with_order(samples)[:, None]
    (low,), (high,) = bootstrap_bounds(trends, n, confidence=confidence)
    return Interval(_spearman_with_order(curve[None])[0], low, high)


def correlation_bounds(correlation: float, n: int, *, confidence: float) -> tuple[float, float]:
    """Interval of a Spearman correlation of n > 3 pairs (Bonett & Wright 2000).

        tanh(atanh(r) ± z sqrt((1 + r²/2) / (n - 3)))

    Of a correlation of ±1, which has no such interval, that of ±(1 - 1/n), drawn out to it. NaN for
    fewer pairs.

    >>> [round(bound, 2) for bound in correlation_bounds(0.5, 28, confidence=0.95)]
    [0.13, 0.75]
    """
    if n < 4:
        return nan, nan
    inside = min(max(correlation, 1 / n - 1), 1 - 1 / n)
    half = ndtri((1 + confidence) / 2) * sqrt((1 + inside**2 / 2) / (n - 3))
    low, high = tanh(atanh(inside) - half), tanh(atanh(inside) + half)
    return min(low, correlation), max(high, correlation)


def sign_flip_p(differences: ArrayLike, *, n_permutations: int, rng: np.random.Generator) -> Floats:
    """Two-sided p-value of a mean paired difference of zero, under random signs.

    ``p = (b + 1) / (n_permutations + 1)`` where b sign patterns give a mean at least as far from
    zero; with at most 12 examples all 2**n patterns are enumerated and ``p = b / 2**n``.

    Parameters
    ----------
    differences : array of shape (n,) or (n, n_columns)
        All columns of an example share its sign.

    Examples
    --------
    >>> float(sign_flip_p([1, 2, 3], n_permutations=0, rng=np.random.default_rng(0)))
    0.25
    """
    values = _columns(differences)
    n = len(values)
    observed = np.abs(values.sum(axis=0))
    bar = observed - 1e-9 * np.abs(values).sum(axis=0)
    if n <= EXACT:
        signs = np.array(list(product((-1.0, 1.0), repeat=n)))
        return _like(differences, (np.abs(signs @ values) >= bar).mean(axis=0))
    beyond = np.zeros(values.shape[1])
    step = max(1, CHUNK // n)
    for first in range(0, n_permutations, step):
        size = (min(step, n_permutations - first), n)
        signs = rng.integers(2, size=size) * 2.0 - 1.0
        beyond += (np.abs(signs @ values) >= bar).sum(axis=0)
    return _like(differences, (beyond + 1) / (n_permutations + 1))


def holm(p: ArrayLike) -> Floats:
    """Holm's adjusted p-values: ``max_{j <= i} min(1, (m - j + 1) p_(j))`` in ascending order.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order])
    return np.minimum(adjusted, 1.0)


def marked_layer(share: float | Fraction, n_layers: int) -> int:
    """The last layer that counts as low: `share` of the layers, rounded down, at least the first.

    >>> [marked_layer(Fraction(5, 12), n_layers) for n_layers in (2, 6, 12, 24)]
    [1, 2, 5, 10]
    """
    return max(1, floor(share * n_layers))


def layer_contrast(gaps: ArrayLike, mark: int) -> Floats:
    """Per example, the mean gap above the mark minus the mean gap at or below it.

    Parameters
    ----------
    gaps : array of shape (n, n_layers)
        Columns are the layers 1 ... n_layers; layer 0, the embedding, is not part of a contrast.
    mark : int
        The last layer that counts as low, 1 ... n_layers - 1.

    Examples
    --------
    >>> layer_contrast([[0, 0, 3, 5]], mark=2).tolist()
    [4.0]
    """
    gaps = _columns(gaps)
    if not 1 <= mark < gaps.shape[1]:
        raise StatsError(
            f"layer mark {mark} leaves no layer on one side; with {gaps.shape[1]} layers it must "
            f"lie between 1 and {gaps.shape[1] - 1}."
        )
    return gaps[:, mark:].mean(axis=1) - gaps[:, :mark].mean(axis=1)


def equivalence(
    differences: ArrayLike,
    margin: float,
    *,
    bound: float,
    alpha: float,
    n_draws: int,
    rng: np.random.Generator,
) -> Equivalence:
    """Is the mean difference within plus or minus `margin`? Two one-sided tests of a bounded mean.

    A bootstrap cannot see what was not drawn: of gaps that are rarely large it declares too many
    equal. So the null hypothesis of either test has a share q of differences at the bound that the
    sample happens to miss, which it does with the probability ``(1 - q)^n``; the other differences
    have the mean ``m(q) = (margin - q bound) / (1 - q)``, and

        p = max_q (1 - q)^n P(t <= (mean - m(q)) / s)

    with P the larger of Student's and of the bootstrap-t, which knows the skew. At q = 0 this is
    the usual pair of t-tests; of differences without any spread it is Clopper and Pearson's. The
    size is nominal for gaps of two values and for normal ones; with one per cent of gaps at the
    bound among normal ones it is .03 to .08 for .05 (benchmarks/simulate_intervals.py). The power
    is that of the t-tests wherever the spread that is seen exceeds what may be hidden.

    Parameters
    ----------
    differences : array of shape (n,) or (n, n_columns)
    bound : float
        Largest difference that an example could have, in either direction.
    n_draws : int
    """
    if margin <= 0:
        raise StatsError(f"the equivalence margin is {margin}, expected a positive number.")
    values = _columns(differences)
    if np.abs(values).max() > bound:
        raise StatsError(
            f"a difference is {np.abs(values).max():g}, expected none beyond {bound:g}."
        )
    if len(values) < LEAST_EQUAL:
        nothing = np.full(values.shape[1], np.nan)
        return _like(
            differences,
            Equivalence(nothing, nothing, nothing, np.zeros(len(nothing), dtype=np.bool_)),
        )
    n, mean, spread = len(values), values.mean(axis=0), values.std(axis=0)
    deviations = _studentised(values, n_draws, rng)
    missed = np.linspace(1, LEAST_MISSED, 250)  # probabilities (1 - q)^n
    share = 1 - missed ** (1 / n)
    sides = [
        _upper_test(ts, middle, spread, n, margin, bound, alpha, missed, share)
        for ts, middle in ((deviations, mean), (-deviations, -mean))
    ]
    (p_high, high), (p_low, low) = sides
    p = np.maximum(p_high, p_low)
    return _like(differences, Equivalence(p, -low, high, p <= alpha))


def _upper_test(
    deviations: Floats,
    mean: Floats,
    spread: Floats,
    n: int,
    margin: float,
    bound: float,
    alpha: float,
    missed: Floats,
    share: Floats,
) -> tuple[Floats, Floats]:
    """P-value of a mean at `margin` or above, and the (1 - alpha) upper bound of the mean."""
    null = (margin - share * bound) / (1 - share)
    ordered, levels = np.sort(deviations, axis=0), alpha / missed[missed > alpha]
    p, upper = np.empty(len(mean)), np.empty(len(mean))
    for k, (middle, s) in enumerate(zip(mean, spread, strict=True)):
        if s > 0:
            t = (middle - null) / s
            seen = (np.searchsorted(ordered[:, k], t, side="right") + 1) / (len(ordered) + 1)
            below = np.maximum(seen, stdtr(n - 1, t * sqrt(n - 1)))
            drawn = np.quantile(ordered[:, k], levels, method="lower")
            reach = np.minimum(drawn, stdtrit(n - 1, levels) / sqrt(n - 1)) * s
        else:
            below, reach = (middle >= null).astype(np.float64), np.zeros(len(levels))
        p[k] = max((missed * below).max(), 1 / (len(ordered) + 1))
        hidden = share[missed > alpha]
        upper[k] = min(((1 - hidden) * (middle - reach) + hidden * bound).max(), bound)
    return p, upper


def _studentised(values: Floats, n_draws: int, rng: np.random.Generator) -> Floats:
    """``(mean* - mean) / s*`` of bootstrap samples, (n_draws, n_columns); infinite where s* = 0."""
    n, n_columns = values.shape
    centred = values - values.mean(axis=0)
    sums = bootstrap_sums(np.hstack([centred, centred**2]), n_draws, rng) / n
    means, squares = sums[:, :n_columns], sums[:, n_columns:]
    tiny = 1e-12 * np.maximum((centred**2).mean(axis=0), np.finfo(np.float64).tiny)
    variance = squares - means**2
    sign = np.where(means**2 > tiny, np.copysign(np.inf, means), 0.0)
    return np.divide(means, np.sqrt(np.maximum(variance, tiny)), out=sign, where=variance > tiny)


def _columns(values: ArrayLike) -> Floats:
    values = np.asarray(values, dtype=np.float64)
    if not len(values):
        raise StatsError("there are no examples; at least one is needed.")
    if not (finite := np.isfinite(values)).all():
        raise StatsError(
            f"{(~finite).sum()} of {values.size} values are NaN or infinite: expected finite "
            "numbers; look at what measured them."
        )
    return values[:, None] if values.ndim == 1 else values


def _like(given: ArrayLike, result: Any) -> Any:
    """Drop the column axis of a result where the input had none."""
    if np.ndim(given) > 1:
        return result
    return type(result)(*(part[0] for part in result)) if isinstance(result, tuple) else result[0]


def _ratio_samples(
    numerator: ArrayLike, denominator: ArrayLike, n_bootstrap: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """The ratio, (n_columns,), and its bootstrap samples, (n_bootstrap, n_columns)."""
    both = np.hstack([_columns(numerator), _columns(denominator)])
    total, sums = both.sum(axis=0), bootstrap_sums(both, n_bootstrap, rng)
    return total[:-1] / total[-1], sums[:, :-1] / sums[:, -1:]


def _acceleration(influence: Floats) -> Floats:
    """A sixth of the skewness of the examples' influence on a mean or ratio, (n_columns,)."""
    scale = (influence**2).sum(axis=0) ** 1.5
    third: Floats = (influence**3).sum(axis=0)
    return np.divide(third, 6 * scale, out=np.zeros_like(third), where=scale > 0)


def _quantiles(ordered: Floats, levels: Floats) -> Floats:
    """The quantile of each sorted column at a level of its own, interpolated, (n_columns,)."""
    place = np.clip(levels, 0, 1) * (len(ordered) - 1)
    below = np.floor(place).astype(np.int64)[None]
    above = np.minimum(below + 1, len(ordered) - 1)
    left, right = (np.take_along_axis(ordered, rows, axis=0)[0] for rows in (below, above))
    found: Floats = left + (place - below[0]) * (right - left)
    return found


def _spearman_with_order(curves: Floats) -> Floats:
    """Spearman correlation of each row with 0, 1, 2, ...; 0 for a flat row."""
    ranks = rankdata(curves, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    layer = np.arange(curves.shape[1]) - (curves.shape[1] - 1) / 2
    scale = np.sqrt((ranks**2).sum(axis=1) * (layer**2).sum())
    return np.divide(ranks @ layer, scale, out=np.zeros(len(curves)), where=scale > 0)
