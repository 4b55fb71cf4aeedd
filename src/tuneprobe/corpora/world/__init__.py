"""The embedded corpus `world`: questions about a small invented world, in upstream formats.

Everything in it is synthetic. A line of ``train.jsonl`` (simplified Natural Questions)::

    {"example_id": 1000000, "question_text": "when did vik attorney ida halman visit otto kern",
     "document_text": "<H1> Ida Halman </H1> <P> Ida Halman was a lawyer at ...", ...}
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tuneprobe.artifacts import atomic_folder
from tuneprobe.corpora.world.conllulex import conllulex
from tuneprobe.corpora.world.documents import Document, document
from tuneprobe.corpora.world.draws import Draws
from tuneprobe.corpora.world.entities import NamePool
from tuneprobe.corpora.world.formats import conllu, lay_out, links, nq_record, short_interval
from tuneprobe.corpora.world.frames import frame_files, full_text
from tuneprobe.corpora.world.inference import pairs, rte_lines
from tuneprobe.corpora.world.prepositions import entity_classes
from tuneprobe.corpora.world.questions import ask_questions
from tuneprobe.corpora.world.typed import trec_lines, typed_questions
from tuneprobe.corpora.world.verdicts import sst2_lines, verdicts

VERSION = 3
SPLITS = ("train", "dev")
QUESTIONS = {"train": 1800, "dev": 600}
PER_DOCUMENT = 2
ANNOTATORS = {"train": 1, "dev": 5}
FIRST_ID = {"train": 1_000_000, "dev": 2_000_000}
TYPED = {"train": 1500, "dev": 300}
PAIRS = {"train": 1200, "dev": 300}
VERDICTS = {"train": 1200, "dev": 300}

README = """world: a synthetic corpus for reading, labelling and classifying
================================================================

Everything here is synthetic: people, places, works, organisations, events and dates are invented
by a seeded generator, and every sentence comes from a grammar. It says nothing about the world.

Generator: tuneprobe.corpora.world, version {version}, seed {seed}.
Licence: CC0 1.0.

train.jsonl, dev.jsonl    simplified Natural Questions format; {train} and {dev} questions,
                          {per_document} a document; no document or person is in both
links.jsonl               gold pairs by construction, in question words and document tokens
train.conllu, dev.conllu  each sentence once, with gold part of speech, head and relation
*.conllulex               the same sentences in STREUSLE's format, with the role (SS) and the
                          function (SS2) of each adposition and possessive
train.label, dev.label    TREC's format; {typed[train]} and {typed[dev]} questions, each with the
                          coarse and fine class of its answer
rte/                      RTE's format; {pairs[train]} and {pairs[dev]} pairs of premise and hypothesis
frames/                   the sentences of dev in FrameNet's format: relations and who is in them
sst2/                     SST-2's format; {verdicts[train]} and {verdicts[dev]} verdicts, good (1) or bad (0)
"""  # noqa: E501 - two lines are longer before they are filled in


def write_world(folder: Path, seed: int = 2020) -> None:
    """Write the corpus to `folder`: the same bytes on every machine for the same seed."""
    names = NamePool(seed)
    with atomic_folder(folder, sums=False) as part:
        links_lines: list[str] = []
        documents = {split: _write_split(part, split, seed, names, links_lines) for split in SPLITS}
        _write(part / "links.jsonl", links_lines)
        asked: set[str] = set()
        for split in SPLITS:
            _write_tasks(part, split, seed, names, documents[split], asked)
        for name, text in frame_files():
            _write(part / "frames" / "frame" / name, [text])
        _write(part / "frames" / "fulltext" / "dev.xml", [full_text(documents["dev"])])
        sizes = {"typed": TYPED, "pairs": PAIRS, "verdicts": VERDICTS}
        text = README.format(
            version=VERSION, seed=seed, per_document=PER_DOCUMENT, **QUESTIONS, **sizes
        )
        _write(part / "README", [text])


def _write_split(
    folder: Path, split: str, seed: int, names: NamePool, links_lines: list[str]
) -> list[Document]:
    """Documents, questions and trees of a split; returns the documents."""
    towns = names.towns(split)
    documents: list[Document] = []
    records: list[str] = []
    trees: dict[str, tuple[str, str]] = {}
    for number in range(QUESTIONS[split] // PER_DOCUMENT):
        doc = document(seed, split, number, names, towns)
        for record, link in _document_lines(doc, seed, split, number):
            records.append(_json(record))
            links_lines.append(_json(link))
        _add_trees(trees, doc, split)
        documents.append(doc)
    _write(folder / f"{split}.jsonl", records)
    _write(folder / f"{split}.conllu", (plain for plain, _ in trees.values()))
    _write(folder / f"{split}.conllulex", (lexical for _, lexical in trees.values()))
    return documents


def _add_trees(trees: dict[str, tuple[str, str]], doc: Document, split: str) -> None:
    """The sentences of a document that are not yet there, in both formats, by their text."""
    classes = entity_classes(doc)
    for paragraph in doc.paragraphs:
        for sentence in paragraph.sentences:
            text = " ".join(token.form for token in sentence.tokens)
            if text not in trees:
                id = f"{split}-{len(trees) + 1:05d}"
                lexical = conllulex(id, sentence.tokens, classes)
                trees[text] = conllu(id, sentence.tokens), lexical


def _write_tasks(
    folder: Path,
    split: str,
    seed: int,
    names: NamePool,
    documents: list[Document],
    asked: set[str],
) -> None:
    """Typed questions, pairs and verdicts; their names come after those of all documents.

    Adds the texts of the typed questions to `asked`, and asks none of those again.
    """
    typed = typed_questions(seed, split, names, names.towns(split), TYPED[split], asked)
    asked.update(text for _, text in typed)
    _write(folder / f"{split}.label", trec_lines(typed))
    found = pairs(seed, split, documents, PAIRS[split])
    _write(folder / "rte" / f"{split}.tsv", rte_lines(found))
    said = verdicts(seed, split, names, VERDICTS[split])
    _write(folder / "sst2" / f"{split}.tsv", sst2_lines(said))


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


def _write(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(lines).encode())
