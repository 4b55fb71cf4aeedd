"""Tokenizers and configurations of encoders: read without running a line of foreign code."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from transformers import CONFIG_MAPPING, AutoTokenizer

from tuneprobe.encoders.source import EncoderError, read_config
from tuneprobe.errors import first_line

CAPITALS = 0.02  # of the pieces of a vocabulary with a capital; one of small letters has none


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Turn what transformers raises of foreign files, which can be anything, into one sentence."""
    try:
        yield
    except EncoderError:
        raise
    except Exception as error:
        what = first_line(error)
        raise EncoderError(
            f"{folder} cannot be read as an encoder ({what}): get its files again, or take another "
            "source."
        ) from error


def load_config(folder: Path) -> Any:
    """The configuration of an encoder; keys that would choose code or kernels are left out.

    Raises
    ------
    EncoderError
        If transformers itself does not know the model: code that lies beside it is never run.
    """
    values = read_config(folder)
    kind = values.get("model_type")
    with readable(folder):
        if kind is None:
            raise ValueError("its config.json has no model_type")
        if kind not in CONFIG_MAPPING:
            raise EncoderError(
                f"{folder} is a model of the type {kind!r}, which transformers "
                f"{version('transformers')} does not know (code beside the weights is never run): "
                "take another encoder."
            )
        return CONFIG_MAPPING[kind].from_dict(values)


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of an encoder, set to cut ``[SEP]`` in a text like any other characters.

    Raises
    ------
    EncoderError
        If there is none that can give the characters of its pieces, its vocabulary is empty, or it
        makes small letters of all capitals although its vocabulary has some.
    """
    with readable(folder):
        tokenizer = AutoTokenizer.from_pretrained(
            folder,
            config=load_config(folder),
            use_fast=True,
            trust_remote_code=False,
            local_files_only=True,
        )
    if not tokenizer.is_fast:
        raise EncoderError(
            f"{folder} has no fast tokenizer, which alone says what characters a piece covers: "
            "save it as tokenizer.json with tokenizers, or take another encoder."
        )
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise EncoderError(
            f"{folder} has no vocabulary: put the files of the tokenizer beside the weights "
            "(tokenizer.json, or vocab.txt; vocab.json and merges.txt for RoBERTa)."
        )
    _refuse_lost_capitals(folder, tokenizer)
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = tokenizer.split_special_tokens = True
    return tokenizer


def _refuse_lost_capitals(folder: Path, tokenizer: Any) -> None:
    normalizer = tokenizer.backend_tokenizer.normalizer
    if normalizer is None or normalizer.normalize_str("A").strip("▁ ") != "a":
        return
    special = set(tokenizer.all_special_tokens)
    pieces = [piece for piece in tokenizer.get_vocab() if piece not in special]
    capitals = [piece for piece in pieces if piece != piece.lower() and piece[:1] not in "[<"]
    if len(capitals) > CAPITALS * len(pieces):
        raise EncoderError(
            f"the vocabulary in {folder} has capitals in {len(capitals)} of {len(pieces)} pieces, "
            f"{min(capitals)!r} among them, but all text is read in small letters: write "
            '"do_lower_case: false" into its tokenizer_config.json, as {"do_lower_case": false}.'
        )
