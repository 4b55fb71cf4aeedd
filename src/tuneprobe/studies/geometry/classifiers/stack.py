"""Many small networks trained at once: every size, weight decay and initialisation in one stack.

Networks of equal depth are stacked along the first axis, so that a layer of all of them is one
batched matrix product. They share the mini-batches and nothing else: each has its own loss, weight
decay and early stopping, and ends where it would end alone. One that has stopped leaves the stack.

A narrow network in a wider stack is padded with units whose weights, in and out, are zero. Such a
unit gives 0, receives a zero gradient and so stays zero: the padding needs no mask.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from functools import partial
from itertools import groupby, pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from tuneprobe.errors import TuneprobeError, UnknownNameError
from tuneprobe.rng import rng
from tuneprobe.studies.geometry.classifiers.networks import (
    MONITORS,
    Network,
    Regimen,
    Trained,
    rows_at_once,
)


class DivergedError(TuneprobeError):
    """A classifier whose weights or losses are not finite."""


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

    Raises
    ------
    TuneprobeError
        For the device ``cuda`` where torch finds none.
    DivergedError
        If the held-out loss of a network is not finite.
    """
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise TuneprobeError(
            f"device is '{device}' but torch finds no CUDA device: set geometry.classify.device to "
            "cpu, or install a torch built for your GPU."
        )
    regimen = regimen or Regimen()
    if regimen.monitor not in MONITORS:
        raise UnknownNameError("monitor", regimen.monitor, MONITORS)
    padded = device != "cpu" if padded is None else padded
    most = -(-len(networks) // _threads(device))
    stacks = [
        _Stack(networks, rows, X.shape[1], n_labels, regimen, seed, device)
        for rows in _stacked(networks, padded, most)
    ]
    train_X, held_X = (torch.from_numpy(part).to(device) for part in (X, X_held))
    train_y, held_y = (torch.from_numpy(part).to(device) for part in (y, y_held))
    examples = (train_X, train_y, held_X, held_y)
    laps = sorted({epoch for epoch in regimen.race if epoch < regimen.max_epochs})
    running = stacks
    with _side_by_side(device) as over:
        for done, last in pairwise([0, *laps, regimen.max_epochs]):
            running = _shared([stack for stack in running if len(stack.running)], _threads(device))
            lap = range(done + 1, last + 1)
            list(over(partial(_Stack.run, lap=lap, examples=examples), running))
            if last in regimen.race:
                _drop_worse_half(stacks, running)
                if sum(stack.contending.sum() for stack in stacks) == 1:
                    break
    trained = dict(pair for stack in stacks for pair in stack.finish())
    return [trained[row] for row in range(len(networks))]


def _stacked(networks: Sequence[Network], padded: bool, most: int) -> Iterator[list[int]]:
    """Rows of `networks` that share a stack, at most `most`; stacks of large networks first."""

    def common(row: int) -> tuple[int, ...]:
        hidden = networks[row].hidden
        return (len(hidden),) if padded else hidden

    order = sorted(range(len(networks)), key=common, reverse=True)
    for _, group in groupby(order, key=common):
        rows = list(group)
        for first in range(0, len(rows), most):
            yield rows[first : first + most]


def _shared(stacks: list["_Stack"], threads: int) -> list["_Stack"]:
    """The same networks in as many stacks as threads, where there are as many networks."""
    while stacks and len(stacks) < threads:
        largest = max(stacks, key=lambda stack: len(stack.running))
        if len(largest.running) < 2:
            break
        stacks = [*stacks, largest.split()]
    return stacks


def _threads(device: str) -> int:
    return torch.get_num_threads() if device == "cpu" else 1


@contextmanager
def _side_by_side(device: str) -> Iterator[Callable[..., Iterable[None]]]:
    """A `map` over stacks; on a CPU they run at once, one thread each.

    Small products gain little from two threads, and threads that wait for each other thousands of
    times a second suffer most from a busy machine. Whole stacks do not wait.
    """
    threads = _threads(device)
    if threads == 1:
        yield map
        return
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(threads)


def _drop_worse_half(stacks: list["_Stack"], running: list["_Stack"]) -> None:
    """Take the worse half of the contenders out of the race; equals of the last one in stay."""
    scores = np.sort(np.concatenate([stack.best_score[stack.contending] for stack in stacks]))
    bar = scores[len(scores) // 2]
    for stack in stacks:
        stack.contending &= stack.best_score >= bar
    for stack in running:
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
        self.ends, self.seed = (dim, n_labels), seed
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

    def run(self, lap: range, examples: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
        """Some epochs: a pass over the training examples, then a look at the held-out ones."""
        X, y, X_held, y_held = examples
        for epoch in lap:
            if not len(self.running):
                return
            order = rng(self.seed, "networks", "order", epoch).permutation(len(X))
            rows = torch.from_numpy(order).to(X.device)
            self.learn(X[rows], y[rows])
            self.observe(X_held, y_held)

    def learn(self, X: Tensor, y: Tensor) -> None:
        """One pass over the examples, in the order given."""
        for batch_X, batch_y in zip(
            X.split(self.regimen.batch), y.split(self.regimen.batch), strict=True
        ):
            self._step(batch_X, batch_y)
        self.epochs[self.running] += 1

    def observe(self, X: Tensor, y: Tensor) -> None:
        """Score the held-out examples, remember the best weights, stop what has waited enough."""
        accuracy, loss = self._held_out(X, y)
        if not np.isfinite(loss).all():
            network = self.networks[self.running[int(np.isfinite(loss).argmin())]]
            raise DivergedError(
                f"the classifier of sizes {network.hidden} and decay {network.decay:g} has a "
                f"held-out loss of {loss[~np.isfinite(loss)][0]} after "
                f"{self.epochs[self.running].max()} epochs at learning rate "
                f"{self.regimen.learning_rate:g}: lower geometry.classify.regimen.learning_rate."
            )
        score = accuracy if self.regimen.monitor == "accuracy" else -loss
        now = self.running
        self.waited[now] += 1
        self.waited[now[score >= self.best_score[now] + self.regimen.tolerance]] = 0
        equal = score == self.best_score[now]
        better = (score > self.best_score[now]) | (equal & (loss < self.best_loss[now]))
        self.best_score[now[better]] = score[better]
        self.best_loss[now[better]] = loss[better]
        for kept, parameter in zip(self.best, self.parameters, strict=True):
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
        for old, new in zip(self.parameters, kept, strict=True):
            state = self.adam.state[old]
            adam.state[new] = {
                "step": state["step"],
                "exp_avg": state["exp_avg"][rows],
                "exp_avg_sq": state["exp_avg_sq"][rows],
            }
        self.parameters, self.adam = kept, adam

    def split(self) -> "_Stack":
        """Half of the running networks as a stack of its own, which writes to the same records."""
        other = copy(self)
        first = np.arange(len(self.running)) < len(self.running) // 2
        other.keep(~first)
        self.keep(first)
        return other

    def finish(self) -> Iterator[tuple[int, Trained]]:
        """Each network with its best weights, the padding cut off."""
        dim, n_labels = self.ends
        for k, (row, network) in enumerate(zip(self.rows, self.networks, strict=True)):
            sizes = (dim, *network.hidden, n_labels)
            layers = tuple(
                (weights[k, :n_in, :n_out].cpu().clone(), biases[k, 0, :n_out].cpu().clone())
                for weights, biases, n_in, n_out in zip(
                    self.best[::2], self.best[1::2], sizes[:-1], sizes[1:], strict=True
                )
            )
            yield row, Trained(network, layers, float(self.best_score[k]), int(self.epochs[k]))

    def _new_adam(self, parameters: list[Tensor]) -> torch.optim.Adam:
        return torch.optim.Adam(parameters, lr=self.regimen.learning_rate, fused=True)

    def _logits(self, X: Tensor) -> Tensor:
        """Outputs of all running networks, shape (n_running, n, n_labels)."""
        H = X.expand(len(self.running), -1, -1)
        for weights, biases in zip(self.parameters[:-2:2], self.parameters[1:-2:2], strict=True):
            H = torch.baddbmm(biases, H, weights).relu()
        return torch.baddbmm(self.parameters[-1], H, self.parameters[-2])

    def _step(self, X: Tensor, y: Tensor) -> None:
        """Adam on one mini-batch; the sum over networks keeps each one's gradient its own."""
        logits = self._logits(X).flatten(0, 1)
        loss = functional.cross_entropy(logits, y.repeat(len(self.running)), reduction="sum")
        gradients = torch.autograd.grad(loss / len(X), self.parameters)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        for weights, gradient in zip(self.parameters[::2], gradients[::2], strict=True):
            gradient.addcmul_(weights.detach(), self.decay, value=1 / len(X))
        self.adam.step()

    @torch.no_grad()
    def _held_out(self, X: Tensor, y: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Accuracy and mean cross-entropy of each running network."""
        at_once = rows_at_once(len(self.running) * self.ends[1])
        right, log_p = [], []
        for block_X, block_y in zip(X.split(at_once), y.split(at_once), strict=True):
            logits = self._logits(block_X)
            right.append(logits.argmax(dim=-1) == block_y)
            own = block_y.expand(len(logits), -1)[..., None]
            log_p.append(torch.log_softmax(logits, dim=-1).gather(-1, own))
        accuracy = torch.cat(right, dim=1).double().mean(dim=-1)
        loss = -torch.cat(log_p, dim=1).double().mean(dim=(1, 2))
        return accuracy.cpu().numpy(), loss.cpu().numpy()


def _initial_parameters(
    networks: Sequence[Network], dim: int, n_labels: int, seed: int, device: str
) -> list[Tensor]:
    """Weights (n_networks, n_in, n_out) and biases (n_networks, 1, n_out) of each layer in turn.

    Uniform within sqrt(6 / (n_in + n_out)) of each network's own sizes; zero in the padding.
    """
    hidden = [max(sizes) for sizes in zip(*(network.hidden for network in networks), strict=True)]
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
