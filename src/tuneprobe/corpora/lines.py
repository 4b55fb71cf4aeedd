"""Records of upstream files, and one error for everything that can be wrong with them.

with a.jsonl.gz holding           {"id": 7, "spans": [{"start": 0, "end": 2}]}
record.items("spans")[0].field    spans[0]
its error                         a.jsonl.gz:1: spans[0].end is missing. ...
"""

import gzip
import json
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from tuneprobe.errors import TuneprobeError
from tuneprobe.formats.question import Interval

Kind = TypeVar("Kind")

REMEDY = "Get the file again ('tuneprobe data fetch') or mend it."
KINDS = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)


class CorpusError(TuneprobeError):
    """A corpus that is missing or malformed; the message names file, line and field."""


def open_packed(path: Path) -> BinaryIO:
    """The unpacked bytes of a file whose name ends in .gz, .xz or neither."""
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
    try:
        file: BinaryIO = openers.get(path.suffix, open)(path, "rb")
    except OSError as error:
        raise CorpusError(f"{path} cannot be read ({error.strerror}).") from None
    return file


def plain_name(name: str) -> str:
    """The name of a file without .gz or .xz."""
    return name.removesuffix(".gz").removesuffix(".xz")


def read_lines(path: Path, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """Lines of a plain, gzipped or xz-packed text file, one at a time, numbered from 1.

    Raises
    ------
    CorpusError
        If the file is missing, the archive is cut short or damaged, or a line is not in this
        encoding.
    """
    number = 0
    with open_packed(path) as file:
        try:
            for number, line in enumerate(file, start=1):
                yield number, line.decode(encoding)
        except DAMAGED as error:
            raise CorpusError(
                f"{path}:{number + 1}: the archive is cut short or damaged ({error}). {REMEDY}"
            ) from None
        except UnicodeDecodeError as error:
            raise CorpusError(
                f"{path}:{number}: byte {error.start} of the line is not {encoding.upper()}. "
                f"{REMEDY}"
            ) from None


@dataclass(frozen=True)
class Record:
    """A JSON object and its place, so that an error can name file, line and field."""

    value: dict[str, Any]
    path: Path
    line: int
    field: str = ""

    def wrong(self, key: str, problem: str) -> CorpusError:
        """The error that says what is the matter with one field."""
        field = ".".join(filter(None, (self.field, key)))
        return CorpusError(f"{self.path}:{self.line}: {field} {problem}. {REMEDY}")

    def get(self, key: str, kind: type[Kind]) -> Kind:
        """The value of `key`, which must be there and of the given kind."""
        if key not in self.value:
            raise self.wrong(key, "is missing")
        value = self.value[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.wrong(key, f"is {json.dumps(value)[:60]}, expected {KINDS[kind]}")
        return value

    def child(self, key: str) -> "Record":
        """The object under `key`."""
        return self._at(key, self.get(key, dict))

    def items(self, key: str) -> list["Record"]:
        """The objects of the list under `key`."""
        return [
            self._at(f"{key}[{number}]", value) for number, value in enumerate(self.get(key, list))
        ]

    def strings(self, key: str) -> list[str]:
        """The texts of the list under `key`."""
        values = self.get(key, list)
        for number, value in enumerate(values):
            if not isinstance(value, str):
                raise self.wrong(
                    f"{key}[{number}]", f"is {json.dumps(value)[:60]}, expected a text"
                )
        return values

    def identifier(self, key: str) -> str:
        """The text or the number under `key`, as a text."""
        if isinstance(self.value.get(key), int):
            return str(self.get(key, int))
        return self.get(key, str)

    def interval(self, start: str, end: str, limit: int, unit: str) -> Interval:
        """The half-open interval under two keys, which must lie inside [0, limit)."""
        first, last = self.get(start, int), self.get(end, int)
        if not 0 <= first < last <= limit:
            raise self.wrong(end, f"ends [{first}, {last}), outside a document of {limit} {unit}")
        return first, last

    def _at(self, place: str, value: Any) -> "Record":
        if not isinstance(value, dict):
            raise self.wrong(place, f"is {json.dumps(value)[:60]}, expected an object")
        field = ".".join(filter(None, (self.field, place)))
        return Record(value, self.path, self.line, field)


def read_records(path: Path) -> Iterator[Record]:
    """The objects of a JSON-lines file, one at a time, or the one object of a .json file."""
    if plain_name(path.name).endswith(".json"):
        yield _record(path, 1, "".join(text for _, text in read_lines(path)))
        return
    for number, text in read_lines(path):
        if text.strip():
            yield _record(path, number, text.rstrip())


def _record(path: Path, line: int, text: str) -> Record:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise CorpusError(
            f"{path}:{line + error.lineno - 1}: not JSON at column {error.colno}: {error.msg}. "
            f"{REMEDY}"
        ) from None
    except (RecursionError, ValueError) as error:  # nested, or a number, beyond Python's limits
        raise CorpusError(f"{path}:{line}: JSON that cannot be read: {error}. {REMEDY}") from None
    if not isinstance(value, dict):
        raise CorpusError(f"{path}:{line}: expected a JSON object, got {text[:60]!r}. {REMEDY}")
    return Record(value, path, line)
