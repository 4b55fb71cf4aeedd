"""What is measured of attention maps: functions of one layer's padded maps.

Shapes: ``maps`` (batch, heads, seq, seq), rows the queries; ``real`` (batch, seq), 1 for real
pieces and 0 for padding. The columns of padding are 0, as in `LayerMaps`; where its rows are left
out too, a sum over the padded map is one over the map cropped to its real pieces.
"""

import torch
from torch import Tensor
from torch.linalg import vecdot

from tuneprobe.errors import UnknownNameError

ROWS = ("mean", "max")
TOKENS = ("max", "mean", "sum")
SMALLEST = torch.finfo(torch.float32).tiny


def map_similarity(maps: Tensor, others: Tensor, rows: Tensor) -> Tensor:
    """Cosine of two flattened maps, ``<A, B> / (|A| |B|)``, over the rows that count.

    Returns
    -------
    Tensor of shape (batch, heads), between 0 and 1.
    """
    dot, square, other_square = (
        (vecdot(left, right) * rows[:, None]).sum(-1)
        for left, right in ((maps, others), (maps, maps), (others, others))
    )
    return dot / (square * other_square).sqrt()


def row_entropy(maps: Tensor, real: Tensor) -> Tensor:
    """Mean entropy of the rows in nats, ``-sum p log p``; at most the log of the pieces.

    Returns
    -------
    Tensor of shape (batch, heads).
    """
    entropy = -vecdot(maps, maps.clamp_min(SMALLEST).log_())  # (batch, heads, seq)
    return (entropy * real[:, None]).sum(-1) / real.sum(-1, keepdim=True)


def received(maps: Tensor, real: Tensor, rows: str = "mean") -> Tensor:
    """Attention that each piece receives: the mean, or the maximum, of its column's real rows.

    Returns
    -------
    Tensor of shape (batch, heads, seq).
    """
    if rows not in ROWS:
        raise UnknownNameError("aggregation of rows", rows, ROWS)
    if rows == "max":
        return (maps * real[:, None, :, None]).amax(-2)
    weights = real / real.sum(-1, keepdim=True)
    return (weights[:, None, None] @ maps).squeeze(-2)


def type_share(columns: Tensor, types: Tensor, tokens: str = "max") -> Tensor:
    """Attention to each type of token: the maximum, mean or sum over the pieces of the type.

    Parameters
    ----------
    columns : Tensor of shape (batch, heads, seq)
        Attention by piece: what each receives, or one row of the map.
    types : bool Tensor of shape (batch, n_types, seq)

    Returns
    -------
    Tensor of shape (batch, heads, n_types); NaN where a text has no token of the type.
    """
    if tokens not in TOKENS:
        raise UnknownNameError("aggregation of tokens", tokens, TOKENS)
    members = types.sum(-1)[:, None]  # (batch, 1, n_types)
    if tokens == "max":
        chosen = torch.where(types[:, None], columns[:, :, None], 0.0)
        share = chosen.amax(-1)
    else:
        share = columns @ types.to(columns.dtype).transpose(1, 2)
        share = share / members if tokens == "mean" else share
    return share.masked_fill(members == 0, torch.nan)
