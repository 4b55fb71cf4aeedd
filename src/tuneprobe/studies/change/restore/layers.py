"""Two models of one architecture, and every mixture of their layers.

A mixture has the layers of a *base*, but for some that it takes from the *donor*. Nothing is
copied into a model: the modules themselves change places for one pass, and a pass begins at the
lowest layer that differs from what is known already. So what a mixture gives is, to the last bit,
what a model with these weights gives.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tuneprobe.errors import TuneprobeError
from tuneprobe.states import FINETUNED, PRETRAINED

ONE, UP_TO = "one", "up-to"  # what comes from the donor: a layer; the embeddings and all up to it
ATTENTION, FEED_FORWARD = "attention", "feed-forward"
PARTS = (ATTENTION, FEED_FORWARD)
OTHER = {FINETUNED: PRETRAINED, PRETRAINED: FINETUNED}


class LayerError(TuneprobeError):
    """Models whose layers cannot change places."""


class Mixture(NamedTuple):
    """What is taken from the other model.

    Attributes
    ----------
    base : str
        State whose other layers, and whose place in the comparison, it has.
    scope : str
        ``one``: the layer, or its `part`, alone; ``up-to``: embeddings and layers up to it.
    layer : int
        1 to L; 0 are the embeddings.
    part : str
        ``attention`` or ``feed-forward``, each with its norm; empty: the whole layer.
    """

    base: str
    scope: str
    layer: int
    part: str = ""


def mixtures(n_layers: int) -> list[Mixture]:
    """All mixtures of two models, parts into the tuned one alone: 6 n_layers + 2."""
    found = []
    for base in (FINETUNED, PRETRAINED):
        found += [Mixture(base, UP_TO, layer) for layer in range(n_layers + 1)]
        found += [Mixture(base, ONE, layer) for layer in range(1, n_layers + 1)]
    places = [(layer, part) for layer in range(1, n_layers + 1) for part in PARTS]
    return found + [Mixture(FINETUNED, ONE, *place) for place in places]


def layer_list(model: Any) -> nn.ModuleList:
    """The list of a model's layers.

    Raises
    ------
    LayerError
        If there is not exactly one list of as many modules as the configuration says layers.
    """
    n_layers = int(model.config.num_hidden_layers)
    found = [
        (name, part)
        for name, part in model.named_modules()
        if isinstance(part, nn.ModuleList) and len(part) == n_layers
    ]
    outer = [part for name, part in found if not any(_inside(name, other) for other, _ in found)]
    if len(outer) != 1:
        raise LayerError(
            f"a model of the type '{model.config.model_type}' has {len(outer)} lists of {n_layers} "
            "layers, expected one: its layers share weights or are built in pieces; take it out of "
            "run.encoders, or empty change.tasks."
        )
    return outer[0]


def part_of(name: str) -> str:
    """The part of a layer that a parameter belongs to, by its name inside the layer.

    >>> part_of("attention.output.LayerNorm.weight"), part_of("output.LayerNorm.weight")
    ('attention', 'feed-forward')
    >>> part_of("sa_layer_norm.bias"), part_of("ffn.lin1.weight"), part_of("mlp.Wi.weight")
    ('attention', 'feed-forward', 'feed-forward')
    """
    return ATTENTION if re.search(r"attention|attn|(^|\.)sa_", name) else FEED_FORWARD


class Pair:
    """The pre-trained and the tuned model of one architecture.

    Parameters
    ----------
    before, after : model of transformers
        On one device, in evaluation mode; both are as they were after each pass.

    Raises
    ------
    LayerError
        If the two differ in more than their weights.
    """

    def __init__(self, before: Any, after: Any) -> None:
        self.models: Mapping[str, Any] = {PRETRAINED: before, FINETUNED: after}
        shapes = [{k: w.shape for k, w in one.named_parameters()} for one in (before, after)]
        if shapes[0] != shapes[1]:
            differing = sorted(set(shapes[0].items()) ^ set(shapes[1].items()))
            raise LayerError(
                f"the pre-trained and the tuned model differ in '{differing[0][0]}': their layers "
                "cannot change places; run 'dvc repro finetune'."
            )
        self.layers = {state: list(layer_list(model)) for state, model in self.models.items()}
        tuned, other = self.layers[FINETUNED], self.layers[PRETRAINED]
        self._parts = {
            (layer + 1, part): with_part(tuned[layer], other[layer], part)
            for layer in range(len(tuned))
            for part in PARTS
        }
        self._returned = 0  # length of the tuple that a layer returns; 0 for a tensor alone

    @property
    def n_layers(self) -> int:
        """Number of layers L."""
        return len(self.layers[FINETUNED])

    def hidden(self, state: str, inputs: Mapping[str, Tensor]) -> tuple[list[Tensor], Tensor]:
        """Layers 0 to L of a pass as it is, and what the model gives, each (batch, seq, dim)."""
        layers: list[Tensor] = []
        with ExitStack() as hooks:
            for layer in self.layers[state]:

                def keep(_: Any, args: Any, named: Any) -> None:
                    layers.append(args[0] if args else named["hidden_states"])

                handle = layer.register_forward_pre_hook(keep, with_kwargs=True)
                hooks.callback(handle.remove)

            def keep_output(_: Any, __: Any, output: Any) -> None:
                self._returned = len(output) if isinstance(output, tuple) else 0
                layers.append(output[0] if self._returned else output)

            handle = self.layers[state][-1].register_forward_hook(keep_output)
            hooks.callback(handle.remove)
            last: Tensor = self.models[state](**inputs).last_hidden_state
        return layers, last

    def resume(
        self,
        state: str,
        inputs: Mapping[str, Tensor],
        start: int,
        hidden: Tensor,
        layers: Sequence[nn.Module] | None = None,
    ) -> Tensor:
        """What a model gives whose layer `start`, 0 to L, is `hidden`, (batch, seq, dim).

        A pass of `hidden` comes before it.

        Parameters
        ----------
        layers : sequence of L modules, optional
            Take the place of the model's own; those up to `start` are not run.
        """
        own = layer_list(self.models[state])
        used = list(self.layers[state] if layers is None else layers)
        given = [_Given(one, hidden, n, start, self._returned) for n, one in enumerate(used)]
        with _replaced(own, given):
            last: Tensor = self.models[state](**inputs).last_hidden_state
        return last

    def passes(
        self,
        inputs: Mapping[str, Tensor],
        known: Mapping[str, tuple[Sequence[Tensor], Tensor]],
        wanted: Sequence[Mixture],
    ) -> Iterator[Tensor]:
        """What each mixture gives, (batch, seq, dim), from both models' `hidden` of the inputs."""
        for mixture in wanted:
            donor = OTHER[mixture.base]
            if mixture.scope == UP_TO:
                if mixture.layer == self.n_layers:
                    yield known[donor][1]
                    continue
                start, layers = mixture.layer, None
                hidden = known[donor][0][start]
            else:
                start = mixture.layer - 1
                hidden, layers = known[mixture.base][0][start], list(self.layers[mixture.base])
                layers[start] = self._replacement(mixture)
            yield self.resume(mixture.base, inputs, start, hidden, layers)

    def _replacement(self, mixture: Mixture) -> nn.Module:
        if mixture.part:
            return self._parts[mixture.layer, mixture.part]
        return self.layers[OTHER[mixture.base]][mixture.layer - 1]


