"""Are the numbers of this checkout those that were recorded? Row by row, within tolerances.

Another processor, or another library of matrix products, differs in the last bits, and a training
carries that on: a score of the default run moved by 0.2 points. The tolerances are some times what
such a move was, so that a wrong number is seen and another machine is not.
"""

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tuneprobe.artifacts import readable
from tuneprobe.errors import TuneprobeError
from tuneprobe.formats.results import DEFAULTS, KEYS, read_results
from tuneprobe.measures import FRACTION, PERCENT, POINTS, Measure
from tuneprobe.paths import RECORDED
from tuneprobe.yaml_file import parse_yaml

LOCK = "dvc.lock"
COMPARED = ("value", "low", "high")
TOLERANCE = {PERCENT: 2.0, POINTS: 2.0, FRACTION: 0.02, "nats": 0.05, "bits": 0.1}
RELATIVE, LEAST = 0.05, 0.05  # of a number of another unit: its share, and at least so much
LARGEST = 5_000_000  # bytes of a lock file


class VerifyError(TuneprobeError):
    """Nothing recorded that could be compared."""


def recorded_tables(root: Path, tables: Iterable[Path]) -> dict[Path, pd.DataFrame]:
    """The recorded result rows of some tables, as far as they were recorded.

    Parameters
    ----------
    root : Path
        A checkout with the folder `RECORDED`.
    tables : iterable of Path
        From the checkout, such as ``results/E/T/classify/seed-13/layers.csv``.

    Raises
    ------
    VerifyError
        If the commit that recorded them, its lock file or an object is missing.
    """
    try:
        commit = _git(root, "log", "-1", "--format=%H", "--", RECORDED.as_posix()).decode().strip()
        locked = _git(root, "show", f"{commit}:{LOCK}") if commit else b""
    except (OSError, subprocess.CalledProcessError):
        locked = b""
    if not locked:
        raise VerifyError(
            f"no commit of {root.absolute()} has {RECORDED}/ and {LOCK}: verify in a clone with "
            "its history, or compare two revisions with 'tuneprobe compare'."
        )
    stages = parse_yaml(locked, LOCK, LARGEST)["stages"]
    folders = {out["path"]: out["md5"] for one in stages.values() for out in one.get("outs", [])}
    found = {}
    for table in tables:
        digest = folders.get(table.parent.as_posix())
        if digest is None:
            continue
        listing = _object(root, digest)
        with readable(listing):
            names = {one["relpath"]: one["md5"] for one in json.loads(listing.read_bytes())}
        if table.name in names:
            found[table] = read_results(_object(root, names[table.name]))
    return found


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


def _object(root: Path, digest: str) -> Path:
    path = root / RECORDED / "files" / "md5" / digest[:2] / digest[2:]
    if not path.is_file():
        raise VerifyError(f"{path} is missing: take the folder {RECORDED} from the commit again.")
    return path


def _git(root: Path, *words: str) -> bytes:
    return subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True).stdout
