"""Texts with a label in a table of one's own: TSV, CSV, JSON lines, Parquet; columns by name.

A file whose name says train is for training, one that says test (or else dev) is our test. Where
there is one file, or none says so, one first text in ten is test, as for GLUE (`glue.py`). Classes
are the labels that the files hold. Text files may be packed (.gz, .xz).

Parquet is what the hub of Hugging Face stores data sets in: ``data/train-00000-of-00001.parquet``,
or ``subset/train/0000.parquet``. A column of its class labels holds numbers; their names are in
the file, and -1 is no label: a split without labels is not read, rows without one are left out.
"""

import csv
import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tuneprobe.corpora.glue import BY_FILE, BY_HASH, GlueText, split_of_sentence
from tuneprobe.corpora.lines import REMEDY, CorpusError, plain_name, read_lines
from tuneprobe.corpora.parquet import has_labels, labelled_rows

PARQUET = ".parquet"
SPLIT = re.compile(r"(?<![a-z])(train|dev|validation|test)(?![a-z0-9])", re.IGNORECASE)
BYTE_ORDER_MARK = "\ufeff"


def read_tables(
    folder: Path,
    form: str,
    texts: tuple[str, ...],
    label: str,
    *,
    score: bool = False,
    endings: tuple[str, ...] = (),
    left_out: Counter[str] | None = None,
) -> tuple[list[GlueText], str]:
    """The rows of all files of a folder, and how train and test were told apart.

    Parameters
    ----------
    form : str
        ``tsv`` (a quotation mark is a character of its text), ``csv``, ``jsonl`` or ``parquet``.
    texts : tuple of str
        The columns of the one or two texts.
    label : str
        The column of the class or score.
    score : bool
        Whether labels must be numbers.
    endings : tuple of str
        Of the names of files that are read; empty: the format.
    left_out : Counter, optional
        Gets the number of rows that are left out, by reason.

    Raises
    ------
    CorpusError
        If no file is there, a column is missing, a cell is empty, or a score is no number; the
        message names file and line.
    """
    files = _files(folder, endings or (f".{form}",), label)
    counted = Counter[str]() if left_out is None else left_out
    rows = [
        text
        for path, split in files
        for text in _texts(
            path, split, _records(path, form, (*texts, label), counted), texts, label, score
        )
    ]
    if {split for _, split in files} == {"train", "test"}:
        return rows, BY_FILE
    return [replace(row, split=split_of_sentence(row.sentence1)) for row in rows], BY_HASH


def _files(folder: Path, endings: tuple[str, ...], label: str) -> list[tuple[Path, str]]:
    """Files and their splits, train before test; dev is not read beside test."""
    parquet = endings == (PARQUET,)
    listed = sorted(folder.rglob("*") if parquet else folder.glob("*"))
    found = [path for path in listed if plain_name(path.name).endswith(endings)]
    if not found:
        raise CorpusError(f"{folder} has no {' or '.join(endings)}: put the files there.")
    if parquet:
        _refuse_subsets(folder, found)
        found = [path for path in found if has_labels(path, label)]
    by_split: dict[str, list[Path]] = {}
    for path in found:
        name = str(path.relative_to(folder)) if parquet else plain_name(path.name)
        match = SPLIT.search(name)
        split = match[1].lower() if match else ""
        by_split.setdefault("dev" if split == "validation" else split, []).append(path)
    test = by_split.get("test") or by_split.get("dev") or []
    if "train" in by_split and test:
        return [(path, "train") for path in by_split["train"]] + [(path, "test") for path in test]
    return [(path, "train") for path in found]


def _refuse_subsets(folder: Path, files: list[Path]) -> None:
    """Refuse files of several subsets of a data set: each has columns and classes of its own."""
    above = {path.relative_to(folder).parent.parts[:1] for path in files}
    subsets = sorted({part[0] for part in above if part and not SPLIT.fullmatch(part[0])})
    if len(subsets) > 1:
        raise CorpusError(
            f"{folder} has the subsets {', '.join(subsets)[:120]}: add the name of one to the path."
        )


def _records(
    path: Path, form: str, columns: tuple[str, ...], left_out: Counter[str]
) -> Iterator[tuple[int, dict[str, object]]]:
    """Line number, in Parquet row number, and cells by column."""
    if form == "parquet":
        yield from labelled_rows(path, columns, left_out)
        return
    lines = ((number, text.removeprefix(BYTE_ORDER_MARK)) for number, text in read_lines(path))
    if form == "jsonl":
        for number, text in lines:
            if text.strip():
                yield number, _object(path, number, text)
        return
    texts = (text for _, text in lines)
    if form == "tsv":
        rows = csv.reader(texts, delimiter="\t", quoting=csv.QUOTE_NONE)
    else:
        rows = csv.reader(texts)
    header = next(rows, [])
    for row in rows:
        if len(row) != len(header):
            raise _wrong(path, rows.line_num, f"{len(row)} columns, expected {len(header)}")
        yield rows.line_num, dict(zip(header, row, strict=True))


def _object(path: Path, number: int, text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise _wrong(path, number, f"no JSON ({error.msg})") from None
    if not isinstance(value, dict):
        raise _wrong(path, number, "no JSON object")
    return value


def _texts(
    path: Path,
    split: str,
    records: Iterator[tuple[int, dict[str, object]]],
    texts: tuple[str, ...],
    label: str,
    score: bool,
) -> Iterator[GlueText]:
    for number, record in records:
        cells = [_cell(path, number, record, column) for column in (*texts, label)]
        yield GlueText(
            place=f"{path.name}:{number}",
            sentence1=cells[0],
            sentence2=cells[1] if len(texts) == 2 else "",
            label=_score(path, number, label, cells[-1]) if score else cells[-1].strip(),
            split=split,
        )


def _cell(path: Path, number: int, record: dict[str, object], column: str) -> str:
    if column not in record:
        named = ", ".join(map(str, record))[:120]
        raise _wrong(path, number, f"the column '{column}' is missing; there are {named}")
    value = record[column]
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    if value is None or not text.strip():
        raise _wrong(path, number, f"{column} is empty")
    return text


def _score(path: Path, number: int, column: str, cell: str) -> str:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _wrong(path, number, f"{column} is {cell!r}, expected a number")
    return str(value)


def _wrong(path: Path, number: int, problem: str) -> CorpusError:
    return CorpusError(f"{path}:{number}: {problem}. {REMEDY}")
