"""What an encoder must keep for its numbers to mean what they say, measured on a few texts.

Six invariants, each against a computation that shares nothing with the one that it judges, and
which study can run. ``tuneprobe encoder check`` prints it; docs/encoders.md has it for many
families.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from tuneprobe.encoders.attention import attended, eager_attention
from tuneprobe.encoders.encoder import Encoder, load_encoder, pad_batch
from tuneprobe.encoders.models import random_model, stored_model
from tuneprobe.encoders.pieces import (
    FEW_UNKNOWN,
    MOST_UNKNOWN,
    Pieces,
    count_unknown,
    refuse_unknown,
    word_pieces,
)
from tuneprobe.encoders.represent import cut_texts
from tuneprobe.encoders.source import EncoderError, find_weights
from tuneprobe.errors import TuneprobeError
from tuneprobe.states import RANDOM
from tuneprobe.studies.attention.ablation.passes import ablated_pass
from tuneprobe.studies.attention.ablation.sweep import INTACT, verify_ablation
from tuneprobe.studies.attention.maps.maps import LAYERWISE, LayerMaps, stream_maps
from tuneprobe.tuning.heads import INPUTS, last_layer

TOLERANCE = 1e-4  # relative to the largest value compared: rounding is far below
TEXTS = (  # of several lengths, with capitals, digits, a contraction, a pair
    ("Ann Lee built the old red bridge over the river in 1901 , and it still stands .", ""),
    ("Who painted the ceiling ?", "The ceiling was painted by a young man from the south ."),
    ("It did n't rain .", ""),
    ("The committee , which met on Tuesday in London , could not agree on the price .", ""),
    ("She gave him the letters .", "He read them at once and wrote a long answer ."),
)
PADDING, MAPS, ABLATION, PIECES, LOADS, UNKNOWN = INVARIANTS = (
    "a text alone is the text in a padded batch",
    "streamed maps are those that the model gives out",
    "ablating nothing changes nothing; a head ablated is a direct computation",
    "pieces of words are pieces of the running text",
    "two loads, and a saved model loaded again, are the same",
    "unknown pieces are few",
)
NEEDED = {  # by each study
    "pairwise": (PADDING, PIECES, LOADS, UNKNOWN),
    "geometry": (PADDING, PIECES, LOADS, UNKNOWN),
    "attention, maps": (PADDING, PIECES, LOADS, UNKNOWN, MAPS),
    "attention, ablation": (PADDING, PIECES, LOADS, UNKNOWN, ABLATION),
}

Segments = Sequence[tuple[str, str]]


class Invariant(NamedTuple):
    """One invariant of one encoder.

    Attributes
    ----------
    holds : bool or None
        None: there is nothing to compare with, or the encoder is refused for what needs it.
    found : str
        What was measured, or the sentence of the refusal.
    refused : bool
        The encoder has not what a study needs: that study does not run, and says so.
    """

    name: str
    holds: bool | None
    found: str
    refused: bool = False


class Report(NamedTuple):
    """What was found of one encoder.

    Attributes
    ----------
    refusal : str
        Why it is not read at all; empty where it is.
    family : str
        The model type of its configuration; empty where it is refused.
    way : dict
        How maps are read and heads ablated: ``layer by layer`` or ``whole passes``.
    """

    encoder: str
    family: str
    refusal: str
    invariants: tuple[Invariant, ...]
    way: dict[str, str]

    @property
    def broken(self) -> bool:
        """Whether it is refused, or an invariant does not hold."""
        return bool(self.refusal) or any(one.holds is False for one in self.invariants)

    @property
    def studies(self) -> dict[str, str]:
        """By study: empty where it can run, else the reason why it cannot."""
        found = {one.name: one for one in self.invariants}
        return {study: self.refusal or _hindrance(found, names) for study, names in NEEDED.items()}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "encoder": self.encoder,
            "family": self.family,
            "refusal": self.refusal,
            "invariants": [one._asdict() for one in self.invariants],
            "studies": {study: reason or "yes" for study, reason in self.studies.items()},
            "way": self.way,
            "broken": self.broken,
        }


def _hindrance(found: dict[str, Invariant], names: Sequence[str]) -> str:
    for name in names:
        one = found[name]
        if one.holds is False or one.refused:
            return one.found if one.refused else f"not kept: {name} ({one.found})"
    return ""


def check_encoder(name: str, texts: Segments = TEXTS, **source: Any) -> Report:
    """Load an encoder, measure its six invariants, and say which study can run.

    Parameters
    ----------
    texts : sequence of (first segment, second segment)
        Words parted by blanks; the second may be empty.
    source : Any
        As for `load_encoder`.
    """
    try:
        encoder = load_encoder(name, **source)
        drawn = load_encoder(name, state=RANDOM, **source)
    except TuneprobeError as error:
        return Report(name, "", str(error), (), {})
    family = str(encoder.model.config.model_type)
    pieces, unknown = _pieces(encoder, texts), _unknown(encoder, texts)
    if not (unknown.holds and pieces.holds):
        cut: list[Pieces] = []
    else:
        cut = cut_texts(encoder, _table(texts), "pair")
    way = {"maps": "layer by layer" if family in LAYERWISE else "whole passes"}
    measured: dict[str, Callable[[], Invariant]] = {
        PADDING: lambda: _padding(encoder, cut),
        MAPS: lambda: _maps(encoder, cut),
        ABLATION: lambda: _ablation(encoder, cut, way),
        PIECES: lambda: pieces,
        LOADS: lambda: _loads(encoder, drawn, find_weights(name, **source), cut),
        UNKNOWN: lambda: unknown,
    }
    found = []
    for what in INVARIANTS:
        try:
            found.append(
                measured[what]()
                if cut or what in (PIECES, UNKNOWN)
                else Invariant(what, None, "the texts cannot be cut into pieces")
            )
        except TuneprobeError as error:
            found.append(Invariant(what, None, str(error), refused=True))
    return Report(name, family, "", tuple(found), way)


def _table(texts: Segments) -> pd.DataFrame:
    rows = [(f"text {n}", *(segment.split() for segment in one)) for n, one in enumerate(texts)]
    return pd.DataFrame(rows, columns=["source", "words1", "words2"])


def _change(one: Tensor, other: Tensor) -> float:
    """The largest difference, relative to the largest value where that is above 1."""
    return float((one - other).abs().max() / one.abs().max().clamp(min=1))


def _verdict(name: str, changes: Sequence[float], of: str) -> Invariant:
    largest = max(changes)
    return Invariant(name, largest <= TOLERANCE, f"largest change {largest:.1e} {of}")


def states(encoder: Encoder, texts: Sequence[Pieces]) -> tuple[Tensor, ...]:
    """The hidden states of all layers, (batch, seq, dim) each."""
    with torch.inference_mode():
        made = encoder.model(**pad_batch(encoder, list(texts)), output_hidden_states=True)
    return tuple(made.hidden_states)


def _padding(encoder: Encoder, cut: Sequence[Pieces]) -> Invariant:
    together = states(encoder, cut)
    changes = [
        _change(alone[0], padded[row, : len(text)])
        for row, text in enumerate(cut)
        for alone, padded in zip(states(encoder, [text]), together, strict=True)
    ]
    return _verdict(PADDING, changes, f"in {len(together)} layers of {len(cut)} texts")


def _maps(encoder: Encoder, cut: Sequence[Pieces]) -> Invariant:
    """A model that gives out what goes into its softmax is compared after the softmax."""
    found: dict[tuple[int, int], Tensor] = {}

    def keep(maps: LayerMaps) -> None:
        for row, text in enumerate(maps.texts.tolist()):
            n = len(cut[text])
            found[text, maps.layer] = maps.maps[0][row, :, :n, :n].clone()

    stream_maps([encoder], cut, keep)
    given = [_given_maps(encoder, text) for text in cut]
    if not all(given):
        return Invariant(MAPS, None, "the model itself gives out no maps to compare with")
    changes = [
        _change(found[text, layer], theirs[0])
        for text, layers in enumerate(given)
        for layer, theirs in enumerate(layers, start=1)
    ]
    return _verdict(MAPS, changes, f"in {len(given[0])} layers of {len(cut)} texts")


def _given_maps(encoder: Encoder, text: Pieces) -> tuple[Tensor, ...]:
    """The maps of one text alone as the model gives them out; none, where it gives out others."""
    inputs = pad_batch(encoder, [text])
    with torch.inference_mode(), eager_attention(encoder.model):
        given = getattr(encoder.model(**inputs, output_attentions=True), "attentions", None)
    heads, n = int(encoder.model.config.num_attention_heads), len(text)
    if not given or any(getattr(one, "shape", None) != (1, heads, n, n) for one in given):
        return ()
    sums = torch.stack([one.sum(-1) for one in given])
    if float((sums - 1).abs().max()) > TOLERANCE:
        return tuple(torch.softmax(one, dim=-1) for one in given)
    return tuple(given)


@torch.inference_mode()
def _ablation(encoder: Encoder, cut: Sequence[Pieces], way: dict[str, str]) -> Invariant:
    layerwise = verify_ablation(encoder, cut)
    way["ablation"] = "layer by layer" if layerwise else "whole passes"
    text = max(cut, key=len)
    batch = pad_batch(encoder, [text])
    plain = last_layer(encoder, batch)
    changes = [_change(plain, ablated_pass(encoder, batch, *INTACT, "zero"))]
    n_heads = int(encoder.model.config.num_attention_heads)
    projections = _projections(encoder, batch)
    if len(projections) != encoder.n_layers:
        return Invariant(
            ABLATION,
            changes[0] <= TOLERANCE,
            f"largest change {changes[0]:.1e} with nothing ablated; no layer of its own projects "
            "the heads, so that there is nothing to compare an ablated head with",
        )
    for layer in range(1, encoder.n_layers + 1):
        for head in {0, n_heads - 1}:
            with _columns_zeroed(projections, layer, head, n_heads), eager_attention(encoder.model):
                direct = last_layer(encoder, batch)
            changes.append(_change(direct, ablated_pass(encoder, batch, layer, head, "zero")))
    return _verdict(ABLATION, changes, f"of {len(changes) - 1} heads ablated, and of none")


def _projections(encoder: Encoder, batch: dict[str, Tensor]) -> list[nn.Linear]:
    """The linear layer that reads the contexts of all heads side by side, of each layer.

    Found by its input, not by its name. A model that has one for all its layers appears as often.
    """
    contexts: list[Tensor] = []
    found: list[nn.Linear] = []

    def look(module: nn.Module, args: tuple[Any, ...]) -> None:
        latest = contexts[-1].transpose(1, 2).flatten(2) if contexts else None
        if (
            latest is not None
            and len(found) < len(contexts)
            and isinstance(module, nn.Linear)
            and args
            and args[0].shape == latest.shape
            and torch.equal(args[0], latest)
        ):
            found.append(module)

    with _hooks(encoder.model, look), eager_attention(encoder.model):
        inputs = {name: batch[name] for name in INPUTS if name in batch}
        attended(encoder.model, inputs, lambda *_: None, lambda _, one: contexts.append(one))
    return found


@contextmanager
def _hooks(model: nn.Module, hook: Callable[..., Any]) -> Iterator[None]:
    handles = [
        module.register_forward_pre_hook(hook)
        for module in model.modules()
        if isinstance(module, nn.Linear)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _columns_zeroed(
    projections: Sequence[nn.Linear], layer: int, head: int, n_heads: int
) -> Iterator[None]:
    """Let the projection of one layer read zeros in place of a head's context, in the block."""
    before = sum(one is projections[layer - 1] for one in projections[: layer - 1])
    calls = 0

    def zero(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        nonlocal calls
        calls += 1
        if calls != before + 1:
            return args
        edited = args[0].unflatten(-1, (n_heads, -1)).clone()
        edited[..., head, :] = 0.0
        return (edited.flatten(-2), *args[1:])

    handle = projections[layer - 1].register_forward_pre_hook(zero)
    try:
        yield
    finally:
        handle.remove()


def _pieces(encoder: Encoder, texts: Segments) -> Invariant:
    n_words = 0
    for segment in filter(None, chain.from_iterable(texts)):
        words = segment.split()
        try:
            cut = word_pieces(encoder.tokenizer, words)
        except EncoderError as error:
            return Invariant(PIECES, None, str(error), refused=True)
        whole = encoder.tokenizer(segment, add_special_tokens=False)["input_ids"]
        bare = [word for word, ids in zip(words, cut, strict=True) if not ids]
        if list(chain.from_iterable(cut)) != list(whole) or bare:
            what = f"{bare[0]!r} has no piece" if bare else f"{segment!r} is cut otherwise"
            return Invariant(PIECES, False, what)
        n_words += len(words)
    return Invariant(PIECES, True, f"{n_words} words")


def _loads(encoder: Encoder, drawn: Encoder, folder: Path, cut: Sequence[Pieces]) -> Invariant:
    again, _ = stored_model(encoder.name, folder, "sdpa")
    drawn_again, _ = random_model(folder, 0, "sdpa")
    for before, after in ((encoder, again), (drawn, drawn_again)):
        one, two = before.model.state_dict(), after.to(before.device).state_dict()
        other = one.keys() ^ two.keys()
        other |= {name for name in one.keys() & two.keys() if not torch.equal(one[name], two[name])}
        if other:
            what = f"{len(other)} weights of the state '{before.state}' differ"
            return Invariant(LOADS, False, what)
    with TemporaryDirectory() as written:
        encoder.model.save_pretrained(written)
        encoder.tokenizer.save_pretrained(written)
        saved = load_encoder("saved", path=written)
        layers = zip(states(encoder, cut), states(saved, cut), strict=True)
        changes = [_change(one, other) for one, other in layers]
    return _verdict(LOADS, changes, "of a model saved and loaded")


def _unknown(encoder: Encoder, texts: Segments) -> Invariant:
    words = [segment.split() for segment in chain.from_iterable(texts)]
    try:
        cut = [[*chain.from_iterable(word_pieces(encoder.tokenizer, some))] for some in words]
    except EncoderError as error:
        return Invariant(UNKNOWN, None, str(error), refused=True)
    ids = [np.array(some, dtype=np.int64) for some in cut]
    n_pieces, n_unknown = count_unknown(encoder.tokenizer, ids).values()
    said = f"{n_unknown} of {n_pieces} pieces"
    if n_unknown <= MOST_UNKNOWN * n_pieces:
        return Invariant(UNKNOWN, True, said)
    if n_unknown >= FEW_UNKNOWN:
        try:
            refuse_unknown(encoder.name, encoder.tokenizer, ids, words)
        except EncoderError as error:
            said = str(error)
    return Invariant(UNKNOWN, False, said)
