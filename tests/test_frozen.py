"""Frozen encoders: what is read once is what every step would read."""

from pathlib import Path

import numpy as np
import pytest
from labels_tuned_in_process import tune as tune_labels
from tiny_labels import neighbours, scored_texts, tagged_words
from tiny_reader import DIM, simple_questions
from tuned_in_process import tune as tune_reader

from tuneprobe.encoders.encoder import Encoder, load_encoder
from tuneprobe.tuning import frozen
from tuneprobe.tuning.heads import make_head
from tuneprobe.tuning.labelled_texts import labelled_texts
from tuneprobe.tuning.training import READ, Training
from tuneprobe.tuning.windows import training_windows

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


def as_they_are(rows):
    """Moments that leave the rows alone."""
    width = rows.shape[1]
    return np.zeros(width, dtype=np.float32), np.ones(width, dtype=np.float32)


def test_a_reader_on_what_was_read_once_learns_as_on_the_encoder(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "moments", as_they_are)
    once = tune_reader(source, tmp_path / "once", state="frozen")
    monkeypatch.setattr(frozen, "LARGEST", 0)
    each_time = tune_reader(source, tmp_path / "each", state="frozen")
    assert once == pytest.approx(each_time, rel=1e-5)


@pytest.mark.parametrize(("task", "kind"), LABELLED)
def test_a_classifier_on_what_was_read_once_learns_as_on_the_encoder(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, task, kind: str
) -> None:
    monkeypatch.setattr(frozen, "moments", as_they_are)
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
    assert once
    seen = np.concatenate(
        [training.read(data.batch(np.array([n]))) for n in range(len(data.lengths))]
    )
    assert np.allclose(once.mean, seen.mean(axis=0), atol=1e-6)
    assert np.allclose(once.deviation, seen.std(axis=0), atol=1e-5)
    for rows in (np.array([3]), np.array([5, 0, 2])):
        batch = once.batch(rows)
        read = training.read(data.batch(rows)).numpy()
        assert np.allclose(batch[READ], (read - once.mean) / once.deviation, atol=1e-4)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("kind", "shape"), [("label", {"n_outputs": 3, "n_spans": 2}), ("qa", {})])
def test_a_folded_head_reads_the_layer_as_the_trained_one_its_standardised_columns(
    tmp_path: Path, source: Path, kind: str, shape
) -> None:
    encoder: Encoder = load_encoder("tiny", path=str(source))
    head = make_head(kind, DIM, seed=1, **shape).eval()
    training = Training(encoder, head, freeze=True, weight_decay=0.0)
    if kind == "label":
        data = labelled_texts(encoder, neighbours(), "train")
    else:
        sizes = {"window": 64, "stride": 16, "max_question": 16}
        data = training_windows(encoder, simple_questions(4), **sizes, null_keep=1.0, seed=1)
    once = frozen.read_once(training, data, tmp_path)
    assert once
    batch = once.batch(np.array([0, 2]))
    before = head(batch[READ], batch)
    once.fold()
    after = head(training.read(data.batch(np.array([0, 2]))), batch)
    for name, logits in before.items():
        assert np.allclose(logits.detach(), after[name].detach(), atol=1e-5), name


def test_a_constant_column_and_columns_of_unlike_size_are_standardised() -> None:
    rows = np.random.default_rng(1).normal([0, 500, 3], [1e-3, 100, 0], (70_000, 3)).astype("f4")
    mean, deviation = frozen.moments(rows)
    assert mean == pytest.approx(rows.mean(axis=0, dtype="f8"), rel=1e-3, abs=1e-6)
    assert deviation == pytest.approx([1e-3, 100, 1.0], rel=0.02)
