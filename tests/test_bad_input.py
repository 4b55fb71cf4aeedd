"""Bad and odd input: each kind read right, or refused with one error that names its place.

The table has a line for each: the files as they lie below data/, what reads them, and what is
right: the value that comes, or a pattern of the error's message.
"""

import ast
import gzip
import json
import os
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from tuneprobe.corpora.framenet import read_framenet
from tuneprobe.corpora.glue import read_glue
from tuneprobe.corpora.labelled import read_labelled
from tuneprobe.corpora.lines import CorpusError
from tuneprobe.corpora.mrc import mrc_shards, read_mrc
from tuneprobe.corpora.streusle import read_streusle
from tuneprobe.examples.labels import build_labels
from tuneprobe.examples.pieces import ExamplesWriter
from tuneprobe.examples.qa_parts import join_qa, write_qa_part
from tuneprobe.examples.texts import build_texts
from tuneprobe.formats.examples import ExamplesBuilder

FIFO = object()  # a named pipe in place of a file
Files = dict[str, Any]
ZERO_WIDTH, BOM = "\u200b", b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Wrong:
    """The right outcome is an error whose message has this pattern."""

    pattern: str


# Inputs of each format. ----------------------------------------------------------------------

SHORT = {"start_token": 1, "end_token": 2}
LONG = {"start_token": 0, "end_token": 7, "candidate_index": 0}
CANDIDATE = {"start_token": 0, "end_token": 7, "top_level": True}


def nq(text: str = "<P> Ann flew a kite . </P>", **changes: Any) -> dict[str, Any]:
    """A question in the simplified format; `changes` of its fields, ``short`` of its answer."""
    short = changes.pop("short", SHORT)
    n_tokens = len(text.split(" "))
    return {
        "example_id": 7,
        "question_text": "who flew it",
        "document_text": text,
        "document_url": "https://en.example.org/w/index.php?title=Kite",
        "long_answer_candidates": [CANDIDATE | {"end_token": n_tokens}],
        "annotations": [
            {
                "long_answer": LONG | {"end_token": n_tokens},
                "short_answers": [short],
                "yes_no_answer": "NONE",
            }
        ],
    } | changes


def native(flag: Any = None, **changes: Any) -> dict[str, Any]:
    """The same in the original format; `flag` replaces the html_token of the words."""
    tokens = []
    for token in nq()["document_text"].split(" "):
        html = token.startswith("<")
        tokens.append({"token": token, "html_token": html if html or flag is None else flag})
    question = nq() | {"document_title": "Kite", "document_tokens": tokens}
    del question["document_text"], question["document_url"]
    return question | changes


def nq_files(*questions: dict[str, Any], name: str = "train-a.jsonl", raw: str = "") -> Files:
    text = "".join(json.dumps(question) + "\n" for question in questions) + raw
    return {f"natural-questions/{name}": text.encode()}


