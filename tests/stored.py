"""What lies in a folder, to compare it with another."""

from pathlib import Path


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of all files, by their paths."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
