"""Choosing result rows and making tables of them."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from tuneprobe.formats.results import NO_LAYER, significant

CURVE_COLUMNS = ("panel", "layer", "value", "low", "high")


def select(results: pd.DataFrame, **keys: str | int | Sequence[str]) -> pd.DataFrame:
    """The rows whose columns equal `keys`; a sequence stands for any of its members."""
    kept = results
    for column, wanted in keys.items():
        values = [wanted] if isinstance(wanted, str | int) else list(wanted)
        kept = kept[kept[column].isin(values)]
    return kept


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as mappings from column to value."""
    return [dict(zip(rows.columns, row)) for row in rows.itertuples(index=False)]


def last_layer(results: pd.DataFrame, study: str = "pairwise") -> int:
    """Number of the last layer of a study; -1 where it has not run."""
    layers = select(results, study=study).layer
    return int(layers.max()) if len(layers) else NO_LAYER


def tidy_table(parts: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """The parts as one table of some columns, numbers rounded; its columns alone without parts."""
    parts = [part[list(columns)] for part in parts if len(part)]
    if not parts:
        return pd.DataFrame(columns=list(columns))
    table = pd.concat(parts, ignore_index=True)
    for column in table.columns.intersection(["value", "low", "high"]):
        table[column] = table[column].map(significant)
    return table
