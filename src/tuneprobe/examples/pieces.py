"""Examples in pieces, for tasks whose tables do not fit into memory.

A piece is an `Examples` whose ids count from 0. Pieces written one below the other are the three
files of `write_examples`, in row groups of about 16 MiB; row group *i* of the three is a piece
again. Memory is that of a row group, however many there are.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow.parquet import ParquetFile, ParquetWriter

from tuneprobe.artifacts import atomic_folder, checked, naming, write_meta
from tuneprobe.formats.examples import (
    EXAMPLE_COLUMNS,
    NO_SPAN,
    SPAN_COLUMNS,
    TEXT_COLUMNS,
    Examples,
    spans_sha256,
)

ROW_GROUP = 1 << 24  # bytes of the three tables together
NUMBER, NAME, WORDS = pa.int64(), pa.large_string(), pa.list_(pa.string())
SCHEMAS = {
    "texts": pa.schema(zip(TEXT_COLUMNS, (NAME, WORDS, WORDS), strict=True)),
    "spans": pa.schema(zip(SPAN_COLUMNS, (NUMBER, NUMBER, NUMBER, NUMBER, NAME), strict=True)),
    "examples": pa.schema(zip(EXAMPLE_COLUMNS, (NUMBER, NUMBER, NAME, NAME, NUMBER), strict=True)),
}


class ExamplesWriter:
    """Writes pieces one below the other into the tables of an existing folder.

    As a context manager it writes what is left at the end; after an error it only closes the files,
    so that the error that is said is the first one.

    Parameters
    ----------
    folder : Path
    groups_per_text : int
        How many numbers of groups belong to each text; 0 where groups do not count texts.

    Attributes
    ----------
    n_texts, n_spans, n_examples : int
        Rows so far.
    """

    def __init__(self, folder: Path, groups_per_text: int = 0) -> None:
        self.n_texts = self.n_spans = self.n_examples = 0
        self._folder = folder
        self._groups_per_text = groups_per_text
        self._waiting: dict[str, list[pa.Table]] = {name: [] for name in SCHEMAS}
        self._writers: dict[str, ParquetWriter] = {}

    def add(self, piece: Examples) -> None:
        """Write a piece, its ids raised by the rows above it."""
        groups = self._groups_per_text * self.n_texts
        spans, examples = _raised(piece.spans, piece.examples, self.n_texts, self.n_spans, groups)
        for name, rows in zip(SCHEMAS, (piece.texts, spans, examples), strict=True):
            table = pa.Table.from_pandas(rows, SCHEMAS[name], preserve_index=False)
            self._waiting[name].append(table)
        self.n_texts += len(piece.texts)
        self.n_spans += len(spans)
        self.n_examples += len(examples)
        if sum(table.nbytes for tables in self._waiting.values() for table in tables) >= ROW_GROUP:
            self._write()

    def __enter__(self) -> "ExamplesWriter":
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        try:
            if error is None and self._waiting["texts"]:
                self._write()
        finally:
            for writer in self._writers.values():
                writer.close()

    def _write(self) -> None:
        """Write what waits as one row group of each table."""
        for name, tables in self._waiting.items():
            table = pa.concat_tables(tables).combine_chunks()
            if name not in self._writers:
                self._writers[name] = ParquetWriter(self._folder / f"{name}.parquet", table.schema)
            self._writers[name].write_table(table, row_group_size=max(1, len(table)))
            tables.clear()


def read_pieces(folder: Path, groups_per_text: int = 0) -> Iterator[Examples]:
    """The pieces of a folder that `ExamplesWriter` wrote, one row group at a time."""
    n_texts = n_spans = 0
    for texts, spans, examples in zip(
        *(_row_groups(folder, name) for name in SCHEMAS), strict=True
    ):
        groups = groups_per_text * n_texts
        yield Examples(texts, *_raised(spans, examples, -n_texts, -n_spans, -groups))
        n_texts += len(texts)
        n_spans += len(spans)


def write_pieces(
    pieces: Iterable[Examples], folder: Path, groups_per_text: int = 0, **meta: Any
) -> None:
    """Write in one step what `write_examples` would write if the pieces were one."""
    with atomic_folder(folder) as part:
        with ExamplesWriter(part, groups_per_text) as writer:
            for piece in pieces:
                writer.add(piece)
        write_meta(
            part,
            **meta,
            n_texts=writer.n_texts,
            n_spans=writer.n_spans,
            n_examples=writer.n_examples,
            spans_sha256=spans_sha256(_row_groups(part, "texts"), _row_groups(part, "spans")),
        )


def _raised(
    spans: pd.DataFrame, examples: pd.DataFrame, by_texts: int, by_spans: int, by_groups: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables with all ids raised; an id that stands for no span stays."""
    raised = {
        column: examples[column].where(examples[column] == NO_SPAN, examples[column] + by_spans)
        for column in ("span1", "span2")
    }
    return (
        spans.assign(text=spans.text + by_texts),
        examples.assign(**raised, group=examples.group + by_groups),
    )


def _row_groups(folder: Path, name: str) -> Iterator[pd.DataFrame]:
    """The row groups of one table."""
    path = checked(folder / f"{name}.parquet")
    with naming(path):
        file = ParquetFile(path)
    with file:
        for number in range(file.num_row_groups):
            with naming(path):
                table = file.read_row_group(number).to_pandas()
            yield table
