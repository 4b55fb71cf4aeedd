"""The figures of the pairwise study: panels, a caption from the numbers, and the data below."""

from collections.abc import Mapping, Sequence
from math import ceil, floor, isfinite
from typing import Any

import pandas as pd

from tuneprobe.claims import Evidence
from tuneprobe.collect.pairwise import (
    GAP,
    PAIR_PROBES,
    PROBES,
    gap_points,
    panel_name,
    paper_conditions,
    usual_condition,
)
from tuneprobe.collect.tables import select
from tuneprobe.report import charts
from tuneprobe.report.blocks import Figure, Panel, Table
from tuneprobe.report.charts import Series, draw_panel, swatch
from tuneprobe.report.pairwise_captions import (
    CENTRED,
    NEGATIVES,
    centred_caption,
    gaps_caption,
    layers_caption,
    negatives_caption,
)
from tuneprobe.report.wording import bounded, number, signed

CHANCE = 50
Curve = tuple[str, str]  # probe, condition


def layers_figure(evidence: Evidence, template: Mapping[str, Any]) -> Figure:
    """Figure 1 of Cai et al. 2020: five probes, two measures, all layers, all states."""
    wanted = [(probe, condition) for probe in PROBES for condition in paper_conditions(probe)]
    return _state_figure(
        evidence,
        template,
        wanted,
        name="layers",
        title="Five abilities, layer by layer",
        caption=layers_caption(evidence),
        reading="Each panel is one ability. A curve is the share of unmatched pairs that score "
        "below the matched pair, averaged over examples: higher is better, chance is 50 (dotted). "
        "Bands are bootstrap intervals; the vertical line is the layer mark "
        f"({evidence.marked_layers}). Where the two states "
        "coincide, orange dashes lie on the blue line.",
    )


def gaps_figure(evidence: Evidence, template: Mapping[str, Any]) -> Figure:
    """Fine-tuned minus pre-trained by layer, paired over the examples."""
    points = gap_points(evidence.results, evidence.alpha)
    panels, missing = [], []
    domain = _limits(points, around=evidence.margin)
    for probe in PROBES:
        panel = panel_name(probe, usual_condition(probe))
        rows = points[points.panel == panel].assign(rev=charts.GAP.name)
        if not len(rows):
            missing.append(panel)
            continue
        drawing = draw_panel(
            template,
            rows,
            [charts.GAP],
            domain=domain,
            label=f"{panel}: fine-tuned minus pre-trained, from "
            f"{signed(rows.value.iloc[0])} points at layer {rows.layer.iloc[0]} to "
            f"{signed(rows.value.iloc[-1])} at layer {rows.layer.iloc[-1]}",
            mark=evidence.mark,
            margin=evidence.margin,
        )
        panels.append(_panel(panel, drawing))
    return Figure(
        "gaps",
        "What fine-tuning adds, layer by layer",
        gaps_caption(evidence, points),
        "Each point is the mean difference over the same examples, in points of AUC. A filled "
        f"point differs from zero (Holm, {evidence.alpha:.2g}); the grey band is the equivalence "
        f"margin of ±{evidence.margin:g} points; the vertical line is the layer mark "
        f"({evidence.marked_layers}).",
        panels,
        "points of AUC",
        [(swatch(charts.GAP), charts.GAP.label)],
        _gaps_table(evidence),
        missing=missing,
    )


def negatives_figure(evidence: Evidence, template: Mapping[str, Any]) -> Figure:
    """Single-word against length-matched negatives under Euclidean distance."""
    return _state_figure(
        evidence,
        template,
        [(probe, one) for probe in PAIR_PROBES for one in NEGATIVES],
        name="negatives",
        title="Control: negatives as long as the match",
        caption=negatives_caption(evidence),
        reading="Each pair of panels shows one ability under Euclidean distance, once against "
        "single words (as in the paper) and once against windows with as many words as the match. "
        "A mean of several vectors lies closer to everything; only the second removes that.",
    )


def centred_figure(evidence: Evidence, template: Mapping[str, Any]) -> Figure:
    """Cosine before and after the mean vector of the layer is subtracted."""
    return _state_figure(
        evidence,
        template,
        [(probe, one) for probe in PAIR_PROBES for one in CENTRED],
        name="centred",
        title="Control: without the mean vector",
        caption=centred_caption(evidence),
        reading="Each pair of panels shows one ability under cosine, as it is and with the mean "
        "vector of the layer subtracted, which takes out the common direction (anisotropy).",
    )


