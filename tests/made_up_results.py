"""Made-up results in the shape of a whole run: curves by formula, no randomness.

What holds by construction (6 layers, mark 3): cosine rises everywhere; synonyms and abbreviation
are equal; the other probes gain `gain` points per layer above the mark, in the whole score and in
the part that belongs to the pair. By Euclidean distance nothing rises.
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from tuneprobe.collect.tables import quick
from tuneprobe.formats.results import Result, stamp, to_frame
from tuneprobe.states import NO_ENCODER
from tuneprobe.studies.pairwise.measures import PROBES, usual
from tuneprobe.studies.pairwise.probe.results import facets

N_LAYERS = 6
MARK = 3
GAINING = ("coreference", "answer-type", "boundary")
LEVEL = dict(zip(PROBES, (74.0, 68.0, 55.0, 60.0, 62.0), strict=True))
STATES = ("random", "pretrained", "finetuned")
LONG_MATCH = ("abbreviation", "coreference", "answer-type")


def conditions(probe: str) -> list[str]:
    if probe == "boundary":
        return ["linear", "lens"]
    return [
        f"{similarity}/{negatives}{centred}"
        for similarity in ("cosine", "euclidean")
        for negatives in ("words", "length-matched")
        for centred in ("", "/centred", "/without-axis")
    ]


def usual_condition(probe: str) -> str:
    return "linear" if probe == "boundary" else "cosine/words"


def auc(probe: str, state: str, layer: int, condition: str, gain: float) -> float:
    """A curve that rises 2 points a layer, from chance for the random encoder."""
    biased = probe in LONG_MATCH and condition.startswith("euclidean/words")
    bias = 18.0 if biased else 0.0
    if state == "random":
        return 50 + bias
    height = LEVEL[probe] - (3 if "centred" in condition else 0) + bias / 2
    return min(99.0, height + 2 * layer + gained(probe, state, layer, gain))


def part_of(probe: str, state: str, layer: int, gain: float) -> float:
    """The part of a score that belongs to the pair: 2 points a layer, and what is gained."""
    if state == "random":
        return 0.0
    return 2.0 * layer + gained(probe, state, layer, gain)


def gained(probe: str, state: str, layer: int, gain: float) -> float:
    return gain * max(0, layer - MARK) if state == "finetuned" and probe in GAINING else 0.0


def result(
    task: str, state: str, layer: int, metric: str, how: dict[str, Any], *numbers: float
) -> Result:
    study = "evaluate" if task.endswith("-qa") else "pairwise"
    keys = {"study": study, "encoder": "minilm-l6", "task": task, "seed": 13}
    return Result(metric, *numbers, n=300, state=state, layer=layer, **how, **keys)


def parts(probe: str) -> tuple[str, ...]:
    return ("specific", "type") if probe == "answer-type" else ("specific",)


def layer_rows(gain: float) -> Iterator[Result]:
    for probe in PROBES:
        for condition in conditions(probe):
            how = facets(probe, condition)
            for state in STATES:
                for layer in range(N_LAYERS + 1):
                    value = auc(probe, state, layer, condition, gain)
                    for metric, less in (("auc_macro", 0), ("auc_micro", 1), ("eq3", 4)):
                        at = value - less
                        yield result(probe, state, layer, metric, how, at, at - 2, at + 2)
                trend = (0.0, -0.6, 0.6) if state == "random" else (1.0, 0.9, 1.0)
                yield result(probe, state, -1, "trend", how, *trend)
                yield result(probe, state, -1, "trend_eq3", how, *trend)
                rise = 0.0 if state == "random" or condition.startswith("euclidean") else 8.0
                yield result(probe, state, -1, "rise_eq3", how, rise, rise - 2, rise + 2)


def part_rows(gain: float) -> Iterator[Result]:
    for probe in PROBES:
        for part in parts(probe):
            for state in STATES:
                for layer in range(N_LAYERS + 1):
                    at = part_of(probe, state, layer, gain)
                    how = {**usual(probe), "part": part}
                    found = result(probe, state, layer, "auc_macro", how, at, at - 2, at + 2)
                    yield found
                    if probe == "boundary":
                        yield found._replace(readout="lens")


def other_rows() -> list[Result]:
    """Boundary by shapes and positions of words, and the share of the principal axis."""
    rows = [
        Result(metric, value, value - 2, value + 2, 300, NO_ENCODER, layer=0, readout=readout)
        for readout, value in (("shape", 64.0), ("position", 58.0))
        for metric in ("auc_macro", "auc_micro", "eq3")
    ]
    keys = {"study": "pairwise", "encoder": "minilm-l6", "seed": 13}
    shares = [
        Result("axis_share", share, state=state, layer=layer)
        for state, share in (("random", 0.05), ("pretrained", 0.1), ("finetuned", 0.6))
        for layer in range(N_LAYERS + 1)
    ]
    return stamp(rows, task="boundary", **keys) + stamp(shares, task="words", **keys)


def gap_rows(gain: float) -> Iterator[Result]:
    for probe in PROBES:
        for part in ("", *parts(probe)):
            yield from gaps_of_part(probe, part, gain)


def gaps_of_part(probe: str, part: str, gain: float) -> Iterator[Result]:
    condition = usual_condition(probe)
    how = {**usual(probe), "part": part, "against": "pretrained"}

    def row(layer: int, metric: str, *numbers: float) -> Result:
        return result(probe, "finetuned", layer, metric, how, *numbers)

    for layer in range(N_LAYERS + 1):
        after, before = (
            part_of(probe, state, layer, gain)
            if part
            else auc(probe, state, layer, condition, gain)
            for state in ("finetuned", "pretrained")
        )
        gap = after - before
        different = abs(gap) > 1
        p = 0.001 if different else 0.6
        yield row(layer, "gap", gap, gap - 1, gap + 1)
        yield row(layer, "p", p / 2)
        yield row(layer, "p_holm", p)
        same = 0.9 if different else 0.01
        yield row(layer, "equivalence_p", same, gap - 0.8, gap + 0.8)
    growth = 2 * gain if probe in GAINING else 0.0
    yield row(-1, "contrast", growth, growth - 1, growth + 1)
    yield row(-1, "contrast_p", 0.001 if abs(growth) > 1 else 0.5)


def answer_rows() -> Iterator[Result]:
    scores = {
        "random": (3, 5, 3.75, 1, 2, 1.33, 1, 3),
        "pretrained": (6, 9, 7.2, 2, 3, 2.4, 2, 6),
        "frozen": (22, 30, 25.4, 11, 14, 12.3, 13, 24),
        "finetuned": (61, 66, 63.4, 55, 48, 51.3, 52, 64),
    }
    names = [f"{answer}_{x}" for answer in ("long", "short") for x in ("precision", "recall", "f1")]
    for state, values in scores.items():
        for metric, value in zip([*names, "exact_match", "f1"], values, strict=True):
            spans = metric in ("exact_match", "f1")
            how = {"readout": "span"} if spans else {"threshold": "best"}
            numbers = (float(value), value - 3.0, value + 3.0)
            yield result("world-qa", state, -1, metric, how, *numbers)


def made_up_results(gain: float = 3.0) -> pd.DataFrame:
    """Rows of layers.csv, gaps.csv and scores.csv of one run."""
    paired = [*layer_rows(gain), *part_rows(gain), *other_rows(), *gap_rows(gain)]
    return quick(to_frame([*paired, *answer_rows()]))


def made_up_funnel() -> pd.DataFrame:
    rows = []
    for number, probe in enumerate(PROBES):
        found = 700 - 60 * number
        rows += [
            (probe, "read", 1000, 0, ""),
            (probe, "short enough", 940, 60, "question and paragraph longer than 200 words"),
            (probe, "found", found, 940 - found, f"no {probe} pair in the question"),
            (probe, "drawn", 300, found - 300, "over the limit of 300 per probe"),
        ]
    return pd.DataFrame(rows, columns=["probe", "step", "kept", "dropped", "reason"])


def made_up_artifacts() -> dict[str, dict]:
    examples = {"corpus": "world", "synthetic": True, "n_examples": 2400}
    weights = {"encoder": "minilm-l6", "weights_sha256": "5e" * 32}
    return {
        "examples/world-pairs": examples,
        "examples/world-qa": {**examples, "n_examples": 3000},
        "representations/minilm-l6/world-pairs/pretrained": {**weights, "state": "pretrained"},
        "representations/minilm-l6/world-pairs/finetuned/seed-13": {
            **weights,
            "state": "finetuned",
            "weights_sha256": "a7" * 32,
        },
    }


def made_up_params() -> dict[str, object]:
    return {
        "focus": "finetuned",
        "run": {"encoders": ["minilm-l6"], "seeds": [13], "draws": [13]},
        "intervals": {"confidence": 0.95, "bootstrap": 1000},
        "finetune": {"epochs": 2, "batch": 16, "learning_rate": 1e-4},
        "represent": {"layout": "pair"},
        "pairwise": {
            "tasks": ["world"],
            "layer_mark": 0.5,
            "permutations": 2000,
            "equivalence_margin": 2.0,
        },
    }
