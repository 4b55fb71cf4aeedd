"""Examples of kind ``label`` over words: tags, relations, preposition senses, question classes.

target            span1                span2   label
upos              the word             -1      its tag
deprel            the dependent        head    their relation (or the head first)
role, function    the preposition      -1      its supersense
fine              the whole question   -1      its class
"""

from collections import Counter
from pathlib import Path

import pandas as pd

from tuneprobe.corpora.labelled import LabelledText, Mark, read_labelled
from tuneprobe.corpora.lines import CorpusError
from tuneprobe.corpora.overlap import in_both
from tuneprobe.corpora.tokens import is_visible
from tuneprobe.errors import UnknownNameError
from tuneprobe.examples.texts import COUNT_COLUMNS, SPLITS, count_rows
from tuneprobe.formats.examples import NO_SPAN, Examples, ExamplesBuilder
from tuneprobe.rng import rng

PAIR_ORDERS = ("dependent-head", "head-dependent")
WORDS = 0  # segment
INVISIBLE = "labels of words without a visible character"


def build_labels(
    corpus: str,
    target: str,
    data: Path,
    *,
    train: int | None,
    test: int | None,
    seed: int,
    pair_order: str = "dependent-head",
    max_words: int = 200,
    first: int | None = None,
) -> tuple[Examples, pd.DataFrame]:
    """The tables of a label task, and how many examples of each label they hold.

    Sentences without a label (no preposition, say) are left out. So is a word without a visible
    character (a zero-width blank, say), which no encoder can read: its sentence stands without it,
    and its labels are left out and counted.

    Parameters
    ----------
    corpus, target, data
        As for `read_labelled`.
    train, test : int, optional
        Sentences of a split at most, drawn at random under `seed` and left in their order. The
        targets of a corpus draw the same sentences, but for those that lack the one or the other.
    pair_order : str
        ``dependent-head`` or ``head-dependent``: which word of a relation is ``span1``.
    max_words : int
        Longest sentence; longer ones are left out and counted, since encoders read no more than
        some 500 word pieces.
    first : int, optional
        As for `read_labelled`.

    Returns
    -------
    examples : Examples
        Train before test, in the order of the files.
    counts : DataFrame
        ``split``, ``label``, ``read`` (examples of the files), ``kept``; every label has a row for
        either split. A row without split counts what was left out, or test texts that train has
        too; its label says which.

    Raises
    ------
    UnknownNameError
        If there is no such corpus, target or pair order.
    CorpusError
        As `read_labelled`, and if a split has no example.
    """
    if pair_order not in PAIR_ORDERS:
        raise UnknownNameError("pair order", pair_order, PAIR_ORDERS)
    left_out: Counter[str] = Counter()
    read = read_labelled(corpus, target, data, left_out, first)
    limits = dict(zip(SPLITS, (train, test), strict=True))
    kept = {}
    for split in SPLITS:
        texts = [readable(text, max_words, left_out) for text in read[split]]
        kept[split] = draw_texts(texts, limits[split], seed, split)
    builder = ExamplesBuilder()
    for split in SPLITS:
        if not kept[split]:
            raise CorpusError(f"{data / corpus}: no word has a label '{target}' in split {split}.")
        for text in kept[split]:
            _add(builder, text, split, pair_order)
    return builder.build(), _counts(read, kept, left_out)


def readable(text: LabelledText, max_words: int, left_out: Counter[str]) -> LabelledText:
    """What an encoder can read: the visible words and their labels; of a long text no label."""
    if len(text.words) > max_words:
        left_out[f"labels of sentences of more than {max_words} words"] += len(text.marks)
        return text._replace(marks=())
    places = [place for place, word in enumerate(text.words) if is_visible(word)]
    if len(places) == len(text.words):
        return text
    new = {old: place for place, old in enumerate(places)}
    marks = [mark for mark in text.marks if places and all(word in new for word in mark.words)]
    left_out[INVISIBLE] += len(text.marks) - len(marks)
    return text._replace(
        words=tuple(text.words[place] for place in places),
        marks=tuple(Mark(label, tuple(new[word] for word in words)) for label, words in marks),
    )


def draw_texts(
    texts: list[LabelledText], most: int | None, seed: int, split: str
) -> list[LabelledText]:
    """At most `most` texts with a label, drawn at random and left in their order."""
    order = rng(seed, "labels", split).permutation(len(texts))
    drawn = [row for row in order if texts[row].marks][:most]
    return [texts[row] for row in sorted(drawn)]


def _add(builder: ExamplesBuilder, text: LabelledText, split: str, pair_order: str) -> None:
    number = builder.add_text(text.source, list(text.words))
    for mark in text.marks:
        spans = _spans(builder, number, mark)
        if pair_order == "head-dependent":
            spans.reverse()
        span1, span2 = (*spans, NO_SPAN)[:2]
        builder.add_example(span1, span2, mark.label, split)


def _spans(builder: ExamplesBuilder, text: int, mark: Mark) -> list[int]:
    """The spans of the words of a label; the whole text where there are none."""
    if not mark.words:
        return [builder.add_whole_text(text)]
    return [builder.add_span(text, WORDS, word, word + 1, "word") for word in mark.words]


def _counts(
    read: dict[str, list[LabelledText]],
    kept: dict[str, list[LabelledText]],
    left_out: Counter[str],
) -> pd.DataFrame:
    found = {split: _by_label(read[split]) for split in SPLITS}
    drawn = {split: _by_label(kept[split]) for split in SPLITS}
    labels = sorted(set().union(*found.values()))
    rows = [
        (split, label, found[split][label], drawn[split][label])
        for split in SPLITS
        for label in labels
    ]
    both = [
        in_both(*([text.words for text in of[split]] for split in SPLITS)) for of in (read, kept)
    ]
    return pd.DataFrame([*rows, *count_rows(left_out, *both)], columns=list(COUNT_COLUMNS))


def _by_label(texts: list[LabelledText]) -> Counter[str]:
    return Counter(mark.label for text in texts for mark in text.marks)
