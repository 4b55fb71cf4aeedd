"""Spoil a good file of every format in every way, and see that no reader loses its head.

A spoilt input is answered right if it is read (every bound a whole number inside its text, every
word writable as UTF-8) or refused with one `TuneprobeError` of one line. A traceback of any other
kind, or five seconds of work without an answer, is wrong.

    PYTHONPATH=src python benchmarks/fuzz_readers.py --seconds 120 --seed 1

prints a line for each format and each kind of damage: tried, read, refused, wrong. Exit code 1 if
anything is wrong; the seed and the number of the input then repeat it (``--only 1234``).
"""

import argparse
import gzip
import io
import json
import random
import signal
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import typer

from tuneprobe.corpora.conllu import read_conllu
from tuneprobe.corpora.framenet import read_framenet
from tuneprobe.corpora.glue import read_tsv
from tuneprobe.corpora.glue_formats import FORMATS
from tuneprobe.corpora.nq import read_nq
from tuneprobe.corpora.oracle import read_oracle
from tuneprobe.corpora.qed import read_qed
from tuneprobe.corpora.squad import read_squad
from tuneprobe.corpora.streusle import read_streusle
from tuneprobe.corpora.tokens import tokenise
from tuneprobe.corpora.trec import read_trec
from tuneprobe.errors import TuneprobeError
from tuneprobe.formats.question import Question

PATIENCE = 5  # seconds of CPU for one input
OUTCOMES = ("read", "refused", "wrong")

# A good file of every format -----------------------------------------------------------------

SPANS = {
    "long_answer_candidates": [{"start_token": 0, "end_token": 7, "top_level": True}],
    "annotations": [
        {
            "long_answer": {"start_token": 0, "end_token": 7, "candidate_index": 0},
            "short_answers": [{"start_token": 1, "end_token": 2}],
            "yes_no_answer": "NONE",
        }
    ],
}
WORDS = ["<P>", "Zoë", "flew", "a", "kite", ".", "</P>"]
SIMPLIFIED = {"example_id": 7, "question_text": "who flew it", "document_text": " ".join(WORDS)}
ORIGINAL = {
    "example_id": 7,
    "document_title": "Kite",
    "question_tokens": ["who", "flew", "it"],
    "document_tokens": [{"token": word, "html_token": word[0] == "<"} for word in WORDS],
}
CONTEXT = "Kites are old . Zoë Lee flew one ."
ANSWER = {"text": "Zoë Lee", "answer_start": 16}
QA = {"id": "q1", "question": "Who flew one?", "is_impossible": False, "answers": [ANSWER]}
SQUAD = {"data": [{"title": "Kite", "paragraphs": [{"context": CONTEXT, "qas": [QA]}]}]}
SPAN = {"start": 16, "end": 23, "string": "Zoë Lee"}
QED = {
    "example_id": 7,
    "title_text": "Kite",
    "question_text": "who flew it",
    "paragraph_text": CONTEXT,
    "sentence_starts": [0, 16],
    "original_nq_answers": [[SPAN]],
    "annotation": {"answer": [{"paragraph_reference": SPAN}]},
}
GOLD = {"title": "Kite", "long_answer": CONTEXT, "short_answers": ["Zoë Lee"]}
ORACLE = {"question": "who flew it", "nq_annotated_gold": GOLD}
TREE = (
    "# sent_id = a\n1\tZoë\t_\tPROPN\t_\t_\t2\tnsubj\t_\t_\n"
    "2\tflew\t_\tVERB\t_\t_\t0\troot\t_\t_\n\n"
    "# sent_id = b\n1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "1\tDo\t_\tAUX\t_\t_\t0\troot\t_\t_\n2\tn't\t_\tPART\t_\t_\t1\tadvmod\t_\t_\n\n"
)
SENSES = (
    "# sent_id = s\n1\tof\tof\tADP\t_\t_\t0\troot\t_\t_\t_\tP\tof\tp.Whole\tp.Gestalt"
    "\t_\t_\t_\tO\n\n"
)
UNIT = {"lexcat": "P", "ss": "p.Whole", "ss2": "p.Gestalt", "toknums": [1]}
SENSES_JSON = [{"sent_id": "s", "toks": [{"#": 1, "word": "of"}], "swes": {"1": UNIT}}]
NAMESPACE = 'xmlns="http://framenet.icsi.berkeley.edu"'
FRAME = f'<frame {NAMESPACE} name="Lending"><FE name="L" coreType="Core"/></frame>'
FULL_TEXT = f"""<doc {NAMESPACE}><sentence ID="7"><text>Zoë lent it .</text>
<annotationSet frameName="Lending" ID="8">
<layer name="Target"><label start="4" end="7" name="Target"/></layer>
<layer name="FE"><label start="0" end="2" name="L"/></layer>
</annotationSet></sentence></doc>"""


