"""The straight line from the weights of one model to those of another, and the loss along it.

``W(a) = (1 - a) W_0 + a W_1`` for every weight of the encoder, under the head of the second. The
barrier is how far the loss rises above the chord in between (Frankle et al. 2020; of tuned encoders
Juneja et al. 2023)::

    max over 0 < a < 1 of  loss(a) - (1 - a) loss(0) - a loss(1)

Below 0 the loss lies under the chord: the two are in one basin.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuneprobe.encoders.encoder import Encoder
from tuneprobe.encoders.forward import TokenBudget, encoding_tokens
from tuneprobe.formats.results import Result
from tuneprobe.rng import rng
from tuneprobe.states import FINETUNED, PRETRAINED
from tuneprobe.stats import bootstrap_bounds
from tuneprobe.studies.change.restore.layers import Pair
from tuneprobe.studies.change.restore.outcomes import (
    INTACT,
    Outcomes,
    Problem,
    Values,
    sample_bounds,
)
from tuneprobe.tuning.heads import INPUTS

Floats = NDArray[np.float64]


def path_outcomes(
    pair: Pair,
    problem: Problem,
    encoder: Encoder,
    shares: Sequence[float],
    *,
    tokens_per_batch: int | None,
) -> list[Outcomes]:
    """Outcomes of one model for each share of the way from the pre-trained to the tuned weights."""
    model = deepcopy(pair.models[FINETUNED])

    def work(rows: NDArray[np.int64]) -> tuple[Values, Values]:
        batch = problem.data.batch(rows)
        inputs = {name: batch[name] for name in INPUTS if name in batch}
        last: Tensor = model(**inputs).last_hidden_state
        return problem.judge(rows, batch, last)

    found = []
    with torch.inference_mode():
        for share in shares:
            set_between(model, pair.models[PRETRAINED], pair.models[FINETUNED], share)
            budget = TokenBudget(tokens_per_batch or encoding_tokens(encoder))
            passes = budget.passes(problem.data.lengths, work)
            found.append(problem.outcomes([(rows, [judged]) for rows, judged in passes]))
    return found


def set_between(model: Any, before: Any, after: Any, share: float) -> None:
    """Give a model the weights at a share of the way; at 0 and 1 to the bit those of the ends."""
    ends = [dict(one.named_parameters()) for one in (before, after)]
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(torch.lerp(ends[0][name], ends[1][name], share))


def path_rows(
    intact: Outcomes,
    between: Sequence[Outcomes],
    shares: Sequence[float],
    *,
    task: str,
    seed: int,
    confidence: float,
    bootstrap: int,
) -> list[Result]:
    """Result rows of the path, its ends among them, the tuned model against the pre-trained one.

    ==========  =======  ===========================================================
    metric      step     value
    ==========  =======  ===========================================================
    path_score  0 ...    score at so many percent of the way, percent
    path_loss   0 ...    loss of the tuned head there, nats
    barrier     -1       the highest rise of the loss above the chord between the ends
    ==========  =======  ===========================================================

    Intervals are a bootstrap over texts, the same samples at each share; the barrier is the highest
    of each sample, so its interval leans upwards. Without a share between 0 and 1 there is none.

    Parameters
    ----------
    intact : Outcomes
        Those of `run_mixtures`, the tuned and the pre-trained model first.
    """
    order = np.argsort([0.0, *shares, 1.0], kind="stable")
    at = np.array([0.0, *shares, 1.0])[order]
    tuned, plain = INTACT.index(FINETUNED), INTACT.index(PRETRAINED)
    answers = [intact.answers[plain], *(one.answers[0] for one in between), intact.answers[tuned]]
    losses = [intact.losses[plain], *(one.losses[0] for one in between), intact.losses[tuned]]
    line = replace(
        intact,
        answers=[answers[place] for place in order],
        losses=np.stack([losses[place] for place in order]),
    )
    samples = line.samples(bootstrap, rng(seed, "bootstrap", "change", task, "path"))
    of: dict[str, Any] = {"state": FINETUNED, "against": PRETRAINED, "score": intact.metric}
    rows = []
    for which, metric in enumerate(("path_score", "path_loss")):
        lows, highs = sample_bounds(samples[which], which, line.n_texts, confidence=confidence)
        numbers = np.stack([line.values[which], lows, highs], axis=1).tolist()
        for share, (value, low, high) in zip(at.tolist(), numbers, strict=True):
            rows.append(Result(metric, value, low, high, step=round(100 * share), **of))
    if ((at > 0) & (at < 1)).any():
        height = float(barrier(at, line.values[1][None])[0])
        drawn = barrier(at, samples[1])[:, None]
        [low], [high] = bootstrap_bounds(drawn, line.n_texts, confidence=confidence)
        rows.append(Result("barrier", height, float(low), float(high), **of))
    return [row._replace(n=line.n_texts) for row in rows]


def barrier(at: Floats, losses: Floats) -> Floats:
    """The highest rise above the chord, of each curve of losses; (n_shares,), (n, n_shares).

    >>> barrier(np.array([0, 0.5, 1.0]), np.array([[1.0, 0.2, 0.4], [1.0, 2.0, 1.0]])).tolist()
    [-0.5, 1.0]
    """
    inner = (at > 0) & (at < 1)
    start, end = losses[:, at == 0], losses[:, at == 1]
    rises: Floats = losses[:, inner] - (1 - at[inner]) * start - at[inner] * end
    return rises.max(axis=1)
