"""The page in a real browser: nothing leaves the file, nothing overflows, everyone can read it."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tuneprobe.collect.metrics import headline, plot_tables
from tuneprobe.compare import Run
from tuneprobe.formats.results import OVER_BASELINE, Result, stamp, to_frame
from tuneprobe.page.compare import read_plots, render_comparison
from tuneprobe.page.page import render_page

BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
PAGES = ("run", "comparison")
WINDOWS = ((360, "light"), (800, "dark"), (1600, "light"))  # no style depends on both
SERIOUS = ("serious", "critical")
TEXT_CONTRAST = 4.5

# A chart is one image, named as a whole, and the rows of a folded table are alike.
THIN_OUT = """document
  .querySelectorAll('.chart > *, details tbody tr:nth-child(n+4)')
  .forEach(one => one.remove())"""

OVERFLOWING = """() => {
  const width = document.documentElement.clientWidth;
  return [...document.querySelectorAll('body *')]
    .filter(one => !one.closest('.unseen, .skip'))
    .filter(one => !one.parentElement.closest('.scroll'))
    .filter(one => {
      const box = one.getBoundingClientRect();
      return box.width && (box.right > width + 0.5 || box.left < -0.5);
    })
    .map(one => `${one.tagName} ${one.textContent.slice(0, 40)}`);
}"""

HIDDEN_VERDICTS = """() => innerWidth > 640 ? 0 : [...document.querySelectorAll('.claims .verdict')]
  .filter(one => one.getBoundingClientRect().right > innerWidth).length"""

CHART_CONTRASTS = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
  const luminance = colour => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(part => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = luminance(getComputedStyle(document.body).backgroundColor);
  const fills = [...document.querySelectorAll('svg text')].map(one => getComputedStyle(one).fill);
  return Object.fromEntries([...new Set(fills)].map(fill => {
    const [low, high] = [luminance(fill), paper].sort((a, b) => a - b);
    return [fill, (high + 0.05) / (low + 0.05)];
  }));
}"""

LOST_ANCHORS = """() => [...document.querySelectorAll('a[href^="#"]')]
  .map(one => one.getAttribute('href').slice(1))
  .filter(name => !document.getElementById(name)?.getClientRects().length)"""


SMALL_LABELS = """() => [...document.querySelectorAll('svg text')].filter(one => {
  const svg = one.ownerSVGElement;
  const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
  return one.getClientRects().length && scale * parseFloat(getComputedStyle(one).fontSize) < 10.99;
}).map(one => one.textContent)"""

FOLDS = """id => {
  const found = document.getElementById(id);
  if (!found) return -1;
  let folds = found.querySelector(':scope > details.fold') ? 1 : 0;
  for (let one = found; one; one = one.parentElement) folds += one.tagName === 'DETAILS';
  return folds;
}"""

SCREENS = 12
QUESTIONS = {  # id of what answers it, and words that stand there
    "What did tuning teach, and is it more than a baseline?": ("taught", "gain"),
    "Is the reader better than word overlap?": ("taught", "reading world.*word overlap"),
    "Does it hold over seeds?": ("run", "this run has one"),
    "What would an encoder with random weights give?": ("taught", "random weights"),
    "Which layers do labels move in most?": ("answer-geometry", "layer \\d moves most"),
    "Which layers do attention maps change in most?": ("answer-attention", "layer \\d change"),
    "Which layers matter to the score?": ("answer-change", "layer \\d costs"),
    "Which heads changed, and how do their maps look?": (
        "changed-maps",
        "before .*after",
    ),
    "What do the papers claim, and does it hold here?": ("claims", "Of the \\d+ claims"),
    "Is it the space, or the classifier?": ("controls", "Selectivity"),
    "Where do the examples come from?": ("funnel", "Examples kept"),
    "What is done otherwise than in the papers?": ("differs", "The paper"),
    "Which weights, libraries and commit made this?": ("run", "Libraries|Code"),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        pytest.skip(f"no Chromium is installed (looked for {', '.join(BROWSERS)})")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found)
        yield opened
        opened.close()


