"""The similarity study: how alike are train and test, states, and layers?

Spatial similarity compares label distances that the geometry study measured; CKA, RSA and the
overlap of neighbours compare the vectors of the same test examples.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, combinations_with_replacement, product
from math import nan, sqrt
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from scipy.stats import rankdata
from scipy.stats import t as student

from tuneprobe.formats.representations import Representations
from tuneprobe.formats.results import Result, stamp
from tuneprobe.rng import rng
from tuneprobe.spaces import SPLITS, Space
from tuneprobe.states import STATES
from tuneprobe.studies.change.difference.vectors import neighbour_overlap
from tuneprobe.studies.geometry.directprobe.study import LabelDistances, hull_distances
from tuneprobe.studies.geometry.similarity.similarity import (
    SimilarityError,
    linear_cka,
    spatial_similarity,
)
from tuneprobe.units import Tables, Unit, chosen, measured

STUDY = "similarity"
TRAIN_TEST = "train/test"  # the two splits of one space

Pair = tuple[str, str]  # a state and the one that it is compared with


def compare_spaces(
    states: Mapping[str, Representations],
    table: pd.DataFrame,
    distances: Mapping[tuple[str, int, str], LabelDistances],
    *,
    layer_states: Sequence[str],
    split_layers: str,
    splits: int,
    max_examples: int,
    neighbours: int,
    zero_fill: bool,
    rtol: float,
    confidence: float,
    encoder: str,
    task: str,
    seed: int,
    cache: Path,
    workers: int,
    backend: str = "local",
) -> list[Result]:
    """Rows of `spatial_similarities`, `split_deficits` and `vector_similarities` of some states.

    Each state is compared with each one before it, in the order of `states.STATES`.

    Parameters
    ----------
    layer_states : sequence of str
        States whose layers are compared with each other, as far as they are among `states`.
    split_layers : str
        Layers of these whose split deficit is measured, as `units.chosen` has it.
    splits : int
        Random divisions of a split deficit.
    cache, workers, backend
        As in `units.measured`, whose units are these divisions.
    """
    keys: dict[str, Any] = {"encoder": encoder, "task": task, "seed": seed}
    pairs = state_pairs([state for state in STATES if state in states])
    compared = {str(state): states[state] for state in layer_states if state in states}
    numbers = next(iter(states.values())).layers
    rows = spatial_similarities(distances, pairs=pairs, zero_fill=zero_fill, **keys)
    of_vectors = vector_similarities(
        states,
        table,
        pairs=pairs,
        layer_states=list(compared),
        max_examples=max_examples,
        neighbours=neighbours,
        **keys,
    )
    rows += split_deficits(
        compared,
        table,
        distances,
        layers=[layer for layer in numbers if chosen(split_layers, layer, numbers[-1])],
        draws=splits,
        rtol=rtol,
        zero_fill=zero_fill,
        confidence=confidence,
        **keys,
        cache=cache,
        workers=workers,
        backend=backend,
    )
    return rows + of_vectors


def spatial_similarities(
    distances: Mapping[tuple[str, int, str], LabelDistances],
    *,
    pairs: Sequence[Pair],
    zero_fill: bool,
    encoder: str,
    task: str,
    seed: int,
) -> list[Result]:
    """Spatial similarity wherever both spaces are linear; ``n`` counts the labels in both.

    With the splits ``train/test``: the two splits of one state and layer. With another state in
    ``against``: the training examples of two states at one layer.

    Parameters
    ----------
    distances : mapping
        As `geometry.study.read_distances` gives them, by (state, layer, split).
    pairs : sequence of (str, str)
        States to compare, e.g. ``("finetuned", "pretrained")``.
    zero_fill : bool
        Whether a label pair that one space lacks counts as distance 0 (the authors' code), not as
        left out. Between train and test only.
    """
    rows: list[Result] = []
    for (state, layer, split), train in sorted(distances.items()):
        if split != "train":
            continue
        others: list[tuple[dict[str, Any], Any, bool]] = [
            ({"splits": TRAIN_TEST}, (state, layer, "test"), zero_fill)
        ]
        others += [({"against": b}, (b, layer, split), False) for a, b in pairs if a == state]
        for facet, key, zero in others:
            value = _spatial(train, distances.get(key), zero)
            if value is not None:
                n = len(set(train.labels) & set(distances[key].labels))
                facet |= {"state": state, "layer": layer}
                rows.append(Result("spatial_similarity", value, n=n, **facet))
    return stamp(rows, study=STUDY, encoder=encoder, task=task, seed=seed)


def vector_similarities(
    states: Mapping[str, Representations],
    table: pd.DataFrame,
    *,
    pairs: Sequence[Pair],
    layer_states: Sequence[str],
    max_examples: int,
    neighbours: int,
    encoder: str,
    task: str,
    seed: int,
) -> list[Result]:
    """Linear CKA, plain and debiased, and RSA of test examples; ``n`` counts the examples.

    With another state in ``against``: two states at one layer, with ``knn_overlap``, the mean share
    of an example's `neighbours` nearest ones that are the same in both; ``neighbours / (n - 1)`` is
    expected of unrelated spaces. With another layer in ``other``:
    two layers of one state, in both orders and i = j, a full heat map.

    Parameters
    ----------
    table : DataFrame
        Examples, as `spaces.example_table` makes them.
    layer_states : sequence of str
        States whose layers are compared with each other.
    max_examples : int
        Test examples at most, a random sample, the same everywhere; RSA costs its square.
    """
    sample = _sample(table[table.split == "test"], max_examples, seed)
    points = {
        state: [_points(found.examples(layer, sample)) for layer in found.layers]
        for state, found in states.items()
    }
    rows: list[Result] = []
    for a, b in pairs:
        for layer, (one, two) in enumerate(zip(points[a], points[b], strict=True)):
            where: dict[str, Any] = {"state": a, "layer": layer, "against": b, "n": len(sample)}
            found = list(_compare(one, two))
            if found and neighbours < len(sample):
                overlap = neighbour_overlap(one.X, two.X, k=neighbours).mean()
                found.append(("knn_overlap", float(overlap)))
            rows += [Result(*number, **where) for number in found]
    for state in layer_states:
        layers = points[state]
        for i, j in combinations_with_replacement(range(len(layers)), 2):
            for number in _compare(layers[i], layers[j]):
                for layer, other in dict.fromkeys([(i, j), (j, i)]):
                    where = {"state": state, "layer": layer, "other": other, "n": len(sample)}
                    rows.append(Result(*number, **where))
    return stamp(rows, study=STUDY, encoder=encoder, task=task, seed=seed)


def split_deficits(
    states: Mapping[str, Representations],
    table: pd.DataFrame,
    distances: Mapping[tuple[str, int, str], LabelDistances],
    *,
    layers: Sequence[int],
    draws: int,
    rtol: float,
    zero_fill: bool,
    confidence: float,
    encoder: str,
    task: str,
    seed: int,
    cache: Path,
    workers: int,
    backend: str = "local",
) -> list[Result]:
    """By how much train and test are less alike than two random parts of the same examples.

    The spatial similarity of two samples of one distribution is below 1, the more so the fewer
    examples a label has. So the texts are dealt to two parts of the sizes of train and test at
    random, `draws` times, and ``split_deficit`` is the mean similarity of these parts less that of
    train and test. Its interval is that of one more draw, ``t s sqrt(1 + 1/k)`` to either side with
    k draws and their standard deviation s: above zero, train and test differ by more than chance.
    ``n`` counts the draws; one whose parts are not both linear is left out.

    Parameters
    ----------
    states : mapping of state to Representations
    distances : mapping
        As for `spatial_similarities`; only spaces that are linear in both splits are measured.
    rtol : float
        Relative width of the certified intervals of hull distances.
    cache, workers, backend
        As in `units.measured`; each draw of each space is a unit.
    """
    texts = table.text[table.split == "train"].tolist()
    observed: dict[tuple[str, int], float] = {}
    for state, layer in product(states, layers):
        train, test = (distances.get((state, layer, split)) for split in SPLITS)
        similar = _spatial(train, test, zero_fill) if train is not None else None
        if similar is not None:
            observed[state, layer] = similar
    shared = {"texts_train": texts, "seed": seed, "rtol": rtol, "zero_fill": zero_fill}
    units = [
        Unit(state, layer, states[state], {**shared, "where": [state, str(layer)], "draw": draw})
        for state, layer in observed
        for draw in range(draws)
    ]
    with measured(
        dealt_similarity, units, table, cache=cache, workers=workers, backend=backend
    ) as tables:
        dealt = tables.get("dealt", pd.DataFrame(columns=["state", "layer", "similarity"]))
    rows = []
    for (state, layer), similar in observed.items():
        here = (dealt.state == state) & (dealt.layer == layer)
        null = dealt.similarity[here].dropna().to_numpy()
        if len(null) > 1:
            wide = student.ppf((1 + confidence) / 2, len(null) - 1) * sqrt(1 + 1 / len(null))
            half, gap = wide * float(np.std(null, ddof=1)), float(np.mean(null)) - similar
            numbers = (gap, gap - half, gap + half, len(null))
            rows.append(
                Result("split_deficit", *numbers, state=state, layer=layer, splits=TRAIN_TEST)
            )
    keys: dict[str, Any] = {"study": STUDY, "encoder": encoder, "task": task, "seed": seed}
    return stamp(rows, **keys, level=confidence)


def dealt_similarity(
    space: Space,
    *,
    texts_train: Sequence[int],
    draw: int,
    seed: int,
    where: Sequence[str],
    rtol: float,
    zero_fill: bool,
) -> Tables:
    """Spatial similarity of two parts of the texts, drawn with as many texts as the splits have.

    Parameters
    ----------
    texts_train : sequence of int, of length n_train
        Number of the text that each training example stands in.
    draw : int
        Which of the draws of one stream, from 0.
    where : sequence of str
        State and layer, which name the stream.

    Returns
    -------
    dict of DataFrame
        ``dealt``: one row, similarity; NaN where it is not defined.
    """
    assert space.texts_test is not None
    X, (names, *y) = np.concatenate([space.X_train, space.X_test]), space.numbered()
    labels, texts = np.concatenate(y), np.concatenate([texts_train, space.texts_test])
    different, text = np.unique(texts, return_inverse=True)
    random = rng(seed, STUDY, "splits", *where)
    for _ in range(draw + 1):  # the draws before this one are another unit's
        order = random.permutation(len(different))
    first = order < len(np.unique(texts_train))
    parts = []
    for rows in (first[text], ~first[text]):
        if len(np.unique(labels[rows])) > 1:
            found, matrix = hull_distances(X[rows], labels[rows], rtol=rtol)
            linear = not (matrix == 0).any()
            parts.append(LabelDistances(tuple(names[i] for i in found), matrix, linear))
    similar = _spatial(parts[0], parts[1], zero_fill) if len(parts) == len(SPLITS) else None
    return {"dealt": pd.DataFrame({"similarity": [nan if similar is None else similar]})}


def state_pairs(states: Sequence[str]) -> list[Pair]:
    """Each state with each one before it: the later state first.

    >>> state_pairs(["random", "pretrained", "finetuned"])
    [('pretrained', 'random'), ('finetuned', 'random'), ('finetuned', 'pretrained')]
    """
    return [(b, a) for a, b in sorted(combinations(states, 2), key=lambda p: states.index(p[1]))]


def comparable(one: LabelDistances, two: LabelDistances | None) -> bool:
    """Whether spatial similarity is defined: both spaces linear, three labels in both."""
    if two is None or not (one.linear and two.linear):
        return False
    return len(set(one.labels) & set(two.labels)) > 2


def _spatial(one: LabelDistances, two: LabelDistances | None, zero_fill: bool) -> float | None:
    """Spatial similarity, or None where it is not defined."""
    if two is None or not comparable(one, two):
        return None
    missing = "zero" if zero_fill else "drop"
    try:
        return spatial_similarity(one.matrix, two.matrix, one.labels, two.labels, missing=missing)
    except SimilarityError:  # all label pairs of a space are equally far
        return None


class _Points(NamedTuple):
    """Vectors and the ranks of their pairwise distances, in the order of `pdist`."""

    X: NDArray[np.float64]
    ranks: NDArray[np.float32]


def _points(X: NDArray) -> _Points:
    """The same ranks serve every comparison of these vectors."""
    X = np.asarray(X, dtype=np.float64)
    return _Points(X, rankdata(pdist(X)).astype(np.float32))


def _compare(one: _Points, two: _Points) -> Iterator[tuple[str, float]]:
    """Metrics and values; nothing where the examples of one side do not differ.

    Layer 0 of whole texts is one vector for all.
    """
    if not (_varies(one.X) and _varies(two.X)):
        return
    yield "cka", linear_cka(one.X, two.X)
    if len(one.X) > 3:
        yield "cka_debiased", linear_cka(one.X, two.X, debiased=True)
    yield "rsa", float(np.corrcoef(one.ranks, two.ranks)[0, 1])


def _varies(X: NDArray[np.float64]) -> bool:
    """Whether the examples differ by more than rounding; two of them tell nothing either."""
    return len(X) > 2 and bool(np.ptp(X, axis=0).max() > 1e-6 * np.abs(X).max())


def _sample(table: pd.DataFrame, at_most: int, seed: int) -> pd.DataFrame:
    if len(table) <= at_most:
        return table
    chosen = rng(seed, STUDY, "examples").choice(len(table), at_most, replace=False)
    return table.iloc[np.sort(chosen)]
