"""Artifacts on disk: written under a temporary name, renamed when whole, described by meta.json."""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from math import isnan
from pathlib import Path
from socket import gethostname
from tempfile import mkdtemp
from typing import Any

import psutil
from rich.filesize import decimal

from tuneprobe.errors import TuneprobeError

META = "meta.json"
FULL = (errno.ENOSPC, errno.EDQUOT)
COMPUTED_WITH = ("numpy", "pandas", "scikit-learn", "scipy", "torch", "transformers")


class ArtifactError(TuneprobeError):
    """An artifact that is missing, incomplete or does not belong to the others."""


class DiskFullError(TuneprobeError):
    """A disk that has no room for an artifact."""


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path of the same name; move it to `path` when the block succeeds."""
    with scratch_folder(path) as scratch:
        part = scratch / path.name
        yield part
        part.replace(path)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder; it takes the place of `path` when the block succeeds."""
    with scratch_folder(path) as scratch:
        part = scratch / path.name
        part.mkdir()
        yield part
        while part.exists():
            _take_place(part, path, scratch)


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


def write_json(path: Path, value: Any) -> None:
    """Write `value` as sorted, indented JSON; the same value gives the same bytes.

    A number that is not defined, NaN, is null.

    Raises
    ------
    ArtifactError
        If a number is infinite, which JSON has no word for.
    """
    settings: dict[str, Any] = {"indent": 2, "sort_keys": True, "ensure_ascii": False}
    try:
        text = json.dumps(_with_null(value), allow_nan=False, **settings)
    except ValueError as error:
        raise ArtifactError(
            f"a number of {path} is infinite, expected finite ones ({error}); nothing was written."
        ) from error
    with atomic_file(path) as part:
        part.write_text(text + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object, or say which command makes the file."""
    if not path.exists():
        raise ArtifactError(f"{path} is missing: run 'dvc repro' (or 'dvc pull').")
    try:
        value: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise ArtifactError(f"{path} is not JSON ({error}): run 'dvc checkout --force'.") from error
    return value


def write_meta(folder: Path, **facts: Any) -> None:
    """Write the provenance of an artifact: no dates, no hosts, no durations."""
    write_json(folder / META, facts)


def read_meta(folder: Path) -> dict[str, Any]:
    """Read the provenance of an artifact."""
    return read_json(folder / META)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces of 1 MiB."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@cache
def code_sha256() -> str:
    """SHA-256 of the package's sources: what is kept over a kill is kept for this code alone."""
    digest = sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def package_versions() -> dict[str, str]:
    """Versions of the packages that compute."""
    return {name: version(name) for name in COMPUTED_WITH}


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
