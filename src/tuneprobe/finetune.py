"""Fine-tuning: one training loop for every head.

AdamW, linear warm-up and decay, clipped gradients. The same settings give the same bytes, also
when the process was killed and started again: the order of an epoch and the dropout of a step are
drawn from streams of their own, so a resume point holds weights, moments and losses, no generator.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import AdamW
from tqdm import tqdm

from tuneprobe.checkpoints import (
    ResumePoint,
    read_resume_point,
    remove_resume_point,
    write_checkpoint,
    write_resume_point,
)
from tuneprobe.corpora.question import Question
from tuneprobe.curves import training_curve
from tuneprobe.encoder import Encoder
from tuneprobe.errors import TuneprobeError, UnknownNameError
from tuneprobe.heads import Head, last_layer, make_head
from tuneprobe.rng import rng, stream_seed
from tuneprobe.windows import training_windows

CHUNK = 32  # batches within which inputs are sorted by length, so that little is padded
MOMENTS = ("exp_avg", "exp_avg_sq")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
TUNED_STATES = ("frozen", "finetuned")
LAST = 10  # steps whose mean loss is the last loss


class TrainingError(TuneprobeError):
    """A training that cannot go on."""


class TrainingSet(Protocol):
    """Inputs with targets: what `finetune` can train on."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Word pieces of each input."""

    def batch(self, rows: NDArray[np.int64]) -> dict[str, Tensor]:
        """Padded inputs and targets of some rows."""

    def sha256(self) -> str:
        """Fingerprint of everything that `batch` can return."""


def finetune_reader(
    encoder: Encoder,
    questions: Sequence[Question],
    *,
    state: str,
    learning_rate: float,
    head_learning_rate: float,
    window: int,
    stride: int,
    max_question: int,
    null_keep: float,
    seed: int,
    **training: Any,
) -> list[float]:
    """Tune a pre-trained encoder to read: window the training questions, draw a head, train both.

    Parameters
    ----------
    questions : sequence of Question
        Those whose split is ``train`` are used.
    state : str
        ``finetuned``, or ``frozen``: the head alone is trained, at `head_learning_rate`.
    training : Any
        Passed on to `finetune`.
    """
    if state not in TUNED_STATES:
        raise UnknownNameError("state", state, TUNED_STATES)
    data = training_windows(
        encoder,
        [question for question in questions if question.split == "train"],
        window=window,
        stride=stride,
        max_question=max_question,
        null_keep=null_keep,
        seed=seed,
    )
    freeze = state == "frozen"
    return finetune(
        encoder,
        make_head("qa", encoder.dim, seed),
        data,
        kind="qa",
        freeze=freeze,
        learning_rate=head_learning_rate if freeze else learning_rate,
        seed=seed,
        **training,
    )


def finetune(
    encoder: Encoder,
    head: Head,
    data: TrainingSet,
    *,
    kind: str,
    epochs: int,
    batch: int,
    learning_rate: float,
    weight_decay: float,
    warmup: float,
    clip: float,
    precision: str,
    seed: int,
    freeze: bool = False,
    resume_every: int,
    out: Path,
    work: Path,
    curves: Path | None = None,
) -> list[float]:
    """Tune encoder and head in place, write the checkpoint, return the loss of each step.

    Parameters
    ----------
    kind : str
        Kind of head, for whoever reads the checkpoint.
    batch : int
        Inputs per step.
    warmup : float
        Share of the steps in which the learning rate rises; then it falls to zero.
    clip : float
        Largest norm of all gradients together.
    precision : str
        ``float32``, or ``bfloat16`` (autocast; the weights stay float32).
    freeze : bool
        Train the head alone, on an encoder without dropout.
    resume_every : int
        Steps between two resume points.
    out : Path
        The checkpoint.
    work : Path
        The resume point, removed at the end. One of another training is ignored and replaced.
    curves : Path, optional
        Where DVCLive writes the training curve.

    Raises
    ------
    TrainingError
        If the loss is no longer finite. Neither checkpoint nor curve is left behind.
    """
    if precision not in PRECISIONS:
        raise UnknownNameError("precision", precision, PRECISIONS)
    head = head.to(encoder.device)
    weights = {f"head.{name}": weight for name, weight in head.named_parameters()}
    if not freeze:
        weights |= {f"encoder.{name}": weight for name, weight in encoder.model.named_parameters()}
    optimizer = adamw(weights.values(), weight_decay)
    plan = [rows for n in range(epochs) for rows in epoch_batches(data.lengths, batch, seed, n)]
    settings = {
        "epochs": epochs,
        "batch": batch,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "warmup": warmup,
        "clip": clip,
        "precision": precision,
    }
    fingerprint = _fingerprint(encoder, head, data, freeze=freeze, seed=seed, **settings)
    losses = _resume(read_resume_point(work, fingerprint), weights, optimizer)
    with (
        _training_mode(encoder, head, freeze),
        training_curve(curves, losses) as plot,
        tqdm(total=len(plan), initial=len(losses), desc=kind, unit="step", disable=None) as bar,
    ):
        for step in range(len(losses), len(plan)):
            rate = learning_rate * schedule(step, len(plan), warmup)
            with _dropout_stream(encoder.device, seed, step):
                loss = _loss(encoder, head, data.batch(plan[step]), freeze, PRECISIONS[precision])
            _refuse_not_finite(loss.item(), step, len(plan), rate)
            _update(loss, optimizer, weights.values(), rate, clip)
            losses.append(loss.item())
            plot(losses)
            bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
            bar.update()
            if len(losses) % resume_every == 0:
                point = ResumePoint(losses, _tensors(weights, optimizer))
                write_resume_point(work, fingerprint, point)
    write_checkpoint(
        out,
        encoder,
        head,
        kind=kind,
        frozen=freeze,
        seed=seed,
        settings=settings,
        data_sha256=data.sha256(),
        n_inputs=len(data.lengths),
        n_steps=len(plan),
        last_loss=float(np.mean(losses[-LAST:])),
    )
    remove_resume_point(work)
    return losses


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


