"""The page: one self-contained HTML file written from results."""

from pathlib import Path

from tuneprobe.artifacts import atomic_file
from tuneprobe.report.files import write_figures
from tuneprobe.report.inputs import PageInputs
from tuneprobe.report.page import draw_studies, figures_of, render_page
from tuneprobe.report.reading import read_inputs

__all__ = ["PageInputs", "read_inputs", "render_page", "write_page"]


def write_page(inputs: PageInputs, page: Path, figures: Path | None = None) -> None:
    """Write the page as one file, and its figures into a folder: both or neither."""
    studies = draw_studies(inputs)
    with atomic_file(page) as part:
        part.write_text(render_page(inputs, studies), encoding="utf-8")
        if figures:
            write_figures(figures_of(studies), figures)
