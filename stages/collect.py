"""Collect what runs are compared by: headline numbers of the focus, tables for `dvc plots`."""

from tuneprobe import paths
from tuneprobe.artifacts import write_json
from tuneprobe.collect.metrics import headline, plot_tables, write_tables
from tuneprobe.inventory import Inventory
from tuneprobe.params import load_params
from tuneprobe.stage import run


def main() -> None:
    """Read all results of the run; write metrics/summary.json and metrics/plots."""
    params = load_params()
    results = Inventory.of(params).results()
    write_tables(
        plot_tables(results, params.focus, confidence=params.pairwise.confidence), paths.PLOTS
    )
    write_json(paths.SUMMARY, headline(results, params.focus))


if __name__ == "__main__":
    run(main)
