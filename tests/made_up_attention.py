"""Made-up results of the attention study: numbers by formula, no randomness.

What holds by construction, for 6 layers of 12 heads and the tasks `TASKS`: the last layer changes
most; [CLS] receives most in the first half of the layers, [SEP] in the second; 45 % of the maps are
heterogeneous; head 3 of layer 2 and layer 1 help when removed; random weights, tuned, stay behind;
two heads link frame elements.
"""

from collections.abc import Iterator

import pandas as pd
from old_conditions import old_result

from tuneprobe.formats.results import Result, to_frame

N_LAYERS, N_HEADS = 6, 12
TASKS = ("world-rte", "world-sst2")
KINDS = ("cls", "sep", "punctuation", "noun", "verb", "pronoun", "subject", "object", "negation")
SHARES = {
    "vertical": 0.3,
    "diagonal": 0.1,
    "vertical+diagonal": 0.1,
    "block": 0.05,
    "heterogeneous": 0.45,
}
SCORES = {
    "random": 47.0,
    "pretrained": 52.0,
    "frozen": 61.0,
    "random-finetuned": 66.0,
    "finetuned": 88.0,
}
HELPFUL, STRONG = (2, 3), ((3, 1), (5, 7))  # (layer, head)


def row(study: str, task: str, state: str, place: tuple[int, int], what: tuple, *numbers) -> Result:
    return old_result(study, "minilm-l6", task, state, 13, *place, *what, *numbers, n=200)


def places() -> Iterator[tuple[int, int]]:
    """Every head of every layer, and every layer (head -1)."""
    for layer in range(1, N_LAYERS + 1):
        for head in (*range(N_HEADS), -1):
            yield layer, head


def similarity(layer: int, head: int) -> float:
    """Falls with the layer, most in the last; the mean over the heads is that of head -1."""
    fall = 0.05 + 0.02 * layer + (0.3 if layer == N_LAYERS else 0)
    return 1 - fall - (0.004 * (head - 5.5) if head >= 0 else 0)


def share(kind: str, layer: int, head: int, state: str) -> float:
    late = layer > N_LAYERS / 2
    level = {"cls": 0.1 if late else 0.4, "sep": 0.5 if late else 0.15}.get(kind, 0.08)
    tuned = 0.03 * layer / N_LAYERS if state == "finetuned" else 0.0
    return level + tuned + (0.002 * (head - 5.5) if head >= 0 else 0)


def attention_rows(task: str) -> Iterator[Result]:
    for layer, head in places():
        value = similarity(layer, head)
        for state, factor in (("finetuned-pretrained", 1), ("random-pretrained", 0.5)):
            what, at = ("map_similarity", "cropped"), factor * value
            yield row("attention", task, state, (layer, head), what, at, at - 0.01, at + 0.01)
        for state in ("random", "pretrained", "finetuned"):
            for condition, scale in (("nats", 3.0), ("normalised", 1.0)):
                at = scale * (0.9 - 0.05 * layer - (0.02 if state == "finetuned" else 0))
                what = ("entropy", condition)
                yield row("attention", task, state, (layer, head), what, at, at - 0.01, at + 0.01)
            for kind in KINDS:
                at = share(kind, layer, head, state)
                what = ("share", f"{kind}/rows-mean/tokens-max")
                yield row("attention", task, state, (layer, head), what, at, at - 0.01, at + 0.01)
                if layer == N_LAYERS:
                    what = ("cls_row_share", f"{kind}/tokens-max")
                    yield row(
                        "attention", task, state, (layer, head), what, at, at - 0.01, at + 0.01
                    )
    for kind in KINDS:
        what = ("share", f"{kind}/rows-mean/tokens-max")
        yield row("attention", task, "uniform", (-1, -1), what, 0.04)


def pattern_rows(task: str) -> Iterator[Result]:
    for state in ("random", "pretrained", "finetuned"):
        for pattern, level in SHARES.items():
            for place in [(-1, -1), *places()]:
                for classifier in ("network", "rule"):
                    at = level if classifier == "network" else 0.2
                    what = ("pattern_share", f"{pattern}/{classifier}")
                    yield row("attention", task, state, place, what, at, at - 0.03, at + 0.03)
        what = ("pattern_agreement", "kappa/network-rule")
        yield row("attention", task, state, (-1, -1), what, 0.41)


def pair_rows() -> Iterator[Result]:
    for direction in ("from-to", "to-from"):
        what = ("pair_weight", f"core-element/{direction}/all")
        for layer, head in places():
            for state in ("pretrained", "finetuned"):
                strong = (layer, head) in STRONG and direction == "from-to"
                at = 0.05 + 0.001 * layer + (0.15 if strong else 0)
                yield row(
                    "attention",
                    "framenet-1.5",
                    state,
                    (layer, head),
                    what,
                    at,
                    at - 0.02,
                    at + 0.02,
                )
        yield row("attention", "framenet-1.5", "uniform", (-1, -1), what, 0.04)


def score_rows(task: str) -> Iterator[Result]:
    for state, value in SCORES.items():
        what = ("accuracy", "")
        yield row("evaluate", task, state, (-1, -1), what, value, value - 4, value + 4)
        yield row("evaluate", task, state, (-1, -1), ("majority_accuracy", ""), 51.0, 47, 55)


def change(layer: int, head: int) -> float:
    """Points gained without a head, or without a layer (head -1)."""
    if head < 0:
        return 3.0 if layer == 1 else -2.0 * layer
    return 2.5 if (layer, head) == HELPFUL else -0.1 * layer - 0.05 * head


def ablation_rows(task: str) -> Iterator[Result]:
    intact = SCORES["finetuned"]
    here = ("ablation", task, "finetuned")
    yield row(*here, (-1, -1), ("accuracy", "none"), intact, intact - 4, intact + 4)
    for layer, head in places():
        at = change(layer, head)
        yield row(*here, (layer, head), ("accuracy", "uniform"), intact + at)
        yield row(*here, (layer, head), ("accuracy_change", "uniform"), at, at - 0.6, at + 0.6)
        yield row(*here, (layer, head), ("loss_change", "uniform"), -at / 50, -at / 40, at / 40)
        if head >= 0:
            yield row(*here, (layer, head), ("importance", "gradient"), 0.01 + abs(at) / 20)
    yield row(*here, (-1, -1), ("importance_spearman", "uniform"), 0.9, 0.8, 0.95)


def made_up_attention() -> pd.DataFrame:
    """Rows of all files of the attention study of one run."""
    rows: list[Result] = [*pair_rows()]
    for task in TASKS:
        for part in (attention_rows, pattern_rows, score_rows, ablation_rows):
            rows += part(task)
    return to_frame(rows)
