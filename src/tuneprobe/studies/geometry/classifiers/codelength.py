"""Online codelength: how many bits do the labels cost someone who knows the representation?

Voita & Titov 2020, section 2.2: accuracy and the effort of reaching it in one number. Labels that
a representation makes easy are learned from few examples and the rest costs little.

A probe that learned from few examples is now and then very sure and wrong, and one such example can
cost thousands of bits. A receiver who knows that would not trust the probe alone. So the code mixes
the probe with the uniform code, as a Bayesian would who believes in either with equal weight
(Cesa-Bianchi & Lugosi 2006, section 9.2): no portion costs more than one bit above uniform.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from tuneprobe.rng import rng
from tuneprobe.studies.geometry.classifiers.classifier import (
    ClassifierError,
    check_examples,
    held_out_rows,
    number_labels,
    standardised,
)
from tuneprobe.studies.geometry.classifiers.networks import Network, Regimen
from tuneprobe.studies.geometry.classifiers.stack import train

ORDERS = 5
FIRST = (32, 5)  # least examples of the first portion: in all, and for each label
TRUST = (0.5, 0.9, 0.99, 1 - 1e-6)  # shares of the probe in the mixture, beside 0: uniform
PORTIONS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.25, 12.5, 25.0, 50.0, 100.0)
REGIMEN = Regimen(monitor="loss")


@dataclass(frozen=True)
class Codelength:
    """Cost of transmitting the labels of n examples to someone who has their vectors.

    Attributes
    ----------
    ends : ndarray of shape (n_portions,)
        Number of examples after each portion.
    portion_bits : ndarray of shape (orders, n_portions)
        Bits of each portion; the first is coded uniformly.
    n_labels : int
    """

    ends: NDArray[np.int64]
    portion_bits: NDArray[np.float64]
    n_labels: int

    @property
    def bits(self) -> float:
        """Online codelength, mean over the orders."""
        return float(self.portion_bits.sum(axis=1).mean())

    @property
    def std(self) -> float:
        """Sample standard deviation of the codelength over the orders; NaN for a single one."""
        of_orders = self.portion_bits.sum(axis=1)
        return float(of_orders.std(ddof=1)) if len(of_orders) > 1 else float("nan")

    @property
    def uniform_bits(self) -> float:
        """Codelength of the uniform code: n log2 n_labels."""
        return float(self.ends[-1] * np.log2(self.n_labels))

    @property
    def compression(self) -> float:
        """Uniform codelength over online codelength; 1 where the vectors are of no use."""
        return self.uniform_bits / self.bits


def online_codelength(
    X: ArrayLike,
    y: ArrayLike,
    *,
    hidden: tuple[int, ...] = (128, 128),
    decay: float = 1e-4,
    orders: int = ORDERS,
    portions: Sequence[float] = PORTIONS,
    standardise: bool = True,
    regimen: Regimen = REGIMEN,
    seed: int = 13,
    device: str = "cpu",
) -> Codelength:
    """Bits that transmit the labels, the probe being trained on what was sent before.

        n_1 log2 K - sum_i log2 p_i(y of portion i+1 | X of portion i+1)

    for K labels and a code p_i that mixes the uniform one with a probe trained on the portions
    1 ... i (Voita & Titov 2020, eq. 3; `mixed_bits`). The examples come in random order. A tenth of
    each prefix is held out for early stopping, on the cross-entropy by default, which is what a
    code pays.

    Parameters
    ----------
    X, y : arrays of shape (n, dim) and (n,)
        Training examples.
    hidden, decay
        The probe, the same for every portion.
    orders : int
        Codes, each of the examples in an order of its own, by a probe from a start of its own.
    portions : sequence of float
        As in `portion_ends`.
    standardise : bool
        By mean and variance of all vectors, which the receiver has.
    """
    X, y = check_examples(X, y, "train")
    labels, y = number_labels(y)
    ends = portion_ends(len(y), portions, first=first_portion(len(labels)))
    if orders < 1:
        raise ClassifierError(f"{orders} orders of the examples: expected at least one.")
    X = standardised(X)[0] if standardise else X
    portion_bits = np.full((orders, len(ends)), ends[0] * np.log2(len(labels)))
    for number, bits in enumerate(portion_bits):
        order = rng(seed, "codelength", "order", number).permutation(len(y))
        for portion, (start, end) in enumerate(pairwise(ends), start=1):
            seen, coming = order[:start], order[start:end]
            held = held_out_rows(y[seen], seed)
            train_rows, held_rows = seen[~held], seen[held]
            (probe,) = train(
                [Network(hidden, decay, number)],
                *(X[train_rows], y[train_rows], X[held_rows], y[held_rows], len(labels)),
                regimen=regimen,
                seed=seed,
                device=device,
            )
            log_p = probe.log_likelihoods(X[coming], y[coming])
            bits[portion] = mixed_bits(log_p, len(labels))
    return Codelength(ends, portion_bits, len(labels))


def mixed_bits(log_p: NDArray[np.float64], n_labels: int) -> float:
    """Bits of labels to which a probe gives the natural log-probabilities `log_p`.

        -log2 (1/2 K^-n + 1/2 mean over t of prod_i (t p_i + (1 - t) / K))

    for K labels and the shares t of `TRUST`: at most n log2 K + 1, and close to the best t.

    Parameters
    ----------
    log_p : array of shape (n,)

    Examples
    --------
    >>> mixed_bits(np.log([0.25] * 8), 4)
    16.0
    >>> bool(mixed_bits(np.array([-5000.0] * 8), 4) <= 17)
    True
    """
    uniform = np.log(1 / n_labels)
    of_each = [np.logaddexp(np.log(t) + log_p, np.log1p(-t) + uniform).sum() for t in TRUST]
    with_probe = logsumexp(of_each) - np.log(len(TRUST))
    nats = np.log(2) - np.logaddexp(len(log_p) * uniform, with_probe)
    return float(nats / np.log(2))


def first_portion(n_labels: int) -> int:
    """Least number of examples that a probe of so many labels may learn from: ``FIRST``."""
    least, of_each_label = FIRST
    return max(least, of_each_label * n_labels)


def portion_ends(
    n: int, portions: Sequence[float] = PORTIONS, *, first: int = FIRST[0]
) -> NDArray[np.int64]:
    """Number of examples after each portion, rounded up.

    The first portion has `first` examples; an end that is not at least as far behind it is left
    out. Fewer than ``2 first`` examples are one portion: no probe can learn from a part of them.

    Parameters
    ----------
    portions : sequence of float
        Ends of the portions in percent of n, increasing, the last being 100.

    Examples
    --------
    >>> portion_ends(1000).tolist()
    [32, 125, 250, 500, 1000]
    """
    percent = np.asarray(portions, dtype=np.float64)
    if n < 2 or not len(percent) or (np.diff(percent, prepend=0) <= 0).any() or percent[-1] != 100:
        raise ClassifierError(
            f"{n} examples in portions that end at {percent.tolist()} %: expected at least two "
            "examples and increasing percentages, the last being 100."
        )
    ends = np.unique(np.ceil(np.round(n * percent / 100, 6))).astype(np.int64)
    if n < 2 * first:
        return ends[-1:]
    return np.append(first, ends[ends >= 2 * first])
