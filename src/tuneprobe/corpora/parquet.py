"""Rows of Parquet files, as the hub of Hugging Face stores data sets; and where its cache is."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from tuneprobe.corpora.lines import REMEDY, CorpusError
from tuneprobe.errors import first_line

NO_LABEL = -1  # in a column of class labels
KEY = b"huggingface"  # of the metadata in which `datasets` describes the columns


def labelled_rows(
    path: Path, columns: tuple[str, ...], left_out: Counter[str]
) -> Iterator[tuple[int, dict[str, object]]]:
    """Number, from 1, and cells of each row that has a label, the last of the columns.

    Rows without one are counted in `left_out`.

    Raises
    ------
    CorpusError
        If the file is damaged, or lacks a column.
    """
    *_, label = columns
    file = _opened(path)
    missing = [column for column in columns if column not in file.schema_arrow.names]
    if missing:
        named = ", ".join(file.schema_arrow.names)[:120]
        raise CorpusError(
            f"{path}: the column '{missing[0]}' is missing; there are {named}. {REMEDY}"
        )
    names = _class_names(file, label)
    number = 0
    for batch in file.iter_batches(columns=list(dict.fromkeys(columns))):
        for row in batch.to_pylist():
            number += 1
            if names is None:
                yield number, row
            elif row[label] in (None, NO_LABEL):
                left_out["no label"] += 1
            else:
                yield number, row | {label: _name(path, number, names, row[label])}


def has_labels(path: Path, label: str) -> bool:
    """Whether any row of a file has a label; true too where that cannot be said here."""
    file = _opened(path)
    if label not in file.schema_arrow.names or _class_names(file, label) is None:
        return True
    found = file.read(columns=[label]).column(0).to_pylist()
    return any(value is not None and value != NO_LABEL for value in found)


def _opened(path: Path) -> Any:
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        said = f"{path} cannot be read as Parquet ({first_line(error)}). {REMEDY}"
        raise CorpusError(said) from error


def _class_names(file: Any, column: str) -> list[str] | None:
    """The names of the classes that the numbers in a column stand for; None if it has none."""
    try:
        described = json.loads((file.schema_arrow.metadata or {})[KEY])
        names = described["info"]["features"][column]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return [str(name) for name in names]


def _name(path: Path, number: int, names: list[str], value: object) -> str:
    if not isinstance(value, int) or not 0 <= value < len(names):
        raise CorpusError(
            f"{path}:{number}: the label is {value!r}, but the file names {len(names)} classes. "
            f"{REMEDY}"
        )
    return names[value]


def hub_data(path: str, revision: str | None = None) -> Path:
    """Where the hub's cache has the Parquet files of a data set, fetched where they are not here.

    Parameters
    ----------
    path : str
        ``owner/name``, or ``owner/name/subset``.
    revision : str, optional
        The commit; without it, the newest that can be reached, or is in the cache.

    Raises
    ------
    CorpusError
        If they are neither in the cache nor to be reached, or there is no Parquet file.
    """
    from huggingface_hub import snapshot_download

    download: Callable[..., str] = snapshot_download
    owner, name, *subset = path.split("/")
    hub, inside = f"{owner}/{name}", "".join(subset)
    wanted = f"{inside}/*.parquet" if inside else "*.parquet"
    at = f" --revision {revision}" if revision else ""
    try:
        found = download(hub, repo_type="dataset", revision=revision, allow_patterns=[wanted])
    except (OSError, ValueError) as error:
        raise CorpusError(
            f"the data set {hub}{at} is not in the local cache and the hub cannot be reached "
            f"({type(error).__name__}). On a machine with network run 'hf download --repo-type "
            f"dataset {hub}{at}', or put its Parquet files in a folder and use the format parquet."
        ) from error
    folder = Path(found) / inside
    if not any(folder.rglob("*.parquet")):
        raise CorpusError(
            f"the data set {path}{at} has no Parquet file: name a subset as owner/name/subset, "
            "take the revision of its branch refs/convert/parquet, or bring tsv, csv or jsonl."
        )
    return folder
