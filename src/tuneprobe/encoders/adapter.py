"""Adapters of PEFT (LoRA) merged into the weights of their base, once, as a folder of its own.

Hu et al. 2022: ``W + s · B A`` with ``s = alpha / r``, or ``alpha / √r`` where the adapter says
rank-stabilised (Kalajdzievski 2023). Whatever else an adapter may ask for is refused, not guessed.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from tuneprobe.artifacts import atomic_folder, write_json
from tuneprobe.digests import file_sha256
from tuneprobe.encoders.models import stored_model
from tuneprobe.encoders.source import EncoderError, tokenizer_files, weights_sha256

CONFIG, TENSORS = "adapter_config.json", "adapter_model.safetensors"
RECORD = "merge.json"
WRAPPED = "base_model.model."  # before the name of every weight
UNREAD = (
    "use_dora",
    "rank_pattern",
    "alpha_pattern",
    "lora_bias",
    "target_parameters",
    "use_qalora",
)


def merge_adapter(base: Path, adapter: Path, out: Path) -> dict[str, Any]:
    """Write the weights of a base with an adapter merged into them, and the base's tokenizer.

    Weights of the adapter's own (biases, embeddings) replace the base's; what belongs to a head on
    the encoder is left out.

    Returns
    -------
    dict
        What merge.json records: SHA-256 of base, adapter and merged weights, and how many matrices
        were changed, weights replaced and left out.

    Raises
    ------
    EncoderError
        If it is no LoRA adapter, asks for more than LoRA, does not fit the base, or `out` exists.
    """
    if out.exists():
        raise EncoderError(f"{out} exists: give a new folder, or remove it.")
    settings, tensors = _settings(adapter), _tensors(adapter)
    model, digest = stored_model("base", base, "sdpa")
    weights = model.state_dict()
    counts = {"n_changed": 0, "n_replaced": 0, "n_left_out": 0}
    with torch.no_grad():
        for name, tensor in tensors.items():
            target, _, part = name.removeprefix(WRAPPED).partition(".lora_")
            if part == "B.weight":
                continue
            found = _find(weights, f"{target}.weight" if part else target, model)
            if found is None:
                counts["n_left_out"] += 1
                continue
            if not part:
                _refuse_shape(adapter, name, tensor, weights[found])
                weights[found].copy_(tensor)
                counts["n_replaced"] += 1
            else:
                change = _change(adapter, name, tensors, settings)
                _refuse_shape(adapter, name, change, weights[found])
                weights[found].add_(change)
                counts["n_changed"] += 1
    if not counts["n_changed"]:
        raise EncoderError(
            f"none of the {len(tensors)} weights in {adapter / TENSORS} changes a matrix of "
            f"{base}: give the encoder that the adapter was trained on as its base."
        )
    with atomic_folder(out) as part_folder:
        model.save_pretrained(part_folder)
        for path in tokenizer_files(base):
            shutil.copyfile(path, part_folder / path.name)
        facts = {
            "base": digest,
            "adapter": file_sha256(adapter / TENSORS),
            "merged": weights_sha256(part_folder),
            **counts,
        }
        write_json(part_folder / RECORD, facts)
    return facts


def _settings(adapter: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((adapter / CONFIG).read_text(encoding="utf-8"))
        kind = found["peft_type"]
        scale = float(found["lora_alpha"]) / float(found["r"]) if kind == "LORA" else 1.0
    except FileNotFoundError:
        raise EncoderError(f"{adapter} has no {CONFIG}: give a folder that PEFT saved.") from None
    except (ValueError, KeyError, TypeError, ZeroDivisionError):
        raise EncoderError(f"{adapter / CONFIG} is damaged: get the adapter again.") from None
    asked = [key for key in UNREAD if found.get(key)]
    if kind != "LORA" or asked:
        what = f"asks for {', '.join(asked)}" if asked else f"is of the type {kind!r}"
        raise EncoderError(
            f"{adapter} {what}, expected plain LoRA: merge it where it was trained "
            "(merge_and_unload) and give the folder of the merged model."
        )
    return found | {"scale": scale * float(found["r"]) ** (0.5 if found.get("use_rslora") else 0)}


def _tensors(adapter: Path) -> dict[str, Tensor]:
    if not (adapter / TENSORS).is_file():
        raise EncoderError(
            f"{adapter} has no {TENSORS}: save the adapter with safe_serialization=True."
        )
    try:
        found: dict[str, Tensor] = load_file(adapter / TENSORS)
    except SafetensorError as error:
        raise EncoderError(f"{adapter / TENSORS} is damaged ({error}): get it again.") from None
    return found


def _find(weights: dict[str, Tensor], name: str, model: Any) -> str | None:
    """The name of a weight in the encoder, without the name that a head's model has for it."""
    names = (name, name.removeprefix(f"{model.base_model_prefix}."))
    return next((one for one in names if one in weights), None)


def _change(
    adapter: Path, name: str, tensors: dict[str, Tensor], settings: dict[str, Any]
) -> Tensor:
    """``s · B A``, of the shape of the matrix that it changes."""
    other = name.replace(".lora_A.", ".lora_B.")
    if not name.endswith(".lora_A.weight") or other not in tensors:
        raise EncoderError(
            f"{adapter / TENSORS} has {name!r} without a matrix to multiply it with, expected "
            "pairs lora_A and lora_B: merge it where it was trained (merge_and_unload)."
        )
    product = tensors[other].float() @ tensors[name].float()
    return settings["scale"] * (product.T if settings.get("fan_in_fan_out") else product)


def _refuse_shape(adapter: Path, name: str, found: Tensor, expected: Tensor) -> None:
    if found.shape != expected.shape:
        raise EncoderError(
            f"{adapter / TENSORS}: {name!r} is for a weight of the shape {tuple(found.shape)}, the "
            f"base's has {tuple(expected.shape)}: give the encoder that it was trained on as base."
        )
