"""Reading representations: one memory-mapped matrix per layer, row i is span i."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tuneprobe import paths
from tuneprobe.artifacts import ArtifactError, checked, naming, read_meta
from tuneprobe.formats.examples import NO_SPAN, Examples
from tuneprobe.states import Member

READ_FROM = "representations.json"  # beside results: the provenance of the vectors that were read

TYPES = "types.npy"


@dataclass(frozen=True)
class Representations:
    """Memory-mapped layers of one task under one encoder and state."""

    folder: Path
    meta: dict[str, Any]

    @property
    def layers(self) -> range:
        """Numbers of the stored layers: 0, the embedding's output, to the encoder's last."""
        return range(self.meta["last_layer"] + 1)

    def layer(self, number: int) -> np.ndarray:
        """Layer `number` as a read-only float32 array of shape (n_spans, dim)."""
        path = self.folder / layer_file(number)
        with naming(path):
            found: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        return found

    def types(self) -> np.ndarray:
        """What the tokenizer made of each span, int64 of shape (n_spans,); see `span_types`."""
        path = self.folder / TYPES
        if not path.exists():
            raise ArtifactError(f"{path} is missing: run 'dvc repro represent'.")
        found: np.ndarray = np.load(path, allow_pickle=False)
        return found

    def examples(self, number: int, examples: pd.DataFrame) -> np.ndarray:
        """Vectors of examples at layer `number`: one span's, or two spans' side by side.

        Returns
        -------
        float32 array of shape (n_examples, dim) or, where examples have two spans,
        (n_examples, 2 dim).
        """
        layer = self.layer(number)
        first = layer[examples.span1.to_numpy()]
        if (examples.span2 == NO_SPAN).all():
            return first
        return np.concatenate([first, layer[examples.span2.to_numpy()]], axis=1)


def layer_file(number: int) -> str:
    """File name of a layer."""
    return f"layer_{number:02d}.npy"


def open_representations(folder: Path, examples: Examples) -> Representations:
    """The representations in `folder`.

    Raises
    ------
    ArtifactError
        If they are of other spans than `examples`, or a file is missing or not as it was written.
    """
    meta = read_meta(folder)
    if meta["spans_sha256"] != examples.spans_sha256():
        raise ArtifactError(
            f"{folder} has {meta['n_spans']} rows for other spans than the examples' "
            f"{len(examples.spans)}: run 'dvc repro represent'."
        )
    found = Representations(folder, meta)
    for number in found.layers:
        checked(folder / layer_file(number))
    return found


def open_members(
    encoder: str, task: str, examples: Examples, measured: Iterable[Member]
) -> dict[str, Representations]:
    """The representations of a task in some states of an encoder, by the names of `members`."""
    return {
        name: open_representations(paths.representation(encoder, task, state, seed), examples)
        for name, state, seed in measured
    }
