"""The classifier study: what small networks read off every layer of every state.

`layer_accuracy` turns one labelled space into tables; `probe_spaces` runs it over layers and
states.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuneprobe.formats.representations import Representations
from tuneprobe.formats.results import OVER_BASELINE, Result, stamp
from tuneprobe.rng import rng
from tuneprobe.spaces import Space
from tuneprobe.states import FINETUNED, NO_ENCODER, PRETRAINED, RANDOM
from tuneprobe.stats import crossed_interval, share_interval
from tuneprobe.studies.geometry.classifiers.classifier import LINEAR, Classified, classify
from tuneprobe.studies.geometry.classifiers.codelength import online_codelength
from tuneprobe.studies.geometry.classifiers.controls import control_labels, selectivity
from tuneprobe.studies.geometry.classifiers.information import (
    WORD_TYPE,
    information_rows,
    splits_of,
    type_answers,
    typed,
)
from tuneprobe.studies.geometry.classifiers.networks import Network, Regimen
from tuneprobe.units import (
    NUMBERS,
    Tables,
    chosen,
    layer_units,
    measured,
    number_table,
    result_rows,
)

STUDY = "classify"
NETWORKS = "networks"
ANSWERS = "answers"
WORDS = "words"
NETWORK_COLUMNS = ("classifier", "hidden", "decay", "score", "epochs", "chosen")


@contextmanager
def probe_spaces(
    states: Mapping[str, Representations],
    table: pd.DataFrame,
    *,
    controls: str,
    codelength: str,
    encoder: str,
    task: str,
    seed: int,
    confidence: float,
    bootstrap: int,
    cache: Path,
    workers: int,
    backend: str = "local",
    **settings: Any,
) -> Iterator[tuple[list[Result], Tables]]:
    """Result rows and tables of every layer of every state.

    The numbers of `layer_accuracy` and, of a tuned state, `accuracy_gaps`, `information_rows`
    and `over_baselines`.

    Parameters
    ----------
    states : mapping
        Name of a state to its representations.
    table : DataFrame
        Of `spaces.example_table`.
    controls, codelength : str
        On which layers, as `units.chosen` has it.
    cache, workers, backend
        As in `units.measured`: the cache is removed when the block ends well.
    **settings
        Further keyword arguments of `layer_accuracy`.
    """
    intervals: dict[str, Any] = {"confidence": confidence, "bootstrap": bootstrap}
    keys: dict[str, Any] = {"encoder": encoder, "task": task, "seed": seed}

    def arguments(layer: int, last: int) -> dict[str, Any]:
        extras = {
            "controls": chosen(controls, layer, last),
            "codelength": chosen(codelength, layer, last),
        }
        return {**settings, **extras, **intervals, "seed": seed}

    where: dict[str, Any] = {"cache": cache, "workers": workers, "backend": backend}
    with measured(layer_accuracy, layer_units(states, arguments), table, **where) as found:
        rows = result_rows(found[NUMBERS], study=STUDY, level=confidence, **keys)
        if FINETUNED in states:
            answers, shared = found[ANSWERS], {**intervals, **keys}
            rows += accuracy_gaps(answers, after=FINETUNED, before=PRETRAINED, **shared)
            rows += information_rows(answers, table, after=FINETUNED, before=PRETRAINED, **shared)
            rows += over_baselines(answers, table, state=FINETUNED, **shared)
        yield rows, found


def layer_accuracy(
    space: Space,
    *,
    hidden: Sequence[Sequence[int]],
    decays: Sequence[float],
    linear: bool,
    controls: bool,
    codelength: bool,
    orders: int,
    confidence: float,
    bootstrap: int,
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
    orders : int
        Of the examples that the codelength is a mean over.
    confidence, bootstrap
        Of the intervals of accuracies: level, and samples of test texts and initialisations.
    regimen : mapping
        Keyword arguments of `networks.Regimen`.
    **training
        ``initialisations``, ``standardise``, ``seed``, ``device``, as in `classifier.classify`.

    Returns
    -------
    dict of DataFrame
        ``numbers``, with the classifier ``mlp`` or ``linear``: accuracy (mean over the
        initialisations, percent), std (points), control_accuracy, selectivity, codelength and
        codelength_std (bits an example, mean and spread over the orders), compression; and
        majority, without classifier. ``networks``: every network of
        the search, `NETWORK_COLUMNS`, score being its held-out accuracy. ``answers``: whether
        each initialisation is right on each test example, and the logarithm of the probability that
        it gives to the label.
    """
    recipe = Regimen(**{**regimen, "race": tuple(regimen.get("race", ()))})
    fit = partial(classify, X_train=space.X_train, X_test=space.X_test, regimen=recipe, **training)
    probes = {"mlp": [tuple(sizes) for sizes in hidden], **({"linear": LINEAR} if linear else {})}
    interval = partial(_interval, space, confidence, bootstrap, training["seed"])
    numbers: list[Result] = []
    answers: list[pd.DataFrame] = []
    networks: list[tuple[Any, ...]] = []
    for classifier, sizes in probes.items():
        found = fit(y_train=space.y_train, y_test=space.y_test, hidden=sizes, decays=decays)
        numbers += _accuracy(found, classifier, interval(_right(space.y_test, found), classifier))
        answers.append(_answers(space, found, classifier))
        networks += _networks(found, classifier)
        if controls and (space.types_train != "").all():
            control_test, control = _on_control_labels(space, fit, found.network, training["seed"])
            bounds = interval(_right(control_test, control), classifier)
            numbers += _control(found, control, classifier, bounds)
        if codelength:
            numbers += _codelength(space, found.network, classifier, recipe, orders, training)
    majority = Result("majority", found.majority, n=len(space.y_test))
    return {
        NUMBERS: number_table([*numbers, majority]),
        ANSWERS: pd.concat(answers, ignore_index=True),
        NETWORKS: pd.DataFrame(networks, columns=list(NETWORK_COLUMNS)),
    }


