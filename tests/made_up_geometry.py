"""Made-up results of labelled spaces in the shape of a whole run: by formula, no randomness.

What holds by construction (4 layers): tuning adds `gain` points of accuracy at the last layer in
proportion to the depth, makes clusters of POS fewer, moves all labels apart but one in three of
DEP, and lowers every similarity with the layer.
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from tuneprobe.collect.tables import quick
from tuneprobe.formats.results import Result, to_frame

N_LAYERS = 4
TASKS = ("world-pos", "world-dep", "world-ps-role", "world-ps-fxn", "world-trec-50")
STATES = ("random", "pretrained", "finetuned")
LABELS = {
    "world-pos": ("ADJ", "ADP", "DET", "NOUN", "PRON", "PROPN", "VERB"),
    "world-dep": ("case", "det", "nsubj", "obj", "obl", "root"),
    "world-ps-role": (
        "p.Agent",
        "p.Goal",
        "p.Locus",
        "p.Recipient",
        "p.Source",
        "p.Time",
        "p.Topic",
    ),
    "world-ps-fxn": ("p.Agent", "p.Goal", "p.Locus", "p.Source", "p.Time", "p.Topic", "p.Whole"),
    "world-trec-50": (
        "ABBR:exp",
        "ENTY:food",
        "HUM:ind",
        "LOC:city",
        "NUM:count",
        "NUM:date",
        "DESC:def",
    ),
}
PROBED = "world-ps-fxn"
BEFORE = {"against": "pretrained"}
CROSS = {  # state and what it was tuned on, where that is another task
    ("pretrained", ""): (0, 0, 0.0, 86.0),
    ("finetuned", ""): (7, 0, 5.3, 91.0),
    ("finetuned", "world-ps-role"): (6, 1, 1.0, 88.5),
    ("finetuned", "world-pos"): (0, 7, -1.7, 81.0),
}


def result(
    study: str, task: str, state: str, layer: int, metric: str, *numbers: float, **facets: Any
) -> Result:
    keys = {"study": study, "encoder": "minilm-l6", "task": task, "seed": 13}
    return Result(metric, *numbers, n=200, state=state, layer=layer, **facets, **keys)


def accuracy(task: str, state: str, layer: int, gain: float = 3.0) -> float:
    base = 88.0 - 4 * TASKS.index(task) + layer
    if state == "random":
        return base - 14 - 2 * layer
    return base + (gain * layer / N_LAYERS if state == "finetuned" else 0.0)


def classify_rows(gain: float) -> Iterator[Result]:
    for task in TASKS:
        for state in STATES:
            for layer in range(N_LAYERS + 1):
                here = ("classify", task, state, layer)
                yield result(*here, "majority", 24.0 + TASKS.index(task))
                for probe, less in (("mlp", 0), ("linear", 2)):
                    value = accuracy(task, state, layer, gain) - less
                    yield result(
                        *here, "accuracy", value, value - 0.6, value + 0.6, classifier=probe
                    )
                    yield result(*here, "std", 0.5, classifier=probe)
                    if task != "world-trec-50":
                        yield result(*here, "control_accuracy", value - 20, classifier=probe)
                        more = 20.0 + layer * (state == "finetuned")
                        yield result(*here, "selectivity", more, classifier=probe)
                    yield result(*here, "codelength", 90 / value, classifier=probe)
                    yield result(*here, "compression", value / 20, classifier=probe)


def n_clusters(task: str, state: str, layer: int) -> int:
    many = task == "world-pos" and (state != "finetuned" or layer < 2)
    return len(LABELS[task]) * (60 - 10 * layer if many else 1)


def outside_min(task: str, state: str, layer: int, place: int) -> float:
    start = 0.8 + 0.1 * place + 0.05 * layer
    if state != "finetuned":
        return start
    stays = task == "world-dep" and place % 3 == 0
    return start + (-0.2 if stays else 0.3 * layer)


def geometry_rows() -> Iterator[Result]:
    for task, labels in LABELS.items():
        for state in STATES:
            for layer in range(N_LAYERS + 1):
                here = ("geometry", task, state, layer)
                clusters = n_clusters(task, state, layer)
                yield result(*here, "n_clusters", float(clusters))
                yield result(*here, "n_labels", float(len(labels)))
                yield result(*here, "is_linear", float(clusters == len(labels)))
                yield result(*here, "nearest_accuracy", 70.0 + layer)
                tuned = layer * (state == "finetuned")
                apart = [outside_min(task, state, layer, place) for place in range(len(labels))]
                for label, value in zip(labels, apart, strict=True):
                    yield result(*here, "outside_min", value, label=label)
                yield result(*here, "outside_min", sum(apart) / len(apart))
                yield result(*here, "inside_mean", 6 - 0.4 * tuned)
                for label, value in zip(labels, apart, strict=True):
                    yield result(*here, "separation", value / (6 - 0.4 * tuned), label=label)
                yield result(*here, "separation", sum(apart) / len(apart) / (6 - 0.4 * tuned))
                yield result(*here, "inside_max", 12 - 0.4 * tuned)


def similarity_rows() -> Iterator[Result]:
    for task in TASKS:
        for layer in range(N_LAYERS + 1):
            fall = 0.08 * layer
            tuned = ("similarity", task, "finetuned", layer)
            yield result(*tuned, "spatial_similarity", 1 - fall, **BEFORE)
            yield result(*tuned, "cka", 1 - fall / 2, **BEFORE)
            yield result(*tuned, "cka_debiased", 0.99 - fall / 2, **BEFORE)
            yield result(*tuned, "rsa", 0.98 - fall, **BEFORE)
            yield result(*tuned, "knn_overlap", 0.9 - fall, **BEFORE)
            for state in STATES:
                here = ("similarity", task, state, layer)
                value = 0.95 - (fall if state == "finetuned" else 0.0)
                yield result(*here, "spatial_similarity", value, splits="train/test")
                if layer == N_LAYERS and state != "random":
                    below = 0.97 - value
                    numbers = (below, below - 0.05, below + 0.05)
                    yield result(*here, "split_deficit", *numbers, splits="train/test")
                for other in range(N_LAYERS + 1):
                    value = 1 - 0.15 * abs(other - layer)
                    for metric in ("cka", "cka_debiased"):
                        yield result(*here, metric, value, other=other)


def cross_rows() -> Iterator[Result]:
    for (state, tuned_on), (rose, fell, change, value) in CROSS.items():
        here, how = ("cross-task", PROBED, state, N_LAYERS), {"tuned_on": tuned_on}
        yield result(*here, "accuracy", value, value - 0.6, value + 0.6, **how, classifier="mlp")
        yield result(*here, "accuracy", value - 5, **how, classifier="linear")
        if state != "pretrained":
            yield result(*here, "n_increased", float(rose), **how)
            yield result(*here, "n_decreased", float(fell), **how)
            yield result(*here, "mean_change", change, **how)


def dynamics_rows(task: str = "world-ps-role") -> Iterator[Result]:
    for layer in range(N_LAYERS + 1):
        here = ("dynamics", task, "finetuned", layer)
        yield result(*here, "n_turning", 38.0)._replace(n=46)
        yield result(*here, "direction", 0.9 - 0.2 * layer)._replace(n=46)
        yield result(*here, "closest_parting", 0.3 * layer)._replace(n=46)
        yield result(*here, "gain_by_label", 0.6, 0.35, 0.8)._replace(n=46)
        yield result(*here, "gain_by_step", 0.7, 0.3, 0.9)._replace(n=20)


def made_up_spaces(gain: float = 3.0) -> pd.DataFrame:
    """Rows of all studies of labelled spaces of one run."""
    of_layers = [*classify_rows(gain), *geometry_rows(), *similarity_rows()]
    return quick(to_frame([*of_layers, *cross_rows(), *dynamics_rows()]))


def made_up_dynamics(task: str = "world-pos") -> dict[str, pd.DataFrame]:
    """Tables of one task's snapshots at steps 0 to 40."""
    steps, similarity, paths, differences = [], [], [], []
    for layer in range(1, N_LAYERS + 1):
        for step in range(0, 50, 10):
            similarity.append((step, layer, 1 - 0.002 * layer * step, step < 40 or layer < 4))
            for place, label in enumerate(LABELS[task]):
                farther = 0.004 * layer * step * (place - 1)
                steps.append((step, layer, label, 1 + 0.1 * place + farther))
                if label in ("ADJ", "VERB", "NOUN"):
                    paths.append((layer, label, step, place + 0.01 * step * layer, 3 - place))
        for place, label in enumerate(LABELS[task]):
            x, y = layer * (place - 3) / 4, layer * (place % 3) / 4
            differences.append((layer, label, x, y, abs(x) + abs(y)))
    return {
        f"{task}/dynamics/steps": pd.DataFrame(
            steps, columns=["step", "layer", "label", "outside_min"]
        ),
        f"{task}/dynamics/similarity": pd.DataFrame(
            similarity, columns=["step", "layer", "spatial_similarity", "linear"]
        ),
        f"{task}/dynamics/paths": pd.DataFrame(paths, columns=["layer", "label", "step", "x", "y"]),
        f"{task}/dynamics/differences": pd.DataFrame(
            differences, columns=["layer", "label", "x", "y", "length"]
        ),
    }
