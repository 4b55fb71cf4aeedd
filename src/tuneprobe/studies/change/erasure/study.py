"""Is what is encoded used? A concept is erased at a layer, and the last layer is read.

The concept is the label of the examples. What is read is a linear classifier that was fitted on the
last layer as it is; it is the same before and after tuning, so that both states can be compared.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuneprobe.encoders.encoder import Encoder
from tuneprobe.encoders.forward import TokenBudget, encoding_tokens
from tuneprobe.formats.examples import WHOLE_TEXT, Examples
from tuneprobe.formats.results import NO_LAYER, Result
from tuneprobe.rng import rng
from tuneprobe.scores.glue_metrics import majority_prediction
from tuneprobe.states import FINETUNED, PRETRAINED
from tuneprobe.stats import ratio_interval
from tuneprobe.studies.change.erasure.leace import (
    Eraser,
    ErasureError,
    fit_leace,
    random_eraser,
    whitening,
)
from tuneprobe.studies.change.restore.layers import Pair
from tuneprobe.tuning.heads import INPUTS, Batch, LabelHead
from tuneprobe.tuning.labelled_texts import LabelledTexts, labelled_texts

RIDGE = 1e-3  # of the mean variance of a column

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Labels = NDArray[Any]


class Readout(NamedTuple):
    """A linear classifier by least squares on one-hot labels, ridge 0.001 of the variance.

    Attributes
    ----------
    mean : float64 ndarray of shape (dim,)
    weights : float64 ndarray of shape (dim, n_labels)
    share : float64 ndarray of shape (n_labels,)
        Of the labels among the examples it was fitted on.
    labels : ndarray of shape (n_labels,)
    """

    mean: Floats
    weights: Floats
    share: Floats
    labels: Labels

    def __call__(self, X: Floats) -> Labels:
        """The label of each vector, (n, dim) to (n,)."""
        found: Labels = self.labels[((X - self.mean) @ self.weights + self.share).argmax(axis=1)]
        return found


def fit_readout(X: Floats, y: Labels) -> Readout:
    """Fit the classifier; deterministic, one linear system."""
    labels, number = np.unique(y, return_inverse=True)
    Y = np.eye(len(labels))[number]
    mean, share = X.mean(axis=0), Y.mean(axis=0)
    moved = X - mean
    gram = moved.T @ moved
    ridge = RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    return Readout(mean, np.linalg.solve(gram + ridge, moved.T @ (Y - share)), share, labels)


def erasure_rows(
    pair: Pair,
    encoder: Encoder,
    head: LabelHead,
    examples: Examples,
    test: LabelledTexts,
    gold: Labels,
    *,
    task: str,
    draws: int,
    seed: int,
    confidence: float,
    bootstrap: int,
    tokens_per_batch: int | None,
) -> list[Result]:
    """Result rows before and after tuning.

    ==============  ========  ===========================================================
    metric          layer     value
    ==============  ========  ===========================================================
    read_score      -1        accuracy of the classifier, nothing erased, percent
    read_majority   -1        share of the most frequent label among the test examples
    erased_score    0 ... L   with the label erased at this layer
    control_score   0 ... L   with as many random directions erased, mean over the draws
    erasure_excess  0 ... L   control minus erased, points: what is due to the label
    erasure_gap     0 ... L   that after tuning minus before (``against`` pre-trained)
    ==============  ========  ===========================================================

    The erasers are fitted on the training examples (of two spans on the one that has one label),
    and applied to all pieces of all spans. Intervals are a paired bootstrap over texts.

    Raises
    ------
    ErasureError
        If the examples are whole texts.
    """
    train_table = examples.examples[examples.examples.split == "train"]
    if (examples.spans.segment.to_numpy()[train_table.span1] == WHOLE_TEXT).any():
        raise ErasureError(
            f"the examples of {task} are whole texts, of which no word can be erased: take it out "
            "of change.erase.tasks."
        )
    train = labelled_texts(encoder, examples, "train")
    labels = train_table.label.to_numpy()
    text = np.empty(len(gold), dtype=np.int64)
    for number, rows in enumerate(test.rows):
        text[rows] = number
    budget = TokenBudget(tokens_per_batch or encoding_tokens(encoder))
    right = {}
    for state in (PRETRAINED, FINETUNED):
        vectors = layer_vectors(pair, state, head, train, budget)
        erasers = [
            _erasers(_one_span(X, train.span_ids), labels, draws, (seed, task, layer))
            for layer, X in enumerate(vectors)
        ]
        readout = fit_readout(vectors[-1], labels)
        right[state] = _right(pair, state, head, test, budget, erasers, readout, gold)
    n_texts = int(text.max()) + 1

    def over_texts(metric: str, right: Floats, **facets: Any) -> list[Result]:
        """A mean over the examples per column, which are layers 0 to L; one column: none."""
        draws = rng(seed, "bootstrap", "change", "erase", task, metric)
        shape = (n_texts, right.shape[1])
        sums = np.zeros(shape)
        np.add.at(sums, text, 100.0 * right)
        found = ratio_interval(
            sums, np.bincount(text), confidence=confidence, n_bootstrap=bootstrap, rng=draws
        )
        layers = range(shape[1]) if shape[1] > 1 else [NO_LAYER]
        return [
            Result(metric, float(value), float(low), float(high), n_texts, layer=layer, **facets)
            for layer, value, low, high in zip(layers, *found, strict=True)
        ]

    results = []
    for state, (plain, concept, control) in right.items():
        results += over_texts("read_score", plain, state=state)
        results += over_texts("erased_score", concept, state=state)
        results += over_texts("control_score", control, state=state)
        results += over_texts("erasure_excess", control - concept, state=state)
        majority = 100 * float((majority_prediction(gold) == gold).mean())
        results.append(Result("read_majority", majority, n=n_texts, state=state))
    before, after = (right[state][2] - right[state][1] for state in (PRETRAINED, FINETUNED))
    gap = over_texts("erasure_gap", after - before, state=FINETUNED, against=PRETRAINED)
    return results + gap


def layer_vectors(
    pair: Pair, state: str, head: LabelHead, data: LabelledTexts, budget: TokenBudget
) -> list[Floats]:
    """Vectors of the examples at layers 0 to L, each (n_examples, dim * n_spans)."""

    def read(rows: Rows) -> list[Floats]:
        batch = data.batch(rows)
        layers, _ = pair.hidden(state, _inputs(batch))
        return [head.read(hidden, batch).double().cpu().numpy() for hidden in layers]

    shape = (len(data.span_ids), head.output.in_features)
    vectors = [np.empty(shape) for _ in range(pair.n_layers + 1)]
    with torch.inference_mode():
        for rows, found in budget.passes(data.lengths, read):
            for layer, one in zip(vectors, found, strict=True):
                layer[data.examples_of(rows)] = one
    return vectors


def _right(
    pair: Pair,
    state: str,
    head: LabelHead,
    test: LabelledTexts,
    budget: TokenBudget,
    erasers: Sequence[Sequence[Eraser]],
    readout: Readout,
    gold: Labels,
) -> tuple[Floats, Floats, Floats]:
    """Whether each example is read rightly: as it is (n, 1), without the concept at each layer
    (n, L + 1), and without random directions, a mean over the draws (n, L + 1)."""

    def read(rows: Rows) -> list[Labels]:
        batch = test.batch(rows)
        inputs = _inputs(batch)
        layers, last = pair.hidden(state, inputs)
        said = [readout(head.read(last, batch).double().cpu().numpy())]
        labelled = _labelled_pieces(batch, layers[0].shape[:2])
        for layer, (hidden, some) in enumerate(zip(layers, erasers, strict=True)):
            for eraser in some:
                changed = hidden.clone()
                changed[labelled] = torch.from_numpy(
                    eraser(hidden[labelled].double().cpu().numpy())
                ).to(hidden)
                last = pair.resume(state, inputs, layer, changed)
                said.append(readout(head.read(last, batch).double().cpu().numpy()))
        return said

    shape = (1 + sum(map(len, erasers)), len(gold))
    right = np.empty(shape)
    with torch.inference_mode():
        for rows, said in budget.passes(test.lengths, read):
            examples = test.examples_of(rows)
            right[:, examples] = np.array(said) == gold[examples]
    erased = right[1:].reshape(len(erasers), -1, len(gold))
    return right[:1].T, erased[:, 0].T, erased[:, 1:].mean(axis=1).T


def _erasers(X: Floats, labels: Labels, draws: int, stream: tuple[int, str, int]) -> list[Eraser]:
    """That of the concept, then as many of the control as there are draws."""
    seed, task, layer = stream
    known = whitening(X)
    concept = fit_leace(X, labels, known)
    streams = [rng(seed, "change", "erase", task, layer, number) for number in range(draws)]
    return [concept, *(random_eraser(known, concept.rank, one) for one in streams)]


def _one_span(X: Floats, span_ids: Rows) -> Floats:
    """Vectors of the span of an example that tells its label: the one that repeats least."""
    span = int(np.argmax([len(np.unique(ids)) for ids in span_ids.T]))
    return np.split(X, span_ids.shape[1], axis=1)[span]


def _labelled_pieces(batch: Batch, shape: Sequence[int]) -> Tensor:
    """Which pieces belong to a span of an example, bool (batch, seq)."""
    columns = batch["pool"].coalesce().indices()[1]
    labelled = torch.zeros(int(np.prod(shape)), dtype=torch.bool, device=columns.device)
    labelled[columns] = True
    return labelled.reshape(*shape)


def _inputs(batch: Batch) -> dict[str, Tensor]:
    return {name: batch[name] for name in INPUTS if name in batch}
