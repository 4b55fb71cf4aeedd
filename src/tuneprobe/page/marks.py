"""Marks beside curves: heat maps, bars with intervals, points, attention maps; their legends."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tuneprobe.page.charts import (
    CHANCE,
    FAINT,
    FINETUNED,
    PRETRAINED,
    WIDTH,
    Series,
    draw,
    fill_anchors,
)
from tuneprobe.page.wording import number, signed

Template = Mapping[str, Any]
Limits = tuple[float, float]

SEQUENTIAL = ("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725")  # viridis
MAP_SIDE = 150
ROW_HEIGHT = 15  # of a bar alone, in pixels
GRID = {"grid": True, "gridColor": FAINT, "gridOpacity": 0.55}
BAR_WIDTH = 190
PALE = 0.03  # share of a map's largest weight below which a cell is left white
SWATCH = '<svg class="swatch" viewBox="0 0 28 10" width="28" height="10" aria-hidden="true">'


def draw_heat_map(
    template: Mapping[str, Any],
    rows: pd.DataFrame,
    label: str,
    *,
    x: str,
    y: str,
    domain: tuple[float, float],
    diverging: bool = False,
    y_label: str = "",
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
        Orange below zero, blue above, stronger the farther; else the perceptual scale.
    y_label : str
        Title of the y axis where it is not the name of the column.
    y_up : bool
        Whether the y axis rises, as in a plot of layers against layers.
    order : sequence of str
        Names on the y axis from the top; in alphabetical order if empty.
    """
    reach = max(map(abs, domain))
    cells_drawn = rows.assign(share=rows.value.abs() / reach)
    spec = fill_anchors(
        template, cells_drawn, x=x, y=y, x_label=x, y_label=y_label or y, plot_height=height
    )
    [cells] = spec["spec"]["layer"]
    cells["encoding"]["y"]["sort"] = list(order) or ("descending" if y_up else "ascending")
    cells["encoding"] |= _diverging() if diverging else _sequential(domain)
    return draw(spec, label)


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
    fill = f"var({series.variable}, {series.colour})"
    return f'{SWATCH}<rect x="8" width="12" height="10" fill="{fill}"/></svg>'


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


def ramp(
    domain: tuple[float, float], *, diverging: bool = False, digits: int = 2
) -> tuple[str, str]:
    """A bar in the colours of the scale, and what its ends mean: an entry of a legend."""
    if diverging:
        reach = max(map(abs, domain))
        stops = [(PRETRAINED, 1.0), (PRETRAINED, 0.5), (PRETRAINED, 0.0)]
        stops += [(FINETUNED, 0.5), (FINETUNED, 1.0)]
        fills = [
            f'fill="var({one.variable}, {one.colour})" fill-opacity="{share:g}"'
            for one, share in stops
        ]
        ends = f"{signed(-reach, digits)} to {signed(reach, digits)}"
    else:
        fills = [f'fill="{colour}"' for colour in SEQUENTIAL]
        ends = f"{number(domain[0], digits)} to {number(domain[1], digits)}"
    step = 60 / len(fills)
    bars = "".join(
        f'<rect x="{n * step:g}" y="0" width="{step:g}" height="10" {fill}/>'
        for n, fill in enumerate(fills)
    )
    return (
        f'<svg viewBox="0 0 60 10" width="60" height="10" aria-hidden="true">{bars}</svg>',
        ends,
    )


def _sequential(domain: tuple[float, float]) -> dict[str, Any]:
    scale = {"domain": list(domain), "scheme": "viridis", "clamp": True}
    return {"color": {"field": "value", "type": "quantitative", "scale": scale}}


def _diverging() -> dict[str, Any]:
    """Two hues whose opacity is the magnitude, so that zero is the paper in light and dark."""
    below = {"test": "datum.value < 0", "value": PRETRAINED.colour}
    scale = {"domain": [0, 1], "range": [0, 1], "clamp": True}
    return {
        "color": {"condition": below, "value": FINETUNED.colour},
        "fillOpacity": {"field": "share", "type": "quantitative", "scale": scale},
    }
