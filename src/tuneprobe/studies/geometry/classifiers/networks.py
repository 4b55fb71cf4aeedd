"""The small networks that probe a representation: what one is, how it is trained, what it says."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MONITORS = ("accuracy", "loss")
AT_ONCE = 2**24  # outputs, examples x labels, that are held at once


@dataclass(frozen=True)
class Network:
    """One perceptron: ReLU layers of `hidden` units, then one output for each label.

    Attributes
    ----------
    hidden : tuple of int
        Sizes of the hidden layers; empty for a linear model.
    decay : float
        L2 penalty ``decay |W|² / 2 batch`` on the weights, not the biases: scikit-learn's `alpha`.
    init : int
        Number of the initialisation (Glorot & Bengio 2010, uniform). Networks of the same sizes
        and number start equal, whatever their decay.
    """

    hidden: tuple[int, ...]
    decay: float
    init: int = 0


@dataclass(frozen=True)
class Regimen:
    """How a network is trained; the defaults are those of scikit-learn's MLPClassifier.

    Adam on mini-batches, in a new order each epoch. After each epoch the held-out examples are
    scored. A network stops when, for more than `patience` epochs on end, no score was better than
    the best one by `tolerance`; or after `max_epochs`. The weights of the best epoch are kept; of
    epochs with equal scores, which a small held-out part has many of, the one with the lowest
    held-out cross-entropy (scikit-learn: the first).

    Attributes
    ----------
    monitor : {"accuracy", "loss"}
        The held-out score: the share of right labels, or minus the mean cross-entropy in nats.
    race : tuple of int
        Epochs after which only the better half of the networks still in the race goes on, by the
        best score so far (successive halving, Jamieson & Talwalkar 2016). The network with the best
        score is never one that was dropped. Where one is left the race is decided, and the training
        ends. Empty: each trains to its own end.
    """

    learning_rate: float = 1e-3
    batch: int = 200
    max_epochs: int = 1000
    patience: int = 10
    tolerance: float = 1e-4
    monitor: str = "accuracy"
    race: tuple[int, ...] = ()


@dataclass(frozen=True)
class Trained:
    """A network with the weights of its best epoch.

    Attributes
    ----------
    layers : tuple of (weights, biases)
        Tensors of shape (n_in, n_out) and (n_out,), on the CPU.
    score : float
        Held-out score of these weights.
    epochs : int
        Epochs trained, the ones that brought nothing included.
    """

    network: Network
    layers: tuple[tuple[Tensor, Tensor], ...]
    score: float
    epochs: int

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.int64]:
        """The most probable label of each row, shape (n,); the first of equals."""
        return np.concatenate([found.argmax(dim=1).numpy() for found in self._in_blocks(X)])

    def log_likelihoods(self, X: NDArray[np.float32], y: NDArray[np.int64]) -> NDArray[np.float64]:
        """Natural logarithm of the probability of each row's own label, shape (n,)."""
        blocks, first = [], 0
        for found in self._in_blocks(X):
            own = torch.from_numpy(y[first : first + len(found)])[:, None]
            blocks.append(found.gather(1, own)[:, 0].numpy())
            first += len(found)
        return np.concatenate(blocks)

    def _in_blocks(self, X: NDArray[np.float32]) -> Iterator[Tensor]:
        """Log-probabilities (natural) of all labels, (n_rows, n_labels), some rows at a time."""
        for block in torch.from_numpy(X).split(rows_at_once(len(self.layers[-1][1]))):
            H = block
            for weights, biases in self.layers[:-1]:
                H = torch.relu(torch.addmm(biases, H, weights))
            weights, biases = self.layers[-1]
            yield torch.log_softmax(torch.addmm(biases, H, weights).double(), dim=-1)


def rows_at_once(n_outputs: int) -> int:
    """Examples whose outputs are held at once; nearly always all.

    >>> rows_at_once(50)
    335544
    """
    return max(1, AT_ONCE // n_outputs)
