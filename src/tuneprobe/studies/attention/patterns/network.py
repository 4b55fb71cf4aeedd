"""The network that tells the pattern of an attention map, trained on drawn maps.

What it scores on drawn maps it did not see says whether it learned the drawings, and nothing about
real maps: those need labels of a person (`patterns.sheet`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from tuneprobe.artifacts import atomic_folder, read_meta, readable, write_meta
from tuneprobe.digests import computed_on, file_sha256
from tuneprobe.rng import rng, stream_seed
from tuneprobe.studies.attention.patterns.agreement import confusion
from tuneprobe.studies.attention.patterns.classes import (
    PATTERNS,
    SIZE,
    PatternError,
    map_features,
    map_images,
    pad_maps,
    rule_labels,
)
from tuneprobe.studies.attention.patterns.maps import draw_maps

WEIGHTS = "network.safetensors"
CHANNELS = (16, 24, 32, 64)
BATCH = 64
IMAGES = 4  # dimensions of a batch of pictures, and of a convolution's weights
CHUNK = 256  # maps that are classified, or padded, at once


class PatternNetwork(nn.Module):
    """Four convolutions with ReLU and a linear layer; 34,461 weights.

    The picture shrinks from 32 to 16 in the first convolution (5 x 5), to 8 and 4 by the maximum.
    """

    def __init__(self) -> None:
        super().__init__()
        one, two, three, four = CHANNELS
        self.layers = nn.Sequential(
            nn.Conv2d(1, one, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(one, two, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(two, three, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(three, four, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(four * (SIZE // 8) ** 2, len(PATTERNS)),
        )
        for weights in self.parameters():
            if weights.ndim == IMAGES:  # channels last: half the time on a processor
                weights.data = weights.data.contiguous(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (n, 5), of pictures, (n, 32, 32)."""
        logits: Tensor = self.layers(images[:, None].log1p())
        return logits

    @torch.inference_mode()
    def probabilities(self, images: Tensor) -> Tensor:
        """Probability of each pattern, (..., 5), for pictures (..., 32, 32)."""
        flat = images.reshape(-1, SIZE, SIZE)
        parts = [self(part).softmax(-1) for part in flat.split(CHUNK)]
        return torch.cat(parts).reshape(*images.shape[:-2], len(PATTERNS))


def classify_maps(
    network: PatternNetwork, maps: Sequence[NDArray[np.floating]]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Pattern and probabilities of cropped maps of any lengths.

    Parameters
    ----------
    maps : sequence of arrays of shape (L, L)
        L may differ from map to map.

    Returns
    -------
    labels, probabilities : arrays of shape (n,) and (n, 5)
        Labels are row numbers of `PATTERNS`.
    """
    probabilities = network.probabilities(_images(maps)).numpy()
    return probabilities.argmax(axis=1), probabilities


def train_network(seed: int, *, maps: int, epochs: int, learning_rate: float) -> PatternNetwork:
    """A network trained on `maps` drawn maps by Adam, the rate falling to 0 in a line.

    Raises
    ------
    PatternError
        If the loss, or a weight at the end, is not finite.
    """
    drawn, patterns = _drawn(maps, rng(seed, "pattern-maps", "train"))
    network = _untrained(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    steps = epochs * -(-maps // BATCH)
    decay = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for epoch in tqdm(range(epochs), "train", unit="epoch", disable=None):
        order = torch.from_numpy(rng(seed, "pattern-order", epoch).permutation(maps))
        for batch in order.split(BATCH):
            optimizer.zero_grad()
            loss = cross_entropy(network(drawn[batch]), patterns[batch])
            if not torch.isfinite(loss):
                raise PatternError(
                    f"the loss of the pattern network is {loss.item()} in epoch {epoch + 1} of "
                    f"{epochs}, at learning rate {learning_rate:g}; nothing was written. Lower "
                    "attention.patterns.learning_rate."
                )
            loss.backward()
            optimizer.step()
            decay.step()
    if not all(torch.isfinite(weights).all() for weights in network.parameters()):
        raise PatternError(
            f"the pattern network has weights that are not finite at learning rate "
            f"{learning_rate:g}; nothing was written. Lower attention.patterns.learning_rate."
        )
    return network.eval()


def drawn_confusion(network: PatternNetwork, seed: int, maps: int) -> dict[str, NDArray[np.int64]]:
    """Counts of (drawn pattern, answer), (5, 5), of network and rule on maps not trained on."""
    drawn = list(draw_maps(maps, rng(seed, "pattern-maps", "held-out")))
    truth = np.array([pattern for _, pattern in drawn])
    given = [one for one, _ in drawn]
    answers = {"network": classify_maps(network, given)[0], "rule": rule_maps(given)}
    return {name: confusion(truth, answer) for name, answer in answers.items()}


def rule_maps(maps: Sequence[NDArray[np.floating]]) -> NDArray[np.int64]:
    """Pattern of cropped maps by the rule, (n,)."""
    parts = [rule_labels(map_features(*pad_maps(part))) for part in _chunks(maps)]
    return torch.cat(parts)[:, 0].numpy()


def write_network(folder: Path, network: PatternNetwork, **facts: Any) -> None:
    """Write weights and meta.json in one step; the same network, the same bytes."""
    with atomic_folder(folder) as part:
        weights = {name: one.contiguous() for name, one in network.state_dict().items()}
        save_file(weights, part / WEIGHTS)
        digest = file_sha256(part / WEIGHTS)
        shown = {"patterns": list(PATTERNS), "weights_sha256": digest}
        write_meta(part, **facts, **shown, computed_on=computed_on())


def read_network(folder: Path) -> PatternNetwork:
    """The network of a folder, in evaluation mode.

    Raises
    ------
    ArtifactError
        If the folder is missing or damaged, or its weights are not this network's.
    PatternError
        If it knows other patterns.
    """
    meta = read_meta(folder)
    network = PatternNetwork()
    with readable(folder / WEIGHTS) as path:
        network.load_state_dict(load_file(path))
    if tuple(meta["patterns"]) != PATTERNS:
        raise PatternError(
            f"{folder} knows the patterns {', '.join(meta['patterns'])}, expected "
            f"{', '.join(PATTERNS)}: run 'dvc repro patterns'."
        )
    return network.eval()


def _untrained(seed: int) -> PatternNetwork:
    """A network with He's initial weights (2015) and no biases."""
    network = PatternNetwork()
    source = torch.Generator().manual_seed(stream_seed(seed, "pattern-weights"))
    for name, weights in network.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(weights)
        else:
            nn.init.kaiming_uniform_(weights, nonlinearity="relu", generator=source)
    return network


def _drawn(n: int, source: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Pictures, (n, 32, 32), and patterns, (n,), of drawn maps."""
    drawn = list(draw_maps(n, source))
    return _images([one for one, _ in drawn]), torch.tensor([pattern for _, pattern in drawn])


def _images(maps: Sequence[NDArray[np.floating]]) -> Tensor:
    return torch.cat([map_images(*pad_maps(part))[:, 0] for part in _chunks(maps)])


def _chunks(maps: Sequence[NDArray[np.floating]]) -> list[Sequence[NDArray[np.floating]]]:
    return [maps[first : first + CHUNK] for first in range(0, max(1, len(maps)), CHUNK)]
