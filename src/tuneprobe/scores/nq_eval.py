"""Natural Questions evaluation: long and short answers at the threshold of the best F1.

Follows the official nq_eval (google-research-datasets/natural-questions) number for number:
gold exists where enough annotators have an answer, a prediction is right if it equals any
annotator's answer, and one score threshold is chosen for long and one for short answers.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tuneprobe.errors import TuneprobeError

NO_ANSWER = "NONE"


class EvaluationError(TuneprobeError):
    """Predictions that do not fit the gold answers."""


@dataclass(frozen=True)
class Answer:
    """What one annotator, or a reader, says.

    Attributes
    ----------
    long : hashable or None
        Identifies the long answer (a candidate's index, or start and end); None for no answer.
    shorts : frozenset
        Short answer spans; empty for none.
    yes_no : str
        ``YES``, ``NO`` or ``NONE``.
    """

    long: Hashable | None = None
    shorts: frozenset[Hashable] = frozenset()
    yes_no: str = NO_ANSWER

    @property
    def has_short(self) -> bool:
        """Short spans, or yes or no."""
        return bool(self.shorts) or self.yes_no != NO_ANSWER


@dataclass(frozen=True)
class Prediction(Answer):
    """A reader's answer and how sure it is of the long and of the short part."""

    long_score: float = 0.0
    short_score: float = 0.0

    def __post_init__(self) -> None:
        if self.shorts and self.yes_no != NO_ANSWER:
            raise EvaluationError(
                f"a prediction has short answers {sorted(self.shorts, key=str)} and the answer "
                f"{self.yes_no}; it may have one of the two."
            )


class Judgement(NamedTuple):
    """One question: is there a gold answer, a predicted one, and are they equal?"""

    has_gold: bool
    has_prediction: bool
    correct: bool


class Score(NamedTuple):
    """Precision, recall and F1 in percent, for the predictions that score at least `threshold`."""

    precision: float
    recall: float
    f1: float
    threshold: float


def judge_long(gold: Sequence[Answer], predicted: Answer, *, min_annotators: int = 2) -> Judgement:
    """Does the long answer equal any annotator's?"""
    answers = {answer.long for answer in gold} - {None}
    n_answers = sum(answer.long is not None for answer in gold)
    has_gold = _is_gold(n_answers, len(gold), min_annotators)
    has_prediction = predicted.long is not None
    return Judgement(has_gold, has_prediction, has_gold and predicted.long in answers)


def judge_short(gold: Sequence[Answer], predicted: Answer, *, min_annotators: int = 2) -> Judgement:
    """Does the set of short spans, or yes or no, equal any annotator's?"""
    n_answers = sum(answer.has_short for answer in gold)
    has_gold = _is_gold(n_answers, len(gold), min_annotators)
    if predicted.yes_no != NO_ANSWER:
        equal = any(answer.yes_no == predicted.yes_no for answer in gold)
    else:
        equal = any(answer.shorts == predicted.shorts for answer in gold)
    return Judgement(has_gold, predicted.has_short, has_gold and predicted.has_short and equal)


def best_f1(judgements: Iterable[Judgement], scores: ArrayLike) -> Score:
    """Precision, recall and F1 at the score threshold with the highest F1.

    Predictions below the threshold count as no answer; equal scores stay together; of equal F1
    the highest threshold wins. O(n log n). All zero where no prediction is right.

    Examples
    --------
    >>> right, wrong = Judgement(True, True, True), Judgement(True, True, False)
    >>> best_f1([right, wrong], [2.0, 1.0])
    Score(precision=100.0, recall=50.0, f1=66.66666666666666, threshold=2.0)
    """
    order, last, threshold = _thresholds(scores)
    table = np.array(list(judgements), dtype=np.int64).reshape(-1, 3)
    curves = _curves(table[order], last, np.ones((1, len(order)), dtype=np.int64))
    if not curves[2].any():
        return Score(0.0, 0.0, 0.0, 0.0)
    best = int(curves[2].argmax())
    p, r, f = (100 * float(curve[0, best]) for curve in curves)
    return Score(p, r, f, threshold=float(threshold[best]))


def best_f1_samples(
    judgements: Sequence[Judgement], scores: ArrayLike, times: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Precision, recall and F1 of samples of the questions, each at its own best threshold.

    Parameters
    ----------
    times : array of shape (n_samples, n)
        How often a sample holds each question.

    Returns
    -------
    float64 ndarray of shape (n_samples, 3), as `best_f1` of each sample has them
    """
    order, last, _ = _thresholds(scores)
    table = np.array(judgements, dtype=np.int64).reshape(-1, 3)
    curves = np.stack(_curves(table[order], last, times[:, order]))
    best = curves[2].argmax(axis=1)
    found: NDArray[np.float64] = 100 * curves[:, np.arange(len(times)), best].T
    return found


def _thresholds(scores: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[Any]]:
    """Questions by falling score, the last of each score among them, and these scores."""
    score = np.asarray(scores, dtype=np.float64)
    if np.isnan(score).any():
        raise EvaluationError(f"the score of prediction {int(np.isnan(score).argmax())} is NaN.")
    order = np.argsort(-score, kind="stable")
    score = score[order]
    last = np.append(score[1:] != score[:-1], True)[: len(score)]
    return order, last, score[last]


def _curves(
    table: NDArray[np.int64], last: NDArray[np.bool_], times: NDArray[np.int64]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 at each threshold, each (n_samples, n_thresholds), 0 to 1."""
    has_gold, *counted = table.T
    n_gold = (times @ has_gold)[:, None]
    predicted, correct = ((times * one).cumsum(axis=1)[:, last] for one in counted)
    precision, recall = _divide(correct, predicted), _divide(correct, n_gold)
    return precision, recall, _divide(2 * precision * recall, precision + recall)


def evaluate(
    gold: Mapping[Hashable, Sequence[Answer]],
    predictions: Mapping[Hashable, Prediction],
    *,
    min_annotators: int = 2,
) -> dict[str, Score]:
    """Scores of ``long`` and ``short`` answers.

    Parameters
    ----------
    gold : mapping of question id to its annotators' answers
    predictions : mapping of question id to Prediction
        One for every question.
    min_annotators : int
        Gold exists where this many annotators have an answer, or all of them if they are fewer
        (training files have one).

    Raises
    ------
    EvaluationError
        If the questions of the two differ.
    """
    if gold.keys() != predictions.keys():
        alone = sorted(map(str, gold.keys() ^ predictions.keys()))
        raise EvaluationError(
            f"{len(gold)} questions but {len(predictions)} predictions; {len(alone)} have only "
            f"one of the two, e.g. {alone[0]}. Each question needs one prediction."
        )
    if not gold:
        raise EvaluationError("there are no questions to evaluate.")
    pairs = [(gold[question], predictions[question]) for question in gold]
    return {
        "long": best_f1(
            [judge_long(g, p, min_annotators=min_annotators) for g, p in pairs],
            [p.long_score for _, p in pairs],
        ),
        "short": best_f1(
            [judge_short(g, p, min_annotators=min_annotators) for g, p in pairs],
            [p.short_score for _, p in pairs],
        ),
    }


def _is_gold(n_answers: int, n_annotators: int, min_annotators: int) -> bool:
    return n_annotators > 0 and n_answers >= max(1, min(min_annotators, n_annotators))


def _divide(x: ArrayLike, y: ArrayLike) -> np.ndarray:
    """x / y, and 0 where y is 0."""
    x, y = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
    return np.divide(x, y, out=np.zeros(x.shape), where=y != 0)
