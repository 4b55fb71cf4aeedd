"""The straight line between the weights of two tunings, the control among it, and the barrier.

Two tunings of one encoder on one task differ in the seed: in the order of the examples, in dropout
and in the head that they begin with. All weights are interpolated (Frankle et al., ICML 2020;
Juneja et al., ICLR 2023), here those of the head too. The control has the function of the
second tuning and other weights: the hidden units of its feed-forward networks are in random order
(Entezari et al., ICLR 2022). Where the line to it has no barrier, none could be seen.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from tuneprobe.encoders.encoder import Encoder
from tuneprobe.formats.results import Result
from tuneprobe.rng import rng
from tuneprobe.states import FINETUNED
from tuneprobe.studies.change.restore.layers import Pair, layer_list
from tuneprobe.studies.change.restore.outcomes import LabelProblem, Outcomes, ReaderProblem
from tuneprobe.studies.change.restore.path import path_outcomes, path_rows, set_between
from tuneprobe.studies.change.weights.study import SHUFFLED
from tuneprobe.tuning.heads import Head

STAGE = "change-seeds"
CLOSE = 1e-3  # nats: of two models with one function, but for rounding


def seed_rows(
    first: Encoder,
    other: Encoder,
    head: Head,
    problem: ReaderProblem | LabelProblem,
    *,
    shares: Sequence[float],
    tokens_per_batch: int | None,
    task: str,
    seed: int,
    confidence: float,
    bootstrap: int,
) -> list[Result]:
    """Result rows of the line from one tuning, 0, to another, 100 percent of the way.

    Those of `path_rows`, called ``seed_path_score``, ``seed_path_loss`` and ``seed_barrier``, both
    states being tuned: ``state`` is ``finetuned``, of the control ``shuffled``; ``against`` is
    ``finetuned``. The control is left out where `reordered` knows none.

    Parameters
    ----------
    first, other : Encoder
        Tuned from the same weights on the same task.
    head : Head
        That of `first`; the head of `other` is that of `problem`.
    shares : sequence of float
        Of the way; those beyond its end are left out.
    """
    inner = [share for share in shares if share < 1]
    heads: tuple[Head, Head] = (head, problem.head)
    settings: dict[str, Any] = {"task": task, "seed": seed}
    settings |= {"confidence": confidence, "bootstrap": bootstrap}
    control = reordered(other.model, rng(seed, "change", "reordered", task))
    ends, rows = [], list[Result]()
    for state, model in ((FINETUNED, other.model), (SHUFFLED, control)):
        if model is None:
            continue
        pair = Pair(first.model, model)
        start, *between, end = (
            _outcomes(pair, heads, problem, other, share, tokens_per_batch)
            for share in (0.0, *inner, 1.0)
        )
        ends.append(end)
        if not np.allclose(end.losses, ends[0].losses, atol=CLOSE):
            continue
        both = replace(
            end,
            answers=[*end.answers, *start.answers],
            losses=np.concatenate([end.losses, start.losses]),
        )
        rows += [
            row._replace(metric=f"seed_{row.metric}", state=state, against=FINETUNED)
            for row in path_rows(both, between, inner, **settings)
        ]
    return rows


def _outcomes(
    pair: Pair,
    heads: tuple[Head, Head],
    problem: ReaderProblem | LabelProblem,
    encoder: Encoder,
    share: float,
    tokens_per_batch: int | None,
) -> Outcomes:
    """Of the model and the head at a share of the way."""
    head: Any = deepcopy(heads[1])
    set_between(head, *heads, share)
    there = replace(problem, head=head)
    [found] = path_outcomes(pair, there, encoder, [share], tokens_per_batch=tokens_per_batch)
    return found


def reordered(model: Any, draws: np.random.Generator) -> Any | None:
    """A copy whose feed-forward networks have their hidden units in random order: one function.

    None where a layer has not exactly one linear map from hidden units back to its vectors, or none
    to them.
    """
    copy, dim = deepcopy(model), model.config.hidden_size
    for layer in layer_list(copy):
        linear = [one for one in layer.modules() if isinstance(one, nn.Linear)]
        back = [one for one in linear if one.out_features == dim != one.in_features]
        into = [one for one in linear if back and one.out_features == back[0].in_features]
        if len(back) != 1 or not into:
            return None
        order = torch.from_numpy(draws.permutation(back[0].in_features)).to(back[0].weight.device)
        with torch.no_grad():
            back[0].weight.copy_(back[0].weight[:, order])
            for weight in (weight for one in into for weight in one.parameters()):
                weight.copy_(weight[order])
    return copy
