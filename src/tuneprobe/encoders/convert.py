"""Weights that exist as pickles only, written once as safetensors.

The one place that opens a pickle, and it does so with torch's restricted loader: nothing but
tensors and plain containers is ever made of it. No stage calls it; a person does.
"""

import json
import re
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from tuneprobe.artifacts import atomic_folder, write_json
from tuneprobe.digests import file_sha256
from tuneprobe.encoders.source import CONFIG, WEIGHTS, EncoderError, tokenizer_files
from tuneprobe.errors import first_line

PICKLE, INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
PART = re.compile(r"pytorch_model-\d+-of-\d+\.bin")
RECORD = "conversion.json"


def convert(folder: Path, out: Path) -> dict[str, Any]:
    """Write the pickled weights of a folder, its configuration and its tokenizer into another.

    Returns
    -------
    dict
        What conversion.json records: SHA-256 of each file that was read and of model.safetensors,
        number of tensors, version of torch.

    Raises
    ------
    EncoderError
        If there are no pickled weights, they hold anything but tensors, or `out` exists.
    """
    if out.exists():
        raise EncoderError(f"{out} exists: give a new folder, or remove it.")
    if not (folder / CONFIG).is_file():
        raise EncoderError(f"{folder} has no {CONFIG}: give a folder that holds a model.")
    files = list(_pickles(folder))
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors |= _tensors(file)
    with atomic_folder(out) as part:
        save_file(tensors, part / WEIGHTS, {"format": "pt"})
        for path in (folder / CONFIG, *tokenizer_files(folder)):
            shutil.copyfile(path, part / path.name)
        facts = {
            "read": {file.name: file_sha256(file) for file in files},
            "written": {WEIGHTS: file_sha256(part / WEIGHTS)},
            "n_tensors": len(tensors),
            "torch": version("torch"),
        }
        write_json(part / RECORD, facts)
    return facts


def _pickles(folder: Path) -> Iterator[Path]:
    """The one file, or the parts that an index lists."""
    if (folder / PICKLE).is_file():
        yield folder / PICKLE
        return
    try:
        listed = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values()
    except FileNotFoundError:
        raise EncoderError(
            f"{folder} has no {PICKLE}: there is nothing to convert. Files of another name, or of "
            "TensorFlow and Flax, are not read."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise EncoderError(f"{folder / INDEX} lists no parts: get it again.") from None
    for name in sorted(set(map(str, listed))):
        if not PART.fullmatch(name) or not (folder / name).is_file():
            raise EncoderError(
                f"{folder / INDEX} lists {name!r}, which is no part of that folder: get all parts."
            )
        yield folder / name


def _tensors(file: Path) -> dict[str, Tensor]:
    """The tensors of a file, each with memory of its own."""
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        what = first_line(error)
        raise EncoderError(
            f"{file} holds more than tensors, or is damaged ({what}): it is not opened. Take "
            "weights from another source."
        ) from error
    if not isinstance(found, dict) or not found:
        raise EncoderError(f"{file} holds a {type(found).__name__}, expected tensors by name.")
    other = [name for name, value in found.items() if not isinstance(value, Tensor)]
    if other:
        raise EncoderError(
            f"{file} holds a {type(found[other[0]]).__name__} under {other[0]!r}, expected tensors "
            "by name: save the model's state_dict alone."
        )
    return {str(name): value.clone().contiguous() for name, value in found.items()}
