"""Snapshots: the representations of a task's spans while an encoder is tuned on it.

``step_00000`` holds those before the first update, ``step_00005`` those after five; each is a
folder of representations as `tuneprobe.encoders.represent` writes it. meta.json lists the steps.
"""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from tuneprobe.artifacts import atomic_folder, read_meta, write_meta
from tuneprobe.digests import is_whole, write_sums
from tuneprobe.encoders.encoder import Encoder, load_tuned_elsewhere
from tuneprobe.encoders.parallel import is_main, wait_for_all
from tuneprobe.encoders.represent import write_representations
from tuneprobe.formats.examples import Examples
from tuneprobe.states import FINETUNED
from tuneprobe.tuning.checkpoints import write_checkpoint
from tuneprobe.tuning.heads import Head
from tuneprobe.tuning.labelling import train_labels, tune_labels

CHECKPOINT = "checkpoint"  # in the folder of a step


def write_snapshots(
    encoder: Encoder,
    examples: Examples,
    *,
    every: int,
    kind: str,
    state: str = FINETUNED,
    keep_weights: bool = False,
    tokens_per_batch: int | None = None,
    out: Path,
    work: Path,
    **training: Any,
) -> list[int]:
    """Tune as `tune_labels` does, and store the spans' vectors on the way; return the steps.

    The training is the same to the last bit as without snapshots.

    Parameters
    ----------
    every : int
        Updates between two snapshots; the first is before the first update, the last after the
        last.
    keep_weights : bool
        Also write encoder and head of each step, as a checkpoint in its folder.
    work : Path
        Resume point and finished snapshots, removed at the end.
    training : Any
        Passed on to `tune_labels`.
    """
    finished, labels = work / "snapshots", train_labels(examples, kind)

    def visit(step: int, head: Head) -> None:
        if step == 0 and is_main():  # what another training left
            shutil.rmtree(finished, ignore_errors=True)
        now = _as_tuned(encoder, state) if step else encoder
        folder = step_folder(finished, step)
        write_representations(now, examples, folder, tokens_per_batch=tokens_per_batch)
        if keep_weights and is_main():
            facts: dict[str, Any] = {"kind": kind, "state": state, "labels": labels, "step": step}
            write_checkpoint(folder / CHECKPOINT, now, head, **facts)
            write_sums(folder)

    def resumable(n_steps: int) -> bool:
        return all(is_whole(step_folder(finished, step)) for step in range(0, n_steps + 1, every))

    settings = {
        "every": every,
        "keep_weights": keep_weights,
        "tokens_per_batch": tokens_per_batch,
        "spans_sha256": examples.spans_sha256(),
    }
    tune_labels(
        encoder,
        examples,
        kind=kind,
        state=state,
        out=None,
        work=work / "resume",
        visit=visit,
        visit_every=every,
        resumable=resumable,
        facts={"snapshots": settings},
        **training,
    )
    if is_main():
        _move_steps(finished, out, encoder=encoder.name, kind=kind, state=state, **settings)
        shutil.rmtree(work)
    wait_for_all()
    return read_steps(out)


def write_series(
    base: Encoder,
    checkpoints: Mapping[int, Path],
    examples: Examples,
    *,
    tokens_per_batch: int | None = None,
    out: Path,
    work: Path,
) -> list[int]:
    """Store the vectors of spans at the steps of a training elsewhere; return the steps.

    Step 0 is the base. Nothing is trained.

    Parameters
    ----------
    checkpoints : mapping
        By the number of updates, ascending: the folders of the weights.
    work : Path
        Finished steps, removed at the end.
    """
    finished = work / "snapshots"
    if is_main():
        shutil.rmtree(finished, ignore_errors=True)
    wait_for_all()
    for step, checkpoint in {0: None, **checkpoints}.items():
        now = load_tuned_elsewhere(base, path=str(checkpoint)) if checkpoint else base
        folder = step_folder(finished, step)
        write_representations(now, examples, folder, tokens_per_batch=tokens_per_batch)
    if is_main():
        _move_steps(finished, out, encoder=base.name, state=FINETUNED, every=None)
        shutil.rmtree(work)
    wait_for_all()
    return read_steps(out)


def _move_steps(finished: Path, out: Path, **facts: Any) -> None:
    """Move the finished snapshots to `out` in one step."""
    steps = sorted(int(folder.name.removeprefix("step_")) for folder in finished.glob("step_*"))
    with atomic_folder(out) as part:
        for step in steps:
            shutil.move(step_folder(finished, step), step_folder(part, step))
        write_meta(part, steps=steps, **facts)


def _as_tuned(encoder: Encoder, state: str) -> Encoder:
    """The encoder under the name and the fingerprint of what it has become."""
    digest = sha256()
    for name, tensor in encoder.model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return replace(encoder, state=state, weights_sha256=digest.hexdigest())


def read_steps(folder: Path) -> list[int]:
    """Number of updates before each snapshot in `folder`, ascending."""
    steps: list[int] = read_meta(folder)["steps"]
    return steps


def step_folder(folder: Path, step: int) -> Path:
    """The representations after `step` updates."""
    return folder / f"step_{step:05d}"
