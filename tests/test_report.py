"""The page: complete, self-contained, readable without sight of the charts, the same every time."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import pandas as pd
import pytest
from conftest import DRAW
from made_up_results import (
    made_up_artifacts,
    made_up_funnel,
    made_up_params,
    made_up_results,
)

from tuneprobe.page.charts import GAP, STATES, draw_panel, fill
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.page import render_page
from tuneprobe.page.templates import chart_templates

VOID = {"meta", "link", "br", "img", "hr", "input", "line", "path"}


class Outline(HTMLParser):
    """Collects what a test asks about a page, and checks that tags close in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.feed(page)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def inputs() -> PageInputs:
    return PageInputs(
        results=made_up_results(),
        funnel=made_up_funnel(),
        params=made_up_params(),
        artifacts=made_up_artifacts(),
        encoder="minilm-l6",
        corpus="world",
        layer_mark=0.4167,
        margin=2.0,
        confidence=0.95,
        studies=["pairwise"],
    )


@pytest.fixture(scope="module")
def page(inputs) -> str:
    return render_page(inputs)


def text_of(page: str) -> str:
    body = page[page.index("<body>") :]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_the_same_results_give_the_same_bytes(page, inputs, monkeypatch):
    monkeypatch.setattr("vl_convert.vegalite_to_svg", DRAW)  # drawn anew
    assert render_page(inputs) == page


def test_nothing_is_loaded_and_the_one_script_stands_in_the_page(page):
    outline = Outline(page)
    assert outline.all("script") == [{}]
    assert not outline.all("link")
    assert not re.search(r"url\(|@import|\bsrc=", page)
    addresses = set(re.findall(r"https?://[^\s\"']+", page))
    assert addresses <= {"http://www.w3.org/2000/svg"}


def test_ids_are_unique_and_every_anchor_resolves(page):
    outline = Outline(page)
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    addresses = [a["href"] for a in outline.all("a")]
    anchors = [one.removeprefix("#") for one in addresses if not one.startswith("data:text/csv")]
    assert len(anchors) > 8
    assert set(anchors) <= set(ids)


def test_every_chart_is_named_for_those_who_do_not_see_it(page):
    charts = [svg for svg in Outline(page).all("svg") if svg.get("aria-hidden") != "true"]
    assert len(charts) == 1 + 5 + 7 + 5 + 5 + 16  # answer, layers, specific, gaps, others, controls
    assert all(svg["role"] == "img" and len(svg["aria-label"]) > 20 for svg in charts)


def test_headings_descend_without_gaps(page):
    levels = [int(tag[1]) for tag, _ in Outline(page).tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.usefixtures("undrawn")
def test_a_synthetic_corpus_is_called_so_before_any_number(page, inputs):
    text = text_of(page)
    assert text.index("Synthetic corpus.") < text.index("Of the 6 claims")
    real = {"examples/qed": {"corpus": "nq-passages", "synthetic": False}}
    honest = render_page(replace(inputs, artifacts=real, corpus="nq-passages"))
    assert "Synthetic corpus" not in text_of(honest)


def test_the_claims_come_before_the_figures_and_all_hold_in_this_run(page):
    assert page.index('id="claims"') < page.index('id="layers"')
    assert "Of the 6 claims of Cai et al. 2020, 6 hold." in text_of(page)


@pytest.mark.usefixtures("undrawn")
def test_captions_are_written_from_the_numbers(inputs):
    text = text_of(render_page(replace(inputs, results=made_up_results(gain=3.0))))
    assert "scores above the pre-trained one in 3 of 5 probes" in text
    assert "coreference (layers 4–6)" in text
    assert "abbreviation 68.0 and 50.0" in text
    without = text_of(render_page(replace(inputs, results=made_up_results(gain=0.0))))
    assert "scores above the pre-trained one in 0 of 5 probes" in without
    assert "No layer of any probe differs significantly." in without


def test_the_published_table_stands_beside_ours(page):
    text = text_of(page)
    for published in ("16.81", "28.10", "21.03", "4.57", "59.48", "43.25"):
        assert published in text
    assert "Pre-trained and frozen, trained head 22.0" in text


def test_the_encoder_is_said_to_be_distilled_and_the_mark_scaled(page):
    text = text_of(page)
    assert "distilled" in text
    assert "layers 1–2 count as early and 3–6 as late" in text


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ({"state": ["finetuned"]}, "The state finetuned is missing"),
        ({"state": ["random"]}, "random encoder"),
        ({"task": ["abbreviation"]}, "abbreviation, Euclidean"),
        ({"study": ["evaluate"]}, "the study ‘evaluate’ has not run"),
        ({"study": ["pairwise"]}, "The pairwise study is missing"),
        ({"study": ["pairwise", "evaluate"]}, "Missing:"),
    ],
)
def test_a_page_from_partial_results_says_what_is_missing(inputs, missing, says):
    results = inputs.results
    for column, names in missing.items():
        results = results[~results[column].isin(names)]
    page = render_page(replace(inputs, results=results))
    Outline(page)
    assert says in text_of(page)


