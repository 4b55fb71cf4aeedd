"""Reading comprehension as examples: what is stored, shared, and read back."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tuneprobe.artifacts import ArtifactError
from tuneprobe.examples.qa import build_qa, drawn_questions, qa_questions, read_questions
from tuneprobe.formats.examples import ExamplesBuilder, read_examples, write_examples
from tuneprobe.formats.question import Annotation, Candidate, Question

KITES = Question(
    id="kites",
    title="",
    words=("who", "flew", "kites"),
    document=tuple("Kites are old . Ann and Bo Lee flew kites .".split()),
    candidates=(Candidate(0, 11), Candidate(4, 11, top_level=False), Candidate(0, 4)),
    annotations=(
        Annotation(),
        Annotation(long=1, shorts=((4, 5), (6, 8))),
        Annotation(long=2, yes_no="YES"),
        Annotation(long=0),
    ),
    split="test",
)
NO_ANSWER = replace(KITES, id="null", annotations=(Annotation(),), split="train")


def test_the_tables_hold_a_row_per_annotator_and_short_answer() -> None:
    examples = build_qa([NO_ANSWER, KITES])
    assert examples.spans[examples.spans.text == 1].drop(columns="text").values.tolist() == [
        [1, 0, 11, "candidate"],
        [1, 4, 11, "nested-candidate"],
        [1, 0, 4, "candidate"],
        [1, 4, 5, "short"],
        [1, 6, 8, "short"],
    ]
    assert examples.examples.values.tolist() == [
        [-1, -1, "unknown", "train", 0],
        [-1, -1, "unknown", "test", 100],
        [4, 6, "short", "test", 101],
        [4, 7, "short", "test", 101],
        [5, -1, "yes", "test", 102],
        [3, -1, "long", "test", 103],
    ]


def test_questions_survive_storing_writing_and_reading(tmp_path: Path) -> None:
    questions = [NO_ANSWER, KITES, replace(NO_ANSWER, candidates=(), id="bare")]
    write_examples(build_qa(questions), tmp_path / "qa")
    assert qa_questions(read_examples(tmp_path / "qa")) == questions


def test_questions_of_one_split_are_read_back_in_order(tmp_path: Path) -> None:
    questions = [KITES, NO_ANSWER, replace(KITES, id="again")]
    write_examples(build_qa(questions), tmp_path / "qa")
    assert list(read_questions(tmp_path / "qa", "test")) == [KITES, questions[2]]
    assert list(read_questions(tmp_path / "qa", "train")) == [NO_ANSWER]
    with pytest.raises(ArtifactError, match="run 'dvc repro'"):
        next(read_questions(tmp_path / "none", "train"))


def test_a_draw_keeps_the_order_does_not_change_with_it_and_grows_with_its_size() -> None:
    questions = [replace(KITES, id=f"q{n}") for n in range(40)]
    drawn = {n: list(drawn_questions(questions, n, 13, "task")) for n in (5, 20)}
    assert [len(some) for some in drawn.values()] == [5, 20]
    assert drawn[20] == [one for one in questions if one in drawn[20]] != questions[:20]
    assert all(one in drawn[20] for one in drawn[5])
    assert drawn[20] == sorted(
        drawn_questions(reversed(questions), 20, 13, "task"), key=lambda one: int(one.id[1:])
    )
    assert list(drawn_questions(questions, 20, 14, "task")) != drawn[20]
    assert list(drawn_questions(questions, None, 13)) == questions


def test_candidates_of_the_same_words_share_a_span_that_is_top_level_if_any_is() -> None:
    row, table = Candidate(4, 11, top_level=False), Candidate(4, 11)
    question = replace(
        KITES,
        candidates=(row, Candidate(0, 4), table),
        annotations=(Annotation(long=0), Annotation(long=2)),
    )
    examples = build_qa([question])
    assert examples.spans.role.tolist() == ["candidate", "candidate"]
    assert examples.examples.span1.tolist() == [0, 0]
    (again,) = qa_questions(examples)
    assert again.candidates == (table, Candidate(0, 4))


def test_a_candidate_without_words_has_no_span_and_is_no_answer() -> None:
    question = replace(
        KITES,
        candidates=(Candidate(3, 3), Candidate(0, 4)),
        annotations=(Annotation(long=0), Annotation(long=1)),
    )
    examples = build_qa([question])
    assert examples.examples.label.tolist() == ["unknown", "long"]
    assert [annotation.long for annotation in qa_questions(examples)[0].annotations] == [-1, 0]


def test_a_short_answer_that_is_a_whole_candidate_is_read_back_as_short() -> None:
    question = replace(KITES, annotations=(Annotation(long=2, shorts=((0, 4),)),))
    assert qa_questions(build_qa([question])) == [question]


def test_a_question_without_annotators_is_left_out_and_counted() -> None:
    counts: Counter[str] = Counter()
    examples = build_qa([replace(KITES, annotations=()), KITES], counts)
    assert examples.texts.source.tolist() == ["kites"]
    assert counts == {"no annotator": 1}


def test_an_answer_outside_the_document_is_refused() -> None:
    question = replace(KITES, annotations=(Annotation(long=0, shorts=((9, 12),)),))
    with pytest.raises(
        ArtifactError, match=r"\[9, 12\) in segment 1 of text 0, which has 11 words"
    ):
        build_qa([question])


def test_more_annotators_than_a_group_can_name_are_refused() -> None:
    with pytest.raises(ArtifactError, match="kites has 101 annotators, expected at most 100"):
        build_qa([replace(KITES, annotations=(Annotation(),) * 101)])


def test_examples_of_another_kind_are_not_read_as_questions() -> None:
    builder = ExamplesBuilder()
    text = builder.add_text("q", ["who"], ["Ann"])
    builder.add_example(-1, builder.add_span(text, 1, 0, 1, "word"), "boundary", "test")
    with pytest.raises(ArtifactError, match="not examples of kind 'qa'"):
        qa_questions(builder.build())
