"""Examples in pieces: the bytes of one, however they are cut, and the pieces back."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from stored import contents
from test_qa_examples import KITES, NO_ANSWER

from tuneprobe.examples import pieces
from tuneprobe.examples.pieces import read_pieces, write_pieces
from tuneprobe.examples.qa import ANNOTATORS, build_qa, qa_questions
from tuneprobe.formats.examples import read_examples, write_examples
from tuneprobe.formats.question import Question

QUESTIONS = [
    replace(question, id=f"{question.id}-{number}")
    for number in range(5)
    for question in (KITES, NO_ANSWER)
]


def write(lists: list[list[Question]], folder: Path) -> dict[str, bytes]:
    """The files of the questions, written a list at a time."""
    write_pieces(map(build_qa, lists), folder, ANNOTATORS, corpus="kites")
    return contents(folder)


@pytest.mark.parametrize("size", [1, 3, 10])
def test_pieces_of_any_size_are_written_as_the_whole(size: int, tmp_path: Path) -> None:
    lists = [QUESTIONS[start : start + size] for start in range(0, len(QUESTIONS), size)]
    write_examples(build_qa(QUESTIONS), tmp_path / "whole", corpus="kites")
    assert write([*lists, []], tmp_path / "pieces") == contents(tmp_path / "whole")


def test_each_row_group_is_read_as_the_piece_that_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "ROW_GROUP", 1)
    lists = [QUESTIONS[:3], QUESTIONS[3:4], QUESTIONS[4:]]
    write(lists, tmp_path / "pieces")
    parts = list(read_pieces(tmp_path / "pieces", ANNOTATORS))
    assert [qa_questions(part) for part in parts] == lists
    whole, again = build_qa(QUESTIONS), read_examples(tmp_path / "pieces")
    pd.testing.assert_frame_equal(whole.examples, again.examples)
    assert whole.spans_sha256() == again.spans_sha256()
    write_pieces(parts, tmp_path / "again", ANNOTATORS, corpus="kites")
    assert contents(tmp_path / "again") == contents(tmp_path / "pieces")


def test_no_question_gives_empty_tables(tmp_path: Path) -> None:
    write([[]], tmp_path / "none")
    again = read_examples(tmp_path / "none")
    assert len(again.texts) == len(again.spans) == len(again.examples) == 0
    assert again.spans_sha256() == build_qa([]).spans_sha256()
