"""Ways to damage a file: what a killed process, a full disk, a bad sector or a wrong copy leave."""

from collections.abc import Callable
from pathlib import Path

Damage = Callable[[Path, Path], None]


def truncated(path: Path, _other: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path, _other: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path, _other: Path) -> None:
    """One byte in the middle, altered so that text stays text."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def replaced(path: Path, other: Path) -> None:
    """By a whole file of the same kind with other content."""
    data = other.read_bytes()
    assert data != path.read_bytes()
    path.write_bytes(data)


DAMAGES: list[Damage] = [truncated, emptied, flipped, replaced]
