"""Fine-tuning: one training loop for every head.

AdamW, linear warm-up and decay, clipped gradients. The same settings give the same bytes, also
when the process was killed and started again: the order of an epoch and the dropout of a step are
drawn from streams of their own, so a resume point holds weights, moments and losses, no generator.
Several processes (`tuneprobe.encoders.parallel`) take the same batches and share the inputs of
each: the numbers of one process but for rounding and dropout, which each draws from its own stream.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from tuneprobe.digests import code_sha256, package_versions
from tuneprobe.encoders.encoder import PRECISIONS, Encoder
from tuneprobe.encoders.parallel import (
    is_main,
    mean_loss,
    n_processes,
    rank,
    require_same,
    share,
    wait_for_all,
)
from tuneprobe.errors import TuneprobeError, UnknownNameError
from tuneprobe.formats.question import Question
from tuneprobe.states import FINETUNED, FROZEN
from tuneprobe.tuning.checkpoints import (
    read_resume_point,
    remove_resume_point,
    write_checkpoint,
    write_resume_point,
)
from tuneprobe.tuning.curves import training_curve
from tuneprobe.tuning.frozen import fits, read_once
from tuneprobe.tuning.heads import Head, make_head
from tuneprobe.tuning.training import (
    Training,
    TrainingSet,
    epoch_batches,
    random_stream,
    schedule,
    used_pieces,
)
from tuneprobe.tuning.ways import FULL, trained_by, way_of
from tuneprobe.tuning.windows import training_windows

TUNED_STATES = (FROZEN, FINETUNED)
LAST = 10  # steps whose mean loss is the last loss


class TrainingError(TuneprobeError):
    """A training that cannot go on."""


def finetune_reader(
    encoder: Encoder,
    questions: Iterable[Question],
    *,
    state: str,
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
    questions : iterable of Question
        Those whose split is ``train`` are used; read once.
    state : str
        ``finetuned``, or ``frozen``: the head alone is trained.
    training : Any
        Passed on to `finetune`.
    """
    if state not in TUNED_STATES:
        raise UnknownNameError("state", state, TUNED_STATES)
    data = training_windows(
        encoder,
        (question for question in questions if question.split == "train"),
        window=window,
        stride=stride,
        max_question=max_question,
        null_keep=null_keep,
        seed=seed,
    )
    return finetune(
        encoder,
        make_head("qa", encoder.dim, seed),
        data,
        kind="qa",
        state=state,
        seed=seed,
        **training,
    )


