"""A frozen encoder's last layer, computed once: then every epoch costs the head alone.

Its columns are standardised for the training, since a head on columns of unlike size hardly
converges; `fold` gives the head that reads the layer as it is.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from tuneprobe.artifacts import room_for
from tuneprobe.encoders.encoder import Encoder, budget_batches
from tuneprobe.encoders.forward import ON_PROCESSOR
from tuneprobe.tuning.heads import Batch, Head
from tuneprobe.tuning.training import READ, Training, TrainingSet

# bytes of a last layer that is kept (22,000 windows of 250 word pieces of MiniLM); a larger one is
# computed in every step
LARGEST = 8 << 30
BLOCK = 65_536  # rows that are added up at a time


@dataclass(frozen=True)
class ReadOnce:
    """A training set whose batches hold what the head reads in place of inputs.

    Attributes
    ----------
    rows : float32 ndarray of shape (n_rows, width)
        What the head reads, input after input, memory-mapped.
    start, n_rows : int64 ndarrays of shape (n_inputs,)
        Where the rows of each input are.
    mean, deviation : float32 ndarrays of shape (width,)
        Of the rows: batches hold ``(row - mean) / deviation``.
    """

    data: TrainingSet
    head: Head
    device: torch.device
    rows: NDArray[np.float32]
    start: NDArray[np.int64]
    n_rows: NDArray[np.int64]
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Word pieces of each input."""
        return self.data.lengths

    def batch(self, rows: NDArray[np.int64]) -> Batch:
        """Targets and what the head reads of some rows, standardised; no inputs."""
        bounds = zip(self.start[rows], self.start[rows] + self.n_rows[rows], strict=True)
        blocks = ((self.rows[start:stop] - self.mean) / self.deviation for start, stop in bounds)
        parts = [torch.from_numpy(block) for block in blocks]
        read = self.head.join(parts).to(self.device)
        return self.targets_of(rows) | {READ: read}

    def targets_of(self, rows: NDArray[np.int64]) -> Batch:
        """What the loss needs beside."""
        return self.data.targets_of(rows)

    def sha256(self) -> str:
        """Fingerprint of inputs and targets."""
        return self.data.sha256()

    @torch.no_grad()
    def fold(self) -> None:
        """Turn the trained head into the one that reads rows as the encoder gives them.

        ``W (x - mean) / deviation + b`` becomes ``(W / deviation) x + (b - (W / deviation) mean)``.
        """
        mean, deviation = (
            torch.from_numpy(column).to(self.device) for column in (self.mean, self.deviation)
        )
        for module in self.head.modules():
            if isinstance(module, nn.Linear):
                module.weight.div_(deviation)
                module.bias.sub_(module.weight @ mean)


def fits(encoder: Encoder, data: TrainingSet) -> bool:
    """Whether the last layer of a training set is small enough to be kept."""
    return 4 * int(data.lengths.sum()) * encoder.dim <= LARGEST


def moments(rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of each column, a constant column's deviation being 1."""
    width = rows.shape[1]
    total, squares = np.zeros(width), np.zeros(width)
    blocks = range(0, len(rows), BLOCK)
    for start in blocks:
        total += rows[start : start + BLOCK].sum(axis=0, dtype=np.float64)
    mean = total / len(rows)
    for start in blocks:
        squares += ((rows[start : start + BLOCK] - mean) ** 2).sum(axis=0)
    deviation = np.sqrt(squares / len(rows))
    deviation[deviation < 1e-6 * max(deviation.max(), 1e-6)] = 1.0
    return mean.astype(np.float32), deviation.astype(np.float32)


def read_once(training: Training, data: TrainingSet, folder: Path) -> ReadOnce:
    """`data` with what the head reads of the frozen encoder, which `fits`.

    The rows are float32 in a nameless temporary file in `folder`, gone with the process. They
    differ from what a step would compute by the rounding of another padding.
    """
    n_inputs = len(data.lengths)
    start, n_rows = np.zeros(n_inputs, dtype=np.int64), np.zeros(n_inputs, dtype=np.int64)
    folder.mkdir(parents=True, exist_ok=True)
    written, width = 0, 1
    what = f"the vectors of a frozen encoder in {folder}"
    with room_for(what, folder), TemporaryFile(dir=folder) as file:
        # the same batches on every device: a resumed training must read the same vectors
        batches = budget_batches(data.lengths, ON_PROCESSOR)
        for batch in tqdm(batches, "encode", disable=None):
            parts = _parts(training, data.batch(batch))
            width = parts[0].shape[1]
            n_rows[batch] = [len(part) for part in parts]
            start[batch] = written + np.cumsum(n_rows[batch]) - n_rows[batch]
            written += int(n_rows[batch].sum())
            _append(file, parts)
        rows = np.memmap(file, dtype=np.float32, mode="r", shape=(written, width))
    device = training.encoder.device
    return ReadOnce(data, training.head, device, rows, start, n_rows, *moments(rows))


@torch.no_grad()
def _parts(training: Training, batch: Batch) -> list[Tensor]:
    return training.head.split(training.read(batch), batch)


def _append(file: IO[bytes], parts: list[Tensor]) -> None:
    for part in parts:
        file.write(part.cpu().contiguous().numpy().tobytes())
    file.flush()
