"""Attention maps of single texts: of the heads that changed most, and one of each pattern."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tuneprobe.artifacts import readable
from tuneprobe.collect.tables import records, select
from tuneprobe.page.blocks import Cell, Figure, Panel, Table
from tuneprobe.page.figures import NOT_MEASURED
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.marks import draw_attention_map
from tuneprobe.studies.attention.captions import place
from tuneprobe.studies.attention.measures import (
    AFTER,
    BEFORE,
    PATTERNS,
    map_similarity,
    of_heads,
    pattern_shares,
)
from tuneprobe.wording import listed, number

MAX_MAPS = 10
N_CHANGED = 2  # heads whose maps are drawn before and after
WHEN = {BEFORE: "before", AFTER: "after"}
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
    text, maps = _stored(folder, state)
    shares = of_heads(select(pattern_shares(results), task=task, state=state))
    shares = shares[shares.value > 0].sort_values(["layer", "head"])  # of equals the first
    best = [select(shares, pattern=name).nlargest(1, "value") for name in PATTERNS]
    heads = [row for rows in best for row in records(rows.assign(share=rows.value))]
    return _cells(text, maps, heads)


def changed_cells(folder: Path, results: pd.DataFrame, task: str) -> pd.DataFrame:
    """Cells of the maps before and after tuning of the heads whose maps are least alike.

    The columns are those of `map_cells`, for the shortest text that is stored of both states;
    ``share`` is the cosine of the maps of a head over all texts.
    """
    similar = of_heads(select(map_similarity(results), task=task)).sort_values(["layer", "head"])
    heads = records(similar.nsmallest(N_CHANGED, "value").assign(pattern="changed"))
    parts = [
        _cells(
            *_stored(folder, state),
            [{**one, "share": one["value"], "state": state} for one in heads],
        )
        for state in (BEFORE, AFTER)
    ]
    return pd.concat(parts, ignore_index=True)


def _stored(folder: Path, state: str) -> tuple[str, Any]:
    """The pieces of the shortest text that is stored of a state, and its maps by layer and head."""
    with readable(folder / "index.csv") as path:
        index = pd.read_csv(path, keep_default_na=False)
    texts = records(index[index.state == state])
    if not texts:
        return "", None
    text = min(texts, key=lambda one: len(one["pieces"].split()))
    with readable(folder / text["file"]) as path:
        return text["pieces"], np.load(path, allow_pickle=False)


def _cells(text: str, maps: Any, heads: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    parts = [pd.DataFrame(columns=list(COLUMNS))]
    for one in heads if text else ():
        weights = maps[one["layer"] - 1, one["head"]].astype(float)
        row, column = np.indices(weights.shape).reshape(2, -1)
        cells = pd.DataFrame({"row": row, "column": column, "weight": weights.ravel()})
        where = {name: one[name] for name in ("pattern", "share", "state", "layer", "head")}
        parts.append(cells.assign(**where, text=text))
    return pd.concat(parts[1:] or parts, ignore_index=True)[list(COLUMNS)]


def _tables(inputs: PageInputs, name: str) -> dict[str, pd.DataFrame]:
    """Task to its stored cells, as far as there are any."""
    return {
        key.split("/")[0]: cells
        for key, cells in sorted(inputs.tables.items())
        if key.endswith(f"/attention/{name}") and len(cells)
    }


def changed_figure(inputs: PageInputs) -> Figure:
    """Maps before tuning, after it, and their difference, for the heads that changed most."""
    tables = _tables(inputs, "changed")
    task = min(tables, key=lambda one: len(tables[one].text.iloc[0].split()), default="")
    caption, panels, shown = "No attention map is stored.", [], {}
    if task:
        shown = {task: tables[task]}
        heads = tables[task].drop_duplicates(["layer", "head"])
        named = [f"{place(one)} (cosine {number(one['share'], 2)})" for one in records(heads)]
        panels = list(_changed_panels(inputs, task, tables[task]))
        caption = (
            f"Of all heads tuning on {inputs.label(task)} changes most {listed(named)}. Here "
            f"before, after, and after minus before, on “{_words(heads)}”."
        )
    return Figure(
        "changed-maps",
        "The heads that changed most, before and after",
        caption,
        "A row is a word piece that attends, a column one that is attended to. Before and after: "
        "the darker, the more of the attention of the row, up to the largest weight of both. "
        "Difference: green is more attention after tuning, purple less. The cosine is the mean "
        "over all texts that were measured.",
        panels,
        "word pieces that attend",
        [],
        _strongest_table(inputs, shown),
        in_row=3,
        missing=[] if task else ["stored attention maps of both states"],
    )


def _changed_panels(inputs: PageInputs, task: str, cells: pd.DataFrame) -> Iterator[Panel]:
    template, words = inputs.templates["heat_map"], cells.text.iloc[0].split()
    for _, of_head in cells.groupby(["layer", "head"], sort=False):
        where = place(of_head.iloc[0])
        before, after = (
            of_head[of_head.state == state].reset_index(drop=True) for state in (BEFORE, AFTER)
        )
        change = after.assign(weight=after.weight - before.weight)
        reach = float(of_head.weight.max())
        for label, one in (("before", before), ("after", after), ("difference", change)):
            spoken = f"{label}: {where} on {inputs.label(task)}, {len(words)} word pieces"
            drawing = draw_attention_map(template, one, spoken, words=words, reach=reach)
            yield Panel(where, label, drawing)


def maps_figure(inputs: PageInputs) -> Figure:
    """An attention map of each pattern: Figure 1 of the paper."""
    tables = _tables(inputs, "maps")
    panels = [panel for task, cells in tables.items() for panel in _maps(inputs, task, cells)]
    texts = [f"of {inputs.label(task)} “{_words(cells)}”" for task, cells in tables.items()]
    unseen = [
        f"{pattern} on {inputs.label(task)}, which no head shows"
        for task, cells in tables.items()
        for pattern in PATTERNS
        if pattern not in set(cells.pattern)
    ]
    return Figure(
        "attention-maps",
        "Five patterns of attention",
        "Before tuning, the head that shows each pattern most often, on the shortest text stored: "
        f"{'; '.join(texts)}."
        if texts
        else NOT_MEASURED,
        "A row is a word piece that attends, a column one that is attended to, both from [CLS] at "
        "the top left to the last [SEP]; the stronger, the more. The percentage says in how many "
        "of all texts the network sees the pattern in this head; it need not be seen in this one.",
        panels[:MAX_MAPS],
        "word pieces that attend",
        [],
        _strongest_table(inputs, tables),
        missing=unseen if panels else ["stored attention maps, or the patterns of the heads"],
    )


def _maps(inputs: PageInputs, task: str, cells: pd.DataFrame) -> Iterator[Panel]:
    name = inputs.label(task)
    for pattern, one in cells.groupby("pattern", sort=False):
        where = place(one.iloc[0])
        label = f"{pattern} map: {where} on {name}, {one.row.nunique()} word pieces"
        share = f"{name}, {where}, in {number(100 * one.share.iloc[0], 0)} % of texts"
        drawing = draw_attention_map(inputs.templates["heat_map"], one, label)
        yield Panel(str(pattern), share, drawing)


def _words(cells: pd.DataFrame) -> str:
    """The text of some cells, its word pieces joined."""
    return str(cells.text.iloc[0]).replace(" ##", "")


def _strongest_table(inputs: PageInputs, tables: Mapping[str, pd.DataFrame]) -> Table:
    """What each word piece attends to most, map by map."""
    body: list[list[str | Cell]] = []
    for task, cells in tables.items():
        pieces = cells.text.iloc[0].split()
        for _, one in cells.groupby(["pattern", "state", "layer", "head"], sort=False):
            for row in records(one.loc[one.groupby("row").weight.idxmax()]):
                of = [inputs.label(task), row["pattern"], WHEN[row["state"]], place(row)]
                ends = [pieces[row["row"]], pieces[row["column"]]]
                body.append([*of, *ends, Cell(row["weight"], digits=3)])
    names = ["task", "pattern", "tuning", "head", "word piece", "attends most to", "weight"]
    return Table(names, body, n_names=6)
