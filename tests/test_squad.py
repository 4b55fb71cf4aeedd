"""SQuAD: one candidate per paragraph, one annotation per annotator, none for the unanswerable."""

import json
from pathlib import Path
from typing import Any

import pytest

from tuneprobe.corpora.lines import CorpusError
from tuneprobe.corpora.squad import read_squad
from tuneprobe.formats.question import Annotation, Candidate, Question

KITES = "Kites aren't old. Ann Lee flew one in 1901."


def kites() -> Any:
    """Three invented examples: two annotators; version 1 without a flag; unanswerable."""
    qas = [
        {
            "id": "a1",
            "question": "Who flew one?",
            "is_impossible": False,
            "answers": [
                {"text": "Ann Lee", "answer_start": 18},
                {"text": "Lee", "answer_start": 22},
            ],
        },
        {"id": "a2", "question": "When?", "answers": [{"text": "1901", "answer_start": 38}]},
        {
            "id": "a3",
            "question": "Who fell?",
            "is_impossible": True,
            "answers": [],
            "plausible_answers": [{"text": "Ann Lee", "answer_start": 18}],
        },
    ]
    paragraph = {"context": KITES, "qas": qas}
    return {"version": "v2.0", "data": [{"title": "Kite", "paragraphs": [paragraph]}]}


def write(path: Path, squad: Any) -> Path:
    path.write_text(json.dumps(squad, indent=2))
    return path


def test_a_question_has_one_annotation_for_each_annotator(tmp_path):
    assert next(read_squad(write(tmp_path / "dev.json", kites()))) == Question(
        id="a1",
        title="Kite",
        words=("Who", "flew", "one", "?"),
        document=tuple("Kites are n't old . Ann Lee flew one in 1901 .".split()),
        candidates=(Candidate(0, 12),),
        annotations=(
            Annotation(long=0, shorts=((5, 7),)),
            Annotation(long=0, shorts=((6, 7),)),
        ),
    )


def test_an_unanswerable_question_has_one_empty_annotation(tmp_path):
    questions = list(read_squad(write(tmp_path / "dev.json", kites())))
    assert [question.id for question in questions] == ["a1", "a2", "a3"]
    assert questions[2].annotations == (Annotation(),)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"answer_start": 40}, r"gives \[40, 47\), outside a paragraph of 43 characters"),
        ({"answer_start": -1}, r"gives \[-1, 6\), outside"),
        ({"answer_start": 17}, "is 17, where the paragraph says ' Ann Le', not 'Ann Lee'"),
    ],
)
def test_an_answer_that_is_not_at_its_place_is_named(tmp_path, answer, message):
    squad = kites()
    squad["data"][0]["paragraphs"][0]["qas"][0]["answers"][0].update(answer)
    place = r"data\[0\].paragraphs\[0\].qas\[0\].answers\[0\].answer_start "
    with pytest.raises(CorpusError, match=rf"dev\.json:1: {place}{message}"):
        list(read_squad(write(tmp_path / "dev.json", squad)))


def test_malformed_json_is_named_with_its_line(tmp_path):
    path = write(tmp_path / "dev.json", kites())
    lines = path.read_text().splitlines()
    lines[4] = "oops"
    path.write_text("\n".join(lines))
    with pytest.raises(CorpusError, match=r"dev\.json:5: not JSON at column 1"):
        list(read_squad(path))


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "n_questions", "n_empty"),
    [("xquad.en.json", 1190, 0), ("haystack_squad2_small.json", 626, 333)],
)
def test_the_answers_of_real_files_stand_in_their_paragraphs(
    shared_data, name, n_questions, n_empty
):
    questions = list(read_squad(shared_data / "mrc/squad" / name))
    assert len(questions) == n_questions
    assert sum(question.annotations[0].long < 0 for question in questions) == n_empty
