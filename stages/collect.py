"""Collect what runs are compared by: headline numbers of the focus, tables for `dvc plots`."""

import pandas as pd

from tuneprobe import paths
from tuneprobe.artifacts import write_json
from tuneprobe.collect import headline, plot_tables, write_tables
from tuneprobe.params import load_params
from tuneprobe.results import read_results
from tuneprobe.stage import run


def main() -> None:
    """Read all results of the run; write metrics/summary.json and metrics/plots."""
    params = load_params()
    encoder, corpus = params.encoder, params.pairwise.corpus
    pairwise = paths.results(encoder, f"{corpus}-pairs", "pairwise")
    evaluate = paths.results(encoder, f"{corpus}-qa", "evaluate")
    tables = (pairwise / "layers.csv", pairwise / "gaps.csv", evaluate / "scores.csv")
    results = pd.concat([read_results(table) for table in tables], ignore_index=True)
    write_tables(
        plot_tables(results, params.focus, confidence=params.pairwise.confidence), paths.PLOTS
    )
    write_json(paths.SUMMARY, headline(results, params.focus))


if __name__ == "__main__":
    run(main)
