"""The labelled corpora by name: which files, which labels, which split.

==============  ==================================  ===============  ==============================
corpus          files below data/<corpus>/          targets          split
==============  ==================================  ===============  ==============================
ud-*            *.conllu                            upos, deprel     file name
ud-pud          one *.conllu                        upos, deprel     first 800 sentences, the rest
streusle-*      *.conllulex, or *.json              role, function   file name
trec            *.label                             fine             train_5500, TREC_10
world           *.conllu, *.conllulex, *.label      all of these     file name
==============  ==================================  ===============  ==============================

Names say train, dev or test; files may be packed (.gz, .xz). Where no file is called test, the
development file is our test; else it is not read.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tuneprobe.corpora.conllu import read_conllu
from tuneprobe.corpora.lines import CorpusError, plain_name
from tuneprobe.corpora.streusle import read_streusle
from tuneprobe.corpora.trec import read_trec
from tuneprobe.errors import UnknownNameError

PUD_TRAIN = 800  # sentences; the other 200 are test (Zhou and Srikumar 2022)
SPLIT_IN_NAME = re.compile(r"(?<![a-z])(train|dev|test|trec_10)(?![a-z0-9])", re.IGNORECASE)


class Mark(NamedTuple):
    """A label and the words that it is of: one, two (dependent and head), or () for the text."""

    label: str
    words: tuple[int, ...]


class LabelledText(NamedTuple):
    """A sentence or question with its labels; ``source`` identifies it upstream."""

    source: str
    words: tuple[str, ...]
    marks: tuple[Mark, ...]


class Target(NamedTuple):
    """What is predicted: the names of the files that hold it, best first, and their reader."""

    patterns: tuple[str, ...]
    read: Callable[[Path], Iterator[LabelledText]]


def _upos(path: Path) -> Iterator[LabelledText]:
    for name, words in read_conllu(path):
        marks = tuple(Mark(word.upos, (place,)) for place, word in enumerate(words))
        yield LabelledText(name, tuple(word.form for word in words), marks)


def _deprel(path: Path) -> Iterator[LabelledText]:
    """Dependent and head of every relation but root."""
    for name, words in read_conllu(path):
        pairs = ((word.deprel, place, word.head - 1) for place, word in enumerate(words))
        marks = tuple(Mark(label, (place, head)) for label, place, head in pairs if head >= 0)
        yield LabelledText(name, tuple(word.form for word in words), marks)


def _role(path: Path) -> Iterator[LabelledText]:
    for name, words, units in read_streusle(path):
        yield LabelledText(name, words, tuple(Mark(unit.role, (unit.word,)) for unit in units))


def _function(path: Path) -> Iterator[LabelledText]:
    for name, words, units in read_streusle(path):
        yield LabelledText(name, words, tuple(Mark(unit.function, (unit.word,)) for unit in units))


def _fine(path: Path) -> Iterator[LabelledText]:
    for name, words, label in read_trec(path):
        yield LabelledText(name, words, (Mark(label, ()),))


CONLLU = ("*.conllu",)
STREUSLE = ("*.conllulex", "*.conllulex.RECONSTRUCTED", "*.json")
LABEL = ("*.label",)
TARGETS = {
    "upos": Target(CONLLU, _upos),
    "deprel": Target(CONLLU, _deprel),
    "role": Target(STREUSLE, _role),
    "function": Target(STREUSLE, _function),
    "fine": Target(LABEL, _fine),
}
CORPORA = {  # a name that ends in - stands for all that begin with it
    "ud-": ("upos", "deprel"),
    "streusle-": ("role", "function"),
    "trec": ("fine",),
    "world": tuple(TARGETS),
}


def read_labelled(
    corpus: str, target: str, data: Path, first: int | None = None
) -> dict[str, list[LabelledText]]:
    """The texts of a corpus with the labels of one target, by split (``train``, ``test``).

    Parameters
    ----------
    corpus : str
        A folder: ``ud-pud``, ``streusle-4.2``, ``trec``, ``world``, one of your own, ...
    target : str
        ``upos``, ``deprel``, ``role``, ``function`` or ``fine``.
    data : Path
        The folder that holds one folder per corpus.
    first : int, optional
        How many sentences of a single file are train, the rest test; of ``*-pud`` 800.

    Raises
    ------
    UnknownNameError
        If there is no such target, or the corpus does not have it.
    CorpusError
        If its folder lacks files (the message says how to get them), a file is malformed, or a
        sentence comes twice.
    """
    targets = _targets_of(corpus)
    if target not in targets:
        raise UnknownNameError(f"target of {corpus}", target, targets)
    patterns, read = TARGETS[target]
    files = _files(data / corpus, patterns)
    if not files:
        raise CorpusError(
            f"{data / corpus} has no {patterns[0]} with train, dev or test in its name: run "
            f"'tuneprobe data fetch {corpus}', or put the files there."
        )
    everything = [path for paths in files.values() for path in paths]
    first = PUD_TRAIN if first is None and corpus.endswith("-pud") else first
    if first is not None and "train" not in files:
        texts = _texts(everything, read)
        found = {"train": texts[:first], "test": texts[first:]}
    elif "train" in files and ("test" in files or "dev" in files):
        test = files.get("test") or files["dev"]
        found = {"train": _texts(files["train"], read), "test": _texts(test, read)}
    else:
        raise CorpusError(
            f"{data / corpus} has only {', '.join(path.name for path in everything)}: expected a "
            "train file and a test or dev file. Put the other one there, or take another corpus."
        )
    _check_distinct(found, data / corpus)
    return found


def _targets_of(corpus: str) -> tuple[str, ...]:
    for name, targets in CORPORA.items():
        if corpus == name or (name.endswith("-") and corpus.startswith(name)):
            return targets
    return tuple(TARGETS)


def _files(folder: Path, patterns: tuple[str, ...]) -> dict[str, list[Path]]:
    """The files by the split in their name, sorted; a split has those of its best pattern alone."""
    plain = {plain_name(path.as_posix()): path for path in sorted(folder.rglob("*"))}
    found: dict[str, list[Path]] = {}
    for pattern in patterns:
        by_split: dict[str, list[Path]] = {}
        for name, path in plain.items():
            split = SPLIT_IN_NAME.search(Path(name).name)
            if split and Path(name).match(pattern):
                key = "test" if split[1].lower() == "trec_10" else split[1].lower()
                by_split.setdefault(key, []).append(path)
        found = by_split | found
    return found


def _texts(paths: list[Path], read: Callable[[Path], Iterator[LabelledText]]) -> list[LabelledText]:
    return [text for path in paths for text in read(path)]


def _check_distinct(texts: dict[str, list[LabelledText]], folder: Path) -> None:
    """No sentence may be in train and test, or in two files that hold the same."""
    times = Counter(text.source for split in texts.values() for text in split)
    twice = [source for source, number in times.items() if number > 1]
    if twice:
        raise CorpusError(
            f"{folder} has {len(twice)} sentences twice, the first {twice[0]}: remove one of the "
            "files that hold it."
        )
