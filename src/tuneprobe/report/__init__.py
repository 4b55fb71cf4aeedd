"""The page: one self-contained HTML file written from results."""

from tuneprobe.report.files import write_figures
from tuneprobe.report.inputs import PageInputs
from tuneprobe.report.page import draw_studies, figures_of, render_page

__all__ = ["PageInputs", "draw_studies", "figures_of", "render_page", "write_figures"]
