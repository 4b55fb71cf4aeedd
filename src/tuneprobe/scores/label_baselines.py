"""Answers without an encoder to tasks of labels and scores: what a tuned encoder must beat.

All are fitted on the training examples alone. Of a pair, the second text by itself often gives the
label away (Gururangan et al. 2018; Poliak et al. 2018), and so does how much of it the first holds.
"""

from collections import Counter
from collections.abc import Sequence
from math import log
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuneprobe.formats.examples import Examples
from tuneprobe.rng import rng
from tuneprobe.scores.glue_metrics import majority_prediction

BINS = 10  # of the share of shared words
MAJORITY, RANDOM_ANSWER = "majority", "random-answer"
WORD_OVERLAP, HYPOTHESIS_ONLY = "word-overlap", "hypothesis-only"

Values = NDArray[Any]


def baseline_answers(examples: Examples, kind: str, seed: int) -> dict[str, Values]:
    """What each baseline answers to the test examples, shape (n,), by its name.

    ``majority``: the most frequent training label; the mean training score. ``random-answer``: the
    label or score of a training example drawn under `seed`. Of pairs of texts also
    ``word-overlap``, from the share of the second text's distinct words that the first holds (a
    label: the most frequent one among the training examples of the same tenth; a score: the share
    itself), and, of labels, ``hypothesis-only``: naive Bayes over the second text's words.

    Parameters
    ----------
    kind : str
        ``label`` or ``score``.
    """
    table = examples.examples
    train, test = (table[table.split == split] for split in ("train", "test"))
    known = train.label.to_numpy()
    if kind == "score":
        known = known.astype(np.float64)
    drawn = rng(seed, "baseline", RANDOM_ANSWER).integers(len(known), size=len(test))
    found = {
        MAJORITY: np.full(len(test), majority_prediction(known)[0]),
        RANDOM_ANSWER: known[drawn],
    }
    texts = examples.texts.iloc[examples.spans.text.to_numpy()[table.span1]].set_index(table.index)
    second = texts.words2
    if not second.str.len().all():
        return found
    shares = pd.Series(map(_share, texts.words1, second), index=table.index)
    of_train, of_test = shares[train.index].to_numpy(), shares[test.index].to_numpy()
    if kind == "score":
        return found | {WORD_OVERLAP: of_test}
    found[WORD_OVERLAP] = _by_share(of_train, known, of_test)
    found[HYPOTHESIS_ONLY] = _naive_bayes(second[train.index], known, second[test.index])
    return found


def _share(first: Sequence[str], second: Sequence[str]) -> float:
    """Share of the second text's distinct words that the first has too."""
    one, other = ({word.lower() for word in words} for words in (first, second))
    return len(one & other) / len(other)


def _by_share(train: Values, labels: Values, test: Values) -> Values:
    """The most frequent label among the training examples whose share is of the same tenth."""
    edges = np.unique(np.quantile(train, np.linspace(0, 1, BINS + 1)[1:-1]))
    bins = [np.searchsorted(edges, shares, side="right") for shares in (train, test)]
    most = {one: majority_prediction(labels[bins[0] == one])[0] for one in np.unique(bins[0])}
    fallback = majority_prediction(labels)[0]
    return np.array([most.get(one, fallback) for one in bins[1]], dtype=object)


def _naive_bayes(train: pd.Series, labels: Values, test: pd.Series) -> Values:
    """Multinomial naive Bayes with add-one smoothing; a word that no text had counts nothing."""
    names, counts = np.unique(labels, return_counts=True)
    words: dict[str, Counter[str]] = {name: Counter() for name in names}
    for text, label in zip(train, labels, strict=True):
        words[label].update(word.lower() for word in text)
    vocabulary = set().union(*words.values())
    totals = {name: words[name].total() + len(vocabulary) for name in names}
    prior = {name: log(count / len(labels)) for name, count in zip(names, counts, strict=True)}

    def answer(text: Sequence[str]) -> str:
        heard = [word.lower() for word in text if word.lower() in vocabulary]
        return max(
            names,
            key=lambda name: (
                prior[name] + sum(log((words[name][word] + 1) / totals[name]) for word in heard)
            ),
        )

    return np.array([answer(text) for text in test], dtype=object)
