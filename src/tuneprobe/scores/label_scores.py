"""Scores of label and score tasks: what an encoder answers in each state, and how good that is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuneprobe.artifacts import read_meta
from tuneprobe.encoders.encoder import Encoder, load_encoder
from tuneprobe.errors import TuneprobeError, UnknownNameError
from tuneprobe.formats.examples import Examples
from tuneprobe.formats.results import OVER_BASELINE, Result, stamp
from tuneprobe.rng import rng
from tuneprobe.scores.glue_metrics import (
    Estimate,
    estimate,
    majority_prediction,
    metrics_of,
    paired_gap,
)
from tuneprobe.states import (
    FINETUNED,
    FROZEN,
    NO_ENCODER,
    PRETRAINED,
    RANDOM,
    RANDOM_FINETUNED,
    TUNED,
)
from tuneprobe.tuning.checkpoints import read_head
from tuneprobe.tuning.heads import LabelHead
from tuneprobe.tuning.labelling import KINDS, predict, train_labels, untrained_head

UNTRAINED = (RANDOM, PRETRAINED)  # states without a checkpoint
STATES = (*UNTRAINED, FROZEN, FINETUNED, RANDOM_FINETUNED)
ENCODER_STATE = {FROZEN: PRETRAINED, RANDOM_FINETUNED: FINETUNED}  # of the others: the same
MAJORITY = "majority_"  # before the name of a metric: what the majority scores under it

Values = NDArray[Any]


class LabelScoreError(TuneprobeError):
    """Examples or outputs that cannot be scored."""


class Labeller(NamedTuple):
    """An encoder, its head, and the label of each output; None where the output is a score."""

    encoder: Encoder
    head: LabelHead
    labels: list[str] | None


def load_labeller(
    name: str,
    examples: Examples,
    *,
    kind: str,
    state: str,
    seed: int,
    checkpoint: Path,
    **source: Any,
) -> Labeller:
    """The labeller of a state.

    ================  ===========================  =======================
    state             encoder                      head
    ================  ===========================  =======================
    random            weights drawn under `seed`   drawn under `seed`
    pretrained        pre-trained                  drawn under `seed`
    frozen            pre-trained                  trained on that encoder
    finetuned         tuned                        tuned with it
    random-finetuned  random weights, tuned        tuned with it
    ================  ===========================  =======================

    Parameters
    ----------
    examples : Examples
        Of the task; an untrained head has one output for each of their training labels.
    kind : str
        ``label`` or ``score``.
    checkpoint : Path
        Of the state; ``random`` and ``pretrained`` do not look at it.
    source : Any
        Where the encoder's files are, as for `load_encoder`.

    Raises
    ------
    UnknownNameError
        If there is no such state.
    ArtifactError
        If the checkpoint is missing, or its head was trained on other weights.
    """
    if state not in STATES:
        raise UnknownNameError("state", state, STATES)
    if state not in UNTRAINED:
        return load_tuned(name, state=state, seed=seed, checkpoint=checkpoint, **source)
    encoder = load_encoder(name, **source, state=state, seed=seed, checkpoint=checkpoint)
    head = untrained_head(encoder, examples, kind, seed)
    return Labeller(encoder, head, train_labels(examples, kind))


def load_tuned(name: str, *, state: str, seed: int, checkpoint: Path, **source: Any) -> Labeller:
    """The labeller of a state with a checkpoint, as `load_labeller` loads it."""
    meta, weights = read_meta(checkpoint), ENCODER_STATE.get(state, state)
    encoder = load_encoder(name, **source, state=weights, seed=seed, checkpoint=checkpoint)
    trained = read_head(checkpoint, encoder)
    assert isinstance(trained, LabelHead)
    return Labeller(encoder, trained, meta["labels"])


def gold_answers(examples: Examples, kind: str) -> pd.Series:
    """Label or score of each test example, by its row in the table of examples.

    Raises
    ------
    UnknownNameError
        If the task is neither of kind ``label`` nor ``score``.
    LabelScoreError
        If there is no test example.
    """
    if kind not in KINDS:
        raise UnknownNameError("kind of labelled task", kind, KINDS)
    table = examples.examples
    gold = table.label[table.split == "test"]
    if gold.empty:
        raise LabelScoreError(f"none of the {len(table)} examples is a test example.")
    return gold.astype(float) if kind == "score" else gold


def read_answers(
    labeller: Labeller, examples: Examples, tokens_per_batch: int | None = None
) -> Values:
    """What the labeller answers to each test example, shape (n,): a label or a score."""
    outputs = predict(labeller.encoder, labeller.head, examples, tokens_per_batch=tokens_per_batch)
    return to_answers(outputs, labeller.labels)


def to_answers(outputs: Values, labels: list[str] | None) -> Values:
    """What outputs of shape (n, n_outputs) say: the label of the largest, or the score.

    Raises
    ------
    LabelScoreError
        If there is not one output per label.
    """
    n_outputs = 1 if labels is None else len(labels)
    if outputs.ndim != 2 or outputs.shape[1] != n_outputs:
        raise LabelScoreError(
            f"outputs have shape {outputs.shape}, expected (n, {n_outputs}): the head belongs to "
            "another task; run 'dvc repro finetune'."
        )
    if labels is None:
        return outputs[:, 0].astype(np.float64)
    return np.array(labels, dtype=object)[outputs.argmax(axis=1)]


def score_answers(
    gold: pd.Series,
    predicted: Mapping[str, Values],
    *,
    encoder: str,
    task: str,
    kind: str,
    seed: int,
    confidence: float,
    bootstrap: int,
    baselines: Mapping[str, Values] | None = None,
) -> list[Result]:
    """Result rows of all states: each metric of the task, and what the majority scores under it.

    In percent, with bootstrap intervals over the test examples. All states, and the majority,
    are scored on the same bootstrap samples. The rows ``majority_*`` are the same in every state,
    so that a baseline stands beside each number.

    With `baselines` also their scores, in the state ``no-encoder`` and with the baseline as
    classifier, and ``over_baseline``: a tuned encoder minus each of them, and the one tuned from
    the pre-trained weights minus the head on the frozen encoder, in points of the task's first
    metric, paired over the test examples.

    Parameters
    ----------
    gold : Series
        Label or score of each test example, of `gold_answers`.
    predicted : mapping
        Answers of each state, shape (n,), of `read_answers`.
    baselines : mapping, optional
        Answers without an encoder, of `label_baselines.baseline_answers`.
    """
    truth = gold.to_numpy()
    rows = []
    manner: dict[str, Any] = {"confidence": confidence, "n_bootstrap": bootstrap}

    def scored(metric: str, given: Values) -> Estimate:
        stream = rng(seed, "bootstrap", "evaluate", metric)
        return estimate(metric, truth, given, **manner, rng=stream)

    for metric in metrics_of(task, kind):
        baseline = scored(metric, majority_prediction(truth))
        for state, given in predicted.items():
            value = scored(metric, given)
            rows.append(Result(metric, *value, n=len(truth), state=state))
            rows.append(Result(MAJORITY + metric, *baseline, n=len(truth), state=state))
        for name, given in (baselines or {}).items():
            value = scored(metric, given)
            rows.append(Result(metric, *value, len(truth), NO_ENCODER, classifier=name))
    metric = metrics_of(task, kind)[0]
    for state in (one for one in TUNED if one in predicted and baselines):
        others = dict(baselines or {})
        if state == FINETUNED and FROZEN in predicted:
            others[FROZEN] = predicted[FROZEN]
        for name, given in others.items():
            gap = paired_gap(
                metric,
                truth,
                predicted[state],
                given,
                **manner,
                rng=rng(seed, "bootstrap", "evaluate", "over", metric),
            )
            what: dict[str, Any] = {"state": state, "against": name, "score": metric}
            rows.append(Result(OVER_BASELINE, *gap, len(truth), **what))
    keys: dict[str, Any] = {"study": "evaluate", "encoder": encoder, "task": task, "seed": seed}
    return stamp(rows, **keys, level=confidence)


def prediction_table(gold: pd.Series, predicted: Mapping[str, Values]) -> pd.DataFrame:
    """``example`` (row of the table of examples), ``state``, ``gold``, ``predicted``."""
    parts = [
        pd.DataFrame(
            {"example": gold.index, "state": state, "gold": gold.to_numpy(), "predicted": given}
        )
        for state, given in predicted.items()
    ]
    return pd.concat(parts, ignore_index=True)
