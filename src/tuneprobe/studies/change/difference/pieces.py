"""A sample of word pieces, and their vectors in every layer of two models, kept on the way."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tuneprobe.states import FINETUNED, PRETRAINED

Known = Mapping[str, tuple[Sequence[Tensor], Tensor]]
Rows = NDArray[np.int64]


class PieceSample:
    """At most so many pieces of some inputs, special tokens among them, drawn at random.

    Parameters
    ----------
    lengths, text : int64 ndarrays of shape (n_inputs,)
        Pieces of each input, and the number of its text.
    max_vectors : int
        Pieces at most.

    Attributes
    ----------
    texts : int64 ndarray of shape (n_pieces,)
        Number of the text of each piece.
    before, after : list of float32 ndarrays of shape (n_pieces, dim)
        Layers 0 to L; filled by `observe`.
    """

    def __init__(
        self, lengths: Rows, text: Rows, max_vectors: int, draws: np.random.Generator
    ) -> None:
        chosen = np.arange(lengths.sum())
        if len(chosen) > max_vectors:
            chosen = np.sort(draws.choice(chosen, size=max_vectors, replace=False))
        ends = np.cumsum(lengths)
        self._input = np.searchsorted(ends, chosen, side="right")
        self._position = chosen - (ends - lengths)[self._input]
        self.texts = text[self._input]
        self.before: list[NDArray[np.float32]] = []
        self.after: list[NDArray[np.float32]] = []

    def observe(self, rows: Rows, batch: object, known: Known) -> None:
        """Keep what the sample needs of a batch: `rows` are its inputs."""
        place = {row: number for number, row in enumerate(rows.tolist())}
        here = np.flatnonzero(np.isin(self._input, rows))
        at = [place[row] for row in self._input[here].tolist()], self._position[here]
        for state, kept in ((PRETRAINED, self.before), (FINETUNED, self.after)):
            layers = known[state][0]
            if not kept:
                shape = (len(self.texts), layers[0].shape[-1])
                kept += [np.zeros(shape, dtype=np.float32) for _ in layers]
            for vectors, hidden in zip(kept, layers, strict=True):
                vectors[here] = hidden.cpu().numpy()[at]
