"""The WordNet 3.0 database files: found where they are installed, or in a Debian package.

The licence is the head of ``data.noun``:

      1 This software and database is being provided to you, the LICENSEE, by
     14 WordNet 3.0 Copyright 2006 by Princeton University.  All rights reserved.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tuneprobe.corpora.archives import unpack_tar
from tuneprobe.corpora.lines import CorpusError
from tuneprobe.corpora.sources import Folder

INSTALLED = Path("/usr/share/wordnet")
PACKAGE = "wordnet-base"
VERSION = "3.0"
OTHERWISE = "Or copy the WordNet 3.0 database files and use '--from DIR'."
PATIENCE = 300  # seconds for one command of apt


@contextmanager
def wordnet_folder(folder: Path | None = None) -> Iterator[Folder]:
    """The database files of `folder`, of this machine, or of the Debian package; else an error.

    A folder may hold the files themselves or the package (``.deb`` or ``.tar.xz``).

    Raises
    ------
    CorpusError
        If there are none, or they are of another version of WordNet.
    """
    with TemporaryDirectory() as temporary:
        yield _folder(folder, Path(temporary))


def wordnet_version(data_noun: Path) -> str:
    """The version in the head of a ``data.noun``; empty where there is none."""
    head = data_noun.read_bytes()[:4096].decode("utf-8", errors="replace")
    found = re.search(r"WordNet (\d[\d.]*) Copyright", head)
    return found.group(1) if found else ""


def licence(data_noun: Path) -> str:
    """The licence, without the line numbers of the head."""
    with data_noun.open(encoding="utf-8") as file:
        head = [line for line in file if line.startswith("  ")]
    return "".join(re.sub(r"^ +\d+ ?", "", line).rstrip() + "\n" for line in head)


def _folder(folder: Path | None, temporary: Path) -> Folder:
    if folder is not None:
        return _checked(_or_package(Folder(folder), temporary))
    installed = INSTALLED / "data.noun"
    if installed.is_file() and wordnet_version(installed) == VERSION:
        return Folder(INSTALLED)
    _unpack_deb(_download(temporary), temporary)
    return _checked(Folder(temporary))


def _or_package(found: Folder, temporary: Path) -> Folder:
    """The folder, or what a package in it holds."""
    if found.called("data.noun"):
        return found
    for package in sorted(found.folder.rglob(f"{PACKAGE}*")):
        if package.suffix == ".deb":
            _unpack_deb(package, temporary)
        elif package.name.endswith(".tar.xz"):
            unpack_tar(package, temporary)
        else:
            continue
        return Folder(temporary)
    return found


def _checked(found: Folder) -> Folder:
    versions = {wordnet_version(path): path for path in found.called("data.noun")}
    if versions and VERSION not in versions:
        version, path = next(iter(versions.items()))
        raise CorpusError(
            f"{path} is WordNet {version or 'of an unknown version'}, but the synonyms are defined "
            f"by WordNet {VERSION} (Debian package {PACKAGE}). {OTHERWISE}"
        )
    return found


def _download(folder: Path) -> Path:
    """Get the Debian package without installing it; refresh the package lists if that may help."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise CorpusError(f"this machine has no apt-get to get {PACKAGE} with. {OTHERWISE}")
    failure = _run(["apt-get", "download", PACKAGE], folder)
    if failure and os.geteuid() == 0:
        _run(["apt-get", "update"], folder)
        failure = _run(["apt-get", "download", PACKAGE], folder)
    packages = sorted(folder.glob(f"{PACKAGE}*.deb"))
    if failure or not packages:
        raise CorpusError(
            f"'apt-get download {PACKAGE}' failed: {failure}. Run 'apt-get update' as root, or "
            f"'apt-get install {PACKAGE}', and try again. {OTHERWISE}"
        )
    return packages[0]


def _unpack_deb(package: Path, folder: Path) -> None:
    if failure := _run(["dpkg-deb", "-x", str(package.resolve()), str(folder)], folder):
        raise CorpusError(f"{package} could not be unpacked: {failure}. {OTHERWISE}")


def _run(command: list[str], folder: Path) -> str:
    """Run a command in a folder; return its last line of complaint, empty if it succeeds."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    complaints = [line for line in done.stderr.splitlines() if line.strip()]
    return complaints[-1] if complaints else f"exit code {done.returncode}"
