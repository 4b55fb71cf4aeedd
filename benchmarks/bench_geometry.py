"""DirectProbe: how time and memory grow with points and dimensions, linear and not.

Made-up tokens: words of a Zipf vocabulary in context. `linear` moves each label away from the
others until one cluster per label suffices; `conflicting` gives three words in ten a second label,
so that most pairs of labels overlap. Each row is a process of its own on one thread; prints CPU
seconds of clustering and of all hull distances, clusters, rejected merges and peak memory.

    python benchmarks/bench_geometry.py --points 400 1600 6400 --dims 16 128
    python benchmarks/bench_geometry.py --points 16854 --dims 128 --kinds conflicting
    python benchmarks/bench_geometry.py --points 20000 --dims 768 --measure-up-to 50
"""

import argparse
import os
import resource
import subprocess
import sys
import time

KINDS = {"linear": (0.0, 0.6), "conflicting": (0.3, 0.0)}  # share of ambiguous words, label shift
COLUMNS = "kind points dims loop conflicts clusters rejected cluster measure MiB".split()


def tokens(n: int, dim: int, n_labels: int, ambiguous: float, shift: float):
    """Vectors and labels of n tokens: a word, its context, and its label's shift."""
    import numpy as np

    rng = np.random.default_rng(13)
    n_words = max(n // 3, n_labels)
    frequency = 1 / np.arange(1, n_words + 1) ** 0.9
    word = rng.choice(n_words, n, p=frequency / frequency.sum())
    size = 1 / np.arange(1, n_labels + 1)
    first, second = (rng.choice(n_labels, n_words, p=size / size.sum()) for _ in range(2))
    first[:n_labels] = np.arange(n_labels)
    second = np.where(rng.random(n_words) < ambiguous, second, first)
    y = np.where(rng.random(n) < 0.3, second[word], first[word])
    spectrum = 1 / np.sqrt(1 + 8 * np.arange(dim) / dim)
    X = rng.normal(size=(n_words, dim))[word] + 0.6 * rng.normal(size=(n, dim))
    X += shift * rng.normal(size=(n_labels, dim))[y]
    return (X * spectrum).astype(np.float32), y


def run(kind: str, n: int, dim: int, n_labels: int, loop: str, measure_up_to: int) -> str:
    """One row of the table."""
    from tuneprobe.studies.geometry.directprobe.clusters import cluster
    from tuneprobe.studies.geometry.directprobe.distances import measure

    X, y = tokens(n, dim, n_labels, *KINDS[kind])
    start = time.process_time()
    found = cluster(X, y, loop=loop)
    clustered = time.process_time()
    measured = "-"
    if len(found.labels) <= measure_up_to:
        measure(X, found)
        measured = f"{time.process_time() - clustered:.1f} s"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"| {kind} | {n:,} | {dim} | {loop} | {found.conflict.sum() // 2} | {len(found.labels)} "
        f"| {found.rejections} | {clustered - start:.1f} s | {measured} | {peak:.0f} |"
    )


def show(line: str) -> None:
    """Print at once, so that rows of the children follow their head."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, nargs="+", default=[400, 1600])
    parser.add_argument("--dims", type=int, nargs="+", default=[16, 128])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--labels", type=int, default=17)
    parser.add_argument("--loop", choices=["exhaustive", "paper"], default="exhaustive")
    parser.add_argument("--measure-up-to", type=int, default=100, help="clusters")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    sizes = [(k, n, d) for k in args.kinds for d in args.dims for n in args.points]
    if args.one:
        show(run(*sizes[0], args.labels, args.loop, args.measure_up_to))
        return
    for cells in (COLUMNS, ["---"] * len(COLUMNS)):
        show("| " + " | ".join(cells) + " |")
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    for kind, n, dim in sizes:
        options = {"points": n, "dims": dim, "kinds": kind, "labels": args.labels}
        options |= {"loop": args.loop, "measure-up-to": args.measure_up_to}
        flags = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, __file__, "--one", *flags]
        subprocess.run(command, check=True, env=os.environ | one_thread)


if __name__ == "__main__":
    main()
