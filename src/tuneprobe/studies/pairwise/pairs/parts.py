"""What the five probes find in one shard, as files, and the examples drawn from all of them.

A part holds one file for every 4,096 questions, so that memory grows with no shard:

    {"chosen": [["boundary", ["q7", "test", [question], [paragraph]], [4, 5], null, 0], ...],
     "steps": [["boundary", "test", [["question", 600, {}], ["paragraph", 410, {...}], ...]], ...]}
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.language import Language

from tuneprobe.corpora.mrc import Shard
from tuneprobe.examples.annotate import load_spacy
from tuneprobe.examples.identity import noted, refuse_repeated
from tuneprobe.formats.examples import Examples
from tuneprobe.formats.question import Question
from tuneprobe.studies.pairwise.pairs.abbreviation import AbbreviationRule
from tuneprobe.studies.pairwise.pairs.build import draw_pairs, draw_sizes
from tuneprobe.studies.pairwise.pairs.coreference import CoreferenceRule
from tuneprobe.studies.pairwise.pairs.find import Chosen, Found, Rules, find_pairs
from tuneprobe.studies.pairwise.pairs.funnel import Funnel, Step
from tuneprobe.studies.pairwise.pairs.passage import Passage
from tuneprobe.studies.pairwise.pairs.synonyms import SynonymRule
from tuneprobe.studies.pairwise.pairs.wordnet import WordNet

TOGETHER = 4096  # questions

Settings = Mapping[str, Any]


def write_pairs_part(
    shard: Shard,
    folder: Path,
    *,
    wordnet: str,
    max_words: int,
    synonyms: Settings,
    abbreviation: Settings,
    coreference: Settings,
) -> None:
    """Write every example of a shard into a folder.

    Parameters
    ----------
    wordnet : str
        Folder of the WordNet database.
    max_words, synonyms, abbreviation, coreference
        As for `build_pairs`; the rules as their attributes.
    """
    rules = Rules(
        _wordnet(wordnet),
        SynonymRule(**synonyms),
        AbbreviationRule(**abbreviation),
        CoreferenceRule(**coreference),
    )
    for number, questions in enumerate(_lists(noted(shard.read(Counter()), shard, folder))):
        with _spacy().memory_zone():  # else spaCy keeps every word that it ever met
            found = find_pairs(questions, _spacy(), rules, max_words)
        (folder / f"{number:04}.json").write_text(
            json.dumps(_plain(found), ensure_ascii=False), encoding="utf-8"
        )


def join_pairs(
    parts: Sequence[Path], *, seed: int, per_probe: int, boundary_train: int, boundary_test: int
) -> tuple[Examples, Funnel]:
    """What `build_pairs` draws, from the parts of all shards.

    Every file is read twice, one at a time; in memory stays what is drawn.

    Raises
    ------
    CorpusError
        If two shards hold the same question, or most of the test stands in train.
    """
    refuse_repeated(parts)
    files = [file for part in parts for file in sorted(part.glob("*.json"))]
    return draw_pairs(
        [_read(file).steps for file in files],
        (_read(file).chosen for file in files),
        draw_sizes(per_probe, boundary_train, boundary_test),
        seed,
    )


def _lists(questions: Iterator[Question]) -> Iterator[list[Question]]:
    """Lists of `TOGETHER` questions; one empty list where there are none."""
    yield list(islice(questions, TOGETHER))
    while some := list(islice(questions, TOGETHER)):
        yield some


@cache
def _wordnet(folder: str) -> WordNet:
    return WordNet.read(Path(folder))


@cache
def _spacy() -> Language:
    return load_spacy()


def _plain(found: Found) -> dict[str, Any]:
    """What a file says: of a passage, what the examples need."""
    chosen = []
    for probe, passage, *spans in found.chosen:
        text = passage.source, passage.split, passage.question, passage.paragraph
        chosen.append([probe, text, *spans])
    return {"chosen": chosen, "steps": [[*key, steps] for key, steps in found.steps.items()]}


def _read(file: Path) -> Found:
    """What `_plain` made of it."""
    value = json.loads(file.read_text(encoding="utf-8"))
    chosen = []
    for probe, (source, split, question, paragraph), match, anchor, side in value["chosen"]:
        passage = Passage(source, split, tuple(question), tuple(paragraph), None, ())
        chosen.append(Chosen(probe, passage, tuple(match), anchor and tuple(anchor), side))
    steps = {
        (probe, split): [Step(name, kept, Counter(dropped)) for name, kept, dropped in rows]
        for probe, split, rows in value["steps"]
    }
    return Found(chosen, steps)
