"""What long work keeps until it is whole: finished pieces by the digest of what they depend on.

Units of a study, shards of a corpus, blocks of a sweep and the resume point of a training lie in
folders named by such a digest, each with the digests of its files. Work that was killed goes on
with the pieces that are left. A piece that was cut short, altered or emptied counts as absent: it
is removed and made again.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuneprobe.artifacts import atomic_folder, remove_abandoned
from tuneprobe.digests import is_whole


class Kept:
    """The finished pieces of one work.

    Parameters
    ----------
    folder : Path
        Holds one folder per piece; removed by `remove` once the results are in place.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __contains__(self, key: str) -> bool:
        """Whether a piece is there and whole; what is damaged is removed."""
        path = self.at(key)
        if is_whole(path):
            return True
        _remove(path)
        return False

    def at(self, key: str) -> Path:
        """The folder of a piece."""
        return self.folder / key

    @contextmanager
    def writing(self, key: str) -> Iterator[Path]:
        """Yield an empty folder, which becomes the piece when the block succeeds."""
        with atomic_folder(self.at(key)) as part:
            yield part

    def keep_only(self, key: str) -> None:
        """Remove all other pieces."""
        for path in self.folder.iterdir():
            if path.name != key and not path.name.startswith("."):
                _remove(path)

    def remove(self) -> None:
        """Remove all pieces, and what killed processes left beside them."""
        _remove(self.folder)
        remove_abandoned(self.folder)


def _remove(path: Path) -> None:
    if path.is_file() or path.is_symlink():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)
