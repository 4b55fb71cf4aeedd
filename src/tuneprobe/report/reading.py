"""What a page is written from, read from the artifacts in the workspace."""

import json
from pathlib import Path

import pandas as pd

from tuneprobe import paths
from tuneprobe.artifacts import read_meta
from tuneprobe.inventory import Inventory, read_table
from tuneprobe.params import Params
from tuneprobe.report.attention_maps import map_cells
from tuneprobe.report.inputs import PageInputs
from tuneprobe.report.origin import Origin, code_commit, corpora_of, library_versions

FUNNEL = ["probe", "step", "kept", "dropped", "reason"]


def read_inputs(params: Params, made: Inventory) -> PageInputs:
    """Read results, example maps and provenance of a run.

    Raises
    ------
    ArtifactError
        If something of `made` is missing or damaged.
    """
    settings, results = params.pairwise, made.results()
    maps = {
        f"{task}/attention/maps": map_cells(folder, results, task)
        for task, folder in made.map_folders().items()
    }
    funnel = paths.examples(f"{made.reading}-pairs") / "funnel.csv"
    skipped = made.partial and not funnel.exists()
    return PageInputs(
        results=results,
        funnel=pd.DataFrame(columns=FUNNEL) if skipped else read_table(funnel),
        params=params.model_dump(),
        artifacts={str(path): read_meta(path) for path in made.artifacts()},
        templates={
            path.stem: json.loads(path.read_text(encoding="utf-8"))
            for path in paths.PLOT_TEMPLATES.glob("*.json")
        },
        encoder=made.encoder,
        corpus=made.reading if "pairwise" in made.studies else ", ".join(results.task.unique()),
        layer_mark=settings.layer_mark,
        margin=settings.equivalence_margin,
        confidence=params.intervals.confidence,
        studies=list(made.studies),
        tables=made.step_tables() | maps,
        origin=Origin(corpora_of(made.sources), library_versions(), code_commit(Path())),
    )
