"""Examples of sentence tasks: the whole text stands for a sentence or a pair of sentences."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from tuneprobe.corpora.glue import READ, GlueText, read_glue
from tuneprobe.corpora.glue_formats import get_format
from tuneprobe.corpora.lines import CorpusError
from tuneprobe.formats.examples import NO_SPAN, Examples, ExamplesBuilder
from tuneprobe.rng import rng

COUNT_COLUMNS = ("split", "label", "read", "kept")
SPLITS = ("train", "test")


def build_texts(
    corpus: str, task_format: str, data: Path, *, train: int | None, test: int | None, seed: int
) -> tuple[Examples, pd.DataFrame]:
    """The tables of a sentence task, and how many examples of each class they hold.

    Words are what blanks divide. Each text has one span, the whole text, and one example whose
    label is the class, or the score as text.

    Parameters
    ----------
    corpus, task_format, data
        As for `read_glue`.
    train, test : int, optional
        Examples of a split at most, drawn at random under `seed` and left in their order.

    Returns
    -------
    examples : Examples
    counts : DataFrame
        ``split``, ``label`` (empty for a score), ``read`` (rows of the files), ``kept``. A row
        without split counts what could not be read; its label is the reason.

    Raises
    ------
    CorpusError
        As `read_glue`, and if a split has no example.
    """
    left_out: Counter[str] = Counter()
    texts = read_glue(corpus, task_format, data, left_out)
    return text_examples(
        texts,
        get_format(task_format).labels,
        left_out,
        data / corpus,
        train=train,
        test=test,
        seed=seed,
    )


def text_examples(
    texts: Iterable[GlueText],
    labels: tuple[str, ...],
    left_out: Counter[str],
    folder: Path,
    *,
    train: int | None,
    test: int | None,
    seed: int,
) -> tuple[Examples, pd.DataFrame]:
    """The tables of some texts, as `build_texts` makes them.

    Parameters
    ----------
    texts : iterable of GlueText
    labels : tuple of str
        All classes; none for a score.
    left_out : Counter
        Rows that the reader left out, by reason, once it is through.
    folder : Path
        For the message of an error.
    """
    found: defaultdict[str, list[GlueText]] = defaultdict(list)
    for text in texts:
        found[text.split].append(text)
    del left_out[READ]
    for split in SPLITS:
        if not found[split]:
            raise CorpusError(f"{folder}: no example falls to the split '{split}'.")
    limits = dict(zip(SPLITS, (train, test)))
    kept = {split: draw_texts(found[split], limits[split], seed, split) for split in SPLITS}
    builder = ExamplesBuilder()
    for text in (text for split in SPLITS for text in kept[split]):
        number = builder.add_text(text.place, text.sentence1.split(), text.sentence2.split())
        builder.add_example(builder.add_whole_text(number), NO_SPAN, text.label, text.split)
    return builder.build(), _counts(labels, found, kept, left_out)


def draw_texts(texts: list[GlueText], most: int | None, seed: int, split: str) -> list[GlueText]:
    """At most `most` texts, drawn at random without repetition and left in their order."""
    if most is None or len(texts) <= most:
        return texts
    order = rng(seed, "texts", split).permutation(len(texts))
    return [texts[row] for row in sorted(order[:most])]


def _counts(
    labels: tuple[str, ...],
    found: dict[str, list[GlueText]],
    kept: dict[str, list[GlueText]],
    left_out: Counter[str],
) -> pd.DataFrame:
    rows = []
    for split in SPLITS:
        read, drawn = (
            Counter(text.label if labels else "" for text in texts[split])
            for texts in (found, kept)
        )
        rows += [(split, label, read[label], drawn[label]) for label in labels or ("",)]
    rows += [("", reason, number, 0) for reason, number in sorted(left_out.items())]
    return pd.DataFrame(rows, columns=list(COUNT_COLUMNS))
