"""Uncertainty: bootstrap intervals, paired tests, equivalence and trends over examples.

Examples are the unit of resampling. Arrays have shape (n,) or (n, n_columns), where the columns
are layers; all columns are resampled together, so that curves stay curves.
"""

from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from tuneprobe.errors import TuneprobeError

Floats = NDArray[np.float64]
CHUNK = 4_000_000  # weights or signs held at once
EXACT = 12  # up to 2**12 sign patterns are enumerated


class StatsError(TuneprobeError):
    """Numbers that a statistic is not defined for."""


class Interval(NamedTuple):
    """An estimate between its bounds; each of shape () or (n_columns,)."""

    value: Floats
    low: Floats
    high: Floats


class Equivalence(NamedTuple):
    """Two one-sided tests: the p-value and the (1 - 2 alpha) interval of the mean difference."""

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
    """``sum(numerator) / sum(denominator)`` with its bootstrap percentile interval.

    Parameters
    ----------
    numerator : array of shape (n,) or (n, n_columns)
    denominator : array of shape (n,), positive
    """
    curve, samples = _ratio_samples(numerator, denominator, n_bootstrap, rng)
    return _like(numerator, Interval(curve, *_percentiles(samples, confidence)))


def mean_interval(
    values: ArrayLike, *, confidence: float, n_bootstrap: int, rng: np.random.Generator
) -> Interval:
    """Mean over the examples with its bootstrap percentile interval; (n,) or (n, n_columns)."""
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
    percentiles over bootstrap curves.

    Parameters
    ----------
    numerator : array of shape (n, n_layers)
    denominator : array of shape (n,)
    """
    curve, samples = _ratio_samples(numerator, denominator, n_bootstrap, rng)
    low, high = _percentiles(_spearman_with_order(samples), confidence)
    return Interval(_spearman_with_order(curve[None])[0], low, high)


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
    alpha: float,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> Equivalence:
    """Is the mean difference within plus or minus `margin`? Two one-sided bootstrap tests.

    Equal at level alpha if the (1 - 2 alpha) interval lies inside the margins; the p-value is the
    larger share of bootstrap means at or beyond a margin, ``(b + 1) / (n_bootstrap + 1)``.

    Parameters
    ----------
    differences : array of shape (n,) or (n, n_columns)
    """
    if margin <= 0:
        raise StatsError(f"the equivalence margin is {margin}, expected a positive number.")
    values = _columns(differences)
    means = bootstrap_sums(values, n_bootstrap, rng) / len(values)
    low, high = _percentiles(means, 1 - 2 * alpha)
    beyond = np.maximum((means <= -margin).sum(axis=0), (means >= margin).sum(axis=0))
    p = (beyond + 1) / (n_bootstrap + 1)
    equal = (low > -margin) & (high < margin)
    return _like(differences, Equivalence(p, low, high, equal))


def _columns(values: ArrayLike) -> Floats:
    values = np.asarray(values, dtype=np.float64)
    if not len(values):
        raise StatsError("there are no examples; at least one is needed.")
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


def _percentiles(samples: Floats, confidence: float) -> tuple[Floats, Floats]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(samples, [tail, 1 - tail], axis=0)
    return low, high


def _spearman_with_order(curves: Floats) -> Floats:
    """Spearman correlation of each row with 0, 1, 2, ...; 0 for a flat row."""
    ranks = rankdata(curves, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    layer = np.arange(curves.shape[1]) - (curves.shape[1] - 1) / 2
    scale = np.sqrt((ranks**2).sum(axis=1) * (layer**2).sum())
    return np.divide(ranks @ layer, scale, out=np.zeros(len(curves)), where=scale > 0)