def finetune(
    encoder: Encoder,
    head: Head,
    data: TrainingSet,
    *,
    kind: str,
    state: str = FINETUNED,
    head_only: bool = False,
    way: str = FULL,
    lora: Mapping[str, Any] | None = None,
    bitfit: Mapping[str, Any] | None = None,
    epochs: int,
    batch: int,
    learning_rate: float,
    head_learning_rate: float,
    weight_decay: float,
    warmup: float,
    clip: float,
    precision: str,
    seed: int,
    attention_dropout: bool = False,
    head_epochs: int | None = None,
    resume_every: int,
    out: Path | None,
    work: Path,
    curves: Path | None = None,
    facts: Mapping[str, Any] | None = None,
    visit: Callable[[int, Head], None] | None = None,
    visit_every: int = 1,
    resumable: Callable[[int], bool] | None = None,
) -> list[float]:
    """Tune encoder and head in place, write the checkpoint, return the loss of each step.

    Parameters
    ----------
    kind : str
        Kind of head, for whoever reads the checkpoint.
    state : str
        ``frozen`` trains the head alone, on an encoder without dropout, whose last layer is
        computed once (by each of several processes) and standardised; where it is too large to
        be kept, it is computed in every step, as it is. Any other state trains both.
    head_epochs : int, optional
        Passes of a head alone where the last layer is computed once, so that a pass costs little
        and the head can converge; `epochs` otherwise.
    head_only : bool
        Train the head alone whatever the state, and write the encoder as it is: it was tuned
        elsewhere.
    way, lora, bitfit
        What of the encoder is trained where the head is not alone, and the settings of two ways;
        with `learning_rate` and `head_learning_rate` as in `ways.way_of`.
    batch : int
        Inputs per step, of all processes together.
    warmup : float
        Share of the steps in which the learning rate rises; then it falls to zero.
    clip : float
        Largest norm of all gradients together.
    precision : str
        ``float32``, or ``bfloat16`` (autocast; the weights stay float32).
    attention_dropout : bool
        Also drop attention weights, as BERT did. Without it torch's fused attention can be used,
        which is up to twice as fast on a processor; all other dropout stays.
    resume_every : int
        Steps between two resume points.
    out : Path or None
        The checkpoint, if one is wanted.
    work : Path
        The resume point, removed at the end. One of another training is ignored and replaced.
    curves : Path, optional
        Where DVCLive writes the training curve.
    facts : mapping, optional
        What else describes the training; goes into meta.json.
    visit : callable, optional
        Called with the number of updates so far and the head, when encoder and head are in
        evaluation mode: before the first update, after every `visit_every` and after the last. A
        resumed training does not call again for what came before its resume point.
    resumable : callable, optional
        Whether what `visit` made of so many steps is whole; if not, the training begins anew.

    Raises
    ------
    TrainingError
        If the loss is no longer finite. Neither checkpoint nor curve is left behind.
    """
    if precision not in PRECISIONS:
        raise UnknownNameError("precision", precision, PRECISIONS)
    frozen = state == FROZEN or head_only
    rates = {"learning_rate": learning_rate, "head_learning_rate": head_learning_rate}
    how, rate = way_of(state, head_only, **rates, way=way, lora=lora, bitfit=bitfit)
    once = frozen and fits(encoder, data)
    if once and head_epochs is not None:
        epochs = head_epochs
    described: dict[str, Any] = {
        **(facts or {}),
        "kind": kind,
        "state": state,
        "seed": seed,
        "settings": {
            "epochs": epochs,
            "batch": batch,
            "learning_rate": rate,
            "weight_decay": weight_decay,
            "warmup": warmup,
            "clip": clip,
            "precision": precision,
            "attention_dropout": attention_dropout,
            **how.facts,
        },
        "data_sha256": data.sha256(),
    }
    if n_processes() > 1:  # another order of sums, and other streams of dropout
        described["processes"] = n_processes()
    if head_only:
        described["head_only"] = True
    plan = [rows for n in range(epochs) for rows in epoch_batches(data.lengths, batch, seed, n)]
    head = head.to(encoder.device)
    fingerprint = _fingerprint(encoder, head, visit_every=visit_every, **described)
    with trained_by(how, encoder, seed) as adapted:
        training = Training(
            encoder,
            head,
            freeze=frozen,
            weight_decay=weight_decay,
            attention_dropout=attention_dropout,
            precision=PRECISIONS[precision],
            pieces=None if frozen or how.name != FULL else used_pieces(data),
        )
        point = read_resume_point(work, fingerprint)
        if point and resumable and not resumable(len(point.losses)):
            point = None
        losses = training.resume(point)
        require_same("the training", fingerprint)
        require_same("the number of finished steps", str(len(losses)))
        kept = read_once(training, data, work.parent) if once else None
        pace = {"learning_rate": rate, "warmup": warmup, "clip": clip}

        def look(step: int) -> None:
            if visit and (step % visit_every == 0 or step == len(plan)):
                with training.resting(), adapted.merged() if adapted else nullcontext():
                    visit(step, head)

        shown = curves if is_main() else None
        with training.running(), training_curve(shown, losses) as plot, _removed_on_failure(work):
            if not losses:
                look(0)
            for loss in _steps(training, kept or data, plan, len(losses), seed=seed, **pace):
                losses.append(loss)
                plot(losses)
                look(len(losses))
                if len(losses) % resume_every == 0 and is_main():
                    write_resume_point(work, fingerprint, training.resume_point(losses))
        if kept:
            kept.fold()
        adapter = adapted.take(merge=True) if adapted else None
    if is_main():
        if out is not None:
            described["n_inputs"], described["n_steps"] = len(data.lengths), len(plan)
            described["last_loss"] = float(np.mean(losses[-LAST:]))
            write_checkpoint(out, encoder, head, adapter=adapter, **described)
        remove_resume_point(work)
    wait_for_all()
    return losses


def _steps(
    training: Training,
    data: TrainingSet,
    plan: Sequence[NDArray[np.int64]],
    first: int,
    *,
    learning_rate: float,
    warmup: float,
    clip: float,
    seed: int,
) -> Iterator[float]:
    """Take the steps from `first` on, each on its rows of `plan`; yield the loss after each."""
    steps = range(first, len(plan))
    own_stream = (rank(),) if rank() else ()
    quiet = None if is_main() else True
    for step in tqdm(steps, "tune", len(plan), initial=first, unit="step", disable=quiet):
        rate = learning_rate * schedule(step, len(plan), warmup)
        rows, n = share(plan[step])
        batch = data.batch(rows)
        with random_stream(training.encoder.device, seed, "dropout", step, *own_stream):
            loss = training.loss(batch)
        mean, part = mean_loss(loss, n and training.head.n_targets(batch))
        if not torch.isfinite(mean):
            raise TrainingError(
                f"the loss is {mean.item()} at step {step + 1} of {len(plan)}, at learning rate "
                f"{rate:.2e}; nothing was written. Lower learning_rate (in the state frozen: "
                "head_learning_rate), or set precision to float32."
            )
        training.update(part, rate, clip)
        yield mean.item()


@contextmanager
def _removed_on_failure(work: Path) -> Iterator[None]:
    """Remove the resume point of a training that cannot go on."""
    try:
        yield
    except TrainingError:
        remove_resume_point(work)
        raise


def _fingerprint(encoder: Encoder, head: Head, **settings: Any) -> str:
    """Of all that determines a training, to the last bit."""
    digest = sha256()
    for tensor in head.state_dict().values():
        digest.update(tensor.cpu().numpy().tobytes())
    facts = {
        **settings,
        "weights": encoder.weights_sha256,
        "head": digest.hexdigest(),
        "device": encoder.device.type,
        "threads": torch.get_num_threads(),
        "code": code_sha256(),
        "packages": package_versions(),
    }
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
