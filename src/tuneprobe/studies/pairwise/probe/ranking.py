"""Pairwise probe: does a matched pair score higher than the unmatched ones? Nothing is trained.

An example is an anchor (a span of the question) and a match (an interval of the paragraph's
words). The anchor is kept; other words of the paragraph take the place of the match::

    question   who is the boss of the rbc         anchor  rbc
    paragraph  The red blood cell carries ...     match   red blood cell
    count = how many negatives score below the match; a tie is lost

Source: Cai et al. 2020 (SIGIR), eq. 1-3. The windows of the match's own length and the centred
vectors are controls that the paper does not have: a mean of k vectors is shorter and varies less
than one vector, which alone moves its rank.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneprobe.errors import UnknownNameError
from tuneprobe.studies.pairwise.probe.paragraphs import (
    ROWS_HELD,
    Ids,
    Matrix,
    Pairs,
    PairwiseError,
    read_rows,
    release,
)

SIMILARITIES = ("cosine", "euclidean")
NEGATIVES = ("words", "length-matched")
RESOLUTION = 1e-9  # float32 vectors carry 6e-8: scores closer than this are a tie


class Condition(NamedTuple):
    """How scores are computed and what the match is ranked against."""

    similarity: str
    negatives: str
    centred: bool = False

    @property
    def name(self) -> str:
        """The parts joined by ``/``.

        >>> Condition("cosine", "length-matched", True).name
        'cosine/length-matched/centred'
        """
        return "/".join([self.similarity, self.negatives, *["centred"] * self.centred])


@dataclass(frozen=True)
class Outcomes:
    """What ranking gives for every example; every metric is a function of these.

    Attributes
    ----------
    count, n_neg, para_len : ndarray of int, shape (n_examples,)
        Negatives that score below the match, negatives, positions of the paragraph.
        ``n_neg`` is 0 where nothing is left to compare with.
    """

    count: Ids
    n_neg: Ids
    para_len: Ids


def conditions(
    similarities: Sequence[str], negatives: Sequence[str], centred: Sequence[bool] = (False,)
) -> list[Condition]:
    """All combinations; centred Euclidean is left out, since a shift changes no distance."""
    for kind, names, known in (
        ("similarity", similarities, SIMILARITIES),
        ("kind of negatives", negatives, NEGATIVES),
    ):
        for name in names:
            if name not in known:
                raise UnknownNameError(kind, name, known)
    return [
        Condition(*parts)
        for parts in product(similarities, negatives, centred)
        if parts[0] == "cosine" or not parts[2]
    ]


def mean_vector(X: Matrix, rows: Ids) -> NDArray[np.float64]:
    """Mean of some rows, shape (dim,): ``mean(X[rows], axis=0)``, summed in float64."""
    total = np.zeros(X.shape[1])
    for chunk in np.array_split(rows, len(rows) // ROWS_HELD + 1):
        total += read_rows(X, chunk).sum(axis=0, dtype=np.float64)
        release(X)
    return total / len(rows)


def rank_matches(
    X: Matrix, pairs: Pairs, conditions: Sequence[Condition], mean: Matrix | None = None
) -> dict[Condition, Outcomes]:
    """Negatives that score below the match: ``count_i = sum_j [s(a_i, n_ij) < s(a_i, m_i)]``.

    The match is the mean of its k words. A negative is a window of the paragraph that meets
    neither the match nor the anchor: of 1 word (``words``) or of k words (``length-matched``). The
    score s is the cosine or minus the Euclidean distance; scores that agree to 1e-9 are a tie,
    and a tie is lost. The cosine with a zero vector is 0.

    Parameters
    ----------
    X : ndarray of shape (n_spans, dim)
        One layer; may be memory-mapped. Rows are read one paragraph at a time, once each.
    pairs : Pairs
    conditions : sequence of Condition
    mean : ndarray of shape (dim,), optional
        Subtracted from every vector in the centred conditions.

    Returns
    -------
    dict of Condition to Outcomes

    Raises
    ------
    PairwiseError
        If a vector holds NaN or infinity (the message names its span), or `mean` is needed.

    Examples
    --------
    >>> X = np.array([[1, 0], [1, 0.1], [0, 1], [1, 0.2]])  # anchor, then three words
    >>> one = np.array([0])
    >>> pairs = Pairs(one, one, np.array([[0, 1]]), np.array([[0, 0]]), np.array([0, 3]),
    ...               np.array([1, 2, 3]))
    >>> rank_matches(X, pairs, [Condition("cosine", "words")])[("cosine", "words", False)].count
    array([2])
    """
    if mean is None and any(condition.centred for condition in conditions):
        raise PairwiseError("a centred condition needs the mean vector of the layer.")
    n = len(pairs.anchor)
    count = {condition: np.zeros(n, dtype=np.int64) for condition in conditions}
    n_neg = {kind: np.zeros(n, dtype=np.int64) for kind in NEGATIVES}
    width, held = pairs.match[:, 1] - pairs.match[:, 0], 0
    for paragraph, examples in pairs.by_paragraph():
        words = read_rows(X, pairs.words_of(paragraph))
        for k in np.unique(width[examples]):
            rows = examples[width[examples] == k]
            windows = _Windows(words, read_rows(X, pairs.anchor[rows]), mean)
            for kind, w in zip(NEGATIVES, (1, int(k))):
                free = _free_windows(len(words), w, pairs.match[rows], pairs.avoid[rows])
                n_neg[kind][rows] = free.sum(axis=1)
                for condition in conditions:
                    if condition.negatives == kind:
                        below = windows.below(condition, int(k), pairs.match[rows, 0], w)
                        count[condition][rows] = (below & free).sum(axis=1)
        held += len(words)
        if held > ROWS_HELD:
            release(X)
            held = 0
    return {c: Outcomes(count[c], n_neg[c.negatives], pairs.para_len) for c in conditions}


def _free_windows(length: int, width: int, *taken: Ids) -> NDArray[np.bool_]:
    """Which windows of `width` words meet none of the (m, 2) intervals; (m, n_windows)."""
    start = np.arange(max(length - width + 1, 0))
    free = np.ones((len(taken[0]), len(start)), dtype=bool)
    for interval in taken:
        first, last = interval[:, :1], interval[:, 1:]
        free &= (start + width <= first) | (start >= last) | (first == last)
    return free


class _Windows:
    """Scores of all windows of one paragraph against m anchors.

    The dot product of a window with an anchor is the mean of its words' dot products, so one
    matrix product serves all widths. Centred products follow from those with the mean vector u,
    (x - u)·(y - u) = x·y - x·u - y·u + u·u.
    """

    def __init__(self, words: Matrix, anchors: Matrix, mean: Matrix | None) -> None:
        self.words, anchors = words.astype(np.float64), anchors.astype(np.float64)
        u = np.zeros(words.shape[1]) if mean is None else np.asarray(mean, dtype=np.float64)
        self.products = np.vstack([anchors, u]) @ self.words.T  # (m + 1, n_words)
        self.anchor_norms = np.einsum("md,md->m", anchors, anchors)
        self.anchor_mean, self.mean_norm = anchors @ u, float(u @ u)
        self.norms: dict[int, NDArray[np.float64]] = {}

    def below(self, condition: Condition, k: int, start: Ids, w: int) -> NDArray[np.bool_]:
        """Which windows of w words score below the window of k words at `start`; (m, n_windows)."""
        score = self._cosine if condition.similarity == "cosine" else self._distance
        match = score(k, condition.centred)[np.arange(len(start)), start][:, None]
        scale = 1.0
        if condition.similarity == "euclidean":
            scale = (self.anchor_norms + self._window_norms(k)[start])[:, None]
        return score(w, condition.centred) < match - RESOLUTION * scale

    def _window_norms(self, w: int) -> NDArray[np.float64]:
        if w not in self.norms:
            windows = _moving_sum(self.words, w)
            self.norms[w] = np.einsum("nd,nd->n", windows, windows) / w**2
        return self.norms[w]

    def _dots(self, w: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """With the anchors, (m, n_windows), and with the mean vector, (n_windows,)."""
        dots = _moving_sum(self.products.T, w).T / w
        return dots[:-1], dots[-1]

    def _distance(self, w: int, centred: bool) -> NDArray[np.float64]:
        """Minus the squared distance, which ranks as the distance does."""
        dots, _ = self._dots(w)
        return 2 * dots - self._window_norms(w) - self.anchor_norms[:, None]

    def _cosine(self, w: int, centred: bool) -> NDArray[np.float64]:
        dots, with_mean = self._dots(w)
        anchors, windows = self.anchor_norms, self._window_norms(w)
        if centred:
            dots = dots - with_mean - self.anchor_mean[:, None] + self.mean_norm
            anchors = _shifted(anchors, self.anchor_mean, self.mean_norm)
            windows = _shifted(windows, with_mean, self.mean_norm)
        scale = np.sqrt(anchors[:, None] * windows)
        return np.divide(dots, scale, out=np.zeros_like(dots), where=scale > 0)


def _moving_sum(rows: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Sums of `width` consecutive rows, by doubling: about log2(width) additions a row."""
    if width == 1:
        return rows
    half = width // 2
    sums = _moving_sum(rows, half)
    sums = sums[:-half] + sums[half:]
    return sums[:-1] + rows[2 * half :] if width % 2 else sums


def _shifted(norms: Matrix, with_mean: Matrix, mean_norm: float) -> NDArray[np.float64]:
    """|x - u|² from |x|², x·u and |u|²; 0 where x and u agree to the last digit of float32."""
    moved = norms - 2 * with_mean + mean_norm
    return np.where(moved > 1e-13 * (norms + mean_norm), moved, 0.0)


def eq3(outcomes: Outcomes) -> float:
    """Eq. 3 of the paper: ``100 * sum(count) / sum(para_len)``; cannot reach 100.

    Over the examples that have a negative, as all metrics.
    """
    kept = outcomes.n_neg > 0
    return float(100 * outcomes.count[kept].sum() / outcomes.para_len[kept].sum())


def auc_micro(outcomes: Outcomes) -> float:
    """Share of negatives below the match: ``100 * sum(count) / sum(n_neg)``; chance is 50."""
    return float(100 * outcomes.count.sum() / outcomes.n_neg.sum())


def auc_macro(outcomes: Outcomes) -> float:
    """Mean over the examples of ``100 * count / n_neg``; chance is 50."""
    kept = outcomes.n_neg > 0
    return float(100 * np.mean(outcomes.count[kept] / outcomes.n_neg[kept]))