def lines(*values: Any) -> bytes:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values).encode()


def tar_of(full_text: bytes) -> bytes:
    """An archive with a frame and one full text."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in (("frame/L.xml", FRAME.encode()), ("fulltext/a.xml", full_text)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def tsv(name: str) -> Callable[[Path], Iterable[Any]]:
    return lambda path: read_tsv(path, FORMATS[name], "train", Counter())


Sample = tuple[str, bytes, Callable[[Path], Iterable[Any]]]
SAMPLES: dict[str, Sample] = {
    "NQ simplified": ("a.jsonl", lines(SIMPLIFIED | SPANS, SIMPLIFIED | SPANS), read_nq),
    "NQ original": ("a.jsonl", lines(ORIGINAL | SPANS), read_nq),
    "NQ packed": ("a.jsonl.gz", lines(SIMPLIFIED | SPANS), read_nq),
    "SQuAD": ("a.json", json.dumps(SQUAD, ensure_ascii=False, indent=1).encode(), read_squad),
    "QED": ("a.jsonl", lines(QED), read_qed),
    "oracle passages": ("a.jsonl", lines(ORACLE), read_oracle),
    "CoNLL-U": ("a.conllu", TREE.encode(), read_conllu),
    "CoNLL-U tags": ("a.conllu", TREE.encode(), lambda path: read_conllu(path, ["upos"])),
    "conllulex": ("a.conllulex", SENSES.encode(), read_streusle),
    "STREUSLE JSON": ("a.json", json.dumps(SENSES_JSON).encode(), read_streusle),
    "TREC": ("a.label", "HUM:ind Who is Zoë ?\nNUM:date When ?\n".encode("latin-1"), read_trec),
    "RTE": (
        "train.tsv",
        "index\tsentence1\tsentence2\tlabel\n0\tZoë.\tB.\tentailment\n".encode(),
        tsv("rte"),
    ),
    "STS-B": ("sts-train.csv", "g\tf\ty\t1\t5.0\tZoë.\tB.\ta\tb\n".encode(), tsv("stsb")),
    "QQP": ("train.tsv", b"1\t2\t3\tWho?\tWhy?\t0\n2\t3\t4\tA?\tB?\t1\n", tsv("qqp")),
    "FrameNet archive": ("f.tar", FULL_TEXT.encode(), read_framenet),
}

# Kinds of damage: each makes new bytes of good ones ------------------------------------------

NASTY = [
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\x00",
    b"\xed\xa0\x80",
    b"\\ud83d",
    b"\r",
    b"\n\n",
    b"\t",
    b"\xe2\x80\x8b",
    b'"',
    b"9" * 5000,
    b"[" * 20_000,
    b'{"a":' * 3000,
    b"<!DOCTYPE x [<!ENTITY a 'b'>]>",
    b"&a;",
    b"<x>" * 20_000,
]
LEAVES = [None, True, False, 0, -1, 1.0, 10**30, "", " ", "\u200b", "x", "\ud83d", "false", [], {}]


def cut_short(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data))]


def bytes_changed(data: bytes, draw: random.Random) -> bytes:
    spoilt = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        spoilt[draw.randrange(len(spoilt))] = draw.randrange(256)
    return bytes(spoilt)


def part_removed(data: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(data))
    return data[:start] + data[start + draw.randint(1, 30) :]


def part_repeated(data: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(data))
    end = start + draw.randint(1, 60)
    return data[:end] + data[start:end] + data[end:]


def nasty_inserted(data: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(data) + 1)
    return data[:place] + draw.choice(NASTY) + data[place:]


def lines_shuffled(data: bytes, draw: random.Random) -> bytes:
    rows = [*data.splitlines(keepends=True), draw.choice([b"\n", b" \n", b"x\n"])]
    draw.shuffle(rows)
    return b"".join(rows)


def cell_replaced(data: bytes, draw: random.Random) -> bytes:
    """Another value in one place: a JSON value, or a cell between tabs, blanks or quotes."""
    try:
        value = json.loads(data.split(b"\n")[0] if data.count(b"\n") < 3 else data)
    except ValueError:
        separator = draw.choice([b"\t", b" ", b'"'])
        cells = data.split(separator)
        cells[draw.randrange(len(cells))] = str(draw.choice(LEAVES)).encode(errors="ignore")
        return separator.join(cells)
    places: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        keys = one if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        places += [(one, key) for key in keys]
        waiting += [one[key] for key in keys]
    holder, key = draw.choice(places)
    if isinstance(holder, dict) and draw.random() < 0.3:
        del holder[key]
    else:
        holder[key] = draw.choice(LEAVES)
    return json.dumps(value).encode() + b"\n"


DAMAGES = (
    cut_short,
    bytes_changed,
    part_removed,
    part_repeated,
    nasty_inserted,
    lines_shuffled,
    cell_replaced,
)

# What is made of it --------------------------------------------------------------------------


def stored(name: str, data: bytes, draw: random.Random) -> bytes:
    """The bytes of the file: packed or archived ones are spoilt inside, or once more outside."""
    if name.endswith(".gz"):
        packed = gzip.compress(data, mtime=0)
    elif name.endswith(".tar"):
        packed = tar_of(data)
    else:
        return data
    return packed if draw.random() < 0.5 else draw.choice(DAMAGES[:5])(packed, draw)


def outcome(read: Callable[[Path], Iterable[Any]], path: Path) -> tuple[str, str]:
    """``read``, ``refused`` or ``wrong``, and why."""
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
    try:
        for item in read(path):
            check(item)
    except TuneprobeError as error:
        message = str(error)
        return ("wrong", "message of two lines") if "\n" in message else ("refused", message)
    except Exception as error:
        return "wrong", f"{type(error).__name__}: {error}"[:300]
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return "read", ""


def check(item: Any) -> None:
    """An item that was read can be written, and its spans lie in its text."""
    repr(item).encode()
    json.dumps(item, default=vars, ensure_ascii=False).encode()
    if isinstance(item, Question):
        spans = [(one.start, one.end) for one in item.candidates]
        spans += [short for one in item.annotations for short in one.shorts]
        for start, end in spans:
            if type(start) is not int or type(end) is not int:
                raise TypeError(f"the bounds {start!r}, {end!r} are no whole numbers")
            if not 0 <= start <= end <= len(item.document):
                raise IndexError(f"[{start}, {end}) lies outside {len(item.document)} words")
        if not all(word.strip() for word in (*item.words, *item.document)):
            raise ValueError("an empty word")


def spoil(seed: int, number: int) -> tuple[str, str, str, bytes]:
    """Format, kind of damage, file name and bytes of one input."""
    draw = random.Random(f"{seed}/{number}")
    sample, damage = draw.choice(list(SAMPLES)), draw.choice(DAMAGES)
    name, data, _ = SAMPLES[sample]
    return sample, damage.__name__, name, stored(name, damage(data, draw), draw)


def too_slow(*_: object) -> None:
    raise TimeoutError(f"no answer in {PATIENCE} seconds")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="the number of one input")
    options = parser.parse_args()
    tokenise("Loads the rules.")
    signal.signal(signal.SIGVTALRM, too_slow)
    counts: Counter[tuple[str, str]] = Counter()
    end, number = time.monotonic() + options.seconds, options.only or 0
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < end:
            sample, damage, name, data = spoil(options.seed, number)
            path = Path(folder) / name
            path.write_bytes(data)
            answer, why = outcome(SAMPLES[sample][2], path)
            for row in (sample, damage, "all"):
                counts[row, answer] += 1
            if answer == "wrong" or options.only is not None:
                typer.echo(f"input {number} ({sample}, {damage}): {answer}: {why}", err=True)
            if options.only is not None:
                return int(answer == "wrong")
            number += 1
    report(counts)
    return int(counts["all", "wrong"] > 0)


def report(counts: Counter[tuple[str, str]]) -> None:
    """A line for each format and each kind of damage, as a table in Markdown."""
    typer.echo("| input | tried | read | refused | wrong |\n|---|---|---|---|---|")
    for row in (*SAMPLES, *(damage.__name__ for damage in DAMAGES), "all"):
        of_row = [counts[row, answer] for answer in OUTCOMES]
        typer.echo(f"| {row.replace('_', ' ')} | {sum(of_row)} | {' | '.join(map(str, of_row))} |")


if __name__ == "__main__":
    sys.exit(main())
