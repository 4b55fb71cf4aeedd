"""SQuAD evaluation: normalisation and scores by hand."""

import pytest

from tuneprobe.scores.nq_eval import EvaluationError
from tuneprobe.scores.squad_eval import evaluate, exact_match, normalise, token_f1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Cat's hat, a test!", "cats hat test"),
        ("theatre an\tanthem", "theatre anthem"),
        ("  U.S.A. ", "usa"),
        ("the", ""),
        ("the-end", "theend"),
    ],
)
def test_normalisation_drops_case_punctuation_articles_and_white_space(text, expected) -> None:
    assert normalise(text) == expected


def test_the_best_gold_answer_counts() -> None:
    gold = ["in the year 1912", "1912"]
    assert exact_match("1912.", gold) == 1
    assert token_f1("year 1912", gold) == pytest.approx(0.8)  # 2 of 2, 2 of 3


def test_repeated_words_are_shared_as_often_as_both_have_them() -> None:
    assert token_f1("go go go", ["go go stop"]) == pytest.approx(2 / 3)
    assert token_f1("left", ["right"]) == 0


@pytest.mark.parametrize(
    ("predicted", "gold", "score"), [("", [], 1), ("x", [], 0), ("", ["x"], 0), ("", ["the"], 1)]
)
def test_no_answer_is_right_only_where_there_is_none(predicted, gold, score) -> None:
    assert exact_match(predicted, gold) == token_f1(predicted, gold) == score


def test_the_mean_is_in_percent() -> None:
    found = evaluate({"a": ["red cell"], "b": []}, {"a": "cell", "b": "", "unused": "x"})
    assert found.exact == 50
    assert found.f1 == pytest.approx(100 * (2 / 3 + 1) / 2)
    assert found.n == 2


def test_a_question_without_a_prediction_is_named() -> None:
    with pytest.raises(EvaluationError, match=r"1 of 2 questions have no prediction, e\.g\. b"):
        evaluate({"a": ["x"], "b": ["y"]}, {"a": "x"})
