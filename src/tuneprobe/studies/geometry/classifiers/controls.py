"""Control labels: how much of an accuracy could the probe have learned by heart?

Hewitt & Liang 2019: every word type gets one random label, whatever its context. A probe that
does well on these memorises types; its accuracy on a task says less about the representation.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tuneprobe.errors import TuneprobeError
from tuneprobe.rng import stream_seed


class ControlError(TuneprobeError):
    """Word types that control labels cannot be given to."""


def control_labels(
    types: Sequence[str], y_train: ArrayLike, *, seed: int = 13
) -> NDArray[np.generic]:
    """A random label for each word type, drawn from the distribution of the training labels.

    The draw depends on the type's name and the seed alone, so train and test get the same
    label for a type when called with the same `y_train`, in any order.

    Parameters
    ----------
    types : sequence of str, of length n
        Type of each example: what the tokenizer makes of the word, or of both words of a pair.
    y_train : array of shape (n_train,)
        Task labels of the training examples.
    seed : int

    Returns
    -------
    ndarray of shape (n,)

    Examples
    --------
    >>> labels = control_labels(["the", "cat", "the"], ["noun", "verb", "verb"])
    >>> bool(labels[0] == labels[2])
    True
    """
    labels, counts = np.unique(np.asarray(y_train), return_counts=True)
    if not len(labels):
        raise ControlError("no training labels came: a control label is drawn from them.")
    bounds = np.cumsum(counts) / counts.sum()
    draw = {word: stream_seed(seed, "control", word) / 2**63 for word in set(types)}
    places = np.searchsorted(bounds[:-1], [draw[word] for word in types], side="right")
    return labels[places]


def selectivity(accuracy: float, control_accuracy: float) -> float:
    """Accuracy on the task minus accuracy on the control labels, in points (Hewitt & Liang 2019).

    Both from the same probe: equal sizes, decay, regimen and number of initialisations.

    >>> selectivity(97.2, 71.2)
    26.0
    """
    return accuracy - control_accuracy
