"""Examples of sentence tasks: the whole text stands for a sentence or a pair of sentences."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from tuneprobe.corpora.glue import READ, GlueText, read_glue
from tuneprobe.corpora.glue_formats import get_format
from tuneprobe.corpora.lines import CorpusError
from tuneprobe.corpora.overlap import IN_BOTH, in_both, refuse_same
from tuneprobe.corpora.tokens import is_visible
from tuneprobe.formats.examples import NO_SPAN, Examples, ExamplesBuilder
from tuneprobe.rng import rng

COUNT_COLUMNS = ("split", "label", "read", "kept")
SPLITS = ("train", "test")


def build_texts(
    corpus: str,
    task_format: str,
    data: Path,
    *,
    train: int | None,
    test: int | None,
    seed: int,
    max_words: int = 300,
) -> tuple[Examples, pd.DataFrame]:
    """The tables of a sentence task, and how many examples of each class they hold.

    Words are what blanks divide; those without a visible character (a zero-width blank, say), which
    no encoder can read, are skipped. Each text has one span, the whole text, and one example whose
    label is the class, or the score as text.

    Parameters
    ----------
    corpus, task_format, data
        As for `read_glue`.
    train, test : int, optional
        Examples of a split at most, drawn at random under `seed` and left in their order.
    max_words : int
        Longest text, both sentences together; longer ones are left out and counted, since encoders
        read no more than some 500 word pieces.

    Returns
    -------
    examples : Examples
    counts : DataFrame
        ``split``, ``label`` (empty for a score), ``read`` (rows of the files), ``kept``. A row
        without split counts what was left out, or test texts that train has too; its label says
        which.

    Raises
    ------
    CorpusError
        As `read_glue`, and if a split has no example or most of the test stands in train.
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
        max_words=max_words,
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
    max_words: int,
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
        if sum(map(len, _segments(text))) > max_words:
            left_out[f"more than {max_words} words"] += 1
        else:
            found[text.split].append(text)
    del left_out[READ]
    for split in SPLITS:
        if not found[split]:
            raise CorpusError(f"{folder}: no example falls to the split '{split}'.")
    contents = {split: _contents(found[split]) for split in SPLITS}
    refuse_same(contents["train"], contents["test"], _file(found["train"]), _file(found["test"]))
    limits = dict(zip(SPLITS, (train, test), strict=True))
    kept = {split: draw_texts(found[split], limits[split], seed, split) for split in SPLITS}
    builder = ExamplesBuilder()
    for text in (text for split in SPLITS for text in kept[split]):
        number = builder.add_text(text.place, *_segments(text))
        builder.add_example(builder.add_whole_text(number), NO_SPAN, text.label, text.split)
    return builder.build(), _counts(labels, found, kept, left_out)


def _segments(text: GlueText) -> tuple[list[str], list[str]]:
    """The visible words of the one or two sentences."""
    one, two = (
        [word for word in sentence.split() if is_visible(word)]
        for sentence in (text.sentence1, text.sentence2)
    )
    return one, two


def _contents(texts: list[GlueText]) -> list[tuple[str, str]]:
    return [(text.sentence1, text.sentence2) for text in texts]


def _file(texts: list[GlueText]) -> str:
    """The name of the file that a split was read from."""
    return texts[0].place.rpartition(":")[0]


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
    both = [in_both(_contents(of["train"]), _contents(of["test"])) for of in (found, kept)]
    return pd.DataFrame([*rows, *count_rows(left_out, *both)], columns=list(COUNT_COLUMNS))


def count_rows(left_out: Counter[str], read: int, kept: int) -> list[tuple[str, str, int, int]]:
    """Rows of the counts without split: what was left out, and test texts that train has too."""
    rows = [("", reason, number, 0) for reason, number in sorted(left_out.items()) if number]
    return [*rows, ("", IN_BOTH, read, kept)] if read else rows
