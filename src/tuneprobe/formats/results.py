"""Result rows: one long table that all studies write and that the page reads.

A row says what was measured in typed columns, never in a joined string. A study builds `Result`
rows with the number and its facets; `stamp` adds study, encoder, task, seed and level.
"""

from collections.abc import Iterable, Sequence
from math import isfinite, isnan, nan
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tuneprobe.artifacts import ArtifactError, atomic_file, readable
from tuneprobe.errors import UnknownNameError

NO_LAYER = -1
NO_HEAD = -1
OVER_BASELINE = "over_baseline"  # metric: a score of a tuned encoder minus that of a baseline
NONE = -1  # of an int facet that the number does not have


class Result(NamedTuple):
    """One measured number and what it is of.

    ``low`` and ``high`` bound the interval at the confidence ``level`` (NaN where there is none);
    ``n`` counts the examples. ``against`` is the state that ``state`` is compared with, ``other``
    the layer that ``layer`` is compared with, ``tuned_on`` the task that the encoder was tuned on
    where it is not the probed one. The other columns from ``similarity`` to ``step`` are facets:
    empty, or -1, where the metric has none.
    """

    metric: str
    value: float
    low: float = nan
    high: float = nan
    n: int = 0
    state: str = ""
    layer: int = NO_LAYER
    head: int = NO_HEAD
    against: str = ""
    other: int = NONE
    tuned_on: str = ""
    similarity: str = ""  # cosine, euclidean
    negatives: str = ""  # words, length-matched
    centred: int = NONE  # whether the mean vector was subtracted, 0 or 1
    axis_removed: int = NONE  # whether the principal axis of the layer was removed, 0 or 1
    part: str = ""  # of a pairwise score: other, specific, type; of a layer: attention, ...
    readout: str = ""  # linear (a trained head), lens (the QA head), span (the best one)
    threshold: str = ""  # of the scores of answers: best
    classifier: str = ""  # mlp, linear; of patterns: network, rule, ...; without encoder: which
    label: str = ""
    splits: str = ""  # two splits that are compared: train/test
    token_type: str = ""  # cls, sep, noun, ...
    rows: str = ""  # mean, sum: over the rows of a map
    tokens: str = ""  # max, mean, sum: over the tokens of a type
    scale: str = ""  # of entropy: nats, normalised
    crop: str = ""  # how maps were cut or padded before they were compared
    pattern: str = ""
    score: str = ""  # kappa, accuracy, short_f1, ...: of agreement, over a baseline, scored again
    relation: str = ""
    direction: str = ""  # from-to, to-from
    pairing: str = ""  # all, zip
    ablation: str = ""  # none, uniform, zero, mean
    step: int = NONE
    level: float = nan
    study: str = ""
    encoder: str = ""
    task: str = ""
    seed: int = NONE


NUMBERS = ("value", "low", "high", "level")
STAMPED = ("study", "encoder", "task", "seed")
PLACED = ("state", "against", "tuned_on", "layer", "other", "head")
_fields = Result._fields
FACETS = _fields[_fields.index("similarity") : _fields.index("level")]
KEYS = ["study", "encoder", "task", *PLACED[:3], "seed", *PLACED[3:], "metric", *FACETS]
COLUMNS = (*KEYS, *NUMBERS, "n")
DEFAULTS = Result._field_defaults


def stamp(
    rows: Iterable[Result],
    *,
    study: str,
    encoder: str,
    task: str,
    seed: int,
    state: str | None = None,
    level: float = nan,
) -> list[Result]:
    """The rows with what all numbers of a study share; the only builder of whole rows.

    Parameters
    ----------
    state : str, optional
        Of all rows; without it each row has its own.
    level : float
        Confidence level of the intervals; a row that has one of its own keeps it.
    """
    shared: dict[str, Any] = {"study": study, "encoder": encoder, "task": task, "seed": seed}
    if state is not None:
        shared["state"] = state
    return [
        row._replace(**shared, level=level if _takes(row, level) else row.level) for row in rows
    ]


def facet_columns(names: Iterable[str]) -> list[str]:
    """The names, each a column of result rows.

    Raises
    ------
    UnknownNameError
        Names the nearest column.
    """
    names = list(names)
    for name in names:
        if name not in COLUMNS:
            raise UnknownNameError("facet", name, COLUMNS)
    return names


def to_frame(rows: Sequence[Result]) -> pd.DataFrame:
    """Sort the rows by their keys and round numbers to 6 significant digits.

    Raises
    ------
    ArtifactError
        If two rows have the same keys, or a row was not stamped.
    """
    frame = pd.DataFrame(list(rows), columns=list(_fields))[list(COLUMNS)]
    if (frame.study == "").any():
        metric = frame[frame.study == ""].metric.iloc[0]
        raise ArtifactError(f"a row of '{metric}' has no study: pass rows through `stamp` first.")
    if frame.duplicated(KEYS).any():
        twice = frame[frame.duplicated(KEYS)].iloc[0]
        kept = {key: twice[key] for key in KEYS if twice[key] != DEFAULTS.get(key)}
        raise ArtifactError(f"two results have the same keys: {kept}.")
    for column in NUMBERS:
        frame[column] = [significant(number) for number in frame[column]]
    return frame.sort_values(KEYS, ignore_index=True)


def write_results(rows: Sequence[Result], path: Path) -> None:
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
    types = {"metric": str} | {n: str for n in COLUMNS if isinstance(DEFAULTS.get(n), str)}
    missing = {column: [""] for column in NUMBERS}
    with readable(path):
        frame = pd.read_csv(path, keep_default_na=False, na_values=missing, dtype=types)
    if tuple(frame.columns) != COLUMNS:
        raise ArtifactError(f"{path} has columns {tuple(frame.columns)}, expected {COLUMNS}.")
    return frame


def significant(number: float, digits: int = 6) -> float:
    """A number rounded to some significant digits; NaN and infinities as they are."""
    return float(f"{number:.{digits}g}") if np.isfinite(number) else float(number)


def _takes(row: Result, level: float) -> bool:
    """Whether a row has an interval and no level of its own."""
    return isnan(row.level) and isfinite(row.low) and not isnan(level)
