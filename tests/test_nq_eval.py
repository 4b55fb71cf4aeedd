"""NQ evaluation: rules by hand, and the official evaluator as an oracle on fuzzed answers."""

import gzip
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tuneprobe.scores.nq_eval import (
    Answer,
    EvaluationError,
    Judgement,
    Prediction,
    best_f1,
    best_f1_samples,
    evaluate,
    judge_long,
    judge_short,
)

NOBODY = Answer()
ONE, TWO = frozenset({(1, 2)}), frozenset({(1, 2), (4, 6)})


def test_a_gold_answer_needs_two_annotators_and_any_of_them_may_be_met() -> None:
    gold = [Answer(long=3), Answer(long=7), NOBODY, NOBODY, NOBODY]
    assert judge_long(gold, Answer(long=7)) == (True, True, True)
    assert judge_long(gold, Answer(long=4)) == (True, True, False)
    assert judge_long(gold, NOBODY) == (True, False, False)
    assert judge_long(gold[1:], Answer(long=7)) == (False, True, False)
    assert judge_long(gold, Answer(long=7), min_annotators=3) == (False, True, False)


def test_fewer_annotators_than_asked_must_all_agree_that_there_is_an_answer() -> None:
    assert judge_long([Answer(long=3)], Answer(long=3)) == (True, True, True)
    assert judge_short([Answer(shorts=ONE)], Answer(shorts=ONE)) == (True, True, True)
    assert not judge_long([Answer(long=3), NOBODY], Answer(long=3), min_annotators=5).has_gold
    assert not judge_long([], Answer(long=3)).has_gold


def test_a_set_of_short_answers_is_right_only_as_a_whole() -> None:
    gold = [Answer(shorts=TWO), Answer(shorts=TWO)]
    assert judge_short(gold, Answer(shorts=TWO)).correct
    assert not judge_short(gold, Answer(shorts=ONE)).correct


def test_yes_counts_as_a_short_answer_and_must_be_met_by_yes() -> None:
    gold = [Answer(yes_no="YES"), Answer(shorts=ONE), NOBODY]
    assert judge_short(gold, Answer(yes_no="YES")) == (True, True, True)
    assert judge_short(gold, Answer(yes_no="NO")) == (True, True, False)
    assert judge_short(gold, Answer(shorts=ONE)).correct


def test_the_threshold_is_where_f1_is_best() -> None:
    judgements = [
        Judgement(True, True, True),
        Judgement(True, True, True),
        Judgement(False, True, False),
        Judgement(True, False, False),
    ]
    score = best_f1(judgements, [3.0, 1.0, 0.5, 9.0])
    assert score == pytest.approx((100.0, 200 / 3, 80.0, 1.0))


def test_equal_scores_are_accepted_or_refused_together() -> None:
    judgements = [Judgement(True, True, True), Judgement(False, True, False)]
    assert best_f1(judgements, [1.0, 1.0]) == pytest.approx((50.0, 100.0, 200 / 3, 1.0))


def test_nothing_right_is_zero_and_no_division_by_zero() -> None:
    assert best_f1([Judgement(False, False, False)], [1.0]) == (0, 0, 0, 0)
    assert best_f1([], []) == (0, 0, 0, 0)


@pytest.mark.parametrize("levels", [3, 1000])
def test_samples_score_as_if_each_were_written_out(levels: int) -> None:
    random, n = np.random.default_rng(levels), 30
    gold, said = random.random(n) < 0.7, random.random(n) < 0.9
    right = gold & said & (random.random(n) < 0.6)
    judgements = [Judgement(*map(bool, one)) for one in zip(gold, said, right, strict=True)]
    scores = random.integers(levels, size=n).astype(float)
    drawn = [random.integers(n, size=n) for _ in range(20)]
    drawn += [np.full(n, place) for place in (np.argmin(right), np.argmax(right))]
    times = np.array([np.bincount(rows, minlength=n) for rows in drawn])
    slow = [best_f1([judgements[row] for row in rows], scores[rows])[:3] for rows in drawn]
    assert np.array_equal(best_f1_samples(judgements, scores, times), slow)


