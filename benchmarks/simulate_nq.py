"""Write shards in the original format of Natural Questions, filled with made-up documents.

A document is a page of paragraphs, tables and lists with their tags as tokens, log-normal in length
around 7,000 tokens, with byte offsets and HTML as upstream. The share of questions with a long and
with a short answer, and of those answered yes or no, is about that of the training set. Words are
function words, some nouns and verbs, and syllables put together by a Zipf law.

Few documents are all different: questions, answers and identifiers are new, but the pages are drawn
from `--distinct` of them, which are packed once (a gzip file may have many members). They
are parsed anew each time, but no new words come after the first few hundred.

    python benchmarks/simulate_nq.py data/natural-questions --documents 10000 --shards 20
"""

import gzip
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import typer

from tuneprobe.rng import rng

MEDIAN_TOKENS, SPREAD, MOST_TOKENS = 7000, 0.8, 60_000
FUNCTION = "the of and in to a was is for on as by with at from that it an were which".split()
PLAIN = (
    "city river king film movie song war book big large town road year team game star small "
    "little house home car ship boat began started built made found old great family church "
    "island law school army party bank field president company market art music"
).split()
SYLLABLES = "ka ro len mi tor sa vel du pan ge lo ris ta mun be cha ver no".split()
ASKED = ("who", "when", "where", "what", "how many")
LONG, SHORT, YES_NO = 0.49, 0.36, 0.012  # shares of the training questions


@dataclass(frozen=True)
class Page:
    """A document: its part of a line, packed, and where its paragraphs are."""

    packed: bytes
    tokens: list[str]
    paragraphs: list[tuple[int, int, int]]  # number of the candidate, first token, end


