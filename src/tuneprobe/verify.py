"""Are the numbers of this checkout those that were recorded? Row by row, within tolerances.

Another processor, or another library of matrix products, differs in the last bits, and a training
carries that on: a score of the default run moved by 0.2 points. The tolerances are some times what
such a move was, so that a wrong number is seen and another machine is not.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from tuneprobe.formats.results import DEFAULTS, KEYS
from tuneprobe.measures import FRACTION, PERCENT, POINTS, Measure

COMPARED = ("value", "low", "high")
TOLERANCE = {PERCENT: 2.0, POINTS: 2.0, FRACTION: 0.02, "nats": 0.05, "bits": 0.1}
RELATIVE, LEAST = 0.05, 0.05  # of a number of another unit: its share, and at least so much


def differing(
    ours: pd.DataFrame, recorded: pd.DataFrame, measures: Iterable[Measure]
) -> Iterator[str]:
    """A line for each row whose value or interval differs by more than its unit allows.

    Or that one side lacks, or that is a number on one side and none on the other.
    """
    units = {(measure.study, measure.name): measure.unit for measure in measures}
    both = ours.merge(recorded, on=KEYS, how="outer", suffixes=("", " recorded"), indicator=True)
    for row in both.to_dict("records"):
        if row["_merge"] != "both":
            where = "here alone" if row["_merge"] == "left_only" else "recorded, but not here"
            yield f"{_named(row)}: {where}"
            continue
        unit = units.get((row["study"], row["metric"]), "")
        allowed = tolerance(unit, row["value recorded"])
        for name in COMPARED:
            one, other = row[name], row[f"{name} recorded"]
            if np.isnan(one) and np.isnan(other):
                continue
            if not abs(one - other) <= allowed:
                yield (
                    f"{_named(row)}: {name} {one:g}, recorded {other:g} "
                    f"(tolerance {allowed:.3g} {unit})".replace(" )", ")")
                )
                break


def tolerance(unit: str, value: float) -> float:
    """By how much a number of a unit may differ.

    >>> tolerance("%", 86.3), tolerance("", 40.0), tolerance("", 0.2)
    (2.0, 2.0, 0.05)
    """
    return TOLERANCE.get(unit, max(LEAST, RELATIVE * abs(value)))


def _named(row: Mapping[Any, Any]) -> str:
    """What a row is of: its keys, as far as they say something."""
    given = {key: row[key] for key in KEYS if row[key] != DEFAULTS.get(key)}
    plain = [str(given.pop(key)) for key in ("study", "encoder", "task", "state") if key in given]
    metric = given.pop("metric")
    return " ".join([*plain, *(f"{key}={value}" for key, value in given.items()), str(metric)])
