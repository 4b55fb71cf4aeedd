"""Do intervals cover, and tests of equivalence keep their size? Simulations of gaps, in columns.

For gaps of which the truth is known: how often the 95 % interval of `stats.mean_interval` holds it
(nominal: .95), beside BCa and Student's alone; and how often `stats.equivalence` calls means equal
that lie on the margin (nominal: at most .05) and that are 0. Under a minute of one core.

    PYTHONPATH=src python benchmarks/simulate_intervals.py
"""

from collections.abc import Callable

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.stats import t as student

from tuneprobe.stats import (
    Floats,
    _acceleration,
    bootstrap_bounds,
    bootstrap_sums,
    equivalence,
    mean_interval,
)

COLUMNS, DRAWS, LEVEL, MARGIN, BOUND = 1000, 500, 0.95, 2.0, 100.0
Draw = Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]]


def sparse(zeros: float, draw: Draw) -> Draw:
    """Gaps of which a share is 0."""
    return lambda rng, shape: np.where(rng.random(shape) < zeros, 0.0, draw(rng, shape))


GAPS: dict[str, tuple[Draw, float]] = {
    "normal": (lambda rng, shape: rng.normal(size=shape), 0.0),
    "70 % zero, symmetric": (sparse(0.7, lambda rng, shape: rng.normal(size=shape)), 0.0),
    "70 % zero, exponential": (sparse(0.7, lambda rng, shape: rng.exponential(size=shape)), 0.3),
    "70 % zero, normal at 1": (sparse(0.7, lambda rng, shape: rng.normal(1, size=shape)), 0.3),
    "90 % zero, symmetric": (sparse(0.9, lambda rng, shape: rng.normal(size=shape)), 0.0),
    "90 % zero, exponential": (sparse(0.9, lambda rng, shape: rng.exponential(size=shape)), 0.1),
}


def coverage(values: Floats, truth: float) -> dict[str, float]:
    """How often each interval of the columns' means holds the truth."""
    n, mean = len(values), values.mean(axis=0)
    half = student.ppf((1 + LEVEL) / 2, n - 1) * values.std(axis=0, ddof=1) / np.sqrt(n)
    samples = bootstrap_sums(values, DRAWS, np.random.default_rng(0)) / n
    bca = (mean, _acceleration(values - mean))
    used = mean_interval(values, confidence=LEVEL, n_bootstrap=DRAWS, rng=np.random.default_rng(0))
    bounds = {
        "used": (used.low, used.high),
        "BCa": bootstrap_bounds(samples, n, confidence=LEVEL, bca=bca),
        "Student": (mean - half, mean + half),
    }
    return {
        name: float(((low <= truth) & (truth <= high)).mean())
        for name, (low, high) in bounds.items()
    }


def called_equal(values: Floats) -> float:
    """Share of the columns whose means are called equal to 0."""
    found = equivalence(
        values,
        MARGIN,
        bound=BOUND,
        alpha=1 - LEVEL,
        n_draws=DRAWS,
        rng=np.random.default_rng(0),
    )
    return float(found.equal.mean())


def main() -> None:
    """Print both tables."""
    typer.echo(f"{'coverage':32}{'n':>5}  used   BCa    Student")
    for name, (draw, truth) in GAPS.items():
        for n in (20, 40, 300):
            values = draw(np.random.default_rng(4), (n, COLUMNS))
            found = "  ".join(f"{share:.3f}" for share in coverage(values, truth).values())
            typer.echo(f"{name:32}{n:5}  {found}")
    typer.echo(f"\n{'called equal':32}{'n':>5}  on the margin  at 0")
    for gap, share in ((20.0, 0.1), (100.0, 0.02), (4.0, 0.5)):
        for n in (50, 100, 300):
            rare_gaps = np.where(np.random.default_rng(12).random((n, COLUMNS)) < share, gap, 0.0)
            typer.echo(f"{f'{share:.0%} are {gap:g}':32}{n:5}  {called_equal(rare_gaps):.3f}")
    for sd in (2.0, 5.0, 12.0):
        for n in (50, 300):
            rng = np.random.default_rng(1)
            values = sd * rng.normal(size=(n, COLUMNS))
            hidden = np.where(rng.random(values.shape) < 0.01, BOUND, values + 1 / 0.99)
            rare, sizes = (
                called_equal(hidden),
                (called_equal(values + MARGIN), called_equal(values)),
            )
            typer.echo(f"{f'normal, sd {sd:g}':32}{n:5}  {sizes[0]:.3f}          {sizes[1]:.3f}")
            typer.echo(f"{f'normal, sd {sd:g}, 1 % are 100':32}{n:5}  {rare:.3f}")


if __name__ == "__main__":
    main()
