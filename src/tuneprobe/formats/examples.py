"""Examples: the three tables that every task is stored in.

texts     what an encoder reads: one or two segments of words
spans     half-open word intervals of one segment, or whole texts; the row number is the ``span_id``
examples  one or two spans with a label and a split; ``group`` joins what belongs together

A representation is one matrix per layer whose row *i* is span *i*.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from tuneprobe.artifacts import ArtifactError, atomic_folder, read_meta, readable, write_meta

TEXT_COLUMNS = ("source", "words1", "words2")
SPAN_COLUMNS = ("text", "segment", "start", "end", "role")
EXAMPLE_COLUMNS = ("span1", "span2", "label", "split", "group")
NO_SPAN = -1
WHOLE_TEXT = -1  # the segment of a span that stands for the whole text: the vector of [CLS]


@dataclass(frozen=True)
class Examples:
    """The tables of one task.

    Attributes
    ----------
    texts : DataFrame
        ``source`` (identifier upstream), ``words1`` and ``words2`` (lists of words; the second is
        empty for a single segment). The row number is the text id.
    spans : DataFrame
        ``text``, ``segment`` (0 or 1; -1 for the whole text), ``start``, ``end`` (words,
        half-open; 0 and 0 for the whole text), ``role`` (what the span is: word, anchor, match,
        candidate, ...). The row number is the span id.
    examples : DataFrame
        ``span1``, ``span2`` (span ids; -1 where there is none), ``label``, ``split``, ``group``.
    """

    texts: pd.DataFrame
    spans: pd.DataFrame
    examples: pd.DataFrame

    def __post_init__(self) -> None:
        for name, columns in (
            ("texts", TEXT_COLUMNS),
            ("spans", SPAN_COLUMNS),
            ("examples", EXAMPLE_COLUMNS),
        ):
            got = tuple(getattr(self, name).columns)
            if got != columns:
                raise ArtifactError(f"{name} has columns {got}, expected {columns}.")
        self._check_spans()
        n_spans = len(self.spans)
        for column in ("span1", "span2"):
            ids = self.examples[column]
            if len(ids) and (ids.min() < NO_SPAN or ids.max() >= n_spans):
                raise ArtifactError(
                    f"examples.{column} points outside spans: {ids.min()}..{ids.max()}, "
                    f"but there are {n_spans} spans."
                )

    def _check_spans(self) -> None:
        spans = self.spans
        if not len(spans):
            return
        if spans.text.min() < 0 or spans.text.max() >= len(self.texts):
            raise ArtifactError(
                f"spans.text points outside texts: {spans.text.min()}..{spans.text.max()}, "
                f"but there are {len(self.texts)} texts."
            )
        lengths = [self.texts[f"words{n}"].str.len().to_numpy() for n in (1, 2)]
        length = [
            lengths[segment][text] for text, segment in zip(spans.text, spans.segment, strict=True)
        ]
        whole = (spans.segment == WHOLE_TEXT) & (spans.start == 0) & (spans.end == 0)
        wrong = (spans.start < 0) | (spans.start >= spans.end) | (spans.end > length)
        wrong &= ~whole
        if wrong.any():
            row = int(wrong.to_numpy().argmax())
            span = spans.iloc[row]
            raise ArtifactError(
                f"span {row} is [{span.start}, {span.end}) in segment {span.segment} of text "
                f"{span.text}, which has {length[row]} words."
            )

    def spans_sha256(self) -> str:
        """Fingerprint of texts and spans: what a representation depends on."""
        return spans_sha256([self.texts], [self.spans])


def spans_sha256(texts: Iterable[pd.DataFrame], spans: Iterable[pd.DataFrame]) -> str:
    """Fingerprint of texts and spans in pieces, however they are cut: of their rows as JSON."""
    digest = sha256()
    for pieces in (texts, (piece.drop(columns="role") for piece in spans)):
        before = b"["
        for piece in pieces:
            rows = piece.to_json(orient="values", force_ascii=False).encode()[1:-1]
            if rows:
                digest.update(before + rows)
                before = b","
        digest.update(b"]" if before == b"," else b"[]")
    return digest.hexdigest()


def write_examples(
    examples: Examples, folder: Path, beside: Mapping[str, pd.DataFrame] | None = None, **meta: Any
) -> None:
    """Write the three tables as parquet in one step, with `meta` and CSV tables `beside` them."""
    with atomic_folder(folder) as part:
        for name, table in (beside or {}).items():
            table.to_csv(part / name, index=False)
        examples.texts.to_parquet(part / "texts.parquet", index=False)
        examples.spans.to_parquet(part / "spans.parquet", index=False)
        examples.examples.to_parquet(part / "examples.parquet", index=False)
        write_meta(
            part,
            **meta,
            n_texts=len(examples.texts),
            n_spans=len(examples.spans),
            n_examples=len(examples.examples),
            spans_sha256=examples.spans_sha256(),
        )


def read_examples(folder: Path) -> Examples:
    """Read the tables that `write_examples` wrote.

    Raises
    ------
    ArtifactError
        If a file is missing, or is not as it was written.
    """
    read_meta(folder)
    tables = []
    for name in ("texts", "spans", "examples"):
        with readable(folder / f"{name}.parquet") as path:
            tables.append(pd.read_parquet(path))
    return Examples(*tables)


@dataclass
class ExamplesBuilder:
    """Collects texts, spans and examples; equal spans of a text are stored once."""

    _texts: list[tuple[str, list[str], list[str]]] = field(default_factory=list)
    _spans: dict[tuple[int, int, int, int], int] = field(default_factory=dict)
    _roles: list[str] = field(default_factory=list)
    _examples: list[tuple[int, int, str, str, int]] = field(default_factory=list)

    def add_text(self, source: str, words1: list[str], words2: list[str] | None = None) -> int:
        """Add a text of one or two segments; return its id."""
        self._texts.append((source, list(words1), list(words2 or [])))
        return len(self._texts) - 1

    def add_span(self, text: int, segment: int, start: int, end: int, role: str) -> int:
        """Add a span, or find the equal one; return its id. The first role given is kept."""
        span = self._spans.setdefault((text, segment, start, end), len(self._spans))
        if span == len(self._roles):
            self._roles.append(role)
        return span

    def add_whole_text(self, text: int) -> int:
        """Add the span that stands for a whole text; return its id."""
        return self.add_span(text, WHOLE_TEXT, 0, 0, "text")

    def add_example(
        self, span1: int, span2: int, label: str, split: str, group: int = NO_SPAN
    ) -> int:
        """Add an example over span ids; return its number."""
        self._examples.append((span1, span2, label, split, group))
        return len(self._examples) - 1

    def build(self) -> Examples:
        """The checked tables."""
        spans = [(*span, role) for span, role in zip(self._spans, self._roles, strict=True)]
        return Examples(
            texts=pd.DataFrame(self._texts, columns=list(TEXT_COLUMNS)),
            spans=pd.DataFrame(spans, columns=list(SPAN_COLUMNS)),
            examples=pd.DataFrame(self._examples, columns=list(EXAMPLE_COLUMNS)),
        )
