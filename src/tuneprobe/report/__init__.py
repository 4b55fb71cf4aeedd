"""The page: one self-contained HTML file written from results."""

from tuneprobe.report.page import PageInputs, render_page

__all__ = ["PageInputs", "render_page"]
