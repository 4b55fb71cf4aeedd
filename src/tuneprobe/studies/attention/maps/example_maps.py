"""Whole maps of a few short texts, for figures; all other maps are dropped as soon as measured."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuneprobe.digests import write_sums
from tuneprobe.encoders.encoder import Encoder
from tuneprobe.encoders.pieces import Pieces
from tuneprobe.studies.attention.maps.maps import LayerMaps, stream_maps

INDEX = "index.csv"


def write_example_maps(
    folder: Path,
    encoders: Mapping[str, Encoder],
    texts: Sequence[Pieces],
    *,
    count: int,
    max_pieces: int,
) -> None:
    """Store the maps of the first `count` texts of at most `max_pieces` pieces.

    One float16 ``.npy`` of shape (layers, heads, pieces, pieces) for each text and state, and
    ``index.csv`` with ``file``, ``text`` (position in `texts`), ``state`` and ``pieces`` (joined by
    blanks), with SHA256SUMS.
    """
    chosen = [row for row, text in enumerate(texts) if len(text) <= max_pieces][:count]
    tokenizer = next(iter(encoders.values())).tokenizer
    folder.mkdir(parents=True)
    rows = []
    for number, state, maps in example_maps(encoders, [texts[row] for row in chosen]):
        row = chosen[number]
        file = f"text_{row:04d}_{state}.npy"
        np.save(folder / file, maps)
        pieces = " ".join(tokenizer.convert_ids_to_tokens(texts[row].ids.tolist()))
        rows.append((file, row, state, pieces))
    index = pd.DataFrame(rows, columns=["file", "text", "state", "pieces"])
    index.to_csv(folder / INDEX, index=False)
    write_sums(folder)


def example_maps(
    encoders: Mapping[str, Encoder], texts: Sequence[Pieces]
) -> Iterator[tuple[int, str, NDArray[np.float16]]]:
    """Whole maps of a few short texts, for figures: text number, state, maps of one text.

    The maps have shape (n_layers, n_heads, n_pieces, n_pieces).
    """
    for number, text in enumerate(texts):
        layers: dict[int, list[NDArray[np.float16]]] = {}

        def see(found: LayerMaps, layers: dict[int, list[NDArray[np.float16]]] = layers) -> None:
            layers[found.layer] = [maps[0].cpu().numpy().astype(np.float16) for maps in found.maps]

        stream_maps(list(encoders.values()), [text], see)
        for state, maps in zip(encoders, zip(*layers.values(), strict=True), strict=True):
            yield number, state, np.stack(maps)
