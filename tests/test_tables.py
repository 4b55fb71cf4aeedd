"""Texts with a label in a table of one's own."""

import gzip
from pathlib import Path

import pytest

from tuneprobe.corpora.lines import CorpusError
from tuneprobe.corpora.tables import read_tables
from tuneprobe.examples.labelled import build_labelled
from tuneprobe.tasks import Task

TSV = 'text\tlabel\na "quoted day\tgood\nno day\tbad\n'
CSV = 'label,text\r\ngood,"a day, so fine"\r\nbad,no day\r\n'
JSONL = '{"text": "a day", "label": 1}\n\n{"label": 0, "text": "no day"}\n'


def found(folder: Path, form: str, **more) -> list[tuple[str, str, str]]:
    rows, _ = read_tables(folder, form, ("text",), "label", **more)
    return [(row.sentence1, row.label, row.split) for row in rows]


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("tsv", TSV, [('a "quoted day', "good"), ("no day", "bad")]),
        ("csv", CSV, [("a day, so fine", "good"), ("no day", "bad")]),
        ("jsonl", JSONL, [("a day", "1"), ("no day", "0")]),
    ],
)
def test_every_format_gives_its_rows_by_the_names_of_files(
    tmp_path: Path, form: str, text: str, expected: list[tuple[str, str]]
) -> None:
    (tmp_path / f"my-train.{form}").write_text("\ufeff" + text)
    with gzip.open(tmp_path / f"test.{form}.gz", "wt") as packed:
        packed.write(text)
    rows = found(tmp_path, form)
    assert rows == [(*row, split) for split in ("train", "test") for row in expected]


def test_one_file_is_divided_by_its_first_text(tmp_path: Path) -> None:
    lines = [f"text {n // 2}\t{'ab'[n % 2]}" for n in range(200)]
    (tmp_path / "all.tsv").write_text("\n".join(["text\tlabel", *lines]))
    rows = found(tmp_path, "tsv")
    assert 5 <= sum(split == "test" for *_, split in rows) <= 40
    assert all(one[2] == other[2] for one, other in zip(rows[::2], rows[1::2], strict=True))


@pytest.mark.parametrize(
    ("form", "text", "message"),
    [
        ("tsv", "text\tmood\na\tb\n", r"all\.tsv:2: the column 'label' is missing; there are text"),
        ("tsv", "text\tlabel\na\n", r"all\.tsv:2: 1 columns, expected 2"),
        ("csv", "text,label\n  ,b\n", r"all\.csv:2: text is empty"),
        ("jsonl", '{"text": "a", "label": null}\n', r"all\.jsonl:1: label is empty"),
        ("jsonl", "[1]\n", r"all\.jsonl:1: no JSON object"),
        ("jsonl", "{\n", r"all\.jsonl:1: no JSON"),
    ],
)
def test_a_malformed_row_is_named_by_file_and_line(
    tmp_path: Path, form: str, text: str, message: str
) -> None:
    (tmp_path / f"all.{form}").write_text(text)
    with pytest.raises(CorpusError, match=message):
        found(tmp_path, form)


def test_a_score_is_a_number_and_no_files_are_said(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"has no \.tsv: put the files there"):
        found(tmp_path, "tsv")
    (tmp_path / "all.tsv").write_text("text\tlabel\na\t1.5\nb\tgood\n")
    with pytest.raises(CorpusError, match=r"all\.tsv:3: label is 'good', expected a number"):
        found(tmp_path, "tsv", score=True)


def test_a_task_of_a_table_becomes_examples_with_the_classes_that_it_holds(tmp_path: Path) -> None:
    rows = [f"one {n}\ttwo {n}\t{'xyz'[n % 3]}" for n in range(9)]
    (tmp_path / "mine").mkdir()
    for split in ("train", "test"):
        text = "\n".join(["a\tb\tlabel", *(f"{split} {row}" for row in rows)])
        (tmp_path / "mine" / f"{split}.tsv").write_text(text)
    columns = {"text": "a", "text2": "b", "label": "label"}
    task = Task.model_validate({"format": "tsv", "path": "mine", "columns": columns})
    examples, counts, split = build_labelled(
        task, tmp_path, train=6, test=None, seed=1, max_words=300
    )
    assert split == {"split": "files"}
    assert sorted(set(counts.label)) == ["x", "y", "z"]
    assert counts.kept.sum() == len(examples.examples) == 15
    assert examples.texts.iloc[0].to_dict()["source"].startswith("train.tsv:")
