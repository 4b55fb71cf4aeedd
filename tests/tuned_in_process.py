"""Fine-tune a tiny reader in a process of its own, so that a test can kill it."""

import os
import signal
import sys
from pathlib import Path

from tiny_reader import simple_questions

from tuneprobe.encoders.encoder import load_encoder, thread_limit
from tuneprobe.tuning import finetune as finetuning

SETTINGS = {
    "epochs": 3,
    "batch": 4,
    "learning_rate": 1e-3,
    "head_learning_rate": 1e-2,
    "weight_decay": 0.01,
    "warmup": 0.1,
    "clip": 1.0,
    "precision": "float32",
    "window": 24,
    "stride": 8,
    "max_question": 6,
    "null_keep": 0.5,
    "resume_every": 7,
    "seed": 13,
}
STEP_KILLED = 17


def tune(source: Path, folder: Path, state: str = "finetuned", **changed) -> list[float]:
    """Tune on twenty questions; three epochs of six or more steps."""
    return finetuning.finetune_reader(
        load_encoder("tiny", path=str(source)),
        simple_questions(24),
        state=state,
        out=folder / "checkpoint",
        work=folder / "resume",
        curves=folder / "curves",
        **{**SETTINGS, **changed},
    )


def kill_at(step: int) -> None:
    """Let the process die by SIGKILL when it wants the batch of a step."""
    original = finetuning.schedule

    def deadly(number: int, n_steps: int, warmup: float) -> float:
        if number == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(number, n_steps, warmup)

    finetuning.schedule = deadly


if __name__ == "__main__":
    thread_limit(1)
    kill_at(STEP_KILLED)
    tune(Path(sys.argv[1]), Path(sys.argv[2]))
