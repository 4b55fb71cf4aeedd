"""Many small networks trained at once: every size, weight decay and initialisation in one stack.

Networks of equal depth are stacked along the first axis, so that a layer of all of them is one
batched matrix product. They share the mini-batches and nothing else: each has its own loss, weight
decay and early stopping, and ends where it would end alone. One that has stopped leaves the stack.

A narrow network in a wider stack is padded with units whose weights, in and out, are zero. Such a
unit gives 0, receives a zero gradient and so stays zero: the padding needs no mask.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from tuneprobe.errors import UnknownNameError
from tuneprobe.rng import rng

MONITORS = ("accuracy", "loss")


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
        score is never one that was dropped. Empty: each trains to its own end.
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

    def log_probabilities(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Natural logarithm of each label's probability, shape (n, n_labels)."""
        H = torch.from_numpy(X)
        for weights, biases in self.layers[:-1]:
            H = torch.relu(torch.addmm(biases, H, weights))
        weights, biases = self.layers[-1]
        return torch.log_softmax(torch.addmm(biases, H, weights).double(), dim=-1).numpy()

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.int64]:
        """The most probable label of each row, shape (n,); the first of equals."""
        return self.log_probabilities(X).argmax(axis=1)


def train(
    networks: Sequence[Network],
    X: NDArray[np.float32],
    y: NDArray[np.int64],
    X_held: NDArray[np.float32],
    y_held: NDArray[np.int64],
    n_labels: int,
    *,
    regimen: Regimen | None = None,
    seed: int = 13,
    device: str = "cpu",
    padded: bool | None = None,
) -> list[Trained]:
    """The trained networks, in the order given.

    Parameters
    ----------
    networks : sequence of Network
    X, y : arrays of shape (n, dim) and (n,)
        Training examples; labels are 0 ... n_labels - 1.
    X_held, y_held : arrays of shape (n_held, dim) and (n_held,)
        Examples that early stopping looks at.
    regimen : Regimen
    seed : int
        Of the initial weights and of the order of the examples. The result of a network does not
        depend on the others (but for float32 rounding), unless they race.
    device : str
        Of torch: ``cpu``, ``cuda``, ...
    padded : bool
        Networks of one depth share one stack, as wide as the widest: many times fewer kernels, for
        a GPU. Otherwise a stack holds equal sizes and no product is wasted. Default: not on a CPU.
    """
    regimen = regimen or Regimen()
    if regimen.monitor not in MONITORS:
        raise UnknownNameError("monitor", regimen.monitor, MONITORS)
    padded = device != "cpu" if padded is None else padded
    order = sorted(range(len(networks)), key=lambda i: _sizes(networks[i], padded))
    stacks = [
        _Stack(networks, list(rows), X.shape[1], n_labels, regimen, seed, device)
        for _, rows in groupby(order, key=lambda i: _sizes(networks[i], padded))
    ]
    train_X, held_X = (torch.from_numpy(part).to(device) for part in (X, X_held))
    train_y, held_y = (torch.from_numpy(part).to(device) for part in (y, y_held))
    for epoch in range(1, regimen.max_epochs + 1):
        shuffled = torch.from_numpy(rng(seed, "networks", "order", epoch).permutation(len(X)))
        shuffled = shuffled.to(device)
        epoch_X, epoch_y = train_X[shuffled], train_y[shuffled]
        for stack in stacks:
            stack.epoch(epoch_X, epoch_y)
            stack.observe(held_X, held_y)
        if epoch in regimen.race:
            _drop_worse_half(stacks)
        if not any(len(stack.running) for stack in stacks):
            break
    done = dict(pair for stack in stacks for pair in stack.finish())
    return [done[row] for row in range(len(networks))]


def _sizes(network: Network, padded: bool) -> tuple[int, ...]:
    """What networks of one stack have in common."""
    return (len(network.hidden),) if padded else network.hidden


