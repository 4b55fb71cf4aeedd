"""The one place that spells artifact paths; dvc.yaml repeats them and a test compares."""

from pathlib import Path

DATA = Path("data")
METRICS = Path("metrics")
SUMMARY = METRICS / "summary.json"
PLOTS = METRICS / "plots"
PAGE = Path("report") / "index.html"
FIGURES = Path("report") / "figures"
WORDNET = DATA / "wordnet"
PATTERNS = Path("patterns")
ANNOTATOR = Path("annotator.json")
PLOT_TEMPLATES = Path(".dvc") / "plots"


def examples(task: str) -> Path:
    """Tables of one task."""
    return Path("examples") / task


def encoder(name: str) -> Path:
    """What an encoder is: hashes of its weights and its tokenizer."""
    return Path("encoders") / f"{name}.json"


def parts(task: str) -> Path:
    """Where the examples of shards wait for each other; no artifact, removed at the end."""
    return Path(".cache") / "parts" / task


def checkpoint(encoder: str, task: str, state: str) -> Path:
    """Weights of one encoder tuned on one task; `state` is ``frozen`` or ``finetuned``."""
    return Path("checkpoints") / encoder / task / state


def training(encoder: str, task: str, state: str) -> Path:
    """Training curves of one fine-tuning."""
    return Path("training") / encoder / task / state


def resume_point(encoder: str, task: str, state: str) -> Path:
    """Where a fine-tuning or a study goes on after a kill; no artifact, removed at its end."""
    return Path(".cache") / "resume" / f"{encoder}-{task}-{state}"


def representation(encoder: str, task: str, state: str) -> Path:
    """Vectors of all spans of one task at every layer."""
    return Path("representations") / encoder / task / state


def cross_representation(encoder: str, task: str, tuned_on: str) -> Path:
    """Vectors of one task under the encoder tuned on another."""
    return representation(encoder, task, f"finetuned-on-{tuned_on}")


def snapshots(encoder: str, task: str) -> Path:
    """Vectors of one task at some steps of the fine-tuning on it."""
    return representation(encoder, task, "snapshots")


def results(encoder: str, task: str = "", study: str = "") -> Path:
    """Result rows of one study; of all studies of a task, or of all tasks."""
    return Path("results") / encoder / task / study
