"""Choosing result rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tuneprobe.errors import UnknownNameError
from tuneprobe.formats.results import NO_LAYER


def select(results: pd.DataFrame, **keys: str | int | Sequence[str]) -> pd.DataFrame:
    """The rows whose columns equal `keys`; a sequence stands for any of its members."""
    kept = np.ones(len(results), dtype=bool)
    for column, wanted in keys.items():
        if column not in results:
            raise UnknownNameError("column", column, results.columns)
        values = [wanted] if isinstance(wanted, str | int) else list(wanted)
        kept &= results[column].isin(values).to_numpy(dtype=bool)
    return results[kept]


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as mappings from column to value."""
    return [dict(zip(rows.columns, row, strict=True)) for row in rows.itertuples(index=False)]


def last_layer(results: pd.DataFrame, study: str = "pairwise") -> int:
    """Number of the last layer of a study; -1 where it has not run."""
    layers = results.layer[results.study == study]  # of one column: it is asked for often
    return int(layers.max()) if len(layers) else NO_LAYER
