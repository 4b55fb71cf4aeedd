"""Anchors of other questions, which take the place of an example's own.

A match that ranks high says "near this anchor" or only "near anything like this anchor". Ranking
the same match for anchors of other questions tells the two apart::

    own anchor      rbc            match  red blood cell    count
    other anchors   dna, usa, ...  match  red blood cell    foreign["other"], their mean count
    pair-specific part = AUC(own anchor) - mean AUC(other anchors)

For answer types the anchor is the question word, so the part that knows *types* is told from the
rest by two more sets: the same word in other questions ("same-word") and the other words
("other-word"); their difference is the type part.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tuneprobe.formats.examples import Examples
from tuneprobe.rng import rng
from tuneprobe.studies.pairwise.probe.paragraphs import Ids

OTHER, SAME_WORD, OTHER_WORD = "other", "same-word", "other-word"
NONE = -1  # in the place of an anchor where the other questions have none that fits


def foreign_anchors(
    examples: Examples, rows: Ids, *, n_anchors: int, seed: int, kind: str = OTHER
) -> Ids:
    """Span ids of anchors of other questions, of the same probe and another paragraph.

    Drawn without replacement where there are enough, else with; under a named stream of each
    example, so that an example's draws do not depend on the others.

    Parameters
    ----------
    examples : Examples
        Of kind ``pairs``.
    rows : ndarray of int, shape (n,)
        Rows of the examples table that are ranked and drawn from.
    n_anchors : int
    kind : str
        ``other``: any anchor; ``same-word`` or ``other-word``: only anchors that are written as
        the own one, or not so.

    Returns
    -------
    ndarray of int, shape (n, n_anchors)
        Filled with -1 where no anchor fits.
    """
    table = examples.examples.iloc[rows]
    anchor = table.span1.to_numpy(np.int64)
    probe = table.label.to_numpy(dtype=str)
    paragraph = _paragraph_numbers(examples, anchor)
    written = anchor_words(examples, anchor)
    drawn = np.full((len(rows), n_anchors), NONE, dtype=np.int64)
    for i in range(len(rows)):
        fits = (probe == probe[i]) & (paragraph != paragraph[i])
        if kind != OTHER:
            fits &= (written == written[i]) == (kind == SAME_WORD)
        candidates = anchor[fits]
        if len(candidates):
            stream = rng(seed, "pairwise", "foreign anchors", kind, int(rows[i]))
            drawn[i] = stream.choice(candidates, n_anchors, replace=len(candidates) < n_anchors)
    return drawn


def foreign_sets(
    examples: Examples, rows: Ids, n_anchors: int, seed: int, kinds: Sequence[str] = (OTHER,)
) -> dict[str, Ids]:
    """The foreign anchors of each kind."""
    return {
        kind: foreign_anchors(examples, rows, n_anchors=n_anchors, seed=seed, kind=kind)
        for kind in kinds
    }


def anchor_words(examples: Examples, spans: Ids) -> NDArray[np.str_]:
    """Each span as it is written, in lower case, words joined by blanks; shape (n,)."""
    table = examples.spans.iloc[spans]
    segments = [examples.texts[name].tolist() for name in ("words1", "words2")]
    parts = zip(table.segment, table.text, table.start, table.end, strict=True)
    words = (segments[segment][text][start:end] for segment, text, start, end in parts)
    return np.array([" ".join(span).lower() for span in words])


def _paragraph_numbers(examples: Examples, spans: Ids) -> Ids:
    """The same number for spans whose texts have the same paragraph, word by word; shape (n,)."""
    text = examples.spans.text.to_numpy(np.int64)[spans]
    paragraphs = examples.texts.words2.tolist()
    seen: dict[tuple[str, ...], int] = {}
    return np.array([seen.setdefault(tuple(paragraphs[t]), len(seen)) for t in text])
