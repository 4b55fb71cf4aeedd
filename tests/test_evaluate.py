"""Evaluation: the four readers of an encoder, and their scores."""

from pathlib import Path

import numpy as np
import pytest
import torch
from small_encoders import little_memory
from tiny_reader import DIM, question, short, simple_questions

from tuneprobe.encoders.encoder import load_encoder
from tuneprobe.formats.question import Annotation
from tuneprobe.formats.results import write_results
from tuneprobe.scores.decode import Reading
from tuneprobe.scores.evaluate import (
    evaluate_readers,
    gold_answers,
    load_readers,
    nq_scores,
    read_answers,
    short_texts,
    squad_scores,
)
from tuneprobe.scores.nq_eval import EvaluationError
from tuneprobe.states import STATES, members
from tuneprobe.tuning.checkpoints import write_checkpoint
from tuneprobe.tuning.heads import make_head

CUT = {"window": 24, "stride": 8, "max_question": 6}
DECODE = {"top_k": 10, "max_answer": 30}
INTERVALS = {"confidence": 0.95, "bootstrap": 1000}
MANNER = {"seed": 1, **INTERVALS}
MORE = {**CUT, **DECODE, "min_annotators": 2}


@pytest.fixture(scope="module")
def reader(source: Path):
    return load_encoder("tiny", path=str(source)), [make_head("qa", DIM, seed=3).eval()]


def perfect(asked) -> Reading:
    start, end = asked.annotations[0].shorts[0]
    return Reading(start, end, 1.0, "short")


def by_metric(scored) -> dict[str, float]:
    return {row.metric: row.value for row in scored}


def test_a_perfect_reader_scores_a_hundred() -> None:
    asked = simple_questions(25)
    readings = [perfect(one) for one in asked]
    scored = nq_scores(asked, readings, min_annotators=2, **MANNER)
    scored += squad_scores(asked, readings, **MANNER)
    assert {row.metric for row in scored} == {
        *(f"{a}_{m}" for a in ("long", "short") for m in ("precision", "recall", "f1")),
        "exact_match",
        "f1",
    }
    assert all((row.value, row.high, row.n) == (100, 100, 25) for row in scored)
    assert all(80 < row.low <= 100 for row in scored)


def test_scores_are_worked_out_by_hand() -> None:
    asked = [
        question(0, "who", "built by ann lee .", short(2, 4)),
        question(1, "who", "built by bob lee .", short(2, 4)),
        question(2, "where", "in the old town .", Annotation(long=0)),
        question(3, "what", "the river .", Annotation()),
    ]
    readings = [
        Reading(2, 4, 4.0, "short"),  # right
        Reading(2, 3, 3.0, "short"),  # long right, short wrong, one word of two
        Reading(1, 2, 2.0, "long"),  # long right
        Reading(0, 1, 1.0, "short"),  # no gold
    ]
    found = by_metric(nq_scores(asked, readings, min_annotators=2, **MANNER))
    assert (found["long_precision"], found["long_recall"]) == (100, 100)  # threshold 2
    assert (found["short_precision"], found["short_recall"]) == (100, 50)  # threshold 4
    found = by_metric(squad_scores(asked, readings, **MANNER))
    assert found["exact_match"] == 50
    assert found["f1"] == pytest.approx(100 * (1 + 2 / 3) / 2)


def test_a_span_counts_by_the_best_of_its_annotators() -> None:
    asked = question(0, "who", "ann lee and bob lee", short(0, 2), short(3, 5), Annotation())
    assert short_texts(asked) == ["ann lee", "bob lee"]
    found = by_metric(squad_scores([asked], [Reading(3, 5, 0.0, "short")], **MANNER))
    assert found["exact_match"] == 100


def test_gold_answers_keep_candidate_spans_and_yes_no() -> None:
    answers = Annotation(0, ((0, 1),)), Annotation(), Annotation(0, (), "NO")
    asked = question(0, "who", "ann lee", *answers)
    first, second, third = gold_answers(asked)
    assert (first.long, first.shorts) == (0, {(0, 1)})
    assert (second.long, second.has_short) == (None, False)
    assert third.yes_no == "NO"


def test_an_interval_holds_its_value_and_narrows_with_more_questions() -> None:
    asked = simple_questions(120)
    readings = [perfect(one) if n % 2 else Reading(0, 1, 0.5) for n, one in enumerate(asked)]
    few = squad_scores(asked[:30], readings[:30], **MANNER)[0]
    many = squad_scores(asked, readings, **MANNER)[0]
    assert few.low < few.value == 50 == many.value < few.high
    assert many.high - many.low < few.high - few.low
    for row in nq_scores(asked, readings, min_annotators=2, **MANNER):
        assert row.low <= row.value <= row.high
    surer = squad_scores(asked, readings, **{**MANNER, "confidence": 0.99})[0]
    assert surer.low < many.low < many.high < surer.high


