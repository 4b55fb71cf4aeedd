"""The weights before and after tuning, matrix by matrix, summed up by layer and part."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import nan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from tuneprobe.formats.results import Result
from tuneprobe.rng import rng
from tuneprobe.states import FINETUNED, PRETRAINED
from tuneprobe.stats import share_interval
from tuneprobe.studies.change.restore.layers import layer_list
from tuneprobe.studies.change.weights.matrices import Movement, left_vectors, movement

SHUFFLED = "shuffled"  # control: the same changes at other places of the matrix

Matrix = NDArray[np.float32]
Pairs = Sequence[tuple[str, Matrix, Matrix]]  # name, before, after


class Moved(NamedTuple):
    """A matrix: what tuning did to it, and what the same changes at random places would do."""

    part: str
    size: float  # |W|²
    change: float  # |ΔW|²
    tuned: Movement
    shuffled: Movement


def weight_rows(
    layers: Mapping[int, Pairs],
    part_of: Callable[[str], str],
    *,
    directions: int,
    cosine: float,
    seed: int,
    confidence: float,
) -> list[Result]:
    """Result rows of the weight matrices of the layers, by layer and part; part empty: the layer.

    ================  ==================================================================
    metric            value
    ================  ==================================================================
    weight_change     100 |ΔW| / |W|, over all matrices of the part together
    effective_rank    of ΔW, as a share of what the control has, mean over the matrices
    stable_rank       the same of the stable rank
    intruders         of the first k left singular vectors of W + ΔW those that are new, in
                      percent of all matrices' (``state`` shuffled: in the control)
    ================  ==================================================================

    The control of a matrix has the entries of ΔW at other places, so |ΔW| is the same and its
    directions are none. Rows of layer -1 are of all layers; the rank shares have Student's interval
    over the matrices, the intruders Wilson's over the directions.

    Parameters
    ----------
    layers : mapping
        Layer (0: embeddings, of which only the change is measured) to its matrices.
    directions, cosine : int, float
        k, and the cosine with all left singular vectors of W below which a direction is new.
    """
    rows, everywhere = [], []
    for layer, pairs in layers.items():
        moved = [
            _moved(name, before, after, part_of, directions if layer else 0, cosine, (seed, layer))
            for name, before, after in pairs
        ]
        parts: dict[str, list[Moved]] = defaultdict(list)
        for one in moved:
            parts[""].append(one)
            if layer:
                parts[one.part].append(one)
        for part, members in parts.items():
            found = _rows(members, directions if layer else 0, confidence)
            rows += [row._replace(layer=layer, part=part) for row in found]
        everywhere += moved if layer else []
    rows += _rows(everywhere, directions, confidence)
    return [_stated(row) for row in rows]


def matrices(before: Any, after: Any) -> dict[int, list[tuple[str, Matrix, Matrix]]]:
    """Weight matrices of two models by layer, with their names inside it; layer 0: the others."""
    layers = layer_list(before)
    [place] = [name for name, part in before.named_modules() if part is layers]
    inside = {f"{place}.{number}.": number for number in range(len(layers))}
    tuned = dict(after.named_parameters())
    found: dict[int, list[tuple[str, Matrix, Matrix]]] = {}
    for name, weight in before.named_parameters():
        if weight.ndim != 2:
            continue
        start = next((start for start in inside if name.startswith(start)), "")
        layer = inside[start] + 1 if start else 0
        both = (one.detach().cpu().numpy() for one in (weight, tuned[name]))
        found.setdefault(layer, []).append((name.removeprefix(start), *both))
    return dict(sorted(found.items()))


def layer_changes(rows: Sequence[Result], n_layers: int) -> NDArray[np.float64]:
    """``weight_change`` of whole layers 1 ... L, shape (L,)."""
    found = {row.layer: row.value for row in rows if row.metric == "weight_change" and not row.part}
    return np.array([found[layer] for layer in range(1, n_layers + 1)])


def _moved(
    name: str,
    before: Matrix,
    after: Matrix,
    part_of: Callable[[str], str],
    directions: int,
    cosine: float,
    stream: tuple[int, int],
) -> Moved:
    W, delta = before.astype(np.float64), after.astype(np.float64) - before
    size, change = float((W**2).sum()), float((delta**2).sum())
    if not directions:
        nothing = Movement(nan, nan, nan, 0)
        return Moved(part_of(name), size, change, nothing, nothing)
    seed, layer = stream
    shuffled = rng(seed, "change", "weights", layer, name).permutation(delta.ravel())
    old = left_vectors(W)
    tuned, control = (
        movement(W, W + moved, k=directions, epsilon=cosine, old=old)
        for moved in (delta, shuffled.reshape(delta.shape))
    )
    return Moved(part_of(name), size, change, tuned, control)


def _rows(members: Sequence[Moved], directions: int, confidence: float) -> Iterator[Result]:
    size = sum(one.size for one in members)
    relative = np.sqrt(sum(one.change for one in members) / size) if size else nan
    yield Result("weight_change", 100 * float(relative), n=len(members))
    if not directions:
        return
    for rank in ("effective_rank", "stable_rank"):
        shares = np.array([getattr(m.tuned, rank) / getattr(m.shuffled, rank) for m in members])
        shares = shares[np.isfinite(shares)]
        if len(shares):
            yield Result(rank, *student_interval(shares, confidence), n=len(shares))
    n = directions * len(members)
    for state, of in ((FINETUNED, "tuned"), (SHUFFLED, "shuffled")):
        new = sum(getattr(one, of).intruders for one in members)
        share, low, high = map(float, share_interval(new, n, confidence=confidence))
        yield Result("intruders", share, max(low, 0.0), high, n=n, state=state)


def student_interval(values: NDArray[np.float64], confidence: float) -> tuple[float, float, float]:
    """Mean with Student's interval; NaN bounds of fewer than three values, which tell nothing.

    >>> [round(bound, 2) for bound in student_interval(np.array([1.0, 2.0, 3.0]), 0.95)]
    [2.0, -0.48, 4.48]
    """
    mean, n = float(values.mean()), len(values)
    if n < 3:
        return mean, nan, nan
    reach = float(stdtrit(n - 1, (1 + confidence) / 2) * values.std(ddof=1) / np.sqrt(n))
    return mean, mean - reach, mean + reach


def _stated(row: Result) -> Result:
    return row._replace(state=row.state or FINETUNED, against=PRETRAINED)
