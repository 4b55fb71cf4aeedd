"""Choosing result rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tuneprobe.errors import UnknownNameError
from tuneprobe.formats.results import NO_LAYER


def quick(results: pd.DataFrame) -> pd.DataFrame:
    """The same rows in the columns that `select` is quick with: a page selects a thousand times.

    Texts are Python objects in one block, which is taken at once, where pandas' own are taken
    column by column; the study is a category.
    """
    texts = results.columns[[isinstance(one, pd.StringDtype) for one in results.dtypes]]
    types = dict.fromkeys(texts, object) | {"study": "category"}
    return results.astype(types).copy()  # the copy is one block per type


def select(results: pd.DataFrame, **keys: str | int | Sequence[str]) -> pd.DataFrame:
    """The rows whose columns equal `keys`; a sequence stands for any of its members.

    Each key looks only at the rows that those before it left.
    """
    kept = np.arange(len(results))
    for column, wanted in keys.items():
        if column not in results:
            raise UnknownNameError("column", column, results.columns)
        values = results[column].array[kept]
        same = values == wanted if isinstance(wanted, str | int) else values.isin(list(wanted))
        kept = kept[np.asarray(same, dtype=bool)]
    return results.take(kept)


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as mappings from column to value."""
    cells = rows.to_numpy(dtype=object).tolist()
    return [dict(zip(rows.columns, row, strict=True)) for row in cells]


def last_layer(results: pd.DataFrame, study: str = "pairwise") -> int:
    """Number of the last layer of a study; -1 where it has not run."""
    layers = results.layer[results.study == study]  # of one column: it is asked for often
    return int(layers.max()) if len(layers) else NO_LAYER


def at_last_layer(rows: pd.DataFrame) -> pd.DataFrame:
    """Of each task the rows of its last layer."""
    return rows[rows.layer == rows.groupby("task").layer.transform("max")]
