"""A figure of the page as files: one SVG, the same as PNG, and its data as CSV.

The page shows each panel on its own, coloured by its style sheet. A file must stand alone: panels
in a grid under their headings, light colours, and a font that vl-convert brings along.
"""

import csv
import re
from collections.abc import Sequence
from html import escape
from io import StringIO
from math import isfinite
from pathlib import Path
from urllib.parse import quote

import vl_convert
from tqdm import tqdm

from tuneprobe.artifacts import atomic_folder
from tuneprobe.formats.results import significant
from tuneprobe.page.blocks import Cell, CellLike, Figure, Panel, Table
from tuneprobe.page.charts import MEASURED_FONT, PAPER, SHOWN_FONT, SOFT

INK = "#1c1d1f"
WIDTH = 1240  # pixels that a row of panels fills at most
MARGIN, GAP, HEADING, TOP = 16, 14, 34, 62  # pixels
CHARACTER, SMALL_CHARACTER = 6.6, 5.6  # mean width of a character of a legend, of a heading
PNG_SCALE = 2


def write_figures(figures: Sequence[Figure], folder: Path) -> None:
    """Write ``<anchor>.svg``, ``.png`` and ``.csv`` of each figure that could be drawn."""
    with atomic_folder(folder, sums=False) as part:
        for figure in tqdm(figures, "write", unit="figure", disable=None):
            if figure.panels:
                svg = figure_svg(figure)
                (part / f"{figure.name}.svg").write_text(svg, encoding="utf-8")
                png = vl_convert.svg_to_png(svg, scale=PNG_SCALE)
                (part / f"{figure.name}.png").write_bytes(png)
                (part / f"{figure.name}.csv").write_text(table_csv(figure.table), encoding="utf-8")


def table_csv(table: Table) -> str:
    """The data table for programs: whole numbers, an interval in three columns, nothing missing.

    >>> rows = [["1", Cell(-2.04, -3.1, -0.9)], ["2", Cell(float("nan"))]]
    >>> print(table_csv(Table(["layer", "gap"], rows)))
    layer,gap,gap low,gap high
    1,-2.04,-3.1,-0.9
    2,,,
    <BLANKLINE>
    """
    columns = list(zip(*table.rows, strict=True)) or [()] * len(table.head)
    bounded = [any(isinstance(c, Cell) and isfinite(c.low) for c in column) for column in columns]
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = zip(table.head, bounded, strict=True)
    writer.writerow(
        cell
        for name, b in heads
        for cell in ([name, f"{name} low", f"{name} high"] if b else [name])
    )
    for row in table.rows:
        cells = zip(row, bounded, strict=True)
        writer.writerow(part for cell, bound in cells for part in _numbers(cell, bound))
    return text.getvalue()


def csv_address(table: Table) -> str:
    """The CSV as an address that a link of the page saves, without another file."""
    return f"data:text/csv;charset=utf-8,{quote(table_csv(table))}"


def figure_svg(figure: Figure) -> str:
    """One drawing of all panels, with title and legend, in light colours."""
    width, height = (
        max(sides) for sides in zip(*(_size(panel) for panel in figure.panels), strict=True)
    )
    fitting = max(1, int(WIDTH // (width + GAP)))
    in_row = min(len(figure.panels), figure.in_row or fitting)
    parts = [_text(figure.title, MARGIN, 26, size=15, bold=True), *_legend(figure)]
    for number, panel in enumerate(figure.panels):
        row, column = divmod(number, in_row)
        x = MARGIN + column * (width + GAP)
        y = TOP + row * (height + HEADING + GAP)
        parts.append(_text(panel.ability, x, y + 12, size=12, bold=True))
        parts.append(_text(panel.measure, x, y + 27, size=11, colour=SOFT))
        parts.append(panel.svg.replace("<svg ", f'<svg x="{x:g}" y="{y + HEADING:g}" ', 1))
    n_rows = -(-len(figure.panels) // in_row)
    whole = (
        2 * MARGIN + in_row * (width + GAP) - GAP,
        TOP + n_rows * (height + HEADING + GAP) - GAP + MARGIN,
    )
    return _stand_alone("".join(parts), *whole)


def _numbers(cell: CellLike, bounded: bool) -> list[str]:
    """A cell as numbers of six significant digits, with bounds where its column has any."""
    if not isinstance(cell, Cell):
        return [cell, "", ""] if bounded else [cell]
    values = cell[:3] if bounded else cell[:1]
    return [f"{significant(value):g}" if isfinite(value) else "" for value in values]


def _size(panel: Panel) -> tuple[float, float]:
    """Width and height of a drawing and its heading; a panel without one has its heading only."""
    heading = max(len(panel.ability), len(panel.measure)) * SMALL_CHARACTER
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', panel.svg)
    return (max(heading, float(found[1])), float(found[2])) if found else (heading, 0.0)


def _legend(figure: Figure) -> list[str]:
    parts, x = [], float(MARGIN)
    for key, label in figure.legend:
        size = re.search(r'width="([\d.]+)"', key)
        wide = float(size[1]) if size else 0.0
        parts.append(key.replace("<svg ", f'<svg x="{x:g}" y="37" ', 1))
        parts.append(_text(label, x + wide + 6, 46, size=12))
        x += wide + 6 + CHARACTER * len(label) + 18
    parts.append(_text(f"vertical axis: {figure.axis}", x, 46, size=12, colour=SOFT))
    return parts


def _text(
    text: str, x: float, y: float, *, size: int, colour: str = INK, bold: bool = False
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-family="{SHOWN_FONT}" font-size="{size}"{weight} '
        f'fill="{colour}">{escape(text)}</text>'
    )


def _stand_alone(parts: str, width: float, height: float) -> str:
    """An SVG file without the variables of the page's style sheet."""
    parts = re.sub(r"var\(--[a-z]+, (#[0-9a-f]+)\)", r"\1", parts)
    parts = parts.replace("currentColor", INK).replace(SHOWN_FONT, f"{MEASURED_FONT}, sans-serif")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}"><rect width="100%" height="100%" fill="{PAPER}"/>'
        f"{parts}</svg>\n"
    )