def accuracy_gaps(
    answers: pd.DataFrame,
    *,
    after: str,
    before: str,
    encoder: str,
    task: str,
    seed: int,
    confidence: float,
    bootstrap: int,
) -> list[Result]:
    """Rows of the state ``after-before``: ``gap``, points of accuracy, by layer and classifier.

    Paired over the test examples; the interval is a bootstrap over texts and initialisations.

    Parameters
    ----------
    answers : DataFrame
        The table ``answers`` of `layer_accuracy`, as `units.measured` gives it.
    """
    rows = []
    for (layer, classifier), of_layer in answers.groupby(["layer", "classifier"]):
        right = _percent_right(of_layer)
        if not {after, before} <= set(right):
            continue
        random = rng(seed, STUDY, "gap", str(classifier))
        texts = of_layer.groupby("example").text.first()
        where = {"state": after, "against": before, "classifier": str(classifier)}
        gaps = right[after] - right[before]
        row = _mean_row("gap", gaps.to_numpy(), texts, random, confidence, bootstrap, **where)
        rows.append(row._replace(layer=int(str(layer))))
    return stamp(rows, study=STUDY, encoder=encoder, task=task, seed=seed, level=confidence)


def over_baselines(
    answers: pd.DataFrame,
    table: pd.DataFrame,
    *,
    state: str,
    encoder: str,
    task: str,
    seed: int,
    confidence: float,
    bootstrap: int,
) -> list[Result]:
    """Rows ``over_baseline`` of a tuned state: its MLP on the last layer minus each baseline.

    In points of accuracy, as `accuracy_gaps`. ``majority``: the most frequent training label.
    ``word-type``: the most frequent training label of the type, the majority where no training
    example has it; left out where there are no types. ``random``: the MLP on random weights, the
    mean over their draws; left out where none is measured. Then the accuracy of ``word-type``.

    Parameters
    ----------
    answers : DataFrame
        The table ``answers`` of `layer_accuracy`, as `units.measured` gives it.
    table : DataFrame
        Of `spaces.example_table`.
    """
    last = answers[(answers.layer == answers.layer.max()) & (answers.classifier == "mlp")]
    right = _percent_right(last)
    train, test = splits_of(table)
    most = train.label.mode()[0]
    others = {"majority": 100.0 * (test.label == most).to_numpy()[:, None]}
    rows: list[Result] = []

    def add(metric: str, values: NDArray[np.floating], stream: str, **where: Any) -> None:
        random = rng(seed, STUDY, stream)
        rows.append(_mean_row(metric, values, test.text, random, confidence, bootstrap, **where))

    if typed(test):
        others[WORD_TYPE] = 100.0 * type_answers(train, test, most).to_numpy()[:, None]
        of = {"state": NO_ENCODER, "classifier": WORD_TYPE}
        add("accuracy", others[WORD_TYPE], WORD_TYPE, **of)
    drawn = [
        found.mean(axis=1) for name, found in right.items() if name.partition(":")[0] == RANDOM
    ]
    if drawn:
        others[RANDOM] = np.mean(drawn, axis=0)[:, None]
    where = {"state": state, "layer": int(last.layer.iloc[0]), "classifier": "mlp"}
    for name, other in others.items():
        gaps = right[state].to_numpy() - other
        add(OVER_BASELINE, gaps, "over", against=name, score="accuracy", **where)
    return stamp(rows, study=STUDY, encoder=encoder, task=task, seed=seed, level=confidence)


