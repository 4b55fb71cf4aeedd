"""How far answers agree with a person's labels: accuracy, macro F1 and Cohen's kappa."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tuneprobe.stats import Floats, Interval, bootstrap_bounds, bootstrap_sums
from tuneprobe.studies.attention.patterns.classes import PATTERNS, PatternError

Labels = NDArray[np.integer]


def confusion(truth: Labels, answers: Labels) -> NDArray[np.int64]:
    """Counts of (true, answered) patterns, (5, 5)."""
    if truth.shape != answers.shape:
        raise PatternError(f"{len(truth)} labels, but {len(answers)} answers; expected as many.")
    cells = np.asarray(truth, np.int64) * len(PATTERNS) + answers
    counts = np.bincount(cells.ravel(), minlength=len(PATTERNS) ** 2)
    return counts.reshape(len(PATTERNS), -1)


def accuracy(counts: NDArray[np.integer]) -> Floats:
    """Share of right answers; `counts` of shape (..., n, n), rows the truth."""
    return np.trace(counts, axis1=-2, axis2=-1) / counts.sum((-2, -1))


def macro_f1(counts: NDArray[np.integer]) -> Floats:
    """Mean of ``2 right / (true + answered)`` over the patterns that occur in either."""
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    both = counts.sum(-1) + counts.sum(-2)
    f1 = np.divide(2 * right, both, out=np.zeros(right.shape), where=both > 0)
    return f1.sum(-1) / (both > 0).sum(-1)


def cohen_kappa(counts: NDArray[np.integer]) -> Floats:
    """Agreement beyond chance, ``(p_o - p_e) / (1 - p_e)`` (Cohen 1960).

    NaN where truth and answers are one and the same pattern throughout: chance agrees fully.
    """
    n = counts.sum((-2, -1))
    expected = (counts.sum(-1) * counts.sum(-2)).sum(-1) / n**2
    beyond = np.full(np.shape(expected), np.nan)
    return np.divide(accuracy(counts) - expected, 1 - expected, out=beyond, where=expected < 1)


SCORES: dict[str, Callable[[NDArray[np.integer]], Floats]] = {
    "accuracy": accuracy,
    "macro-f1": macro_f1,
    "kappa": cohen_kappa,
}


def agreement(
    truth: Labels, answers: Labels, *, confidence: float, bootstrap: int, rng: np.random.Generator
) -> dict[str, Interval]:
    """Every score of `SCORES` with its bootstrap interval over the labelled maps.

    A sample of n maps with replacement is a multinomial draw of the confusion counts.

    Parameters
    ----------
    truth, answers : int arrays of shape (n,)
        Row numbers of `PATTERNS`.
    """
    if not len(truth):
        raise PatternError("there are no labelled maps; at least one is needed.")
    counts = confusion(truth, answers)
    drawn = rng.multinomial(len(truth), counts.ravel() / len(truth), size=bootstrap)
    samples = drawn.reshape(-1, *counts.shape)
    return {
        name: Interval(score(counts), *_bounds(score(samples), len(truth), confidence))
        for name, score in SCORES.items()
    }


def corrected_shares(
    truth: Labels,
    answers: Labels,
    shares: Floats,
    *,
    confidence: float,
    bootstrap: int,
    rng: np.random.Generator,
) -> Interval | None:
    """Shares of the patterns among all maps, corrected by the confusion on labelled ones, (5,).

        share_j = Σ_i q_i P(true j | answered i)

    with q the answered shares (Tenenbein 1970): right whichever answers the labelled maps were
    chosen by, if among those of one answer they are a random sample. The bootstrap draws texts for
    q and labelled maps within each answer for P. None where a pattern that is answered has no
    labelled map.

    Parameters
    ----------
    truth, answers : int arrays of shape (n,)
        Of the labelled maps.
    shares : array of shape (n_texts, 5)
        Answered shares among the maps of each text.
    """
    counts = confusion(truth, answers).T  # rows the answers
    n_of, answered = counts.sum(axis=1), shares.mean(axis=0)
    if ((answered > 0) & (n_of == 0)).any():
        return None
    among = np.divide(counts, n_of[:, None], out=np.zeros(counts.shape), where=n_of[:, None] > 0)
    texts = bootstrap_sums(shares, bootstrap, rng) / len(shares)
    drawn = np.zeros((bootstrap, *counts.shape))
    for i in np.flatnonzero(n_of):
        drawn[:, i] = rng.multinomial(n_of[i], among[i], size=bootstrap) / n_of[i]
    samples = np.einsum("bi,bij->bj", texts, drawn)
    low, high = bootstrap_bounds(samples, len(truth), confidence=confidence)
    return Interval(answered @ among, low, high)


def _bounds(samples: Floats, n: int, confidence: float) -> tuple[Floats, Floats]:
    """Bounds over the samples for which the score is defined; NaN if there are none."""
    defined = samples[~np.isnan(samples)]
    least = n if len(defined) else 0
    (low,), (high,) = bootstrap_bounds(defined[:, None], least, confidence=confidence)
    return low, high
