"""Examples of frames: span1 a core element, span2 the target that evokes the frame."""

from pathlib import Path

import pandas as pd

from tuneprobe.corpora.framenet import (
    FrameSentence,
    far_core_elements,
    read_framenet,
    short_far_sentences,
)
from tuneprobe.corpora.lines import CorpusError
from tuneprobe.formats.examples import Examples, ExamplesBuilder

RELATION = "core-element"


def build_frames(
    corpus: str, data: Path, *, max_words: int = 12, max_element: int = 3, min_distance: int = 2
) -> tuple[Examples, pd.DataFrame]:
    """The tables of a FrameNet release, and what each step of the selection kept.

    Parameters
    ----------
    corpus : str
        ``framenet-1.5`` or ``framenet-1.7``: the folder of `data` that holds the release, unpacked
        or as one tar archive.
    max_words, max_element, min_distance
        As for `short_far_sentences`.
    """
    found = read_framenet(_release(data / corpus))
    kept = short_far_sentences(
        found, max_words=max_words, max_element=max_element, min_distance=min_distance
    )
    steps = {
        "annotated frames": found,
        "in short sentences": [one for one in found if len(one.words) <= max_words],
        "with a far core element": kept,
    }
    funnel = pd.DataFrame(
        [(step, len(rows), len({row.words for row in rows})) for step, rows in steps.items()],
        columns=["step", "frames", "sentences"],
    )
    return frame_examples(kept, min_distance=min_distance), funnel


def _release(folder: Path) -> Path:
    """The one archive in a folder, else the folder."""
    archives = sorted(path for path in folder.glob("*.tar*") if not path.name.startswith("."))
    if len(archives) > 1:
        raise CorpusError(
            f"{archives[0]} and {archives[1].name} are two archives, and one would be left unread: "
            "remove one."
        )
    return archives[0] if archives else folder


def frame_examples(sentences: list[FrameSentence], *, min_distance: int = 2) -> Examples:
    """One text for each annotated frame; span1 a far core element, span2 the target."""
    builder = ExamplesBuilder()
    for sentence in sentences:
        text = builder.add_text(sentence.source, list(sentence.words))
        target = builder.add_span(text, 0, *sentence.targets[0], "target")
        for element in far_core_elements(sentence, min_distance):
            span = builder.add_span(text, 0, *element.words, "element")
            builder.add_example(span, target, RELATION, "test")
    return builder.build()