def squad(answers: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """One question about kites; ``title=None`` leaves the title out."""
    title = changes.pop("title", "Kite")
    qa = {"id": "q1", "question": "Who flew one?", "answers": answers} | changes
    article: dict[str, Any] = {"paragraphs": [{"context": "Kites fly. Ann Lee flew.", "qas": [qa]}]}
    return {"data": [article if title is None else article | {"title": title}]}


def squad_files(value: Any, name: str = "train.json") -> Files:
    return {f"squad/{name}": value if isinstance(value, bytes) else json.dumps(value).encode()}


ANN_LEE = {"text": "Ann Lee", "answer_start": 11}


def tree(*rows: str, name: str = "a1") -> str:
    """A sentence in CoNLL-U: form, tag, head and relation of each word."""
    lines = [f"# sent_id = {name}"] if name else []
    for place, row in enumerate(rows, start=1):
        form, upos, head, deprel = row.split(" ")
        lines.append("\t".join([str(place), form, "_", upos, "_", "_", head, deprel, "_", "_"]))
    return "\n".join(lines) + "\n\n"


FLY = tree("Kites NOUN 2 nsubj", "fly VERB 0 root")
TEST_TREE = tree("It PRON 2 nsubj", "fell VERB 0 root", name="t1")


def trees(train: str | bytes, name: str = "train.conllu", **others: Any) -> Files:
    text = train if isinstance(train, bytes) else train.encode()
    named = {f"ud-x/{other}.conllu": value for other, value in others.items()}
    return {f"ud-x/{name}": text, "ud-x/test.conllu": TEST_TREE.encode(), **named}


def senses(lexcat: str = "P", role: str = "p.Whole", function: str = "p.Gestalt") -> Files:
    """Two prepositions of a training sentence; what is given is of the first."""
    head, dependent = ("ADP\t_\t_\t0\troot\t_\t_\t_", "ADP\t_\t_\t1\tdep\t_\t_\t_")
    rows = [
        f"1\tof\tof\t{head}\t{lexcat}\tof\t{role}\t{function}\t_\t_\t_\tO",
        f"2\tin\tin\t{dependent}\tP\tin\tp.Locus\tp.Locus\t_\t_\t_\tO",
    ]
    test = rows[0].replace("\tof\tof", "\tby\tby").replace(lexcat, "P").replace(role, "p.Whole")
    test = test.replace(function, "p.Gestalt")
    return {
        "streusle-4.2/train.conllulex": ("# sent_id = s1\n" + "\n".join(rows) + "\n\n").encode(),
        "streusle-4.2/test.conllulex": f"# sent_id = s2\n{test}\n\n".encode(),
    }


def sense_json(toknums: Any) -> Files:
    """A sentence in the JSON of STREUSLE whose one unit has these token numbers."""
    unit = {"lexlemma": "of", "lexcat": "P", "ss": "p.Whole", "ss2": "p.Gestalt"}
    sentence = {
        "sent_id": "s1",
        "toks": [{"#": 1, "word": "of"}, {"#": 2, "word": "it"}],
        "swes": {"1": unit | {"toknums": toknums}},
    }
    files = {"streusle-4.2/train.json": json.dumps([sentence]).encode()}
    return files | {"streusle-4.2/test.conllulex": senses()["streusle-4.2/test.conllulex"]}


QQP = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
RTE = "index\tsentence1\tsentence2\tlabel\n"
STSB = "news\tx\t2012test\t0001\t5.000\tA kite.\tThe kite.\n"


def rows(folder: str, train: str, test: str = "", name: str = "train.tsv") -> Files:
    files = {f"{folder}/{name}": train.encode()}
    return files | ({f"{folder}/dev.tsv": test.encode()} if test else {})


def trec(train: bytes, test: bytes = b"NUM:date When ?\n") -> Files:
    return {"trec/train_5500.label": train, "trec/TREC_10.label": test}


FRAME = b"""<frame xmlns="http://framenet.icsi.berkeley.edu" name="Lending">
<FE name="Lender" coreType="Core"/></frame>"""
FULL_TEXT = b"""<fullTextAnnotation xmlns="http://framenet.icsi.berkeley.edu"><sentence ID="7">
<text>Ann lent him a kite .</text><annotationSet frameName="Lending" ID="8">
<layer rank="1" name="Target"><label start="4" end="7" name="Target"/></layer>
<layer rank="1" name="FE"><label start="0" end="2" name="Lender"/></layer>
</annotationSet></sentence></fullTextAnnotation>"""


def release(full_text: Any = FULL_TEXT, **others: Any) -> Files:
    files = {"f/frame/Lending.xml": FRAME, "f/fulltext/a.xml": full_text}
    return files | {f"f/fulltext/{name}.xml": value for name, value in others.items()}


def sparse_tar(name: str, claimed: int) -> bytes:
    """An archive with one member that says it has `claimed` bytes, and has none."""
    header = bytearray(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT))
    header[156:157] = b"S"
    header[386:410] = f"{claimed:011o}\0{0:011o}\0".encode()
    header[483:495] = f"{claimed:011o}\0".encode()
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return bytes(header) + bytes(1024)


# Readers: what comes of the files, as plain values. ------------------------------------------


def shorts(corpus: str, data: Path) -> list[str]:
    """The short answers, in words; every bound is an int."""
    questions = list(read_mrc(corpus, data))
    for question in questions:
        answers = chain.from_iterable(one.shorts for one in question.annotations)
        spans = ((candidate.start, candidate.end) for candidate in question.candidates)
        bounds = chain.from_iterable(chain(answers, spans))
        assert all(type(bound) is int for bound in bounds)
    return [
        " ".join(question.document[start:end])
        for question in questions
        for one in question.annotations
        for start, end in one.shorts
    ]


def documents(corpus: str, data: Path) -> list[str]:
    return [" ".join(question.document) for question in read_mrc(corpus, data)]