@pytest.mark.usefixtures("undrawn")
def test_a_page_without_funnel_or_intervals_still_builds(inputs):
    results = inputs.results.assign(low=float("nan"), high=float("nan"))
    empty = pd.DataFrame(columns=["probe", "step", "kept", "dropped", "reason"])
    text = text_of(render_page(replace(inputs, results=results, funnel=empty)))
    assert "funnel.csv" in text
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)


@pytest.mark.usefixtures("undrawn")
def test_text_from_files_cannot_break_the_page(inputs):
    funnel = made_up_funnel().assign(reason='<script>alert("x")</script> & more')
    page = render_page(replace(inputs, funnel=funnel, corpus="<b>world"))
    assert len(Outline(page).all("script")) == 1
    assert "<b>world" not in page


def test_colours_reach_contrast_in_both_schemes(page):
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return sum(
            weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
        )

    def contrast(a: str, b: str) -> float:
        high, low = sorted((luminance(a), luminance(b)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    colours = {
        name: (light, dark)
        for name, light, dark in re.findall(r"--(\w+): light-dark\((#\w{6}), (#\w{6})\)", page)
    }
    for scheme in (0, 1):
        for name in ("ink", "soft", "link", "holds", "partly", "fails"):
            for ground in ("paper", "wash"):
                assert contrast(colours[name][scheme], colours[ground][scheme]) >= 4.5, name
        drawn = ("finetuned", "pretrained", "random", "fourth", "fifth", "sixth", "chance")
        for name in drawn:
            assert contrast(colours[name][scheme], colours["paper"][scheme]) >= 3, name


def test_the_filled_template_keeps_no_anchor_and_the_state_order():
    templates = chart_templates()
    rows = [{"rev": "finetuned", "panel": "p", "layer": 0, "value": 50, "low": 49, "high": 51}]
    for name, series in (("layer_curves", STATES), ("gap_curves", [GAP])):
        spec = fill(templates[name], pd.DataFrame(rows), series, domain=(0, 100))
        assert "<DVC_METRIC" not in json.dumps(spec).replace(spec["description"], "")
    assert templates["layer_curves"]["data"]["values"] == "<DVC_METRIC_DATA>"


def test_a_panel_draws_a_line_per_state_with_its_dash_and_nothing_named_twice():
    templates = chart_templates()
    rows = [
        {"rev": state.name, "panel": "p", "layer": layer, "value": v, "low": v - 1, "high": v + 1}
        for v, state in zip((70, 60, 50), STATES, strict=True)
        for layer in range(3)
    ]
    svg = draw_panel(
        templates["layer_curves"], pd.DataFrame(rows), STATES, domain=(40, 80), label="three lines"
    )
    lines = {
        path.get("stroke"): path.get("stroke-dasharray")
        for path in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}path")
        if path.get("stroke-dasharray") and path.get("stroke")
    }
    assert lines == {
        f"var({state.variable}, {state.colour})": ",".join(f"{part:g}" for part in state.dash)
        for state in STATES
    }
    assert "id=" not in svg.replace("viewBox", "")
