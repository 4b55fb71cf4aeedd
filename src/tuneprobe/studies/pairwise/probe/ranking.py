"""Pairwise probe: does a matched pair score higher than the unmatched ones? Nothing is trained.

An example is an anchor (a span of the question) and a match (an interval of the paragraph's
words). The anchor is kept; other words of the paragraph take the place of the match::

    question   who is the boss of the rbc         anchor  rbc
    paragraph  The red blood cell carries ...     match   red blood cell
    count = how many negatives score below the match; a tie is lost

Source: Cai et al. 2020 (SIGIR), eq. 1-3. Four controls are not in the paper. Windows of the match's
own length: a mean of k vectors is shorter and varies less than one vector, which alone moves its
rank. Centred vectors, and vectors without the principal axis of the layer. Foreign anchors: the
same match ranked for anchors of other questions, which tells "near this anchor" from "near
anything like it" (`foreign.py`).
"""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

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
VIEWS = ("raw", "centred", "without-axis")
RESOLUTION = 1e-9  # float32 vectors carry 6e-8: scores closer than this are a tie


class Condition(NamedTuple):
    """How scores are computed and what the match is ranked against."""

    similarity: str
    negatives: str
    view: str = "raw"

    @property
    def name(self) -> str:
        """The parts joined by ``/``.

        >>> Condition("cosine", "length-matched", "centred").name
        'cosine/length-matched/centred'
        """
        return "/".join([self.similarity, self.negatives, *[self.view] * (self.view != "raw")])


@dataclass(frozen=True)
class Outcomes:
    """What ranking gives for every example; every metric is a function of these.

    Attributes
    ----------
    count, n_neg, para_len : ndarray of int, shape (n_examples,)
        Negatives that score below the match, negatives, positions of the paragraph.
        ``n_neg`` is 0 where nothing is left to compare with.
    foreign : dict of str to ndarray of float, shape (n_examples,)
        For each set of foreign anchors, the mean of ``count`` over the anchors that take the place
        of the example's own; the match and the negatives stay.
    """

    count: Ids
    n_neg: Ids
    para_len: Ids
    foreign: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


def conditions(
    similarities: Sequence[str], negatives: Sequence[str], views: Sequence[str] = ("raw",)
) -> list[Condition]:
    """All combinations; centred Euclidean is left out, since a shift changes no distance."""
    for kind, names, known in (
        ("similarity", similarities, SIMILARITIES),
        ("kind of negatives", negatives, NEGATIVES),
        ("view of the vectors", views, VIEWS),
    ):
        for name in names:
            if name not in known:
                raise UnknownNameError(kind, name, known)
    return [
        Condition(*parts)
        for parts in product(similarities, negatives, views)
        if parts[0] == "cosine" or parts[2] != "centred"
    ]


