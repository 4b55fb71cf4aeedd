"""Steps of a training: order of the inputs, learning rate, dropout, optimizer."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import AdamW

from tuneprobe.checkpoints import ResumePoint
from tuneprobe.encoder import Encoder
from tuneprobe.heads import Head, last_layer
from tuneprobe.rng import rng, stream_seed

CHUNK = 32  # batches within which inputs are sorted by length, so that little is padded
MOMENTS = ("exp_avg", "exp_avg_sq")
SELF_ATTENTION = "attention.self"  # the module that drops attention weights


class Training:
    """Encoder, head and optimizer: what a step changes and a resume point holds."""

    def __init__(self, encoder: Encoder, head: Head, freeze: bool, weight_decay: float) -> None:
        self.encoder, self.head, self.freeze = encoder, head, freeze
        self.weights = {f"head.{name}": weight for name, weight in head.named_parameters()}
        if not freeze:
            named = encoder.model.named_parameters()
            self.weights |= {f"encoder.{name}": weight for name, weight in named}
        self.optimizer = adamw(self.weights.values(), weight_decay)

    def loss(self, batch: dict[str, Tensor], precision: torch.dtype) -> Tensor:
        """Mean loss of one batch; below float32 the encoder runs under autocast."""
        lower = precision != torch.float32
        with (
            torch.set_grad_enabled(not self.freeze),
            torch.autocast(self.encoder.device.type, dtype=precision, enabled=lower),
        ):
            hidden = last_layer(self.encoder, batch)
        return self.head.loss(hidden.float(), batch)

    def update(self, loss: Tensor, rate: float, clip: float) -> None:
        """One step of the optimizer."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss.backward()
        clip_grad_norm_(self.weights.values(), clip)
        self.optimizer.step()
        self.optimizer.zero_grad()

    @contextmanager
    def dropout_on(self, attention_dropout: bool) -> Iterator[None]:
        """Dropout in what is trained, until the end of the block."""
        self.head.train()
        self.encoder.model.train(not self.freeze)
        for name, module in self.encoder.model.named_modules():
            if name.endswith(SELF_ATTENTION) and not attention_dropout:
                module.eval()
        try:
            yield
        finally:
            self.head.eval()
            self.encoder.model.eval()

    def resume_point(self, losses: list[float]) -> ResumePoint:
        """All that the next step depends on; a weight that no step used has no moments."""
        tensors: dict[str, Tensor] = dict(self.weights)
        for name, weight in self.weights.items():
            for moment in MOMENTS:
                if weight in self.optimizer.state:
                    tensors[f"{moment}.{name}"] = self.optimizer.state[weight][moment]
        return ResumePoint(losses, tensors)

    def resume(self, point: ResumePoint | None) -> list[float]:
        """Put weights and moments back; the losses of the steps that are done."""
        if point is None:
            return []
        step = torch.tensor(float(len(point.losses)), device=self.encoder.device)
        for name, weight in self.weights.items():
            weight.data.copy_(point.tensors[name])
            moments = {moment: point.tensors.get(f"{moment}.{name}") for moment in MOMENTS}
            found = {moment: t.to(weight.device) for moment, t in moments.items() if t is not None}
            if found:
                self.optimizer.state[weight] = {"step": step.clone(), **found}
        return list(point.losses)


def epoch_batches(
    lengths: NDArray[np.int64], batch: int, seed: int, epoch: int
) -> list[NDArray[np.int64]]:
    """A random order of all inputs in batches of like length, the batches in random order.

    Inputs are shuffled, sorted by length within chunks of 32 batches, and cut into batches.
    """
    stream = rng(seed, "order", epoch)
    order = stream.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), CHUNK * batch):
        chunk = order[start : start + CHUNK * batch]
        chunk = chunk[np.argsort(lengths[chunk], kind="stable")]
        batches += [chunk[at : at + batch] for at in range(0, len(chunk), batch)]
    return [batches[number] for number in stream.permutation(len(batches))]


def schedule(step: int, n_steps: int, warmup: float) -> float:
    """Factor of the learning rate: a linear rise over the share `warmup`, then a fall to zero.

    >>> [schedule(step, 5, 0.4) for step in range(5)]
    [0.5, 1.0, 1.0, 0.6666666666666666, 0.3333333333333333]
    """
    rise = round(warmup * n_steps)
    if step < rise:
        return (step + 1) / rise
    return (n_steps - step) / (n_steps - rise)


def adamw(weights: Iterable[nn.Parameter], weight_decay: float) -> AdamW:
    """AdamW that lets biases and LayerNorm weights, the vectors among the weights, not decay."""
    weights = list(weights)
    matrices = {"params": [w for w in weights if w.ndim > 1], "weight_decay": weight_decay}
    vectors = {"params": [w for w in weights if w.ndim == 1], "weight_decay": 0.0}
    return AdamW([matrices, vectors], fused=True)


@contextmanager
def random_stream(device: torch.device, seed: int, *purpose: str | int) -> Iterator[None]:
    """Draw from a named stream inside the block, and leave torch's generators as they were."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(stream_seed(seed, *purpose))
        yield
