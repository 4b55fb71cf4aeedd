"""Pairwise ranking: this package against the plain loop over examples that one would write first.

10,000 examples of 100 paragraph words, one layer of 768 dimensions in a mapped file, cosine and
distance, words and windows of the same length. Both give the same counts. Prints the row of a
table: median seconds of alternating runs, their ratio, the peak memory of each in a process of its
own, and how fast the vectors are read, beside a copy of 256 MiB within memory.

    python benchmarks/bench_pairwise.py --examples 10000 --runs 5
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tuneprobe.studies.pairwise.probe.paragraphs import Pairs
from tuneprobe.studies.pairwise.probe.ranking import Condition, conditions, rank_matches

LENGTH, LONGEST_MATCH = 100, 4
CONDITIONS = conditions(("cosine", "euclidean"), ("words", "length-matched"))
Counts = dict[Condition, np.ndarray]


def synthetic(n: int) -> Pairs:
    """n questions with an anchor and a paragraph of their own; rows in order of the text."""
    rng = np.random.default_rng(13)
    width = rng.integers(1, LONGEST_MATCH + 1, n)
    start = rng.integers(0, LENGTH - LONGEST_MATCH, n)
    first = np.arange(n) * (LENGTH + 1)
    return Pairs(
        first,
        np.arange(n),
        np.stack([start, start + width], axis=1),
        np.zeros((n, 2), dtype=np.int64),
        np.arange(n + 1) * LENGTH,
        (first[:, None] + 1 + np.arange(LENGTH)).ravel(),
    )


def write_layer(path: Path, n: int, dim: int) -> None:
    """Random vectors, written in pieces."""
    rng, rows = np.random.default_rng(7), n * (LENGTH + 1)
    X = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, dim))
    for first in range(0, rows, 10_000):
        part = X[first : first + 10_000]
        part[:] = rng.standard_normal(part.shape, dtype=np.float32)
    X.flush()


def packaged(X: np.ndarray, pairs: Pairs) -> Counts:
    """The function of this package."""
    return {c: found.count for c, found in rank_matches(X, pairs, CONDITIONS).items()}


def plain_loop(X: np.ndarray, pairs: Pairs) -> Counts:
    """Example by example, condition by condition, vectorised over the negatives."""
    counts: Counts = {condition: np.zeros(len(pairs.anchor), int) for condition in CONDITIONS}
    for i, (start, end) in enumerate(pairs.match):
        words = X[pairs.words_of(pairs.paragraph[i])].astype(np.float64)
        anchor = X[pairs.anchor[i]].astype(np.float64)
        match = words[start:end].mean(axis=0)
        for condition in CONDITIONS:
            k = 1 if condition.negatives == "words" else end - start
            first = [j for j in range(len(words) - k + 1) if j + k <= start or j >= end]
            negatives = np.stack([words[j : j + k].mean(axis=0) for j in first])
            if condition.similarity == "cosine":
                scale = np.linalg.norm(negatives, axis=1) * np.linalg.norm(anchor)
                negative = negatives @ anchor / scale
                positive = match @ anchor / np.linalg.norm(match) / np.linalg.norm(anchor)
            else:
                negative = -np.linalg.norm(negatives - anchor, axis=1)
                positive = -np.linalg.norm(match - anchor)
            counts[condition][i] = (negative < positive).sum()
    return counts


WAYS: dict[str, Callable[[np.ndarray, Pairs], Counts]] = {
    "packaged": packaged,
    "plain_loop": plain_loop,
}


def seconds(way: str, X: np.ndarray, pairs: Pairs) -> tuple[float, Counts]:
    """Wall-clock time of one run, and its counts."""
    began = time.perf_counter()
    counts = WAYS[way](X, pairs)
    return time.perf_counter() - began, counts


def copy_rate() -> float:
    """Bytes copied in memory, 1e9 a second: the same 256 MiB five times."""
    source, target = np.ones((2, 1 << 26), dtype=np.float32)
    began = time.perf_counter()
    for _ in range(5):
        np.copyto(target, source)
    return 5 * source.nbytes / (time.perf_counter() - began) / 1e9


def peak_mib(way: str, path: Path, n: int) -> float:
    """Peak memory of one run in a fresh process."""
    command = [sys.executable, __file__, "--peak", way, "--layer", str(path), "--examples", str(n)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def own_peak_mib() -> float:
    """Peak resident memory of this process (Linux), mapped pages included."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--examples", type=int, default=10_000)
    options.add_argument("--dim", type=int, default=768)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--peak", choices=WAYS, help=argparse.SUPPRESS)
    options.add_argument("--layer", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    pairs = synthetic(given.examples)
    if given.peak:
        WAYS[given.peak](np.load(given.layer, mmap_mode="r"), pairs)
        sys.stdout.write(str(own_peak_mib()))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.npy"
        write_layer(path, given.examples, given.dim)
        X = np.load(path, mmap_mode="r")
        times: dict[str, list[float]] = {way: [] for way in WAYS}
        copies = []
        for _ in range(given.runs):
            found = {}
            copies.append(copy_rate())
            for way in WAYS:
                spent, found[way] = seconds(way, X, pairs)
                times[way].append(spent)
        for condition in CONDITIONS:
            if not np.array_equal(found["packaged"][condition], found["plain_loop"][condition]):
                raise SystemExit(f"the counts differ in {condition.name}")
        fast, slow = (statistics.median(times[way]) for way in ("packaged", "plain_loop"))
        peaks = {way: peak_mib(way, path, given.examples) for way in WAYS}
    rates = [4e-9 * given.examples * (LENGTH + 1) * given.dim / fast, statistics.median(copies)]
    sys.stdout.write(
        "| examples x words x dim | runs | ours (s) | plain loop (s) | ratio | ours (MiB) "
        "| plain loop (MiB) | ours (GB/s) | copy (GB/s) |\n|---|---|---|---|---|---|---|---|---|\n"
        f"| {given.examples} x {LENGTH} x {given.dim} | {given.runs} | {fast:.2f} | {slow:.2f} "
        f"| {slow / fast:.1f} | {peaks['packaged']:.0f} | {peaks['plain_loop']:.0f} "
        f"| {rates[0]:.2f} | {rates[1]:.2f} |\n"
    )


if __name__ == "__main__":
    main()
