"""Frozen encoders: what is read once is what every step would read."""

from pathlib import Path

import numpy as np
import pytest
from labels_tuned_in_process import tune as tune_labels
from tiny_labels import neighbours, scored_texts, tagged_words
from tiny_reader import DIM
from tuned_in_process import tune as tune_reader

from tuneprobe.encoders.encoder import Encoder, load_encoder
from tuneprobe.tuning import frozen
from tuneprobe.tuning.heads import make_head
from tuneprobe.tuning.labelled_texts import labelled_texts
from tuneprobe.tuning.training import READ, Training

LABELLED = [(tagged_words, "label"), (neighbours, "label"), (scored_texts, "score")]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Gets the number of inputs of each batch that an encoder reads in a training."""
    sizes, read = [], Training.read
    monkeypatch.setattr(
        Training,
        "read",
        lambda self, batch: (sizes.append(len(batch["input_ids"])), read(self, batch))[1],
    )
    return sizes


def test_a_reader_on_what_was_read_once_learns_as_on_the_encoder(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = tune_reader(source, tmp_path / "once", state="frozen")
    monkeypatch.setattr(frozen, "LARGEST", 0)
    each_time = tune_reader(source, tmp_path / "each", state="frozen")
    assert once == pytest.approx(each_time, rel=1e-5)


@pytest.mark.parametrize(("task", "kind"), LABELLED)
def test_a_classifier_on_what_was_read_once_learns_as_on_the_encoder(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, task, kind: str
) -> None:
    once = tune_labels(source, tmp_path / "once", task(), kind=kind, state="frozen")
    monkeypatch.setattr(frozen, "LARGEST", 0)
    each_time = tune_labels(source, tmp_path / "each", task(), kind=kind, state="frozen")
    assert once == pytest.approx(each_time, rel=1e-4)


def test_each_text_is_read_once_whatever_the_epochs(
    tmp_path: Path, source: Path, counted: list[int]
) -> None:
    tune_labels(source, tmp_path, tagged_words(), state="frozen", epochs=7)
    assert sum(counted) == 8


def test_a_last_layer_that_is_too_large_is_computed_in_every_step(
    tmp_path: Path, source: Path, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder("tiny", path=str(source))
    n_bytes = 4 * DIM * int(labelled_texts(encoder, tagged_words(), "train").lengths.sum())
    monkeypatch.setattr(frozen, "LARGEST", n_bytes - 1)
    tune_labels(source, tmp_path / "large", tagged_words(), state="frozen", epochs=7)
    assert sum(counted) == 7 * 8
    counted.clear()
    monkeypatch.setattr(frozen, "LARGEST", n_bytes)
    tune_labels(source, tmp_path / "small", tagged_words(), state="frozen", epochs=7)
    assert sum(counted) == 8


def test_a_head_alone_has_passes_of_its_own_where_they_cost_the_head_alone(
    tmp_path: Path, source: Path, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"state": "frozen", "epochs": 2}
    few = tune_labels(source, tmp_path / "few", tagged_words(), **given)
    many = tune_labels(source, tmp_path / "many", tagged_words(), **given, head_epochs=60)
    assert len(many) == 30 * len(few)
    assert np.mean(many[-5:]) < 0.5 * np.mean(few[-5:])
    assert sum(counted) == 2 * 8
    tuned = tune_labels(source, tmp_path / "tuned", tagged_words(), epochs=2, head_epochs=60)
    assert len(tuned) == len(few)
    monkeypatch.setattr(frozen, "LARGEST", 0)
    large = tune_labels(source, tmp_path / "large", tagged_words(), **given, head_epochs=60)
    assert len(large) == len(few)


def test_a_batch_holds_what_the_head_would_read(tmp_path: Path, source: Path) -> None:
    encoder: Encoder = load_encoder("tiny", path=str(source))
    head = make_head("label", DIM, seed=1, n_outputs=3, n_spans=2)
    training = Training(encoder, head, freeze=True, weight_decay=0.0)
    data = labelled_texts(encoder, neighbours(), "train")
    once = frozen.read_once(training, data, tmp_path)
    for rows in (np.array([3]), np.array([5, 0, 2])):
        batch = once.batch(rows)
        assert np.allclose(batch[READ], training.read(data.batch(rows)), atol=1e-6)
    assert list(tmp_path.iterdir()) == []
