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

Names say train, dev or test; files may be packed (.gz, .xz), and hidden ones are not read. Where no
file is called test, the development file is our test; else it is not read.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tuneprobe.corpora.conllu import read_conllu
from tuneprobe.corpora.lines import CorpusError, is_hidden, one_of_each
from tuneprobe.corpora.overlap import refuse_same
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
    read: "Reader"


Reader = Callable[[Path, Counter[str]], Iterator[LabelledText]]  # counts what it leaves out


def _upos(path: Path, _: Counter[str]) -> Iterator[LabelledText]:
    for name, words in read_conllu(path, ["upos"]):
        marks = tuple(Mark(word.upos, (place,)) for place, word in enumerate(words))
        yield LabelledText(name, tuple(word.form for word in words), marks)


def _deprel(path: Path, _: Counter[str]) -> Iterator[LabelledText]:
    """Dependent and head of every relation but root."""
    for name, words in read_conllu(path, ["deprel"]):
        pairs = ((word.deprel, place, word.head - 1) for place, word in enumerate(words))
        marks = tuple(Mark(label, (place, head)) for label, place, head in pairs if head >= 0)
        yield LabelledText(name, tuple(word.form for word in words), marks)


def _role(path: Path, counts: Counter[str]) -> Iterator[LabelledText]:
    for name, words, units in read_streusle(path, counts):
        yield LabelledText(name, words, tuple(Mark(unit.role, (unit.word,)) for unit in units))


def _function(path: Path, counts: Counter[str]) -> Iterator[LabelledText]:
    for name, words, units in read_streusle(path, counts):
        yield LabelledText(name, words, tuple(Mark(unit.function, (unit.word,)) for unit in units))


def _fine(path: Path, _: Counter[str]) -> Iterator[LabelledText]:
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
    corpus: str,
    target: str,
    data: Path,
    counts: Counter[str] | None = None,
    first: int | None = None,
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
    counts : Counter, optional
        Gets the number of labels left out, by reason.
    first : int, optional
        How many sentences of a single file are train, the rest test; of ``*-pud`` 800.

    Raises
    ------
    UnknownNameError
        If there is no such target, or the corpus does not have it.
    CorpusError
        If its folder lacks files (the message says how to get them), a file is malformed or there
        twice, a sentence comes twice, or most of the test stands in train.
    """
    counts = Counter() if counts is None else counts
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
        texts = _texts(everything, read, counts, {})
        return {"train": texts[:first], "test": texts[first:]}
    if "train" not in files or not ("test" in files or "dev" in files):
        raise CorpusError(
            f"{data / corpus} has only {', '.join(path.name for path in everything)}: expected a "
            "train file and a test or dev file. Put the other one there, or take another corpus."
        )
    return _both(files["train"], files.get("test") or files["dev"], read, counts)


def _both(
    train: list[Path], test: list[Path], read: Reader, counts: Counter[str]
) -> dict[str, list[LabelledText]]:
    """The texts of both splits, which may share a few texts but no identifier."""
    seen: dict[str, Path] = {}
    found = {
        "train": _texts(train, read, counts, seen),
        "test": _texts(test, read, counts, seen),
    }
    words = {split: [text.words for text in texts] for split, texts in found.items()}
    refuse_same(words["train"], words["test"], str(train[0]), str(test[0]))
    return found


def _targets_of(corpus: str) -> tuple[str, ...]:
    for name, targets in CORPORA.items():
        if corpus == name or (name.endswith("-") and corpus.startswith(name)):
            return targets
    return tuple(TARGETS)


def _files(folder: Path, patterns: tuple[str, ...]) -> dict[str, list[Path]]:
    """The files by the split in their name, sorted; a split has those of its best pattern alone."""
    visible = (path for path in sorted(folder.rglob("*")) if not is_hidden(path, folder))
    plain = one_of_each(path for path in visible if not path.is_dir())
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


def _texts(
    paths: list[Path], read: Reader, counts: Counter[str], seen: dict[str, Path]
) -> list[LabelledText]:
    """The texts of some files; `seen` gets the file of each.

    Raises
    ------
    CorpusError
        If a text comes twice, in one file or in two.
    """
    texts = []
    for path in paths:
        for text in read(path, counts):
            if text.source in seen:
                raise CorpusError(
                    f"the sentence {text.source} of {path} is in {seen[text.source]} too: "
                    "every identifier may come once. Remove one of them."
                )
            seen[text.source] = path
            texts.append(text)
    return texts
