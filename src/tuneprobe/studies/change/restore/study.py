"""Layers put back: where the gain of tuning lies, and whether what changes most is what matters."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from tuneprobe.formats.results import Result
from tuneprobe.rng import rng
from tuneprobe.scores.glue_metrics import FUNCTIONS, majority_prediction
from tuneprobe.states import FINETUNED, PRETRAINED
from tuneprobe.stats import bootstrap_bounds
from tuneprobe.studies.change.restore.layers import ONE, OTHER, UP_TO, Mixture
from tuneprobe.studies.change.restore.outcomes import (
    INTACT,
    TOKEN_F1,
    Outcomes,
    change_interval,
    sample_bounds,
)

LEAST_LAYERS = 3  # of a rank correlation

Floats = NDArray[np.float64]


def restore_rows(
    outcomes: Outcomes,
    wanted: Sequence[Mixture],
    *,
    task: str,
    seed: int,
    confidence: float,
    bootstrap: int,
) -> list[Result]:
    """Result rows of `run_mixtures`.

    ======================  =======  =====  ==================================================
    metric                  layer    state  value
    ======================  =======  =====  ==================================================
    score, loss             -1       both   of the tuned model; of the pre-trained one under the
                                            tuned head; percent, nats
    majority                -1       tuned  score of the most frequent answer
    layer_score, ...        1 ... L  base   with this layer (or its part) of the other state
    layer_score_change, ..  1 ... L  base   that minus the intact one, points; nats
    up_to_score, ...        0 ... L  base   with embeddings and layers up to this of the other
    up_to_score_change, ..  0 ... L  base   that minus the intact one
    above_minus_below       1..L-1   tuned  only the layers above this one tuned, minus only the
                                            embeddings and the others tuned: points
    ======================  =======  =====  ==================================================

    ``state`` is that of the base and ``against`` that of the donor, ``score`` the metric, ``part``
    the part of a layer. Intervals are paired: all models are scored on the same bootstrap samples
    of the texts; where these agree, see `sample_bounds`.
    """
    draws = rng(seed, "bootstrap", "change", task)
    values = outcomes.values
    samples = outcomes.samples(bootstrap, draws)
    place: dict[object, int] = {mixture: len(INTACT) + n for n, mixture in enumerate(wanted)}
    rows = [
        Result(name, values[of][n], float(low[n]), float(high[n]), state=state)
        for of, name in enumerate(("score", "loss"))
        for low, high in [sample_bounds(samples[of], of, outcomes.n_texts, confidence=confidence)]
        for n, state in enumerate(INTACT)
    ]
    for of, name in enumerate(("score", "loss")):
        pairs = [(place[one], INTACT.index(one.base)) for one in wanted]
        levels = sample_bounds(samples[of], of, outcomes.n_texts, confidence=confidence)
        changes = change_interval(outcomes, samples, of, pairs, confidence)
        for number, one in enumerate(wanted):
            scope = "layer" if one.scope == ONE else "up_to"
            model = place[one]
            level = values[of][model], levels[0][model], levels[1][model]
            change = changes[0][number], changes[1][number], changes[2][number]
            for metric, (value, low, high) in ((name, level), (f"{name}_change", change)):
                rows.append(
                    Result(
                        f"{scope}_{metric}",
                        float(value),
                        float(low),
                        float(high),
                        state=one.base,
                        against=OTHER[one.base],
                        layer=one.layer,
                        part=one.part,
                    )
                )
    n_layers = max(one.layer for one in wanted)
    for layer in range(1, n_layers):
        above, below = (place[Mixture(base, UP_TO, layer)] for base in (FINETUNED, PRETRAINED))
        found = change_interval(outcomes, samples, 0, [(above, below)], confidence)
        value, low, high = map(float, np.ravel(found))
        what: dict[str, Any] = {"state": FINETUNED, "against": PRETRAINED, "layer": layer}
        rows.append(Result("above_minus_below", value, low, high, **what))
    rows += _majority(outcomes)
    return [row._replace(score=outcomes.metric, n=outcomes.n_texts) for row in rows]


def matters_rows(
    outcomes: Outcomes,
    wanted: Sequence[Mixture],
    changes: dict[str, Floats],
    *,
    task: str,
    seed: int,
    confidence: float,
    bootstrap: int,
) -> list[Result]:
    """Do the layers that change most matter most: rank correlations over the layers 1 ... L.

    Of how far a layer changed with how much the loss rises when it alone is put back (Spearman's);
    the interval is over samples of the texts, the changes taken as they are. Nothing below three
    layers, or where all changed alike.

    Parameters
    ----------
    changes : mapping
        Name of the metric to the change of each layer, shape (L,).
    """
    n_layers = max(one.layer for one in wanted)
    models = [
        len(INTACT) + list(wanted).index(Mixture(FINETUNED, ONE, layer))
        for layer in range(1, n_layers + 1)
    ]
    draws = rng(seed, "bootstrap", "change", task, "matters")
    rises = outcomes.values[1][models] - outcomes.values[1][0]
    _, losses = outcomes.samples(bootstrap, draws)
    rows = []
    for metric, change in changes.items():
        if n_layers < LEAST_LAYERS or not np.ptp(change):
            continue
        value = spearman_with(change, rises[None])[0]
        samples = spearman_with(change, losses[:, models] - losses[:, :1])
        bounds = _bounds(samples, outcomes, confidence)
        row = Result(metric, float(value), *bounds, state=FINETUNED, against=PRETRAINED)
        rows.append(row._replace(n=outcomes.n_texts))
    return rows


def spearman_with(fixed: Floats, samples: Floats) -> Floats:
    """Spearman's correlation of one ranking with each row, (n,) and (n_samples, n) to (n_samples,).

    0 with a constant row.

    >>> spearman_with(np.array([1.0, 2, 3]), np.array([[10.0, 20, 30], [3, 2, 1]])).tolist()
    [1.0, -1.0]
    """
    one, other = rankdata(fixed), rankdata(samples, axis=1)
    one, other = one - one.mean(), other - other.mean(axis=1, keepdims=True)
    scale = np.sqrt((one**2).sum() * (other**2).sum(axis=1))
    found: Floats = np.divide(other @ one, scale, out=np.zeros(len(other)), where=scale > 0)
    return found


def _bounds(samples: Floats, outcomes: Outcomes, confidence: float) -> tuple[float, float]:
    (low,), (high,) = bootstrap_bounds(samples[:, None], outcomes.n_texts, confidence=confidence)
    return float(low), float(high)


def _majority(outcomes: Outcomes) -> Iterator[Result]:
    """What the most frequent answer scores; a reader of spans has none."""
    if outcomes.metric != TOKEN_F1:
        gold, every = outcomes.gold, np.ones((1, len(outcomes.gold)))
        score = FUNCTIONS[outcomes.metric](gold, majority_prediction(gold), every)[0]
        yield Result("majority", 100 * float(score), state=FINETUNED)
