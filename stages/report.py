"""Write the page of the run, and its figures as files."""

from tuneprobe import paths
from tuneprobe.inventory import Inventory
from tuneprobe.page.page import write_page
from tuneprobe.page.reading import read_inputs
from tuneprobe.params import load_params
from tuneprobe.stage import run


def main() -> None:
    """Read results and provenance; write report/index.html and report/figures."""
    params = load_params()
    write_page(read_inputs(params, Inventory.of(params)), paths.PAGE, paths.FIGURES)


if __name__ == "__main__":
    run(main)
