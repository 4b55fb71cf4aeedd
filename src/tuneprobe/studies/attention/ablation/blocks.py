"""Blocks: the parts of a transformer's layers by one set of names, whatever the model calls them.

For a study that goes inside a layer (which head does what) where a forward pass of the whole model
would repeat itself. Inputs of equal length only, so that there is no padding and no mask.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from tuneprobe.errors import TuneprobeError


class BlockError(TuneprobeError):
    """A model whose layers are not built as the study takes them to be."""


class Names(NamedTuple):
    """Where a family of models keeps its list of blocks, and the parts inside one of them."""

    blocks: str
    query: str
    key: str
    value: str
    projection: str
    attention_norm: str
    widen: str
    activation: str
    narrow: str
    output_norm: str


BERT = Names(
    blocks="encoder.layer",
    query="attention.self.query",
    key="attention.self.key",
    value="attention.self.value",
    projection="attention.output.dense",
    attention_norm="attention.output.LayerNorm",
    widen="intermediate.dense",
    activation="intermediate.intermediate_act_fn",
    narrow="output.dense",
    output_norm="output.LayerNorm",
)
DISTILBERT = Names(
    blocks="transformer.layer",
    query="attention.q_lin",
    key="attention.k_lin",
    value="attention.v_lin",
    projection="attention.out_lin",
    attention_norm="sa_layer_norm",
    widen="ffn.lin1",
    activation="ffn.activation",
    narrow="ffn.lin2",
    output_norm="output_layer_norm",
)
FAMILIES = {"distilbert": DISTILBERT}  # any other may have BERT's names


@dataclass(frozen=True)
class Block:
    """One layer: attention, then a feed-forward network, each with a residual and a norm after it.

    The attention of head h gives a *context*, its weighted mean of values, of shape (head_dim,)
    per token; ``projection`` turns the contexts of all heads, side by side, into the output.
    """

    n_heads: int
    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    projection: nn.Linear
    attention_norm: nn.LayerNorm
    widen: nn.Linear
    activation: Callable[[Tensor], Tensor]
    narrow: nn.Linear
    output_norm: nn.LayerNorm

    @cached_property
    def _joined(self) -> tuple[Tensor, Tensor]:
        """Query, key and value as one matrix and one bias: one product in place of three."""
        parts = (self.query, self.key, self.value)
        weight = torch.cat([part.weight.detach() for part in parts])
        return weight, torch.cat([part.bias.detach() for part in parts])

    def contexts(self, hidden: Tensor) -> Tensor:
        """What each head reads, (batch, seq, dim) to (batch, seq, heads, head_dim)."""
        joined = self._by_head(linear(hidden, *self._joined), 3)
        query, key, value = joined.transpose(1, 3).unbind(dim=2)  # (batch, heads, seq, head_dim)
        return scaled_dot_product_attention(query, key, value).transpose(1, 2)

    def first_contexts(self, hidden: Tensor) -> Tensor:
        """Contexts of the first token alone: (batch, seq, dim) to (batch, 1, heads, head_dim).

        The one query is taken back through the key matrix, ``q_h · (K_h x + b) = (K_hᵀ q_h) · x``
        plus what is equal for all tokens; likewise the values are mixed before the value matrix.
        So no token but the first costs a product of dim × dim.
        """
        head_dim = self.head_dim
        query = self._by_head(self.query(hidden[:, :1]), 1)[:, 0, 0]  # (batch, heads, head_dim)
        key = self.key.weight.view(self.n_heads, head_dim, -1)
        probe = torch.einsum("bhe,hed->bhd", query, key) * head_dim**-0.5
        weights = torch.softmax(probe @ hidden.transpose(1, 2), dim=-1)  # (batch, heads, seq)
        value = self.value.weight.view(self.n_heads, head_dim, -1)
        mixed = torch.einsum("bhd,hed->bhe", weights @ hidden, value)
        return (mixed + self.value.bias.view(self.n_heads, head_dim)).unsqueeze(1)

    def uniform_contexts(self, hidden: Tensor) -> Tensor:
        """Contexts under the weights 1 / seq, equal for all tokens: (batch, 1, heads, head_dim)."""
        return self._by_head(self.value(hidden.mean(dim=1, keepdim=True)), 1)[:, :, 0]

    def head_outputs(self, contexts: Tensor) -> Tensor:
        """Each head's share of the attention output, less the bias: (heads, batch, seq, dim)."""
        weight = self.projection.weight.view(-1, self.n_heads, self.head_dim)
        return torch.einsum("bshe,dhe->hbsd", contexts, weight)

    def attended(self, contexts: Tensor) -> Tensor:
        """Output of the attention: (batch, seq, heads, head_dim) to (batch, seq, dim)."""
        return self.projection(contexts.flatten(2))

    def finish(self, hidden: Tensor) -> Tensor:
        """From input plus attention output to the layer's output, token by token; (..., dim)."""
        hidden = self.attention_norm(hidden)
        return self.output_norm(hidden + self.narrow(self.activation(self.widen(hidden))))

    def __call__(self, hidden: Tensor) -> Tensor:
        """The layer as the model computes it, (batch, seq, dim) to the same."""
        return self.finish(hidden + self.attended(self.contexts(hidden)))

    @property
    def head_dim(self) -> int:
        """Width of one head."""
        return self.projection.in_features // self.n_heads

    def _by_head(self, joined: Tensor, parts: int) -> Tensor:
        """(batch, seq, parts * dim) to (batch, seq, parts, heads, head_dim)."""
        return joined.unflatten(-1, (parts, self.n_heads, self.head_dim))


def blocks(model: Any) -> list[Block]:
    """The layers of a model of transformers, bottom up.

    Whether they are computed as `Block` has it is for the caller to see.

    Raises
    ------
    BlockError
        For a model whose parts are not called as BERT's or those of a family in `FAMILIES`.
    """
    family, heads = model.config.model_type, model.config.num_attention_heads
    names = FAMILIES.get(family, BERT)
    parts = {field: name for field, name in names._asdict().items() if field != "blocks"}
    try:
        return [
            Block(heads, **{field: attrgetter(name)(layer) for field, name in parts.items()})
            for layer in attrgetter(names.blocks)(model)
        ]
    except AttributeError as error:
        raise BlockError(
            f"the layers of a model of type '{family}' are not built as BERT's ({error}): it is "
            "read by whole forward passes."
        ) from error


def embedded(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Layer 0, what the first block reads, (batch, seq, dim); an attention mask is not used."""
    given = {name: value for name, value in inputs.items() if name != "attention_mask"}
    hidden: Tensor = model.embeddings(**given)
    project = getattr(model, "embeddings_project", None)  # ELECTRA with narrow embeddings
    return hidden if project is None else project(hidden)
