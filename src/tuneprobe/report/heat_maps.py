"""Heat maps: magnitudes on a perceptual scale, differences on one that is centred on zero."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tuneprobe.report.charts import FINETUNED, PRETRAINED, WIDTH, draw, fill_anchors
from tuneprobe.report.wording import number, signed

SEQUENTIAL = ("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725")  # viridis


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
