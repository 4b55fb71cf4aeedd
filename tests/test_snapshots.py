"""Snapshots: what is stored on the way, and that it leaves no trace in the training."""

import signal
from pathlib import Path

import numpy as np
import pytest
from forked import finished
from labels_tuned_in_process import snapshots, tune
from stored import contents
from tiny_labels import tagged_words

from tuneprobe.encoders.encoder import load_encoder
from tuneprobe.encoders.represent import write_representations
from tuneprobe.formats.representations import open_representations
from tuneprobe.tuning.labelling import load_label_head
from tuneprobe.tuning.snapshots import CHECKPOINT, read_steps, step_folder

HERE = Path(__file__).parent
STEPS = [0, 5, 10, 12]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert snapshots(source, folder) == STEPS
    return folder


def layers(folder: Path) -> np.ndarray:
    stored = open_representations(folder, tagged_words())
    return np.stack([stored.layer(number) for number in stored.layers])


def test_there_is_one_at_the_beginning_and_one_at_the_end(folder: Path) -> None:
    assert read_steps(folder / "snapshots") == STEPS
    assert [path.name for path in folder.iterdir()] == ["snapshots"]
    names = {path.name for path in (folder / "snapshots").iterdir()} - {"SHA256SUMS"}
    assert names == {"meta.json", "step_00000", "step_00005", "step_00010", "step_00012"}


def test_the_first_is_the_pretrained_and_the_last_the_tuned_encoder(
    tmp_path: Path, folder: Path, source: Path
) -> None:
    tune(source, tmp_path, tagged_words())
    tuned = {"state": "finetuned", "checkpoint": tmp_path / "checkpoint"}
    for step, given in ((0, {}), (12, tuned)):
        encoder = load_encoder("tiny", path=str(source), **given)
        write_representations(encoder, tagged_words(), tmp_path / "rep")
        snapshot = step_folder(folder / "snapshots", step)
        assert np.array_equal(layers(snapshot), layers(tmp_path / "rep"))


def test_every_step_moves_the_vectors_on(folder: Path) -> None:
    stored = [layers(step_folder(folder / "snapshots", step)) for step in STEPS]
    moved = [np.abs(later - stored[0]).mean() for later in stored]
    assert moved[0] == 0
    assert moved == sorted(set(moved))


def test_weights_are_kept_when_asked_and_change_no_vector(
    tmp_path: Path, folder: Path, source: Path
) -> None:
    snapshots(source, tmp_path, keep_weights=True)
    tune(source, tmp_path, tagged_words())
    kept = step_folder(tmp_path / "snapshots", 12)
    assert np.array_equal(layers(kept), layers(step_folder(folder / "snapshots", 12)))
    for name in ("model.safetensors", "head.safetensors"):
        last = (kept / CHECKPOINT / name).read_bytes()
        assert last == (tmp_path / "checkpoint" / name).read_bytes()
    labels = load_label_head(kept / CHECKPOINT)[1]
    assert labels == ["ADJ", "NAME", "THING", "VERB"]


def test_a_killed_training_goes_on_to_the_same_bytes(
    tmp_path: Path, folder: Path, source: Path
) -> None:
    script = str(HERE / "labels_tuned_in_process.py")
    killed = finished([script, str(source), str(tmp_path), "snapshots"], tmp_path)
    assert killed.returncode == -signal.SIGKILL
    done = {path.name for path in (tmp_path / "work" / "snapshots").iterdir()}
    assert done == {"step_00000", "step_00005"}
    before = step_folder(tmp_path / "work" / "snapshots", 0).stat().st_ino
    assert snapshots(source, tmp_path) == STEPS
    assert step_folder(tmp_path / "snapshots", 0).stat().st_ino == before
    assert contents(tmp_path) == contents(folder)


def test_what_another_training_left_is_not_used(tmp_path: Path, folder: Path, source: Path) -> None:
    left = step_folder(tmp_path / "work" / "snapshots", 3)
    left.mkdir(parents=True)
    snapshots(source, tmp_path)
    assert contents(tmp_path) == contents(folder)
