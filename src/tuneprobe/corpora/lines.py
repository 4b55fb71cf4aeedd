"""Records of upstream files, and one error for everything that can be wrong with them.

with a.jsonl.gz holding           {"id": 7, "spans": [{"start": 0, "end": 2}]}
record.items("spans")[0].field    spans[0]
its error                         a.jsonl.gz:1: spans[0].end is missing. ...
"""

import gzip
import json
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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
BYTE_ORDER_MARK = "\ufeff"
LINE_BREAKS = re.compile(r"[\r\n\u2028\u2029]+")
ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
HALF_CHARACTER = re.compile(r"[\ud800-\udfff]")


class CorpusError(TuneprobeError):
    """A corpus that is missing or malformed; one line that names file, line and field."""

    def __init__(self, message: str) -> None:
        super().__init__(
            re.sub(r"[\r\n\u2028\u2029]+", " ", message)
        )  # what is quoted may have some


def open_packed(path: Path) -> BinaryIO:
    """The unpacked bytes of a file whose name ends in .gz, .xz or neither."""
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
    refuse_other_than_file(path)
    try:
        file: BinaryIO = openers.get(path.suffix, open)(path, "rb")
    except OSError as error:
        raise CorpusError(f"{path} cannot be read ({error.strerror}).") from None
    return file


def refuse_other_than_file(path: Path) -> None:
    """A folder is no file, and a named pipe or a device would be waited for without end."""
    if path.exists() and not path.is_file():
        raise CorpusError(
            f"{path} cannot be read (it is no plain file): put a file there, or remove it."
        )


def plain_name(name: str) -> str:
    """The name of a file without .gz or .xz."""
    return name.removesuffix(".gz").removesuffix(".xz")


def is_hidden(path: Path, folder: Path) -> bool:
    """Whether a file, or a folder between it and `folder`, is hidden: what editors leave behind."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def one_of_each(paths: Iterable[Path]) -> dict[str, Path]:
    """Files by their path without .gz or .xz.

    Raises
    ------
    CorpusError
        If one is there both packed and unpacked.
    """
    found: dict[str, Path] = {}
    for path in paths:
        twin = found.setdefault(plain_name(path.as_posix()), path)
        if twin is not path:
            raise CorpusError(f"{twin} and {path.name} are one file, packed or not: remove one.")
    return found


def read_lines(path: Path, *encodings: str) -> Iterator[tuple[int, str]]:
    """Lines of a plain, gzipped or xz-packed text file, one at a time, numbered from 1.

    Parameters
    ----------
    encodings : str
        A line is in the first of these that can read it; UTF-8 where none is given. A byte order
        mark is no part of the first line.

    Raises
    ------
    CorpusError
        If the file is missing, the archive is cut short or damaged, or a line is in none of the
        encodings.
    """
    number = 0
    with open_packed(path) as file:
        try:
            for number, line in enumerate(file, start=1):
                text = _decoded(line, encodings or ("utf-8",))
                yield number, text.removeprefix(BYTE_ORDER_MARK) if number == 1 else text
        except DAMAGED as error:
            raise CorpusError(
                f"{path}:{number + 1}: the archive is cut short or damaged ({error}). {REMEDY}"
            ) from None
        except UnicodeDecodeError as error:
            raise CorpusError(
                f"{path}:{number}: byte {error.start} of the line is not {error.encoding.upper()}. "
                f"{REMEDY}"
            ) from None
        except OSError as error:
            raise CorpusError(f"{path} cannot be read ({error.strerror or error}).") from None


def _decoded(line: bytes, encodings: tuple[str, ...]) -> str:
    *others, last = encodings
    for encoding in others:
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line.decode(last)


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
            raise self.wrong(key, f"is {shown(value)}, expected {KINDS[kind]}")
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
                raise self.wrong(f"{key}[{number}]", f"is {shown(value)}, expected a text")
        return values

    def integers(self, key: str) -> list[int]:
        """The whole numbers of the list under `key`; neither 1.0 nor true is one."""
        values = self.get(key, list)
        for number, value in enumerate(values):
            if type(value) is not int:
                raise self.wrong(f"{key}[{number}]", f"is {shown(value)}, expected a whole number")
        return values

    def identifier(self, key: str) -> str:
        """The text or the number under `key`, as a text that is not empty."""
        if isinstance(self.value.get(key), int):
            return str(self.get(key, int))
        name = self.get(key, str)
        if not name.strip():
            raise self.wrong(key, "is empty, expected a name")
        return name

    def some_words(self, key: str, words: Iterable[str]) -> tuple[str, ...]:
        """The words that were read under `key`, of which there must be one at least."""
        found = tuple(words)
        if not found:
            raise self.wrong(key, "has no word")
        return found

    def interval(self, start: str, end: str, limit: int, unit: str) -> Interval:
        """The half-open interval under two keys, which must lie inside [0, limit)."""
        first, last = self.get(start, int), self.get(end, int)
        if not 0 <= first < last <= limit:
            raise self.wrong(end, f"ends [{first}, {last}), outside a document of {limit} {unit}")
        return first, last

    def _at(self, place: str, value: Any) -> "Record":
        if not isinstance(value, dict):
            raise self.wrong(place, f"is {shown(value)}, expected an object")
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
    with named_json(path, line):
        value = json.loads(text)
    if not isinstance(value, dict):
        raise CorpusError(f"{path}:{line}: expected a JSON object, got {text[:60]!r}. {REMEDY}")
    return checked_record(value, path, line, text)


@contextmanager
def named_json(path: Path, line: int, first: int | None = None) -> Iterator[None]:
    """Turns what the decoder says of an object on `line` into an error with its place.

    ``first`` is the line that the decoder counts from, by default the same.
    """
    try:
        yield
    except json.JSONDecodeError as error:
        place = f"{path}:{(first or line) + error.lineno - 1}"
        raise CorpusError(
            f"{place}: not JSON at column {error.colno}: {error.msg}. {REMEDY}"
        ) from None
    except RecursionError:
        raise CorpusError(f"{path}:{line}: JSON nested too deep to be read. {REMEDY}") from None
    except ValueError:  # the decoder refuses integers of more than 4,300 digits
        raise CorpusError(f"{path}:{line}: a number with too many digits. {REMEDY}") from None


def checked_record(value: dict[str, Any], path: Path, line: int, text: str) -> Record:
    """The record of a decoded text, all of whose strings can be written as UTF-8."""
    record = Record(value, path, line)
    if ESCAPED_SURROGATE.search(text) and (field := _half_character(value)):
        raise record.wrong(field, "holds half of a surrogate pair, which is no character")
    return record


def _half_character(value: Any) -> str:
    """The place of a text that UTF-8 cannot hold; empty where there is none."""
    waiting = [("", value)]
    while waiting:
        place, one = waiting.pop()
        if isinstance(one, str) and HALF_CHARACTER.search(one):
            return place
        if isinstance(one, dict):
            if any(HALF_CHARACTER.search(key) for key in one):
                return f"{place}.(a key)".lstrip(".")
            waiting += [(f"{place}.{key}".lstrip("."), child) for key, child in one.items()]
        elif isinstance(one, list):
            waiting += [(f"{place}[{number}]", child) for number, child in enumerate(one)]
    return ""


def shown(value: Any) -> str:
    """A decoded value in a message: a long one cut, a list or object by its kind."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    return json.dumps(value)[:60]