def _loss(
    encoder: Encoder, head: Head, batch: dict[str, Tensor], freeze: bool, precision: torch.dtype
) -> Tensor:
    lower = precision != torch.float32
    with (
        torch.set_grad_enabled(not freeze),
        torch.autocast(encoder.device.type, dtype=precision, enabled=lower),
    ):
        hidden = last_layer(encoder, batch)
    return head.loss(hidden.float(), batch)


def _update(
    loss: Tensor, optimizer: AdamW, weights: Iterable[nn.Parameter], rate: float, clip: float
) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
    loss.backward()
    clip_grad_norm_(weights, clip)
    optimizer.step()
    optimizer.zero_grad()


def _refuse_not_finite(loss: float, step: int, n_steps: int, rate: float) -> None:
    if not np.isfinite(loss):
        raise TrainingError(
            f"the loss is {loss} at step {step + 1} of {n_steps} (learning rate {rate:.2e}); "
            "nothing was written. Lower finetune.learning_rate (finetune.head_learning_rate in "
            "the state frozen), or set finetune.precision=float32."
        )


@contextmanager
def _training_mode(encoder: Encoder, head: Head, freeze: bool) -> Iterator[None]:
    """Dropout on in what is trained, and off again at the end."""
    encoder.model.train(not freeze)
    head.train()
    try:
        yield
    finally:
        encoder.model.eval()
        head.eval()


@contextmanager
def _dropout_stream(device: torch.device, seed: int, step: int) -> Iterator[None]:
    """Draw dropout from a stream of this step, and leave the global generator as it was."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(stream_seed(seed, "dropout", step))
        yield


def _fingerprint(encoder: Encoder, head: Head, data: TrainingSet, **settings: Any) -> str:
    """Of all that determines a training, to the last bit."""
    digest = sha256()
    for tensor in head.state_dict().values():
        digest.update(tensor.cpu().numpy().tobytes())
    facts = {
        **settings,
        "weights": encoder.weights_sha256,
        "head": digest.hexdigest(),
        "data": data.sha256(),
        "device": encoder.device.type,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _tensors(weights: dict[str, nn.Parameter], optimizer: AdamW) -> dict[str, Tensor]:
    """Weights and moments by name."""
    tensors: dict[str, Tensor] = {}
    for name, weight in weights.items():
        tensors[name] = weight.detach()
        for moment in MOMENTS:
            tensors[f"{moment}.{name}"] = optimizer.state[weight][moment]
    return tensors


def _resume(
    point: ResumePoint | None, weights: dict[str, nn.Parameter], optimizer: AdamW
) -> list[float]:
    """Put weights and moments back; the losses of the steps that are done."""
    if point is None:
        return []
    for name, weight in weights.items():
        weight.data.copy_(point.tensors[name])
        optimizer.state[weight] = {
            "step": torch.tensor(float(len(point.losses)), device=weight.device),
            **{moment: point.tensors[f"{moment}.{name}"].to(weight.device) for moment in MOMENTS},
        }
    return list(point.losses)
