"""Every figure of a page of all studies: what stands around it, and the files that hold it."""

import csv
import re
from dataclasses import replace
from io import StringIO
from math import nan
from urllib.parse import unquote
from xml.etree import ElementTree

import pandas as pd
import pytest
from made_up_page import few_tasks

from tuneprobe.page.blocks import Cell, Figure, Panel, Table
from tuneprobe.page.charts import STATES
from tuneprobe.page.figures import Curves, Quantity
from tuneprobe.page.files import figure_svg, table_csv, write_figures
from tuneprobe.page.page import figures_of, render_page
from tuneprobe.page.render import draw_figure
from tuneprobe.studies.geometry.page import GEOMETRY

SVG = "{http://www.w3.org/2000/svg}"
OF_EACH_KIND = {"layers", "gaps", "clusters", "attention-maps", "patterns"}


@pytest.fixture(scope="module")
def figures(page_chapters) -> list[Figure]:
    return figures_of(page_chapters)


def section_of(page: str, figure: Figure) -> str:
    start = page.index(f'<section id="{figure.name}"')
    return page[start : page.index("</section>", start)]


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(StringIO(text)))


def test_every_figure_has_anchor_caption_reading_named_drawings_and_its_data(
    page_inputs, page_chapters, figures
):
    page = render_page(page_inputs, page_chapters)
    assert len(figures) == 36
    for number, figure in enumerate(figures, 1):
        section = section_of(page, figure)
        assert f"Figure {number} · {figure.title}</span>" in section
        assert f'<a class="anchor" href="#{figure.name}">' in page
        assert "ow to read it, and its data" in section
        assert len(figure.caption) > 30, figure.name
        assert len(figure.reading) > 60, figure.name
        labels = re.findall(r'<svg [^>]*role="img" aria-label="([^"]+)"', section)
        assert len(labels) == sum(bool(panel.svg) for panel in figure.panels) > 0, figure.name
        assert all(len(label) > 20 for label in labels), figure.name
        assert not re.search(r"url\(|<svg[^>]* id=|\bnan\b", section, re.IGNORECASE), figure.name
        assert section.count('<th scope="row">') == len(figure.table.rows) > 0, figure.name
        [address] = re.findall(r'href="data:text/csv;charset=utf-8,([^"]+)"', section)
        found = rows_of(unquote(address))
        assert len(found) == 1 + len(figure.table.rows)
        assert len({len(row) for row in found}) == 1, figure.name


def test_every_figure_is_also_a_drawing_that_stands_alone_a_picture_and_a_table(figures, tmp_path):
    chosen = [figure for figure in figures if figure.name in OF_EACH_KIND]
    write_figures(chosen, tmp_path / "figures")
    stems = {path.stem for path in (tmp_path / "figures").iterdir()}
    assert stems == OF_EACH_KIND
    for figure in chosen:
        path = tmp_path / "figures" / figure.name
        assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
        assert path.with_suffix(".csv").read_text() == table_csv(figure.table)
        svg = path.with_suffix(".svg").read_text()
        assert "var(" not in svg
        assert "currentColor" not in svg
        drawn = ElementTree.fromstring(svg)
        shown = {text.text for text in drawn.iter(f"{SVG}text")}
        assert {figure.title, *(panel.ability for panel in figure.panels)} <= shown


def test_no_two_panels_of_a_file_overlap_and_none_leaves_it(figures):
    for figure in figures:
        drawn = ElementTree.fromstring(figure_svg(figure))
        width, height = float(drawn.get("width")), float(drawn.get("height"))
        boxes = [
            [float(one.get(name)) for name in ("x", "y", "width", "height")]
            for one in drawn.findall(f"{SVG}svg")
            if one.get("role") == "img"
        ]
        assert all(x + w <= width and y + h <= height for x, y, w, h in boxes), figure.name
        for place, (x, y, w, h) in enumerate(boxes):
            for a, b, c, d in boxes[:place]:
                assert x >= a + c or a >= x + w or y >= b + d or b >= y + h, figure.name