def test_long_and_short_answers_have_thresholds_of_their_own() -> None:
    gold = {"a": [Answer(1, ONE)] * 5, "b": [Answer(2, ONE)] * 5}
    predictions = {
        "a": Prediction(1, TWO, long_score=5, short_score=-1),
        "b": Prediction(9, ONE, long_score=2, short_score=4),
    }
    found = evaluate(gold, predictions)
    assert (found["long"].threshold, found["short"].threshold) == (5, 4)
    assert found["long"].f1 == found["short"].f1 == pytest.approx(200 / 3)


def test_questions_and_predictions_must_be_the_same() -> None:
    with pytest.raises(EvaluationError, match=r"1 questions but 2 predictions; 1 .* e.g. b"):
        evaluate({"a": [NOBODY]}, {"a": Prediction(), "b": Prediction()})


def test_a_score_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(EvaluationError, match="prediction 1 is NaN"):
        best_f1([Judgement(True, True, True)] * 2, [0.0, np.nan])


def test_short_answers_beside_yes_are_refused() -> None:
    with pytest.raises(EvaluationError, match="one of the two"):
        Prediction(shorts=ONE, yes_no="YES")


@pytest.fixture(scope="session")
def official() -> ModuleType:
    """The official evaluator; its flags must be parsed before its first call."""
    nq_eval = pytest.importorskip("natural_questions.nq_eval")
    nq_eval.flags.FLAGS(["nq_eval"])
    return nq_eval


def random_answer(rng: np.random.Generator) -> dict:
    """Few different answers, so that they often agree."""
    kind = rng.choice(["nothing", "long", "short", "yes"], p=[0.25, 0.25, 0.35, 0.15])
    long = None if kind == "nothing" else int(rng.integers(3))
    shorts = frozenset()
    if kind == "short":
        pool = [(10, 11), (12, 14), (15, 17)]
        shorts = frozenset(pool[i] for i in rng.integers(3, size=rng.integers(1, 3)))
    return {
        "long": long,
        "shorts": shorts,
        "yes_no": str(rng.choice(["YES", "NO"])) if kind == "yes" else "NONE",
    }


def upstream(answer: Answer) -> dict:
    """An answer in the official format: spans as token offsets, bytes unknown."""

    def span(start: int, end: int) -> dict:
        return {"start_byte": -1, "end_byte": -1, "start_token": start, "end_token": end}

    long = (-1, -1) if answer.long is None else (10 * answer.long, 10 * answer.long + 9)
    return {
        "long_answer": span(*long),
        "short_answers": [span(*interval) for interval in sorted(answer.shorts)],
        "yes_no_answer": answer.yes_no,
    }


def official_scores(official: ModuleType, folder: Path, gold: dict, predictions: dict) -> dict:
    with gzip.open(folder / "gold.jsonl.gz", "wt") as file:
        for question, answers in gold.items():
            line = {"example_id": question, "annotations": [upstream(a) for a in answers]}
            file.write(json.dumps(line) + "\n")
    written = [
        {
            **upstream(p),
            "example_id": question,
            "long_answer_score": p.long_score,
            "short_answers_score": p.short_score,
        }
        for question, p in predictions.items()
    ]
    (folder / "predictions.json").write_text(json.dumps({"predictions": written}))
    read = official.util
    golds = read.read_annotation_from_one_split(str(folder / "gold.jsonl.gz"))
    stats = official.score_answers(
        golds, read.read_prediction_json(str(folder / "predictions.json"))
    )
    return official.get_metrics_with_answer_stats(*stats)


@pytest.mark.parametrize("seed", range(40))
def test_every_number_is_that_of_the_official_evaluator(
    seed: int, official: ModuleType, tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed)
    questions = range(int(rng.integers(1, 60)))
    gold = {q: [Answer(**random_answer(rng)) for _ in range(5)] for q in questions}
    scores = {q: rng.integers(-4, 4, size=2).astype(float) for q in questions}  # many ties
    predictions = {
        q: Prediction(
            **random_answer(rng) if rng.random() < 0.5 else vars(gold[q][0]),
            long_score=scores[q][0],
            short_score=scores[q][1],
        )
        for q in questions
    }
    expected = official_scores(official, tmp_path, gold, predictions)
    for part, found in evaluate(gold, predictions).items():
        got = (found.f1 / 100, found.precision / 100, found.recall / 100, found.threshold)
        names = ("f1", "precision", "recall")
        want = [expected[f"{part}-best-threshold-{name}"] for name in names]
        assert got == pytest.approx((*want, expected[f"{part}-best-threshold"]), abs=1e-12)
