"""params.yaml: strict, frozen, and clear about what is wrong."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from tuneprobe.errors import UnknownNameError
from tuneprobe.params import ParamsError, load_params


@pytest.fixture
def written(root: Path, tmp_path: Path):
    """A function that writes params.yaml with one key set (or removed) and returns its path."""

    def write(key: str, value: object = None, *, remove: bool = False) -> Path:
        params = yaml.safe_load((root / "params.yaml").read_text())
        block = params
        *parents, last = key.split(".")
        for parent in parents:
            block = block[parent]
        if remove:
            del block[last]
        else:
            block[last] = value
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(params))
        return path

    return write


def test_the_shipped_file_is_understood(root: Path) -> None:
    params = load_params(root / "params.yaml")
    assert params.encoder in params.encoders


def test_an_unknown_key_is_named(written) -> None:
    with pytest.raises(ParamsError, match=r"no stage knows the key 'finetune\.lr'"):
        load_params(written("finetune.lr", 1))


def test_a_missing_key_is_named(written) -> None:
    with pytest.raises(ParamsError, match=r"the key 'pairwise\.bootstrap' is missing"):
        load_params(written("pairwise.bootstrap", remove=True))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("focus", "fine-tuned"),
        ("finetune.epochs", 0),
        ("finetune.null_keep", 1.5),
        ("pairwise.confidence", 1.0),
        ("represent.layout", "concatenated"),
        ("attention.maps.before", "finetuned"),
        ("encoder", "../elsewhere"),
        ("annotator.sha256", "53aa"),
    ],
)
def test_a_value_out_of_range_is_named_with_what_came(written, key: str, value: object) -> None:
    with pytest.raises(ParamsError) as error:
        load_params(written(key, value))
    assert f"{key} is {value!r}" in str(error.value)


def test_maps_are_compared_with_a_state_that_is_read(written) -> None:
    message = "before is 'pretrained'; .*expected one of the states random, finetuned"
    with pytest.raises(ParamsError, match=message):
        load_params(written("attention.maps.states", ["random", "finetuned"]))


def test_an_encoder_that_is_not_listed_is_answered_with_the_nearest(written) -> None:
    params = load_params(written("encoder", "bert-tinny"))
    with pytest.raises(UnknownNameError, match="Did you mean 'bert-tiny'"):
        params.encoder_source()


def test_params_cannot_be_changed(root: Path) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_params(root / "params.yaml").seed = 1


def test_broken_yaml_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("seed: [1\n")
    with pytest.raises(ParamsError, match="is not YAML"):
        load_params(path)


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", "..", "-x", "a b"])
def test_an_encoder_whose_name_could_lead_out_of_its_folders_is_refused(written, name: str) -> None:
    with pytest.raises(ParamsError, match="encoders"):
        load_params(written("encoders", {name: {"path": "."}}))


def test_any_encoder_of_the_list_says_where_its_files_are(root: Path) -> None:
    params = load_params(root / "params.yaml")
    assert params.encoder_source() == params.encoder_source(params.encoder)
    assert params.encoder_source("bert-tiny")["hub"] == "google/bert_uncased_L-2_H-128_A-2"
    with pytest.raises(UnknownNameError, match="unknown encoder 'bert-tin'"):
        params.encoder_source("bert-tin")
