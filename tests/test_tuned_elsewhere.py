"""Weights tuned elsewhere are analysed against their base; pickles become safetensors once."""

import importlib.util
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import foreign_encoders as foreign
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file
from tiny_labels import tagged_words
from tiny_reader import simple_questions, write_tiny_bert
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification
from tuned_in_process import SETTINGS
from typer.testing import CliRunner

from tuneprobe import paths
from tuneprobe.artifacts import read_meta
from tuneprobe.cli import app
from tuneprobe.digests import file_sha256
from tuneprobe.encoders.convert import convert
from tuneprobe.encoders.encoder import load_encoder, load_tuned_elsewhere
from tuneprobe.encoders.represent import cut_texts, write_representations
from tuneprobe.encoders.source import EncoderError, checkpoint_steps, find_weights
from tuneprobe.formats.examples import write_examples
from tuneprobe.formats.representations import open_representations
from tuneprobe.params import ParamsError, load_params
from tuneprobe.scores.label_scores import load_tuned
from tuneprobe.studies.attention.ablation.sweep import ablation_sweep
from tuneprobe.studies.attention.maps.maps import LayerMaps, stream_maps
from tuneprobe.tuning.checkpoints import read_head
from tuneprobe.tuning.finetune import finetune_reader
from tuneprobe.tuning.heads import make_head
from tuneprobe.tuning.labelled_texts import labelled_texts
from tuneprobe.tuning.labelling import predict
from tuneprobe.tuning.snapshots import read_steps, step_folder


