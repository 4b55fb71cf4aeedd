"""A LoRA adapter of PEFT is merged as its formula says, or refused in a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tiny_reader import write_tiny_bert
from typer.testing import CliRunner

from tuneprobe.cli import app
from tuneprobe.encoders.adapter import merge_adapter
from tuneprobe.encoders.encoder import load_encoder, load_tuned_elsewhere
from tuneprobe.encoders.source import EncoderError

DIM, RANK, ALPHA = 16, 3, 6
QUERY = "encoder.layer.1.attention.self.query"


def write_adapter(folder: Path, **changes: Any) -> dict[str, torch.Tensor]:
    """What PEFT saves of an adapter on a classifier: two matrices of a query, a bias, the head."""
    folder.mkdir(exist_ok=True)
    settings = {"peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA, "rank_pattern": {}} | changes
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    draws = torch.Generator().manual_seed(1)
    shapes = {
        f"bert.{QUERY}.lora_A.weight": (RANK, DIM),
        f"bert.{QUERY}.lora_B.weight": (DIM, RANK),
        f"bert.{QUERY}.bias": (DIM,),
        "classifier.weight": (2, DIM),
    }
    tensors = {
        f"base_model.model.{name}": torch.randn(shape, generator=draws)
        for name, shape in shapes.items()
    }
    save_file(tensors, folder / "adapter_model.safetensors")
    return tensors


@pytest.mark.parametrize(
    ("stabilised", "scale"), [(False, ALPHA / RANK), (True, ALPHA / RANK**0.5)]
)
def test_the_merged_matrix_is_the_bases_plus_the_scaled_product(
    tmp_path: Path, stabilised: bool, scale: float
) -> None:
    base = write_tiny_bert(tmp_path / "base")
    tensors = write_adapter(tmp_path / "adapter", use_rslora=stabilised)
    done = CliRunner().invoke(
        app,
        [
            "encoder",
            "merge",
            str(tmp_path / "adapter"),
            "--base",
            str(base),
            "--out",
            str(tmp_path / "mine"),
        ],
    )
    assert done.exit_code == 0, done.output
    assert "1 matrices changed, 1 weights replaced, 1 left out" in done.output
    before = load_encoder("x", path=str(base))
    after = load_tuned_elsewhere(before, path=str(tmp_path / "mine")).model.state_dict()
    a, b, bias, _ = tensors.values()
    for name, weight in before.model.state_dict().items():
        if name == f"{QUERY}.weight":
            product = torch.stack(
                [
                    sum((b[row, k] * a[k] for k in range(RANK)), torch.zeros(DIM))
                    for row in range(DIM)
                ]
            )
            torch.testing.assert_close(after[name], weight + scale * product)
        else:
            assert torch.equal(after[name], bias if name == f"{QUERY}.bias" else weight)
    record = json.loads((tmp_path / "mine" / "merge.json").read_text())
    assert record["base"] == before.weights_sha256


def test_what_is_no_plain_lora_of_this_base_is_one_sentence(tmp_path: Path) -> None:
    base, adapter, out = write_tiny_bert(tmp_path / "base"), tmp_path / "adapter", tmp_path / "mine"

    def refused(why: str) -> None:
        with pytest.raises(EncoderError, match=why):
            merge_adapter(base, adapter, out)
        assert not out.exists()

    refused("has no adapter_config.json: give a folder that PEFT saved")
    write_adapter(adapter, peft_type="IA3")
    refused(r"is of the type 'IA3', expected plain LoRA: .* \(merge_and_unload\)")
    write_adapter(adapter, use_dora=True, rank_pattern={"query": 2})
    refused("asks for use_dora, rank_pattern, expected plain LoRA")
    write_adapter(adapter, r=0)
    refused("adapter_config.json is damaged")
    tensors = write_adapter(adapter)
    a, *rest = tensors
    save_file(
        {a: torch.ones(RANK, 5)} | {name: tensors[name] for name in rest},
        adapter / "adapter_model.safetensors",
    )
    refused(r"a weight of the shape \(16, 5\), the base's has \(16, 16\)")
    del tensors[rest[0]]
    save_file(tensors, adapter / "adapter_model.safetensors")
    refused("without a matrix to multiply it with")
    save_file(
        {"base_model.model.roberta.x.bias": torch.ones(2)}, adapter / "adapter_model.safetensors"
    )
    refused("none of the 1 weights .* give the encoder that the adapter was trained on")
    (adapter / "adapter_model.safetensors").write_bytes(b"x")
    refused("adapter_model.safetensors is damaged")
