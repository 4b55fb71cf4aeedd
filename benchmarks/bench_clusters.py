"""DirectProbe's clusters: this package against the loop that one would write first.

The plain loop computes all distances of centroids once and keeps them up to date, and asks a linear
program (HiGHS) of each cluster of another label whether a hyperplane separates it from the union.
Both give the same clusters, or the run fails. Prints a markdown row for each number of points:
medians of processor seconds of runs that alternate, and their ratio.

    python benchmarks/bench_clusters.py --points 120 --points 240 --runs 5
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Annotated

import numpy as np
import typer
from bench_geometry import KINDS, tokens
from scipy.optimize import linprog
from scipy.spatial.distance import cdist
from threadpoolctl import threadpool_limits

from tuneprobe.studies.geometry.directprobe.clusters import cluster


def main(
    points: Annotated[list[int], typer.Option()] = [120, 240],  # noqa: B006
    dim: int = 16,
    labels: int = 4,
    runs: int = 5,
) -> None:
    """Cluster made-up tokens of which three words in ten have a second label."""
    threadpool_limits(1)
    typer.echo("| points | dimensions | labels | clusters | ours, s | plain, s | ratio |")
    typer.echo("|---|---|---|---|---|---|---|")
    for n in points:
        X, y = tokens(n, dim, labels, *KINDS["conflicting"])
        fast, slow = [], []
        for _ in range(runs):
            found, spent = timed(lambda X=X, y=y: cluster(X, y).ids)
            fast.append(spent)
            plain, spent = timed(lambda X=X, y=y: plain_loop(X, y))
            slow.append(spent)
            assert np.array_equal(found, plain), "the clusters differ"
        ours, theirs = median(fast), median(slow)
        typer.echo(
            f"| {len(X)} | {dim} | {labels} | {found.max() + 1} | {ours:.3f} | {theirs:.2f} "
            f"| {theirs / ours:.0f} |"
        )


def plain_loop(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Merge the closest pair of clusters of one label until none is left to try."""
    clusters = {row: [row] for row in range(len(X))}
    distances = cdist(X, X)
    distances[(y[:, None] != y) | np.tri(len(X), dtype=bool)] = np.inf
    while np.isfinite(distances).any():
        i, j = np.unravel_index(distances.argmin(), distances.shape)
        union = clusters[i] + clusters[j]
        foes = [rows for k, rows in clusters.items() if y[k] != y[i]]
        if all(separable(X[union], X[rows]) for rows in foes):
            clusters[i] = union
            del clusters[j]
            distances[j] = distances[:, j] = np.inf
            for k in clusters:
                if y[k] == y[i] and k != i:
                    apart = np.linalg.norm(X[union].mean(axis=0) - X[clusters[k]].mean(axis=0))
                    distances[min(i, k), max(i, k)] = apart
        else:
            distances[i, j] = np.inf
    ids = np.empty(len(X), dtype=np.int64)
    for number, rows in enumerate(clusters[k] for k in sorted(clusters)):
        ids[rows] = number
    return ids


def separable(A: np.ndarray, B: np.ndarray) -> bool:
    """Whether a plane has all of A at 1 or above and all of B at -1 or below."""
    sides = np.r_[-np.ones(len(A)), np.ones(len(B))]
    rows = sides[:, None] * np.c_[np.vstack([A, B]), np.ones(len(sides))]
    free = [(None, None)] * rows.shape[1]
    found = linprog(np.zeros(rows.shape[1]), A_ub=rows, b_ub=-np.ones(len(sides)), bounds=free)
    return bool(found.success)


def timed(job: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    """What a call gives, and its processor seconds."""
    start = time.process_time()
    return job(), time.process_time() - start


if __name__ == "__main__":
    typer.run(main)
