"""The metrics of GLUE (Wang et al. 2019), with bootstrap intervals over the examples.

Every metric is a function of gold and predicted values, shape (n,), and of weights, shape
(n_samples, n): how often each example was drawn in each sample. It gives one number per sample, so
that the estimate (all weights 1) and its bootstrap samples come from the same lines.

An F1 without any positive, gold or predicted, is 0. So is a correlation with a constant.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneprobe.errors import UnknownNameError
from tuneprobe.stats import StatsError, bootstrap_bounds, mean_interval, share_interval

Floats = NDArray[np.float64]
Values = NDArray[Any]
Metric = Callable[[Values, Values, Floats], Floats]

CHUNK = 1_000_000  # weights held at once
FLAT = 1e-12  # share of the mean square below which a variance is rounding

METRICS: Mapping[str, tuple[str, ...]] = {
    "mrpc": ("accuracy", "f1"),
    "stsb": ("pearson", "spearman"),
    "sst2": ("accuracy",),
    "qqp": ("accuracy", "f1"),
    "rte": ("accuracy",),
    "qnli": ("accuracy",),
    "mnli": ("accuracy",),
    "mnli-mismatched": ("accuracy",),
    "sick": ("accuracy",),
}
DEFAULT_METRICS = {"label": ("accuracy",), "score": ("pearson", "spearman")}
POSITIVE = "1"  # the class whose F1 GLUE reports: a paraphrase


class Estimate(NamedTuple):
    """A metric in percent, between the bounds of its interval; NaN for too few examples."""

    value: float
    low: float
    high: float


def metrics_of(task: str, kind: str) -> tuple[str, ...]:
    """The metrics of a task; the first is the one whose published numbers ours are compared with.

    A task that GLUE does not know gets accuracy (``label``) or the two correlations (``score``).
    """
    if kind not in DEFAULT_METRICS:
        raise UnknownNameError("kind of task with a metric", kind, DEFAULT_METRICS)
    return METRICS.get(task, DEFAULT_METRICS[kind])


def estimate(
    metric: str,
    gold: Values,
    predicted: Values,
    *,
    confidence: float,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> Estimate:
    """A metric in percent with its interval: Wilson's for the accuracy, a bootstrap for others.

    Parameters
    ----------
    metric : str
        ``accuracy``, ``f1``, ``pearson`` or ``spearman``.
    gold, predicted : array of shape (n,)
        Labels as texts, or scores as numbers. The examples are resampled, each with its prediction.

    Raises
    ------
    UnknownNameError
        If there is no such metric.
    StatsError
        If there is no example, or the two differ in length.
    """
    if metric not in FUNCTIONS:
        raise UnknownNameError("metric", metric, FUNCTIONS)
    if len(gold) != len(predicted) or not len(gold):
        raise StatsError(
            f"{len(gold)} gold values and {len(predicted)} predictions; expected as many of the "
            "one as of the other, and at least one."
        )
    if metric == "accuracy":
        share = share_interval((gold == predicted).sum(), len(gold), confidence=confidence)
        return Estimate(*map(float, share))
    compute = FUNCTIONS[metric]
    value = compute(gold, predicted, np.ones((1, len(gold))))[0]
    drawn = bootstrap_weights(len(gold), n_bootstrap, rng)
    samples = np.concatenate([compute(gold, predicted, weights) for weights in drawn])
    (low,), (high,) = bootstrap_bounds(samples[:, None], len(gold), confidence=confidence)
    return Estimate(100.0 * float(value), 100.0 * float(low), 100.0 * float(high))


def paired_gap(
    metric: str,
    gold: Values,
    predicted: Values,
    other: Values,
    *,
    confidence: float,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> Estimate:
    """A metric of `predicted` minus that of `other`, in points, paired over the examples.

    The interval of an accuracy is BCa of the mean difference, that of another metric the
    percentiles of its difference over the same samples; NaN for too few examples.
    """
    if metric == "accuracy":
        right = [100.0 * (gold == given) for given in (predicted, other)]
        found = mean_interval(
            right[0] - right[1], confidence=confidence, n_bootstrap=n_bootstrap, rng=rng
        )
        return Estimate(*map(float, found))
    compute, ones = FUNCTIONS[metric], np.ones((1, len(gold)))
    gap = compute(gold, predicted, ones)[0] - compute(gold, other, ones)[0]
    samples = np.concatenate(
        [
            compute(gold, predicted, weights) - compute(gold, other, weights)
            for weights in bootstrap_weights(len(gold), n_bootstrap, rng)
        ]
    )
    (low,), (high,) = bootstrap_bounds(samples[:, None], len(gold), confidence=confidence)
    return Estimate(100.0 * float(gap), 100.0 * float(low), 100.0 * float(high))


def majority_prediction(gold: Values) -> Values:
    """What a reader of labels alone answers, shape (n,).

    Everywhere the most frequent label (of equally frequent ones the first in order); everywhere
    the mean score, where `gold` are numbers. The labels are those of the examples scored, so that
    no constant answer is more accurate.
    """
    if np.issubdtype(gold.dtype, np.number):
        return np.full(len(gold), gold.mean())
    labels, counts = np.unique(gold, return_counts=True)
    return np.full(len(gold), labels[counts.argmax()])


def bootstrap_weights(n: int, n_samples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each of n examples is drawn in samples of n, chunks of shape (n_chunk, n)."""
    step = max(1, CHUNK // n)
    for first in range(0, n_samples, step):
        size = min(step, n_samples - first)
        yield rng.multinomial(n, np.full(n, 1 / n), size=size).astype(np.float64)


def accuracy(gold: Values, predicted: Values, weights: Floats) -> Floats:
    """Share of the examples whose prediction is the gold label, shape (n_samples,)."""
    shares: Floats = weights @ (gold == predicted) / weights.sum(axis=1)
    return shares


def f1(gold: Values, predicted: Values, weights: Floats, positive: str = POSITIVE) -> Floats:
    """``2 tp / (predicted positives + gold positives)``, shape (n_samples,)."""
    is_gold, is_predicted = gold == positive, predicted == positive
    both = weights @ (is_gold & is_predicted)
    total = weights @ is_gold + weights @ is_predicted
    return np.divide(2.0 * both, total, out=np.zeros(len(weights)), where=total > 0)


def pearson(gold: Values, predicted: Values, weights: Floats) -> Floats:
    """Pearson's correlation, shape (n_samples,); values of shape (n,) or (n_samples, n)."""
    x, y = _centred(gold, weights), _centred(predicted, weights)
    scale = np.sqrt(_sum(weights, x, x) * _sum(weights, y, y))
    return np.divide(_sum(weights, x, y), scale, out=np.zeros(len(weights)), where=scale > 0)


def spearman(gold: Values, predicted: Values, weights: Floats) -> Floats:
    """Pearson's correlation of the ranks, shape (n_samples,); every sample is ranked anew."""
    return pearson(mid_ranks(gold, weights), mid_ranks(predicted, weights), weights)


def mid_ranks(values: Values, weights: Floats) -> Floats:
    """Ranks among the examples that a sample drew, ties at their mean, shape (n_samples, n).

    >>> mid_ranks(np.array([7, 5, 7]), np.array([[1.0, 1.0, 1.0], [1.0, 2.0, 0.0]])).tolist()
    [[2.5, 1.0, 2.5], [3.0, 1.5, 3.0]]
    """
    _, number, tied = np.unique(values, return_inverse=True, return_counts=True)
    first = np.cumsum(tied) - tied  # of each distinct value in the sorted order
    order = np.argsort(number, kind="stable")
    drawn = np.add.reduceat(weights[:, order], first, axis=1)  # (n_samples, n_distinct)
    ranks = np.cumsum(drawn, axis=1) - (drawn - 1) / 2
    return ranks[:, number]


FUNCTIONS: Mapping[str, Metric] = {
    "accuracy": accuracy,
    "f1": f1,
    "pearson": pearson,
    "spearman": spearman,
}


def _centred(values: Values, weights: Floats) -> Floats:
    """Values less their weighted mean; all 0 where they vary by no more than rounding."""
    values, ones = np.broadcast_to(values, weights.shape), np.ones_like(weights)
    mean = _sum(weights, values, ones) / weights.sum(axis=1)
    centred = values - mean[:, None]
    flat = _sum(weights, centred, centred) <= FLAT * _sum(weights, values, values)
    return np.where(flat[:, None], 0.0, centred)


def _sum(weights: Floats, x: Floats, y: Floats) -> Floats:
    """Row sums of a product, shape (n_samples,)."""
    sums: Floats = np.einsum("ij,ij,ij->i", weights, x, y)
    return sums
