"""Result rows of the pairwise study: curves of every state, gaps between two, and their tests."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneprobe.errors import UnknownNameError
from tuneprobe.formats.results import NO_LAYER, Result, stamp
from tuneprobe.rng import rng
from tuneprobe.stats import (
    equivalence,
    holm,
    layer_contrast,
    marked_layer,
    mean_interval,
    ratio_interval,
    sign_flip_p,
    trend_interval,
)
from tuneprobe.studies.pairwise.probe.foreign import OTHER
from tuneprobe.studies.pairwise.probe.paragraphs import Ids, PairwiseError
from tuneprobe.studies.pairwise.probe.parts import OWN, REACH, part_examples, parts_of
from tuneprobe.studies.pairwise.probe.study import BOUNDARY, Ranking

STUDY = "pairwise"
EQUIVALENCE = "equivalence"  # its interval has the level 1 - 2 alpha

Number = tuple[Any, ...]  # metric, layer, value[, low, high]
Stream = Callable[[str], np.random.Generator]


def pairwise_results(
    rankings: Sequence[Ranking], *, encoder: str, seed: int, confidence: float, bootstrap: int
) -> list[Result]:
    """Result rows of every state, with bootstrap intervals over the documents of the examples.

    Per layer: ``eq3``, ``auc_micro``, ``auc_macro``, and auc_macro of the other parts of the score
    (`parts.py`). Over the layers 1 ... L: ``trend``, the Spearman correlation of auc_macro with the
    layer, and ``trend_eq3``, that of eq3 (auc_micro has the same); ``rise_eq3``, the mean of eq3
    over the last third of the layers minus that over the first third; ``best_layer``, where a half
    of the examples has the largest auc_macro, and ``best_auc``, that of the other half there.
    ``excluded`` counts the examples without a negative; ``n`` counts the others.
    """
    rows = []
    for ranking in rankings:
        n_kept = int(ranking.kept.sum())
        found = [("excluded", NO_LAYER, float(len(ranking.kept) - n_kept))]
        manner = {"confidence": confidence, "n_bootstrap": bootstrap}
        stream = partial(_stream, seed, ranking)
        if n_kept:
            found += _curve_numbers(ranking, manner, stream)
            found += _layer_numbers(ranking, manner, stream) if ranking.count.shape[1] > 2 else []
        rows += _result_rows(ranking, n_kept, found, encoder, seed, confidence)
        for part in parts_of(ranking):
            scores, documents = part_examples(ranking, part)
            if part != OWN and len(scores):
                numbers = _part_numbers(scores, documents, manner, stream)
                keys = (encoder, seed, confidence)
                rows += _result_rows(ranking, len(scores), numbers, *keys, part=part)
    return rows


def axis_rows(shares: Mapping[str, Sequence[float]], *, encoder: str, seed: int) -> list[Result]:
    """Rows ``axis_share`` of every state and layer, of the task ``words`` (see `study.Ranked`)."""
    rows = [
        Result("axis_share", share, state=state, layer=layer)
        for state, curve in shares.items()
        for layer, share in enumerate(curve)
    ]
    return stamp(rows, study=STUDY, encoder=encoder, task="words", seed=seed)


def _curve_numbers(ranking: Ranking, manner: Mapping[str, Any], stream: Stream) -> Iterator[Number]:
    for metric, curve in _curves(ranking).items():
        yield from _per_layer(metric, ratio_interval(*curve, **manner, rng=stream("curve")))


def _layer_numbers(ranking: Ranking, manner: Mapping[str, Any], stream: Stream) -> Iterator[Number]:
    """What compares the layers 1 ... L of a curve with each other."""
    curves = _curves(ranking)
    for metric, curve in (("trend", "auc_macro"), ("trend_eq3", "eq3")):
        above, below = curves[curve]
        yield metric, NO_LAYER, *trend_interval(above[:, 1:], below, **manner, rng=stream("trend"))
    above, below = curves["eq3"]
    rise = _last_less_first_third(above[:, 1:])
    yield "rise_eq3", NO_LAYER, *ratio_interval(rise, below, **manner, rng=stream("rise"))
    scores, documents = part_examples(ranking, OWN)
    yield from _best_layer(scores[:, 1:], documents, manner, stream)


def _part_numbers(
    scores: NDArray[np.float64], documents: Ids, manner: Mapping[str, Any], stream: Stream
) -> Iterator[Number]:
    means = mean_interval(per_document(scores, documents), **manner, rng=stream("part"))
    yield from _per_layer("auc_macro", means)
    if scores.shape[1] > 2:
        yield from _best_layer(scores[:, 1:], documents, manner, stream)


def _best_layer(
    scores: NDArray[np.float64], documents: Ids, manner: Mapping[str, Any], stream: Stream
) -> Iterator[Number]:
    """The best of the layers 1 ... L on a drawn half of the examples; its score on the other."""
    order = stream("halves").permutation(len(scores))
    chosen, left = order[: len(order) // 2], order[len(order) // 2 :]
    if len(chosen):
        best = int(scores[chosen].mean(axis=0).argmax())
        yield "best_layer", NO_LAYER, float(best + 1)
        of_left = per_document(scores[left, best], documents[left])
        there = mean_interval(of_left, **manner, rng=stream("best"))
        yield "best_auc", NO_LAYER, *there


def _last_less_first_third(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Per example, the mean over the last third of the layers minus that over the first third."""
    third = max(1, curve.shape[1] // 3)
    return curve[:, -third:].mean(axis=1) - curve[:, :third].mean(axis=1)


def _curves(ranking: Ranking) -> dict[str, tuple[NDArray, NDArray]]:
    """Numerators (n_documents, n_layers) and denominators (n_documents,) of the three metrics."""
    kept = ranking.kept
    count, n_neg = 100.0 * ranking.count[kept], ranking.n_neg[kept]
    curves = {
        "eq3": (count, ranking.para_len[kept]),
        "auc_micro": (count, n_neg),
        "auc_macro": (count / n_neg[:, None], np.ones(len(n_neg))),
    }
    documents = ranking.documents[kept]
    return {
        metric: (per_document(above, documents), per_document(below, documents))
        for metric, (above, below) in curves.items()
    }


def per_document(values: NDArray[np.number], documents: Ids) -> NDArray[np.float64]:
    """Sums over the examples of each document, divided by the mean number of examples of one.

    Their mean over the documents is that of the values over the examples, and a bootstrap or a
    test over them takes a document whole. Of documents of one example each these are the values.

    >>> per_document(np.array([1.0, 2.0, 6.0]), np.array([0, 0, 1])).tolist()
    [2.0, 4.0]
    """
    _, number = np.unique(documents, return_inverse=True)
    n = int(number.max()) + 1
    if n == len(values):
        return np.asarray(values, dtype=np.float64)
    sums = np.zeros((n, *values.shape[1:]))
    np.add.at(sums, number, values)
    return sums * (n / len(values))


def pairwise_gaps(
    rankings: Sequence[Ranking],
    *,
    after: str,
    before: str,
    encoder: str,
    seed: int,
    layer_mark: float | Fraction,
    confidence: float,
    bootstrap: int,
    permutations: int,
    margin: float,
) -> list[Result]:
    """Result rows of `after` against `before`: gaps of auc_macro, paired over the examples.

    Whole documents are drawn, and change their sign (`per_document`).

    Of the score and, where there are foreign anchors, of its parts ``specific`` and ``type``.

    Per layer: ``gap``; ``p`` (sign flips); ``p_holm`` (over the layers 1 ... L of one probe and
    condition; the embedding, layer 0, is no part of it); ``equivalence`` (the gap in its
    1 - 2 alpha interval) and ``equivalence_p`` (that it lies within plus or minus `margin` points).
    Over the layers 1 ... L: ``contrast``, the mean gap above the mark minus the mean gap at or
    below it, and ``contrast_p``. The mark is that of `stats.marked_layer`.

    Raises
    ------
    UnknownNameError
        If a state was not ranked.
    PairwiseError
        If the two states rank other examples.
    StatsError
        If the mark leaves no layer on one side.
    """
    states = {ranking.state for ranking in rankings}
    for state in (after, before):
        if state not in states:
            raise UnknownNameError("state", state, states)
    rows = []
    for ranking, base in _paired(rankings, after, before):
        _require_same_examples(ranking, base)
        for part in parts_of(ranking):
            (scores, documents), (base_scores, _) = (
                part_examples(one, part) for one in (ranking, base)
            )
            if part == OTHER or not len(scores):
                continue
            gaps = per_document(scores - base_scores, documents)
            _, sizes = np.unique(documents, return_counts=True)
            found = _gap_numbers(
                gaps,
                mark=marked_layer(layer_mark, gaps.shape[1] - 1),
                stream=partial(_stream, seed, ranking),
                confidence=confidence,
                bootstrap=bootstrap,
                permutations=permutations,
                margin=margin,
                bound=REACH[part] * sizes.max() / sizes.mean() * (1 + 1e-9),  # for rounding
            )
            keys = (encoder, seed, confidence)
            rows += _result_rows(ranking, len(scores), found, *keys, against=before, part=part)
    return rows


def _gap_numbers(
    gaps: NDArray[np.float64],
    *,
    mark: int,
    stream: Stream,
    confidence: float,
    bootstrap: int,
    permutations: int,
    margin: float,
    bound: float,
) -> Iterator[Number]:
    interval = partial(mean_interval, confidence=confidence, n_bootstrap=bootstrap)
    p_value = partial(sign_flip_p, n_permutations=permutations)
    yield from _per_layer("gap", interval(gaps, rng=stream("gap")))
    p = p_value(gaps, rng=stream("gap p"))
    yield from _per_layer("p", [p])
    yield from _per_layer("p_holm", [np.append(np.nan, holm(p[1:]))])
    equal = equivalence(
        gaps,
        margin,
        bound=bound,
        alpha=1 - confidence,
        n_draws=bootstrap,
        rng=stream("equivalence"),
    )
    yield from _per_layer(EQUIVALENCE, [gaps.mean(axis=0), equal.low, equal.high])
    yield from _per_layer("equivalence_p", [equal.p])
    contrast = layer_contrast(gaps[:, 1:], mark)
    yield "contrast", NO_LAYER, *interval(contrast, rng=stream("contrast"))
    yield "contrast_p", NO_LAYER, p_value(contrast, rng=stream("contrast p"))


def _paired(
    rankings: Sequence[Ranking], after: str, before: str
) -> Iterator[tuple[Ranking, Ranking]]:
    """The rankings that both states have, where an example is left to compare."""
    bases = {(r.probe, r.condition): r for r in rankings if r.state == before}
    for ranking in rankings:
        base = bases.get((ranking.probe, ranking.condition))
        if ranking.state == after and base is not None and ranking.kept.any():
            yield ranking, base


def _require_same_examples(after: Ranking, before: Ranking) -> None:
    for name in ("example", "n_neg"):
        if not np.array_equal(getattr(after, name), getattr(before, name)):
            raise PairwiseError(
                f"{after.probe} ({after.condition}): {after.state} and {before.state} differ in "
                f"{name}; rank both with the same examples table."
            )


def _per_layer(metric: str, numbers: Sequence[NDArray]) -> Iterator[Number]:
    """One number a layer from arrays (value) or (value, low, high) of shape (n_layers,)."""
    for layer, at in enumerate(zip(*numbers, strict=True)):
        yield metric, layer, *at


def _result_rows(
    ranking: Ranking,
    n: int,
    found: Iterable[Number],
    encoder: str,
    seed: int,
    confidence: float,
    against: str = "",
    part: str = OWN,
) -> list[Result]:
    where: dict[str, Any] = {
        "state": ranking.state,
        "against": against,
        "part": part,
        **facets(ranking.probe, ranking.condition),
    }
    rows = []
    for metric, layer, *numbers in found:
        value, low, high = (*map(float, numbers), np.nan, np.nan)[:3]
        level = 2 * confidence - 1 if metric == EQUIVALENCE else np.nan
        rows.append(Result(metric, value, low, high, n, layer=layer, level=level, **where))
    keys: dict[str, Any] = {"study": STUDY, "encoder": encoder, "task": ranking.probe, "seed": seed}
    return stamp(rows, **keys, level=confidence)


def facets(probe: str, condition: str) -> dict[str, Any]:
    """The condition of a ranking as columns of result rows.

    >>> facets("synonyms", "cosine/words/centred")
    {'similarity': 'cosine', 'negatives': 'words', 'centred': 1, 'axis_removed': 0}
    >>> facets("boundary", "lens")
    {'readout': 'lens'}
    """
    if probe == BOUNDARY:
        return {"readout": condition}
    similarity, negatives, *view = condition.split("/")
    return {
        "similarity": similarity,
        "negatives": negatives,
        "centred": int(view == ["centred"]),
        "axis_removed": int(view == ["without-axis"]),
    }


def _stream(seed: int, ranking: Ranking, purpose: str) -> np.random.Generator:
    """The same draws for every state, so that states are compared on the same samples."""
    return rng(seed, STUDY, ranking.probe, ranking.condition, purpose)
