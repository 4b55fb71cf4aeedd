"""Tar archives of corpora, packed or not: one error for what can be wrong with them."""

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from shutil import copyfileobj
from typing import IO

from tuneprobe.corpora.lines import DAMAGED, REMEDY, CorpusError, refuse_other_than_file

LARGEST = 1 << 30  # bytes of a member; the largest of any corpus has some 20 MiB


@contextmanager
def open_tar(path: Path) -> Iterator[tarfile.TarFile]:
    """An archive to read.

    Raises
    ------
    CorpusError
        If there is none, or it is cut short or damaged, then or while it is read.
    """
    refuse_other_than_file(path)
    try:
        with tarfile.open(path) as archive:
            yield archive
    except (tarfile.TarError, *DAMAGED) as error:
        raise CorpusError(f"{path} is no whole tar archive ({error}). {REMEDY}") from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read ({error.strerror or error}).") from None


def open_member(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> IO[bytes] | None:
    """The content of a plain file; None for a folder or link.

    Raises
    ------
    CorpusError
        If the member is sparse or claims more than any corpus has: two KiB can claim eight GiB, and
        would fill the memory or the disk.
    """
    if not member.isfile():
        return None
    if member.issparse() or member.size > LARGEST:
        raise CorpusError(
            f"{path}: the member {member.name} claims {member.size} bytes, expected a plain file "
            f"of at most {LARGEST}. {REMEDY}"
        )
    return archive.extractfile(member)


def unpack_tar(path: Path, folder: Path) -> None:
    """Write the plain files of an archive below `folder`."""
    with open_tar(path) as archive:
        for member in archive:
            place = PurePosixPath(member.name)
            if place.is_absolute() or ".." in place.parts:
                raise CorpusError(f"{path}: the member {member.name} lies outside the archive.")
            content = open_member(archive, member, path)
            if content is not None:
                target = folder / place
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    copyfileobj(content, file)
