"""Drawings of the attention study: maps of heads, bars with intervals, points, attention maps."""

from collections.abc import Mapping, Sequence
from math import ceil, floor
from typing import Any

import pandas as pd

from tuneprobe.formats.results import NO_HEAD
from tuneprobe.report.blocks import Table
from tuneprobe.report.charts import CHANCE, FAINT, FINETUNED, Series, draw, fill_anchors
from tuneprobe.report.heat_maps import draw_heat_map
from tuneprobe.report.wording import number

Template = Mapping[str, Any]
Limits = tuple[float, float]

MAP_SIDE = 150
ROW_HEIGHT = 15  # of a heat map, in pixels
GRID = {"grid": True, "gridColor": FAINT, "gridOpacity": 0.55}
BAR_WIDTH = 190
PALE = 0.03  # share of a map's largest weight below which a cell is left white


def draw_heads(
    template: Template, heads: pd.DataFrame, label: str, *, domain: Limits, diverging: bool = False
) -> str:
    """A map of layers by heads: ``layer``, ``head``, ``value``; layer 1 at the bottom."""
    height = ROW_HEIGHT * heads.layer.nunique()
    cells = heads[["layer", "head", "value"]]
    return draw_heat_map(
        template,
        cells,
        label,
        x="head",
        y="layer",
        domain=domain,
        diverging=diverging,
        y_up=True,
        height=height,
    )


def draw_bars(
    template: Template, rows: pd.DataFrame, series: Sequence[Series], label: str, *, domain: Limits
) -> str:
    """Horizontal bars from zero: ``name``, ``rev``, ``value``, ``low``, ``high``; zero ruled."""
    scale = {"domain": [one.name for one in series], "range": [one.colour for one in series]}
    columns = rows[["name", "rev", "value", "low", "high"]]
    colour = {"field": "rev", "scale": scale}
    spec = fill_anchors(template, columns, x="value", y="name", color=colour, plot_width=BAR_WIDTH)
    alone = not rows.name.duplicated().any()
    if alone:
        spec["spec"]["height"] = {"step": ROW_HEIGHT}
    for encoding in (layer["encoding"] for layer in spec["spec"]["layer"]):
        encoding["x"]["scale"] = {"domain": list(domain), "nice": False}
        encoding["x"]["axis"] = {"tickCount": 4, "domain": False} | GRID
        encoding["y"]["axis"] = {"grid": False, "ticks": False}
        if alone:
            del encoding["yOffset"]
    zero = {
        "data": {"values": [{"zero": 0}]},
        "mark": {"type": "rule", "color": CHANCE, "strokeWidth": 1},
        "encoding": {"x": {"field": "zero", "type": "quantitative"}},
    }
    return draw(spec, label, ground=[zero])


def block(series: Series) -> str:
    """A small rectangle in the colour of a series, for legends of bars."""
    return (
        '<svg class="swatch" viewBox="0 0 28 10" width="28" height="10" aria-hidden="true">'
        f'<rect x="8" width="12" height="10" fill="var({series.variable}, {series.colour})"/></svg>'
    )


def draw_points(template: Template, rows: pd.DataFrame, label: str, *, x: str, y: str) -> str:
    """A point a row; the columns `x` and `y` title the axes."""
    columns = rows[[x, y]]
    colour = {"value": FINETUNED.colour}
    spec = fill_anchors(template, columns, x=x, y=y, x_label=x, y_label=y, color=colour)
    return draw(spec, label)


def draw_attention_map(template: Template, cells: pd.DataFrame, label: str) -> str:
    """One attention map in the colour of the text: ``row`` attends to ``column``, by ``weight``."""
    inked = cells[cells.weight >= PALE * cells.weight.max()].assign(value=lambda one: one.weight)
    spec = fill_anchors(
        template,
        inked[["row", "column", "value"]],
        x="column",
        y="row",
        plot_width=MAP_SIDE,
        plot_height=MAP_SIDE,
    )
    [drawn] = spec["spec"]["layer"]
    side = {"type": "ordinal", "axis": None, "scale": {"domain": sorted(set(cells.row))}}
    drawn["encoding"] = {
        "x": {"field": "column"} | side,
        "y": {"field": "row"} | side,
        "color": {"value": "currentColor"},
        "fillOpacity": {
            "field": "value",
            "type": "quantitative",
            "scale": {"domain": [0, float(cells.weight.max())], "range": [0, 1]},
        },
    }
    frame = {
        "data": {"values": [{}]},
        "mark": {"type": "rect", "filled": False, "stroke": "currentColor", "strokeWidth": 0.5},
        "encoding": {},
    }
    spec["spec"]["layer"].append(frame)
    return draw(spec, label)


def limits(values: Sequence[float], step: float, *, zero: bool = True) -> Limits:
    """Limits of an axis that hold all values, and zero, at multiples of a step."""
    found = [value for value in values if value == value] + ([0.0] if zero else [])
    if not found:
        return 0.0, step
    low, high = step * floor(min(found) / step), step * ceil(max(found) / step)
    return low, high if high > low else low + step


def heads_table(of_what: str, parts: Mapping[str, pd.DataFrame], digits: int) -> Table:
    """A row a layer: its own number (head -1), and that of each head."""
    heads = sorted({head for rows in parts.values() for head in rows["head"] if head != NO_HEAD})
    body = []
    for name, rows in parts.items():
        values = rows.set_index(["layer", "head"]).value.to_dict()
        for layer in sorted(set(rows.layer)):
            cells = (values.get((layer, head), float("nan")) for head in (NO_HEAD, *heads))
            body.append([name, str(layer), *(number(cell, digits) for cell in cells)])
    head = [of_what, "layer", "layer’s own", *(f"head {head}" for head in heads)]
    return Table(head, body, n_names=2)
