"""A model card says what was recorded of a checkpoint, and nothing else."""

import shutil
from pathlib import Path

import pytest
from labels_tuned_in_process import tune
from tiny_labels import tagged_words
from typer.testing import CliRunner

from tuneprobe import paths
from tuneprobe.artifacts import ArtifactError, read_meta
from tuneprobe.card import model_card
from tuneprobe.cli import app
from tuneprobe.digests import file_sha256
from tuneprobe.formats.results import OVER_BASELINE, Result, stamp, write_results
from tuneprobe.params import load_params

FOLDER = Path("checkpoints/tiny/world-pos/finetuned/seed-13")
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def checkpoint(root: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    tune(source, tmp_path / "made", tagged_words(), epochs=1)
    FOLDER.parent.mkdir(parents=True)
    shutil.move(tmp_path / "made" / "checkpoint", FOLDER)
    shutil.copy(root / "params.yaml", tmp_path)
    return FOLDER


def test_a_card_holds_settings_scores_limits_and_hashes(checkpoint: Path) -> None:
    facts = {"state": "finetuned", "classifier": "mlp", "layer": 2}
    gap = {"against": "majority", "score": "accuracy"}
    rows = [
        Result("accuracy", 91.5, 88.0, 94.0, **facts),
        Result(OVER_BASELINE, 7.25, 3.5, 11.0, **gap, **facts),
    ]
    keys = {"study": "classify", "encoder": "tiny", "task": "world-pos", "seed": 13}
    rows = stamp(rows, **keys, level=0.95)
    written = paths.results("tiny", "world-pos", "classify", 13) / "layers.csv"
    written.parent.mkdir(parents=True)
    write_results(rows, written)
    done = CliRunner().invoke(app, ["card", str(checkpoint)])
    assert done.exit_code == 0, done.output
    card = Path("card.md").read_text()
    meta = read_meta(checkpoint)
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert "Corpus: world (format conllu), **synthetic text**." in card
    assert f"{meta['n_inputs']} inputs, {meta['n_steps']} updates by AdamW" in card
    assert "| learning_rate | 0.001 |" in card
    assert "+7.2 [+3.5, +11.0] | – | yes |" in card
    assert "scores say nothing about natural text" in card
    assert f"| model.safetensors | {file_sha256(checkpoint / 'model.safetensors')} |" in card
    assert "classes (4: ADJ, NAME, THING, VERB)" in card


def test_without_results_or_params_it_says_so(checkpoint: Path) -> None:
    card = model_card(checkpoint)
    assert "Not measured here" in card
    assert "Corpus" not in card
    assert "synthetic" not in model_card(checkpoint, _real(load_params()))


def _real(params):
    entry = params.tasks["world-pos"].model_copy(update={"synthetic": False})
    return params.model_copy(update={"tasks": params.tasks | {"world-pos": entry}})


def test_what_is_no_tuned_encoder_is_one_sentence(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"is no checkpoint .* give a folder such as"):
        model_card(tmp_path)
    (checkpoint / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ArtifactError, match=r"model\.safetensors"):
        model_card(checkpoint)
