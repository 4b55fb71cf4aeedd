"""Fetch a corpus into data/<corpus>/: complete and checked, or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from tuneprobe.artifacts import atomic_folder
from tuneprobe.corpora.archives import unpack_tar
from tuneprobe.corpora.lines import CorpusError
from tuneprobe.corpora.registry import Corpus, get_corpus
from tuneprobe.corpora.sources import Folder, Mirror, Source, Upstream
from tuneprobe.corpora.wordnet_files import licence, wordnet_folder
from tuneprobe.corpora.world import write_world

WRITERS = {"world": write_world}  # the corpora that the project generates


def fetch(name: str, data: Path, source: str | None = None, only: str = "*") -> list[Path]:
    """Write the files of a corpus to ``data/<name>/``; return the folders written.

    Parameters
    ----------
    name : str
        A corpus of the registry; ``nq-passages`` stands for its parts.
    data : Path
        The folder that holds one folder per corpus.
    source : str, optional
        A folder or the address of a web folder to take the files from; upstream by default.
    only : str
        Take the files that match this pattern, e.g. ``nq-dev-*``.

    Raises
    ------
    UnknownNameError
        If there is no such corpus.
    CorpusError
        If a file is missing, cannot be reached, or has another sha256. The folder then stays as
        it was.
    """
    corpus = get_corpus(name)
    if corpus.parts:
        return [folder for part in corpus.parts for folder in fetch(part, data, source, only)]
    with no_empty_folder(data), atomic_folder(data / name, sums=False) as part:
        write_corpus(corpus, part, source, only)
    return [data / name]


@contextmanager
def no_empty_folder(data: Path) -> Iterator[None]:
    """Remove `data` again if the block made it and failed.

    ``dvc repro`` would record an empty folder as the data, without a word.
    """
    before = data.exists()
    try:
        yield
    except BaseException:
        if not before and data.is_dir() and not any(data.iterdir()):
            data.rmdir()
        raise


def write_corpus(corpus: Corpus, folder: Path, source: str | None = None, only: str = "*") -> None:
    """Write the files of a corpus, and where they come from, into an empty folder."""
    if corpus.obtain == "generate":
        WRITERS[corpus.name](folder)
        return
    files = [file for file in corpus.files if fnmatch(file.path, only)]
    if not files:
        raise CorpusError(
            f"{corpus.name} has no file like '{only}'; it has {len(corpus.files)} files, e.g. "
            f"{corpus.files[0].path}."
        )
    with _source(corpus, source) as found:
        for file in files:
            target = folder / file.path
            found.save(file, target)
            if file.archive:
                unpack_tar(target, folder)
                target.unlink()
    if corpus.obtain == "debian":
        (folder / "LICENSE").write_text(licence(folder / "data.noun"), encoding="utf-8")
    else:
        (folder / "SOURCE.txt").write_text(source_note(corpus), encoding="utf-8")


def source_note(corpus: Corpus) -> str:
    """Licence and origin of a corpus, as the text that lies beside its files."""
    lines = [
        corpus.title,
        "",
        f"Licence: {corpus.licence}",
        f"Redistribution: {corpus.redistribution}",
        f"Homepage: {corpus.homepage}",
        f"Contents: {corpus.counts}",
        *([corpus.note] if corpus.note else []),
        "",
        *(f"{file.path}\n    {file.url or file.only_from}" for file in corpus.files),
    ]
    return "\n".join(lines) + "\n"


@contextmanager
def _source(corpus: Corpus, source: str | None) -> Iterator[Source]:
    if source is not None and "://" in source:
        yield Mirror(source)
    elif corpus.obtain == "debian":
        with wordnet_folder(Path(source) if source else None) as folder:
            yield folder
    else:
        yield Folder(Path(source)) if source else Upstream()
