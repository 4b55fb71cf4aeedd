"""Steps of a training: order of the inputs, learning rate, dropout, optimizer."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.nn.utils import clip_grad_norm_
from torch.optim import AdamW
from torch.overrides import TorchFunctionMode

from tuneprobe.encoders.encoder import Encoder, budget_batches
from tuneprobe.encoders.parallel import add_gradients
from tuneprobe.rng import rng, stream_seed
from tuneprobe.tuning.checkpoints import ResumePoint
from tuneprobe.tuning.dropout import quick_dropout
from tuneprobe.tuning.heads import Batch, Head, last_layer
from tuneprobe.tuning.vocabulary import UsedRows

CHUNK = 32  # batches within which inputs are sorted by length, so that little is padded
MOMENTS = ("exp_avg", "exp_avg_sq")
SELF_ATTENTION = "SelfAttention"  # ends the class names of the modules that drop attention weights
PIECES_TOGETHER = 8192  # that are read to list those in use
READ = "read"  # in a batch: what the head reads, where it is known beforehand


class TrainingSet(Protocol):
    """Inputs with targets: what can be trained on."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Word pieces of each input."""

    def batch(self, rows: NDArray[np.int64]) -> Batch:
        """Padded inputs and targets of some rows."""

    def targets_of(self, rows: NDArray[np.int64]) -> Batch:
        """What the head's loss needs of some rows beside what the head reads."""

    def sha256(self) -> str:
        """Fingerprint of everything that `batch` can return."""


class Training:
    """Encoder, head and optimizer: what a step changes and a resume point holds.

    Parameters
    ----------
    freeze : bool
        Train the head alone, on an encoder without dropout; else all weights of the encoder that
        ask for gradients too.
    attention_dropout : bool
        Also drop attention weights.
    precision : torch.dtype
        Below float32 the encoder runs under autocast.
    pieces : int64 tensor, optional
        All word pieces of the training set. The others' embeddings, without gradient, decay.
    """

    def __init__(
        self,
        encoder: Encoder,
        head: Head,
        *,
        freeze: bool,
        weight_decay: float,
        attention_dropout: bool = False,
        precision: torch.dtype = torch.float32,
        pieces: Tensor | None = None,
    ) -> None:
        self.encoder, self.head, self.freeze = encoder, head, freeze
        self.weight_decay, self.attention_dropout = weight_decay, attention_dropout
        self.precision = precision
        self.embedding: nn.Embedding = encoder.model.get_input_embeddings()
        self.rows = None if freeze or pieces is None else UsedRows(self.embedding, pieces)
        self.decay = 1.0  # of the rows that are not trained, so far
        self.weights = {f"head.{name}": weight for name, weight in head.named_parameters()}
        if not freeze:
            named = encoder.model.named_parameters()
            self.weights |= {
                f"encoder.{name}": self._trained(weight)
                for name, weight in named
                if weight.requires_grad
            }
        self.optimizer = adamw(self.weights.values(), weight_decay)

    def _trained(self, weight: nn.Parameter) -> nn.Parameter:
        """The weight itself, or the used rows of it."""
        return self.rows.weight if self.rows and weight is self.embedding.weight else weight

    def loss(self, batch: Batch) -> Tensor:
        """Mean loss of one batch."""
        return self.head.loss(batch[READ] if READ in batch else self.read(batch), batch)

    def read(self, batch: Batch) -> Tensor:
        """What the head reads of the encoder's last layer, float32."""
        device, lower = self.encoder.device.type, self.precision != torch.float32
        with (
            torch.set_grad_enabled(not self.freeze),
            torch.autocast(device, dtype=self.precision, enabled=lower),
            Float32Attention() if lower and device == "cpu" else nullcontext(),
        ):
            hidden = last_layer(self.encoder, batch)
        return self.head.read(hidden.float(), batch)

    def update(self, loss: Tensor, rate: float, clip: float) -> None:
        """One step of the optimizer, on the gradients of all processes together."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss.backward()
        add_gradients(self.weights.values())
        clip_grad_norm_(self.weights.values(), clip, foreach=True)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.decay *= 1 - rate * self.weight_decay

    @contextmanager
    def running(self) -> Iterator[None]:
        """Until the end of the block: dropout in what is trained, no word piece but `pieces`."""
        with quick_dropout(self.encoder.model), quick_dropout(self.head):
            self._start()
            try:
                yield
            finally:
                self._rest()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """In a running training: the encoder as it is now, without dropout, for any word piece."""
        self._rest()
        try:
            yield
        finally:
            self._start()

    def _start(self) -> None:
        self.head.train()
        self.encoder.model.train(not self.freeze)
        for module in self.encoder.model.modules():
            if type(module).__name__.endswith(SELF_ATTENTION) and not self.attention_dropout:
                module.eval()
        if self.rows:
            self.encoder.model.set_input_embeddings(self.rows)

    def _rest(self) -> None:
        self.head.eval()
        if self.rows:
            self.rows.write_to(self.embedding, self.decay)
            self.encoder.model.set_input_embeddings(self.embedding)
        self.encoder.model.eval()

    def resume_point(self, losses: list[float]) -> ResumePoint:
        """All that the next step depends on; a weight that no step used has no moments."""
        tensors: dict[str, Tensor] = dict(self.weights)
        tensors["decay"] = torch.tensor(self.decay, dtype=torch.float64)
        for name, weight in self.weights.items():
            for moment in MOMENTS:
                if weight in self.optimizer.state:
                    tensors[f"{moment}.{name}"] = self.optimizer.state[weight][moment]
        return ResumePoint(losses, tensors)

    def resume(self, point: ResumePoint | None) -> list[float]:
        """Put weights and moments back; the losses of the steps that are done."""
        if point is None:
            return []
        self.decay = point.tensors["decay"].item()
        step = torch.tensor(float(len(point.losses)), device=self.encoder.device)
        for name, weight in self.weights.items():
            weight.data.copy_(point.tensors[name])
            moments = {moment: point.tensors.get(f"{moment}.{name}") for moment in MOMENTS}
            found = {moment: t.to(weight.device) for moment, t in moments.items() if t is not None}
            if found:
                self.optimizer.state[weight] = {"step": step.clone(), **found}
        return list(point.losses)


class Float32Attention(TorchFunctionMode):
    """Computes attention in float32 inside the block.

    torch's fused attention takes five times as long backward in bfloat16 as in float32 on a
    processor, which eats all that bfloat16 saves in the matrix products.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """`func` of `args`; of them as float32 where `func` is the fused attention."""
        if func is not scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        query, key, value = (x.float() for x in args)
        with torch.autocast("cpu", enabled=False):
            mixed: Tensor = func(query, key, value, **(kwargs or {}))
        return mixed.to(args[0].dtype)


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


def used_pieces(data: TrainingSet) -> Tensor:
    """All word pieces that any batch can hold, in ascending order."""
    extremes = np.array([data.lengths.argmin(), data.lengths.argmax()])  # padded, if any two are
    batches = [extremes, *budget_batches(data.lengths, PIECES_TOGETHER)]
    return torch.cat([data.batch(rows)["input_ids"].unique() for rows in batches]).unique()


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
    number = stream_seed(seed, *purpose)
    with torch.random.fork_rng(devices=devices):
        # torch.manual_seed formats three stack traces, longer than a head's step takes
        torch.default_generator.manual_seed(number)
        if devices:
            torch.cuda.manual_seed(number)
        yield
