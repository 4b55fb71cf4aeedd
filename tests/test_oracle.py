"""Oracle passages: running text is tokenised, answers are found between word boundaries."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tuneprobe.corpora.lines import CorpusError
from tuneprobe.corpora.oracle import NOT_FOUND, locate, read_oracle
from tuneprobe.corpora.tokens import split_blanks, tokenise
from tuneprobe.formats.question import Annotation, Candidate, Question

KITES = "Kites  aren't old. Ann Lee (of Rye) flew one in 1901."


def example(question: str, *answers: str) -> Any:
    gold = {
        "title": "Kite",
        "long_answer": KITES,
        "chunked_long_answer": KITES,
        "short_answers": list(answers),
    }
    return {
        "question": question,
        "answers": list(answers),
        "ctxs": [],
        "nq_annotated_gold": gold,
    }


def kites() -> list[Any]:
    """Three invented examples: two alternatives; one found and one not; none found."""
    return [
        example("who's flown one?", "Ann Lee (of Rye)", "Ann Lee"),
        example("when was it", "1901", "in May"),
        example("who fell", "Nn Lee"),
    ]


def write(path: Path, examples: list[Any]) -> Path:
    text = "".join(json.dumps(one) + "\n" for one in examples)
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_a_line_becomes_a_question_with_one_annotation_for_each_answer_found(tmp_path):
    assert next(read_oracle(write(tmp_path / "nq.jsonl.gz", kites()))) == Question(
        id="nq:1",
        title="Kite",
        words=("who", "'s", "flown", "one", "?"),
        document=tuple("Kites are n't old . Ann Lee ( of Rye ) flew one in 1901 .".split()),
        candidates=(Candidate(0, 16),),
        annotations=(
            Annotation(long=0, shorts=((5, 11),)),
            Annotation(long=0, shorts=((5, 7),)),
        ),
    )


def test_questions_whose_answer_is_not_found_are_left_out_and_counted(tmp_path):
    counts: Counter[str] = Counter()
    questions = list(read_oracle(write(tmp_path / "nq.jsonl.gz", kites()), counts))
    assert [question.id for question in questions] == ["nq:1", "nq:2"]
    assert questions[1].annotations == (Annotation(long=0, shorts=((14, 15),)),)
    assert counts == {NOT_FOUND: 1}


@pytest.mark.parametrize(
    ("answer", "words"),
    [("old", ["old"]), ("kite", None), ("(of Rye)", ["(", "of", "Rye", ")"]), ("", None)],
)
def test_an_answer_is_found_between_word_boundaries_only(answer, words):
    tokens = tokenise(KITES)
    place = locate(answer, KITES, tokens)
    assert (place and list(tokens.words[slice(*place)])) == words


def test_characters_between_words_belong_to_no_word():
    tokens = split_blanks("the  red kite")
    assert tokens.interval(3, 5) == (1, 1)
    assert tokens.interval(3, 6) == (1, 2)
    assert tokens.interval(0, 13) == (0, 3)


def test_a_missing_key_is_named(tmp_path):
    examples = kites()
    del examples[1]["nq_annotated_gold"]["long_answer"]
    path = write(tmp_path / "nq.jsonl.gz", examples)
    with pytest.raises(CorpusError, match=r"nq\.jsonl\.gz:2: nq_annotated_gold.long_answer is mis"):
        list(read_oracle(path))


def test_an_answer_that_is_no_text_is_named(tmp_path):
    examples = kites()
    examples[1]["nq_annotated_gold"]["short_answers"][1] = 5
    path = write(tmp_path / "nq.jsonl.gz", examples)
    with pytest.raises(CorpusError, match=r":2: nq_annotated_gold.short_answers\[1\] is 5, exp"):
        list(read_oracle(path))
