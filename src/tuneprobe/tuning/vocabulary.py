"""Training a part of the vocabulary: the rows of the word embedding that the inputs use.

A training set holds a small part of a vocabulary's word pieces (the made-up world 1,741 of
30,522). The gradient of every other row is zero, so that AdamW only lets it decay. Gradients and
moments of these rows, most of what an optimizer step reads and writes, are never made.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding


class UsedRows(nn.Module):
    """A word embedding cut to some word pieces; it reads the same ids and knows no others.

    Parameters
    ----------
    whole : nn.Embedding
        The embedding of all word pieces, of shape (n_pieces, dim).
    used : int64 tensor of shape (n_used,)
        The word pieces to train, each once.
    """

    position: Tensor

    def __init__(self, whole: nn.Embedding, used: Tensor) -> None:
        super().__init__()
        self.used = used.to(whole.weight.device)
        self.original = whole.weight.detach().clone()
        self.weight = nn.Parameter(self.original[self.used])
        position = torch.full((len(self.original),), -1, device=self.used.device)
        position[self.used] = torch.arange(len(self.used), device=self.used.device)
        self.register_buffer("position", position, persistent=False)
        padding = -1 if whole.padding_idx is None else int(position[whole.padding_idx])
        self.padding_idx = None if padding < 0 else padding

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors of word pieces, shape (*ids.shape, dim)."""
        return embedding(self.position[ids], self.weight, self.padding_idx)

    @torch.no_grad()
    def write_to(self, whole: nn.Embedding, decay: float) -> None:
        """Set all rows of `whole`: the used ones as trained, the others `decay` times as before."""
        torch.mul(self.original, decay, out=whole.weight)
        whole.weight[self.used] = self.weight
