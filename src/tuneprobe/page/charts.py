"""Static charts: the Vega-Lite templates of `dvc plots`, filled and drawn as SVG.

A chart is one panel, so that a page can arrange panels to its width. Text is measured in a font
that vl-convert brings along and shown in the reader's own: the bytes depend on no installed font.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import vl_convert
from dvc_render.vega_templates import Template

VEGA_LITE = "5.21"
WIDTH, HEIGHT = 152, 108
MEASURED_FONT = "Roboto"
SHOWN_FONT = "system-ui, sans-serif"
SVG = "{http://www.w3.org/2000/svg}"

MARKS = ("point", "rect mark", "bar", "circle")
LOG_TICKS = [part * 10**power for power in range(-3, 6) for part in (1, 3)]

SOFT, FAINT, PAPER = "#5b5f66", "#c9ccd1", "#ffffff"
CHANCE = "#767676"
THEME = {SOFT: "--soft", FAINT: "--line", PAPER: "--paper", CHANCE: "--chance"}


@dataclass(frozen=True)
class Series:
    """One kind of curve: its name in the data, label, colour, dash and CSS variable."""

    name: str
    label: str
    colour: str
    dash: tuple[float, ...]
    variable: str


def renamed(series: Series, name: str, label: str = "") -> Series:
    """The look of a series for another, which is called by its name where no label is given."""
    return replace(series, name=name, label=label or name)


FINETUNED = Series("finetuned", "fine-tuned", "#0b61a4", (1, 0), "--finetuned")
PRETRAINED = Series("pretrained", "pre-trained", "#b4530a", (6, 3), "--pretrained")
RANDOM = Series("random", "random encoder", "#6b7077", (1.5, 2.5), "--random")
MORE = Series("more", "more", "#0a7a57", (1, 0), "--fourth")  # of signs, which no state has
LESS = Series("less", "less", "#8a3a93", (6, 3), "--fifth")
GAP = Series("gap", "fine-tuned minus pre-trained", "#0b61a4", (1, 0), "--finetuned")
STATES = (FINETUNED, PRETRAINED, RANDOM)
RUNS = (  # looks of up to six runs: no two have the same colour or the same dash
    FINETUNED,
    PRETRAINED,
    RANDOM,
    replace(MORE, name="fourth", label="", dash=(9, 2, 2, 2)),
    replace(LESS, name="fifth", label="", dash=(3, 3)),
    Series("sixth", "", "#7d6608", (12, 3), "--sixth"),
)

CONFIG: dict[str, Any] = {
    "font": MEASURED_FONT,
    "background": "transparent",
    "padding": {"left": 2, "right": 8, "top": 2, "bottom": 2},
    "view": {"stroke": None},
    "legend": {"disable": True},
    "axis": {
        "labelColor": SOFT,
        "labelFontSize": 11,
        "titleColor": SOFT,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "titlePadding": 5,
        "domain": False,
        "grid": False,
        "tickColor": FAINT,
        "tickSize": 4,
        "labelPadding": 4,
    },
    "axisY": {
        "grid": True,
        "gridColor": FAINT,
        "gridOpacity": 0.55,
        "ticks": False,
        "labelPadding": 8,
    },
    "axisX": {"domain": True, "domainColor": FAINT, "labelFlush": False},
}


def draw_panel(
    template: Mapping[str, Any],
    rows: pd.DataFrame,
    series: Sequence[Series],
    *,
    domain: tuple[float, float],
    label: str,
    mark: float | None = None,
    margin: float | None = None,
    x: str = "layer",
    x_domain: tuple[float, float] | None = None,
    scale: str = "linear",
) -> str:
    """SVG of one panel, without a heading: the page sets that as text.

    Parameters
    ----------
    rows : DataFrame
        Points of one panel, with the columns of metrics/plots and ``rev``, the series.
    domain, x_domain : pair of float
        Limits of the axes, the same for all panels of a figure; x by default as the points have it.
    label : str
        What the panel shows, for those who do not see it.
    mark, margin : float, optional
        Layer at which a vertical line is drawn; half the height of a band around zero.
    scale : str
        Of the y axis: ``linear`` or ``log``.
    """
    spec = fill(template, rows, series, domain=domain, x=x, x_domain=x_domain, scale=scale)
    return draw(spec, label, ground=list(_ground(mark, margin, domain)))


def draw(spec: Mapping[str, Any], label: str, ground: Sequence[dict[str, Any]] = ()) -> str:
    """SVG of a filled template that holds one panel, over the layers of `ground`."""
    panel = {key: value for key, value in spec.items() if key not in ("facet", "columns", "spec")}
    panel |= spec["spec"] | {"config": CONFIG}
    panel["layer"] = [*ground, *panel["layer"]]
    return tidy(vl_convert.vegalite_to_svg(panel, vl_version=VEGA_LITE), label)


def fill(
    template: Mapping[str, Any],
    rows: pd.DataFrame,
    series: Sequence[Series],
    *,
    domain: tuple[float, float],
    x: str = "layer",
    x_domain: tuple[float, float] | None = None,
    scale: str = "linear",
) -> dict[str, Any]:
    """The template with DVC's anchors filled as `dvc plots` fills them, and a fixed y axis."""
    filled = fill_anchors(template, rows, x=x, x_label=x, y="value", color=colours_of(series))
    limits = {"type": scale, "domain": list(domain), "nice": False}
    for encoding in _encodings(filled):
        if x_domain and "x" in encoding:
            encoding["x"]["scale"] = {"domain": list(x_domain), "nice": False}
        encoding["y"]["scale"] = limits if scale == "log" else limits | {"zero": False}
        if "strokeDash" in encoding:
            encoding["strokeDash"]["scale"] = dashes_of(series)
            encoding["y"]["axis"] = {"values": LOG_TICKS} if scale == "log" else {"tickCount": 4}
    return filled


