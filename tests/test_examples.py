"""Examples: what the tables accept, refuse and keep."""

from pathlib import Path

import pandas as pd
import pytest

from tuneprobe.artifacts import ArtifactError
from tuneprobe.formats.examples import ExamplesBuilder, read_examples, write_examples


@pytest.fixture
def builder() -> ExamplesBuilder:
    builder = ExamplesBuilder()
    text = builder.add_text("q1", ["who", "sang"], ["Ada", "sang", "it"])
    anchor = builder.add_span(text, 0, 0, 1, "anchor")
    match = builder.add_span(text, 1, 0, 1, "match")
    builder.add_example(anchor, match, "answer-type", "test")
    return builder


def test_tables_survive_writing_and_reading(builder: ExamplesBuilder, tmp_path: Path) -> None:
    examples = builder.build()
    write_examples(examples, tmp_path / "task", corpus="c")
    again = read_examples(tmp_path / "task")
    assert list(again.texts.words2[0]) == ["Ada", "sang", "it"]
    pd.testing.assert_frame_equal(again.spans, examples.spans)
    pd.testing.assert_frame_equal(again.examples, examples.examples)
    assert again.spans_sha256() == examples.spans_sha256()


def test_equal_spans_are_one_row(builder: ExamplesBuilder) -> None:
    assert builder.add_span(0, 1, 0, 1, "word") == 1
    assert builder.add_span(0, 1, 1, 2, "word") == 2
    assert builder.build().spans.role.tolist() == ["anchor", "match", "word"]


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ((0, 1, 2, 4), r"\[2, 4\) in segment 1 of text 0, which has 3 words"),
        ((0, 0, 1, 1), r"\[1, 1\) in segment 0"),
        ((5, 0, 0, 1), "points outside texts"),
    ],
)
def test_a_span_outside_its_text_is_refused(
    builder: ExamplesBuilder, span: tuple[int, int, int, int], message: str
) -> None:
    builder.add_span(*span, "word")
    with pytest.raises(ArtifactError, match=message):
        builder.build()


def test_an_example_of_a_missing_span_is_refused(builder: ExamplesBuilder) -> None:
    builder.add_example(0, 7, "synonyms", "test")
    with pytest.raises(ArtifactError, match=r"span2 points outside spans.*there are 2 spans"):
        builder.build()


def test_the_fingerprint_follows_texts_and_spans_but_not_roles(builder: ExamplesBuilder) -> None:
    before = builder.build()
    renamed = before.spans.assign(role="x")
    assert type(before)(before.texts, renamed, before.examples).spans_sha256() == (
        before.spans_sha256()
    )
    builder.add_span(0, 1, 2, 3, "word")
    assert builder.build().spans_sha256() != before.spans_sha256()


def test_missing_examples_say_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="run 'dvc repro'"):
        read_examples(tmp_path / "none")
