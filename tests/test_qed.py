"""QED: spans of characters become spans of words, one annotation per distinct answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from tuneprobe.corpora.lines import CorpusError
from tuneprobe.corpora.qed import read_qed
from tuneprobe.formats.question import Annotation, Candidate, Question

KITES = "Kites are old . Ann Lee , of Rye , flew one . "


def span(text: str, string: str) -> dict[str, Any]:
    start = text.index(string)
    return {"start": start, "end": start + len(string), "string": string}


def example(number: int, question: str, text: str, answers: Any, explained: Any = ()) -> Any:
    return {
        "example_id": number,
        "title_text": "Kite",
        "url": "https://en.example.org/Kite",
        "question_text": question,
        "paragraph_text": text,
        "sentence_starts": [0, 16],
        "original_nq_answers": answers,
        "annotation": {
            "explanation_type": "single_sentence" if explained else "none",
            "answer": [
                {"sentence_reference": one, "paragraph_reference": one} for one in explained
            ],
        },
    }


def kites() -> list[Any]:
    """Three invented examples: two annotators; one answer in two places; only an explanation."""
    return [
        example(
            -7, "who flew one", KITES, [[span(KITES, "Ann Lee , of Rye")], [span(KITES, "Ann Lee")]]
        ),
        example(8, "what is where", KITES, [[span(KITES, "Kites"), span(KITES, "Rye")]]),
        example(9, "who is old", KITES, [], [span(KITES, "Kites")]),
    ]


def write(path: Path, examples: list[Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in examples))
    return path


def test_a_line_becomes_a_question_whose_paragraph_is_the_only_candidate(tmp_path):
    assert next(read_qed(write(tmp_path / "a.jsonlines", kites()))) == Question(
        id="-7",
        title="Kite",
        words=("who", "flew", "one"),
        document=tuple("Kites are old . Ann Lee , of Rye , flew one .".split()),
        candidates=(Candidate(0, 13),),
        annotations=(
            Annotation(long=0, shorts=((4, 9),)),
            Annotation(long=0, shorts=((4, 6),)),
        ),
        sentences=(0, 4),
    )


def test_answers_in_several_places_are_one_annotation(tmp_path):
    second = list(read_qed(write(tmp_path / "a.jsonlines", kites())))[1]
    assert second.annotations == (Annotation(long=0, shorts=((0, 1), (8, 9))),)


def test_the_explanation_gives_the_answer_where_the_annotators_gave_none(tmp_path):
    third = list(read_qed(write(tmp_path / "a.jsonlines", kites())))[2]
    assert third.annotations == (Annotation(long=0, shorts=((0, 1),)),)


def test_a_span_inside_a_word_takes_the_whole_word(tmp_path):
    inside = example(1, "who", KITES, [[span(KITES, "nn Le")]])
    (question,) = read_qed(write(tmp_path / "a.jsonlines", [inside]))
    assert question.annotations[0].shorts == ((4, 6),)


def test_an_answer_outside_its_paragraph_is_named(tmp_path):
    examples = kites()
    examples[1]["original_nq_answers"][0][1]["end"] = 900
    with pytest.raises(
        CorpusError,
        match=r"a\.jsonlines:2: original_nq_answers\[0\]\[1\].end ends \[29, 900\), "
        "outside a document of 46 characters",
    ):
        list(read_qed(write(tmp_path / "a.jsonlines", examples)))


def test_an_answer_that_is_not_the_text_at_its_place_is_named(tmp_path):
    examples = kites()
    examples[0]["original_nq_answers"][1][0]["string"] = "Bob Lee"
    with pytest.raises(CorpusError, match=r":1: .*string is 'Bob Lee', but its place holds 'Ann"):
        list(read_qed(write(tmp_path / "a.jsonlines", examples)))


def test_a_sentence_outside_its_paragraph_is_named(tmp_path):
    examples = kites()
    examples[2]["sentence_starts"] = [0, 46]
    with pytest.raises(CorpusError, match=r":3: sentence_starts\[1\] is 46, outside the paragraph"):
        list(read_qed(write(tmp_path / "a.jsonlines", examples)))


def test_a_missing_key_is_named(tmp_path):
    examples = kites()
    del examples[2]["title_text"]
    with pytest.raises(CorpusError, match=r"a\.jsonlines:3: title_text is missing"):
        list(read_qed(write(tmp_path / "a.jsonlines", examples)))


@pytest.mark.shared_data
def test_all_answers_of_qed_hold_the_words_of_their_strings(shared_data):
    path = shared_data / "mrc/natural_questions/qed/qed-dev.jsonlines"
    upstream = [json.loads(line) for line in path.read_text().splitlines()]
    questions = list(read_qed(path))
    assert len(questions) == 1355
    inside_a_word = 0
    for ours, theirs in zip(questions, upstream, strict=True):
        strings = [[one["string"] for one in answers] for answers in theirs["original_nq_answers"]]
        words = [[" ".join(ours.document[a:b]) for a, b in one.shorts] for one in ours.annotations]
        inside_a_word += words != strings
        assert ours.sentences[0] == 0
        assert len(ours.sentences) == len(theirs["sentence_starts"])
    assert inside_a_word == 1
