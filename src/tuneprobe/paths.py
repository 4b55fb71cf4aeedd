"""The one place that spells artifact paths; dvc.yaml repeats them and a test compares.

Every path of an encoder ends with the seed that its contents depend on; `pretrained` has none.
"""

from pathlib import Path

from tuneprobe.states import PRETRAINED, RANDOM

DATA = Path("data")
METRICS = Path("metrics")
SUMMARY = METRICS / "summary.json"
PLOTS = METRICS / "plots"
OVERVIEW = METRICS / "results.md"
PAGE = Path("report") / "index.html"
FIGURES = Path("report") / "figures"
WORDNET = DATA / "wordnet"
PATTERNS = Path("patterns")
ANNOTATOR = Path("annotator.json")
RESULTS = Path("results")
RECORDED = Path("recorded")  # the remote that is committed
RECORDED_SECONDS = RECORDED / "seconds.json"  # that each stage of the recorded run took


def questions(task: str) -> str:
    """The name of a reading task's questions and answers, as examples and in result rows."""
    return f"{task}-qa"


def pairs(task: str) -> str:
    """The name of the pairs of the five probes that a reading task's texts give."""
    return f"{task}-pairs"


def reading_task(name: str) -> str | None:
    """The reading task whose questions have a name, the inverse of `questions`; None of others.

    >>> reading_task("world-qa"), reading_task("world-pos")
    ('world', None)
    """
    task = name.removesuffix(questions(""))
    return None if task == name else task


def examples(task: str) -> Path:
    """Tables of one task."""
    return Path("examples") / task


def encoder(name: str) -> Path:
    """What an encoder is: hashes of its weights and its tokenizer."""
    return Path("encoders") / f"{name}.json"


def parts(task: str) -> Path:
    """Where the examples of shards wait for each other; no artifact, removed at the end."""
    return Path(".cache") / "parts" / task


def seeded(seed: int) -> str:
    """The folder of one seed of tuning."""
    return f"seed-{seed}"


def checkpoint(encoder: str, task: str, state: str, seed: int) -> Path:
    """Weights tuned on one task; `state` is ``frozen``, ``finetuned`` or ``random-finetuned``."""
    return Path("checkpoints") / encoder / task / state / seeded(seed)


def training(encoder: str, task: str, state: str, seed: int) -> Path:
    """Training curves of one fine-tuning."""
    return Path("training") / encoder / task / state / seeded(seed)


def losses(encoder: str, task: str, state: str, seed: int) -> Path:
    """The mean loss of every ten updates of one fine-tuning, as DVCLive writes it."""
    return training(encoder, task, state, seed) / "plots" / "metrics" / "loss.tsv"


def resume_point(encoder: str, task: str, state: str, seed: int) -> Path:
    """Where a fine-tuning or a study goes on after a kill; no artifact, removed at its end."""
    return Path(".cache") / "resume" / f"{encoder}-{task}-{state}-{seed}"


def representation(encoder: str, task: str, state: str, seed: int) -> Path:
    """Vectors of all spans of one task at every layer.

    `seed` is that of tuning, or the draw of random weights; `pretrained` does not depend on it.
    """
    folder = Path("representations") / encoder / task / state
    if state == PRETRAINED:
        return folder
    return folder / (f"draw-{seed}" if state == RANDOM else seeded(seed))


def crossed(encoder: str, task: str, seed: int) -> Path:
    """The vectors of one task under encoders tuned on others: a folder each."""
    return Path("representations") / encoder / task / "crossed" / seeded(seed)


def cross_representation(encoder: str, task: str, tuned_on: str, seed: int) -> Path:
    """Vectors of one task under the encoder tuned on another."""
    return crossed(encoder, task, seed) / f"finetuned-on-{tuned_on}"


def snapshots(encoder: str, task: str, seed: int) -> Path:
    """Vectors of one task at some steps of the fine-tuning on it."""
    return Path("representations") / encoder / task / "snapshots" / seeded(seed)


def results(encoder: str, task: str, stage: str, seed: int) -> Path:
    """Result rows that one stage made of one task under one seed."""
    return RESULTS / encoder / task / stage / seeded(seed)
