"""Boundary probe: does a layer know where the answer starts and ends?

The gold start (and end) position's logit is ranked against those of all other words of the
answer's sentence; the outcomes of start and end are added. The paper says no more than "logits
score of each position" (Cai et al. 2020, section 4), so there are two readings:

linear  a linear start and end head, trained on the frozen vectors of each layer
lens    the head of the fine-tuned reader, applied to each layer
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from tuneprobe.errors import TuneprobeError
from tuneprobe.studies.pairwise.probe.paragraphs import Ids, Matrix, Pairs, read_rows, release
from tuneprobe.studies.pairwise.probe.ranking import RESOLUTION, Outcomes

START_END = 2


class BoundaryError(TuneprobeError):
    """Sentences or a head that cannot be used."""


def rank_positions(X: Matrix, sentences: Pairs, head: Matrix) -> Outcomes:
    """Positions whose logit is below the gold one's, start and end added.

    ``count_i = sum_h sum_{j != gold_h} [x_j·w_h < x_gold·w_h]`` for h in start, end;
    ``n_neg = 2 (len - 1)``, ``para_len = 2 len``. A tie is lost. A bias would move all logits of
    a head alike, so there is none.

    Parameters
    ----------
    X : ndarray of shape (n_spans, dim)
        One layer.
    sentences : Pairs
        Words of the sentences; the match is the answer. Anchors are not used.
    head : ndarray of shape (2, dim)
        Weights of start and end. The lens: the fine-tuned reader's.
    """
    if head.shape != (START_END, X.shape[1]):
        raise BoundaryError(
            f"the head has shape {head.shape}, expected (2, {X.shape[1]}): start and end weights "
            "as wide as the layer."
        )
    weights = np.asarray(head, dtype=np.float64).T
    count = np.zeros(len(sentences.match), dtype=np.int64)
    gold = sentences.match - [0, 1]  # first and last word of the answer
    for sentence, rows in sentences.by_paragraph():
        logits = read_rows(X, sentences.words_of(sentence)).astype(np.float64) @ weights
        tie = RESOLUTION * np.abs(logits).max(axis=0)
        for side in range(START_END):
            bar = logits[gold[rows, side], side] - tie[side]
            count[rows] += (logits[:, side] < bar[:, None]).sum(axis=1)
    release(X)
    length = sentences.para_len
    return Outcomes(count, START_END * (length - 1), START_END * length)


def fit_head(X: Matrix, sentences: Pairs, *, l2: float, iterations: int) -> NDArray[np.float64]:
    """Linear start and end head, shape (2, dim), by L-BFGS.

    Minimises ``mean_i sum_h -log softmax(z_i·w_h)[gold_ih] + l2 |w|²`` over the words of each
    sentence, where z are the features over their standard deviation on these sentences. (A shift
    of the features cancels in the softmax.) The returned weights apply to the raw features.
    Deterministic; holds the sentences' vectors in memory, float32.

    Parameters
    ----------
    X : ndarray of shape (n_spans, dim)
        One layer.
    sentences : Pairs
        The training sentences; the match is the answer.
    l2 : float
        Weight of the penalty.
    iterations : int
        At most.
    """
    if not len(sentences.match):
        raise BoundaryError("there are no training sentences; raise prepare.pairs.boundary.train.")
    example_words = [sentences.words_of(p) for p in sentences.paragraph]
    first = np.concatenate([[0], np.cumsum([len(ids) for ids in example_words])])
    features = read_rows(X, np.concatenate(example_words)).astype(np.float32)
    release(X)
    deviation = features.std(axis=0, dtype=np.float64)
    features /= np.where(deviation > 0, deviation, 1).astype(np.float32)
    gold = first[:-1, None] + sentences.match - [0, 1]  # (n, 2)
    found = minimize(
        _loss,
        np.zeros(START_END * X.shape[1]),
        args=(features, first, gold, l2),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": iterations, "ftol": 1e-7, "gtol": 1e-5},
    )
    return found.x.reshape(START_END, -1) / np.where(deviation > 0, deviation, 1)


def _loss(
    flat: NDArray[np.float64], features: Matrix, first: Ids, gold: Ids, l2: float
) -> tuple[float, NDArray[np.float64]]:
    """Loss and gradient of the head; sentence i has the rows first[i]:first[i + 1]."""
    head = flat.reshape(START_END, -1)
    n, sides = len(gold), np.arange(START_END)
    logits = (features @ head.T.astype(np.float32)).astype(np.float64)  # (n_words, 2)
    length = np.diff(first)
    logits -= np.repeat(np.maximum.reduceat(logits, first[:-1]), length, axis=0)
    probability = np.exp(logits)
    total = np.add.reduceat(probability, first[:-1])  # (n, 2)
    loss = (np.log(total) - logits[gold, sides]).sum() / n + l2 * (flat @ flat)
    probability /= np.repeat(total, length, axis=0)
    np.subtract.at(probability, (gold, np.broadcast_to(sides, gold.shape)), 1.0)
    gradient = probability.T.astype(np.float32) @ features / n
    return float(loss), gradient.ravel().astype(np.float64) + 2 * l2 * flat
