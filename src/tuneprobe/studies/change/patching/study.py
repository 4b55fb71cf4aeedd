"""Cross-model patching: the state of a span in one model is put into the other, at one layer.

The pairs of words are those of the probes: an anchor in the question, a match in the paragraph. At
layer k the pieces of the anchor, or of the match, get the other model's state; the layers above run
on, and the last one is ranked as the probes rank it (cosine, against the other words). What this
moves is carried by the state of that span. The control are as many other words of the paragraph.
Source: Prakash et al. 2024 (ICLR), there of heads and positions of language models.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuneprobe.encoders.encoder import Encoder, pad_batch
from tuneprobe.encoders.forward import TokenBudget, encoding_tokens
from tuneprobe.encoders.represent import cut_texts, pooling_matrix
from tuneprobe.errors import TuneprobeError
from tuneprobe.formats.examples import Examples
from tuneprobe.formats.results import Result
from tuneprobe.rng import rng
from tuneprobe.states import FINETUNED, PRETRAINED
from tuneprobe.stats import ratio_interval
from tuneprobe.studies.change.restore.layers import OTHER, Pair
from tuneprobe.studies.pairwise.probe.paragraphs import Pairs, pairs_from_examples
from tuneprobe.studies.pairwise.probe.ranking import Condition, rank_matches
from tuneprobe.studies.pairwise.probe.study import document_numbers, pair_rows
from tuneprobe.tuning.heads import INPUTS

STAGE = "patch"
ANCHOR, MATCH, ELSEWHERE = "anchor", "match", "elsewhere"
SPANS = (ANCHOR, MATCH, ELSEWHERE)
USUAL = Condition("cosine", "words")
STATES = (FINETUNED, PRETRAINED)

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
Known = Mapping[str, tuple[Sequence[Tensor], Tensor]]


class PatchError(TuneprobeError):
    """Pairs of words that no state can be put into."""


class Patch(NamedTuple):
    """Which state is put where: that of the other model, at a layer 0 ... L - 1, at a span."""

    base: str
    layer: int
    span: str


class Scores(NamedTuple):
    """AUC of each example in percent, NaN where it has no negative.

    Attributes
    ----------
    intact : float64 ndarray of shape (2, n)
        Of the tuned and of the pre-trained model.
    patched : float64 ndarray of shape (n_patches, n)
    """

    intact: Floats
    patched: Floats


def patches(n_layers: int, every: int) -> list[Patch]:
    """Both directions, every so many layers below the last (at least one), all spans."""
    layers = range(every, n_layers, every) or [n_layers // 2]
    return [Patch(base, layer, span) for base in STATES for layer in layers for span in SPANS]


def patch_rows(
    pair: Pair,
    encoder: Encoder,
    examples: Examples,
    *,
    layout: str,
    per_probe: int,
    every: int,
    task: str,
    seed: int,
    confidence: float,
    bootstrap: int,
    tokens_per_batch: int | None,
) -> list[Result]:
    """Result rows by probe, in the facet ``label``.

    =============  =======  ==================================================================
    metric         layer    value
    =============  =======  ==================================================================
    pair_score     -1       AUC in the last layer, mean over examples, percent, of either model
    patch_change   0 ...    with the span (``part``) from the other model, minus that: points
    patch_excess   0 ...    the same of anchor and match, minus that of the words elsewhere
    =============  =======  ==================================================================

    ``state`` is the model that runs on, ``against`` the one that the state comes from. Intervals
    are paired, over documents.

    Parameters
    ----------
    layout : str
        Of the inputs, as vectors are made: ``pair`` or ``plain``.
    per_probe : int
        Examples of each probe at most, drawn under `seed`, no two of one text.
    every : int
        Layers from one patched layer to the next.

    Raises
    ------
    PatchError
        If there are no pairs of words.
    """
    wanted, documents = patches(pair.n_layers, every), document_numbers(examples)
    rows: list[Result] = []
    for probe, chosen in sampled_pairs(examples, per_probe, seed, task):
        found = patched_scores(
            pair,
            encoder,
            examples,
            chosen,
            wanted,
            layout=layout,
            draws=rng(seed, "change", "patch", task, probe, "elsewhere"),
            tokens_per_batch=tokens_per_batch,
        )
        kept = np.isfinite(found.intact[0])
        if not kept.any():
            continue
        number = np.unique(documents[chosen[kept]], return_inverse=True)[1]
        stream = (seed, "bootstrap", "change", task, "patch", probe)
        settings = {"confidence": confidence, "n_bootstrap": bootstrap}
        bounds = partial(_mean, kept, number, stream, settings)
        place = {one: row for row, one in enumerate(wanted)}
        for state, values in zip(STATES, found.intact, strict=True):
            rows.append(bounds("pair_score", values, state=state, label=probe))
        for one, row in place.items():
            change = found.patched[row] - found.intact[STATES.index(one.base)]
            of: dict[str, Any] = {"state": one.base, "against": OTHER[one.base], "label": probe}
            of |= {"layer": one.layer, "part": one.span}
            rows.append(bounds("patch_change", change, **of))
            if one.span != ELSEWHERE:
                excess = found.patched[row] - found.patched[place[one._replace(span=ELSEWHERE)]]
                rows.append(bounds("patch_excess", excess, **of))
    return rows


def _mean(
    kept: NDArray[np.bool_],
    number: Ids,
    stream: tuple[Any, ...],
    settings: Mapping[str, Any],
    metric: str,
    values: Floats,
    **facets: Any,
) -> Result:
    """The mean over the examples that are kept; documents, by number, are what is resampled."""
    sums = np.bincount(number, values[kept])
    found = ratio_interval(sums, np.bincount(number), rng=rng(*stream), **settings)
    value, low, high = map(float, found)
    return Result(metric, value, low, high, len(number), **facets)


def sampled_pairs(
    examples: Examples, per_probe: int, seed: int, task: str
) -> Iterator[tuple[str, Ids]]:
    """Each probe with the rows of its sample, ascending, no two of one text."""
    table = examples.examples
    rows = pair_rows(examples)
    if not len(rows):
        raise PatchError(f"the examples of {task} have no pair of words: look at their funnel.csv.")
    labels, text = table.label.to_numpy()[rows], examples.spans.text.to_numpy()
    for probe in sorted(set(labels)):
        of_probe = rng(seed, "change", "patch", task, probe).permutation(rows[labels == probe])
        first = np.unique(text[table.span2.to_numpy()[of_probe]], return_index=True)[1]
        yield probe, np.sort(of_probe[np.sort(first)[:per_probe]])


def patched_scores(
    pair: Pair,
    encoder: Encoder,
    examples: Examples,
    rows: Ids,
    wanted: Sequence[Patch],
    *,
    layout: str,
    draws: np.random.Generator,
    tokens_per_batch: int | None,
) -> Scores:
    """Scores of some pairs, one a text, in both models and under every patch."""
    text = examples.spans.text.to_numpy()[examples.examples.span2.to_numpy()[rows]]
    pieces = cut_texts(encoder, examples.texts.iloc[text].reset_index(drop=True), layout)
    where = elsewhere(pairs_from_examples(examples, rows), draws)

    def work(batch: Ids) -> tuple[list[Floats], list[Floats]]:
        read = [pieces[one] for one in batch]
        pairs = pairs_from_examples(examples, rows[batch])
        inputs = {k: v for k, v in pad_batch(encoder, read).items() if k in INPUTS}
        known = {state: pair.hidden(state, inputs) for state in STATES}
        match = examples.examples.span2.to_numpy()[rows[batch]]
        others = [
            pairs.words_of(p)[where[one]] for one, p in zip(batch, pairs.paragraph, strict=True)
        ]
        spans = {ANCHOR: pairs.anchor, MATCH: match, ELSEWHERE: np.concatenate(others)}
        seq = inputs["input_ids"].shape[1]

        def pool(ids: Ids) -> Tensor:
            matrix = pooling_matrix(read, text[batch], examples.spans.iloc[ids], seq)
            return matrix.to(encoder.device)

        places = {span: _pieces_of(pool(ids), (len(batch), seq)) for span, ids in spans.items()}
        ranked = np.concatenate([pairs.anchor, pairs.words])
        reads, n = pool(ranked), len(batch)
        own = replace(pairs, anchor=np.arange(n), words=n + np.arange(len(pairs.words)))
        intact = [_auc(reads, known[state][1], own) for state in STATES]
        patched = [
            _auc(reads, patched_state(pair, one, inputs, known, places[one.span]), own)
            for one in wanted
        ]
        return intact, patched

    found = Scores(np.empty((2, len(rows))), np.empty((len(wanted), len(rows))))
    budget = TokenBudget(tokens_per_batch or encoding_tokens(encoder))
    with torch.inference_mode():
        for batch, scores in budget.passes(np.array([len(one) for one in pieces]), work):
            for whole, part in zip(found, scores, strict=True):
                whole[:, batch] = part
    return found


def patched_state(
    pair: Pair, patch: Patch, inputs: Mapping[str, Tensor], known: Known, places: Tensor
) -> Tensor:
    """What the base gives, (batch, seq, dim), whose state in some places is the other model's.

    Parameters
    ----------
    known : mapping
        Both models' `Pair.hidden` of the inputs.
    places : bool tensor of shape (batch, seq)
    """
    own, other = (known[state][0][patch.layer] for state in (patch.base, OTHER[patch.base]))
    mixed = torch.where(places[..., None], other, own)
    return pair.resume(patch.base, inputs, patch.layer, mixed)


def elsewhere(pairs: Pairs, draws: np.random.Generator) -> list[Ids]:
    """Of each example, as many random words of the paragraph as the match has, or what is free.

    Positions in the paragraph, outside match and anchor, ascending.
    """
    found = []
    for (start, end), (first, last), length in zip(
        pairs.match.tolist(), pairs.avoid.tolist(), pairs.para_len.tolist(), strict=True
    ):
        taken = {*range(start, end), *range(first, last)}
        free = np.array([place for place in range(length) if place not in taken], dtype=np.int64)
        size = min(end - start, len(free))
        found.append(np.sort(draws.choice(free, size=size, replace=False)) if size else free)
    return found


def _auc(reads: Tensor, last: Tensor, pairs: Pairs) -> Floats:
    """Percent of the negatives below the match, by example; NaN where there is none."""
    X = torch.sparse.mm(reads, last.reshape(-1, last.shape[-1])).cpu().numpy()
    found = rank_matches(X, pairs, [USUAL])[USUAL]
    with np.errstate(invalid="ignore"):
        return 100 * found.count / np.where(found.n_neg, found.n_neg, np.nan)


def _pieces_of(pool: Tensor, shape: tuple[int, int]) -> Tensor:
    """Which pieces belong to one of the spans that a matrix pools, bool of that shape."""
    here = torch.zeros(shape[0] * shape[1], dtype=torch.bool, device=pool.device)
    here[pool.coalesce().indices()[1]] = True
    return here.reshape(shape)
