"""Made-up representations: word examples with vectors chosen by hand or drawn at random."""

from pathlib import Path

import numpy as np

from tuneprobe.artifacts import write_meta
from tuneprobe.formats.examples import Examples, ExamplesBuilder, write_examples
from tuneprobe.formats.representations import (
    TYPES,
    Representations,
    layer_file,
    open_representations,
)
from tuneprobe.paths import representation
from tuneprobe.rng import rng

SQUARE = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])


def word_examples(train: list[str], test: list[str]) -> Examples:
    """One word of one text for each label; word i is ``w<i mod 7>``."""
    builder = ExamplesBuilder()
    labels = [*train, *test]
    text = builder.add_text("made up", [f"w{i % 7}" for i in range(len(labels))])
    for i, label in enumerate(labels):
        span = builder.add_span(text, 0, i, i + 1, "word")
        builder.add_example(span, -1, label, "train" if i < len(train) else "test")
    return builder.build()


def write_layers(folder: Path, layers: list[np.ndarray], examples: Examples) -> Representations:
    """Store one matrix a layer, row i being example i."""
    folder.mkdir(parents=True)
    for number, layer in enumerate(layers):
        np.save(folder / layer_file(number), layer.astype(np.float32))
    numbers = {word: number for number, word in enumerate(dict.fromkeys(_words(examples)), start=1)}
    np.save(folder / TYPES, np.array([numbers[word] for word in _words(examples)], dtype=np.int64))
    write_meta(
        folder,
        last_layer=len(layers) - 1,
        n_spans=len(examples.spans),
        spans_sha256=examples.spans_sha256(),
    )
    return open_representations(folder, examples)


def _words(examples: Examples) -> list[str]:
    """The first word of each span, as if it were its only word piece."""
    words = examples.texts.words1.tolist()
    return [
        words[text][start]
        for text, start in zip(examples.spans.text, examples.spans.start, strict=True)
    ]


def two_squares() -> tuple[Examples, np.ndarray]:
    """Label a on the unit square, b on one that is 2 away, c on one 3 above a; one test word each.

    The hulls are 2 (a, b), 3 (a, c) and sqrt(13) (b, c) apart.
    """
    corners = [(0, 0), (3, 0), (0, 4)]
    examples = word_examples(list("aaaabbbbcccc"), list("abc"))
    train = np.concatenate([SQUARE + corner for corner in corners])
    test = np.array([[0.5, 0.5], [3.5, 0.5], [0.5, 4.5]])
    return examples, np.concatenate([train, test])


def drawn_space(n_train: int, n_test: int, dim: int, apart: float, seed: int) -> tuple:
    """Examples of four labels and their vectors, label centroids `apart` standard deviations."""
    draw = rng(seed, "made-up space")
    place = draw.integers(4, size=n_train + n_test)
    names = [f"label {number}" for number in place]
    X = draw.normal(size=(len(place), dim)) + apart * draw.normal(size=(4, dim))[place]
    return word_examples(names[:n_train], names[n_train:]), X


def write_workspace(folder: Path, task: str, n_layers: int, apart: float, n_train: int) -> None:
    """Examples and the three states of one task, where the stages look for them."""
    examples, _ = drawn_space(n_train, n_train // 4, 8, apart, 0)
    write_examples(examples, folder / "examples" / task)
    place = np.unique(examples.examples.label, return_inverse=True)[1]
    for number, state in enumerate(("random", "pretrained", "finetuned")):
        draw = rng(number, "made-up state")
        layers = [
            draw.normal(size=(len(place), 8)) + apart * draw.normal(size=(4, 8))[place]
            for _ in range(n_layers)
        ]
        write_layers(folder / representation("minilm-l6", task, state, 13), layers, examples)
