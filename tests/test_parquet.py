"""Parquet files in the layout of the hub, of a folder or of a data set by its name; no network."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from tuneprobe.corpora.lines import CorpusError
from tuneprobe.corpora.parquet import hub_data
from tuneprobe.corpora.tables import read_tables
from tuneprobe.examples.labelled import build_labelled
from tuneprobe.tasks import Task

COLUMNS = {"text": "sentence", "label": "mood"}
NAMES = ["bad", "good"]


def write(path: Path, labels: list[int | None], names: list[str] | None = NAMES) -> None:
    """A split as `datasets` writes it: numbers of classes, their names in the metadata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    what = str(path.parent.name) + path.stem
    columns = {"idx": range(len(labels)), "sentence": [f"{what} {n}" for n in range(len(labels))]}
    table = pa.table({**columns, "mood": pa.array(labels, pa.int64())})
    if names:
        described = {"info": {"features": {"mood": {"names": names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({b"huggingface": json.dumps(described).encode()})
    pyarrow.parquet.write_table(table, path, row_group_size=3)


def write_set(folder: Path) -> Path:
    """A data set of two train files, a validation file, and a test file that hides its labels."""
    write(folder / "data" / "train-00000-of-00002.parquet", [0, 1, 1, 0, -1])
    write(folder / "data" / "train-00001-of-00002.parquet", [1, None, 0])
    write(folder / "data" / "validation-00000-of-00001.parquet", [1, 0])
    write(folder / "data" / "test-00000-of-00001.parquet", [-1, -1])
    return folder


def rows(folder: Path) -> list[tuple[str, str]]:
    return [
        (row.split, row.label) for row in read_tables(folder, "parquet", ("sentence",), "mood")[0]
    ]


def build(entry: dict[str, Any], data: Path) -> tuple[Any, Any, dict[str, str]]:
    task = Task.model_validate({"columns": COLUMNS, **entry})
    return build_labelled(task, data, train=None, test=None, seed=1, max_words=300)


def test_classes_have_their_names_and_a_split_without_labels_is_not_read(tmp_path: Path) -> None:
    write_set(tmp_path)
    train = ["bad", "good", "good", "bad", "good", "bad"]
    expected = [("train", label) for label in train] + [("test", "good"), ("test", "bad")]
    assert rows(tmp_path) == expected
    write(tmp_path / "data" / "test-00000-of-00001.parquet", [0, 0])
    assert rows(tmp_path)[-2:] == [("test", "bad")] * 2


def test_a_data_set_is_found_by_its_name_and_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    folder = write_set(tmp_path / "cache")

    def download(hub: str, **how: Any) -> str:
        asked.append((hub, how["repo_type"], how["revision"], how["allow_patterns"]))
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    entry = {"format": "hub", "path": "me/moods/data", "revision": "c" * 40}
    examples, _, split = build(entry, tmp_path)
    assert asked == [("me/moods", "dataset", "c" * 40, ["data/*.parquet"])]
    assert split == {"split": "files"}
    assert sorted(set(examples.examples.label)) == NAMES
    assert examples.texts.source[0] == "train-00000-of-00002.parquet:1"
    assert len(examples.examples) == 8
    by_folder, *_ = build({"format": "parquet", "path": "cache"}, tmp_path)
    assert by_folder.examples.equals(examples.examples)


def test_without_network_it_is_one_sentence_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: Any, **__: Any) -> str:
        raise OSError("no route")

    monkeypatch.setattr("huggingface_hub.snapshot_download", no_network)
    with pytest.raises(
        CorpusError, match=r"me/moods is not in the local cache .*'hf download --re"
    ):
        build({"format": "hub", "path": "me/moods"}, tmp_path)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(tmp_path))
    with pytest.raises(CorpusError, match=r"has no Parquet file: name a subset"):
        hub_data("me/moods")


def test_subsets_are_told_apart_and_splits_may_be_folders(tmp_path: Path) -> None:
    for subset in ("irony", "hate"):
        write(tmp_path / subset / "train" / "0000.parquet", [0, 1])
        write(tmp_path / subset / "test" / "0000.parquet", [1])
    with pytest.raises(CorpusError, match="has the subsets hate, irony: add the name of one"):
        rows(tmp_path)
    assert rows(tmp_path / "hate") == [("train", "bad"), ("train", "good"), ("test", "good")]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "train.parquet"
    write(file, [0, 2])
    with pytest.raises(CorpusError, match=r"train\.parquet:2: the label is 2, .* names 2 classes"):
        rows(tmp_path)
    write(file, [0, 2], names=None)
    assert {label for _, label in rows(tmp_path)} == {"0", "2"}
    with pytest.raises(CorpusError, match=r"the column 'text' is missing; there are idx, sentence"):
        read_tables(tmp_path, "parquet", ("text",), "mood")
    file.write_bytes(b"PAR1")
    with pytest.raises(CorpusError, match=r"train\.parquet cannot be read as Parquet"):
        rows(tmp_path)
