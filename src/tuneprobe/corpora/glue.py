"""Sentences and pairs of sentences with a label: the rows of GLUE and SICK, read from their TSVs.

Cells are divided by tabs and by nothing else: a quotation mark is a character of its sentence.
Columns are found by name, so their order does not matter (a file of SST-2 that goes round has them
swapped). Files may be packed (.gz, .xz). What GLUE calls ``test`` has no labels and is not read:
its development file is our test. A blank line is no row. Rows with an empty sentence (QQP has two)
or without a consensus of the annotators (MNLI's ``-``) are left out and counted.

Where one of the two files is not there, the other is divided: one first sentence in ten is test,
chosen by its hash (`split_of_sentence`), so that pairs which share it stay together.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from tuneprobe.corpora.glue_formats import Format, get_format
from tuneprobe.corpora.lines import REMEDY, CorpusError, read_lines
from tuneprobe.corpora.tokens import is_visible

TEST_SHARE = 10  # one first sentence in ten is test where only one file is there
BY_FILE, BY_HASH = "files", "hash of the first sentence, one in ten is test"
READ = "rows read"
CUT_SHORT = "row cut short"
NO_CONSENSUS = "no consensus of the annotators"
UNDECIDED = "-"
SCORE = re.compile(r"[0-9]+(\.[0-9]*)?")


@dataclass(frozen=True)
class GlueText:
    """One row.

    Attributes
    ----------
    place : str
        File and line, e.g. ``train.tsv:17``; what identifies the row.
    sentence1, sentence2 : str
        As in the file; the second is empty where the task has one sentence.
    label : str
        The class as in the file, or ``str`` of the score as a float.
    split : str
        ``train`` or ``test``.
    """

    place: str
    sentence1: str
    sentence2: str
    label: str
    split: str


def read_glue(
    corpus: str, task_format: str, data: Path, counts: Counter[str] | None = None
) -> Iterator[GlueText]:
    """Rows of a corpus, one at a time, train before test where they have files of their own.

    Parameters
    ----------
    corpus : str
        Folder below `data`: ``mrpc``, ``qqp-sample``, ``world/rte``, ...
    task_format : str
        One of `FORMATS`.
    data : Path
        The folder that holds one folder per corpus.
    counts : Counter, optional
        Gets the number of rows read, and of those left out, by reason.

    Raises
    ------
    UnknownNameError
        If there is no such format.
    CorpusError
        If the files are missing or there twice, a column is named twice, or a row has the wrong
        number of columns, an unknown label or a score that is none; the message names file and
        line.
    """
    form = get_format(task_format)
    counts = Counter() if counts is None else counts
    found = split_files(corpus, task_format, data)
    for split, path in found.items():
        for text in read_tsv(path, form, split, counts):
            if len(found) == 1:
                text = replace(text, split=split_of_sentence(text.sentence1))
            yield text


def split_files(corpus: str, task_format: str, data: Path) -> dict[str, Path]:
    """The file of each split that is there: both, or the one that is divided."""
    form, folder = get_format(task_format), data / corpus
    found = {}
    for split, names in (("train", form.train), ("test", form.test)):
        paths = (folder / f"{name}{packed}" for name in names for packed in ("", ".gz", ".xz"))
        there = list(filter(Path.exists, paths))
        if len(there) > 1:
            raise CorpusError(
                f"{there[0]} and {there[1].name} are both the {split} file, and one would be left "
                "unread: remove one."
            )
        if there:
            found[split] = there[0]
    if not found:
        raise CorpusError(
            f"{folder} has neither {form.train[0]} nor {form.test[0]}: "
            f"run 'tuneprobe data fetch {corpus.split('/')[0]}', or put the files there."
        )
    return found


def split_rule(corpus: str, task_format: str, data: Path) -> str:
    """How train and test were told apart, in words for the meta data of an artifact."""
    return BY_FILE if len(split_files(corpus, task_format, data)) == 2 else BY_HASH


def split_of_sentence(sentence: str) -> str:
    """``test`` for a tenth of all sentences, else ``train``; the same on every machine.

    Spellings that differ only in case or blanks fall on the same side.
    """
    name = " ".join(sentence.split()).casefold()
    digest = blake2b(name.encode(), digest_size=8).digest()
    return "test" if int.from_bytes(digest, "big") % TEST_SHARE == 0 else "train"


def read_tsv(path: Path, form: Format, split: str, counts: Counter[str]) -> Iterator[GlueText]:
    """Rows of one file; `counts` and `CorpusError` as `read_glue`."""
    for number, row in _rows(path, form, counts):
        sentences = [row[column] for column in form.sentences]
        if reason := _unusable(row, form):
            counts[reason] += 1
            continue
        yield GlueText(
            place=f"{path.name}:{number}",
            sentence1=sentences[0],
            sentence2=sentences[1] if len(sentences) == 2 else "",
            label=_label(path, number, row[form.label].strip(), form),
            split=split,
        )


def _rows(path: Path, form: Format, counts: Counter[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells by column."""
    columns: tuple[str, ...] = ()
    for number, text in read_lines(path):
        if not text.strip(" \r\n"):
            continue
        cells = tuple(text.rstrip("\r\n").split("\t"))
        if not columns:
            columns = _columns(path, number, cells, form)
            if columns == cells:
                continue
        counts[READ] += 1
        if form.cut_rows and len(cells) < len(columns):
            counts[CUT_SHORT] += 1
            continue
        _refuse_width(path, number, len(cells), columns, form)
        yield number, dict(zip(columns, cells, strict=False))  # sources may follow the last column


def _columns(path: Path, line: int, cells: tuple[str, ...], form: Format) -> tuple[str, ...]:
    """The names in the first line that is not blank, or those of a file that has none."""
    if form.bare and form.label not in cells:
        return form.bare
    for column in (*form.sentences, form.label):
        if column not in cells:
            named = ", ".join(cells)[:120]
            raise _wrong(path, line, f"the column '{column}' is missing; the line names {named}")
    if twice := [name for name, times in Counter(cells).items() if times > 1]:
        raise _wrong(path, line, f"the column '{twice[0][:60]}' is named twice")
    return cells


def _refuse_width(
    path: Path, number: int, width: int, columns: tuple[str, ...], form: Format
) -> None:
    expected = [len(columns)]
    if form.extra and columns == form.bare:
        expected.append(len(columns) + form.extra)
    if width not in expected:
        widths = " or ".join(map(str, expected))
        raise _wrong(path, number, f"{width} columns, expected {widths}")


def _unusable(row: dict[str, str], form: Format) -> str:
    """Why a whole row is left out; empty where it is not."""
    for column in form.sentences:
        if not any(map(is_visible, row[column].split())):
            return f"{column} is empty"
    return NO_CONSENSUS if row[form.label].strip() == UNDECIDED else ""


def _label(path: Path, number: int, cell: str, form: Format) -> str:
    """The class as it is, a score as the text of a float."""
    if form.labels:
        if cell not in form.labels:
            expected = " or ".join(form.labels)
            raise _wrong(path, number, f"{form.label} is {cell!r}, expected {expected}")
        return cell
    low, high = form.scores
    score = float(cell) if SCORE.fullmatch(cell) else math.nan
    if not low <= score <= high:
        expected = f"a number from {low:g} to {high:g}"
        raise _wrong(path, number, f"{form.label} is {cell!r}, expected {expected}")
    return str(score)


def _wrong(path: Path, number: int, problem: str) -> CorpusError:
    return CorpusError(f"{path}:{number}: {problem}. {REMEDY}")