def titles(corpus: str, data: Path) -> list[str]:
    return [question.title for question in read_mrc(corpus, data)]


def joined(data: Path) -> int:
    """What `prepare_qa` says of texts in both splits."""
    parts = []
    for number, shard in enumerate(mrc_shards("natural-questions", data)):
        parts.append(data.parent / f"part{number}")
        parts[-1].mkdir()
        write_qa_part(shard, parts[-1])
    join_qa(parts, data.parent / "out")
    return json.loads((data.parent / "out/meta.json").read_text())["n_test_texts_in_train"]


def tags(target: str, data: Path) -> list[str]:
    texts = read_labelled("ud-x", target, data)["train"]
    return [mark.label for text in texts for mark in text.marks]


def labels_left_out(corpus: str, target: str, data: Path) -> tuple[list[str], dict[str, int]]:
    """Words of the train texts, and what was left out, by reason."""
    examples, counts = build_labels(corpus, target, data, train=None, test=None, seed=1)
    train = examples.spans.text[examples.examples.span1[examples.examples.split == "train"]]
    words = chain.from_iterable(examples.texts.words1[number] for number in train.unique())
    without = counts[counts.split == ""]
    return list(words), dict(zip(without.label, without["read"], strict=True))


def texts_left_out(corpus: str, task_format: str, data: Path) -> tuple[int, dict[str, int]]:
    """How many rows were read, and those left out, by reason."""
    counts: Counter[str] = Counter()
    found = list(read_glue(corpus, task_format, data, counts))
    return len(found), {reason: n for reason, n in counts.items() if reason != "rows read"}


def text_words(corpus: str, task_format: str, data: Path) -> list[list[str]]:
    examples, _ = build_texts(corpus, task_format, data, train=None, test=None, seed=1)
    return [list(words) for words in examples.texts.words1]


def text_counts(corpus: str, task_format: str, data: Path) -> dict[str, tuple[int, int]]:
    _, counts = build_texts(corpus, task_format, data, train=None, test=None, seed=1)
    both = counts[counts.split == ""]
    return {row.label: (row.read, row.kept) for row in both.itertuples()}


def json_senses(data: Path) -> list[str]:
    return [sentence.id for sentence in read_streusle(data / "streusle-4.2/train.json")]


def questions_of_trec(data: Path) -> list[str]:
    return [" ".join(text.words) for text in read_labelled("trec", "fine", data)["train"]]


def frames(path: str, data: Path) -> list[str]:
    return [sentence.frame for sentence in read_framenet(data / path)]


NQ_ANSWERS, NQ_TEXTS = partial(shorts, "natural-questions"), partial(documents, "natural-questions")
SQUAD_ANSWERS = partial(shorts, "squad")
UPOS, DEPREL = partial(tags, "upos"), partial(tags, "deprel")
ROLES = partial(labels_left_out, "streusle-4.2", "role")
LABELS = partial(labels_left_out, "ud-x", "upos")
RELATIONS = partial(labels_left_out, "ud-x", "deprel")
RTE_ROWS = partial(texts_left_out, "rte", "rte")
DEEP = "[" * 20_000 + "]" * 20_000
HUGE = "9" * 5_000

# The table. ----------------------------------------------------------------------------------

