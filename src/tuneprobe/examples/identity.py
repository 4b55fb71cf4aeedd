"""Which questions the shards of a corpus hold, so that none stands in two of them.

Shards are read apart, so each part notes what it read: its files, then a line for each question.

    "nq-train-00.jsonl.gz"
    ["5655493461695504401", "train", "f3a1..."]
"""

import json
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

from tuneprobe.corpora.lines import CorpusError
from tuneprobe.corpora.mrc import Shard
from tuneprobe.corpora.overlap import in_both, refuse_same
from tuneprobe.formats.question import Question

NOTES = "questions.jsonl"


def noted(questions: Iterable[Question], shard: Shard, folder: Path) -> Iterator[Question]:
    """The same questions; the identifier, split and fingerprint of each is noted in `folder`."""
    with (folder / NOTES).open("w", encoding="utf-8") as file:
        file.write(json.dumps(shard.name) + "\n")
        for question in questions:
            file.write(json.dumps([question.id, question.split, _fingerprint(question)]) + "\n")
            yield question


def refuse_repeated(parts: Iterable[Path]) -> int:
    """Refuse a corpus that holds a question twice; how many test texts stand in train too.

    Raises
    ------
    CorpusError
        If an identifier comes twice, in one file or in two, or most of the test is in train; the
        message names both files.
    """
    holder: dict[str, str] = {}
    texts: dict[str, list[str]] = {"train": [], "test": []}
    files: dict[str, str] = {}
    for part in parts:
        name, *questions = _notes(part)
        for number, split, fingerprint in questions:
            if number in holder:
                raise CorpusError(
                    f"the question {number} of {name} is in {holder[number]} too: every identifier "
                    "may come once. Remove one of the files, or the question from one."
                )
            holder[number] = files[split] = name
            texts[split].append(fingerprint)
    refuse_same(texts["train"], texts["test"], files.get("train", ""), files.get("test", ""))
    return in_both(texts["train"], texts["test"])


def _notes(part: Path) -> list:
    with (part / NOTES).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _fingerprint(question: Question) -> str:
    """Equal for equal words of question and document."""
    text = json.dumps([question.words, question.document])
    return blake2b(text.encode(), digest_size=12).hexdigest()
