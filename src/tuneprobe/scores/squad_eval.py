"""SQuAD evaluation: exact match and token F1 after SQuAD's normalisation.

Follows the official evaluation of SQuAD 2.0 (Rajpurkar et al. 2018); on SQuAD 1.1 the numbers are
the same, since every question there has an answer.
"""

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tuneprobe.scores.nq_eval import EvaluationError

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


class SquadScore(NamedTuple):
    """Exact match and F1 in percent over n questions."""

    exact: float
    f1: float
    n: int


def normalise(text: str) -> str:
    """Lower case, no punctuation, no articles, single blanks.

    >>> normalise("The  Answer, a test.")
    'answer test'
    """
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def exact_match(predicted: str, gold: Sequence[str]) -> int:
    """1 if the prediction equals any gold answer, else 0; no gold answer means ``""``."""
    return int(normalise(predicted) in {normalise(answer) for answer in _answers(gold)})


def token_f1(predicted: str, gold: Sequence[str]) -> float:
    """Highest F1 of shared words over the gold answers, 0 ... 1.

    With an empty prediction or an empty gold answer: 1 if both are empty, else 0.
    """
    return max(_f1(normalise(predicted).split(), normalise(a).split()) for a in _answers(gold))


def evaluate(gold: Mapping[str, Sequence[str]], predictions: Mapping[str, str]) -> SquadScore:
    """Mean exact match and F1 in percent.

    Parameters
    ----------
    gold : mapping of question id to its gold answers
        An empty list marks a question without an answer.
    predictions : mapping of question id to text
        ``""`` says that there is no answer; every question needs one entry.
    """
    missing = sorted(gold.keys() - predictions.keys())
    if missing:
        raise EvaluationError(
            f"{len(missing)} of {len(gold)} questions have no prediction, e.g. {missing[0]}; "
            'give "" for no answer.'
        )
    if not gold:
        raise EvaluationError("there are no questions to evaluate.")
    exact = sum(exact_match(predictions[question], gold[question]) for question in gold)
    f1 = sum(token_f1(predictions[question], gold[question]) for question in gold)
    return SquadScore(100 * exact / len(gold), 100 * f1 / len(gold), len(gold))


def _answers(gold: Sequence[str]) -> list[str]:
    return [answer for answer in gold if normalise(answer)] or [""]


def _f1(predicted: list[str], gold: list[str]) -> float:
    if not predicted or not gold:
        return float(predicted == gold)
    shared = sum((Counter(predicted) & Counter(gold)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(predicted), shared / len(gold)
    return 2 * precision * recall / (precision + recall)
