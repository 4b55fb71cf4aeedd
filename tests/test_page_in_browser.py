"""The page in a real browser: nothing leaves the file, nothing overflows, everyone can read it."""

import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from made_up_page import made_up_page
from playwright.sync_api import Browser, Page, sync_playwright

from tuneprobe.collect.metrics import headline, plot_tables
from tuneprobe.compare import Run
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        pytest.skip(f"no Chromium is installed (looked for {', '.join(BROWSERS)})")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found)
        yield opened
        opened.close()


def comparison(root: Path, results: pd.DataFrame) -> str:
    """A page of two runs, one of them without the study of pairs."""
    runs = [
        Run(name, {"encoder": name}, headline(rows, "finetuned"), plot_tables(rows, "finetuned"))
        for name, rows in (("all", results), ("some", results[results.study != "pairwise"]))
    ]
    return render_comparison(runs, read_plots(root))


@pytest.fixture(scope="module")
def folder(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds a page of each kind."""
    folder = tmp_path_factory.mktemp("pages")
    inputs = made_up_page(root, folder)
    (folder / "run.html").write_text(render_page(inputs))
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