CASES: dict[str, tuple[Files, Callable[[Path], Any], Any]] = {
    # Natural Questions
    "nq: an answer at token 1 after an HTML token": (nq_files(nq()), NQ_ANSWERS, ["Ann"]),
    "nq: the same in the original format": (nq_files(native()), NQ_ANSWERS, ["Ann"]),
    "nq: two blanks have an empty token between them": (
        nq_files(nq("<P> Ann flew a  kite . </P>", short={"start_token": 5, "end_token": 6})),
        NQ_ANSWERS,
        ["kite"],
    ),
    "nq: an empty token is no word": (
        nq_files(nq("<P> Ann flew a  kite . </P>")),
        NQ_TEXTS,
        ["Ann flew a kite ."],
    ),
    "nq: an answer without a word": (
        nq_files(nq("<P> Ann flew a  kite . </P>", short={"start_token": 4, "end_token": 5})),
        NQ_ANSWERS,
        Wrong(r"train-a\.jsonl:1: annotations\[0\]\.short_answers\[0\]\.end_token .*no word"),
    ),
    "nq: an empty word of the question": (
        nq_files(native(question_tokens=["who", "", "flew"])),
        lambda data: [question.words for question in read_mrc("natural-questions", data)],
        [("who", "flew")],
    ),
    "nq: a question without a word": (
        nq_files(nq(question_text=" ")),
        NQ_TEXTS,
        Wrong(r"train-a\.jsonl:1: question_text has no word"),
    ),
    "nq: a document without a word": (
        nq_files(nq("<P> </P>", annotations=[])),
        NQ_TEXTS,
        Wrong(r"train-a\.jsonl:1: document_text has no word"),
    ),
    "nq: html_token as text": (
        nq_files(native(flag="false")),
        NQ_TEXTS,
        Wrong(r"document_tokens\[1\]\.html_token is \"false\", expected true or false"),
    ),
    "nq: html_token as a number": (
        nq_files(native(flag=0)),
        NQ_TEXTS,
        Wrong(r"document_tokens\[1\]\.html_token is 0, expected true or false"),
    ),
    "nq: a token number with a point": (
        nq_files(nq(short={"start_token": 1.0, "end_token": 2})),
        NQ_ANSWERS,
        Wrong(r"short_answers\[0\]\.start_token is 1\.0, expected a whole number"),
    ),
    "nq: true for a token number": (
        nq_files(nq(short={"start_token": True, "end_token": 2})),
        NQ_ANSWERS,
        Wrong(r"short_answers\[0\]\.start_token is true, expected a whole number"),
    ),
    "nq: half a surrogate pair": (
        nq_files(nq(), nq("<P> Ann flew a k\ud83dte . </P>")),
        NQ_TEXTS,
        Wrong(r"train-a\.jsonl:2: document_text holds half of a surrogate pair"),
    ),
    "nq: a whole surrogate pair": (
        nq_files(nq("<P> Ann flew a \U0001fa81 . </P>")),
        NQ_TEXTS,
        ["Ann flew a \U0001fa81 ."],
    ),
    "nq: nested 20,000 deep": (
        nq_files(nq(), raw=f'{{"example_id": {DEEP}}}\n'),
        NQ_TEXTS,
        Wrong(r"train-a\.jsonl:2: JSON nested too deep"),
    ),
    "nq: an integer of 5,000 digits": (
        nq_files(nq(), raw=f'{{"example_id": {HUGE}}}\n'),
        NQ_TEXTS,
        Wrong(r"train-a\.jsonl:2: a number with too many digits"),
    ),
    "nq: a byte order mark": (
        {"natural-questions/train-a.jsonl": BOM + json.dumps(nq()).encode()},
        NQ_ANSWERS,
        ["Ann"],
    ),
    "nq: blank lines": (nq_files(nq(), raw="\n  \n\n"), NQ_ANSWERS, ["Ann"]),
    "nq: a file in UTF-16": (
        {"natural-questions/train-a.jsonl": json.dumps(nq()).encode("utf-16")},
        NQ_TEXTS,
        Wrong(r"train-a\.jsonl:1: byte 0 of the line is not UTF-8"),
    ),
    "nq: a hidden file": (
        nq_files(nq()) | {"natural-questions/.train-b.jsonl": b"no data"},
        NQ_ANSWERS,
        ["Ann"],
    ),
    "nq: a named pipe": (
        {"natural-questions/train-a.jsonl": FIFO},
        NQ_TEXTS,
        Wrong(r"train-a\.jsonl cannot be read \(it is no plain file\)"),
    ),
    "nq: a file beside its packed copy": (
        nq_files(nq()) | {"natural-questions/train-a.jsonl.gz": gzip.compress(b"")},
        NQ_TEXTS,
        Wrong(r"train-a\.jsonl and train-a\.jsonl\.gz are one file"),
    ),
    "nq: an identifier in two files": (
        nq_files(nq()) | nq_files(nq("<P> Bo fell . </P>"), name="dev-a.jsonl"),
        joined,
        Wrong(r"the question 7 of train-a\.jsonl is in dev-a\.jsonl too"),
    ),
    "nq: an identifier twice in one file": (
        nq_files(nq(), nq("<P> Bo fell . </P>")),
        joined,
        Wrong(r"the question 7 of train-a\.jsonl is in train-a\.jsonl too"),
    ),
    "nq: the test is the train file": (
        nq_files(nq()) | nq_files(nq(example_id=8), name="dev-a.jsonl"),
        joined,
        Wrong(r"1 of the 1 texts of dev-a\.jsonl \(test\) stand in train-a\.jsonl"),
    ),
    "nq: one of two test texts is in train": (
        nq_files(nq())
        | nq_files(nq(example_id=8), nq("<P> Bo fell . </P>", example_id=9), name="dev-a.jsonl"),
        joined,
        1,
    ),
    # SQuAD
    "squad: no title": (
        squad_files(squad([ANN_LEE], title=None)),
        partial(titles, "squad"),
        ["Kites fly. Ann Lee flew."],
    ),
    "squad: an empty answer is none": (
        squad_files(squad([{"text": "", "answer_start": 0}], is_impossible=True)),
        SQUAD_ANSWERS,
        [],
    ),
    "squad: an empty answer beside a real one": (
        squad_files(squad([{"text": "", "answer_start": 99}, ANN_LEE], is_impossible=False)),
        SQUAD_ANSWERS,
        ["Ann Lee"],
    ),
    "squad: an answer of a blank": (
        squad_files(squad([{"text": " ", "answer_start": 10}])),
        SQUAD_ANSWERS,
        Wrong(r"train\.json:1: .*answers\[0\]\.text has no word"),
    ),
    "squad: impossible, yet answered": (
        squad_files(squad([ANN_LEE], is_impossible=True)),
        SQUAD_ANSWERS,
        Wrong(r"train\.json:1: .*qas\[0\]\.is_impossible is true, but there are answers"),
    ),
    "squad: possible, yet not answered": (
        squad_files(squad([], is_impossible=False)),
        SQUAD_ANSWERS,
        Wrong(r"qas\[0\]\.is_impossible is false, but there is no answer"),
    ),
    "squad: a question without a word": (
        squad_files(squad([ANN_LEE], question="")),
        SQUAD_ANSWERS,
        Wrong(r"qas\[0\]\.question has no word"),
    ),
    "squad: half a surrogate pair": (
        squad_files(squad([ANN_LEE], question="Who \udd00?")),
        SQUAD_ANSWERS,
        Wrong(r"train\.json:1: data\[0\]\.paragraphs\[0\]\.qas\[0\]\.question holds half"),
    ),
    "squad: 20,000 brackets without a blank": (
        squad_files(squad([ANN_LEE], question="Who " + "[" * 20_000)),
        lambda data: [len(question.words) for question in read_mrc("squad", data)],
        [2],
    ),
    "squad: a byte order mark": (
        squad_files(BOM + json.dumps(squad([ANN_LEE])).encode()),
        SQUAD_ANSWERS,
        ["Ann Lee"],
    ),
    "squad: nested 20,000 deep": (
        squad_files(f'{{"data": {DEEP}}}'.encode()),
        SQUAD_ANSWERS,
        Wrong(r"train\.json:1: JSON nested too deep"),
    ),
    "squad: a hidden file": (
        squad_files(squad([ANN_LEE])) | squad_files(b"no data", name="._train.json"),
        SQUAD_ANSWERS,
        ["Ann Lee"],
    ),
    # treebanks
    "conllu: a byte order mark": (trees(BOM + FLY.encode()), UPOS, ["NOUN", "VERB"]),
    "conllu: tags need no heads": (
        trees(tree("Kites NOUN _ _", "fly VERB _ _")),
        UPOS,
        ["NOUN", "VERB"],
    ),
    "conllu: relations need heads": (
        trees(tree("Kites NOUN _ _", "fly VERB _ _")),
        DEPREL,
        Wrong(r"train\.conllu:2: DEPREL is '_', expected a label"),
    ),
    "conllu: relations need no tags": (
        trees(tree("Kites _ 2 nsubj", "fly _ 0 root")),
        DEPREL,
        ["nsubj"],
    ),
    "conllu: a word without a visible character": (
        trees(tree(f"{ZERO_WIDTH} X 2 dep", "kites NOUN 0 root", "fly VERB 2 dep")),
        LABELS,
        (["kites", "fly"], {"labels of words without a visible character": 1}),
    ),
    "conllu: a relation of such a word": (
        trees(tree(f"{ZERO_WIDTH} X 2 dep", "kites NOUN 0 root", "fly VERB 2 dep"))
        | {"ud-x/test.conllu": tree("It PRON 2 nsubj", "fell VERB 0 root", name="t").encode()},
        RELATIONS,
        (["kites", "fly"], {"labels of words without a visible character": 1}),
    ),
    "conllu: a sentence longer than encoders": (
        trees(FLY + tree(*["kite NOUN 0 root"] * 201, name="a2")),
        LABELS,
        (["Kites", "fly"], {"labels of sentences of more than 200 words": 201}),
    ),
    "conllu: a head of 5,000 digits": (
        trees(FLY.replace("\t2\t", f"\t{HUGE}\t")),
        DEPREL,
        Wrong(r"train\.conllu:2: HEAD is '9+', expected 0 to 2"),
    ),
    "conllu: a number of 5,000 digits": (
        trees(FLY.replace("\n2\t", f"\n{HUGE}\t")),
        UPOS,
        Wrong(r"train\.conllu:3: ID is '9+', expected 2"),
    ),
    "conllu: a hidden file": (trees(FLY, **{".train": b"no data"}), UPOS, ["NOUN", "VERB"]),
    "conllu: a named pipe": (
        {"ud-x/train.conllu": FIFO, "ud-x/test.conllu": TEST_TREE.encode()},
        UPOS,
        Wrong(r"train\.conllu cannot be read \(it is no plain file\)"),
    ),
    "conllu: a file beside its packed copy": (
        trees(FLY) | {"ud-x/train.conllu.gz": gzip.compress(FLY.encode())},
        UPOS,
        Wrong(r"train\.conllu and train\.conllu\.gz are one file"),
    ),
    "conllu: an identifier in train and test": (
        trees(FLY) | {"ud-x/test.conllu": tree("It PRON 0 root").encode()},
        UPOS,
        Wrong(r"sentence a1 of \S*test\.conllu is in \S*train\.conllu too"),
    ),
    "conllu: an identifier twice": (
        trees(FLY + tree("It PRON 0 root")),
        UPOS,
        Wrong(r"sentence a1 of \S*train\.conllu is in \S*train\.conllu too"),
    ),
    "conllu: the test is the train file": (
        trees(tree("It X 0 root", name=""))
        | {"ud-x/test.conllu": tree("It X 0 root", name="").encode()},
        UPOS,
        Wrong(r"1 of the 1 texts of \S*test\.conllu \(test\) stand in \S*train\.conllu"),
    ),
    "conllu: Latin-1": (
        trees(FLY.replace("Kites", "Zo\u00eb").encode("latin-1")),
        UPOS,
        Wrong(r"train\.conllu:2: byte 4 of the line is not UTF-8"),
    ),
    # STREUSLE
    "streusle: a stopgap category": (
        senses(lexcat="!!@"),
        ROLES,
        (["of", "in"], {"category is a stopgap": 1}),
    ),
    "streusle: an open function": (
        senses(function="??"),
        ROLES,
        (["of", "in"], {"function is not settled": 1}),
    ),
    "streusle: a token number with a point": (
        sense_json([1.0]),
        ROLES,
        Wrong(r"train\.json:1: swes\.1\.toknums\[0\] is 1\.0, expected a whole number"),
    ),
    "streusle: true for a token number": (
        sense_json([True]),
        ROLES,
        Wrong(r"train\.json:1: swes\.1\.toknums\[0\] is true, expected a whole number"),
    ),
    "streusle: half a surrogate pair": (
        {"streusle-4.2/train.json": b'[{"sent_id": "\\ud800", "toks": []}]'},
        json_senses,
        Wrong(r"train\.json:1: sent_id holds half of a surrogate pair"),
    ),
    "streusle: nested 20,000 deep": (
        {"streusle-4.2/train.json": f'[\n{{"toks": {DEEP}}}]'.encode()},
        json_senses,
        Wrong(r"train\.json:2: JSON nested too deep"),
    ),
    # GLUE
    "glue: the empty questions of QQP": (
        rows("qqp", f"{QQP}1\t2\t3\tWho?\t\t0\n2\t3\t4\tWho?\tWhy?\t1\n"),
        partial(texts_left_out, "qqp", "qqp"),
        (1, {"question2 is empty": 1}),
    ),
    "glue: no consensus": (
        rows("mnli", "sentence1\tsentence2\tgold_label\nA.\tB.\t-\nA.\tB.\tneutral\n"),
        partial(texts_left_out, "mnli", "mnli"),
        (1, {"no consensus of the annotators": 1}),
    ),
    "glue: blank lines": (
        rows("rte", f"\n{RTE}\n0\tA.\tB.\tentailment\n  \n\r\n"),
        RTE_ROWS,
        (1, {}),
    ),
    "glue: a byte order mark": (
        rows("rte", f"\ufeff{RTE}0\tA.\tB.\tentailment\n"),
        RTE_ROWS,
        (1, {}),
    ),
    "glue: sts-train.csv": (
        rows("sts-b", STSB, name="sts-train.csv"),
        partial(texts_left_out, "sts-b", "stsb"),
        (1, {}),
    ),
    "glue: a score in other digits": (
        rows("sts-b", STSB.replace("5.000", "0_1"), name="sts-train.csv"),
        partial(texts_left_out, "sts-b", "stsb"),
        Wrong(r"sts-train\.csv:1: score is '0_1', expected a number from 0 to 5"),
    ),
    "glue: a column named twice": (
        rows("rte", "sentence1\tsentence2\tlabel\tlabel\nA.\tB.\tentailment\tnot_entailment\n"),
        RTE_ROWS,
        Wrong(r"train\.tsv:1: the column 'label' is named twice"),
    ),
    "glue: two train files": (
        rows("rte", RTE) | {"rte/train.tsv.gz": gzip.compress(RTE.encode())},
        RTE_ROWS,
        Wrong(r"train\.tsv and train\.tsv\.gz are both the train file"),
    ),
    "glue: a word without a visible character": (
        rows(
            "rte",
            f"{RTE}0\tAnn {ZERO_WIDTH} flew.\tB.\tentailment\n",
            f"{RTE}0\tC.\tD.\tentailment\n",
        ),
        partial(text_words, "rte", "rte"),
        [["Ann", "flew."], ["C."]],
    ),
    "glue: a sentence without a visible character": (
        rows("rte", f"{RTE}0\t{ZERO_WIDTH}\tB.\tentailment\n"),
        RTE_ROWS,
        (0, {"sentence1 is empty": 1}),
    ),
    "glue: a text longer than encoders": (
        rows(
            "rte",
            f"{RTE}0\t{'a ' * 300}\tB.\tentailment\n1\tA.\tB.\tentailment\n",
            f"{RTE}0\tC.\tD.\tentailment\n",
        ),
        partial(text_counts, "rte", "rte"),
        {"more than 300 words": (1, 0)},
    ),
    "glue: the test is the train file": (
        rows("rte", f"{RTE}0\tA.\tB.\tentailment\n", f"{RTE}7\tA.\tB.\tentailment\n"),
        partial(text_words, "rte", "rte"),
        Wrong(r"1 of the 1 texts of dev\.tsv \(test\) stand in train\.tsv"),
    ),
    "glue: one of two test texts is in train": (
        rows(
            "rte",
            f"{RTE}0\tA.\tB.\tentailment\n",
            f"{RTE}0\tA.\tB.\tentailment\n1\tC.\tD.\tentailment\n",
        ),
        partial(text_counts, "rte", "rte"),
        {"test texts that train has too": (1, 1)},
    ),
    "glue: Latin-1": (
        {"rte/train.tsv": f"{RTE}0\tZo\u00eb.\tB.\tentailment\n".encode("latin-1")},
        RTE_ROWS,
        Wrong(r"train\.tsv:2: byte 4 of the line is not UTF-8"),
    ),
    # TREC
    "trec: Latin-1, as upstream": (
        trec("HUM:ind Who is Zo\u00eb ?\n".encode("latin-1")),
        questions_of_trec,
        ["Who is Zo\u00eb ?"],
    ),
    "trec: UTF-8": (
        trec("HUM:ind Who is Zo\u00eb ?\n".encode()),
        questions_of_trec,
        ["Who is Zo\u00eb ?"],
    ),
    "trec: a byte order mark": (
        trec(BOM + b"HUM:ind Who ?\n"),
        questions_of_trec,
        ["Who ?"],
    ),
    "trec: blank lines": (trec(b"\nHUM:ind Who ?\n\n"), questions_of_trec, ["Who ?"]),
    # FrameNet
    "framenet: a byte order mark": (release(BOM + FULL_TEXT), partial(frames, "f"), ["Lending"]),
    "framenet: a hidden file": (
        release(**{"._a": b"no data"}),
        partial(frames, "f"),
        ["Lending"],
    ),
    "framenet: a named pipe": (
        release(b=FIFO),
        partial(frames, "f"),
        Wrong(r"b\.xml cannot be read \(it is no plain file\)"),
    ),
    "framenet: an offset of 5,000 digits": (
        release(FULL_TEXT.replace(b'start="4"', f'start="{HUGE}"'.encode())),
        partial(frames, "f"),
        Wrong(r"start='9+' is no character offset"),
    ),
    "framenet: two KiB that claim eight GiB": (
        {"f.tar": sparse_tar("f/fulltext/a.xml", (8 << 30) - 1)},
        partial(frames, "f.tar"),
        Wrong(r"f\.tar: the member f/fulltext/a\.xml claims 8589934591 bytes"),
    ),
    "framenet: a named pipe for an archive": (
        {"f.tar": FIFO},
        partial(frames, "f.tar"),
        Wrong(r"f\.tar cannot be read \(it is no plain file\)"),
    ),
}


