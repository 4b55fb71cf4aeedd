"""Ways of tuning: what each moves, what a LoRA leaves behind, and that a kill changes nothing."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from labels_tuned_in_process import snapshots, tune
from peft import PeftModel
from safetensors.torch import load_file
from test_snapshots import layers
from tiny_labels import SENTENCES, tagged_words
from typer.testing import CliRunner

from tuneprobe.cli import app
from tuneprobe.encoders.encoder import Encoder, load_encoder
from tuneprobe.errors import UnknownNameError
from tuneprobe.formats.representations import open_representations
from tuneprobe.params import ParamsError, load_params
from tuneprobe.tuning.snapshots import CHECKPOINT, step_folder
from tuneprobe.tuning.training import Training
from tuneprobe.tuning.ways import Way, WayError, trained_by, way_of

pytestmark = pytest.mark.usefixtures("one_thread")

LORA = {"way": "lora", "lora": {"rank": 2, "alpha": 6, "targets": [], "learning_rate": 1e-2}}
BITFIT = {"way": "bitfit", "bitfit": {"learning_rate": 1e-2}}
RATES = {"learning_rate": 1e-3, "head_learning_rate": 1e-2}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    folder = tmp_path_factory.mktemp("lora")
    losses = tune(source, folder, tagged_words(), **LORA)
    assert losses[-1] < losses[0]
    return folder / "checkpoint"


def last_layer(model: torch.nn.Module, encoder: Encoder) -> torch.Tensor:
    batch = encoder.tokenizer(SENTENCES, padding=True, return_tensors="pt")
    with torch.inference_mode():
        return model(**batch).last_hidden_state * batch["attention_mask"][..., None]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_checkpoint_reads_as_base_and_adapter_do_in_peft(tuned: Path, source: Path) -> None:
    before = load_encoder("tiny", path=str(source))
    merged = load_encoder("tiny", path=str(source), state="finetuned", checkpoint=tuned)
    untouched = last_layer(before.model, before)
    unmerged = last_layer(PeftModel.from_pretrained(before.model, tuned / "adapter"), before)
    found = last_layer(merged.model, merged)
    torch.testing.assert_close(found, unmerged, atol=1e-6, rtol=0)
    assert (found - untouched).abs().max() > 1e-2
    settings = json.loads((tuned / "meta.json").read_text())["settings"]
    assert settings["way"] == "lora"
    assert settings["rank"] == 2
    assert str(source) not in (tuned / "adapter" / "adapter_config.json").read_text()


def test_the_adapter_is_one_that_encoder_merge_reads(
    tuned: Path, source: Path, tmp_path: Path
) -> None:
    words = [str(tuned / "adapter"), "--base", str(source), "--out", str(tmp_path / "merged")]
    done = CliRunner().invoke(app, ["encoder", "merge", *words])
    assert done.exit_code == 0, done.output
    ours, theirs = (load_file(f / "model.safetensors") for f in (tuned, tmp_path / "merged"))
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], atol=1e-6, rtol=0)


def test_only_linear_layers_change_and_by_the_product_alone(tuned: Path, source: Path) -> None:
    before, after = (load_file(folder / "model.safetensors") for folder in (source, tuned))
    tensors = load_file(tuned / "adapter" / "adapter_model.safetensors")
    changed = {name for name, weight in after.items() if not torch.equal(weight, before[name])}
    beside = {
        name.removeprefix("base_model.model.").replace(".lora_A.", ".")
        for name in tensors
        if ".lora_A." in name
    }
    assert changed == beside
    for name in changed:
        a, b = (
            tensors[f"base_model.model.{name.replace('weight', f'lora_{part}.weight')}"]
            for part in "AB"
        )
        product = torch.stack([sum(row[k] * a[k] for k in range(2)) for row in b])
        torch.testing.assert_close(after[name] - before[name], 3 * product, atol=1e-6, rtol=0)


def test_targets_are_the_layers_of_these_names(source: Path, tmp_path: Path) -> None:
    tune(source, tmp_path, tagged_words(), way="lora", lora=LORA["lora"] | {"targets": ["query"]})
    before, after = (
        load_file(folder / "model.safetensors") for folder in (source, tmp_path / "checkpoint")
    )
    changed = {name for name, weight in after.items() if not torch.equal(weight, before[name])}
    assert changed == {name for name in after if name.endswith("query.weight")}


def test_bitfit_moves_every_bias_that_is_read_and_nothing_else(
    source: Path, tmp_path: Path
) -> None:
    tune(source, tmp_path, tagged_words(), **BITFIT)
    before, after = (
        load_file(folder / "model.safetensors") for folder in (source, tmp_path / "checkpoint")
    )
    changed = {name for name, weight in after.items() if not torch.equal(weight, before[name])}
    biases = {name for name in after if name.endswith("bias") and "key" not in name}
    assert biases <= changed <= {name for name in after if name.endswith("bias")}
    assert not (tmp_path / "checkpoint" / "adapter").exists()


@pytest.mark.parametrize("way", [LORA, BITFIT], ids=["lora", "bitfit"])
def test_a_broken_off_tuning_goes_on_to_the_same_bytes(
    way: dict, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune(source, tmp_path / "whole", tagged_words(), **way)
    steps, update = [], Training.update

    def broken_off(training: Training, *given: object) -> None:
        if len(steps) == 7:
            raise KeyboardInterrupt
        steps.append(1)
        update(training, *given)

    monkeypatch.setattr(Training, "update", broken_off)
    with pytest.raises(KeyboardInterrupt):
        tune(source, tmp_path / "broken", tagged_words(), **way)
    monkeypatch.setattr(Training, "update", update)
    assert (tmp_path / "broken" / "resume").exists()
    tune(source, tmp_path / "broken", tagged_words(), **way)
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")


def test_snapshots_are_of_the_merged_encoder_and_change_no_bit(
    tuned: Path, source: Path, tmp_path: Path
) -> None:
    steps = snapshots(source, tmp_path, keep_weights=True, **LORA)
    last = step_folder(tmp_path / "snapshots", steps[-1])
    assert contents(last / CHECKPOINT)["model.safetensors"] == contents(tuned)["model.safetensors"]
    first = load_file(step_folder(tmp_path / "snapshots", 0) / CHECKPOINT / "model.safetensors")
    before = load_file(source / "model.safetensors")
    assert all(torch.equal(weight, before[name]) for name, weight in first.items())
    assert not (layers(last) == layers(step_folder(tmp_path / "snapshots", 5))).all()
    assert open_representations(last, tagged_words()).layers[-1] == 2


def test_after_an_error_the_encoder_is_as_it_was(source: Path) -> None:
    encoder = load_encoder("tiny", path=str(source))
    before = {name: weight.clone() for name, weight in encoder.model.state_dict().items()}
    settings = {"rank": 2, "alpha": 4, "targets": []}
    with suppress(RuntimeError), trained_by(Way("lora", settings), encoder, 1):
        asking = {n for n, weight in encoder.model.named_parameters() if weight.requires_grad}
        raise RuntimeError
    assert asking
    assert all("lora_" in name for name in asking)
    after = encoder.model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert all(weight.requires_grad for weight in encoder.model.parameters())


def test_a_head_alone_has_its_own_pace_whatever_the_way() -> None:
    assert way_of("finetuned", False, **RATES) == (Way(), 1e-3)
    assert way_of("finetuned", False, **RATES, **BITFIT) == (Way("bitfit"), 1e-2)
    for state, head_only in (("frozen", False), ("finetuned", True)):
        assert way_of(state, head_only, **RATES, **LORA) == (Way(), 1e-2)
    with pytest.raises(UnknownNameError, match="Did you mean 'lora'"):
        way_of("finetuned", False, **RATES, way="lara")
    with pytest.raises(WayError, match=r"give lora\.learning_rate"):
        way_of("finetuned", False, **RATES, way="lora")


def test_targets_that_no_layer_has_are_one_sentence(source: Path, tmp_path: Path) -> None:
    wrong = LORA["lora"] | {"targets": ["q_lin"]}
    with pytest.raises(WayError, match=r"has no linear layer called q_lin: correct lora\.targets"):
        tune(source, tmp_path, tagged_words(), way="lora", lora=wrong)
    assert not list(tmp_path.iterdir())


def test_a_way_is_a_value_of_every_block_that_tunes(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuneprobe.experiment import changed_params

    monkeypatch.chdir(root)
    asked = [f"{block}finetune.way=lora" for block in ("", "geometry.", "attention.")]
    params = changed_params([*asked, "finetune.lora.targets=[query,value]"])
    assert {params.finetune.way, params.tuning("geometry").way} == {"lora"}
    assert params.finetune.lora.targets == ("query", "value")
    assert load_params().finetune.way == "full"
    with pytest.raises(ParamsError, match=r"finetune\.way is 'lara'"):
        changed_params(["finetune.way=lara"])
