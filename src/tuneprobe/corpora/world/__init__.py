"""The embedded corpus `world`: questions about a small invented world, in upstream formats.

Everything in it is synthetic. A line of ``train.jsonl`` (simplified Natural Questions)::

    {"example_id": 1000000, "question_text": "when did vik attorney ida halman visit otto kern",
     "document_text": "<H1> Ida Halman </H1> <P> Ida Halman was a lawyer at ...", ...}
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuneprobe.artifacts import atomic_folder
from tuneprobe.corpora.world.documents import Document, document
from tuneprobe.corpora.world.draws import Draws
from tuneprobe.corpora.world.entities import NamePool
from tuneprobe.corpora.world.formats import conllu, lay_out, links, nq_record, short_interval
from tuneprobe.corpora.world.questions import ask_questions

VERSION = 1
QUESTIONS = {"train": 1800, "dev": 600}
PER_DOCUMENT = 2
ANNOTATORS = {"train": 1, "dev": 5}
FIRST_ID = {"train": 1_000_000, "dev": 2_000_000}

README = """world: a synthetic reading-comprehension corpus
================================================

Everything here is synthetic: people, places, works, organisations, events and dates are invented
by a seeded generator, and every sentence comes from a grammar. It says nothing about the world.

Generator: tuneprobe.corpora.world, version {version}, seed {seed}.
Licence: CC0 1.0.

train.jsonl, dev.jsonl    simplified Natural Questions format; {train} and {dev} questions,
                          {per_document} a document; no document or person is in both
links.jsonl               gold pairs by construction, in question words and document tokens
train.conllu, dev.conllu  each sentence once, with gold part of speech, head and relation
"""


def write_world(folder: Path, seed: int = 2020) -> None:
    """Write the corpus to `folder`: the same bytes on every machine for the same seed."""
    names = NamePool(seed)
    with atomic_folder(folder) as part:
        links_lines: list[str] = []
        for split in ("train", "dev"):
            _write_split(part, split, seed, names, links_lines)
        _write(part / "links.jsonl", "".join(links_lines))
        text = README.format(version=VERSION, seed=seed, per_document=PER_DOCUMENT, **QUESTIONS)
        _write(part / "README", text)


def _write_split(
    folder: Path, split: str, seed: int, names: NamePool, links_lines: list[str]
) -> None:
    towns = names.towns(split)
    records: list[str] = []
    trees: dict[str, str] = {}
    for number in range(QUESTIONS[split] // PER_DOCUMENT):
        doc = document(seed, split, number, names, towns)
        for record, link in _document_lines(doc, seed, split, number):
            records.append(_json(record))
            links_lines.append(_json(link))
        for paragraph in doc.paragraphs:
            for sentence in paragraph.sentences:
                text = " ".join(token.form for token in sentence.tokens)
                trees.setdefault(text, conllu(f"{split}-{len(trees) + 1:05d}", sentence.tokens))
    _write(folder / f"{split}.jsonl", "".join(records))
    _write(folder / f"{split}.conllu", "".join(trees.values()))


def _document_lines(
    doc: Document, seed: int, split: str, number: int
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    layout = lay_out(doc)
    for k, asked in enumerate(ask_questions(doc, PER_DOCUMENT)):
        id = FIRST_ID[split] + PER_DOCUMENT * number + k
        draws = Draws(seed, "annotators", split, id)
        record = nq_record(asked, doc, layout, id, draws, ANNOTATORS[split])
        link: dict[str, Any] = {
            "example_id": id,
            "split": split,
            "answer_type": asked.answer_type,
            "links": links(asked, doc, layout),
        }
        if asked.answer_type == "short":
            link["short_answer"] = list(short_interval(asked, layout))
        if asked.sentence >= 0:
            start = layout.sentences[asked.paragraph][asked.sentence]
            length = len(doc.paragraphs[asked.paragraph].sentences[asked.sentence].tokens)
            link["answer_sentence"] = [start, start + length]
        yield record, link


def _json(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=True, sort_keys=False) + "\n"


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode())
