"""Examples of a labelled task, whatever the format of its files."""

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from tuneprobe.corpora.glue import split_rule
from tuneprobe.corpora.parquet import hub_data
from tuneprobe.corpora.tables import read_tables
from tuneprobe.examples.labels import build_labels
from tuneprobe.examples.texts import build_texts, text_examples
from tuneprobe.formats.examples import Examples, write_examples
from tuneprobe.tasks import LABELLED, TABLES, Task


def write_labelled(task: Task, data: Path, folder: Path, **settings: Any) -> None:
    """Write the examples of a task, with how many each label has; settings of `build_labelled`."""
    examples, counts, split = build_labelled(task, data, **settings)
    write_examples(examples, folder, {"funnel.csv": counts}, **task.provenance, **split)


def build_labelled(
    task: Task,
    data: Path,
    *,
    train: int | None,
    test: int | None,
    seed: int,
    max_words: int,
    pair_order: str = "dependent-head",
) -> tuple[Examples, pd.DataFrame, dict[str, str]]:
    """The tables of a task, how many examples each label has, and how its split was found.

    Parameters
    ----------
    task : Task
        Of the kind ``label`` or ``score``.
    train, test, seed, max_words, pair_order
        As for `build_labels` and `build_texts`.

    Returns
    -------
    examples, counts
        As of `build_labels` or `build_texts`.
    split : dict
        ``split``: how train and test were told apart, for the meta data; empty where the names of
        the files alone can say it.
    """
    limits: dict[str, Any] = {"train": train, "test": test, "seed": seed, "max_words": max_words}
    if task.format in LABELLED:
        first = task.split if isinstance(task.split, int) else None
        found = build_labels(
            task.path, task.target, data, **limits, pair_order=pair_order, first=first
        )
        return *found, {}
    if task.format not in TABLES:
        found = build_texts(task.path, task.target, data, **limits)
        return *found, {"split": split_rule(task.path, task.target, data)}
    assert task.columns is not None
    left_out: Counter[str] = Counter()
    hub = task.format == "hub"
    folder = hub_data(task.path, task.revision) if hub else data / task.path
    texts, rule = read_tables(
        folder,
        "parquet" if hub else task.format,
        (task.columns.text, *([task.columns.text2] if task.columns.text2 else [])),
        task.columns.label,
        score=task.kind == "score",
        endings=task.files,
        left_out=left_out,
    )
    labels = () if task.kind == "score" else tuple(sorted({text.label for text in texts}))
    found = text_examples(texts, labels, left_out, folder, **limits)
    return *found, {"split": rule}
