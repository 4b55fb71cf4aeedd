"""The classifier study: what small networks read off every layer of every state.

`layer_accuracy` turns one labelled space into tables; `tuneprobe.units` runs it over layers and
states.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from tuneprobe.formats.results import Result
from tuneprobe.spaces import Space
from tuneprobe.studies.geometry.classifiers.classifier import LINEAR, Classified, classify
from tuneprobe.studies.geometry.classifiers.codelength import online_codelength
from tuneprobe.studies.geometry.classifiers.controls import control_labels, selectivity
from tuneprobe.studies.geometry.classifiers.networks import Network, Regimen
from tuneprobe.units import NUMBERS, Tables, number_table

STUDY = "classify"
NETWORKS = "networks"
NETWORK_COLUMNS = ("classifier", "hidden", "decay", "score", "epochs", "chosen")


def layer_accuracy(
    space: Space,
    *,
    hidden: Sequence[Sequence[int]],
    decays: Sequence[float],
    linear: bool,
    controls: bool,
    codelength: bool,
    confidence: float,
    regimen: Mapping[str, Any],
    **training: Any,
) -> Tables:
    """Accuracy of the classifier probes of one space.

    Parameters
    ----------
    hidden, decays
        Sizes and weight decays to choose from.
    linear : bool
        Whether to train the probe without hidden layers too.
    controls : bool
        Whether to train the chosen sizes and decay on control labels; never for whole texts,
        which have no word type.
    codelength : bool
        Whether to measure what the training labels cost with the chosen sizes and decay.
    confidence : float
        Of the t-intervals over the initialisations.
    regimen : mapping
        Keyword arguments of `networks.Regimen`.
    **training
        ``initialisations``, ``standardise``, ``seed``, ``device``, as in `classifier.classify`.

    Returns
    -------
    dict of DataFrame
        ``numbers``, with the classifier ``mlp`` or ``linear``: accuracy (mean over the
        initialisations, percent), std (points), control_accuracy, selectivity, codelength (bits
        an example), compression; and majority (of no classifier).
        ``networks``: every network of the search, `NETWORK_COLUMNS`, with its held-out score.
    """
    recipe = Regimen(**{**regimen, "race": tuple(regimen.get("race", ()))})
    fit = partial(classify, X_train=space.X_train, X_test=space.X_test, regimen=recipe, **training)
    probes = {"mlp": [tuple(sizes) for sizes in hidden], **({"linear": LINEAR} if linear else {})}
    numbers: list[Result] = []
    networks: list[tuple[Any, ...]] = []
    for classifier, sizes in probes.items():
        found = fit(y_train=space.y_train, y_test=space.y_test, hidden=sizes, decays=decays)
        numbers += _accuracy(found, classifier, confidence)
        networks += _networks(found, classifier)
        if controls and (space.types_train != "").all():
            control = _on_control_labels(space, fit, found.network, training["seed"])
            numbers += _control(found, control, classifier, confidence)
        if codelength:
            numbers += _codelength(space, found.network, classifier, recipe, training)
    majority = Result("majority", found.majority, n=len(space.y_test))
    return {
        NUMBERS: number_table([*numbers, majority]),
        NETWORKS: pd.DataFrame(networks, columns=list(NETWORK_COLUMNS)),
    }


def t_interval(values: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """Bounds of the mean of a normal sample, ``mean ± t sd / √n``; NaN for a single value.

    >>> low, high = t_interval(np.array([90.0, 92.0, 94.0]), 0.95)
    >>> round(low, 2), round(high, 2)
    (87.03, 96.97)
    """
    if len(values) < 2:
        return float("nan"), float("nan")
    reach = student.ppf((1 + confidence) / 2, len(values) - 1) * values.std(ddof=1)
    middle, reach = float(values.mean()), float(reach) / float(np.sqrt(len(values)))
    return middle - reach, middle + reach


def _accuracy(found: Classified, classifier: str, confidence: float) -> Iterator[Result]:
    n = found.predictions.shape[1]
    low, high = t_interval(found.accuracies, confidence)
    yield Result("accuracy", found.mean, low, high, n, classifier=classifier)
    yield Result("std", found.std, n=n, classifier=classifier)


def _networks(found: Classified, classifier: str) -> Iterator[tuple[Any, ...]]:
    for trained in found.grid:
        hidden = "-".join(map(str, trained.network.hidden))
        chosen = int(trained.network == found.network)
        yield classifier, hidden, trained.network.decay, trained.score, trained.epochs, chosen


def _on_control_labels(space: Space, fit: Any, network: Network, seed: int) -> Classified:
    """The same probe on a random label for each word type (Hewitt & Liang 2019)."""
    y_train, y_test = (
        control_labels(types.tolist(), space.y_train, seed=seed)
        for types in (space.types_train, space.types_test)
    )
    found: Classified = fit(
        y_train=y_train, y_test=y_test, hidden=[network.hidden], decays=[network.decay]
    )
    return found


def _control(
    found: Classified, control: Classified, classifier: str, confidence: float
) -> Iterator[Result]:
    n = found.predictions.shape[1]
    low, high = t_interval(control.accuracies, confidence)
    yield Result("control_accuracy", control.mean, low, high, n, classifier=classifier)
    chosen = selectivity(found.mean, control.mean)
    yield Result("selectivity", chosen, n=n, classifier=classifier)


def _codelength(
    space: Space, network: Network, classifier: str, recipe: Regimen, training: Mapping[str, Any]
) -> Iterator[Result]:
    """What the training labels cost, the probe watching the held-out cross-entropy."""
    code = online_codelength(
        space.X_train,
        space.y_train,
        hidden=network.hidden,
        decay=network.decay,
        regimen=replace(recipe, monitor="loss", race=()),
        **{**training, "initialisations": 1},
    )
    n = len(space.y_train)
    yield Result("codelength", code.bits / n, n=n, classifier=classifier)
    yield Result("compression", code.compression, n=n, classifier=classifier)