def _state_figure(
    evidence: Evidence,
    template: Mapping[str, Any],
    wanted: Sequence[Curve],
    *,
    name: str,
    title: str,
    caption: str,
    reading: str,
) -> Figure:
    curves = select(evidence.results, study="pairwise", metric="auc_macro")
    found = {panel: select(curves, task=panel[0], condition=panel[1]) for panel in wanted}
    drawn = pd.concat(found.values()) if found else curves
    states = [state for state in charts.STATES if (drawn.state == state.name).any()]
    domain = _limits(drawn, around=CHANCE)
    panels = [
        _state_panel(evidence, template, panel, rows, states, domain)
        for panel, rows in found.items()
        if len(rows)
    ]
    absent = [f"the state {state.label}" for state in charts.STATES if state not in states]
    empty = [panel_name(*panel) for panel, rows in found.items() if not len(rows)]
    return Figure(
        name,
        title,
        caption,
        reading,
        panels,
        "AUC, %",
        [(swatch(state), state.label) for state in states],
        _curves_table(evidence, wanted, states),
        pairs=not empty,
        missing=empty + (absent if panels else []),
    )


def _state_panel(
    evidence: Evidence,
    template: Mapping[str, Any],
    panel: Curve,
    rows: pd.DataFrame,
    states: Sequence[Series],
    domain: tuple[float, float],
) -> Panel:
    ordered = [rows[rows.state == state.name].sort_values("layer") for state in states]
    label = "; ".join(
        f"{state.label} from {number(curve.value.iloc[0])} to {number(curve.value.iloc[-1])}"
        for state, curve in zip(states, ordered)
        if len(curve)
    )
    points = pd.concat(ordered).assign(panel=panel_name(*panel), rev=lambda row: row.state)
    drawing = draw_panel(
        template,
        points[["rev", "panel", "layer", "value", "low", "high"]],
        states,
        domain=domain,
        label=f"{panel_name(*panel)}, layers {rows.layer.min()} to {rows.layer.max()}: {label}",
        mark=evidence.mark,
    )
    return _panel(panel_name(*panel), drawing)


def _panel(name: str, drawing: str) -> Panel:
    ability, measure = name.split(" · ")
    return Panel(ability, measure, drawing)


def _limits(points: pd.DataFrame, around: float) -> tuple[float, float]:
    """Limits of the y axis that hold all intervals and `around`, at multiples of 5 or of 1."""
    numbers = pd.concat([points.value, points.low, points.high]).dropna()
    low, high = min([around, *numbers]), max([around, *numbers])
    step = 5 if high - low > 15 else 1
    if around != CHANCE:
        low = min(low, -around)
    return step * floor((low - 0.5) / step), step * ceil((high + 0.5) / step)


def _curves_table(evidence: Evidence, wanted: Sequence[Curve], states: Sequence[Series]) -> Table:
    head = ["probe · measure", "layer"]
    head += [f"{state.label}, AUC" for state in states]
    head += [f"{state.label}, eq. 3" for state in states]
    body = []
    for probe, condition in wanted:
        for layer in range(evidence.last + 1):
            auc, eq3 = (
                [evidence.number(probe, s.name, metric, layer, condition) for s in states]
                for metric in ("auc_macro", "eq3")
            )
            if any(isfinite(one.value) for one in auc):
                line = [bounded(*one) for one in auc] + [number(one.value) for one in eq3]
                body.append([panel_name(probe, condition), str(layer), *line])
    return Table(head, body, n_names=2)


def _gaps_table(evidence: Evidence) -> Table:
    head = ["probe · measure", "layer", "gap, points", "p", "p (Holm)", "p (equivalence)"]
    body = []
    for probe in PROBES:
        for layer in range(evidence.last + 1):
            gap, *p = (
                evidence.number(probe, GAP, metric, layer)
                for metric in ("gap", "p", "p_holm", "equivalence_p")
            )
            if isfinite(gap.value):
                line = [bounded(*gap, sign=True), *(f"{one.value:.3g}" for one in p)]
                body.append([panel_name(probe, usual_condition(probe)), str(layer), *line])
    return Table(head, body, n_names=2)