def plant(data: Path, files: Files) -> None:
    for name, content in files.items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        if content is FIFO:
            os.mkfifo(data / name)
        else:
            (data / name).write_bytes(content)


@pytest.mark.parametrize("case", CASES)
def test_odd_input_is_read_right_or_refused_with_its_place(tmp_path, case):
    files, read, expected = CASES[case]
    plant(tmp_path / "data", files)
    if isinstance(expected, Wrong):
        with pytest.raises(CorpusError, match=expected.pattern) as refused:
            read(tmp_path / "data")
        assert "\n" not in str(refused.value)
        str(refused.value).encode()
    else:
        assert read(tmp_path / "data") == expected


def test_a_writer_does_not_write_while_an_error_is_on_its_way(tmp_path):
    builder = ExamplesBuilder()
    builder.add_text("a", ["word"])

    def write() -> None:
        with ExamplesWriter(tmp_path) as writer:
            writer.add(builder.build())
            raise CorpusError("the first error")

    with pytest.raises(CorpusError, match="the first error"):
        write()
    assert not list(tmp_path.iterdir())


def text_files_without_encoding(code: str) -> Iterator[str]:
    """Calls that open a text file in the encoding of the machine."""
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        module = getattr(getattr(node.func, "value", None), "id", "")
        constants = [
            a.value
            for a in (*node.args, *(k.value for k in node.keywords))
            if isinstance(a, ast.Constant)
        ]
        binary = any(isinstance(value, str) and "b" in value for value in constants)
        named = any(keyword.arg == "encoding" for keyword in node.keywords)
        if name in ("read_text", "write_text") and not named:
            yield f"{node.lineno}: {ast.unparse(node)}"
        if name == "open" and not named and not binary and module not in ("tarfile", "os"):
            yield f"{node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("folder", ["stages", "src/tuneprobe"])
