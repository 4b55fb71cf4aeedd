"""Several runs side by side: what Git and DVC keep of each revision, read without a checkout."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from dvc.scm import RevError

from tuneprobe.errors import TuneprobeError
from tuneprobe.paths import PLOTS, SUMMARY

PARAMS = Path("params.yaml")
WORKSPACE = "workspace"
UNSET = "–"


class CompareError(TuneprobeError):
    """Revisions that cannot be compared."""


@dataclass(frozen=True)
class Run:
    """What a revision keeps of its run.

    Attributes
    ----------
    name : str
        The revision as the user wrote it.
    params : mapping
        Flat, ``finetune.epochs``, as text.
    numbers : mapping
        Headline numbers of metrics/summary.json.
    tables : mapping
        File stem to table of metrics/plots.
    missing : sequence of str
        Files that the revision lacks.
    """

    name: str
    params: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    missing: Sequence[str] = ()


def read_run(repository: Path, name: str) -> Run:
    """The run of one revision; `WORKSPACE` stands for the files as they lie there.

    Contents that DVC tracks and the cache lacks come from a remote, where it has them.

    Raises
    ------
    CompareError
        If there is no such revision or no repository, or if a file of it cannot be understood.
    """
    files = _open(repository, name)
    missing: list[str] = []

    def parsed(path: Path, parse: Callable[[str], Any]) -> Any:
        try:
            return parse(str(files.read_text(path.as_posix())))
        except (DvcException, OSError):
            missing.append(str(path))
            return None
        except (ValueError, yaml.YAMLError) as error:
            raise CompareError(f"{path} of '{name}' cannot be read: {error}") from error

    numbers = parsed(SUMMARY, json.loads) or {}
    params = parsed(PARAMS, yaml.safe_load) or {}
    tables = {path.stem: parsed(path, _csv) for path in _listed(files, PLOTS)}
    tables = {stem: table for stem, table in tables.items() if table is not None}
    if not tables:
        missing.append(f"{PLOTS}/*.csv")
    return Run(name, dict(flat(params)), numbers, tables, missing)


def flat(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested parameters as dotted names and texts; a list is one text.

    >>> dict(flat({"finetune": {"epochs": 2, "rates": [1, 2]}}))
    {'finetune.epochs': '2', 'finetune.rates': '1, 2'}
    """
    for key, value in params.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            several = isinstance(value, list | tuple)
            yield f"{prefix}{key}", ", ".join(map(str, value)) if several else str(value)


def differing(runs: Sequence[Run]) -> dict[str, list[str]]:
    """Parameters that differ: name to the text of each run, `UNSET` where it has none."""
    values = {
        name: [run.params.get(name, UNSET) for run in runs]
        for name in _union(run.params for run in runs)
    }
    return {name: of_runs for name, of_runs in values.items() if len(set(of_runs)) > 1}


def numbers_of(runs: Sequence[Run]) -> dict[str, list[float]]:
    """Headline numbers: name to the value of each run, NaN where it has none."""
    return {
        name: [float(run.numbers.get(name, "nan")) for run in runs]
        for name in _union(run.numbers for run in runs)
    }


def overlaid(runs: Sequence[Run], name: str) -> pd.DataFrame:
    """One table of metrics/plots of all runs that have it, with the column ``rev``."""
    parts = [run.tables[name].assign(rev=run.name) for run in runs if name in run.tables]
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _open(repository: Path, name: str) -> DVCFileSystem:
    revision = None if name == WORKSPACE else name
    try:
        files = DVCFileSystem(str(repository), rev=revision)
        _ = files.repo  # opened lazily, and errors within calls of files would look like no file
    except RevError as error:
        raise CompareError(
            f"unknown revision '{name}': expected '{WORKSPACE}', a branch, a tag, a commit or an "
            "experiment ('dvc exp list' names them)."
        ) from error
    except DvcException as error:
        raise CompareError(f"cannot read {repository} at '{name}': {error}") from error
    return files


def _listed(files: DVCFileSystem, folder: Path) -> list[Path]:
    try:
        found = files.ls(folder.as_posix(), detail=False)
    except (DvcException, OSError):
        return []
    return sorted(Path(path) for path in found if path.endswith(".csv"))


def _csv(text: str) -> pd.DataFrame:
    return pd.read_csv(StringIO(text))


def _union(names: Iterable[Iterable[str]]) -> list[str]:
    """All names, each once, in the order of their first appearance."""
    return list(dict.fromkeys(name for some in names for name in some))
