"""What a page of all four studies is written from, made up by formula."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from made_up_attention import N_HEADS, N_LAYERS, TASKS, made_up_attention
from made_up_change import made_up_change
from made_up_geometry import made_up_dynamics, made_up_spaces
from made_up_results import made_up_artifacts, made_up_funnel, made_up_params, made_up_results

from tuneprobe.collect.tables import quick
from tuneprobe.page.inputs import PageInputs
from tuneprobe.studies.attention.example_figure import changed_cells, map_cells
from tuneprobe.studies.attention.maps.example_maps import INDEX

FEW = ("boundary", "coreference", "words", "world-qa", "world-pos", "world-rte")
PIECES = "[CLS] the gull ##s slept [SEP] again the gull ##s were seen to sleep [SEP]"


def store_maps(folder: Path) -> None:
    """Maps of one text before and after tuning: every piece attends most to the one before."""
    n = len(PIECES.split())
    maps = np.full((N_LAYERS, N_HEADS, n, n), 0.4 / (n - 1))
    maps[:, :, np.arange(n), np.maximum(np.arange(n) - 1, 0)] = 0.6
    rows = []
    for state in ("pretrained", "finetuned"):
        np.save(folder / f"{state}.npy", maps.astype(np.float16))
        rows.append((f"{state}.npy", 0, state, PIECES))
    index = pd.DataFrame(rows, columns=["file", "text", "state", "pieces"])
    index.to_csv(folder / INDEX, index=False)


def few_tasks(inputs: PageInputs) -> PageInputs:
    """The same page of one task of each study and two of pairs: drawn in half the time."""
    kept = inputs.results.task.isin(FEW)
    return replace(inputs, results=inputs.results[kept].reset_index(drop=True))


def made_up_page(root: Path, folder: Path) -> PageInputs:
    """Inputs of a page with every figure; `root` has the templates, `folder` gets example maps."""
    store_maps(folder)
    attention = made_up_attention()
    maps = {
        f"{task}/attention/{name}": cells(folder, attention, task)
        for task in TASKS
        for name, cells in (("maps", map_cells), ("changed", changed_cells))
    }
    studies = [made_up_results(), made_up_spaces(), attention, made_up_change()]
    return PageInputs(
        results=quick(pd.concat(studies, ignore_index=True)),
        funnel=made_up_funnel(),
        params=made_up_params(),
        artifacts=made_up_artifacts(),
        encoder="minilm-l6",
        corpus="world",
        layer_mark=0.4167,
        margin=2.0,
        confidence=0.95,
        tables=made_up_dynamics() | maps,
    )
