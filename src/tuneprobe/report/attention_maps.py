"""Which stored maps a page shows: for each pattern, the head that shows it most often."""

from pathlib import Path

import numpy as np
import pandas as pd

from tuneprobe.artifacts import readable
from tuneprobe.collect.attention import BEFORE, PATTERNS, of_heads, pattern_shares
from tuneprobe.collect.tables import records, select

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
    """
    with readable(folder / "index.csv") as path:
        index = pd.read_csv(path, keep_default_na=False)
    stored = index[index.state == state]
    shares = of_heads(select(pattern_shares(results), task=task, state=state))
    shares = shares[shares.value > 0]
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
