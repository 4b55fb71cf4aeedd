"""The measures as functions of arrays: import what you need and bring your own vectors.

Labels are strings or integers, vectors rows. Nothing here reads a file of a repository or its
configuration. docs/library.md shows each name at work.

====================  =============================================================================
`encode`              sentences to their vectors at every layer of an encoder
`pair_auc`            how often a matched pair is closer than unmatched ones (pairwise study)
`classify`            accuracy of small networks on labelled vectors
`online_codelength`   bits that labels cost, given the vectors
`cluster`             DirectProbe's clusters
`hull_distances`      distances between the hulls of clusters, and between labels
`nearest_cluster`     DirectProbe's prediction
`spatial_similarity`  whether two spaces lay out their labels alike
`linear_cka`, `rsa`   whether two spaces are alike
`fit_leace`           what a space is without a concept
====================  =============================================================================
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from tuneprobe.encoders.encoder import load_encoder
from tuneprobe.encoders.represent import cut_texts, span_vectors
from tuneprobe.errors import TuneprobeError
from tuneprobe.formats.examples import WHOLE_TEXT
from tuneprobe.rng import rng
from tuneprobe.stats import mean_interval
from tuneprobe.studies.change.erasure.leace import fit_leace
from tuneprobe.studies.geometry.classifiers.classifier import classify
from tuneprobe.studies.geometry.classifiers.codelength import online_codelength
from tuneprobe.studies.geometry.directprobe.clusters import cluster
from tuneprobe.studies.geometry.directprobe.distances import measure as hull_distances
from tuneprobe.studies.geometry.directprobe.distances import nearest_cluster
from tuneprobe.studies.geometry.similarity.similarity import linear_cka, rsa, spatial_similarity

__all__ = [
    "classify",
    "cluster",
    "encode",
    "fit_leace",
    "hull_distances",
    "linear_cka",
    "nearest_cluster",
    "online_codelength",
    "pair_auc",
    "rsa",
    "spatial_similarity",
]

TOKENS = 1024  # of a batch
TIE = 1e-9  # scores nearer than this are equal, as in the study


class ArrayError(TuneprobeError):
    """Arrays whose shapes or values a measure cannot take."""


class Share(NamedTuple):
    """A mean over examples with its interval, as shares between 0 and 1."""

    value: float
    low: float
    high: float


def encode(
    sentences: Sequence[str] | Sequence[Sequence[str]],
    *,
    words: bool = False,
    state: str = "pretrained",
    seed: int = 13,
    **source: Any,
) -> NDArray[np.float32]:
    """Vectors of sentences, or of their words, at every layer of an encoder.

    A sentence is its [CLS]; a word is the mean of its word pieces, read within its sentence.

    Parameters
    ----------
    sentences : sequence of str, or of sequences of words
        A text is cut at blanks.
    words : bool
        The vectors of all words, sentence after sentence, in place of one for each sentence.
    state : str
        ``pretrained``, or ``random``: weights drawn under `seed`.
    source : Any
        Where the encoder is, as for `load_encoder`: ``path=``, ``hub=``, or ``package=`` with
        ``folder=``.

    Returns
    -------
    float32 ndarray of shape (n_layers + 1, n, dim)
        Layer 0 is the embedding output.

    Raises
    ------
    EncoderError
        If the encoder cannot be read, a sentence is longer than it reads, or a word has no piece.
    ArrayError
        If there is no sentence, or one without a word.
    """
    cut = [text.split() if isinstance(text, str) else list(text) for text in sentences]
    if not cut or not all(cut):
        at = next((number for number, one in enumerate(cut) if not one), 0)
        what = f"sentence {at} has no word" if cut else "there is no sentence"
        raise ArrayError(f"{what}: give at least one sentence of at least one word.")
    encoder = load_encoder("encoder", state=state, seed=seed, **source)
    texts = pd.DataFrame(
        {
            "source": [f"sentence {n}" for n in range(len(cut))],
            "words1": cut,
            "words2": [[]] * len(cut),
        }
    )
    spans = [
        (text, segment, start, end)
        for text, one in enumerate(cut)
        for segment, start, end in (
            [(0, at, at + 1) for at in range(len(one))] if words else [(WHOLE_TEXT, 0, 0)]
        )
    ]
    table = pd.DataFrame(spans, columns=["text", "segment", "start", "end"])
    found = np.empty((encoder.n_layers + 1, len(spans), encoder.dim), dtype=np.float32)
    pieces = cut_texts(encoder, texts, "pair")
    for rows, layers in span_vectors(encoder, pieces, table, TOKENS):
        for layer, vectors in enumerate(layers):
            found[layer, rows] = vectors
    return found


def pair_auc(
    anchors: ArrayLike,
    matches: ArrayLike,
    negatives: ArrayLike,
    *,
    confidence: float = 0.95,
    n_bootstrap: int = 1000,
    seed: int = 13,
) -> Share:
    """How often a match is closer to its anchor than an unmatched vector is, by cosine.

    The mean over the anchors of the share of their negatives whose cosine lies below the match's;
    a tie is lost, and the cosine with a zero vector is 0 (Cai et al. 2020, macro average). Chance
    is 0.5. The interval is BCa over the anchors; NaN below 20 of them.

    Parameters
    ----------
    anchors, matches : arrays of shape (n, dim)
    negatives : array of shape (n, n_negatives, dim)

    Raises
    ------
    ArrayError
        If the shapes do not fit, or a value is NaN or infinite.

    Examples
    --------
    >>> found = pair_auc([[1, 0], [0, 1]], [[1, 1], [0, 2]], [[[0, 1], [1, 0]], [[1, 0], [1, 1]]])
    >>> found.value
    0.75
    """
    one, two, others = (np.asarray(x, dtype=np.float64) for x in (anchors, matches, negatives))
    if (
        one.ndim != 2
        or one.shape != two.shape
        or others.ndim != 3
        or (len(one), one.shape[1]) != (len(others), others.shape[2])
        or not others.size
    ):
        raise ArrayError(
            f"anchors, matches and negatives have shapes {one.shape}, {two.shape} and "
            f"{others.shape}: expected (n, dim), (n, dim) and (n, n_negatives, dim)."
        )
    if not all(np.isfinite(x).all() for x in (one, two, others)):
        raise ArrayError("a vector holds NaN or infinity: leave it out.")
    score = _cosine(one[:, None], np.concatenate([two[:, None], others], axis=1))
    shares = (score[:, 1:] < score[:, :1] - TIE).mean(axis=1)
    draws = rng(seed, "bootstrap", "pair-auc")
    found = mean_interval(shares, confidence=confidence, n_bootstrap=n_bootstrap, rng=draws)
    return Share(*(float(part) for part in found))


def _cosine(X: NDArray[np.float64], Y: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(X, axis=-1) * np.linalg.norm(Y, axis=-1)
    dots: NDArray[np.float64] = (X * Y).sum(axis=-1)
    return np.divide(dots, norms, out=np.zeros_like(dots), where=norms > 0)
