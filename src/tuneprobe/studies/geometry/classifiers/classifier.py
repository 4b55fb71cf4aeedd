"""The classifier probe: how well can a small network read the labels off a representation?

Zhou & Srikumar 2022, section 3: two hidden layers of ReLU units, sizes and weight decay by grid
search, the best trained from several initialisations. What a representation makes linearly
readable is the same probe without hidden layers; what needs no representation is the majority.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tuneprobe.errors import TuneprobeError
from tuneprobe.rng import rng
from tuneprobe.studies.geometry.classifiers.networks import Network, Regimen, Trained
from tuneprobe.studies.geometry.classifiers.stack import train

SIZES = (32, 64, 128, 256)
HIDDEN: tuple[tuple[int, ...], ...] = tuple(product(SIZES, repeat=2))
LINEAR: tuple[tuple[int, ...], ...] = ((),)
DECAYS = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0)
REGIMEN = Regimen(race=(1, 2, 3, 4, 5, 6, 7))
HELD_OUT = 10
BLOCK = 16_384  # rows that are standardised at once

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


class ClassifierError(TuneprobeError):
    """Examples that no classifier can be trained on."""


@dataclass(frozen=True)
class Classified:
    """Test accuracy of the best network of a grid.

    Attributes
    ----------
    network : Network
        Sizes and weight decay with the best held-out accuracy.
    accuracies : ndarray of shape (initialisations,)
        Test accuracy in percent of each initialisation.
    majority : float
        Test accuracy in percent of the most frequent training label.
    unseen : tuple
        Test labels that training lacks; their examples count as errors.
    predictions : ndarray of shape (initialisations, n_test)
        Predicted labels.
    log_p : float32 ndarray of shape (initialisations, n_test)
        Natural logarithm of the probability given to the test label; NaN where training lacks it.
    grid : tuple of Trained
        Every network of the search, with its held-out accuracy and epochs.
    """

    network: Network
    accuracies: NDArray[np.float64]
    majority: float
    unseen: tuple[object, ...]
    predictions: NDArray[np.generic]
    log_p: Floats
    grid: tuple[Trained, ...]

    @property
    def mean(self) -> float:
        """Mean test accuracy over the initialisations, percent."""
        return float(self.accuracies.mean())

    @property
    def std(self) -> float:
        """Sample standard deviation over the initialisations, points; NaN for a single one."""
        return float(self.accuracies.std(ddof=1)) if len(self.accuracies) > 1 else float("nan")


def classify(
    X_train: ArrayLike,
    y_train: ArrayLike,
    X_test: ArrayLike,
    y_test: ArrayLike,
    *,
    hidden: Sequence[tuple[int, ...]] = HIDDEN,
    decays: Sequence[float] = DECAYS,
    initialisations: int = 5,
    standardise: bool = True,
    regimen: Regimen = REGIMEN,
    seed: int = 13,
    device: str = "cpu",
) -> Classified:
    """Test accuracy of a classifier trained on a representation.

    A tenth of the training examples is held out (`held_out_rows`); early stopping and the choice
    among all `hidden` and `decays` look at it, never at the test examples. Of equals the network
    with fewer units wins, then the larger decay. The winner is trained from `initialisations`
    starts, all to their own ends; the first is the start that it had in the search.

    Parameters
    ----------
    X_train, X_test : arrays of shape (n_train, dim) and (n_test, dim)
    y_train, y_test : arrays of shape (n_train,) and (n_test,)
        Labels: strings or integers.
    hidden : sequence of tuples of int
        Sizes to choose from; ``LINEAR`` is multinomial logistic regression.
    decays : sequence of float
        Weight decays to choose from.
    initialisations : int
    standardise : bool
        Columns get mean 0 and variance 1 on the training examples. Layers and states differ in
        scale, and learning rate and decay mean the same only on equal scales.
    regimen : Regimen
        Adam, batches, early stopping. By default the grid is raced: after 1, 2, 3, ... epochs only
        the better half goes on. ``Regimen()`` trains all of it to the end, as the paper did.
        Initialisations never race.
    seed : int
    device : str
        Of torch: ``cpu``, ``cuda``, ...

    Raises
    ------
    ClassifierError
        NaN or infinity, rows that do not match, fewer than two labels, an empty grid.

    Examples
    --------
    >>> X = np.repeat([[0.0, 1.0], [1.0, 0.0]], 50, axis=0)
    >>> y = np.repeat(["verb", "noun"], 50)
    >>> classify(X, y, X, y, hidden=[(32, 32)], decays=[1e-4]).mean
    100.0
    """
    X_train, y_train = check_examples(X_train, y_train, "train")
    X_test, y_test = check_examples(X_test, y_test, "test")
    if X_train.shape[1] != X_test.shape[1]:
        raise ClassifierError(
            f"train has {X_train.shape[1]} dimensions, test {X_test.shape[1]}: expected vectors "
            "of one layer of one encoder."
        )
    labels, y = number_labels(y_train)
    grid = [Network(tuple(sizes), decay) for sizes in hidden for decay in decays]
    if not grid or initialisations < 1:
        raise ClassifierError(
            f"{len(grid)} networks and {initialisations} initialisations: expected at least one."
        )
    if standardise:
        X_train, X_test = standardised(X_train, X_test)
    held = held_out_rows(y, seed)
    fit = partial(train, seed=seed, device=device)
    examples = (X_train[~held], y[~held], X_train[held], y[held], len(labels))
    searched = fit(grid, *examples, regimen=regimen)
    best = max(searched, key=_preference)
    starts = [replace(best.network, init=init) for init in range(initialisations)]
    chosen = fit(starts, *examples, regimen=replace(regimen, race=()))
    predictions = labels[np.stack([trained.predict(X_test) for trained in chosen])]
    place = np.searchsorted(labels, y_test).clip(max=len(labels) - 1).astype(np.int64)
    log_p = np.stack([trained.log_likelihoods(X_test, place) for trained in chosen])
    return Classified(
        network=best.network,
        accuracies=100 * (predictions == y_test).mean(axis=1),
        majority=majority_accuracy(y_train, y_test),
        unseen=tuple(np.setdiff1d(y_test, labels).tolist()),
        predictions=predictions,
        log_p=np.where(labels[place] == y_test, log_p, np.nan).astype(np.float32),
        grid=tuple(searched),
    )


def majority_accuracy(y_train: ArrayLike, y_test: ArrayLike) -> float:
    """Test accuracy in percent of always saying the most frequent training label.

    Of equally frequent labels the first in sorted order.

    >>> majority_accuracy(["a", "b", "b"], ["b", "a", "b", "b"])
    75.0
    """
    labels, counts = np.unique(np.asarray(y_train), return_counts=True)
    return float(100 * (np.asarray(y_test) == labels[counts.argmax()]).mean())


def held_out_rows(y: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """A random tenth of the rows, spread over the labels: true where a row is held out.

    Every tenth row of the rows sorted by label, in random order within a label, from a random
    start: a label of n rows loses n / 10 of them, rounded up or down. Needs no minimum per label.
    """
    draw = rng(seed, "classifier", "held-out")
    order = np.lexsort((draw.random(len(y)), y))
    held = np.zeros(len(y), dtype=np.bool_)
    held[order[draw.integers(min(HELD_OUT, len(y))) :: HELD_OUT]] = True
    return held


def standardised(X_train: Floats, *others: Floats) -> list[Floats]:
    """Columns with mean 0 and variance 1 on `X_train`; a constant column is only centred.

    In float64, `BLOCK` rows at a time: what is held beside the vectors does not grow with them.
    """
    n = len(X_train)
    blocks = [X_train[first : first + BLOCK] for first in range(0, n, BLOCK)]
    mean = X_train.mean(axis=0, dtype=np.float64)
    squares = [((block - mean) ** 2).sum(axis=0) for block in blocks]
    scale = np.sqrt(np.sum(squares, axis=0) / n)
    scale[scale <= 1e-6 * np.abs(mean)] = 1
    scale[scale == 0] = 1
    found = [np.empty_like(X) for X in (X_train, *others)]
    for X, out in zip((X_train, *others), found, strict=True):
        for first in range(0, len(X), BLOCK):
            rows = slice(first, first + BLOCK)
            out[rows] = (X[rows] - mean) / scale
    return found


def check_examples(X: ArrayLike, y: ArrayLike, part: str) -> tuple[Floats, NDArray[np.generic]]:
    """The gate: finite float32 vectors, a label for each."""
    X, y = np.ascontiguousarray(X, dtype=np.float32), np.asarray(y)
    if X.ndim != 2 or y.ndim != 1 or len(X) != len(y) or not X.size:
        raise ClassifierError(
            f"{part} has vectors of shape {X.shape} and labels of shape {y.shape}: expected "
            "(n, dim) and (n,), row i of both being example i, n >= 1."
        )
    finite = np.isfinite(X).all(axis=1)
    if not finite.all():
        raise ClassifierError(
            f"{part} holds NaN or infinity in {(~finite).sum()} of {len(X)} vectors, first in row "
            f"{int(finite.argmin())}: make the representation again."
        )
    return X, y


def number_labels(y: NDArray[np.generic]) -> tuple[NDArray[np.generic], Numbers]:
    """The labels in sorted order, and the number of each row's label."""
    labels, numbers = np.unique(y, return_inverse=True)
    if len(labels) < 2:
        raise ClassifierError(
            f"all {len(y)} training examples have the label {labels[0]!s}: a classifier needs two."
        )
    return labels, numbers.astype(np.int64)


def _preference(trained: Trained) -> tuple[float, int, float]:
    return trained.score, -sum(trained.network.hidden), trained.network.decay