def test_what_does_not_exist_is_not_called_missing(page_inputs):
    rows = pd.DataFrame(
        [("a", "finetuned", 1, 2.0, nan, nan), ("b", "finetuned", 1, 3.0, nan, nan)],
        columns=["task", "state", "layer", "value", "low", "high"],
    )
    spec = Curves(
        "x",
        "X",
        groups=lambda _: ["a", "b"],
        series=STATES[:1],
        quantities=[
            Quantity("accuracy", lambda _: rows),
            Quantity("selectivity", lambda _: rows[rows.task == "a"], undefined=lambda _: {"b"}),
            Quantity("compression", lambda _: rows[rows.task == "a"]),
        ],
    )
    drawn = draw_figure(spec, page_inputs)
    assert drawn.undefined == ["b, selectivity"]
    assert drawn.missing == ["b, compression"]


def test_curves_of_halves_and_of_the_way_are_called_what_they_are(figures):
    drawn = {figure.name: figure for figure in figures}
    halves = drawn["put-back"].table
    assert halves.head[2:] == [
        "only the layers above this one tuned",
        "only this layer and those below tuned",
    ]
    assert [round(cell.value) for cell in halves.rows[0][2:]] == [90, 55]  # at layer 0
    way = drawn["path"]
    assert way.table.head[1] == "% of the way to the tuned weights"
    assert "POS: the loss is at least 0.30 [0.25, 0.35] nats below the chord." in way.caption
    control = "0.20 [0.15, 0.25] nats below the chord, to the control at most 1.00 [0.95, 1.05]"
    assert f"POS to another seed: the loss is at least {control} nats above" in way.caption


def test_maps_with_outlined_cells_say_what_the_outline_is(figures):
    said = {figure.name: [label for _, label in figure.legend] for figure in figures}
    outlined = "outlined: interval without zero"
    assert outlined in said["head-ablation"]
    assert outlined in said["changed-mattered"]
    assert outlined not in said["layer-map"]


@pytest.mark.usefixtures("undrawn")
def test_the_csv_of_a_figure_loses_no_digit_that_its_page_rounds_away(page_inputs, figures):
    table = next(figure.table for figure in figures if figure.name == "spatial")
    moved = page_inputs.results.assign(value=page_inputs.results.value + 1e-4 / 3)
    spec = next(one for one in GEOMETRY.blocks if getattr(one, "name", "") == "spatial")
    spatial = draw_figure(spec, replace(page_inputs, results=moved))
    before, after = (
        [float(row[2]) for row in rows_of(table_csv(one))[1:]] for one in (table, spatial.table)
    )
    assert [str(row[2]) for row in table.rows] == [str(row[2]) for row in spatial.table.rows]
    assert after == pytest.approx([one + 1e-4 / 3 for one in before], rel=1e-5)  # six digits
    assert str(Cell(0.00012, digits=2)) == "0.00"


def test_a_picture_has_room_for_headings_longer_than_the_drawing():
    panel = Panel("a", "a measure with a heading of some length", '<svg viewBox="0 0 10 10"/>')
    figure = Figure("x", "X", "", "", [panel, panel], "y", [], Table([], []))
    drawn = ElementTree.fromstring(figure_svg(figure))
    assert float(drawn.get("width")) > 2 * 200


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("random", "Missing: random encoder"),
        ("pretrained", "Missing: pre-trained"),
        ("finetuned", "no two states to compare"),
    ],
)
def test_a_page_without_a_state_says_what_is_missing(page_inputs, state, says):
    inputs = few_tasks(page_inputs)
    results = inputs.results[inputs.results.state != state]
    text = re.sub(r"<[^>]+>", " ", render_page(replace(inputs, results=results)))
    assert says in re.sub(r"\s+", " ", text)
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)


@pytest.mark.usefixtures("undrawn")
def test_numbers_without_an_interval_stand_alone_and_decide_no_claim(page_inputs):
    inputs = few_tasks(page_inputs)
    results = inputs.results.assign(low=nan, high=nan)
    page = render_page(replace(inputs, results=results, tables={}))
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)
    assert not re.search(r"\[[−+\d.]+, [−+\d.]+\]", text.partition("Methods")[0])
    assert "undecided" in text
