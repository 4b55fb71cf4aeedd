"""Heads: what is put on an encoder to tune it, one for each kind of task.

A head turns the last layer into logits and a loss. To add a kind of task: one class, one line in
`HEADS`.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tuneprobe.encoder import Encoder
from tuneprobe.errors import UnknownNameError
from tuneprobe.rng import stream_seed
from tuneprobe.windows import ANSWER_TYPES, TARGETS

INITIAL_DEVIATION = 0.02  # of BERT's own weights
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
Batch = dict[str, Tensor]


def last_layer(encoder: Encoder, batch: Batch) -> Tensor:
    """What a head reads: the encoder's last layer, shape (batch, seq, dim)."""
    inputs = {name: batch[name] for name in INPUTS if name in batch}
    hidden: Tensor = encoder.model(**inputs).last_hidden_state
    return hidden


class Head(nn.Module, ABC):
    """Logits and loss over the last layer of an encoder."""

    @abstractmethod
    def forward(self, hidden: Tensor, batch: Batch) -> Batch:
        """Logits by name, from the last layer of shape (batch, seq, dim)."""

    @abstractmethod
    def loss(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Mean loss over the batch, a scalar; `batch` holds inputs and targets."""


class QAHead(Head):
    """BERT-joint's reader (Alberti et al. 2019): start and end of the answer, and its type.

    Logits of start and end over every piece, of the type from [CLS]. Unlike BERT-joint the type is
    read from [CLS] as it is, without BERT's pooler.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.span = nn.Linear(dim, 2)
        self.answer_type = nn.Linear(dim, len(ANSWER_TYPES))

    def forward(self, hidden: Tensor, batch: Batch) -> Batch:
        """``start`` and ``end`` (batch, seq), -inf at padding; ``answer_type`` (batch, 5)."""
        span = self.span(hidden)  # (batch, seq, 2)
        span = span.masked_fill(batch["attention_mask"].unsqueeze(-1) == 0, -torch.inf)
        return {
            "start": span[..., 0],
            "end": span[..., 1],
            "answer_type": self.answer_type(hidden[:, 0]),
        }

    def loss(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Mean of the cross-entropies of start, end and type (Alberti et al. 2019, eq. 2)."""
        logits = self(hidden, batch)
        return torch.stack([cross_entropy(logits[name], batch[name]) for name in TARGETS]).mean()


HEADS: dict[str, type[QAHead]] = {"qa": QAHead}


def make_head(kind: str, dim: int, seed: int) -> Head:
    """An untrained head for a kind of task: weights from N(0, 0.02²) under `seed`, biases zero."""
    if kind not in HEADS:
        raise UnknownNameError("kind of head", kind, HEADS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "head", kind))
        head = HEADS[kind](dim)
        for name, weight in head.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(weight)
            else:
                nn.init.normal_(weight, std=INITIAL_DEVIATION)
    return head
