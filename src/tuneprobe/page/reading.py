"""What a page is written from, read from the artifacts in the workspace."""

from pathlib import Path

import pandas as pd

from tuneprobe import paths
from tuneprobe.collect.seeds import mean_over_seeds
from tuneprobe.inventory import Inventory
from tuneprobe.measures import check_measures
from tuneprobe.page.inputs import FUNNEL, PageInputs
from tuneprobe.page.origin import Origin, code_commit, corpora_of, library_versions
from tuneprobe.page.registry import all_measures
from tuneprobe.params import Params
from tuneprobe.studies.attention.example_figure import changed_cells, map_cells


def read_inputs(params: Params, made: Inventory) -> PageInputs:
    """Read results, example maps and provenance of a run.

    Raises
    ------
    ArtifactError
        If something of `made` is missing or damaged.
    """
    settings = params.pairwise
    every = check_measures(made.results(), all_measures())
    results = mean_over_seeds(every, all_measures())
    first = made.shown(results)  # example maps are of this encoder
    maps = {
        f"{task}/attention/{name}": cells(folder, first, task)
        for task, folder in made.map_folders().items()
        for name, cells in (("maps", map_cells), ("changed", changed_cells))
    }
    return PageInputs(
        results=results,
        funnel=read_funnel(made),
        params=params.model_dump(),
        artifacts=made.artifacts(),
        encoder=made.encoder,
        corpus=", ".join(made.reading if "pairwise" in made.studies else results.task.unique()),
        layer_mark=settings.layer_mark,
        margin=settings.equivalence_margin,
        confidence=params.intervals.confidence,
        studies=list(made.studies),
        tables=made.step_tables() | maps,
        losses=made.losses(),
        origin=Origin(
            corpora_of(params.task(name) for name in made.sources),
            library_versions(),
            code_commit(Path()),
        ),
        all_seeds=None if results is every else every,
    )


def read_funnel(made: Inventory) -> pd.DataFrame:
    """How the pairs of the first reading task were chosen; empty where there is none."""
    for task in made.reading[:1]:
        funnel = paths.examples(paths.pairs(task)) / "funnel.csv"
        if funnel.exists() or not made.partial:
            return pd.read_csv(funnel)
    return pd.DataFrame(columns=FUNNEL)
