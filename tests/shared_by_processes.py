"""What `test_parallel` lets one process, and two that torchrun starts, compute."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import labels_tuned_in_process as labels
import pytest
from tiny_labels import neighbours, scored_texts, tagged_words
from tuned_in_process import tune

from tuneprobe.encoders.encoder import load_encoder, thread_limit
from tuneprobe.encoders.parallel import ParallelError, is_main, launched_processes, rank
from tuneprobe.encoders.represent import write_representations
from tuneprobe.tuning import heads
from tuneprobe.tuning.finetune import schedule

STOPPED_AT = 9  # a step after the first resume point of `tune`
LABELLED = {"word": (tagged_words, "label"), "pair": (neighbours, "label")}
LABELLED["text"] = (scored_texts, "score")


def compute(still: Path, lively: Path, folder: Path) -> None:
    """What the number of processes must not change; the encoder `still` drops nothing."""
    losses = {"qa": tune(still, folder / "qa"), "frozen": tune(still, folder / "frozen", "frozen")}
    for name, (examples, kind) in LABELLED.items():
        losses[name] = labels.tune(still, folder / name, examples(10), kind=kind)
    labels.snapshots(still, folder)
    write_representations(load_encoder("tiny", path=str(lively)), tagged_words(), folder / "rep")
    if is_main():
        (folder / "losses.json").write_text(json.dumps(losses))


def repeat(lively: Path, folder: Path) -> None:
    """One training with dropout twice, the second time interrupted and taken up again."""
    tune(lively, folder / "undisturbed")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tuneprobe.tuning.finetune.schedule", stopping)
        with pytest.raises(KeyboardInterrupt):
            tune(lively, folder / "interrupted")
    tune(lively, folder / "interrupted")


def stopping(step: int, n_steps: int, warmup: float) -> float:
    """The schedule, until the step at which the training is interrupted."""
    if step == STOPPED_AT:
        raise KeyboardInterrupt
    return schedule(step, n_steps, warmup)


def disagree(still: Path, folder: Path) -> None:
    """Each process tunes under a seed of its own."""
    with pytest.raises(ParallelError) as refused:
        tune(still, folder / "disagreeing", seed=rank())
    (folder / f"refused-{rank()}").write_text(str(refused.value))


@contextmanager
def no_dropout_in_heads() -> Iterator[None]:
    """Heads made in the block drop nothing."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(heads, "DROPOUT", 0.0)
        yield


@launched_processes()
def main(still: Path, lively: Path, folder: Path) -> None:
    """Compute all in the processes of the launcher."""
    thread_limit(1)
    with no_dropout_in_heads():
        compute(still, lively, folder)
    repeat(lively, folder)
    disagree(still, folder)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
