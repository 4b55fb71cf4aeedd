"""Models of encoders: weights as they are stored, or drawn; and a trial before any work is done."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib.metadata import version
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import MODEL_MAPPING, AutoModel
from transformers.utils import logging as transformers_logging

from tuneprobe.encoders.pieces import frame_of
from tuneprobe.encoders.source import EncoderError, weight_files, weights_sha256
from tuneprobe.encoders.tokenizer import load_config, readable
from tuneprobe.errors import first_line
from tuneprobe.rng import stream_seed

TOLERANCE = 1e-4  # of hidden states, relative to the largest of them: rounding is far below
TRIED = 4  # word pieces of a trial
PADDED = 3


def stored_model(name: str, folder: Path, attention: str) -> tuple[Any, str]:
    """The model in a folder, float32, and the SHA-256 of its weights.

    Weights of a pooler, which nothing reads, may lack in the file.
    """
    config = load_config(folder)
    with _quiet_transformers(), readable(folder), _drawn_under(0, "absent-weights"):
        model, report = AutoModel.from_pretrained(
            folder,
            config=config,
            attn_implementation=_attention(config, attention),
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
            **_without_pooler(config),
        )
    lacking = sorted(name for name in report["missing_keys"] if "pooler" not in name)
    if lacking:
        raise EncoderError(
            f"{weight_files(name, folder)[0]} lacks {len(lacking)} weights that its config.json "
            f"asks for, {lacking[0]} among them: save it from the model that the configuration "
            "describes."
        )
    return model, weights_sha256(folder)


def random_model(folder: Path, seed: int, attention: str) -> tuple[Any, str]:
    """A model of a folder's configuration with weights drawn under `seed`; their SHA-256."""
    config = load_config(folder)
    described = config.to_json_string()
    with readable(folder), _drawn_under(seed, "random-weights"):
        model = AutoModel.from_config(
            config,
            attn_implementation=_attention(config, attention),
            trust_remote_code=False,
            dtype=torch.float32,
            **_without_pooler(config),
        )
    drawn = stream_seed(seed, "random-weights")
    return model, sha256(f"{described}{drawn}".encode()).hexdigest()


@contextmanager
def _drawn_under(seed: int, purpose: str) -> Iterator[None]:
    """Draw weights from a named stream inside the block, and leave torch's generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, purpose))
        yield


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


def _model_class(config: Any) -> Any:
    try:
        found = MODEL_MAPPING[type(config)]
        return found[0] if isinstance(found, tuple) else found
    except KeyError:
        raise EncoderError(
            f"a model of the type '{config.model_type}' has no encoder in transformers "
            f"{version('transformers')}: take another encoder."
        ) from None


def _attention(config: Any, wanted: str) -> str:
    """The attention that is asked for, or eager where a family has none but that."""
    return wanted if getattr(_model_class(config), "_supports_sdpa", False) else "eager"


def _without_pooler(config: Any) -> dict[str, bool]:
    """No study reads a pooler; without it, two models differ only in what is compared."""
    takes = signature(_model_class(config).__init__).parameters
    return {"add_pooling_layer": False} if "add_pooling_layer" in takes else {}


@torch.inference_mode()
def try_model(name: str, model: Any, tokenizer: Any) -> None:
    """Refuse, before any work is done, a model that the studies would read wrongly.

    Raises
    ------
    EncoderError
        If its tokenizer belongs to another one, it cannot be run, gives no vector for each piece
        and layer, reads from left to right, or changes where a text is padded.
    """
    _refuse_other_tokenizer(name, model, tokenizer)
    config, special = model.config, frame_of(tokenizer, 1).special
    if not special[0]:
        raise EncoderError(
            f"'{name}' ({config.model_type}) puts no special token before a text, whose vector "
            "would stand for the whole text: take an encoder that has [CLS]."
        )
    some = [n for n in range(len(tokenizer)) if n not in tokenizer.all_special_ids][: TRIED + 1]
    text, other = ([*special[0], *some[: TRIED - 1], last, *special[2]] for last in some[-2:])
    layers = _states(name, model, torch.tensor([text]))
    shapes = {tuple(layer.shape[1:]) for layer in layers}
    expected = (len(text), config.hidden_size)
    if len(layers) != config.num_hidden_layers + 1 or shapes != {expected}:
        raise EncoderError(
            f"'{name}' ({config.model_type}) gives {len(layers)} layers of the shapes "
            f"{sorted(shapes)} for {expected[0]} pieces, expected {config.num_hidden_layers + 1} "
            f"of {expected}: take an encoder that gives a vector for each piece in every layer."
        )
    if torch.equal(layers[-1][0, 0], _states(name, model, torch.tensor([other]))[-1][0, 0]):
        raise EncoderError(
            f"'{name}' ({config.model_type}) reads from left to right, or each piece by "
            "itself: its first vector does not depend on what follows; take an encoder that reads "
            "both ways."
        )
    _refuse_padding(name, model, text, pad_id(model, tokenizer), layers)


def pad_id(model: Any, tokenizer: Any) -> int:
    """The piece that fills up a batch; for a model that has none, any, since it is masked."""
    known = (tokenizer.pad_token_id, getattr(model.config, "pad_token_id", None))
    return int(next((number for number in known if number is not None), 0))


def _refuse_other_tokenizer(name: str, model: Any, tokenizer: Any) -> None:
    try:
        rows = len(model.get_input_embeddings().weight)
    except (AttributeError, NotImplementedError):
        raise EncoderError(
            f"'{name}' ({model.config.model_type}) has no vector for each word piece: take an "
            "encoder that reads word pieces and nothing else."
        ) from None
    largest = max(tokenizer.get_vocab().values())
    if largest >= rows:
        raise EncoderError(
            f"the tokenizer of '{name}' has word pieces up to number {largest}, but the embedding "
            f"has {rows} rows: put the tokenizer beside the weights that was trained with them."
        )


def _refuse_padding(
    name: str, model: Any, text: list[int], pad: int, alone: tuple[Tensor, ...]
) -> None:
    """A text alone must be the same text in a padded batch, in every layer."""
    ids = torch.tensor([text + [pad] * PADDED])
    mask = torch.tensor([[1] * len(text) + [0] * PADDED])
    padded = _states(name, model, ids, attention_mask=mask)
    for number, (one, other) in enumerate(zip(alone, padded, strict=True)):
        change = float((one - other[:, : len(text)]).abs().max() / one.abs().max().clamp(min=1))
        if not change <= TOLERANCE:
            raise EncoderError(
                f"'{name}' ({model.config.model_type}) reads a text differently where it is padded "
                f"(layer {number} changes by {change:.1e}), so that its vectors would depend on "
                "the batch: take another encoder."
            )


def _states(name: str, model: Any, ids: Tensor, **given: Tensor) -> tuple[Tensor, ...]:
    """The hidden states of all layers."""
    device = next(model.parameters()).device
    inputs = {"attention_mask": torch.ones_like(ids)} | given
    try:
        made = model(
            input_ids=ids.to(device),
            output_hidden_states=True,
            **{key: value.to(device) for key, value in inputs.items()},
        )
        states: tuple[Tensor, ...] = made.hidden_states
        return tuple(states)
    except Exception as error:
        what = first_line(error)
        raise EncoderError(
            f"'{name}' ({model.config.model_type}) cannot be run on a text alone ({what}): take an "
            "encoder whose model reads word pieces and nothing else."
        ) from error