def with_part(base: nn.Module, donor: nn.Module, part: str) -> nn.Module:
    """A copy of a layer with the weights of one part from another."""
    mixed, weights = deepcopy(base), dict(donor.named_parameters())
    with torch.no_grad():
        for name, weight in mixed.named_parameters():
            if part_of(name) == part:
                weight.copy_(weights[name])
    return mixed


class _Given(nn.Module):
    """A layer of a pass that begins above it, at it, or below it."""

    def __init__(
        self, layer: nn.Module, hidden: Tensor, number: int, start: int, returned: int
    ) -> None:
        super().__init__()
        self.layer, self.given, self.number, self.start = layer, hidden, number, start
        self.returned = returned

    def forward(self, *args: Any, **named: Any) -> Any:
        """Below `start` what is given; at it the layer of what is given; above it the layer."""
        if self.number < self.start:
            return (self.given, *[None] * (self.returned - 1)) if self.returned else self.given
        if self.number == self.start:
            if args:
                args = (self.given, *args[1:])
            else:
                named["hidden_states"] = self.given
        return self.layer(*args, **named)

    def __getattr__(self, name: str) -> Any:
        """What a model asks of a layer, such as the kind of its attention."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("layer"), name)


@contextmanager
def _replaced(own: nn.ModuleList, layers: Sequence[nn.Module]) -> Iterator[None]:
    kept = list(own)
    try:
        for number, layer in enumerate(layers):
            own[number] = layer
        yield
    finally:
        for number, layer in enumerate(kept):
            own[number] = layer


def _inside(name: str, other: str) -> bool:
    return name != other and name.startswith(f"{other}.")
