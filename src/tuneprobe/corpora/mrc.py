"""The reading-comprehension corpora by name: which files, which reader, which split.

=================  ==========================================  ====================================
corpus             folders under data/                          split
=================  ==========================================  ====================================
world              world/{train,dev}.jsonl                      file name: train, or dev → test
nq-passages        qed/*.jsonlines, nq-oracle/*.jsonl           hash of the title, a quarter is test
natural-questions  natural-questions/*{train,dev}*.jsonl.gz     file name: train, or dev → test
squad              squad/{train,dev}*.json                      file name: train, or dev → test
xquad              xquad/*.json                                 hash of the title, a quarter is test
=================  ==========================================  ====================================
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import chain
from pathlib import Path

from tuneprobe.corpora.lines import CorpusError, one_of_each, plain_name
from tuneprobe.corpora.nq import read_nq
from tuneprobe.corpora.oracle import read_oracle
from tuneprobe.corpora.qed import read_qed
from tuneprobe.corpora.squad import read_squad
from tuneprobe.errors import UnknownNameError
from tuneprobe.formats.question import Question

TEST_SHARE = 4  # one title in four is test
READ = "questions read"
DUPLICATE = "question asked before"

Reader = Callable[[Path], Iterator[Question]]

FORMATS: dict[str, tuple[str, Reader]] = {"nq": (".jsonl", read_nq), "squad": (".json", read_squad)}


@dataclass(frozen=True)
class Shard:
    """Files of a corpus whose questions can be read without the others.

    ``read`` yields their questions with a split, and counts what it leaves out.
    """

    files: tuple[Path, ...]
    read: Callable[[Counter[str]], Iterator[Question]]

    @property
    def name(self) -> str:
        """The names of the files."""
        return ", ".join(file.name for file in self.files)


def mrc_shards(corpus: str, data: Path) -> list[Shard]:
    """The shards of a corpus, in the order in which `read_mrc` reads them.

    Parameters
    ----------
    corpus : str
        ``world``, ``nq-passages``, ``natural-questions``, ``squad`` or ``xquad``.
    data : Path
        The folder that holds one folder per corpus.

    Raises
    ------
    UnknownNameError
        If there is no such corpus.
    CorpusError
        If its folder is missing (the message says how to fetch it), or a name gives no split.
    """
    known = {
        "world": ("nq", "file", ("train.jsonl", "dev.jsonl")),
        "nq-passages": ("nq-passages", "title", ()),
        "natural-questions": ("nq", "file", ()),
        "squad": ("squad", "file", ()),
        "xquad": ("squad", "title", ()),
    }
    if corpus not in known:
        raise UnknownNameError("reading-comprehension corpus", corpus, known)
    form, split, endings = known[corpus]
    return task_shards(form, corpus, data, split=split, endings=endings)


def task_shards(
    form: str, corpus: str, data: Path, *, split: str = "file", endings: tuple[str, ...] = ()
) -> list[Shard]:
    """The shards of any corpus in a format of reading comprehension.

    Parameters
    ----------
    form : str
        ``nq``, ``squad``, or ``nq-passages``: QED and the oracle passages, each in its folder.
    corpus, data
        As for `mrc_shards`.
    split : str
        ``file``: its name says train or dev; ``title``: a quarter of the documents is test.
    endings : tuple of str
        Of the names of the files; none: those of the format.
    """
    if form == "nq-passages":
        return [_passages(data)]
    if form not in FORMATS:
        raise UnknownNameError("format of reading comprehension", form, (*FORMATS, "nq-passages"))
    ending, read = FORMATS[form]
    files = _files(data, corpus, *(endings or (ending,)))
    return _by_title(files, read) if split == "title" else _by_file(files, read)


def read_mrc(corpus: str, data: Path, counts: Counter[str] | None = None) -> Iterator[Question]:
    """Questions of a corpus, one at a time, each with split ``train`` or ``test``.

    Takes and raises what `mrc_shards` does; a malformed file is a `CorpusError` too. ``counts``
    gets the number of questions read, and of those left out, by reason.
    """
    counts = Counter() if counts is None else counts
    shards = mrc_shards(corpus, data)
    return _counted(chain.from_iterable(shard.read(counts) for shard in shards), counts)


def split_of_title(title: str) -> str:
    """``test`` for a quarter of all titles, else ``train``; the same on every machine.

    Spellings that differ only in case, blanks or underscores fall on the same side.
    """
    name = re.sub(r"[\s_]+", " ", title).strip().casefold()
    digest = blake2b(name.encode(errors="surrogatepass"), digest_size=8).digest()
    return "test" if int.from_bytes(digest, "big") % TEST_SHARE == 0 else "train"


def _files(data: Path, corpus: str, *endings: str) -> list[Path]:
    """The files of a corpus with one of the endings (.gz and .xz aside), sorted, none hidden."""
    files = [
        path
        for path in (data / corpus).glob("*")
        if plain_name(path.name).endswith(endings) and not path.name.startswith(".")
    ]
    if not files:
        raise CorpusError(
            f"{data / corpus} has no {endings[0]}: run 'tuneprobe data fetch {corpus}'."
        )
    return list(one_of_each(sorted(files)).values())


def _split_of_file(path: Path) -> str:
    name = path.name.lower()
    if ("train" in name) == ("dev" in name):
        raise CorpusError(
            f"{path}: the split is read from the name: expected 'train' or 'dev' in it."
        )
    return "train" if "train" in name else "test"


def _by_file(files: list[Path], read: Reader) -> list[Shard]:
    """A shard for every file, whose name gives the split."""

    def shard(file: Path, split: str) -> Shard:
        return Shard((file,), lambda _: (replace(q, split=split) for q in read(file)))

    return [shard(file, _split_of_file(file)) for file in files]


def _by_title(files: list[Path], read: Reader) -> list[Shard]:
    """A shard for every file, the split of each question by its title."""

    def shard(file: Path) -> Shard:
        return Shard((file,), lambda _: _split_by_title(read(file)))

    return [shard(file) for file in files]


def _split_by_title(questions: Iterator[Question]) -> Iterator[Question]:
    for question in questions:
        yield replace(question, split=split_of_title(question.title))


def _passages(data: Path) -> Shard:
    """QED, then the oracle passages whose question QED does not ask: one shard, read together."""
    qed, oracle = _files(data, "qed", ".jsonlines"), _files(data, "nq-oracle", ".jsonl")

    def read(counts: Counter[str]) -> Iterator[Question]:
        passages = (question for path in oracle for question in read_oracle(path, counts))
        questions = chain(chain.from_iterable(map(read_qed, qed)), passages)
        return _split_by_title(_asked_once(questions, counts))

    return Shard((*qed, *oracle), read)


def _asked_once(questions: Iterator[Question], counts: Counter[str]) -> Iterator[Question]:
    """Each question the first time that it is asked, whatever its case and tokenisation."""
    asked: set[str] = set()
    for question in questions:
        words = "".join(question.words).casefold()
        if words in asked:
            counts[DUPLICATE] += 1
        else:
            asked.add(words)
            yield question


def _counted(questions: Iterator[Question], counts: Counter[str]) -> Iterator[Question]:
    for question in questions:
        counts[READ] += 1
        yield question