def _drop_worse_half(stacks: list["_Stack"]) -> None:
    """Take the worse half of the contenders out of the race; equals of the last one in stay."""
    scores = np.sort(np.concatenate([stack.best_score[stack.contending] for stack in stacks]))
    bar = scores[len(scores) // 2]
    for stack in stacks:
        stack.contending &= stack.best_score >= bar
        stack.keep(stack.contending[stack.running])


class _Stack:
    """Networks of one depth, their Adam state and the best weights of each so far.

    ``running`` lists the networks still in training: row k of each parameter is ``running[k]``.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        rows: list[int],
        dim: int,
        n_labels: int,
        regimen: Regimen,
        seed: int,
        device: str,
    ) -> None:
        self.rows, self.networks, self.regimen = rows, [networks[row] for row in rows], regimen
        self.ends = (dim, n_labels)
        self.parameters = _initial_parameters(self.networks, *self.ends, seed, device)
        self.adam = self._new_adam(self.parameters)
        decays = [network.decay for network in self.networks]
        self.decay = torch.tensor(decays, dtype=torch.float32, device=device)[:, None, None]
        self.best = [parameter.detach().clone() for parameter in self.parameters]
        self.best_score = np.full(len(rows), -np.inf)
        self.best_loss = np.full(len(rows), np.inf)
        self.waited = np.zeros(len(rows), dtype=np.int64)
        self.epochs = np.zeros(len(rows), dtype=np.int64)
        self.running = np.arange(len(rows))
        self.contending = np.ones(len(rows), dtype=np.bool_)

    def epoch(self, X: Tensor, y: Tensor) -> None:
        """One pass over the examples, in the order given."""
        if not len(self.running):
            return
        for batch_X, batch_y in zip(X.split(self.regimen.batch), y.split(self.regimen.batch)):
            self._step(batch_X, batch_y)
        self.epochs[self.running] += 1

    def observe(self, X: Tensor, y: Tensor) -> None:
        """Score the held-out examples, remember the best weights, stop what has waited enough."""
        if not len(self.running):
            return
        accuracy, loss = self._held_out(X, y)
        score = accuracy if self.regimen.monitor == "accuracy" else -loss
        now = self.running
        self.waited[now] += 1
        self.waited[now[score >= self.best_score[now] + self.regimen.tolerance]] = 0
        equal = score == self.best_score[now]
        better = (score > self.best_score[now]) | (equal & (loss < self.best_loss[now]))
        self.best_score[now[better]] = score[better]
        self.best_loss[now[better]] = loss[better]
        for kept, parameter in zip(self.best, self.parameters):
            kept[now[better]] = parameter.detach()[better]
        self.keep(self.waited[now] <= self.regimen.patience)

    def keep(self, going: NDArray[np.bool_]) -> None:
        """Go on with some of the running networks; the stack shrinks to them."""
        if going.all():
            return
        rows = torch.from_numpy(np.flatnonzero(going)).to(self.decay.device)
        self.running, self.decay = self.running[going], self.decay[rows]
        kept = [parameter.detach()[rows].requires_grad_() for parameter in self.parameters]
        adam = self._new_adam(kept)
        for old, new in zip(self.parameters, kept):
            state = self.adam.state[old]
            adam.state[new] = {
                "step": state["step"],
                "exp_avg": state["exp_avg"][rows],
                "exp_avg_sq": state["exp_avg_sq"][rows],
            }
        self.parameters, self.adam = kept, adam

    def finish(self) -> Iterator[tuple[int, Trained]]:
        """Each network with its best weights, the padding cut off."""
        dim, n_labels = self.ends
        for k, (row, network) in enumerate(zip(self.rows, self.networks)):
            sizes = (dim, *network.hidden, n_labels)
            layers = tuple(
                (weights[k, :n_in, :n_out].cpu().clone(), biases[k, 0, :n_out].cpu().clone())
                for weights, biases, n_in, n_out in zip(
                    self.best[::2], self.best[1::2], sizes, sizes[1:]
                )
            )
            yield row, Trained(network, layers, float(self.best_score[k]), int(self.epochs[k]))

    def _new_adam(self, parameters: list[Tensor]) -> torch.optim.Adam:
        return torch.optim.Adam(parameters, lr=self.regimen.learning_rate, fused=True)

    def _logits(self, X: Tensor) -> Tensor:
        """Outputs of all running networks, shape (n_running, n, n_labels)."""
        H = X.expand(len(self.running), -1, -1)
        for weights, biases in zip(self.parameters[:-2:2], self.parameters[1:-2:2]):
            H = torch.baddbmm(biases, H, weights).relu()
        return torch.baddbmm(self.parameters[-1], H, self.parameters[-2])

    def _step(self, X: Tensor, y: Tensor) -> None:
        """Adam on one mini-batch; the sum over networks keeps each one's gradient its own."""
        logits = self._logits(X).flatten(0, 1)
        loss = functional.cross_entropy(logits, y.repeat(len(self.running)), reduction="sum")
        gradients = torch.autograd.grad(loss / len(X), self.parameters)
        for parameter, gradient in zip(self.parameters, gradients):
            parameter.grad = gradient
        for weights, gradient in zip(self.parameters[::2], gradients[::2]):
            gradient.addcmul_(weights.detach(), self.decay, value=1 / len(X))
        self.adam.step()

    @torch.no_grad()
    def _held_out(self, X: Tensor, y: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Accuracy and mean cross-entropy of each running network."""
        logits = self._logits(X)
        accuracy = (logits.argmax(dim=-1) == y).double().mean(dim=-1)
        log_p = torch.log_softmax(logits, dim=-1).gather(-1, y.expand(len(logits), -1)[..., None])
        return accuracy.cpu().numpy(), -log_p.double().mean(dim=(1, 2)).cpu().numpy()


def _initial_parameters(
    networks: Sequence[Network], dim: int, n_labels: int, seed: int, device: str
) -> list[Tensor]:
    """Weights (n_networks, n_in, n_out) and biases (n_networks, 1, n_out) of each layer in turn.

    Uniform within sqrt(6 / (n_in + n_out)) of each network's own sizes; zero in the padding.
    """
    hidden = [max(sizes) for sizes in zip(*(network.hidden for network in networks))]
    widths = (dim, *hidden, n_labels)
    parameters = [
        np.zeros((len(networks), rows, n_out), dtype=np.float32)
        for n_in, n_out in pairwise(widths)
        for rows in (n_in, 1)
    ]
    for k, network in enumerate(networks):
        draw = rng(seed, "networks", "init", *network.hidden, network.init)
        sizes = (dim, *network.hidden, n_labels)
        for layer, (n_in, n_out) in enumerate(pairwise(sizes)):
            bound = np.sqrt(6 / (n_in + n_out))
            parameters[2 * layer][k, :n_in, :n_out] = draw.uniform(-bound, bound, (n_in, n_out))
            parameters[2 * layer + 1][k, 0, :n_out] = draw.uniform(-bound, bound, n_out)
    return [torch.from_numpy(values).to(device).requires_grad_() for values in parameters]
