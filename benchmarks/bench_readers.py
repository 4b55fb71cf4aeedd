"""Readers and the world: text per second, against a loop that splits or parses and checks nothing.

The files are those of the world (`tuneprobe data default`), in the original formats. A plain loop
keeps columns or JSON as they come: it finds no mistake and makes no question, span or label, which
is what the ratio pays for. Prints rows of a table: medians of alternating runs.

    python benchmarks/bench_readers.py --runs 5
"""

import csv
import json
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from functools import partial
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

import typer

from tuneprobe.corpora.conllu import read_conllu
from tuneprobe.corpora.glue import read_tsv
from tuneprobe.corpora.glue_formats import get_format
from tuneprobe.corpora.nq import read_nq
from tuneprobe.corpora.streusle import read_streusle
from tuneprobe.corpora.world import write_world

MB = 1e6
Reader = Callable[[], Iterable[Any]]


def main(data: Path = Path("data"), runs: int = 5) -> None:
    """Time every reader on the world's training file of its format, then the world itself."""
    world = data / "world"
    ways: dict[str, tuple[Path, Reader, Reader]] = {
        name: (path, partial(reader, path), partial(plain, path))
        for name, path, reader, plain in (
            ("Natural Questions, jsonl", world / "train.jsonl", read_nq, plain_json),
            ("CoNLL-U", world / "train.conllu", read_conllu, plain_columns),
            ("conllulex", world / "train.conllulex", read_streusle, plain_columns),
            ("GLUE, RTE", world / "rte" / "train.tsv", read_rte, plain_tsv),
        )
    }
    typer.echo("| format | MB | read, MB/s | plain loop, MB/s | ratio |\n|---|---|---|---|---|")
    for name, (path, reader, plain) in ways.items():
        size, times = path.stat().st_size / MB, [[], []]
        for _ in range(runs):
            for way, taken in zip((reader, plain), times, strict=True):
                taken.append(timed(lambda way=way: deque(way(), maxlen=0)))
        ours, others = (size / median(taken) for taken in times)
        typer.echo(f"| {name} | {size:.1f} | {ours:.1f} | {others:.1f} | {ours / others:.2f} |")
    with tempfile.TemporaryDirectory() as folder:
        taken = [timed(partial(write_world, Path(folder) / str(n))) for n in range(runs)]
        files = (path for path in (Path(folder) / "0").rglob("*") if path.is_file())
        size = sum(path.stat().st_size for path in files) / MB
    typer.echo(f"| the world, generated | {size:.1f} | {size / median(taken):.1f} | | |")


def read_rte(path: Path) -> Iterable[Any]:
    """The rows of one split."""
    return read_tsv(path, get_format("rte"), "train", Counter())


def plain_json(path: Path) -> Iterable[Any]:
    """Each line as JSON."""
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def plain_columns(path: Path) -> Iterable[Any]:
    """Blocks of lines, split into columns."""
    with path.open(encoding="utf-8") as file:
        for filled, lines in groupby(file, key=lambda line: line != "\n"):
            if filled:
                yield [line.split("\t") for line in lines if not line.startswith("#")]


def plain_tsv(path: Path) -> Iterable[Any]:
    """Rows of columns."""
    with path.open(encoding="utf-8") as file:
        yield from csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)


def timed(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    typer.run(main)
