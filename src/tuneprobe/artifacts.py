"""Artifacts on disk: written under a temporary name, renamed when whole, described by meta.json."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from tuneprobe.errors import TuneprobeError

META = "meta.json"


class ArtifactError(TuneprobeError):
    """An artifact that is missing, incomplete or does not belong to the others."""


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`; it takes the place of `path` on success.

    What a killed process left under the temporary name is removed first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        yield part
        if path.exists():
            shutil.rmtree(path)
        part.replace(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as sorted, indented JSON; the same value gives the same bytes."""
    with atomic_file(path) as part:
        part.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


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
