"""Heads: what is put on an encoder to tune it, one for each kind of task.

A head reads the last layer (`Head.read`) and turns what it read into logits and a loss. The two
are apart so that over a frozen encoder, whose last layer never changes, the reading is done once.
To add a kind of task: one class, one line in `HEADS`.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.nn.utils.rnn import pad_sequence

from tuneprobe.encoders.encoder import Encoder
from tuneprobe.errors import UnknownNameError
from tuneprobe.rng import stream_seed
from tuneprobe.tuning.windows import ANSWER_TYPES, TARGETS

INITIAL_DEVIATION = 0.02  # of BERT's own weights
DROPOUT = 0.1  # before the linear layer, as in BERT's classifiers
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
Batch = dict[str, Tensor]


def last_layer(encoder: Encoder, batch: Batch) -> Tensor:
    """The encoder's last layer, shape (batch, seq, dim)."""
    inputs = {name: batch[name] for name in INPUTS if name in batch}
    hidden: Tensor = encoder.model(**inputs).last_hidden_state
    return hidden


class Head(nn.Module, ABC):
    """Logits and loss over the last layer of an encoder."""

    @property
    def shape(self) -> dict[str, int]:
        """What `make_head` must know beside kind and dim to make a head of this shape."""
        return {}

    @abstractmethod
    def read(self, hidden: Tensor, batch: Batch) -> Tensor:
        """What the head reads of the last layer of shape (batch, seq, dim)."""

    @abstractmethod
    def forward(self, read: Tensor, batch: Batch) -> Batch:
        """Logits by name, from what was read."""

    @abstractmethod
    def loss(self, read: Tensor, batch: Batch) -> Tensor:
        """Mean loss over the batch, a scalar; `batch` holds inputs and targets."""

    @abstractmethod
    def n_targets(self, batch: Batch) -> int:
        """How many targets the mean of `loss` is over."""

    @abstractmethod
    def split(self, read: Tensor, batch: Batch) -> list[Tensor]:
        """What was read of each input alone, each of shape (rows, width)."""

    @abstractmethod
    def join(self, parts: list[Tensor]) -> Tensor:
        """The inverse of `split`, for any inputs."""


class QAHead(Head):
    """BERT-joint's reader (Alberti et al. 2019): start and end of the answer, and its type.

    Logits of start and end over every piece, of the type from [CLS]. Unlike BERT-joint the type is
    read from [CLS] as it is, without BERT's pooler.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.span = nn.Linear(dim, 2)
        self.answer_type = nn.Linear(dim, len(ANSWER_TYPES))

    def read(self, hidden: Tensor, batch: Batch) -> Tensor:
        """All of the last layer."""
        return hidden

    def forward(self, read: Tensor, batch: Batch) -> Batch:
        """``start`` and ``end`` (batch, seq), -inf at padding; ``answer_type`` (batch, 5)."""
        span = self.span(read)  # (batch, seq, 2)
        span = span.masked_fill(batch["attention_mask"].unsqueeze(-1) == 0, -torch.inf)
        return {
            "start": span[..., 0],
            "end": span[..., 1],
            "answer_type": self.answer_type(read[:, 0]),
        }

    def loss(self, read: Tensor, batch: Batch) -> Tensor:
        """Mean of the cross-entropies of start, end and type (Alberti et al. 2019, eq. 2)."""
        logits = self(read, batch)
        return torch.stack([cross_entropy(logits[name], batch[name]) for name in TARGETS]).mean()

    def n_targets(self, batch: Batch) -> int:
        """The windows."""
        return len(batch["answer_type"])

    def split(self, read: Tensor, batch: Batch) -> list[Tensor]:
        """The real pieces of each input."""
        lengths = batch["attention_mask"].sum(dim=1).tolist()
        return [hidden[:length] for hidden, length in zip(read, lengths, strict=True)]

    def join(self, parts: list[Tensor]) -> Tensor:
        """Padded to the longest input."""
        return pad_sequence(parts, batch_first=True)


class LabelHead(Head):
    """A linear classifier of examples, each one span or two spans of a text.

    It reads the vectors of the spans, of two spans side by side: ``pool @ hidden``, where the row
    ``n_spans * e + s`` of the sparse matrix ``batch["pool"]`` of shape (n_examples * n_spans,
    batch * seq) weighs the pieces of span s of example e.
    """

    def __init__(self, dim: int, n_outputs: int, n_spans: int) -> None:
        super().__init__()
        self.n_spans = n_spans
        self.dropout = nn.Dropout(DROPOUT)
        self.output = nn.Linear(dim * n_spans, n_outputs)

    @property
    def shape(self) -> dict[str, int]:
        """Number of labels, and of spans per example."""
        return {"n_outputs": self.output.out_features, "n_spans": self.n_spans}

    def read(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Vectors of the examples, shape (n_examples, dim * n_spans)."""
        flat = hidden.reshape(-1, hidden.shape[-1])  # (batch * seq, dim)
        vectors: Tensor = torch.sparse.mm(batch["pool"], flat)
        return vectors.reshape(-1, self.output.in_features)

    def logits(self, vectors: Tensor) -> Tensor:
        """From (n, dim * n_spans) to (n, n_outputs)."""
        logits: Tensor = self.output(self.dropout(vectors))
        return logits

    def forward(self, read: Tensor, batch: Batch) -> Batch:
        """``label`` of shape (n_examples, n_outputs)."""
        return {"label": self.logits(read)}

    def loss(self, read: Tensor, batch: Batch) -> Tensor:
        """Mean cross-entropy of the labels ``batch["target"]``."""
        return cross_entropy(self.logits(read), batch["target"])

    def n_targets(self, batch: Batch) -> int:
        """The examples."""
        return len(batch["target"])

    def split(self, read: Tensor, batch: Batch) -> list[Tensor]:
        """The vectors of each text's examples; ``batch["n_examples"]`` counts them."""
        return list(read.split(batch["n_examples"].tolist()))

    def join(self, parts: list[Tensor]) -> Tensor:
        """One below the other."""
        return torch.cat(parts)


class ScoreHead(LabelHead):
    """A linear regression with one output."""

    def loss(self, read: Tensor, batch: Batch) -> Tensor:
        """Mean squared error of the scores ``batch["target"]``."""
        return mse_loss(self.logits(read).squeeze(1), batch["target"])


HEADS: dict[str, type[Head]] = {"qa": QAHead, "label": LabelHead, "score": ScoreHead}


def make_head(kind: str, dim: int, seed: int, **shape: int) -> Head:
    """An untrained head for a kind of task: weights from N(0, 0.02²) under `seed`, biases zero.

    Parameters
    ----------
    shape : int
        ``n_outputs`` and ``n_spans`` of the kinds ``label`` and ``score``; nothing for ``qa``.
    """
    if kind not in HEADS:
        raise UnknownNameError("kind of head", kind, HEADS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "head", kind))
        head = HEADS[kind](dim, **shape)
        for name, weight in head.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(weight)
            else:
                nn.init.normal_(weight, std=INITIAL_DEVIATION)
    return head
