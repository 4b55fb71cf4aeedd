"""Encoders: load one in a state, and put texts into batches that it reads.

Layer 0 is the embedding output, layers 1..L the blocks.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256 as new_sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from tuneprobe.artifacts import check_folder
from tuneprobe.encoders.linear import STOCK, linear_of, with_linear
from tuneprobe.encoders.models import pad_id, random_model, stored_model, try_model
from tuneprobe.encoders.pieces import Pieces
from tuneprobe.encoders.source import (
    EncoderError,
    checked_folder,
    find_weights,
    tokenizer_files,
)
from tuneprobe.encoders.tokenizer import load_tokenizer
from tuneprobe.errors import UnknownNameError
from tuneprobe.states import FINETUNED, RANDOM, STATES, Member

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
SAMPLE = "Ann O'Neil and the Zoë flew – in 1901, e.g. – to Oslo; WHO knew?"
UNLIMITED = 1 << 30  # word pieces; where neither positions nor tokenizer set a limit


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
    def linear(self) -> str:
        """Its linear layers: ``stock`` or ``onednn``."""
        return linear_of(self.model)

    @property
    def max_pieces(self) -> int:
        """Longest input in word pieces, special tokens included."""
        return min(_positions(self.model), int(self.tokenizer.model_max_length))

    @property
    def pad_id(self) -> int:
        """The piece that fills up a batch."""
        return pad_id(self.model, self.tokenizer)

    @property
    def tokenizer_sha256(self) -> str:
        """Fingerprint of the vocabulary and of the tokenizer's rules."""
        return new_sha256(self.tokenizer.backend_tokenizer.to_str().encode()).hexdigest()


def load_encoder(
    name: str,
    *,
    package: str | None = None,
    folder: str | None = None,
    hub: str | None = None,
    revision: str | None = None,
    path: str | None = None,
    state: str = "pretrained",
    seed: int = 0,
    checkpoint: Path | None = None,
    attention: str = "sdpa",
    sha256: str | None = None,
    linear: str = STOCK,
) -> Encoder:
    """An encoder in evaluation mode, float32.

    Parameters
    ----------
    package, folder : str, optional
        An installed package and the folder inside it that holds the model.
    hub : str, optional
        A model id of the hub; only the local cache is read when offline.
    revision : str, optional
        The commit of the hub.
    path : str, optional
        A local folder.
    state : str
        ``random`` (same configuration, weights drawn under `seed`), ``pretrained``, or
        ``finetuned`` (weights from the folder `checkpoint`).
    attention : str
        ``sdpa``, or ``eager`` where attention maps are wanted; eager in any case for a family that
        has no other.
    sha256 : str, optional
        Of the published weights, as `weights_sha256` has it; others are refused.
    linear : str
        Linear layers in float32 on a processor: ``stock``, ``onednn`` or ``measured``, see
        `with_linear`.

    Raises
    ------
    EncoderError
        If weights or tokenizer cannot be found, are damaged, not those that were meant, or do not
        fit together or the configuration; if the weights exist only in a format that needs pickle;
        or if the studies would read the model wrongly (`try_model`).
    ArtifactError
        If the checkpoint is missing, or a file of it is not as it was written.
    """
    if state not in STATES:
        raise UnknownNameError("state", state, STATES)
    if state == FINETUNED and checkpoint is None:
        raise EncoderError(f"encoder '{name}' in the state '{state}': give its checkpoint.")
    source = find_weights(
        name, package=package, folder=folder, hub=hub, revision=revision, path=path, sha256=sha256
    )
    tokenizer = load_tokenizer(source)
    if state == RANDOM:
        model, digest = random_model(source, seed, attention)
    else:
        tuned = checkpoint if state == FINETUNED else None
        if tuned:
            check_folder(tuned)
        weights = checked_folder(name, tuned) if tuned else source
        model, digest = stored_model(name, weights, attention)
    model = with_linear(model.eval().to(best_device()), linear)
    try_model(name, model, tokenizer)
    return Encoder(name, state, model, tokenizer, digest)


def load_tuned_elsewhere(base: Encoder, **source: Any) -> Encoder:
    """Weights that were tuned elsewhere from a pre-trained encoder, read by its tokenizer.

    A folder that a Trainer of transformers or sentence-transformers saved, or a model of the hub.
    What was on the encoder, a classifier say, is left out.

    Parameters
    ----------
    source : Any
        As for `find_weights`.

    Raises
    ------
    EncoderError
        If they are of another architecture than `base`, or were tuned with another tokenizer.
    """
    folder = find_weights(base.name, **source)
    model, digest = stored_model(base.name, folder, "sdpa")
    _refuse_other_architecture(folder, model.config, base.model.config)
    if tokenizer_files(folder):
        _refuse_other_pieces(folder, load_tokenizer(folder), base.tokenizer)
    model = with_linear(model.eval().to(best_device()), base.linear)
    try_model(base.name, model, base.tokenizer)
    return replace(base, model=model, weights_sha256=digest)


def _refuse_other_architecture(folder: Path, config: Any, base: Any) -> None:
    for what in ("model_type", "num_hidden_layers", "hidden_size", "num_attention_heads"):
        found, expected = getattr(config, what), getattr(base, what)
        if found != expected:
            raise EncoderError(
                f"{folder} has the {what} {found}, its base {expected}: name the encoder that it "
                "was tuned from as its base."
            )


def _refuse_other_pieces(folder: Path, tokenizer: Any, base: Any) -> None:
    """Pieces that were added for the tuning alone do no harm."""
    mine, cut = (one(SAMPLE, add_special_tokens=False)["input_ids"] for one in (tokenizer, base))
    vocabulary = tokenizer.get_vocab()
    if mine != cut or any(vocabulary.get(piece) != n for piece, n in base.get_vocab().items()):
        raise EncoderError(
            f"the tokenizer in {folder} reads text otherwise than its base's: name the encoder "
            "that it was tuned from as its base."
        )


def load_members(name: str, measured: Iterable[Member], **source: Any) -> dict[str, Encoder]:
    """The encoder in some states, by the names of `members`; `source` as for `load_encoder`."""
    return {
        member: load_encoder(name, state=state, seed=seed, **source)
        for member, state, seed in measured
    }


def best_device() -> torch.device:
    """The current CUDA device, the first if none was set, or the processor where there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def thread_limit(threads: int) -> None:
    """Fix the number of threads, which is part of the result in the last bits."""
    threadpool_limits(threads)
    torch.set_num_threads(threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def _positions(model: Any) -> int:
    """How many pieces a model has positions for, less those before the first of a text.

    RoBERTa and its kind count positions from the one after the padding's.
    """
    most = int(getattr(model.config, "max_position_embeddings", None) or UNLIMITED)
    for name, part in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(part, nn.Embedding):
            skipped = 0 if part.padding_idx is None else part.padding_idx + 1
            most = min(most, part.num_embeddings - skipped)
    return most if most > 0 else UNLIMITED


def pad_batch(encoder: Encoder, pieces: list[Pieces]) -> dict[str, torch.Tensor]:
    """Stack inputs of different lengths: ids, mask and segment ids, each of shape (batch, seq).

    Segment ids are left out for an encoder that has none (DistilBERT, RoBERTa).
    """
    seq = max(map(len, pieces))
    ids = np.full((len(pieces), seq), encoder.pad_id)
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
