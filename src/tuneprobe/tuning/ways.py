"""Ways of tuning: which weights of an encoder are trained.

``full`` trains all. ``lora`` (Hu et al. 2022) leaves them and trains a product of two narrow
matrices beside some: ``W + (alpha / rank) · B A``, B zero at first. ``bitfit`` (Ben Zaken et al.
2022) trains the biases alone. Whatever the way, a plain encoder comes out: a LoRA is merged into
the weights at the end, and its adapter is kept in the format of PEFT.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tuneprobe.artifacts import write_json
from tuneprobe.encoders.adapter import CONFIG, TENSORS
from tuneprobe.encoders.encoder import Encoder
from tuneprobe.errors import TuneprobeError, UnknownNameError
from tuneprobe.rng import stream_seed
from tuneprobe.states import FROZEN

FULL, LORA, BITFIT = "full", "lora", "bitfit"
WAYS = (FULL, LORA, BITFIT)
ADAPTER = "adapter"  # in the folder of a checkpoint
ALL_LINEAR = "all-linear"  # what PEFT calls every linear layer of an encoder


class WayError(TuneprobeError):
    """A way of tuning in which an encoder has nothing to train, or that lacks its settings."""


@dataclass(frozen=True)
class Way:
    """What of an encoder is trained.

    Attributes
    ----------
    name : str
        ``full``, ``lora`` or ``bitfit``.
    settings : dict
        Of a LoRA: ``rank``, ``alpha`` and ``targets``, the last parts of the names of the linear
        layers that it changes; empty for all of them.
    """

    name: str = FULL
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, Any]:
        """What a checkpoint says of it; nothing where all weights are trained."""
        return {} if self.name == FULL else {"way": self.name, **self.settings}


def way_of(
    state: str,
    head_only: bool,
    *,
    learning_rate: float,
    head_learning_rate: float,
    way: str = FULL,
    lora: Mapping[str, Any] | None = None,
    bitfit: Mapping[str, Any] | None = None,
) -> tuple[Way, float]:
    """The way of a tuning and its learning rate, from the settings of params.yaml.

    A head that is trained alone has the rate `head_learning_rate`, whatever the way.

    Raises
    ------
    UnknownNameError
        If there is no such way.
    WayError
        If the way has no learning rate of its own.
    """
    if way not in WAYS:
        raise UnknownNameError("way of tuning", way, WAYS)
    if state == FROZEN or head_only:
        return Way(), head_learning_rate
    if way == FULL:
        return Way(), learning_rate
    settings = dict((lora if way == LORA else bitfit) or {})
    if "learning_rate" not in settings:
        raise WayError(f"the way '{way}' has a learning rate of its own: give {way}.learning_rate.")
    rate = float(settings.pop("learning_rate"))
    return Way(way, settings), rate


@dataclass(frozen=True)
class Adapter:
    """A trained LoRA as PEFT stores it: `config` and `tensors` by their names in its files."""

    config: dict[str, Any]
    tensors: dict[str, Tensor]

    def write(self, folder: Path) -> None:
        """Write the two files that PEFT and `tuneprobe encoder merge` read."""
        folder.mkdir()
        write_json(folder / CONFIG, self.config)
        save_file(self.tensors, folder / TENSORS)


class Lora:
    """PEFT's LoRA inside the model of an encoder, until it is taken out."""

    def __init__(
        self, encoder: Encoder, seed: int, *, rank: int, alpha: int, targets: Sequence[str]
    ) -> None:
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            r=rank,
            lora_alpha=alpha,
            target_modules=list(targets) or ALL_LINEAR,
        )
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of transformers, about a name
            torch.manual_seed(stream_seed(seed, LORA))
            try:
                self.wrapped: Any = get_peft_model(encoder.model, config)
            except ValueError as error:  # of PEFT, which finds none
                raise WayError(
                    f"'{encoder.name}' ({encoder.model.config.model_type}) has no linear layer "
                    f"called {' or '.join(targets) or 'anything'}: correct lora.targets, or leave "
                    "it empty for all linear layers."
                ) from error
        # in place of a folder of this machine
        self.wrapped.peft_config["default"].base_model_name_or_path = encoder.name

    def take(self, *, merge: bool) -> Adapter:
        """Take the LoRA out of the model, merged into the weights or not."""
        from peft import get_peft_model_state_dict

        config = self.wrapped.peft_config["default"].to_dict() | {"inference_mode": True}
        found = get_peft_model_state_dict(self.wrapped, save_embedding_layers=False)
        adapter = Adapter(
            config | {"target_modules": sorted(config["target_modules"])},
            {name: weight.detach().cpu().contiguous() for name, weight in found.items()},
        )
        self.wrapped.merge_and_unload() if merge else self.wrapped.unload()
        return adapter

    @contextmanager
    def merged(self) -> Iterator[None]:
        """In the block, the model is a plain one with the LoRA in its weights; then as before."""
        layers = [
            (parent, name, layer)
            for parent in self.wrapped.modules()
            for name, layer in parent.named_children()
            if hasattr(layer, "lora_A")
        ]
        weights = [layer.get_base_layer().weight for _, _, layer in layers]
        before = [weight.detach().clone() for weight in weights]
        for parent, name, layer in layers:
            layer.merge()
            setattr(parent, name, layer.get_base_layer())
        try:
            yield
        finally:
            with torch.no_grad():
                for (parent, name, layer), weight, old in zip(layers, weights, before, strict=True):
                    weight.copy_(old)  # to the last bit, which taking the product off is not
                    layer.merged_adapters.clear()
                    setattr(parent, name, layer)


@contextmanager
def trained_by(way: Way, encoder: Encoder, seed: int) -> Iterator[Lora | None]:
    """In the block, only the weights that `way` trains ask for gradients; yields its LoRA.

    A LoRA that is still in the model when the block ends, because of an error, is taken out.

    Raises
    ------
    WayError
        If the encoder has no such weights.
    """
    model: nn.Module = encoder.model
    asked = [(weight, weight.requires_grad) for weight in model.parameters()]
    lora = Lora(encoder, seed, **way.settings) if way.name == LORA else None
    try:
        if way.name == BITFIT:
            _biases_alone(encoder)
        yield lora
    finally:
        if lora and hasattr(model, "peft_config"):
            lora.take(merge=False)
        for weight, had in asked:
            weight.requires_grad_(had)


def _biases_alone(encoder: Encoder) -> None:
    named = dict(encoder.model.named_parameters())
    if not any(name.endswith("bias") for name in named):
        raise WayError(
            f"'{encoder.name}' ({encoder.model.config.model_type}) has no biases: take the way "
            f"'{LORA}' or '{FULL}'."
        )
    for name, weight in named.items():
        weight.requires_grad_(name.endswith("bias"))
