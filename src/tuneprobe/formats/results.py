"""Result rows: one long table that all studies write and `collect` reads."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from tuneprobe.artifacts import ArtifactError, atomic_file, readable

NO_LAYER = -1
NO_HEAD = -1


class Result(NamedTuple):
    """One measured number.

    ``condition`` spells how the metric was computed, parts joined by ``/``:
    ``cosine/words``, ``euclidean/length-matched/centred``, ``lens``.
    ``low`` and ``high`` bound the interval (NaN where there is none); ``n`` counts the examples.
    """

    study: str
    encoder: str
    task: str
    state: str
    seed: int
    layer: int
    head: int
    metric: str
    condition: str
    value: float
    low: float = float("nan")
    high: float = float("nan")
    n: int = 0


COLUMNS = Result._fields
KEYS = list(COLUMNS[: COLUMNS.index("value")])


def to_frame(rows: list[Result]) -> pd.DataFrame:
    """Sort the rows by their keys and round values to 6 significant digits."""
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    if frame.duplicated(KEYS).any():
        twice = frame[frame.duplicated(KEYS)].iloc[0]
        raise ArtifactError(f"two results have the same keys: {dict(twice[KEYS])}.")
    for column in ("value", "low", "high"):
        frame[column] = [significant(number) for number in frame[column]]
    return frame.sort_values(KEYS, ignore_index=True)


def write_results(rows: list[Result], path: Path) -> None:
    """Write rows as CSV in one step."""
    frame = to_frame(rows)
    with atomic_file(path) as part:
        frame.to_csv(part, index=False)


def read_results(path: Path) -> pd.DataFrame:
    """Read rows that `write_results` wrote.

    Raises
    ------
    ArtifactError
        If the file is missing, is not as it was written, or has other columns.
    """
    numbers = {column: [""] for column in ("value", "low", "high")}
    with readable(path):
        frame = pd.read_csv(path, keep_default_na=False, na_values=numbers)
    if tuple(frame.columns) != COLUMNS:
        raise ArtifactError(f"{path} has columns {tuple(frame.columns)}, expected {COLUMNS}.")
    return frame


def significant(number: float, digits: int = 6) -> float:
    """A number rounded to some significant digits; NaN and infinities as they are."""
    return float(f"{number:.{digits}g}") if np.isfinite(number) else float(number)
