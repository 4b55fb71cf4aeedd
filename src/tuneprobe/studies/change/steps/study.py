"""Layers put back while an encoder is tuned: from which update on which layer matters."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np

from tuneprobe.encoders.encoder import Encoder
from tuneprobe.formats.examples import Examples
from tuneprobe.formats.results import Result
from tuneprobe.rng import rng
from tuneprobe.states import FINETUNED, PRETRAINED
from tuneprobe.stats import bootstrap_bounds
from tuneprobe.studies.change.restore.layers import ONE, UP_TO, Mixture, Pair
from tuneprobe.studies.change.restore.outcomes import (
    INTACT,
    Outcomes,
    change_interval,
    label_problem,
    run_mixtures,
    sample_bounds,
)
from tuneprobe.tuning.heads import Head, LabelHead
from tuneprobe.tuning.labelling import train_labels, tune_labels

STAGE = "change-steps"


def step_mixtures(n_layers: int) -> list[Mixture]:
    """Each layer of the tuned model put back alone, and all up to it: 2 n_layers."""
    return [
        Mixture(FINETUNED, scope, layer)
        for scope in (ONE, UP_TO)
        for layer in range(1, n_layers + 1)
    ]


def follow_layers(
    before: Encoder,
    encoder: Encoder,
    examples: Examples,
    *,
    kind: str,
    task: str,
    steps: Sequence[int],
    max_texts: int,
    tokens_per_batch: int | None,
    seed: int,
    work: Path,
    **training: Any,
) -> dict[int, Outcomes]:
    """Tune `encoder` in place; outcomes of `step_mixtures` after some updates and after the last.

    After so many updates the encoder is read under the head of then, on the same test texts each
    time. The training is that of `tune_labels`, to the last bit; one that was stopped begins anew,
    since what had been looked at is gone.

    Parameters
    ----------
    before, encoder : Encoder
        The pre-trained encoder, loaded twice.
    steps : sequence of int
        Numbers of updates, each above 0; those beyond the last are never reached.
    max_texts : int
        Test texts, drawn under `seed` as `label_problem` draws them.
    work : Path
        The resume point of the training, removed at the end.
    training
        Passed on to `tune_labels`.
    """
    pair, labels = Pair(before.model, encoder.model), train_labels(examples, kind)
    wanted, heads, looked = step_mixtures(pair.n_layers), list[LabelHead](), dict[int, Outcomes]()

    def look(step: int) -> None:
        problem = label_problem(
            encoder, heads[0], labels, examples, task=task, max_texts=max_texts, seed=seed
        )
        looked[step] = run_mixtures(
            pair,
            problem,
            encoder,
            wanted,
            tokens_per_batch=tokens_per_batch,
            observe=lambda *_: None,
        )

    def visit(step: int, head: Head) -> None:
        assert isinstance(head, LabelHead)
        heads[:] = [head]
        if step in steps:
            look(step)

    losses = tune_labels(
        encoder,
        examples,
        kind=kind,
        state=FINETUNED,
        seed=seed,
        out=None,
        work=work,
        visit=visit,
        visit_every=gcd(*steps),
        resumable=lambda _: False,
        **training,
    )
    if len(losses) not in looked:
        look(len(losses))
    return looked


def step_rows(
    looked: Mapping[int, Outcomes],
    *,
    task: str,
    seed: int,
    confidence: float,
    bootstrap: int,
) -> list[Result]:
    """Result rows of `follow_layers`, the encoder of a step against the pre-trained one.

    ==========================  =======  ====================================================
    metric                      layer    value
    ==========================  =======  ====================================================
    step_score, step_loss       -1       of the encoder and head of the step; percent, nats
    step_layer_score_change,    1 ... L  with this layer alone put back, minus the same
    step_layer_loss_change               without; points, nats
    step_up_to_score_change,    1 ... L  with the embeddings and all layers up to this
    step_up_to_loss_change
    upper_over_lower            -1       rise of the loss by a layer put back alone: mean of
                                         the upper half less that of layers 1 ... L / 2
    ==========================  =======  ====================================================

    Before the first update nothing differs, and every change is 0. Intervals are paired, over the
    same samples of the texts at each step. With one layer there are no halves.
    """
    first = next(iter(looked.values()))
    steps, n_models = sorted(looked), len(first.losses)
    n_layers = (n_models - len(INTACT)) // 2
    every = replace(
        first,
        answers=[answers for step in steps for answers in looked[step].answers],
        losses=np.concatenate([looked[step].losses for step in steps]),
    )
    samples = every.samples(bootstrap, rng(seed, "bootstrap", "change", task, "steps"))
    wanted = step_mixtures(n_layers)
    names = ["step_layer" if one.scope == ONE else "step_up_to" for one in wanted]
    rows = []
    for which, unit in enumerate(("score", "loss")):
        bounds = sample_bounds(samples[which], which, every.n_texts, confidence=confidence)
        for number, step in enumerate(steps):
            tuned = n_models * number + INTACT.index(FINETUNED)
            of: dict[str, Any] = {"state": FINETUNED, "step": step}
            level = every.values[which][tuned], bounds[0][tuned], bounds[1][tuned]
            value, low, high = map(float, level)
            rows.append(Result(f"step_{unit}", value, low, high, **of))
            of["against"] = PRETRAINED
            start = n_models * number + len(INTACT)
            pairs = [(start + place, tuned) for place in range(len(wanted))]
            found = change_interval(every, samples, which, pairs, confidence)
            for name, one, numbers in zip(names, wanted, np.transpose(found), strict=True):
                value, low, high = numbers.tolist()
                metric = f"{name}_{unit}_change"
                rows.append(Result(metric, value, low, high, layer=one.layer, **of))
    half = n_layers // 2
    for number, step in enumerate(steps if half else []):
        start = n_models * number + len(INTACT)
        gap, drawn = (
            of_layers[..., start + half : start + n_layers].mean(axis=-1)
            - of_layers[..., start : start + half].mean(axis=-1)
            for of_layers in (every.values[1], samples[1])
        )
        bounds = bootstrap_bounds(drawn[:, None], every.n_texts, confidence=confidence)
        low, high = (float(bound[0]) for bound in bounds)
        of = {"state": FINETUNED, "against": PRETRAINED, "step": step}
        rows.append(Result("upper_over_lower", float(gap), low, high, **of))
    return [row._replace(score=every.metric, n=every.n_texts) for row in rows]
