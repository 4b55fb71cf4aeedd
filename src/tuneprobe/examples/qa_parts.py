"""The questions of one shard as a part, and the parts of all shards as the examples of a task.

Documents are read one at a time and written in pieces, so that memory grows with no shard.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tuneprobe.corpora.mrc import Shard
from tuneprobe.examples.identity import noted, refuse_repeated
from tuneprobe.examples.pieces import ExamplesWriter, read_pieces, write_pieces
from tuneprobe.examples.qa import ANNOTATORS, build_qa
from tuneprobe.formats.question import Question

TOGETHER = 500_000  # words of documents, some 50 MiB as Python objects


def write_qa_part(shard: Shard, folder: Path) -> None:
    """Write the tables of `build_qa` for one shard into a folder."""
    with ExamplesWriter(folder, ANNOTATORS) as writer:
        for questions in _lists(noted(shard.read(Counter()), shard, folder)):
            writer.add(build_qa(questions))


def join_qa(parts: Iterable[Path], folder: Path, **meta: Any) -> None:
    """Write the parts of all shards, one below the other, as the examples of a task.

    Raises
    ------
    CorpusError
        If two shards hold the same question, or most of the test stands in train.
    """
    parts = list(parts)
    n_both = refuse_repeated(parts)
    pieces = (piece for part in parts for piece in read_pieces(part, ANNOTATORS))
    write_pieces(pieces, folder, ANNOTATORS, **meta, n_test_texts_in_train=n_both)


def _lists(questions: Iterable[Question]) -> Iterator[list[Question]]:
    """Lists of questions with some `TOGETHER` words; the last may be empty."""
    some: list[Question] = []
    n_words = 0
    for question in questions:
        some.append(question)
        n_words += len(question.document)
        if n_words >= TOGETHER:
            yield some
            some, n_words = [], 0
    yield some
