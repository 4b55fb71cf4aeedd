"""Collect what runs are compared by: headline numbers, tables for `dvc plots` and README."""

from tuneprobe import paths
from tuneprobe.artifacts import atomic_files, write_json
from tuneprobe.collect.metrics import headline, plot_tables, write_tables
from tuneprobe.collect.seeds import mean_over_seeds
from tuneprobe.inventory import Inventory
from tuneprobe.page.overview import overview
from tuneprobe.page.registry import all_measures
from tuneprobe.params import load_params
from tuneprobe.stage import run


def main() -> None:
    """Read the results of the run; write metrics/summary.json, metrics/plots, metrics/results.md.

    They hold the first encoder, as means over its seeds.
    """
    params = load_params()
    made = Inventory.of(params)
    results = mean_over_seeds(made.shown(made.results()), all_measures())
    tables = plot_tables(results, params.focus, confidence=params.intervals.confidence)
    numbers = headline(results, params.focus)
    with atomic_files(paths.METRICS) as part:  # all of them or none
        write_tables(tables, part / paths.PLOTS.name)
        write_json(part / paths.SUMMARY.name, numbers)
        (part / paths.OVERVIEW.name).write_text(overview(results), encoding="utf-8")


if __name__ == "__main__":
    run(main)
