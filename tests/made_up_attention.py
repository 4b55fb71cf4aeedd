"""Made-up results of the attention study: numbers by formula, no randomness.

What holds by construction, for 6 layers of 12 heads and the tasks `TASKS`: the last layer changes
most; [CLS] receives most in the first half of the layers, [SEP] in the second; 45 % of the maps are
heterogeneous; head 3 of layer 2 and layer 1 help when removed, and the heads on average; random
weights, tuned, stay behind, above the majority; two heads link frame elements, and dependents. Most
maps stay nearly the same; no head is needed.
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from tuneprobe.collect.tables import quick
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
CORRECTED = {"vertical": 0.45, "heterogeneous": 0.45}
SCORES = {
    "random": 47.0,
    "pretrained": 52.0,
    "frozen": 61.0,
    "random-finetuned": 66.0,
    "finetuned": 88.0,
}
LINKS = {"framenet-1.5": "core-element", "world-dep": "nsubj"}  # task to relation
HELPFUL, STRONG = (2, 3), ((3, 1), (5, 7))  # (layer, head)


UNIFORM = {"ablation": "uniform"}
WHOLE = (-1, -1)  # of the encoder


def row(
    study: str,
    task: str,
    state: str,
    place: tuple[int, int],
    what: tuple[str, dict[str, Any]],
    *numbers: float,
) -> Result:
    keys = {"study": study, "encoder": "minilm-l6", "task": task, "seed": 13}
    (layer, head), (metric, how) = place, what
    return Result(
        metric, *numbers, n=200, **{"state": state, "layer": layer, "head": head} | how | keys
    )


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
        how = {"against": "pretrained", "crop": "cropped"}
        for state, factor in (("finetuned", 1), ("random", 0.5)):
            what, at = ("map_similarity", how), factor * value
            yield row("attention", task, state, (layer, head), what, at, at - 0.01, at + 0.01)
            floor = ("map_floor", how)
            yield row("attention", task, state, (layer, head), floor, 0.2, 0.19, 0.21)
        for state in ("random", "pretrained", "finetuned"):
            for unit, scale in (("nats", 3.0), ("normalised", 1.0)):
                at = scale * (0.9 - 0.05 * layer - (0.02 if state == "finetuned" else 0))
                what = ("entropy", {"scale": unit})
                yield row("attention", task, state, (layer, head), what, at, at - 0.01, at + 0.01)
            for kind in KINDS:
                at = share(kind, layer, head, state)
                what = ("share", {"token_type": kind, "rows": "mean", "tokens": "max"})
                yield row("attention", task, state, (layer, head), what, at, at - 0.01, at + 0.01)
                if layer == N_LAYERS:
                    what = ("cls_row_share", {"token_type": kind, "tokens": "max"})
                    yield row(
                        "attention", task, state, (layer, head), what, at, at - 0.01, at + 0.01
                    )
    for kind in KINDS:
        what = ("share", {"token_type": kind, "rows": "mean", "tokens": "max"})
        yield row("attention", task, "uniform", WHOLE, what, 0.04)


def pattern_rows(task: str) -> Iterator[Result]:
    for state in ("random", "pretrained", "finetuned"):
        for pattern, level in SHARES.items():
            for place in [WHOLE, *places()]:
                whole = ("corrected",) if place == WHOLE else ()
                for classifier in ("network", "rule", *whole):
                    at = CORRECTED.get(pattern, level) if classifier == "corrected" else level
                    at = 0.2 if classifier == "rule" else at
                    what = ("pattern_share", {"pattern": pattern, "classifier": classifier})
                    yield row("attention", task, state, place, what, at, at - 0.03, at + 0.03)
            if state == "finetuned":
                change = ("pattern_change", {"pattern": pattern, "classifier": "network"})
                up = 0.06 if pattern == "vertical" else -0.015
                found = row("attention", task, state, WHOLE, change, up, up - 0.02, up + 0.02)
                yield found._replace(against="pretrained")
        what = ("pattern_agreement", {"score": "kappa", "classifier": "network-rule"})
        yield row("attention", task, state, WHOLE, what, 0.41)


def pair_rows() -> Iterator[Result]:
    for direction in ("from-to", "to-from"):
        how = {"direction": direction, "pairing": "all"}
        what = ("pair_weight", {"relation": "core-element", **how})
        for layer, head in places():
            for state in ("pretrained", "finetuned"):
                strong = (layer, head) in STRONG and direction == "from-to"
                at = 0.05 + 0.001 * layer + (0.15 if strong else 0)
                here = (state, (layer, head))
                yield row("attention", "framenet-1.5", *here, what, at, at - 0.02, at + 0.02)
                for task, relation in LINKS.items():
                    excess = ("pair_excess", {"relation": relation, **how})
                    less = at - 0.04
                    yield row("attention", task, *here, excess, less, less - 0.02, less + 0.02)
        yield row("attention", "framenet-1.5", "uniform", WHOLE, what, 0.04)


def score_rows(task: str) -> Iterator[Result]:
    for state, value in SCORES.items():
        what = ("accuracy", {})
        yield row("evaluate", task, state, WHOLE, what, value, value - 4, value + 4)
        yield row("evaluate", task, state, WHOLE, ("majority_accuracy", {}), 51.0, 47, 55)


def change(layer: int, head: int) -> float:
    """Points gained without a head, or without a layer (head -1)."""
    if head < 0:
        return 3.0 if layer == 1 else -2.0 * layer
    return 2.5 if (layer, head) == HELPFUL else -0.05 * layer - 0.02 * head


def ablation_rows(task: str) -> Iterator[Result]:
    intact = SCORES["finetuned"]
    here = ("ablation", task, "finetuned")
    yield row(*here, WHOLE, ("accuracy", {"ablation": "none"}), intact, intact - 4, intact + 4)
    for layer, head in places():
        at = change(layer, head)
        yield row(*here, (layer, head), ("accuracy", UNIFORM), intact + at)
        yield row(*here, (layer, head), ("accuracy_change", UNIFORM), at, at - 0.3, at + 0.3)
        yield row(*here, (layer, head), ("loss_change", UNIFORM), -at / 50, -at / 40, at / 40)
        if head >= 0:
            yield row(*here, (layer, head), ("importance", {}), 0.01 + abs(at) / 20)
    yield row(*here, WHOLE, ("importance_spearman", UNIFORM), 0.9, 0.8, 0.95)
    yield row(*here, WHOLE, ("mean_accuracy_change", UNIFORM), 0.4, 0.1, 0.7)
    yield row(*here, WHOLE, ("mean_loss_change", UNIFORM), -0.02, -0.03, -0.01)
    for place, gain in ((HELPFUL, 2.5), ((1, -1), 3.0)):
        yield row(*here, place, ("largest_accuracy_change", UNIFORM), gain, 1.0, 4.0)
    for ablation, loss in (("pruned", 0.01), ("pruned-at-random", 0.2)):
        for count in (7, 14, 29, 72):
            at = -loss * count
            what = ("accuracy_change", {"ablation": ablation})
            found = row(*here, WHOLE, what, at, at - 0.5, at + 0.5)
            yield found._replace(step=count)


def made_up_attention() -> pd.DataFrame:
    """Rows of all files of the attention study of one run."""
    rows: list[Result] = [*pair_rows()]
    for task in TASKS:
        for part in (attention_rows, pattern_rows, score_rows, ablation_rows):
            rows += part(task)
    return quick(to_frame(rows))