def learned() -> pd.DataFrame:
    """A reader beside one baseline."""
    tuned = {"state": "finetuned", "n": 40}
    rows = [
        Result("short_f1", 30.0, 25.0, 35.0, threshold="best", **tuned),
        Result(OVER_BASELINE, 9.0, 4.0, 14.0, against="word-overlap", score="short_f1", **tuned),
    ]
    keys = {"study": "evaluate", "encoder": "minilm-l6", "task": "world-qa", "seed": 13}
    return to_frame(stamp(rows, **keys))


def comparison(root: Path, results: pd.DataFrame) -> str:
    """A page of two runs, one of them without the study of pairs."""
    runs = [
        Run(name, {"encoder": name}, headline(rows, "finetuned"), plot_tables(rows, "finetuned"))
        for name, rows in (("all", results), ("some", results[results.study != "pairwise"]))
    ]
    return render_comparison(runs, read_plots(root))


@pytest.fixture(scope="module")
def folder(root: Path, page_inputs, page_chapters, tmp_path_factory) -> Path:
    """Holds a page of each kind."""
    folder = tmp_path_factory.mktemp("pages")
    rows = pd.concat([page_inputs.results, learned()], ignore_index=True)
    inputs = replace(page_inputs, results=rows)
    (folder / "run.html").write_text(render_page(inputs, page_chapters))
    (folder / "comparison.html").write_text(comparison(root, inputs.results))
    return folder


class Watched:
    """A page that was opened, what it asked for and what it complained about."""

    def __init__(self, browser: Browser, file: Path, width: int, scheme: str) -> None:
        self.file = file
        viewport = {"width": width, "height": 900}
        self.page: Page = browser.new_page(viewport=viewport, color_scheme=scheme)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(file.as_uri())
        self.page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")


@pytest.fixture(scope="module", params=list(product(PAGES, WINDOWS)))
def shown(request, browser, folder) -> Iterator[Watched]:
    name, window = request.param
    watched = Watched(browser, folder / f"{name}.html", *window)
    yield watched
    watched.page.close()


def test_the_page_asks_for_nothing_but_itself_and_the_console_is_silent(shown):
    assert shown.requests == [shown.file.as_uri()]
    assert shown.complaints == []


def test_nothing_is_wider_than_the_window_but_inside_scrolling_tables(shown):
    root = "document.documentElement"
    assert shown.page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
    assert shown.page.evaluate(OVERFLOWING) == []
    assert shown.page.evaluate(HIDDEN_VERDICTS) == 0


def test_labels_in_charts_are_large_enough_to_read(shown):
    assert shown.page.evaluate(SMALL_LABELS) == []


def test_the_page_is_short_before_anything_is_unfolded_and_folds_open_on_the_way(browser, folder):
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto((folder / "run.html").as_uri())
    assert page.evaluate("document.documentElement.scrollHeight") <= SCREENS * 900
    assert page.locator("#layer-map .panels").is_hidden()
    page.evaluate("location.hash = 'layer-map'")
    page.wait_for_function("document.querySelector('#layer-map details.fold').open")
    page.close()


def test_a_readers_questions_are_answered_outside_of_more_than_one_fold(browser, folder):
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto((folder / "run.html").as_uri())
    for question, (place, words) in QUESTIONS.items():
        assert 0 <= page.evaluate(FOLDS, place) <= 1, question
        text = re.sub(r"\s+", " ", page.locator(f"#{place}").text_content())
        assert re.search(words, text), (question, text[:300])
    page.close()


def test_every_anchor_leads_to_something_visible(shown):
    assert shown.page.locator('a[href^="#"]').count() > 10
    assert shown.page.evaluate(LOST_ANCHORS) == []


def test_text_in_charts_stands_out_from_the_page(shown):
    contrasts = shown.page.evaluate(CHART_CONTRASTS)
    assert contrasts
    assert {fill: got for fill, got in contrasts.items() if got < TEXT_CONTRAST} == {}


@pytest.mark.parametrize(
    ("width", "scheme", "rules"), [(360, "light", []), (1600, "dark", ["color-contrast"])]
)
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_serious_violation(browser, folder, name, width, scheme, rules):
    page = Watched(browser, folder / f"{name}.html", width, scheme).page
    page.evaluate(THIN_OUT)
    options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
    found = Axe().run(page, options=options).response["violations"]
    page.close()
    assert [
        (one["id"], one["help"], [node["html"][:200] for node in one["nodes"][:3]])
        for one in found
        if one["impact"] in SERIOUS
    ] == []
