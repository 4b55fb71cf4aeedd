"""Captions, written from the numbers."""

from collections.abc import Mapping
from math import isfinite, nan

import pandas as pd

from tuneprobe.claims import Evidence
from tuneprobe.collect.pairwise import GAP, PAIR_PROBES, PROBES, panel_name, usual_condition
from tuneprobe.report import charts
from tuneprobe.report.wording import bounded, layer_ranges, listed, number, plain, signed, spread
from tuneprobe.states import STATES

NEGATIVES = ("euclidean/words", "euclidean/length-matched")
CENTRED = ("cosine/words", "cosine/words/centred")


def _at_last(evidence: Evidence, condition: str | None = None) -> dict[tuple[str, str], float]:
    """(probe, state) to auc_macro at the last layer, where measured."""
    found = {
        (probe, state): evidence.number(probe, state, "auc_macro", evidence.last, condition).value
        for probe in PROBES
        for state in STATES
    }
    return {key: value for key, value in found.items() if isfinite(value)}


def _differences(values: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """Fine-tuned minus pre-trained for each probe that has both."""
    return {
        probe: values[probe, "finetuned"] - values[probe, "pretrained"]
        for probe in PROBES
        if (probe, "finetuned") in values and (probe, "pretrained") in values
    }


def layers_caption(evidence: Evidence) -> str:
    """In how many probes fine-tuned is above pre-trained, and where most."""
    values = _at_last(evidence)
    gaps = _differences(values)
    if not gaps:
        return "There are no two states to compare."
    higher = sum(gap > 0 for gap in gaps.values())
    widest = max(gaps, key=lambda probe: abs(gaps[probe]))
    after, before = values[widest, "finetuned"], values[widest, "pretrained"]
    text = (
        f"At layer {evidence.last} the fine-tuned encoder scores above the pre-trained one in "
        f"{higher} of {len(gaps)} probes (cosine; for boundary the linear head). The difference is "
        f"widest in {plain(widest)}: {number(after)} against {number(before)}."
    )
    random = [values[probe, "random"] for probe in PROBES if (probe, "random") in values]
    if random:
        text += f" An encoder with random weights scores {spread(random)} there."
    return text


def gaps_caption(evidence: Evidence, points: pd.DataFrame) -> str:
    """Which layers differ, and in which probes the gap grows across the mark."""
    if not len(points):
        return "There are no gaps to show."
    different, equal = [], []
    for probe in PROBES:
        rows = points[points.panel == panel_name(probe, usual_condition(probe))]
        layers = rows.layer[rows.significant == "yes"].tolist()
        if layers:
            different.append(f"{plain(probe)} (layers {layer_ranges(layers)})")
        elif len(rows):
            equal.append(plain(probe))
    text = (
        f"The two states differ significantly in {listed(different)}."
        if different
        else "No layer of any probe differs significantly."
    )
    if different and equal:
        text += f" No layer differs in {listed(equal)}."
    growth = [(probe, evidence.number(probe, GAP, "contrast")) for probe in PROBES]
    grown = [f"{plain(probe)} {bounded(*cell, sign=True)}" for probe, cell in growth if cell[1] > 0]
    above = f"above layer {evidence.mark} than up to it"
    return text + (
        f" The gap is larger {above} in {listed(grown)}."
        if grown
        else f" In no probe is the gap shown to be larger {above}."
    )


def negatives_caption(evidence: Evidence) -> str:
    """What the random encoder scores with and without the bias; which gaps survive."""
    words, matched = (_at_last(evidence, one) for one in NEGATIVES)
    both = [probe for probe in PAIR_PROBES if {(probe, "random")} <= words.keys() & matched.keys()]
    if not both:
        return "The random encoder, which would show the bias, is missing."
    pairs = [
        f"{plain(probe)} {number(words[probe, 'random'])} and {number(matched[probe, 'random'])}"
        for probe in both
    ]
    text = (
        "An encoder with random weights should be at chance, 50. Under Euclidean distance its last "
        "layer scores, against single words and against windows as long as the match: "
        f"{'; '.join(pairs)}."
    )
    gaps, controlled = _differences(words), _differences(matched)
    kept = [probe for probe in gaps if gaps[probe] * controlled.get(probe, nan) > 0]
    if gaps:
        text += (
            " The gap between fine-tuned and pre-trained has the same sign under the control in "
            f"{len(kept)} of {len(gaps)} probes."
        )
    return text


def centred_caption(evidence: Evidence) -> str:
    """By how much the mean vector moves each state."""
    plain_cosine, centred = (_at_last(evidence, one) for one in CENTRED)
    parts = []
    for state in charts.STATES:
        moved = {
            probe: centred[probe, state.name] - plain_cosine[probe, state.name]
            for probe in PAIR_PROBES
            if {(probe, state.name)} <= plain_cosine.keys() & centred.keys()
        }
        if moved:
            widest = max(moved, key=lambda probe: abs(moved[probe]))
            parts.append(f"{signed(moved[widest])} ({state.label}, {plain(widest)})")
    if not parts:
        return "There are no centred vectors to compare."
    return (
        "Largest change at the last layer when the mean vector is subtracted, in points: "
        f"{', '.join(parts)}."
    )