def write_tuned(folder: Path, **changes: int) -> BertForSequenceClassification:
    """What a Trainer leaves of a tiny BERT: a classifier on it, and no tokenizer."""
    base = write_tiny_bert(folder.parent / "of-the-tuned")
    config = BertConfig.from_pretrained(base, **changes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = BertForSequenceClassification(config).eval()
        for name, weight in model.named_parameters():
            if weight.ndim > 1 and "embedding" not in name:
                torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(folder)
    return model


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_tiny_bert(tmp_path / "base")


def test_a_classifier_of_a_trainer_is_read_as_its_encoder(base: Path, tmp_path: Path) -> None:
    theirs = write_tuned(tmp_path / "tuned")
    before = load_encoder("mine", path=str(base))
    tuned = load_tuned_elsewhere(before, path=str(tmp_path / "tuned"))
    assert tuned.tokenizer is before.tokenizer
    assert tuned.weights_sha256 != before.weights_sha256
    ids = torch.tensor([[2, 9, 10, 3]])
    with torch.inference_mode():
        torch.testing.assert_close(
            tuned.model(ids).last_hidden_state, theirs.bert(ids).last_hidden_state
        )


def test_a_folder_of_sentence_transformers_is_its_transformer(base: Path, tmp_path: Path) -> None:
    whole = tmp_path / "sentences"
    write_tuned(whole / "0_Transformer")
    modules = [
        {"path": "0_Transformer", "type": "sentence_transformers.models.Transformer"},
        {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]
    (whole / "modules.json").write_text(json.dumps(modules))
    tuned = load_tuned_elsewhere(load_encoder("mine", path=str(base)), path=str(whole))
    assert tuned.n_layers == 2
    foreign_path = modules[0] | {"path": "../base"}
    (whole / "modules.json").write_text(json.dumps([foreign_path]))
    with pytest.raises(EncoderError, match=r"its transformer lies in '\.\./base'"):
        find_weights("mine", path=str(whole))


def test_the_folder_above_checkpoints_names_them(tmp_path: Path) -> None:
    write_tuned(tmp_path / "out" / "checkpoint-20")
    (tmp_path / "out" / "checkpoint-40").mkdir()
    with pytest.raises(
        EncoderError, match=r"no config\.json\. Give .*: checkpoint-20, checkpoint-4"
    ):
        find_weights("mine", path=str(tmp_path / "out"))


def test_another_architecture_or_another_tokenizer_than_the_bases_is_refused(
    base: Path, tmp_path: Path
) -> None:
    before = load_encoder("mine", path=str(base))
    write_tuned(tmp_path / "deeper", num_hidden_layers=3)
    with pytest.raises(EncoderError, match="num_hidden_layers 3, its base 2"):
        load_tuned_elsewhere(before, path=str(tmp_path / "deeper"))
    write_tuned(tmp_path / "tuned")
    words = (base / "vocab.txt").read_text().split()
    foreign.write_word_pieces(tmp_path / "tuned", *reversed(words[5:]))
    with pytest.raises(EncoderError, match="reads text otherwise than its base's"):
        load_tuned_elsewhere(before, path=str(tmp_path / "tuned"))
    AutoTokenizer.from_pretrained(base).save_pretrained(tmp_path / "tuned")
    (tmp_path / "tuned" / "vocab.txt").unlink(missing_ok=True)
    assert load_tuned_elsewhere(before, path=str(tmp_path / "tuned")).dim == before.dim


@pytest.fixture
def repository(
    root: Path, tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """A folder with a params.yaml whose only encoder was tuned elsewhere."""
    write_tuned(tmp_path / "tuned")

    def write(**blocks: object) -> Path:
        params = yaml.safe_load((root / "params.yaml").read_text())
        params["encoders"] = {
            "small": {"path": str(base)},
            "mine": {"path": str(tmp_path / "tuned"), "base": "small"},
        }
        params["run"]["encoders"] = ["mine"]
        params["geometry"]["dynamics"]["tasks"] = params["change"]["dynamics"]["tasks"] = []
        params["geometry"]["cross"] = {"tasks": [], "tuned_on": []}
        params["geometry"]["finetune"]["epochs"] = 1
        for block, value in blocks.items():
            params[block] = value
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(params))
        return path

    monkeypatch.chdir(tmp_path)
    return write


def stage(root: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"stage_{name}", root / f"stages/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.usefixtures("one_thread")
def test_the_stages_take_the_weights_as_they_came_and_train_a_head_on_them(
    root: Path, repository: Callable[..., Path], tmp_path: Path
) -> None:
    params = load_params(repository())
    task, examples = "world-pos", tagged_words()
    write_examples(examples, paths.examples(task), {}, corpus="made up", synthetic=True)
    stage(root, "encoder").main("mine")
    said = json.loads(paths.encoder("mine").read_text())
    assert said["weights_sha256"] != said["tuned_elsewhere"]["weights_sha256"]
    tuning = stage(root, "finetune_labels").main
    tuning(encoder="mine", task=task, state="finetuned", seed=13, study="geometry")
    made = paths.checkpoint("mine", task, "finetuned", 13)
    written, given = (
        load_file(made / "model.safetensors"),
        load_file(tmp_path / "tuned/model.safetensors"),
    )
    assert all(torch.equal(weight, given[f"bert.{name}"]) for name, weight in written.items())
    assert read_meta(made)["head_only"] is True
    base = load_encoder("mine", **params.encoder_source("mine"))
    again = load_encoder(
        "mine", **params.encoder_source("mine"), state="finetuned", checkpoint=made
    )
    tuned = load_tuned_elsewhere(base, **params.tuned_elsewhere("mine"))
    stored = []
    for name, encoder in {"base": base, "tuned": tuned, "again": again}.items():
        write_representations(encoder, examples, tmp_path / "vectors" / name)
        stored.append(open_representations(tmp_path / "vectors" / name, examples).layer(2))
    np.testing.assert_array_equal(stored[1], stored[2])
    assert np.abs(stored[0] - stored[1]).max() > 0.1
    maps: list[LayerMaps] = []
    stream_maps([base, again], cut_texts(again, examples.texts, "pair"), maps.append)
    assert {one.layer for one in maps} == {1, 2}
    assert all((one.maps[0] - one.maps[1]).abs().max() > 0.01 for one in maps)
    source = params.encoder_source("mine")
    labeller = load_tuned("mine", state="finetuned", seed=13, checkpoint=made, **source)
    swept = ablation_sweep(labeller.head, labelled_texts(again, examples, "test"))
    plain = predict(tuned, labeller.head, examples)
    np.testing.assert_allclose(swept[0], plain, atol=1e-5)


@pytest.mark.usefixtures("one_thread")
def test_a_reader_is_a_head_on_the_weights_as_they_came(base: Path, tmp_path: Path) -> None:
    write_tuned(tmp_path / "tuned")
    before = load_encoder("mine", path=str(base))
    tuned = load_tuned_elsewhere(before, path=str(tmp_path / "tuned"))
    weights = {name: weight.clone() for name, weight in tuned.model.state_dict().items()}
    made = tmp_path / "checkpoint"
    losses = finetune_reader(
        tuned,
        simple_questions(24),
        state="finetuned",
        head_only=True,
        out=made,
        work=tmp_path / "resume",
        **SETTINGS,
    )
    assert losses[-1] < losses[0]
    written = load_encoder("mine", path=str(base), state="finetuned", checkpoint=made)
    assert all(torch.equal(written.model.state_dict()[name], one) for name, one in weights.items())
    head = read_head(made, written)
    assert read_meta(made)["settings"]["learning_rate"] == SETTINGS["head_learning_rate"]
    fresh = make_head("qa", tuned.dim, SETTINGS["seed"])
    assert not torch.equal(head.span.weight, fresh.span.weight)


@pytest.mark.usefixtures("one_thread")
def test_the_checkpoints_along_a_training_elsewhere_are_followed(
    root: Path, base: Path, repository: Callable[..., Path], tmp_path: Path
) -> None:
    """From one folder of a Trainer to the tables of dynamics; nothing is trained."""
    write_tuned(tmp_path / "runs" / "checkpoint-120")
    halfway = BertForSequenceClassification.from_pretrained(tmp_path / "runs/checkpoint-120")
    with torch.no_grad():
        for weight in halfway.bert.encoder.layer[1].parameters():
            weight.mul_(0.5)
    halfway.save_pretrained(tmp_path / "runs" / "checkpoint-40")
    mine = {"path": str(tmp_path / "tuned"), "base": "small", "steps": str(tmp_path / "runs")}
    path = repository(encoders={"small": {"path": str(base)}, "mine": mine})
    params = yaml.safe_load(path.read_text())
    params["geometry"]["dynamics"]["tasks"] = ["world-pos"]
    path.write_text(yaml.safe_dump(params))
    examples = tagged_words(24)
    write_examples(examples, paths.examples("world-pos"), {}, corpus="made up", synthetic=True)
    stage(root, "encoder").main("mine")
    hashes = json.loads(paths.encoder("mine").read_text())["steps"]
    assert list(hashes) == ["40", "120"]
    assert hashes["120"] == file_sha256(tmp_path / "runs/checkpoint-120/model.safetensors")
    stage(root, "snapshots").main(encoder="mine", task="world-pos", seed=13, study="geometry")
    folder = paths.snapshots("mine", "world-pos", 13)
    assert read_steps(folder) == [0, 40, 120]
    before = load_encoder("mine", path=str(base))
    for step, source in ((0, None), (40, "runs/checkpoint-40"), (120, "runs/checkpoint-120")):
        now = load_tuned_elsewhere(before, path=str(tmp_path / source)) if source else before
        write_representations(now, examples, tmp_path / "vectors")
        for layer in range(3):
            expected = open_representations(tmp_path / "vectors", examples).layer(layer)
            found = open_representations(step_folder(folder, step), examples).layer(layer)
            np.testing.assert_array_equal(found, expected)
    stage(root, "dynamics").main(encoder="mine", task="world-pos", seed=13)
    written = pd.read_csv(paths.results("mine", "world-pos", "dynamics", 13) / "steps.csv")
    assert sorted(set(written.step)) == [0, 40, 120]
    (tmp_path / "none").mkdir()
    with pytest.raises(EncoderError, match="none has no folder checkpoint-N: give in steps"):
        checkpoint_steps("mine", tmp_path / "none")


def test_what_cannot_be_asked_of_them_is_said_with_the_settings_that_help(
    repository: Callable[..., Path], tmp_path: Path
) -> None:
    mine = {"path": str(tmp_path / "tuned")}
    with pytest.raises(ParamsError, match=r"encoders\.mine\.base.*'smal'.*'small'"):
        load_params(repository(encoders={"small": mine, "mine": mine | {"base": "smal"}}))
    with pytest.raises(ParamsError, match="steps lead from a base: give it too"):
        load_params(repository(encoders={"small": mine, "mine": mine | {"steps": "runs"}}))
    chain = {"a": mine, "small": mine | {"base": "a"}, "mine": mine | {"base": "small"}}
    with pytest.raises(ParamsError, match="'small' has a base itself"):
        load_params(repository(encoders=chain))
    path = repository()
    params = yaml.safe_load(path.read_text())
    params["geometry"]["dynamics"]["tasks"] = ["world-pos"]
    path.write_text(yaml.safe_dump(params))
    with pytest.raises(
        ParamsError, match=r"'mine' was tuned .* -S geometry\.dynamics\.tasks=\[\]\."
    ):
        load_params(path)


@pytest.mark.parametrize("commit", ["main", "86b5", "g" * 40])
def test_a_revision_is_a_whole_commit(repository: Callable[..., Path], commit: str) -> None:
    entry = {"hub": "google-bert/bert-base-uncased", "revision": "a" * 40}
    path = repository(encoders={"mine": entry})
    assert load_params(path).encoder_source("mine")["revision"] == "a" * 40
    with pytest.raises(ParamsError, match=r"encoders\.mine\.revision"):
        load_params(repository(encoders={"mine": entry | {"revision": commit}}))
    with pytest.raises(ParamsError, match="a revision is a commit of the hub"):
        load_params(repository(encoders={"mine": {"path": "x", "revision": "a" * 40}}))


def test_the_hub_is_asked_for_the_commit(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(hub, **how):
        asked.append((hub, how["revision"]))
        return str(base)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert find_weights("x", hub="a/b", revision="c" * 40) == base
    assert asked == [("a/b", "c" * 40)]


def pickled(folder: Path) -> Path:
    foreign.pickled(folder)
    return folder


def test_a_pickle_of_tensors_becomes_the_same_weights_with_both_hashes(tmp_path: Path) -> None:
    folder = pickled(tmp_path / "old")
    done = CliRunner().invoke(
        app, ["encoder", "convert", str(folder), "--out", str(tmp_path / "new")]
    )
    assert done.exit_code == 0, done.output
    written = load_file(tmp_path / "new" / "model.safetensors")
    read = torch.load(folder / "pytorch_model.bin", weights_only=True)
    assert written.keys() == read.keys()
    assert all(torch.equal(written[name], weight) for name, weight in read.items())
    record = json.loads((tmp_path / "new" / "conversion.json").read_text())
    (digest,) = record["written"].values()
    assert list(record["read"]) == ["pytorch_model.bin"]
    assert f"old: {{path: {tmp_path / 'new'}, sha256: {digest}}}" in done.output
    assert load_encoder("old", path=str(tmp_path / "new"), sha256=digest).n_layers == 2
    with pytest.raises(EncoderError, match="exists: give a new folder"):
        convert(folder, tmp_path / "new")


class Touches:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def test_a_pickle_that_would_run_something_is_not_opened(tmp_path: Path) -> None:
    folder = pickled(tmp_path / "old")
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Touches(tmp_path / "ran")))
    with pytest.raises(EncoderError, match="holds more than tensors"):
        convert(folder, tmp_path / "new")
    torch.save({"a": Touches(tmp_path / "ran")}, folder / "pytorch_model.bin")
    with pytest.raises(EncoderError, match="holds more than tensors"):
        convert(folder, tmp_path / "new")
    torch.save({"model": {"a": torch.ones(1)}}, folder / "pytorch_model.bin")
    with pytest.raises(EncoderError, match="a dict under 'model', expected tensors by name"):
        convert(folder, tmp_path / "new")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "new").exists()


def test_parts_of_a_pickle_are_read_by_their_index(tmp_path: Path) -> None:
    folder = pickled(tmp_path / "old")
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    (folder / "pytorch_model.bin").unlink()
    names = sorted(weights)
    parts = {f"pytorch_model-0000{n + 1}-of-00002.bin": names[n::2] for n in range(2)}
    for file, some in parts.items():
        torch.save({name: weights[name] for name in some}, folder / file)
    index = {name: file for file, some in parts.items() for name in some}
    foreign.write_json(folder / "pytorch_model.bin.index.json", weight_map=index)
    assert convert(folder, tmp_path / "new")["n_tensors"] == len(weights)
    index[names[0]] = "../pytorch_model.bin"
    foreign.write_json(folder / "pytorch_model.bin.index.json", weight_map=index)
    with pytest.raises(EncoderError, match=r"'\.\./pytorch_model\.bin', which is no part"):
        convert(folder, tmp_path / "again")