def mean_vector(X: Matrix, rows: Ids) -> NDArray[np.float64]:
    """Mean of some rows, shape (dim,): ``mean(X[rows], axis=0)``, summed in float64."""
    total = np.zeros(X.shape[1])
    for chunk in np.array_split(rows, len(rows) // ROWS_HELD + 1):
        total += read_rows(X, chunk).sum(axis=0, dtype=np.float64)
        release(X)
    return total / len(rows)


def principal_axis(X: Matrix, rows: Ids) -> tuple[NDArray[np.float64], float]:
    """First principal axis of some rows, and its share of their variance.

    The axis is the unit eigenvector of the largest eigenvalue of the covariance matrix, with the
    sign that makes its largest component positive; the share is that eigenvalue over the trace.
    Shapes: (dim,) and a number in 0 ... 1 (0 where all rows are equal).
    """
    mean, dim = mean_vector(X, rows).astype(X.dtype), X.shape[1]
    scatter = np.zeros((dim, dim))
    for chunk in np.array_split(rows, len(rows) // ROWS_HELD + 1):
        moved = read_rows(X, chunk) - mean
        scatter += moved.T @ moved
        release(X)
    values, vectors = eigh(scatter, subset_by_index=[dim - 1, dim - 1])
    axis, total = vectors[:, 0], float(np.trace(scatter))
    axis = axis * np.sign(axis[np.abs(axis).argmax()])
    return axis, float(values[0]) / total if total > 0 else 0.0


@dataclass(frozen=True)
class Frame:
    """What the vectors of a layer are seen against.

    Attributes
    ----------
    mean : ndarray of shape (dim,), optional
        Subtracted from every vector in the view ``centred``.
    axis : ndarray of shape (dim,), optional
        Unit vector whose component is removed from every vector in the view ``without-axis``.
    """

    mean: Matrix | None = None
    axis: Matrix | None = None

    def check(self, conditions: Sequence[Condition]) -> None:
        """Refuse conditions whose view needs what the frame lacks."""
        for view, needed in (("centred", self.mean), ("without-axis", self.axis)):
            if needed is None and any(condition.view == view for condition in conditions):
                raise PairwiseError(f"the view '{view}' needs the mean or axis of the layer.")


def rank_matches(
    X: Matrix,
    pairs: Pairs,
    conditions: Sequence[Condition],
    frame: Frame = Frame(),
    foreign: Mapping[str, Ids] | None = None,
) -> dict[Condition, Outcomes]:
    """Negatives that score below the match: ``count_i = sum_j [s(a_i, n_ij) < s(a_i, m_i)]``.

    The match is the mean of its k words. A negative is a window of the paragraph that meets
    neither the match nor the anchor: of 1 word (``words``) or of k words (``length-matched``). The
    score s is the cosine or minus the Euclidean distance; scores that agree to 1e-9 are a tie,
    and a tie is lost. The cosine with a zero vector is 0.

    Parameters
    ----------
    X : ndarray of shape (n_spans, dim)
        One layer; may be memory-mapped. Rows are read one paragraph at a time.
    pairs : Pairs
    conditions : sequence of Condition
    frame : Frame
        Mean and principal axis of the layer, where a condition needs them.
    foreign : dict of str to ndarray of int, shape (n_examples, n_anchors), optional
        Span ids of anchors of other questions, which are ranked in the place of the example's own;
        a row of -1 where there is none, whose mean count is NaN.

    Returns
    -------
    dict of Condition to Outcomes

    Raises
    ------
    PairwiseError
        If a vector holds NaN or infinity (the message names its span), or the frame lacks what a
        condition needs.

    Examples
    --------
    >>> X = np.array([[1, 0], [1, 0.1], [0, 1], [1, 0.2]])  # anchor, then three words
    >>> one = np.array([0])
    >>> pairs = Pairs(one, one, np.array([[0, 1]]), np.array([[0, 0]]), np.array([0, 3]),
    ...               np.array([1, 2, 3]))
    >>> rank_matches(X, pairs, [Condition("cosine", "words")])[("cosine", "words", "raw")].count
    array([2])
    """
    frame.check(conditions)
    foreign = foreign or {}
    n = len(pairs.anchor)
    anchors = np.hstack([pairs.anchor[:, None], *foreign.values()])  # own first; (n, 1 + foreign)
    anchors = np.where(anchors < 0, pairs.anchor[:, None], anchors)
    count = {condition: np.zeros(anchors.shape, dtype=np.int32) for condition in conditions}
    n_neg = {kind: np.zeros(n, dtype=np.int64) for kind in NEGATIVES}
    width, held = pairs.match[:, 1] - pairs.match[:, 0], 0
    for paragraph, examples in pairs.by_paragraph():
        words = read_rows(X, pairs.words_of(paragraph))
        of_all = _Windows(words, read_rows(X, anchors[examples].ravel()), frame)
        for k in np.unique(width[examples]):
            alike = width[examples] == k
            rows, lines = examples[alike], np.flatnonzero(np.repeat(alike, anchors.shape[1]))
            windows = of_all.of(lines)
            start = np.repeat(pairs.match[rows, 0], anchors.shape[1])
            for kind, w in zip(NEGATIVES, (1, int(k)), strict=True):
                free = _free_windows(len(words), w, pairs.match[rows], pairs.avoid[rows])
                n_neg[kind][rows] = free.sum(axis=1)
                for condition in conditions:
                    if condition.negatives == kind:
                        below = windows.below(condition, int(k), start, w)
                        below = below.reshape(len(rows), anchors.shape[1], -1)
                        count[condition][rows] = (below & free[:, None]).sum(axis=2)
        held += len(words)
        if held > ROWS_HELD:
            release(X)
            held = 0
    return {c: _outcomes(count[c], n_neg[c.negatives], pairs.para_len, foreign) for c in conditions}


def _outcomes(
    count: NDArray[np.int32], n_neg: Ids, para_len: Ids, foreign: Mapping[str, Ids]
) -> Outcomes:
    """Split the counts of all anchors: the own one, then each foreign set."""
    ends = np.cumsum([1, *(ids.shape[1] for ids in foreign.values())])
    means = {
        name: np.where(ids[:, 0] < 0, np.nan, count[:, end - ids.shape[1] : end].mean(axis=1))
        for (name, ids), end in zip(foreign.items(), ends[1:], strict=True)
    }
    return Outcomes(count[:, 0].astype(np.int64), n_neg, para_len, means)


def _free_windows(length: int, width: int, *taken: Ids) -> NDArray[np.bool_]:
    """Which windows of `width` words meet none of the (m, 2) intervals; (m, n_windows)."""
    start = np.arange(max(length - width + 1, 0))
    free = np.ones((len(taken[0]), len(start)), dtype=bool)
    for interval in taken:
        first, last = interval[:, :1], interval[:, 1:]
        free &= (start + width <= first) | (start >= last) | (first == last)
    return free


class _Seen(NamedTuple):
    """Dot products (m, n_windows), and squared norms of anchors (m,) and windows (n_windows,)."""

    dots: NDArray[np.float64]
    anchors: NDArray[np.float64]
    windows: NDArray[np.float64]


class _Windows:
    """Scores of all windows of one paragraph against m anchors.

    The dot product of a window with an anchor is the mean of its words' dot products, so one
    matrix product serves all widths, and all views: with the mean vector u and the axis a,
    (x - u)·(y - u) = x·y - x·u - y·u + u·u, and x·y - (x·a)(y·a) where the axis is removed.
    """

    def __init__(self, words: Matrix, anchors: Matrix, frame: Frame) -> None:
        self.words, anchors = words.astype(np.float64), anchors.astype(np.float64)
        nothing = np.zeros(words.shape[1])
        u, a = (nothing if one is None else one for one in (frame.mean, frame.axis))
        self.products = anchors @ self.words.T  # (m, n_words)
        self.with_mean, self.along = self.words @ u, self.words @ a
        self.anchor_norms = np.einsum("md,md->m", anchors, anchors)
        self.anchor_mean, self.anchor_along = anchors @ u, anchors @ a
        self.mean_norm = float(u @ u)
        self.norms: dict[int, NDArray[np.float64]] = {}
        self.seen: dict[tuple[str, int], _Seen] = {}
        self.scores: dict[tuple[str, str, int], NDArray[np.float64]] = {}

    def of(self, lines: Ids) -> Self:
        """The same windows against some of the anchors."""
        part = copy(self)
        part.products, part.anchor_norms = self.products[lines], self.anchor_norms[lines]
        part.anchor_mean, part.anchor_along = self.anchor_mean[lines], self.anchor_along[lines]
        part.seen, part.scores = {}, {}
        return part

    def below(self, condition: Condition, k: int, start: Ids, w: int) -> NDArray[np.bool_]:
        """Which windows of w words score below the window of k words at `start`; (m, n_windows)."""
        match = self._score(condition, k)[np.arange(len(start)), start][:, None]
        scale: float | NDArray[np.float64] = 1.0
        if condition.similarity == "euclidean":
            seen = self._see(condition.view, k)
            scale = (seen.anchors + seen.windows[start])[:, None]
        return self._score(condition, w) < match - RESOLUTION * scale

    def _score(self, condition: Condition, w: int) -> NDArray[np.float64]:
        """Scores of all windows of w words, (m, n_windows); several conditions share them.

        In the place of minus the distance its square, which ranks alike.
        """
        key = (condition.similarity, condition.view, w)
        if key not in self.scores:
            dots, anchors, windows = self._see(condition.view, w)
            if condition.similarity == "cosine":
                scale = np.sqrt(anchors[:, None] * windows)
                score = np.divide(dots, scale, out=np.zeros_like(dots), where=scale > 0)
            else:
                score = 2 * dots - windows - anchors[:, None]
            self.scores[key] = score
        return self.scores[key]

    def _see(self, view: str, w: int) -> _Seen:
        """Products and norms of the windows of w words in a view."""
        if (view, w) in self.seen:
            return self.seen[view, w]
        if view == "raw":
            seen = _Seen(
                _moving_sum(self.products.T, w).T / w, self.anchor_norms, self._window_norms(w)
            )
        else:
            dots, anchors, windows = self._see("raw", w)
            if view == "centred":
                mean, norm = _moving_sum(self.with_mean, w) / w, self.mean_norm
                dots = dots - mean - self.anchor_mean[:, None] + norm
                anchors = _shifted(anchors, 2 * self.anchor_mean - norm, norm)
                windows = _shifted(windows, 2 * mean - norm, norm)
            else:
                along = _moving_sum(self.along, w) / w
                dots = dots - self.anchor_along[:, None] * along
                anchors = _shifted(anchors, self.anchor_along**2)
                windows = _shifted(windows, along**2)
            seen = _Seen(dots, anchors, windows)
        self.seen[view, w] = seen
        return seen

    def _window_norms(self, w: int) -> NDArray[np.float64]:
        if w not in self.norms:
            windows = _moving_sum(self.words, w)
            self.norms[w] = np.einsum("nd,nd->n", windows, windows) / w**2
        return self.norms[w]


def _moving_sum(rows: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Sums of `width` consecutive rows, by doubling: about log2(width) additions a row."""
    if width == 1:
        return rows
    half = width // 2
    sums = _moving_sum(rows, half)
    sums = sums[:-half] + sums[half:]
    return sums[:-1] + rows[2 * half :] if width % 2 else sums


def _shifted(norms: Matrix, less: Matrix, mean_norm: float = 0.0) -> NDArray[np.float64]:
    """Squared norms less what a view takes away; 0 where no more than rounding is left."""
    moved = norms - less
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
