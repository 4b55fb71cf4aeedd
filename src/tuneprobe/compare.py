"""Several runs side by side: what Git and DVC keep of each revision, read without a checkout."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from math import nan
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from dvc.scm import RevError
from dvc_data.index import DataIndexError

from tuneprobe.artifacts import META
from tuneprobe.collect.estimates import Estimate, difference, same
from tuneprobe.errors import TuneprobeError
from tuneprobe.example_scores import (
    ExampleScores,
    paired_difference,
    probe_scores,
    text_scores,
)
from tuneprobe.paths import PLOTS, SUMMARY, examples, pairs, results
from tuneprobe.studies.attention.measures import PAIR_TASKS
from tuneprobe.wording import flat
from tuneprobe.yaml_file import YamlFileError, parse_yaml

PARAMS = Path("params.yaml")
WORKSPACE = "workspace"
UNSET = "–"
HEADLINE = "headline"
CONFIDENCE = "intervals.confidence"

NOT_HERE = (DvcException, DataIndexError, OSError)  # neither cache nor remote has it
Read = Callable[[Path, Callable[[bytes], Any]], Any]


class CompareError(TuneprobeError):
    """Revisions that cannot be compared."""


@dataclass(frozen=True)
class Run:
    """What a revision keeps of its run; its name is the revision as the user wrote it."""

    name: str
    params: Mapping[str, str] = field(default_factory=dict)  # flat: finetune.epochs
    numbers: Mapping[str, float] = field(default_factory=dict)  # of metrics/summary.json
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)  # of metrics/plots, by stem
    scores: Mapping[str, ExampleScores] = field(default_factory=dict)  # by headline number
    missing: Sequence[str] = ()  # files that the revision lacks

    @property
    def headline(self) -> dict[str, Estimate]:
        """Headline numbers with the intervals that `collect` wrote beside them."""
        table = self.tables.get(HEADLINE, pd.DataFrame(columns=["name", "low", "high"]))
        bounds = {name: (low, high) for name, low, high in table[["name", "low", "high"]].values}
        return {
            name: Estimate(value, *bounds.get(name, ())) for name, value in self.numbers.items()
        }


class Difference(NamedTuple):
    """A headline number of one run minus that of another.

    ``paired``: over the same examples; ``same``: both runs have the number and its interval to the
    last digit.
    """

    estimate: Estimate
    paired: bool
    same: bool = False


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

    def parsed(path: Path, parse: Callable[[bytes], Any]) -> Any:
        try:
            return parse(files.read_bytes(path.as_posix()))
        except NOT_HERE:
            missing.append(str(path))
            return None
        except (ValueError, YamlFileError) as error:
            raise CompareError(f"{path} of '{name}' cannot be read: {error}") from error

    written = parsed(SUMMARY, json.loads) or {}
    numbers = {name: nan if value is None else value for name, value in written.items()}
    params = dict(flat(parsed(PARAMS, lambda content: parse_yaml(content, str(PARAMS))) or {}))
    paths = _listed(files, PLOTS)
    tables = {path.stem: parsed(path, lambda one: pd.read_csv(BytesIO(one))) for path in paths}
    tables = {stem: table for stem, table in tables.items() if table is not None}
    if not tables:
        missing.append(f"{PLOTS}/*.csv")
    if HEADLINE not in tables:
        missing.append(f"{PLOTS / HEADLINE}.csv")
    scores = {
        key: found for key, found in _scores(params, parsed) if found.make(numbers.get(key, nan))
    }
    return Run(name, params, numbers, tables, scores, missing)


def differing(runs: Sequence[Run]) -> dict[str, list[str]]:
    """Parameters that differ: name to the text of each run, `UNSET` where it has none."""
    values = _each((run.params for run in runs), UNSET)
    return {name: of_runs for name, of_runs in values.items() if len(set(of_runs)) > 1}


def numbers_of(runs: Sequence[Run]) -> dict[str, list[float]]:
    """Headline numbers: name to the value of each run, NaN where it has none."""
    return _each((run.numbers for run in runs), nan)


def differences(first: Run, other: Run) -> dict[str, Difference]:
    """Headline numbers of `other` minus those of `first`, where both have them.

    Paired where both runs keep the scores of the same examples; else the runs are taken as
    independent, see `difference`; without bounds where one run has none.
    """
    confidence = float(first.params.get(CONFIDENCE, 0.95))
    ours, theirs = first.headline, other.headline
    found = {}
    for name in ours.keys() & theirs.keys():
        gap = difference(theirs[name], ours[name])
        before, after = first.scores.get(name), other.scores.get(name)
        paired = bool(before and after and after.pair_with(before))
        if before and after and paired:
            bounds = paired_difference(name, after, before, confidence=confidence)
            gap = bounds._replace(value=gap.value)
        found[name] = Difference(gap, paired, same(ours[name], theirs[name]))
    return found


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
    except NOT_HERE:
        return []
    return sorted(Path(path) for path in found if path.endswith(".csv"))


def _scores(params: Mapping[str, str], read: Read) -> Iterator[tuple[str, ExampleScores]]:
    """Scores of the examples of the focus, as far as DVC has the tables that hold them."""
    encoder, focus = _entries(params, "run.encoders")[0], params.get("focus", "")
    seed = int(_entries(params, "run.seeds")[0] or 0)
    for task in filter(None, _entries(params, "pairwise.tasks")[:1]):
        folder = examples(pairs(task))
        table = results(encoder, folder.name, "pairwise", seed) / "outcomes.parquet"
        outcomes = read(table, _parquet)
        rows, meta = read(folder / "examples.parquet", _parquet), read(folder / META, json.loads)
        if outcomes is not None and rows is not None and meta is not None:
            yield from probe_scores(outcomes, rows.label, meta["spans_sha256"], focus)
    for task in filter(None, _entries(params, "attention.tasks")):
        table = results(encoder, task, "evaluate", seed) / "predictions.parquet"
        answers = read(table, _parquet)
        meta = read(examples(task) / META, json.loads)
        if answers is not None and meta is not None:
            name = "pair_task_score" if task in PAIR_TASKS else "sentence_task_score"
            yield name, text_scores(answers, meta["spans_sha256"], focus)


def _entries(params: Mapping[str, str], key: str) -> list[str]:
    """The entries of a list, as `flat` writes it; one empty text where there is none."""
    return params.get(key, "").split(", ")


def _parquet(text: bytes) -> pd.DataFrame:
    return pd.read_parquet(BytesIO(text))


def _each(of_runs: Iterable[Mapping[str, Any]], unset: Any) -> dict[str, list[Any]]:
    """Name to the entry of each run, in the order of their first appearance."""
    entries = list(of_runs)
    names = dict.fromkeys(name for one in entries for name in one)
    return {name: [one.get(name, unset) for one in entries] for name in names}
