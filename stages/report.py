"""Write the page of the run, and its figures as files."""

import json
from pathlib import Path

import pandas as pd

from tuneprobe import paths
from tuneprobe.artifacts import atomic_file, read_meta
from tuneprobe.inventory import Inventory
from tuneprobe.params import load_params
from tuneprobe.report import PageInputs, draw_studies, figures_of, render_page, write_figures
from tuneprobe.report.attention_maps import map_cells
from tuneprobe.report.origin import Origin, code_commit, corpora_of, library_versions
from tuneprobe.stage import run


def main() -> None:
    """Read results and provenance; write report/index.html and report/figures."""
    params = load_params()
    settings = params.pairwise
    made = Inventory(
        params.encoder,
        settings.corpus,
        params.geometry.corpus,
        params.attention.tasks,
        params.attention.pair_heads.task,
    )
    results = made.results()
    maps = {
        f"{task}/attention/maps": map_cells(folder / "maps", results, task)
        for task, folder in made.map_folders().items()
    }
    inputs = PageInputs(
        results=results,
        funnel=pd.read_csv(paths.examples(f"{settings.corpus}-pairs") / "funnel.csv"),
        params=params.model_dump(),
        artifacts={str(path): read_meta(path) for path in made.artifacts()},
        templates={
            path.stem: json.loads(path.read_text()) for path in paths.PLOT_TEMPLATES.glob("*.json")
        },
        encoder=params.encoder,
        corpus=settings.corpus,
        layer_mark=settings.layer_mark,
        margin=settings.equivalence_margin,
        confidence=settings.confidence,
        tables=made.step_tables() | maps,
        origin=Origin(
            corpora_of([*made.tasks, made.linked]), library_versions(), code_commit(Path())
        ),
    )
    studies = draw_studies(inputs)
    write_figures(figures_of(studies), paths.FIGURES)
    page = render_page(inputs, studies)
    with atomic_file(paths.PAGE) as part:
        part.write_text(page)


if __name__ == "__main__":
    run(main)
