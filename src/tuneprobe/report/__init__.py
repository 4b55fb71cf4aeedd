"""The page: one self-contained HTML file written from results."""

from tuneprobe.report.inputs import PageInputs
from tuneprobe.report.page import render_page

__all__ = ["PageInputs", "render_page"]
