"""Result rows of the pairwise study: curves of every state, gaps between two, and their tests."""

from collections.abc import Callable, Iterable, Iterator, Sequence
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
    mean_interval,
    ratio_interval,
    sign_flip_p,
    trend_interval,
)
from tuneprobe.studies.pairwise.probe.paragraphs import PairwiseError
from tuneprobe.studies.pairwise.probe.study import BOUNDARY, Ranking

STUDY = "pairwise"
EQUIVALENCE = "equivalence"  # its interval has the level 1 - 2 alpha

Number = tuple[Any, ...]  # metric, layer, value[, low, high]
Stream = Callable[[str], np.random.Generator]


def pairwise_results(
    rankings: Sequence[Ranking], *, encoder: str, seed: int, confidence: float, bootstrap: int
) -> list[Result]:
    """Result rows of every state, with bootstrap intervals over the examples.

    Per layer: ``eq3``, ``auc_micro``, ``auc_macro``. Over the layers 1 ... L: ``trend``, the
    Spearman correlation of auc_macro with the layer, and ``trend_eq3``, that of eq3 (auc_micro has
    the same). ``excluded`` counts the examples without a negative; ``n`` counts the others.
    """
    rows = []
    for ranking in rankings:
        n_kept = int(ranking.kept.sum())
        found = [("excluded", NO_LAYER, float(len(ranking.kept) - n_kept))]
        if n_kept:
            stream = partial(_stream, seed, ranking)
            found += _curve_numbers(ranking, confidence, bootstrap, stream)
        rows += _result_rows(ranking, n_kept, found, encoder, seed, confidence)
    return rows


def _curve_numbers(
    ranking: Ranking, confidence: float, bootstrap: int, stream: Stream
) -> Iterator[Number]:
    kept = ranking.kept
    count, n_neg = 100.0 * ranking.count[kept], ranking.n_neg[kept]
    curves = {
        "eq3": (count, ranking.para_len[kept]),
        "auc_micro": (count, n_neg),
        "auc_macro": (count / n_neg[:, None], np.ones(len(n_neg))),
    }
    for metric, (above, below) in curves.items():
        draws = stream("curve")
        interval = ratio_interval(
            above, below, confidence=confidence, n_bootstrap=bootstrap, rng=draws
        )
        yield from _per_layer(metric, interval)
    for metric, curve in (("trend", "auc_macro"), ("trend_eq3", "eq3")):
        above, below = curves[curve]
        draws = stream("trend")
        trend = trend_interval(
            above[:, 1:], below, confidence=confidence, n_bootstrap=bootstrap, rng=draws
        )
        yield metric, NO_LAYER, *trend


def pairwise_gaps(
    rankings: Sequence[Ranking],
    *,
    after: str,
    before: str,
    encoder: str,
    seed: int,
    layer_mark: float,
    confidence: float,
    bootstrap: int,
    permutations: int,
    margin: float,
) -> list[Result]:
    """Result rows of `after` against `before`: gaps of auc_macro, paired over the examples.

    Per layer: ``gap``; ``p`` (sign flips); ``p_holm`` (over the layers of one probe and
    condition); ``equivalence`` (the gap in its 1 - 2 alpha interval) and ``equivalence_p`` (that
    it lies within plus or minus `margin` points). Over the layers 1 ... L: ``contrast``, the mean
    gap above the mark minus the mean gap at or below it, and ``contrast_p``. The mark is layer
    ``round(layer_mark * L)``: .4167 of 12 is the paper's fifth.

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
        gaps = _gaps(ranking, base)
        found = _gap_numbers(
            gaps,
            mark=round(layer_mark * (gaps.shape[1] - 1)),
            stream=partial(_stream, seed, ranking),
            confidence=confidence,
            bootstrap=bootstrap,
            permutations=permutations,
            margin=margin,
        )
        keys = (encoder, seed, confidence)
        rows += _result_rows(ranking, len(gaps), found, *keys, against=before)
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
) -> Iterator[Number]:
    interval = partial(mean_interval, confidence=confidence, n_bootstrap=bootstrap)
    p_value = partial(sign_flip_p, n_permutations=permutations)
    yield from _per_layer("gap", interval(gaps, rng=stream("gap")))
    p = p_value(gaps, rng=stream("gap p"))
    yield from _per_layer("p", [p])
    yield from _per_layer("p_holm", [holm(p)])
    equal = equivalence(
        gaps, margin, alpha=1 - confidence, n_bootstrap=bootstrap, rng=stream("equivalence")
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


def _gaps(after: Ranking, before: Ranking) -> NDArray[np.float64]:
    """Difference of the examples' auc in points, shape (n_kept, n_layers)."""
    for name in ("example", "n_neg"):
        if not np.array_equal(getattr(after, name), getattr(before, name)):
            raise PairwiseError(
                f"{after.probe} ({after.condition}): {after.state} and {before.state} differ in "
                f"{name}; rank both with the same examples table."
            )
    kept = after.kept
    return 100.0 * (after.count - before.count)[kept] / after.n_neg[kept, None]


def _per_layer(metric: str, numbers: Sequence[NDArray]) -> Iterator[Number]:
    """One number a layer from arrays (value) or (value, low, high) of shape (n_layers,)."""
    for layer, at in enumerate(zip(*numbers)):
        yield metric, layer, *at


def _result_rows(
    ranking: Ranking,
    n: int,
    found: Iterable[Number],
    encoder: str,
    seed: int,
    confidence: float,
    against: str = "",
) -> list[Result]:
    where: dict[str, Any] = {
        "state": ranking.state,
        "against": against,
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
    {'similarity': 'cosine', 'negatives': 'words', 'centred': 1}
    >>> facets("boundary", "lens")
    {'readout': 'lens'}
    """
    if probe == BOUNDARY:
        return {"readout": condition}
    similarity, negatives, *centred = condition.split("/")
    return {"similarity": similarity, "negatives": negatives, "centred": len(centred)}


def _stream(seed: int, ranking: Ranking, purpose: str) -> np.random.Generator:
    """The same draws for every state, so that states are compared on the same samples."""
    return rng(seed, STUDY, ranking.probe, ranking.condition, purpose)
