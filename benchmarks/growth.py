"""How time and memory grow with a labelled corpus, from vectors on the disk to the numbers.

Simulated are the vectors: normal around the centroids of labels that are apart or not, written as
`represent` writes them, one file per layer, a block of rows at a time. What is measured is what the
stages call. Prints a markdown row for each path and size:
processor seconds, and MiB by which the process grew at its peak (anonymous memory: files that are
mapped do not count), one thread; and the slope since the size before on log-log axes: 1 is linear,
2 quadratic.

    python benchmarks/growth.py
    python benchmarks/growth.py --only classify --times 4
"""

import time
from collections.abc import Callable
from math import log
from multiprocessing import Pipe, get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from threadpoolctl import threadpool_limits

from tuneprobe.artifacts import write_meta
from tuneprobe.encoders.encoder import thread_limit
from tuneprobe.formats.examples import WHOLE_TEXT, Examples, ExamplesBuilder
from tuneprobe.formats.representations import (
    Representations,
    layer_file,
    open_representations,
)
from tuneprobe.spaces import example_table
from tuneprobe.states import PRETRAINED
from tuneprobe.studies.geometry.classifiers.study import probe_spaces
from tuneprobe.studies.geometry.directprobe.study import cluster_spaces
from tuneprobe.studies.geometry.similarity.study import vector_similarities

ROWS = 2048  # written at once
KEYS: dict[str, Any] = {"encoder": "simulated", "task": "simulated", "seed": 13}
CLASSIFIER: dict[str, Any] = {
    "hidden": [(32, 32)],
    "decays": [1e-4],
    "initialisations": 1,
    "standardise": True,
    "linear": False,
    "controls": "none",
    "codelength": "none",
    "orders": 1,
    "regimen": {"learning_rate": 5e-3, "batch": 64, "max_epochs": 2, "patience": 3, "race": []},
    "device": "cpu",
    "confidence": 0.95,
    "bootstrap": 200,
}
DIRECTPROBE: dict[str, Any] = {
    "loop": "exhaustive",
    "min_cluster_size": 1,
    "max_clusters": 100,
    "nearest": "last",
    "max_nearest": 50,
    "rtol": 1e-3,
    "directprobe_files": False,
}


class Corpus(NamedTuple):
    """Labelled sentences and their vectors."""

    examples: Examples
    states: dict[str, Representations]


def sentences(n: int, labels: int) -> Examples:
    """Whole texts of ten words, nine of ten of them for training."""
    draws, build = np.random.default_rng(13), ExamplesBuilder()
    words = draws.integers(1000, size=(n, 10))
    for number, row in enumerate(words):
        text = build.add_text(f"s{number}", [f"w{word}" for word in row], [])
        span = build.add_span(text, WHOLE_TEXT, 0, 0, "text")
        split = "test" if number % 10 == 9 else "train"
        build.add_example(span, -1, f"label {number % labels:04d}", split)
    return build.build()


def corpus(
    folder: Path, n: int, *, apart: float, layers: int = 1, dim: int = 768, labels: int = 4
) -> Corpus:
    """Sentences whose vectors are normal around the centroid of their label, at a distance."""
    examples = sentences(n, labels)
    centroids = apart * np.random.default_rng(7).standard_normal((labels, dim), dtype=np.float32)
    folder.mkdir()
    for layer in range(layers):
        draws = np.random.default_rng(layer)
        path = folder / layer_file(layer)
        shape = (n, dim)
        store = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
        for first in range(0, n, ROWS):
            rows = np.arange(first, min(first + ROWS, n))
            noise = draws.standard_normal((len(rows), dim), dtype=np.float32)
            store[rows] = noise + centroids[rows % labels]
        store.flush()
        del store
    facts = {
        "last_layer": layers - 1,
        "n_spans": n,
        "dim": dim,
        "spans_sha256": examples.spans_sha256(),
    }
    write_meta(folder, **facts)
    return Corpus(examples, {PRETRAINED: open_representations(folder, examples)})


def classified(found: Corpus, work: Path) -> None:
    """The classifier study of all layers."""
    table, where = example_table(found.examples), {"cache": work / "cache", "workers": 1}
    with probe_spaces(found.states, table, **CLASSIFIER, **KEYS, **where) as (rows, _):
        assert rows