def test_every_text_file_names_its_encoding(root, folder):
    files = sorted((root / folder).rglob("*.py"))
    found = {
        str(file): list(text_files_without_encoding(file.read_text("utf-8"))) for file in files
    }
    assert files
    assert {name: calls for name, calls in found.items() if calls} == {}


@pytest.mark.parametrize("call", ["p.read_text()", "p.write_text(x)", "p.open()", "open(p, 'w')"])
def test_a_call_without_encoding_is_found(call):
    assert list(text_files_without_encoding(call))


LOCALES = {
    "utf-8": {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"},
    "ascii": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


def test_a_stage_writes_the_same_bytes_in_a_locale_that_is_not_utf_8(root, tmp_path):
    written = {}
    for name, locale in LOCALES.items():
        folder = tmp_path / name
        plant(
            folder,
            {
                "params.yaml": (root / "params.yaml").read_bytes(),
                "data/ud-pud/train.conllu": FLY.replace("Kites", "Zo\u00eb").encode(),
                "data/ud-pud/test.conllu": TEST_TREE.replace("It", "\u65e5\u672c").encode(),
            },
        )
        subprocess.run(
            [sys.executable, str(root / "stages/prepare_labels.py"), "--task", "english-pos"],
            cwd=folder,
            env={**os.environ, **locale, "PYTHONPATH": str(root / "src")},
            check=True,
        )
        examples = folder / "examples/english-pos"
        written[name] = {path.name: path.read_bytes() for path in sorted(examples.iterdir())}
    assert written["ascii"] == written["utf-8"]
    assert b"Zo\xc3\xab" in b"".join(written["ascii"].values())
