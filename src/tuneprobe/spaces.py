"""Labelled spaces: the train and test vectors of a task at one layer, with their labels."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuneprobe.errors import TuneprobeError
from tuneprobe.formats.examples import NO_SPAN, Examples
from tuneprobe.formats.representations import Representations

Vectors = NDArray[np.float32]
Names = NDArray[np.str_]
Numbers = NDArray[np.int64]

SPLITS = ("train", "test")


class SpaceError(TuneprobeError):
    """Examples and vectors that make no labelled space."""


@dataclass(frozen=True)
class Space:
    """One layer of one task.

    Attributes
    ----------
    X_train, X_test : float32 arrays of shape (n_train, dim) and (n_test, dim)
    y_train, y_test : arrays of str, of shape (n_train,) and (n_test,)
    types_train, types_test : arrays of str
        Type of each example, as `example_table` has it; empty where it is a whole text.
    texts_test : int64 array of shape (n_test,), optional
        Number of the text that each test example stands in; by default each in one of its own.
    """

    X_train: Vectors
    y_train: Names
    X_test: Vectors
    y_test: Names
    types_train: Names
    types_test: Names
    texts_test: Numbers | None = None

    def numbered(self) -> tuple[tuple[str, ...], Numbers, Numbers]:
        """All labels in sorted order, and the place of each train and each test example's label."""
        labels = np.unique(np.concatenate([self.y_train, self.y_test]))
        train, test = (np.searchsorted(labels, y) for y in (self.y_train, self.y_test))
        return tuple(labels.tolist()), train.astype(np.int64), test.astype(np.int64)


def example_table(examples: Examples, types: NDArray[np.int64] | None = None) -> pd.DataFrame:
    """What a space needs to know of each example: span1, span2, label, split, text, type.

    ``text`` is the number of the text that the example stands in. ``type`` is what the tokenizer
    makes of the word, of a pair of words that of both; of a whole text it is empty.

    Parameters
    ----------
    types : int64 array of shape (n_spans,), optional
        `Representations.types`. Without them all types are empty: no control labels.
    """
    table = examples.examples[["span1", "span2", "label", "split"]].copy()
    table["text"] = examples.spans.text.to_numpy()[table.span1]
    table["type"] = ""
    if types is not None:
        pairs = zip(types[table.span1], table.span2, strict=True)
        table["type"] = [
            "" if not first else f"{first}" if other == NO_SPAN else f"{first} {types[other]}"
            for first, other in pairs
        ]
    return table


def read_space(representations: Representations, layer: int, table: pd.DataFrame) -> Space:
    """The space of one layer.

    Parameters
    ----------
    table : DataFrame
        As `example_table` makes it.

    Raises
    ------
    SpaceError
        If the layer has another number of rows than its meta.json says, if a vector holds NaN or
        infinity, or a split is empty.
    """
    n_rows, n_spans = len(representations.layer(layer)), representations.meta["n_spans"]
    if n_rows != n_spans:
        raise SpaceError(
            f"layer {layer} of {representations.folder} has {n_rows} rows for {n_spans} spans: "
            "run 'dvc repro represent'."
        )
    parts: dict[str, tuple[Vectors, Names, Names]] = {}
    for split in SPLITS:
        of_split = table[table.split == split]
        if not len(of_split):
            counts = table.split.value_counts().sort_index().to_dict()
            raise SpaceError(f"no example of the split '{split}'; the splits are {counts}.")
        y, types = (of_split[name].to_numpy(dtype=str) for name in ("label", "type"))
        X = representations.examples(layer, of_split)
        bad = ~np.isfinite(X).all(axis=1)
        if bad.any():
            raise SpaceError(
                f"layer {layer} of {representations.folder}: {bad.sum()} of {len(X)} {split} "
                f"vectors hold NaN or infinity, the first of example {of_split.index[bad][0]}: "
                "run 'dvc repro represent'."
            )
        parts[split] = (X, y, types)
    (X_train, y_train, types_train), (X_test, y_test, types_test) = parts["train"], parts["test"]
    texts_test = table[table.split == "test"].text.to_numpy(dtype=np.int64)
    return Space(X_train, y_train, X_test, y_test, types_train, types_test, texts_test)