def _percent_right(answers: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """100 where an answer is right, else 0, by state: a row per example, a column per training."""
    return {
        str(state): 100.0
        * rows.pivot(index="example", columns="init", values="right").astype(float)
        for state, rows in answers.groupby("state")
    }


def _mean_row(
    metric: str,
    values: NDArray[np.floating],
    texts: pd.Series,
    random: np.random.Generator,
    confidence: float,
    bootstrap: int,
    **where: Any,
) -> Result:
    """The mean of values (n_examples, n_trainings), with the interval of `crossed_interval`."""
    found = crossed_interval(
        values, texts, confidence=confidence, n_bootstrap=bootstrap, rng=random
    )
    value, low, high = map(float, found)
    return Result(metric, value, low, high, len(values), **where)


def _right(y_test: NDArray[np.generic], found: Classified) -> NDArray[np.bool_]:
    """Whether each answer is right, shape (n_test, initialisations)."""
    right: NDArray[np.bool_] = (found.predictions == y_test).T
    return right


def _answers(space: Space, found: Classified, classifier: str) -> pd.DataFrame:
    """``classifier, example, text, init, right, log_p``: a row per example and initialisation."""
    right = _right(space.y_test, found)
    example, init = (axis.ravel() for axis in np.indices(right.shape))
    return pd.DataFrame(
        {
            "classifier": classifier,
            "example": example,
            "text": _texts(space)[example],
            "init": init,
            "right": right.ravel(),
            "log_p": found.log_p.T.ravel(),
        }
    )


def _texts(space: Space) -> NDArray[np.int64]:
    return np.arange(len(space.y_test)) if space.texts_test is None else space.texts_test


def _interval(
    space: Space,
    confidence: float,
    bootstrap: int,
    seed: int,
    right: NDArray[np.bool_],
    classifier: str,
) -> tuple[float, float]:
    """Bounds of an accuracy in percent; Wilson's over the texts where all or nothing is right."""
    texts = _texts(space)
    if right.all() or not right.any():
        n = len(np.unique(texts))
        _, low, high = share_interval(n * right[0, 0], n, confidence=confidence)
    else:
        _, low, high = crossed_interval(
            100.0 * right,
            texts,
            confidence=confidence,
            n_bootstrap=bootstrap,
            rng=rng(seed, STUDY, "accuracy", classifier),
        )
    return float(low), float(high)


def _accuracy(found: Classified, classifier: str, bounds: tuple[float, float]) -> Iterator[Result]:
    n = found.predictions.shape[1]
    yield Result("accuracy", found.mean, *bounds, n, classifier=classifier)
    yield Result("std", found.std, n=n, classifier=classifier)


def _networks(found: Classified, classifier: str) -> Iterator[tuple[Any, ...]]:
    for trained in found.grid:
        hidden = "-".join(map(str, trained.network.hidden))
        chosen = int(trained.network == found.network)
        yield classifier, hidden, trained.network.decay, trained.score, trained.epochs, chosen


def _on_control_labels(
    space: Space, fit: Any, network: Network, seed: int
) -> tuple[NDArray[np.generic], Classified]:
    """The same probe on a random label for each type (Hewitt & Liang 2019), and the test labels."""
    y_train, y_test = (
        control_labels(types.tolist(), space.y_train, seed=seed)
        for types in (space.types_train, space.types_test)
    )
    found: Classified = fit(
        y_train=y_train, y_test=y_test, hidden=[network.hidden], decays=[network.decay]
    )
    return y_test, found


def _control(
    found: Classified, control: Classified, classifier: str, bounds: tuple[float, float]
) -> Iterator[Result]:
    n = found.predictions.shape[1]
    yield Result("control_accuracy", control.mean, *bounds, n, classifier=classifier)
    yield Result("selectivity", selectivity(found.mean, control.mean), n=n, classifier=classifier)


def _codelength(
    space: Space,
    network: Network,
    classifier: str,
    recipe: Regimen,
    orders: int,
    training: Mapping[str, Any],
) -> Iterator[Result]:
    """What the training labels cost, the probe watching the held-out cross-entropy."""
    code = online_codelength(
        space.X_train,
        space.y_train,
        hidden=network.hidden,
        decay=network.decay,
        regimen=replace(recipe, monitor="loss", race=()),
        **{name: value for name, value in training.items() if name != "initialisations"},
        orders=orders,
    )
    n = len(space.y_train)
    yield Result("codelength", code.bits / n, n=n, classifier=classifier)
    yield Result("codelength_std", code.std / n, n=n, classifier=classifier)
    yield Result("compression", code.compression, n=n, classifier=classifier)
