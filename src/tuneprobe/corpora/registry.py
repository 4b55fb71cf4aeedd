"""The corpora that can be fetched: registry.yaml, read into frozen records.

qed:
  title: QED, development set
  licence: CC BY-SA 3.0
  redistribution: allowed, with attribution, share-alike
  homepage: https://...
  counts: 1,355 questions
  files:
    - {path: qed-dev.jsonlines, sha256: 2ea3..., url: https://...}
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tuneprobe.errors import UnknownNameError
from tuneprobe.yaml_file import parse_yaml


@dataclass(frozen=True)
class CorpusFile:
    """One file of a corpus.

    Attributes
    ----------
    path : str
        Place under data/<corpus>/.
    sha256 : str
        Of the bytes at that place: unpacked, unless the path ends in .gz or the file is an archive.
    url : str
        Address upstream; empty where none gives these bytes, and then `only_from` says why.
    archive : bool
        True for a tar file whose members are written in its place.
    """

    path: str
    sha256: str
    url: str = ""
    only_from: str = ""
    archive: bool = False


@dataclass(frozen=True)
class Corpus:
    """What is known of a corpus before it is fetched.

    ``obtain`` is ``download``, ``generate`` (written by the project) or ``debian`` (from a
    package). ``parts`` names the corpora that one name stands for.
    """

    name: str
    title: str
    licence: str
    redistribution: str
    homepage: str
    counts: str
    note: str = ""
    obtain: str = "download"
    parts: tuple[str, ...] = ()
    files: tuple[CorpusFile, ...] = ()


@cache
def registry() -> dict[str, Corpus]:
    """All corpora by name, in the order of registry.yaml."""
    content = files(__package__).joinpath("registry.yaml").read_bytes()
    entries = parse_yaml(content, "registry.yaml")
    return {name: _corpus(name, entry) for name, entry in entries.items()}


def get_corpus(name: str) -> Corpus:
    """The corpus called `name`; an unknown name is answered with the nearest one."""
    if name not in registry():
        raise UnknownNameError("corpus", name, registry())
    return registry()[name]


def _corpus(name: str, entry: dict) -> Corpus:
    lists = {
        "files": tuple(CorpusFile(**file) for file in entry.get("files", [])),
        "parts": tuple(entry.get("parts", [])),
    }
    return Corpus(name=name, **{**entry, **lists})
