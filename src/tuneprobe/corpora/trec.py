"""TREC questions by the type of their answer (Li and Roth 2002), in their original label files.

A line (an invented instance): coarse class, fine class, and the question's words, in ISO-8859-1, or
in UTF-8 where someone has converted it (in ISO-8859-1 these bytes would be other letters):

    HUM:ind Who flew the first kite ?

A fine class is named with its coarse one: ``ENTY:other`` and ``NUM:other`` are two.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tuneprobe.corpora.lines import REMEDY, CorpusError, read_lines

ENCODINGS = ("utf-8", "iso-8859-1")
LABEL = re.compile(r"[A-Z]+:[A-Za-z]+")


class TypedQuestion(NamedTuple):
    """A question; ``id`` is file and line, ``label`` the fine class, e.g. ``HUM:ind``."""

    id: str
    words: tuple[str, ...]
    label: str


def read_trec(path: Path) -> Iterator[TypedQuestion]:
    """Questions of one label file, one at a time.

    Raises
    ------
    CorpusError
        If a line does not begin with ``COARSE:fine``, or has no words.
    """
    for number, text in read_lines(path, *ENCODINGS):
        if not text.strip():
            continue
        label, *words = text.split()
        if not LABEL.fullmatch(label):
            raise CorpusError(
                f"{path}:{number}: begins with {label[:60]!r}, expected a class such as HUM:ind. "
                f"{REMEDY}"
            )
        if not words:
            raise CorpusError(f"{path}:{number}: class {label} without a question. {REMEDY}")
        yield TypedQuestion(f"{path.name}:{number}", tuple(words), label)
