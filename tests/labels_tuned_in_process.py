"""Tune a tiny encoder on labels in a process of its own, so that a test can kill it."""

import sys
from pathlib import Path

from tiny_labels import tagged_words
from tuned_in_process import kill_at

from tuneprobe.encoders.encoder import load_encoder, thread_limit
from tuneprobe.formats.examples import Examples
from tuneprobe.tuning.labelling import tune_labels
from tuneprobe.tuning.snapshots import write_snapshots

SETTINGS = {
    "epochs": 4,
    "batch": 3,
    "learning_rate": 1e-3,
    "head_learning_rate": 1e-2,
    "weight_decay": 0.01,
    "warmup": 0.1,
    "clip": 1.0,
    "precision": "float32",
    "resume_every": 4,
    "seed": 13,
}
STEP_KILLED = 7


def tune(source: Path, folder: Path, examples: Examples, **changed) -> list[float]:
    """Tune; with twelve texts four epochs of three steps."""
    wanted = {"kind": "label", "state": "finetuned", **SETTINGS, **changed}
    state = "random" if wanted["state"] == "random-finetuned" else "pretrained"
    return tune_labels(
        load_encoder("tiny", path=str(source), state=state),
        examples,
        out=folder / "checkpoint",
        work=folder / "resume",
        **wanted,
    )


def snapshots(source: Path, folder: Path, **changed) -> list[int]:
    """Tune and store a snapshot after every five updates."""
    return write_snapshots(
        load_encoder("tiny", path=str(source)),
        tagged_words(),
        out=folder / "snapshots",
        work=folder / "work",
        **{"kind": "label", "every": 5, **SETTINGS, **changed},
    )


if __name__ == "__main__":
    thread_limit(1)
    kill_at(STEP_KILLED)
    source, folder, state = sys.argv[1:]
    if state == "snapshots":
        snapshots(Path(source), Path(folder))
    else:
        tune(Path(source), Path(folder), tagged_words(), state=state)
