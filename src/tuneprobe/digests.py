"""Digests: of the files of an artifact, of the code and of what it computes with.

SHA256SUMS lists the files of an artifact, is written with them and compared when they are read. Its
format is that of `sha256sum`: ``sha256sum --check SHA256SUMS`` in the folder verifies an artifact
without this package. A folder inside that has a list of its own appears as that list.
"""

import hashlib
import platform
import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info

SUMS = "SHA256SUMS"
COMPUTED_WITH = ("numpy", "pandas", "scikit-learn", "scipy", "torch", "transformers")
LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path) -> None:
    """List the files of a folder with their digests, in the order of their names."""
    names = sorted(listed_names(folder))
    lines = [f"{file_sha256(folder / name)}  {name}\n" for name in names]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def read_sums(folder: Path) -> dict[str, str] | None:
    """Digest by name of a folder's files; None without a list. A damaged line lists no file."""
    path = folder / SUMS
    if not path.is_file():
        return None
    lines = path.read_text(errors="replace", encoding="utf-8").splitlines()
    return {found[2]: found[1] for line in lines if (found := LINE.fullmatch(line))}


def listed_names(folder: Path) -> Iterator[str]:
    """Names, from the folder, of the files that its list has."""
    for path in folder.iterdir():
        if path.is_dir() and (path / SUMS).is_file():
            yield f"{path.name}/{SUMS}"
        elif path.is_dir():
            yield from (f"{path.name}/{name}" for name in listed_names(path))
        elif path.name != SUMS:
            yield path.name


def fault(path: Path) -> str:
    """What is wrong with a file of an artifact; "" where nothing is, or there is no list."""
    if not path.is_file():
        return "is missing"
    sums = read_sums(path.parent)
    if sums is None or path.name == SUMS:
        return ""
    if path.name not in sums:
        return f"is not listed in the {SUMS} beside it"
    if file_sha256(path) == sums[path.name]:
        return ""
    return "does not have the bytes that were written" if path.stat().st_size else "is empty"


def is_whole(folder: Path) -> bool:
    """Whether a folder holds the files that its list names, byte for byte, and no others."""
    sums = read_sums(folder) if folder.is_dir() else None
    if sums is None or set(sums) != set(listed_names(folder)):
        return False
    if any(file_sha256(folder / name) != digest for name, digest in sums.items()):
        return False
    inside = (folder / name for name in sums if name.endswith(f"/{SUMS}"))
    return all(is_whole(path.parent) for path in inside)


@cache
def code_sha256() -> str:
    """SHA-256 of the package's sources: what is kept over a kill is kept for this code alone."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def package_versions() -> dict[str, str]:
    """Versions of the packages that compute."""
    return {name: version(name) for name in COMPUTED_WITH}


def computed_on() -> dict[str, Any]:
    """What the last bits of a product depend on: processor, matrix libraries, threads of torch."""
    import torch  # here alone: most of what reads digests computes nothing

    numpy_and_scipy = {
        " ".join(
            str(one[key]) for key in ("internal_api", "version", "architecture") if one.get(key)
        )
        for one in threadpool_info()
        if one["user_api"] == "blas"
    }
    library = "mkl" if torch.backends.mkl.is_available() else "no mkl"
    return {
        "processor": processor(),
        "blas": [
            *sorted(numpy_and_scipy),
            f"torch {library} {torch.backends.cpu.get_cpu_capability()}",
        ],
        "threads": torch.get_num_threads(),
    }


@cache
def processor() -> str:
    """The name of this machine's processor."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()
