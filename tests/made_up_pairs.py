"""What tests of the pairwise study share: layers in memory, and numbers of rows."""

from collections.abc import Sequence

import numpy as np


class Stored:
    """Layers in memory."""

    def __init__(self, layers: Sequence[np.ndarray]) -> None:
        self.matrices, self.layers = layers, range(len(layers))

    def layer(self, number: int) -> np.ndarray:
        return self.matrices[number]


def ids(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)
