"""Result rows of the attention study: one for each head of each layer, and each layer's mean."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneprobe.formats.results import NO_HEAD, Result, stamp
from tuneprobe.rng import rng
from tuneprobe.stats import mean_interval

STUDY = "attention"
UNIFORM = "uniform"  # the state in which every piece receives the same attention

Values = NDArray[np.float32]


def head_results(
    values: Values,
    *,
    encoder: str,
    task: str,
    state: str,
    seed: int,
    metric: str,
    stream: str,
    layers: Iterable[int],
    confidence: float,
    bootstrap: int,
    **facets: Any,
) -> list[Result]:
    """Means over the texts with bootstrap intervals; the head -1 is the mean of a layer's heads.

    Parameters
    ----------
    values : float32 ndarray of shape (n_texts, n_layers, n_heads)
        NaN for the texts that have nothing to measure; `n` counts the others. Without any, there
        are no rows.
    layers : iterable of n_layers int
        The number of each layer.
    stream : str
        Names the bootstrap samples, with state and metric.
    facets
        Columns that all the rows share.
    """
    kept = values[~np.isnan(values[:, 0, 0])]
    if not len(kept):
        return []
    with_mean = np.concatenate([kept, kept.mean(axis=2, keepdims=True)], axis=2)
    named = f"{state}-{facets['against']}" if "against" in facets else state
    interval = mean_interval(
        with_mean.reshape(len(kept), -1),
        confidence=confidence,
        n_bootstrap=bootstrap,
        rng=rng(seed, STUDY, named, metric, stream),
    )
    places = [(layer, head) for layer in layers for head in (*range(values.shape[2]), NO_HEAD)]
    rows = [
        Result(metric, mean, low, high, len(kept), layer=layer, head=head, **facets)
        for (layer, head), mean, low, high in zip(
            places, *(bound.tolist() for bound in interval), strict=True
        )
    ]
    keys: dict[str, Any] = {"study": STUDY, "encoder": encoder, "task": task, "seed": seed}
    return stamp(rows, **keys, state=state, level=confidence)
