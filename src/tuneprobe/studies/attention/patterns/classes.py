"""Which of five patterns an attention map shows (Kovaleva et al. 2019, section 4.1).

vertical           most weight on a few columns: [CLS], [SEP], punctuation
diagonal           each piece looks at itself, the one before, or the one after
vertical+diagonal  both
block              pieces look at their own segment, evenly
heterogeneous      no such structure

An even map is one block: so are nearly all maps of an encoder with random weights.

A map is looked at as a picture of 32 x 32 points whose mean is 1, whatever its length. Two
classifiers: a network trained on drawn maps (`patterns.network`) and, as a baseline, the rule here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuneprobe.errors import TuneprobeError

PATTERNS = ("vertical", "diagonal", "vertical+diagonal", "block", "heterogeneous")
VERTICAL, DIAGONAL, BOTH, BLOCK, HETEROGENEOUS = range(len(PATTERNS))
SIZE = 32  # points of a picture's side
STRIPES = 3  # columns that a vertical pattern may need: [CLS], [SEP], [SEP]
NEAR = SIZE // 8  # points off the diagonal that the block feature leaves out
SMALLEST = torch.finfo(torch.float32).tiny


class PatternError(TuneprobeError):
    """Maps, labels or a network that cannot be used."""


def map_images(maps: Tensor, lengths: Tensor) -> Tensor:
    """Pictures of maps: ``W A Wᵀ L``, the mean of the map's density over each of 32 x 32 areas.

    ``W[r, c]`` is the share of area r that piece c covers when the pieces are spread over the
    side. The mean of a picture is 1, for rows that sum to 1; a uniform map is 1 everywhere.

    Parameters
    ----------
    maps : float32 Tensor of shape (batch, heads, seq, seq)
        Rows of padding may hold anything.
    lengths : int64 Tensor of shape (batch,)
        Real pieces of each text, the first ones.

    Returns
    -------
    Tensor of shape (batch, heads, 32, 32)
    """
    _check_maps(maps, lengths)
    edges = torch.arange(maps.shape[-1] + 1, device=maps.device)
    piece = (edges / lengths[:, None]).clamp(max=1)[:, None]  # (batch, 1, seq + 1)
    area = torch.linspace(0, 1, SIZE + 1, device=maps.device)[None, :, None]  # (1, 33, 1)
    upper = torch.minimum(area[:, 1:], piece[..., 1:])
    lower = torch.maximum(area[:, :-1], piece[..., :-1])
    cover = ((upper - lower).clamp(min=0) * SIZE)[:, None]  # (batch, 1, 32, seq)
    return cover @ maps @ cover.mT * lengths[:, None, None, None]


@dataclass(frozen=True)
class Features:
    """What the rule looks at; each a Tensor of shape (batch, heads), 0 for a map of noise.

    Attributes
    ----------
    stripes : Tensor
        ``Σ (c_j - 1/L) / (1 - 3/L)`` over the three largest column means c_j; 1 if three columns
        get everything.
    diagonal : Tensor
        Mean weight on the diagonals -1, 0, 1, summed, minus three times the mean weight of the
        diagonals beside them, up to ``1 + L/8`` away; 1 for the identity.
    block : Tensor
        Share of the weight more than L/8 off the diagonal that lies within two segments, beyond
        what row and column sums explain, over what they do not; the largest over all boundaries in
        the middle 60 % of the text; 1 for two blocks.
    entropy : Tensor
        Mean entropy of the picture's rows over log 32; 1 for a uniform map.
    """

    stripes: Tensor
    diagonal: Tensor
    block: Tensor
    entropy: Tensor


@dataclass(frozen=True)
class Thresholds:
    """From which value on a feature counts: the best of a grid on drawn maps (`patterns.maps`)."""

    stripes: float = 0.25
    diagonal: float = 0.1
    block: float = 0.2
    uniform: float = 0.99


def map_features(maps: Tensor, lengths: Tensor, images: Tensor | None = None) -> Features:
    """The features of the rule; shapes as in `map_images`, whose result may be given."""
    images = map_images(maps, lengths) if images is None else images
    return Features(
        _stripes(maps, lengths), _diagonal(maps, lengths), _block(images), _entropy(images)
    )


def rule_labels(features: Features, thresholds: Thresholds | None = None) -> Tensor:
    """Pattern of each map by thresholds, as row numbers of `PATTERNS`; (batch, heads).

    Stripes and diagonal are asked first; a map with neither is a block if it splits in two
    segments or is uniform (one block), else heterogeneous. Of two blocks in less than 12 pieces
    the rule sees the diagonal only.
    """
    bar = thresholds or Thresholds()
    vertical, diagonal = features.stripes >= bar.stripes, features.diagonal >= bar.diagonal
    block = (features.block >= bar.block) | (features.entropy >= bar.uniform)
    labels = torch.where(block, BLOCK, HETEROGENEOUS)
    labels = torch.where(vertical, VERTICAL, labels)
    labels = torch.where(diagonal, DIAGONAL, labels)
    return torch.where(vertical & diagonal, BOTH, labels)


def pad_maps(maps: Sequence[NDArray[np.floating]]) -> tuple[Tensor, Tensor]:
    """Cropped maps of any lengths as one batch with one head each, and their lengths."""
    if not len(maps):
        raise PatternError("there are no maps; at least one is needed.")
    for place, one in enumerate(maps):
        if one.ndim != 2 or one.shape[0] != one.shape[1] or not one.size:
            raise PatternError(f"map {place} has shape {one.shape}, expected (L, L).")
    lengths = torch.tensor([len(one) for one in maps])
    padded = torch.zeros(len(maps), 1, int(lengths.max()), int(lengths.max()))
    for place, one in enumerate(maps):
        padded[place, 0, : len(one), : len(one)] = torch.from_numpy(np.asarray(one, np.float32))
    return padded, lengths


def _stripes(maps: Tensor, lengths: Tensor) -> Tensor:
    place = torch.arange(maps.shape[-1], device=maps.device)
    rows = (place < lengths[:, None]) / lengths[:, None]  # (batch, seq)
    columns = (rows[:, None, None] @ maps).squeeze(-2)  # (batch, heads, seq)
    top = columns.topk(min(STRIPES, maps.shape[-1]), dim=-1).values.sum(-1)
    even = (STRIPES / lengths)[:, None]
    excess = (top - even) / (1 - even).clamp(min=SMALLEST)
    return torch.where(even < 1, excess, 0.0)  # as many stripes as columns are no stripes


def _diagonal(maps: Tensor, lengths: Tensor) -> Tensor:
    reach = (lengths // 8).clamp(min=1) + 1  # (batch,)
    offsets = range(-int(reach.max()), int(reach.max()) + 1)
    means = torch.stack([_diagonal_mean(maps, lengths, offset) for offset in offsets])
    away = torch.tensor(offsets, device=maps.device).abs()[:, None]  # (n_offsets, 1)
    beside = (away > 1) & (away <= reach) & (away < lengths)  # (n_offsets, batch)
    mean_beside = (means * beside[..., None]).sum(0) / beside.sum(0).clamp(min=1)[:, None]
    return means[away[:, 0] <= 1].sum(0) - 3 * mean_beside


def _diagonal_mean(maps: Tensor, lengths: Tensor, offset: int) -> Tensor:
    """Mean over the pieces i of ``A[i, i + offset]``, (batch, heads); 0 where there is none."""
    weights = maps.diagonal(offset, -2, -1)  # (batch, heads, seq - |offset|)
    n = lengths[:, None] - abs(offset)
    real = torch.arange(weights.shape[-1], device=maps.device) < n
    return (weights * real[:, None]).sum(-1) / n.clamp(min=1)


def _block(images: Tensor) -> Tensor:
    side = torch.arange(SIZE, device=images.device)
    apart = (side - side[:, None]).abs() > NEAR
    mass = images * apart
    mass = mass / mass.sum((-2, -1), keepdim=True).clamp(min=SMALLEST)
    corner = mass.cumsum(-1).cumsum(-2).diagonal(0, -2, -1)  # weight of the first k x k areas
    rows, columns = mass.sum(-1).cumsum(-1), mass.sum(-2).cumsum(-1)  # of the first k areas
    within = 2 * corner + 1 - rows - columns
    expected = rows * columns + (1 - rows) * (1 - columns)
    excess = (within - expected) / (1 - expected).clamp(min=SMALLEST)
    return excess[..., SIZE // 5 : SIZE - SIZE // 5 - 1].amax(-1)


def _entropy(images: Tensor) -> Tensor:
    rows = images / images.sum(-1, keepdim=True).clamp(min=SMALLEST)
    return -(rows * rows.clamp(min=SMALLEST).log()).sum(-1).mean(-1) / np.log(SIZE)


def _check_maps(maps: Tensor, lengths: Tensor) -> None:
    if maps.ndim != 4 or maps.shape[-1] != maps.shape[-2] or lengths.shape != maps.shape[:1]:
        raise PatternError(
            f"maps have shape {tuple(maps.shape)} and lengths {tuple(lengths.shape)}, expected "
            "(batch, heads, seq, seq) and (batch,)."
        )
    if len(lengths) and not 1 <= int(lengths.min()) <= int(lengths.max()) <= maps.shape[-1]:
        raise PatternError(
            f"lengths lie between {int(lengths.min())} and {int(lengths.max())}, expected 1 to "
            f"{maps.shape[-1]}, the size of the maps."
        )
