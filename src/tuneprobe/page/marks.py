"""Marks beside curves: heat maps, bars with intervals, points, attention maps; their legends."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tuneprobe.collect.estimates import BOUNDS
from tuneprobe.page.charts import (
    CHANCE,
    FAINT,
    FINETUNED,
    LESS,
    MORE,
    WIDTH,
    Series,
    colours_of,
    draw,
    fill_anchors,
)
from tuneprobe.wording import number, signed

Template = Mapping[str, Any]
Limits = tuple[float, float]

SEQUENTIAL = ("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725")  # viridis
MAP_SIDE, WORD_STEP = 150, 14
ROW_HEIGHT = 15  # of a bar alone, in pixels
GRID = {"grid": True, "gridColor": FAINT, "gridOpacity": 0.55}
BAR_WIDTH = 170
PALE = 0.03  # share of a map's largest weight below which a cell is left white
SWATCH = '<svg class="swatch" viewBox="0 0 28 10" width="28" height="10" aria-hidden="true">'
OUTLINED = f'{SWATCH}<path d="M8 1h12v8h-12z" fill="none" stroke="currentColor"/></svg>'


def draw_heat_map(
    template: Mapping[str, Any],
    rows: pd.DataFrame,
    label: str,
    *,
    x: str,
    y: str,
    domain: tuple[float, float],
    diverging: bool = False,
    y_up: bool = False,
    order: Sequence[str] = (),
    height: int = WIDTH,
) -> str:
    """SVG of one map, without a heading.

    Parameters
    ----------
    template : mapping
        ``heat_map`` of .dvc/plots.
    rows : DataFrame
        Cells of one panel: the columns `x` and `y`, which also title the axes, and ``value``.
    label : str
        What the map shows, for those who do not see it.
    domain : pair of float
        Values of the ends of the scale, the same for all panels of a figure; a `diverging` scale
        reaches as far below zero as above.
    diverging : bool
        Purple below zero, green above, stronger the farther; else the perceptual scale. Cells
        whose interval (``low``, ``high``) leaves out zero are outlined.
    y_up : bool
        Whether the y axis rises, as in a plot of layers against layers.
    order : sequence of str
        Names on the y axis from the top; in alphabetical order if empty.
    """
    reach = max(map(abs, domain))
    drawn = rows.assign(share=rows.value.abs() / reach)
    spec = fill_anchors(template, drawn, x=x, y=y, x_label=x, y_label=y, plot_height=height)
    [cells] = spec["spec"]["layer"]
    cells["encoding"]["y"]["sort"] = list(order) or ("descending" if y_up else "ascending")
    cells["encoding"] |= _diverging() if diverging else _sequential(domain)
    if diverging and {"low", "high"} <= set(rows):
        sure = {"test": "datum.low > 0 || datum.high < 0 && datum.low !== null"}
        cells["encoding"]["stroke"] = {"condition": sure | {"value": "currentColor"}, "value": None}
    return draw(spec, label)


def draw_bars(
    template: Template, rows: pd.DataFrame, series: Sequence[Series], label: str, *, domain: Limits
) -> str:
    """Horizontal bars from zero: ``name``, ``rev``, ``value``, ``low``, ``high``; zero ruled."""
    columns, colour = rows[["name", "rev", *BOUNDS]], colours_of(series)
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
    return f'{SWATCH}<rect x="8" width="12" height="10" {_fill(series)}/></svg>'


def _fill(series: Series) -> str:
    return f'fill="var({series.variable}, {series.colour})"'


def draw_points(template: Template, rows: pd.DataFrame, label: str, *, x: str, y: str) -> str:
    """A point a row; the columns `x` and `y` title the axes."""
    columns = rows[[x, y]]
    colour = {"value": FINETUNED.colour}
    spec = fill_anchors(template, columns, x=x, y=y, x_label=x, y_label=y, color=colour)
    return draw(spec, label)


def draw_attention_map(
    template: Template,
    cells: pd.DataFrame,
    label: str,
    *,
    words: Sequence[str] = (),
    reach: float | None = None,
) -> str:
    """One attention map: ``row`` attends to ``column``, by ``weight``.

    In the colour of the text; a difference, which has weights below zero, in those of signs.
    `words` are written on both axes; `reach` is the weight of the strongest colour.
    """
    reach = reach or float(cells.weight.abs().max())
    inked = cells[cells.weight.abs() >= PALE * reach]
    inked = inked.assign(value=inked.weight, share=inked.weight.abs() / reach)
    side = WORD_STEP * len(words) or MAP_SIDE
    spec = fill_anchors(
        template,
        inked[["row", "column", "value", "share"]],
        x="column",
        y="row",
        plot_width=side,
        plot_height=side,
    )
    [drawn] = spec["spec"]["layer"]
    named = dict.fromkeys(("ticks", "domain", "grid", "labelOverlap"), False) | {
        "labelExpr": f"{json.dumps(list(words))}[datum.value]",
        "title": None,
        "labelLimit": 90,
        "labelFontSize": 11,
    }
    places = {"type": "ordinal", "scale": {"domain": sorted(set(cells.row))}}
    above = named | {"labelAngle": -90, "orient": "top"}
    drawn["encoding"] = _diverging() | {
        "x": {"field": "column", "axis": above if words else None, **places},
        "y": {"field": "row", "axis": named if words else None, **places},
    }
    if not (cells.weight < 0).any():
        drawn["encoding"]["color"] = {"value": "currentColor"}
    frame = {
        "data": {"values": [{}]},
        "mark": {"type": "rect", "filled": False, "stroke": "currentColor", "strokeWidth": 0.5},
        "encoding": {},
    }
    spec["spec"]["layer"].append(frame)
    return draw(spec, label)


def ramp(
    domain: tuple[float, float], *, diverging: bool = False, digits: int = 2
) -> tuple[str, str]:
    """A bar in the colours of the scale, and what its ends mean: an entry of a legend."""
    if diverging:
        reach = max(map(abs, domain))
        stops = [(LESS, 1.0), (LESS, 0.5), (LESS, 0.0), (MORE, 0.5), (MORE, 1.0)]
        fills = [f'{_fill(one)} fill-opacity="{share:g}"' for one, share in stops]
        ends = f"{signed(-reach, digits)} to {signed(reach, digits)}"
    else:
        fills = [f'fill="{colour}"' for colour in SEQUENTIAL]
        ends = f"{number(domain[0], digits)} to {number(domain[1], digits)}"
    step = 60 / len(fills)
    bars = "".join(
        f'<rect x="{n * step:g}" y="0" width="{step:g}" height="10" {fill}/>'
        for n, fill in enumerate(fills)
    )
    bar = f'<svg viewBox="0 0 60 10" width="60" height="10" aria-hidden="true">{bars}</svg>'
    return bar, ends


def _sequential(domain: tuple[float, float]) -> dict[str, Any]:
    scale = {"domain": list(domain), "scheme": "viridis", "clamp": True}
    return {"color": {"field": "value", "type": "quantitative", "scale": scale}}


def _diverging() -> dict[str, Any]:
    """Two hues whose opacity is the magnitude, so that zero is the paper in light and dark."""
    below = {"test": "datum.value < 0", "value": LESS.colour}
    scale = {"domain": [0, 1], "range": [0, 1], "clamp": True}
    return {
        "color": {"condition": below, "value": MORE.colour},
        "fillOpacity": {"field": "share", "type": "quantitative", "scale": scale},
    }