def main(
    folder: Path, documents: int = 10_000, shards: int = 20, distinct: int = 300, seed: int = 0
) -> None:
    """Write SHARDS training shards and one development shard with 2 % of the documents."""
    folder.mkdir(parents=True, exist_ok=True)
    stream = rng(seed, "simulated-nq")
    words = vocabulary()
    pages = [page(stream, words) for _ in range(min(distinct, documents))]
    n_dev = max(1, documents // 50)
    bounds = np.linspace(0, documents - n_dev, shards + 1).astype(int)
    for number, (first, last) in enumerate(pairwise(bounds)):
        write_shard(folder / f"nq-train-{number:02}.jsonl.gz", stream, pages, first, last, 1)
    write_shard(folder / "nq-dev-00.jsonl.gz", stream, pages, documents - n_dev, documents, 5)


def vocabulary(size: int = 60_000) -> list[str]:
    """Words by rank: function words, plain words, then made-up ones."""
    made_up = []
    for rank in range(size):
        rest, word = rank + len(SYLLABLES), ""
        while rest:
            rest, syllable = divmod(rest, len(SYLLABLES))
            word += SYLLABLES[syllable]
        made_up.append(word.capitalize() if rank % 3 == 0 else word)
    return FUNCTION + PLAIN + made_up


def page(stream: np.random.Generator, words: list[str]) -> Page:
    """A page of blocks until its length is reached."""
    length = min(MEDIAN_TOKENS * np.exp(SPREAD * stream.standard_normal()), MOST_TOKENS)
    tokens = ["<H1>", words[int(stream.integers(100, 9000))], "</H1>"]
    candidates: list[tuple[int, int, bool]] = []
    paragraphs = []
    while len(tokens) < length:
        kind = stream.random()
        if kind < 0.8:
            block, inner = paragraph(stream, words), []
            paragraphs.append((len(candidates), len(tokens), len(tokens) + len(block)))
        elif kind < 0.9:
            block, inner = rows(stream, words, "<Table>", "<Tr>", "<Td>")
        else:
            block, inner = rows(stream, words, "<Ul>", "<Li>", "")
        start = len(tokens)
        candidates.append((start, start + len(block), True))
        candidates += [(start + first, start + last, False) for first, last in inner]
        tokens += block
    return Page(gzip.compress(body(tokens, candidates), 6), tokens, paragraphs)


def sentence(stream: np.random.Generator, words: list[str], length: int) -> list[str]:
    """Words by Zipf's law, every third one a function word."""
    ranks = np.minimum(len(FUNCTION) + stream.zipf(1.25, size=length), len(words) - 1)
    short = stream.random(length) < 0.35
    ranks[short] = stream.integers(len(FUNCTION), size=int(short.sum()))
    return [words[rank] for rank in ranks] + ["."]


def paragraph(stream: np.random.Generator, words: list[str]) -> list[str]:
    """One to seven sentences between tags."""
    lengths = stream.integers(8, 32, size=stream.integers(1, 8))
    return ["<P>", *(word for n in lengths for word in sentence(stream, words, n)), "</P>"]


def rows(
    stream: np.random.Generator, words: list[str], outer: str, inner: str, cell: str
) -> tuple[list[str], list[tuple[int, int]]]:
    """A table or a list, and where its rows are."""
    tokens, places = [outer], []
    for _ in range(stream.integers(2, 16)):
        row = [inner]
        for _ in range(stream.integers(2, 6) if cell else 1):
            text = sentence(stream, words, int(stream.integers(1, 5 if cell else 16)))[:-1]
            row += [cell, *text, cell.replace("<", "</")] if cell else text
        row.append(inner.replace("<", "</"))
        places.append((len(tokens), len(tokens) + len(row)))
        tokens += row
    return [*tokens, outer.replace("<", "</")], places


def body(tokens: list[str], candidates: list[tuple[int, int, bool]]) -> bytes:
    """The end of a line: the fields that depend on the page alone."""
    html, places, at = [], [], 0
    for number, token in enumerate(tokens):
        tag = token.startswith("<")
        raw = (
            f"{token[:-1].lower()} id=mw{number:x} class=body>"
            if tag and token[1] != "/"
            else token
        )
        if not tag and number % 6 == 0:
            raw = f'<a href="/wiki/{token}" title="{token}">{token}</a>'
        before = raw.index(token) if not tag else 0
        inside = len(token) if not tag else len(raw)
        places.append((at + before, at + before + inside))
        html.append(raw)
        at += len(raw) + 1
    fields = {
        "document_html": " ".join(html),
        "document_tokens": [
            {"token": token, "start_byte": a, "end_byte": b, "html_token": token.startswith("<")}
            for token, (a, b) in zip(tokens, places, strict=True)
        ],
        "long_answer_candidates": [
            {
                "start_token": first,
                "end_token": last,
                "start_byte": places[first][0],
                "end_byte": places[last - 1][1],
                "top_level": top,
            }
            for first, last, top in candidates
        ],
    }
    return json.dumps(fields)[1:].encode() + b"\n"


def write_shard(
    path: Path,
    stream: np.random.Generator,
    pages: list[Page],
    first: int,
    last: int,
    annotators: int,
) -> None:
    """Lines with the numbers first to last - 1, each a question about one of the pages."""
    with path.open("wb") as file:
        for number in range(first, last):
            chosen = pages[int(stream.integers(len(pages)))]
            head = json.dumps(question(stream, chosen, number, annotators))[:-1] + ", "
            file.write(gzip.compress(head.encode(), 6) + chosen.packed)


def question(stream: np.random.Generator, chosen: Page, number: int, annotators: int) -> dict:
    """The beginning of a line: the fields that differ between questions about one page."""
    candidate, first, last = chosen.paragraphs[int(stream.integers(len(chosen.paragraphs)))]
    words = chosen.tokens[first + 1 : last - 1]
    asked = [words[int(i)].lower() for i in stream.integers(len(words), size=6)]
    asked = [*ASKED[int(stream.integers(len(ASKED)))].split(), *asked]
    has_long = stream.random() < LONG
    start = int(stream.integers(first + 1, last - 2))
    kind = stream.random() * LONG
    shorts = [{"start_token": start, "end_token": min(start + 3, last - 1)}]
    answer = {
        "long_answer": {"candidate_index": candidate, "start_token": first, "end_token": last},
        "short_answers": shorts if kind < SHORT else [],
        "yes_no_answer": "YES" if SHORT <= kind < SHORT + YES_NO else "NONE",
    }
    none = {
        "long_answer": {"candidate_index": -1, "start_token": -1, "end_token": -1},
        "short_answers": [],
        "yes_no_answer": "NONE",
    }
    return {
        "example_id": number,
        "document_title": f"{chosen.tokens[1]} {number}",
        "question_text": " ".join(asked),
        "question_tokens": asked,
        "annotations": [answer if has_long else none for _ in range(annotators)],
    }


if __name__ == "__main__":
    typer.run(main)