def clustered(found: Corpus, work: Path) -> None:
    """Clusters, hulls and their distances at all layers."""
    table, where = example_table(found.examples), {"cache": work / "cache", "workers": 1}
    with cluster_spaces(found.states, table, **DIRECTPROBE, **KEYS, **where) as (rows, _):
        assert rows


def compared(found: Corpus, _: Path) -> None:
    """Layers with each other, of a sample of the test examples."""
    how: dict[str, Any] = {"layer_states": [PRETRAINED], "max_examples": 500, "neighbours": 10}
    vector_similarities(found.states, example_table(found.examples), pairs=[], **how, **KEYS)


Prepared = Callable[[Path, int], Callable[[], None]]


def through(study: Callable[[Corpus, Path], None], **shape: Any) -> Prepared:
    """A study of a corpus with so many sentences."""

    def prepared(work: Path, n: int) -> Callable[[], None]:
        found = corpus(work / "vectors", n, **{"apart": 1.0, **shape})
        return lambda: study(found, work)

    return prepared


def by_labels(study: Callable[[Corpus, Path], None], n: int, **shape: Any) -> Prepared:
    """A study of n sentences with so many labels."""

    def prepared(work: Path, labels: int) -> Callable[[], None]:
        found = corpus(work / "vectors", n, **{"apart": 1.0, **shape, "labels": labels})
        return lambda: study(found, work)

    return prepared


PATHS: dict[str, tuple[Prepared, tuple[int, ...]]] = {
    "classify, sentences of 768": (through(classified), (2_500, 10_000, 40_000)),
    "classify, labels of 8,000 sentences of 64": (
        by_labels(classified, 8_000, dim=64),
        (250, 1_000, 4_000),
    ),
    "geometry, sentences of 768, labels apart": (through(clustered), (1_000, 4_000, 16_000)),
    "geometry, sentences of 16, labels that overlap": (
        through(clustered, dim=16, apart=0.0, labels=2),
        (250, 500, 1_000),
    ),
    "geometry, labels of 1,000 sentences of 8 that overlap": (
        by_labels(clustered, 1_000, dim=8, apart=0.0),
        (10, 20, 40),
    ),
    "similarity, 13 layers of sentences of 768": (
        through(compared, layers=13),
        (1_000, 2_000, 4_000),
    ),
}


def anonymous() -> float:
    """MiB of this process that are no mapped files."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


def measured(job: Callable[[], None]) -> tuple[float, float]:
    """Processor seconds, and MiB at the peak above what was held before."""
    before, over = anonymous(), Event()
    peak = before

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.01):
            peak = max(peak, anonymous())

    watcher = Thread(target=watch)
    watcher.start()
    start = time.process_time()
    job()
    seconds = time.process_time() - start
    over.set()
    watcher.join()
    return seconds, peak - before


def alone(path: Prepared, size: int) -> tuple[float, float]:
    """`measured` in a process of its own, which holds nothing of what was measured before."""
    ours, theirs = Pipe()

    def work() -> None:
        with TemporaryDirectory() as folder, threadpool_limits(1):
            theirs.send(measured(path(Path(folder), size)))

    process = get_context("fork").Process(target=work)
    process.start()
    found: tuple[float, float] = ours.recv()
    process.join()
    return found


def main(
    times: Annotated[float, typer.Option(help="All sizes times this.")] = 1.0,
    only: Annotated[str, typer.Option(help="Paths whose name has these letters.")] = "",
) -> None:
    """Measure each path at three sizes."""
    thread_limit(1)
    typer.echo("| path | size | s | peak MiB | slope s | slope MiB |")
    typer.echo("|---|---|---|---|---|---|")
    for name, (path, sizes) in PATHS.items():
        if only not in name:
            continue
        last: tuple[int, float, float] | None = None
        for size in (int(size * times) for size in sizes):
            seconds, peak = alone(path, size)
            slopes = ["", ""]
            if last:
                step = log(size / last[0])
                grown = (seconds / last[1], max(peak, 1.0) / max(last[2], 1.0))
                slopes = [f"{log(one) / step:.1f}" for one in grown]
            last = size, seconds, peak
            row = " | ".join((name, f"{size:,}", f"{seconds:.1f}", f"{peak:.0f}", *slopes))
            typer.echo(f"| {row} |")


if __name__ == "__main__":
    typer.run(main)
