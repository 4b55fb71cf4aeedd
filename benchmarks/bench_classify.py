"""The classifier probe: this package against scikit-learn's MLPClassifier over the same grid.

Vectors like those of part-of-speech tagging on English-PUD: 16,854 for training and 4,322 for the
test, 384 dimensions, 17 labels of unequal size, each a mixture of clouds. Both sides get float32,
standardised vectors, 16 sizes x 8 weight decays, early stopping on a held-out tenth, and five
initialisations of the best network. scikit-learn runs in as many processes as ours has threads,
one thread each, which is its fastest way. `raced` is the default of `classify`; `to the end`
trains every network of the grid until it stops by itself, as scikit-learn does. Prints rows of a
table, medians of runs that alternate; on a busy machine the ratio of processor times is the one to
trust. Of a small part of the grid, the start of scikit-learn's processes is a visible share.

    python benchmarks/bench_classify.py --threads 2
    python benchmarks/bench_classify.py --sizes 32 128 --decays 1e-4 1e-2 --runs 5
"""

import argparse
import os
import sys
import time
import warnings
from itertools import product

import numpy as np
import torch
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from tuneprobe.studies.geometry.classifiers.classifier import (
    DECAYS,
    REGIMEN,
    SIZES,
    classify,
    standardised,
)
from tuneprobe.studies.geometry.classifiers.networks import Regimen

INITIALISATIONS = 5
WAYS = ("scikit-learn", "to the end", "raced")
Data = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
Grid = list[tuple[tuple[int, int], float]]


def mixture(n: int, n_test: int, dim: int, n_labels: int, clouds: int, spread: float) -> Data:
    """Labels with frequencies 1, 1/2, 1/3, ..., each of `clouds` Gaussians, in mixed directions."""
    rng = np.random.default_rng(13)
    share = 1 / np.arange(1, n_labels + 1)
    y = rng.choice(n_labels, n + n_test, p=share / share.sum())
    centres = spread * rng.normal(size=(n_labels, clouds, dim))
    X = centres[y, rng.integers(clouds, size=len(y))] + rng.normal(size=(len(y), dim))
    X = (X @ rng.normal(size=(dim, dim))).astype(np.float32)
    train, test = standardised(X[:n], X[n:])
    return train, y[:n], test, y[n:]


def ours(data: Data, grid: Grid, regimen: Regimen) -> tuple[np.ndarray, str, int]:
    """Test accuracies, the best network, and the epochs that the grid took."""
    hidden, decays = (list(dict.fromkeys(part)) for part in zip(*grid, strict=True))
    found = classify(
        *data,
        hidden=hidden,
        decays=decays,
        initialisations=INITIALISATIONS,
        standardise=False,
        regimen=regimen,
    )
    best = f"{found.network.hidden}, {found.network.decay:.0e}"
    return found.accuracies, best, sum(trained.epochs for trained in found.grid)


def scikit_learn(data: Data, grid: Grid, jobs: int) -> tuple[np.ndarray, str, int]:
    """The same with MLPClassifier, network by network."""
    X, y, X_test, y_test = data

    def fit(hidden: tuple[int, int], decay: float, init: int) -> MLPClassifier:
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = MLPClassifier(
            hidden, alpha=decay, early_stopping=True, max_iter=1000, random_state=13 + init
        )
        return model.fit(X, y)

    run = Parallel(n_jobs=jobs)
    searched = run(delayed(fit)(hidden, decay, 0) for hidden, decay in grid)
    scores = [model.best_validation_score_ for model in searched]
    hidden, decay = grid[int(np.argmax(scores))]
    others = run(delayed(fit)(hidden, decay, init) for init in range(1, INITIALISATIONS))
    chosen = [searched[int(np.argmax(scores))], *others]
    accuracies = np.array([100 * model.score(X_test, y_test) for model in chosen])
    return accuracies, f"{hidden}, {decay:.0e}", sum(model.n_iter_ for model in searched)


def cpu_seconds() -> float:
    """Processor time of this process and of the workers it has ended."""
    get_reusable_executor().shutdown(wait=True)
    return sum(os.times()[:4])


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--examples", type=int, default=16_854)
    options.add_argument("--test", type=int, default=4_322)
    options.add_argument("--dim", type=int, default=384)
    options.add_argument("--labels", type=int, default=17)
    options.add_argument("--clouds", type=int, default=20)
    options.add_argument("--spread", type=float, default=0.45)
    options.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    options.add_argument("--decays", type=float, nargs="+", default=DECAYS)
    options.add_argument("--threads", type=int, default=os.cpu_count())
    options.add_argument("--runs", type=int, default=1)
    options.add_argument("--skip", nargs="*", default=[], choices=WAYS, help="rows to leave out")
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    data = mixture(given.examples, given.test, given.dim, given.labels, given.clouds, given.spread)
    grid: Grid = list(product(product(given.sizes, repeat=2), given.decays))
    jobs = (
        lambda: scikit_learn(data, grid, given.threads),
        lambda: ours(data, grid, Regimen()),
        lambda: ours(data, grid, REGIMEN),
    )
    ways = {name: job for name, job in zip(WAYS, jobs, strict=True) if name not in given.skip}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    found = {}
    for _ in range(given.runs):
        for name, way in ways.items():
            began, cpu_began = time.perf_counter(), cpu_seconds()
            found[name] = way()
            times[name].append((time.perf_counter() - began, cpu_seconds() - cpu_began))
    sys.stdout.write(
        f"{given.examples} x {given.dim}, {given.labels} labels, {len(grid)} networks and "
        f"{INITIALISATIONS} initialisations, {given.threads} threads, {given.runs} runs\n\n"
        "| way | seconds | CPU seconds | ratio | CPU ratio | epochs of the grid | best network "
        "| test accuracy | sd |\n|---|---|---|---|---|---|---|---|---|\n"
    )
    took = {name: np.median(seconds, axis=0) for name, seconds in times.items()}
    slowest, slowest_cpu = next(iter(took.values()))
    for name, (accuracies, best, epochs) in found.items():
        spent, cpu = took[name]
        sys.stdout.write(
            f"| {name} | {spent:.1f} | {cpu:.1f} | {slowest / spent:.1f} "
            f"| {slowest_cpu / cpu:.1f} | {epochs} | {best} "
            f"| {accuracies.mean():.2f} | {accuracies.std(ddof=1):.2f} |\n"
        )


if __name__ == "__main__":
    main()
