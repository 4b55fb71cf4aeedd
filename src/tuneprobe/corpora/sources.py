"""Where the bytes of a corpus come from: a folder, a mirror, the address upstream.

Each source has one method, ``save(file, target)``: it writes the file's bytes to `target` and
raises unless their sha256 is the registered one.
"""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

from tqdm import tqdm

from tuneprobe.corpora.lines import DAMAGED, CorpusError, open_packed, plain_name
from tuneprobe.corpora.registry import CorpusFile

BLOCK = 1 << 20
TIMEOUT = 60  # seconds without a byte
PACKED = ("", ".gz", ".xz")


class Source(Protocol):
    """Something that can write a registered file."""

    def save(self, file: CorpusFile, target: Path) -> None:
        """Write the file's bytes to `target`; raise `CorpusError` unless they are right."""


class Folder:
    """A folder that holds the files anywhere below, by path or by name, packed or not."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise CorpusError(f"--from {folder}: there is no such folder.")
        self.folder = folder
        self._by_name: dict[str, list[Path]] = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self._by_name.setdefault(path.name, []).append(path)

    def called(self, name: str) -> list[Path]:
        """All files of this name, packed or not."""
        return [path for ending in PACKED for path in self._by_name.get(name + ending, [])]

    def save(self, file: CorpusFile, target: Path) -> None:
        """Take the first file of the right name whose bytes are the right ones."""
        name = PurePosixPath(file.path).name
        found = self.called(name) + self.called(PurePosixPath(file.url).name)
        found.sort(key=lambda path: not plain_name(path.as_posix()).endswith(plain_name(file.path)))
        came = []
        otherwise = (
            "Leave out --from to take it from upstream" if file.url else "Give another folder"
        )
        for path in found:
            unpacked = open_packed(path) if plain_name(path.name) == name else path.open("rb")
            with unpacked as stream:
                try:
                    digest = _copy(stream, target, name)
                except DAMAGED:
                    digest = "nothing: the archive is cut short or damaged"
            if digest == file.sha256:
                return
            came.append(f"{path} has {digest}")
        raise CorpusError(
            f"{self.folder} does not hold {file.path} with sha256 {file.sha256}: "
            + ("; ".join(came) or f"no file is called {name}, {name}.gz or {name}.xz")
            + f". {otherwise}."
        )


class Mirror:
    """A web folder (``--from URL``) that holds the files by path or by name, packed or not."""

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")

    def save(self, file: CorpusFile, target: Path) -> None:
        """Take the first address that exists; its bytes must be the right ones."""
        paths = dict.fromkeys([file.path, PurePosixPath(file.path).name])
        addresses = [f"{self.base}/{quote(path)}{ending}" for path in paths for ending in PACKED]
        for address in addresses:
            try:
                return _download(address, file, target)
            except _AbsentError:
                continue
        raise CorpusError(
            f"{self.base} does not hold {file.path}, packed or not (404). Tried {len(addresses)} "
            f"addresses, the first {addresses[0]}."
        )


class Upstream:
    """The addresses of the registry."""

    def save(self, file: CorpusFile, target: Path) -> None:
        """Download the file from its registered address."""
        if not file.url:
            raise CorpusError(
                f"{file.path} has no address upstream ({file.only_from}). Get a copy and use "
                "'--from DIR'."
            )
        try:
            _download(file.url, file, target)
        except _AbsentError:
            raise CorpusError(
                f"{file.url} is not there any more (404). Get a copy of {file.path} and use "
                "'--from DIR'."
            ) from None


class _AbsentError(Exception):
    """The address answers 404."""


def _download(address: str, file: CorpusFile, target: Path) -> None:
    try:
        with urlopen(address, timeout=TIMEOUT) as response:
            size = int(response.headers.get("Content-Length") or 0)
            digest = _copy(response, target, PurePosixPath(file.path).name, size)
            packed = address.endswith((".gz", ".xz")) and not file.path.endswith((".gz", ".xz"))
            if packed:
                digest = _unpack(target, address)
    except HTTPError as error:
        if error.code == http.client.NOT_FOUND:
            raise _AbsentError from None
        raise _unreachable(address, f"the server answers {error.code}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _unreachable(address, str(error)) from None
    if digest != file.sha256:
        raise CorpusError(
            f"{address} has sha256 {digest}, expected {file.sha256}: upstream has changed, or the "
            "transfer was disturbed. Try again, or use '--from DIR' with the registered version."
        )


def _unreachable(address: str, reason: str) -> CorpusError:
    return CorpusError(
        f"{address} could not be downloaded: {reason}. Check the network, or get a copy and use "
        "'--from DIR'."
    )


def _unpack(target: Path, address: str) -> str:
    """Replace a packed file by its content; return the content's sha256."""
    with _renamed(target, PurePosixPath(address).suffix) as packed, open_packed(packed) as stream:
        try:
            return _copy(stream, target, target.name)
        except DAMAGED as error:
            raise ValueError(f"the archive is cut short or damaged ({error})") from None


@contextmanager
def _renamed(path: Path, ending: str) -> Iterator[Path]:
    other = path.rename(path.with_name(path.name + ending))
    try:
        yield other
    finally:
        other.unlink()


def _copy(stream: BinaryIO, target: Path, name: str, size: int = 0) -> str:
    """Copy a stream to a file in blocks; return its sha256. A long copy shows a bar on stderr."""
    digest = sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    bar = tqdm(
        desc=name,
        total=size or None,
        unit="B",
        unit_scale=True,
        disable=None,
        delay=1,
        leave=False,
    )
    with target.open("wb") as file, bar:
        while block := stream.read(BLOCK):
            digest.update(block)
            file.write(block)
            bar.update(len(block))
    return digest.hexdigest()