def colours_of(series: Sequence[Series]) -> dict[str, Any]:
    """The colour of each series, by the column ``rev``."""
    scale = {"domain": [one.name for one in series], "range": [one.colour for one in series]}
    return {"field": "rev", "scale": scale}


def dashes_of(series: Sequence[Series]) -> dict[str, Any]:
    """The scale of their dashes."""
    return {"domain": [one.name for one in series], "range": [list(one.dash) for one in series]}


def fill_anchors(template: Mapping[str, Any], rows: pd.DataFrame, **anchors: Any) -> dict[str, Any]:
    """Any template with DVC's anchors filled, those not named with what a page wants.

    Numbers that are missing become null.
    """
    filled = Template(dict(template), "page")
    size = {"plot_width": WIDTH, "plot_height": HEIGHT}
    empty = {"title": "", "x_label": "", "y_label": "", "tooltip": [], "color": {}}
    for anchor, value in (empty | size | anchors).items():
        filled.fill_anchor(anchor, value)
    filled.fill_anchor("data", _points(rows))  # last: it is long, and holds no anchor
    return dict(filled.content)


def _points(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as JSON has them."""
    columns = [
        [
            None if lacks else cell
            for cell, lacks in zip(column.tolist(), column.isna(), strict=True)
        ]
        for _, column in rows.items()
    ]
    return [dict(zip(rows.columns, row, strict=True)) for row in zip(*columns, strict=True)]


def tidy(svg: str, label: str) -> str:
    """The drawing without what draws nothing, named for screen readers, coloured by the page.

    Colours become ``var(--name, colour)``, so that one drawing serves light and dark pages.
    """
    ElementTree.register_namespace("", SVG.strip("{}"))
    root = ElementTree.fromstring(svg)
    _prune(root)
    for element in list(root.iter()):
        _tell(element)
        _clean(element)
    width, height = root.get("width", "0"), root.get("height", "0")
    root.attrib.clear()
    root.attrib.update(viewBox=f"0 0 {width} {height}", width=width, height=height)
    root.attrib.update({"role": "img", "aria-label": label, "class": "chart"})
    return ElementTree.tostring(root, encoding="unicode")


def swatch(series: Series) -> str:
    """A short line in the colour and dash of a series, for legends."""
    dash = " ".join(f"{part:g}" for part in series.dash) if series.dash != (1, 0) else "none"
    return (
        '<svg class="swatch" viewBox="0 0 28 10" width="28" height="10" aria-hidden="true">'
        f'<line x1="1" y1="5" x2="27" y2="5" stroke="var({series.variable}, {series.colour})" '
        f'stroke-width="2" stroke-dasharray="{dash}"/></svg>'
    )


def _ground(
    mark: float | None, margin: float | None, domain: tuple[float, float]
) -> Iterator[dict[str, Any]]:
    low, high = domain
    if margin is not None:
        yield {
            "data": {"values": [{"low": max(low, -margin), "high": min(high, margin)}]},
            "mark": {"type": "rect", "color": FAINT, "opacity": 0.35},
            "encoding": {
                "y": {"field": "low", "type": "quantitative", "scale": {"zero": False}},
                "y2": {"field": "high"},
            },
        }
    if mark is not None:
        yield {
            "data": {"values": [{"mark": mark}]},
            "mark": {"type": "rule", "color": FAINT, "strokeWidth": 1},
            "encoding": {"x": {"field": "mark", "type": "quantitative"}},
        }


def _encodings(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "encoding" in node:
            yield node["encoding"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _encodings(child)


def _prune(element: ElementTree.Element) -> None:
    """Remove what is not shown: hidden frames, backgrounds, empty groups."""
    for child in list(element):
        _prune(child)
        frame = child.get("class") in ("background", "foreground")
        empty = child.tag == f"{SVG}g" and not len(child)
        if frame or empty or child.get("fill") == "transparent":
            element.remove(child)


def _tell(element: ElementTree.Element) -> None:
    """What Vega says of a point, a cell or a bar becomes what a browser shows on hover."""
    if element.get("aria-roledescription") in MARKS and "value" in element.get("aria-label", ""):
        told = re.sub(r"-?\d+\.\d{3,}", _two_digits, element.get("aria-label", ""))
        ElementTree.SubElement(element, f"{SVG}title").text = told.replace("; ", ", ")


def _clean(element: ElementTree.Element) -> None:
    for name in list(element.attrib):
        if name in ("class", "role", "pointer-events") or name.startswith("aria-"):
            del element.attrib[name]
    for name in ("fill", "stroke"):
        if (colour := element.get(name, "").lower()) in VARIABLES:
            element.set(name, f"var({VARIABLES[colour]}, {colour})")
    if element.get("font-family") == MEASURED_FONT:
        element.set("font-family", SHOWN_FONT)
    if element.get("opacity") == "1":
        del element.attrib["opacity"]
    for name in ("transform", "d"):
        if name in element.attrib:
            element.set(name, re.sub(r"-?\d+\.\d+", _two_digits, element.attrib[name]))


def _two_digits(match: re.Match[str]) -> str:
    return f"{float(match.group()):.2f}".rstrip("0").rstrip(".")


VARIABLES = THEME | {series.colour: series.variable for series in (*RUNS, GAP)}
