"""An attention map of each pattern, from the head that shows it most often."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from tuneprobe.artifacts import readable
from tuneprobe.collect.tables import records, select
from tuneprobe.page.blocks import Cell, Figure, Panel, Table
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.marks import draw_attention_map
from tuneprobe.page.wording import number
from tuneprobe.studies.attention.captions import maps_caption
from tuneprobe.studies.attention.measures import (
    BEFORE,
    PATTERNS,
    of_heads,
    pattern_shares,
    task_label,
)

MAX_MAPS = 10
COLUMNS = ("pattern", "share", "state", "layer", "head", "text", "row", "column", "weight")


def map_cells(folder: Path, results: pd.DataFrame, task: str, state: str = BEFORE) -> pd.DataFrame:
    """Cells of one map per pattern: of the shortest stored text, under the pattern's best head.

    A pattern that no head shows has none.

    Parameters
    ----------
    folder : Path
        As `tuneprobe.studies.attention.maps.example_maps.write_example_maps` wrote it.
    results : DataFrame
        Result rows with the ``pattern_share`` of each head.

    Returns
    -------
    DataFrame with ``pattern``, ``share`` (of the texts in which the head shows it), ``state``,
    ``layer``, ``head``, ``text`` (the pieces), ``row``, ``column``, ``weight``; empty without a
    stored text or without shares.

    Raises
    ------
    ArtifactError
        If a stored file is missing or is not as it was written.
    """
    with readable(folder / "index.csv") as path:
        index = pd.read_csv(path, keep_default_na=False)
    stored = index[index.state == state]
    shares = of_heads(select(pattern_shares(results), task=task, state=state))
    shares = shares[shares.value > 0].sort_values(["layer", "head"])  # of equals the first
    if not len(stored) or not len(shares):
        return pd.DataFrame(columns=list(COLUMNS))
    text = min(records(stored), key=lambda one: len(one["pieces"].split()))
    with readable(folder / text["file"]) as path:
        maps = np.load(path, allow_pickle=False)
    parts = []
    for pattern in PATTERNS:
        for best in records(select(shares, pattern=pattern).nlargest(1, "value")):
            weights = maps[best["layer"] - 1, best["head"]].astype(float)
            row, column = np.indices(weights.shape).reshape(2, -1)
            cells = pd.DataFrame({"row": row, "column": column, "weight": weights.ravel()})
            where = {name: best[name] for name in ("pattern", "state", "layer", "head")}
            parts.append(cells.assign(**where, share=best["value"], text=text["pieces"]))
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


def maps_figure(inputs: PageInputs) -> Figure:
    """An attention map of each pattern: Figure 1 of the paper."""
    tables = {
        name.split("/")[0]: cells
        for name, cells in sorted(inputs.tables.items())
        if name.endswith("/attention/maps") and len(cells)
    }
    panels = [panel for task, cells in tables.items() for panel in _maps(inputs, task, cells)]
    return Figure(
        "attention-maps",
        "Five patterns of attention",
        maps_caption(tables),
        "A row is a word piece that attends, a column one that is attended to, both from [CLS] at "
        "the top left to the last [SEP]; the stronger, the more. The percentage says in how many "
        "of all texts the network sees the pattern in this head; it need not be seen in this one.",
        panels[:MAX_MAPS],
        "word pieces that attend",
        [],
        _strongest_table(tables),
        missing=list(_unseen(tables))
        if panels
        else ["stored attention maps, or the patterns of the heads"],
    )


def _maps(inputs: PageInputs, task: str, cells: pd.DataFrame) -> Iterator[Panel]:
    for (pattern, layer, head), one in cells.groupby(["pattern", "layer", "head"], sort=False):
        where = f"layer {layer} head {head}"
        label = f"{pattern} map: {where} on {task_label(task)}, {one.row.nunique()} word pieces"
        share = f"{task_label(task)}, {where}, in {number(100 * one.share.iloc[0], 0)} % of texts"
        drawing = draw_attention_map(inputs.templates["heat_map"], one, label)
        yield Panel(str(pattern), share, drawing)


def _unseen(tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    for task, cells in tables.items():
        for pattern in PATTERNS:
            if pattern not in set(cells.pattern):
                yield f"{pattern} on {task_label(task)}, which no head shows"


def _strongest_table(tables: Mapping[str, pd.DataFrame]) -> Table:
    """What each word piece attends to most, map by map."""
    body: list[list[str | Cell]] = []
    for task, cells in tables.items():
        pieces = cells.text.iloc[0].split()
        for (pattern, layer, head), one in cells.groupby(["pattern", "layer", "head"], sort=False):
            for row in records(one.loc[one.groupby("row").weight.idxmax()]):
                where = [task_label(task), str(pattern), f"layer {layer} head {head}"]
                ends = [pieces[row["row"]], pieces[row["column"]]]
                body.append([*where, *ends, Cell(row["weight"], digits=3)])
    names = ["task", "pattern", "head", "word piece", "attends most to", "weight"]
    return Table(names, body, n_names=5)
