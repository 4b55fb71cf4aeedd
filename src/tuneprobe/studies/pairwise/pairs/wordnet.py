"""Synonyms from the WordNet 3.0 database.

A line of ``index.noun`` is a lemma and the addresses of its synsets, here one:

    gravel n 1 2 @ + 1 0 14998563

(lemma, part of speech, number of synsets, number of pointer symbols, the symbols, number of senses,
number of tagged senses, addresses). Lemmas that share an address share a synset, so the four index
files say all that the probes ask; ``data.*`` repeats it with glosses and is not read.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tuneprobe.corpora.lines import read_lines
from tuneprobe.errors import TuneprobeError

PARTS_OF_SPEECH = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}

Senses = dict[str, tuple[int, ...]]
Members = dict[int, frozenset[str]]


class WordNetError(TuneprobeError):
    """A WordNet database that is missing or malformed."""


@dataclass(frozen=True)
class WordNet:
    """The synsets of each lemma and the lemmas of each synset, by part of speech (n, v, a, r).

    Attributes
    ----------
    senses : dict of dict
        part of speech → lemma → addresses of its synsets.
    members : dict of dict
        part of speech → address → lemmas.
    """

    senses: dict[str, Senses]
    members: dict[str, Members]

    @classmethod
    def read(cls, folder: Path) -> "WordNet":
        """Read ``index.noun``, ``index.verb``, ``index.adj`` and ``index.adv`` of a folder.

        Raises
        ------
        WordNetError
            If a file is missing, or a line does not have the fields that it announces.
        """
        senses = {
            pos: _read_index(folder / f"index.{name}", pos) for pos, name in PARTS_OF_SPEECH.items()
        }
        return cls(senses, {pos: _members(of_pos) for pos, of_pos in senses.items()})

    def synonyms(self, lemma: str, pos: str | None = None) -> frozenset[str]:
        """The other lemmas of the synsets of `lemma`: of one part of speech, or of all four."""
        lemma = lemma.lower()
        found: set[str] = set()
        for part in PARTS_OF_SPEECH if pos is None else (pos,):
            members = self.members[part]
            found.update(*(members[synset] for synset in self.senses[part].get(lemma, ())))
        return frozenset(found - {lemma})


def _read_index(path: Path, pos: str) -> Senses:
    if not path.is_file():
        raise WordNetError(
            f"{path} is missing: run 'tuneprobe data fetch wordnet' to get WordNet 3.0."
        )
    senses: Senses = {}
    for number, line in read_lines(path):
        if line.startswith("  "):  # the licence
            continue
        lemma, synsets = _parse(line, pos, f"{path}:{number}")
        if lemma in senses:
            raise WordNetError(
                f"{path}:{number}: the lemma {lemma!r} comes twice: "
                "run 'tuneprobe data fetch wordnet' again."
            )
        senses[lemma] = synsets
    if not senses:
        raise WordNetError(f"{path} has no lemma: run 'tuneprobe data fetch wordnet' again.")
    return senses


def _parse(line: str, pos: str, place: str) -> tuple[str, tuple[int, ...]]:
    """Lemma and synset addresses of one line."""
    fields = line.split()
    try:
        n_synsets, n_pointers = int(fields[2]), int(fields[3])
        synsets = fields[6 + n_pointers :]
        whole = len(synsets) == n_synsets > 0 and all(len(field) == 8 for field in synsets)
        if whole and fields[1] == pos:
            return fields[0], tuple(map(int, synsets))
    except (IndexError, ValueError):
        pass
    raise WordNetError(
        f"{place}: not a line of a WordNet 3.0 index: {line.rstrip()[:60]!r}. Expected "
        f"'lemma {pos} synsets pointers [symbols] senses tagged addresses'. The file may be cut: "
        "run 'tuneprobe data fetch wordnet' again."
    )


def _members(senses: Senses) -> Members:
    members: defaultdict[int, set[str]] = defaultdict(set)
    for lemma, synsets in senses.items():
        for synset in synsets:
            members[synset].add(lemma)
    return {synset: frozenset(lemmas) for synset, lemmas in members.items()}