def test_answers_do_not_depend_on_what_is_read_together(reader) -> None:
    asked = simple_questions(9)
    (together,) = read_answers(*reader, asked, **CUT, **DECODE)
    alone = [
        read_answers(*reader, [one], **CUT, **DECODE, tokens_per_batch=1)[0][0] for one in asked
    ]
    assert [(r.start, r.end, r.type) for r in together] == [(r.start, r.end, r.type) for r in alone]
    np.testing.assert_allclose(
        [r.score for r in together], [r.score for r in alone], rtol=1e-4, atol=1e-6
    )


def test_a_lack_of_memory_changes_no_answer(reader) -> None:
    asked = simple_questions(9)
    (together,) = read_answers(*reader, asked, **CUT, **DECODE)
    lack = little_memory(reader[0].model, most=50)
    (parts,) = read_answers(*reader, asked, **CUT, **DECODE)
    lack.remove()
    assert [(r.start, r.end, r.type) for r in parts] == [(r.start, r.end, r.type) for r in together]


def test_a_reading_points_to_the_words_of_its_best_pieces(reader) -> None:
    encoder, _ = reader
    head = make_head("qa", DIM, seed=0)
    asked = question(0, "who", "the old tulips by ann lee .", short(4, 6))
    ann = encoder.tokenizer.convert_tokens_to_ids("ann")
    head.forward = lambda hidden, batch: {  # an oracle that likes `ann` ... `lee`
        "start": (batch["input_ids"] == ann).float(),
        "end": (batch["input_ids"] == ann + 1).float(),
        "answer_type": torch.eye(5)[[3]],
    }
    ((found,),) = read_answers(encoder, [head], [asked], **CUT, **DECODE)
    assert asked.document[found.start : found.end] == ("ann", "lee")
    assert (found.score, found.type) == (2.0, "short")


def test_each_state_has_its_own_encoder_and_head(tmp_path: Path, source: Path) -> None:
    pretrained = load_encoder("tiny", path=str(source))
    checkpoints = {name: tmp_path / name for name in ("frozen", "finetuned")}
    trained = make_head("qa", DIM, seed=8)
    for name, folder in checkpoints.items():
        write_checkpoint(folder, pretrained, trained, kind="qa", state=name)
    readers = list(
        load_readers("tiny", measured=members(STATES, 3, (3,)), **checkpoints, path=str(source))
    )
    random, read, tuned = (encoder.weights_sha256 for encoder, _ in readers)
    assert read == pretrained.weights_sha256
    assert len({random, read, tuned}) == 3
    assert [list(heads) for _, heads in readers] == [
        ["random"], ["pretrained", "frozen"], ["finetuned"]
    ]  # fmt: skip
    heads = {
        state: head.state_dict()["span.weight"]
        for _, its_heads in readers
        for state, head in its_heads.items()
    }
    assert torch.equal(heads["random"], heads["pretrained"])
    assert torch.equal(heads["frozen"], trained.span.weight)
    assert torch.equal(heads["finetuned"], trained.span.weight)
    assert not torch.equal(heads["random"], heads["frozen"])


def test_the_rows_of_a_reader_are_results_of_its_test_questions(tmp_path: Path, reader) -> None:
    asked = [*simple_questions(4), *simple_questions(6, split="test")]
    keys = {"task": "t-qa", "seed": 13, **INTERVALS}
    encoder, (head,) = reader
    of_state = {"pretrained": head}
    rows = evaluate_readers([(encoder, of_state)], asked, **keys, **MORE)
    write_results(rows, tmp_path / "results.csv")
    assert {(row.study, row.encoder, row.task, row.state, row.n) for row in rows} == {
        ("evaluate", "tiny", "t-qa", state, 6) for state in ("pretrained", "no-encoder")
    }
    assert len(rows) == 8 * 4  # and three readers without an encoder
    again = evaluate_readers([(encoder, of_state)], asked, **keys, **MORE)
    assert repr(rows) == repr(again)  # six questions are too few for bounds, which are NaN


def test_heads_that_share_an_encoder_answer_as_each_alone(reader) -> None:
    encoder, (head,) = reader
    heads = [head, make_head("qa", DIM, seed=4).eval()]
    asked = simple_questions(9)
    together = read_answers(encoder, heads, asked, **CUT, **DECODE)
    assert together[0] != together[1]
    for one, readings in zip(heads, together, strict=True):
        assert read_answers(encoder, [one], asked, **CUT, **DECODE) == [readings]


def test_no_test_question_is_refused(reader) -> None:
    encoder, _ = reader
    keys = {"task": "t-qa", "seed": 13, **INTERVALS}
    with pytest.raises(EvaluationError, match="none of the 4 questions of t-qa"):
        evaluate_readers([(encoder, {})], simple_questions(4), **keys, **MORE)


def test_no_short_gold_gives_no_exact_match() -> None:
    long_only = question(0, "who", "ann lee", Annotation(long=0))
    assert squad_scores([long_only], [Reading(0, 1, 1.0)], **MANNER) == []
