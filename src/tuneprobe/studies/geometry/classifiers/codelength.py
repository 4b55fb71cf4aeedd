"""Online codelength: how many bits do the labels cost someone who knows the representation?

Voita & Titov 2020, section 2.2: accuracy and the effort of reaching it in one number. Labels that
a representation makes easy are learned from few examples and the rest costs little.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

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

PORTIONS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.25, 12.5, 25.0, 50.0, 100.0)
REGIMEN = Regimen(monitor="loss")


@dataclass(frozen=True)
class Codelength:
    """Cost of transmitting the labels of n examples to someone who has their vectors.

    Attributes
    ----------
    ends : ndarray of shape (n_portions,)
        Number of examples after each portion.
    portion_bits : ndarray of shape (initialisations, n_portions)
        Bits of each portion; the first is coded uniformly.
    n_labels : int
    """

    ends: NDArray[np.int64]
    portion_bits: NDArray[np.float64]
    n_labels: int

    @property
    def bits(self) -> float:
        """Online codelength, mean over the initialisations."""
        return float(self.portion_bits.sum(axis=1).mean())

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
    initialisations: int = 1,
    portions: Sequence[float] = PORTIONS,
    standardise: bool = True,
    regimen: Regimen = REGIMEN,
    seed: int = 13,
    device: str = "cpu",
) -> Codelength:
    """Bits that transmit the labels, the probe being trained on what was sent before.

        n_1 log2 K - sum_i log2 p_i(y of portion i+1 | X of portion i+1)

    for K labels and a probe p_i trained on the portions 1 ... i (Voita & Titov 2020, eq. 3). The
    examples come in random order. A tenth of each prefix is held out for early stopping, on the
    cross-entropy by default, which is what a code pays.

    Parameters
    ----------
    X, y : arrays of shape (n, dim) and (n,)
        Training examples.
    hidden, decay
        The probe, the same for every portion.
    initialisations : int
        Codes made at once, each from a start of its own.
    portions : sequence of float
        Ends of the portions in percent of n, increasing, the last being 100. Ends that fall on the
        same example are one; the first portion has at least two examples.
    standardise : bool
        By mean and variance of the prefix.
    """
    X, y = check_examples(X, y, "train")
    labels, y = number_labels(y)
    ends = portion_ends(len(y), portions)
    order = rng(seed, "codelength", "order").permutation(len(y))
    X, y = X[order], y[order]
    networks = [Network(hidden, decay, init) for init in range(initialisations)]
    portion_bits = np.full((initialisations, len(ends)), ends[0] * np.log2(len(labels)))
    for portion, (start, end) in enumerate(pairwise(ends), start=1):
        seen, coming = X[:start], X[start:end]
        if standardise:
            seen, coming = standardised(seen, coming)
        held = held_out_rows(y[:start], seed)
        examples = (seen[~held], y[:start][~held], seen[held], y[:start][held], len(labels))
        trained = train(networks, *examples, regimen=regimen, seed=seed, device=device)
        for init, network in enumerate(trained):
            log_p = network.log_probabilities(coming)[np.arange(end - start), y[start:end]]
            portion_bits[init, portion] = -log_p.sum() / np.log(2)
    return Codelength(ends, portion_bits, len(labels))


def portion_ends(n: int, portions: Sequence[float] = PORTIONS) -> NDArray[np.int64]:
    """Number of examples after each portion, rounded up.

    >>> portion_ends(1000).tolist()
    [2, 4, 8, 16, 32, 63, 125, 250, 500, 1000]
    """
    percent = np.asarray(portions, dtype=np.float64)
    if n < 2 or not len(percent) or (np.diff(percent, prepend=0) <= 0).any() or percent[-1] != 100:
        raise ClassifierError(
            f"{n} examples in portions that end at {percent.tolist()} %: expected at least two "
            "examples and increasing percentages, the last being 100."
        )
    return np.unique(np.maximum(np.ceil(np.round(n * percent / 100, 6)), 2)).astype(np.int64)
