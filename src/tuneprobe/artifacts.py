"""Artifacts on disk: whole or absent, described by meta.json, compared with digests when read.

What is written lies under a temporary name until it is whole and safe on the disk.
"""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import isnan
from pathlib import Path
from socket import gethostname
from tempfile import mkdtemp
from typing import Any

import psutil
from rich.filesize import decimal

from tuneprobe.digests import fault, listed_names, read_sums, write_sums
from tuneprobe.errors import TuneprobeError, first_line
from tuneprobe.remedy import remedy

META = "meta.json"
FULL = (errno.ENOSPC, errno.EDQUOT)


class ArtifactError(TuneprobeError):
    """An artifact that is missing, incomplete or does not belong to the others."""


class MissingFactError(ArtifactError, KeyError):
    """A JSON file that lacks a key."""

    def __str__(self) -> str:
        return Exception.__str__(self)  # that of KeyError puts the sentence in quotes


class DiskFullError(TuneprobeError):
    """A disk that has no room for an artifact."""


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path of the same name; move it to `path` when the block succeeds."""
    with scratch_folder(path) as scratch:
        part = scratch / path.name
        yield part
        _to_disk(part)
        part.replace(path)
        _to_disk(path.parent)


@contextmanager
def atomic_folder(path: Path, *, sums: bool = True) -> Iterator[Path]:
    """Yield an empty temporary folder; it takes the place of `path` when the block succeeds.

    Parameters
    ----------
    sums : bool
        Also write SHA256SUMS, with which `checked` compares a file that is read.
    """
    with scratch_folder(path) as scratch:
        part = scratch / path.name
        part.mkdir()
        yield part
        if sums:
            write_sums(part)
        _tree_to_disk(part)
        while part.exists():
            _take_place(part, path, scratch)
        _to_disk(path.parent)


@contextmanager
def atomic_files(folder: Path) -> Iterator[Path]:
    """Yield an empty temporary folder, whose files move into `folder` when the block succeeds.

    All of them have their room on the disk before the first one moves. What else lies in `folder`
    stays.
    """
    with scratch_folder(folder / "files") as scratch:
        yield scratch
        _tree_to_disk(scratch)
        for part in sorted(path for path in scratch.rglob("*") if path.is_file()):
            path = folder / part.relative_to(scratch)
            path.parent.mkdir(parents=True, exist_ok=True)
            part.replace(path)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder of this process beside `path`, for what shall become `path`.

    It is removed at the end; those that killed processes left are removed first. Git and DVC
    ignore them, so that no hash sees one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path)
    scratch = scratch_name(path, os.getpid())
    try:
        with room_for(path, path.parent):
            scratch.mkdir()
            yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def scratch_name(path: Path, pid: int) -> Path:
    """Where the process `pid` of this host writes what shall become `path`.

    The ending is that of .gitignore and .dvcignore.
    """
    return path.with_name(f".{path.name}.{gethostname()}.{pid}.part")


def remove_abandoned(path: Path) -> None:
    """Remove what processes that no longer run, or an earlier one of this number, left."""
    for beside in path.parent.glob(".*.part"):
        number = beside.name.split(".")[-2]
        pid = int(number) if number.isdigit() else 0
        gone = pid == os.getpid() or not psutil.pid_exists(pid)
        if gone and beside == scratch_name(path, pid):
            shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def room_for(what: Path | str, folder: Path) -> Iterator[None]:
    """Say what it was that had no room, where the block finds the disk of `folder` full.

    Raises
    ------
    DiskFullError
        In place of what Python, Rust or NumPy say of a full disk or an exhausted quota.
    """
    free = shutil.disk_usage(folder).free
    try:
        yield
    except Exception as error:
        if not (cause := _why_full(error, folder)):
            raise
        raise DiskFullError(
            f"no room for {what}: its disk had {decimal(free)} free, and more is needed ({cause}). "
            "Nothing half-written is left. Make room, and run the same command again."
        ) from error


def reserve(path: Path) -> None:
    """Give a file all its blocks, so that a full disk is an error here.

    Writing to a sparse file through a memory map has no error for it: the process dies of SIGBUS.
    """
    with path.open("rb+") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def checked(path: Path) -> Path:
    """A file of an artifact, once its bytes are those that were written.

    Raises
    ------
    ArtifactError
        If it is missing, or its digest is not the one of the SHA256SUMS beside it. Without such a
        list only a missing file is found.
    """
    if wrong := fault(path):
        raise ArtifactError(f"{path} {wrong}: {remedy(path)}")
    return path


def check_folder(folder: Path) -> None:
    """Check every file of an artifact that has a SHA256SUMS.

    Raises
    ------
    ArtifactError
        If the folder is missing, or for the first file that is not as it was written.
    """
    if not folder.is_dir():
        raise ArtifactError(f"{folder} is missing: {remedy(folder)}")
    sums = read_sums(folder)
    for name in [] if sums is None else sorted({*sums, *listed_names(folder)}):
        checked(folder / name)


@contextmanager
def readable(path: Path) -> Iterator[Path]:
    """Yield a file of an artifact that is `checked`; the block reads it, `naming` it in errors."""
    checked(path)
    with naming(path):
        yield path


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Say which file it is, and what to run, where a library cannot read it in the block.

    Raises
    ------
    ArtifactError
        In place of an error of the block that is none of this package.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, TuneprobeError | MemoryError):
            raise
        said = first_line(error)
        raise ArtifactError(f"{path} cannot be read ({said}): {remedy(path)}") from error


class Facts(dict[str, Any]):
    """What a JSON file says; a key that it lacks is one sentence."""

    path = Path()  # of the file

    def __missing__(self, key: str) -> Any:
        raise MissingFactError(f"{self.path} does not say '{key}': {remedy(self.path)}")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as sorted, indented JSON; the same value gives the same bytes.

    A number that is not defined, NaN, is null.

    Raises
    ------
    ArtifactError
        If a number is infinite, which JSON has no word for.
    """
    how: dict[str, Any] = {"indent": 2, "sort_keys": True, "ensure_ascii": False}
    try:
        text = json.dumps(_with_null(value), allow_nan=False, **how)
    except ValueError as error:
        raise ArtifactError(f"{path} would hold an infinite number: {value}.") from error
    with atomic_file(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Facts:
    """Read a JSON object.

    Raises
    ------
    ArtifactError
        If the file is missing, is not as it was written, or is no JSON object of finite numbers;
        says which command makes it.
    """
    with readable(path):
        value = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
        if not isinstance(value, dict):
            raise ValueError(f"it holds {type(value).__name__}, expected an object")
    facts = Facts(value)
    facts.path = path
    return facts


def write_meta(folder: Path, **facts: Any) -> None:
    """Write the provenance of an artifact: no dates, no hosts, no durations."""
    write_json(folder / META, facts)


def read_meta(folder: Path) -> Facts:
    """Read the provenance of an artifact."""
    return read_json(folder / META)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"it holds {name}, which is no number")


def _tree_to_disk(folder: Path) -> None:
    """Have the system write all files of a folder to the disk."""
    for path in [*folder.rglob("*"), folder]:
        _to_disk(path)


def _to_disk(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk: power may fail."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _with_null(value: Any) -> Any:
    """The same value with None for every NaN."""
    if isinstance(value, dict):
        return {key: _with_null(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_with_null(one) for one in value]
    return None if isinstance(value, float) and isnan(value) else value


def _take_place(part: Path, path: Path, scratch: Path) -> None:
    """Move a folder to `path`, unless another process puts its own there in this moment."""
    with suppress(FileNotFoundError):
        path.replace(mkdtemp(dir=scratch))
    try:
        part.replace(path)
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise


def _why_full(error: Exception, folder: Path) -> str:
    """In the system's words why nothing more can be written; "" if `error` is another one."""
    said = [words for words in map(os.strerror, FULL) if words in str(error)]
    if said:
        return said[0]
    numpy = isinstance(error, OSError) and error.errno is None  # "9 requested and 4 written"
    return os.strerror(FULL[0]) if numpy and shutil.disk_usage(folder).free == 0 else ""
