"""The ablation study: what each head and each layer is worth to a task, in its own metric."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from tuneprobe.formats.examples import Examples
from tuneprobe.formats.results import NO_HEAD, NO_LAYER, Result, stamp
from tuneprobe.rng import rng
from tuneprobe.scores.glue_metrics import FUNCTIONS, bootstrap_weights, metrics_of
from tuneprobe.scores.label_scores import Labeller, gold_answers, to_answers
from tuneprobe.stats import LEAST, Interval, bootstrap_bounds, mean_interval, share_interval
from tuneprobe.studies.attention.ablation.importance import example_losses, head_importance
from tuneprobe.studies.attention.ablation.pruning import pruned_counts, pruned_outputs
from tuneprobe.studies.attention.ablation.sweep import (
    Configuration,
    Sweep,
    ablation_sweep,
    configurations,
)
from tuneprobe.tuning.labelled_texts import LabelledTexts, Targets, labelled_texts

STUDY = "ablation"
NO_TARGET = -100  # a label that the head cannot answer: left out of the loss by torch

Values = NDArray[Any]
Floats = NDArray[np.float64]


def study_ablation(
    labeller: Labeller,
    examples: Examples,
    *,
    task: str,
    kind: str,
    state: str,
    seed: int,
    ablations: Sequence[str],
    max_texts: int,
    tokens_per_chunk: int | None,
    confidence: float,
    bootstrap: int,
    sweep: Sweep | None = None,
) -> list[Result]:
    """Result rows of every configuration, on test examples.

    =====================  ============  ================  =====================================
    metric                 layer, head   ablation          value
    =====================  ============  ================  =====================================
    accuracy, f1, ...      -1, -1        type of ablation  the metric of the intact model, percent
    accuracy, f1, ...      l, h or -1    type of ablation  the metric, a head or a layer ablated
    accuracy_change, ...   l, h or -1    type of ablation  that minus the intact one, points
    loss_change            l, h or -1    type of ablation  change of the mean loss
    importance             l, h          none              `head_importance`
    importance_spearman    -1, -1        type of ablation  its rank correlation, over the heads,
                                                           with the mean absolute change of the loss
    mean_..._change        -1, -1        type of ablation  mean over all heads of accuracy_change,
                                                           loss_change, ...
    largest_..._change     l, h or -1    type of ablation  largest change of the metric over all
                                                           heads, over all layers (`largest`)
    accuracy_change, ...   -1, -1        pruned            change without the `step` heads of least
                                                           importance at once
    accuracy_change, ...   -1, -1        pruned-at-random  the same of as many heads drawn at random
    =====================  ============  ================  =====================================

    Layers count from 1, heads from 0. The texts whose gradient ranks the heads to be pruned are not
    those that pruned encoders are scored on: every second text is of either. Intervals are paired:
    all configurations are scored on the same bootstrap samples of the examples.

    Parameters
    ----------
    max_texts : int
        Texts read; of more, as many are drawn under `seed`.
    sweep : callable, optional
        Passed on to `ablation_sweep`.

    Raises
    ------
    AblationError
        If the sweep would be wrong for the encoder.
    ClusterError
        If blocks are swept on a cluster and it fails.
    """
    encoder, head, labels = labeller
    examples = draw_test_texts(examples, max_texts, rng(seed, "ablate", "texts", task))
    gold = gold_answers(examples, kind).to_numpy()
    targets = loss_targets(gold, labels)
    data = labelled_texts(encoder, examples, "test", targets)
    places = configurations(encoder.n_layers, encoder.model.config.num_attention_heads)
    heads = [number for number, place in enumerate(places) if place.head != NO_HEAD]
    importance = head_importance(head, data, tokens_per_chunk=tokens_per_chunk)
    rows: list[Result] = [
        Result("importance", value, layer=1 + layer, head=head)
        for (layer, head), value in np.ndenumerate(importance)
    ]
    for ablation in ablations:
        outputs = ablation_sweep(
            head, data, ablation=ablation, tokens_per_chunk=tokens_per_chunk, sweep=sweep
        )
        predicted = [to_answers(one, labels) for one in outputs]
        for metric in metrics_of(task, kind):
            draws = rng(seed, "bootstrap", "ablate", task, metric)
            score, change, samples = paired_scores(
                metric, gold, predicted, confidence, bootstrap, draws
            )
            rows += _numbers(metric, ablation, places, score)
            rows += _numbers(f"{metric}_change", ablation, places, change)[1:]
            rows += _over_places(
                metric, ablation, places, change.value, samples, confidence, len(gold)
            )
        losses = configuration_losses(outputs, targets)
        draws = rng(seed, "bootstrap", "ablate", task, "loss")
        change = mean_interval(
            (losses - losses[0]).T, confidence=confidence, n_bootstrap=bootstrap, rng=draws
        )
        rows += _numbers("loss_change", ablation, places, change)[1:]
        draws = rng(seed, "bootstrap", "ablate", task, "mean loss")
        mean = mean_interval(
            (losses[heads] - losses[0]).mean(axis=0),
            confidence=confidence,
            n_bootstrap=bootstrap,
            rng=draws,
        )
        value, low, high = map(float, mean)
        rows.append(Result("mean_loss_change", value, low, high, ablation=ablation))
        rank = importance_agreement(importance, losses, places)
        rows.append(Result("importance_spearman", rank, ablation=ablation))
    rows = [row._replace(n=len(gold)) for row in rows]
    if len(data.pieces) > 1:
        rows += _pruned_rows(
            labeller,
            data,
            gold,
            metrics_of(task, kind),
            tokens_per_chunk=tokens_per_chunk,
            confidence=confidence,
            bootstrap=bootstrap,
            seed=seed,
            task=task,
        )
    keys: dict[str, Any] = {"study": STUDY, "encoder": encoder.name, "task": task, "seed": seed}
    return stamp(rows, **keys, state=state, level=confidence)


def draw_test_texts(examples: Examples, max_texts: int, draws: np.random.Generator) -> Examples:
    """The test examples of at most `max_texts` texts; texts and spans keep their numbers."""
    table = examples.examples[examples.examples.split == "test"]
    text = examples.spans.text.to_numpy()[table.span1]
    texts = np.unique(text)
    if len(texts) > max_texts:
        texts = draws.choice(texts, size=max_texts, replace=False)
    return replace(examples, examples=table[np.isin(text, texts)])


def loss_targets(gold: Values, labels: list[str] | None) -> Targets:
    """Numbers of the gold labels, -100 for one that the head cannot answer; or the scores."""
    if labels is None:
        return gold.astype(np.float32)
    number = {label: position for position, label in enumerate(labels)}
    return np.array([number.get(label, NO_TARGET) for label in gold], dtype=np.int64)


def paired_scores(
    metric: str,
    gold: Values,
    predicted: Sequence[Values],
    confidence: float,
    n_bootstrap: int,
    draws: np.random.Generator,
) -> tuple[Interval, Interval, Floats]:
    """A metric of several predictions and its change from the first one's, in percent.

    Bounds are percentiles over bootstrap samples of the examples that all predictions share
    (`stats.bootstrap_bounds`), but an accuracy has Wilson's interval.

    Parameters
    ----------
    metric : str
        A name of `glue_metrics.FUNCTIONS`.
    predicted : sequence of arrays of shape (n,)

    Returns
    -------
    Two intervals of shape (n_predictions,), and the samples of the change, (n_predictions,
    n_bootstrap); the change of the first prediction is 0.
    """
    compute = FUNCTIONS[metric]
    values = np.concatenate([compute(gold, one, np.ones((1, len(gold)))) for one in predicted])
    samples = np.concatenate(
        [
            np.stack([compute(gold, one, weights) for one in predicted])
            for weights in bootstrap_weights(len(gold), n_bootstrap, draws)
        ],
        axis=1,
    )  # (n_predictions, n_bootstrap)
    low, high = bootstrap_bounds(100 * samples.T, len(gold), confidence=confidence)
    if metric == "accuracy":
        _, low, high = share_interval(values * len(gold), len(gold), confidence=confidence)
    moved = 100 * (samples - samples[0])
    changes = bootstrap_bounds(moved.T, len(gold), confidence=confidence)
    change = Interval(100 * (values - values[0]), *changes)
    return Interval(100 * values, low, high), change, moved


def largest(values: Floats, samples: Floats, n: int, *, confidence: float) -> Interval:
    """The largest of many changes, with an interval that knows that it was chosen of many.

    The max-T bootstrap (Westfall & Young 1993): with c the quantile of the largest deviation over
    the places, ``max_h |sample_h - value_h| / s_h``, the intervals ``value_h ± c s_h`` hold all
    true changes at once, and so ``max_h (value_h - c s_h)`` to ``max_h (value_h + c s_h)`` the
    largest. A place that no example changes (s = 0) takes no part in c.

    Parameters
    ----------
    values : array of shape (n_places,)
    samples : array of shape (n_places, n_bootstrap)
        Bootstrap samples of the values.
    n : int
        Examples; below `stats.LEAST` there is no interval.
    """
    top = values.max()
    if n < LEAST:
        return Interval(top, np.array(np.nan), np.array(np.nan))
    spread = samples.std(axis=1, ddof=1)
    moves = np.divide(
        np.abs(samples - values[:, None]),
        spread[:, None],
        out=np.zeros(samples.shape),
        where=spread[:, None] > 0,
    )
    reach = np.quantile(moves.max(axis=0), confidence) * spread
    return Interval(top, (values - reach).max(), (values + reach).max())


def configuration_losses(outputs: NDArray[np.float32], targets: Targets) -> Floats:
    """Loss of each example: (n_configurations, n_examples, n_outputs) to the first two."""
    gold = torch.from_numpy(targets)
    losses: Floats = torch.stack(
        [example_losses(torch.from_numpy(one), gold).double() for one in outputs]
    ).numpy()
    return losses


def importance_agreement(
    importance: Floats, losses: Floats, places: Sequence[Configuration]
) -> float:
    """How well the gradient ranks the heads as the sweep does.

    Spearman correlation, over all heads, of the importance with the mean absolute change of an
    example's loss.

    Parameters
    ----------
    importance : array of shape (n_layers, n_heads)
    losses : array of shape (n_configurations, n_examples)
    """
    heads = [number for number, place in enumerate(places) if place.head != NO_HEAD]
    change = np.abs(losses[heads] - losses[0]).mean(axis=1)
    return float(spearmanr(importance.ravel(), change).statistic)


def _over_places(
    metric: str,
    ablation: str,
    places: Sequence[Configuration],
    values: Floats,
    samples: Floats,
    confidence: float,
    n: int,
) -> Iterator[Result]:
    """The mean over all heads of the change of a metric, and the largest of heads and of layers."""
    is_head = np.array([place.head != NO_HEAD for place in places])
    is_layer = np.array([place.layer != NO_LAYER for place in places]) & ~is_head
    low, high = bootstrap_bounds(samples[is_head].mean(axis=0)[:, None], n, confidence=confidence)
    mean = (float(values[is_head].mean()), float(low[0]), float(high[0]))
    yield Result(f"mean_{metric}_change", *mean, ablation=ablation)
    for rows in map(np.flatnonzero, (is_head, is_layer)):
        found = largest(values[rows], samples[rows], n, confidence=confidence)
        value, lowest, highest = map(float, found)
        best = places[rows[values[rows].argmax()]]
        here = Result(f"largest_{metric}_change", value, lowest, highest, ablation=ablation)
        yield here._replace(layer=best.layer, head=best.head)


def _pruned_rows(
    labeller: Labeller,
    data: LabelledTexts,
    gold: Values,
    metrics: Sequence[str],
    *,
    tokens_per_chunk: int | None,
    confidence: float,
    bootstrap: int,
    seed: int,
    task: str,
) -> list[Result]:
    """What every second text loses without ever more heads, as the other texts rank them."""
    texts = np.arange(len(data.pieces))
    ranking, scored = data.select(texts[::2]), data.select(texts[1::2])
    examples = data.examples_of(texts[1::2])
    of = {"tokens_per_chunk": tokens_per_chunk}
    importance = head_importance(labeller.head, ranking, **of)
    orders = {
        "pruned": np.argsort(importance, axis=None, kind="stable"),
        "pruned-at-random": rng(seed, "ablate", "pruned", task).permutation(importance.size),
    }
    rows = []
    for ablation, order in orders.items():
        counts = pruned_counts(importance.size)
        outputs = pruned_outputs(labeller.head, scored, order, counts, **of)
        predicted = [to_answers(one, labeller.labels) for one in outputs]
        for metric in metrics:
            draws = rng(seed, "bootstrap", "ablate", task, metric, "pruned")
            _, change, _ = paired_scores(
                metric, gold[examples], predicted, confidence, bootstrap, draws
            )
            for count, value, low, high in zip(
                counts[1:], *(part[1:].tolist() for part in change), strict=True
            ):
                here = Result(f"{metric}_change", value, low, high, len(examples), step=count)
                rows.append(here._replace(ablation=ablation))
    return rows


def _numbers(
    metric: str, ablation: str, places: Sequence[Configuration], interval: Interval
) -> list[Result]:
    return [
        Result(metric, value, low, high, layer=place.layer, head=place.head, ablation=ablation)
        for place, value, low, high in zip(places, *interval, strict=True)
    ]
