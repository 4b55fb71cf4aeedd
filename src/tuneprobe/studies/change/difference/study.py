"""The difference of the vectors of the same word pieces before and after tuning, by layer."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from tuneprobe.formats.results import Result
from tuneprobe.rng import rng
from tuneprobe.states import FINETUNED, PRETRAINED
from tuneprobe.studies.change.difference.vectors import (
    difference_shares,
    neighbour_overlap,
    procrustes_distance,
)
from tuneprobe.studies.geometry.similarity.similarity import linear_cka

SHUFFLED = "shuffled"  # control: the tuned vectors of other pieces
GROUPS = 6  # of texts, each left out once
COMPARED = ("neighbour_overlap", "procrustes", "cka_debiased")  # those that have the control

Floats = NDArray[np.float64]
Vectors = NDArray[np.float32]


def difference_rows(
    before: Sequence[Vectors],
    after: Sequence[Vectors],
    texts: NDArray[np.int64],
    head: NDArray[np.float32],
    *,
    neighbours: int,
    axes: int,
    seed: int,
    task: str,
    confidence: float,
) -> list[Result]:
    """Result rows of every layer, 0 to L.

    =================  ===============================================================
    metric             value
    =================  ===============================================================
    difference         100 sqrt(mean |Δh|² / mean |h - mean h|²), h before tuning
    mean_shift         percent of |Δh|² that is the same for every piece
    first_axes         percent in the first axes of Δh about its mean
    head_share         percent in the row space of the task's head
    participation      in how many directions pieces move
    neighbour_overlap  percent of the nearest pieces that stay so
    procrustes         distance left after the best rotation, 0 to 1
    cka_debiased       linear CKA, debiased
    =================  ===============================================================

    Intervals are those of a jackknife over 6 groups of texts, each left out once (Quenouille 1956;
    Student's quantile); fewer texts than groups have none. The last three have a control, ``state``
    shuffled: the tuned vectors in another order.

    Parameters
    ----------
    before, after : sequences of L + 1 arrays of shape (n, dim)
    texts : array of shape (n,)
        Number of the text of each piece.
    head : array of shape (n_rows, dim)

    Raises
    ------
    DifferenceError
        If the pieces are no more than `neighbours`.
    """
    group = _groups(texts)
    order = rng(seed, "change", "difference", task).permutation(len(texts))
    rows = []
    for layer, (X, Y) in enumerate(zip(before, after, strict=True)):
        if np.array_equal(X, Y):
            rows.append(_row("difference", (0.0, 0.0, 0.0), layer, FINETUNED, len(texts)))
            continue
        found = _jackknife(X, Y, head, group, neighbours, axes, confidence)
        rows += [_row(name, one, layer, FINETUNED, len(texts)) for name, one in found.items()]
        control = _compared(X.astype(np.float64), Y[order].astype(np.float64), neighbours)
        rows += [
            _row(name, (one, np.nan, np.nan), layer, SHUFFLED, len(texts))
            for name, one in control.items()
        ]
    return rows


def layer_differences(rows: Sequence[Result], n_layers: int) -> Floats:
    """``difference`` of layers 1 ... L, shape (L,)."""
    found = {row.layer: row.value for row in rows if row.metric == "difference"}
    return np.array([found[layer] for layer in range(1, n_layers + 1)])


def measures(
    X: Floats, Y: Floats, head: NDArray[np.float32], neighbours: int, axes: int
) -> dict[str, float]:
    """All numbers of one layer, by metric."""
    shares = difference_shares(X, Y, head, k=axes)
    return {
        "difference": 100 * shares.relative,
        "mean_shift": 100 * shares.mean_shift,
        "first_axes": 100 * shares.first_axes,
        "head_share": 100 * shares.head,
        "participation": shares.participation,
        **_compared(X, Y, neighbours),
    }


def _compared(X: Floats, Y: Floats, neighbours: int) -> dict[str, float]:
    overlap = 100 * float(neighbour_overlap(X, Y, k=neighbours).mean())
    cka = linear_cka(X, Y, debiased=True)
    return dict(zip(COMPARED, (overlap, procrustes_distance(X, Y), cka), strict=True))


def _groups(texts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The group of each piece: whole texts, about as many in each; one group of too few texts."""
    _, number = np.unique(texts, return_inverse=True)
    found: NDArray[np.int64] = number % GROUPS
    return found if number.max() + 1 >= GROUPS else np.zeros_like(found)


def _jackknife(
    X: Vectors,
    Y: Vectors,
    head: NDArray[np.float32],
    group: NDArray[np.int64],
    neighbours: int,
    axes: int,
    confidence: float,
) -> dict[str, tuple[float, float, float]]:
    one, two = X.astype(np.float64), Y.astype(np.float64)
    whole = measures(one, two, head, neighbours, axes)
    if not group.any():
        return {name: (value, np.nan, np.nan) for name, value in whole.items()}
    parts = [
        measures(one[group != left], two[group != left], head, neighbours, axes)
        for left in range(GROUPS)
    ]
    reach = stdtrit(GROUPS - 1, (1 + confidence) / 2)
    found = {}
    for name, value in whole.items():
        without = np.array([part[name] for part in parts])
        error = np.sqrt((GROUPS - 1) / GROUPS * ((without - without.mean()) ** 2).sum())
        found[name] = (value, float(value - reach * error), float(value + reach * error))
    return found


def _row(name: str, numbers: tuple[float, float, float], layer: int, state: str, n: int) -> Result:
    return Result(name, *numbers, n=n, state=state, layer=layer, against=PRETRAINED)
