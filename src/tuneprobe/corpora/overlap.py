"""Texts that stand in train and in test: a few are counted, a file put there twice is refused.

Real corpora hold some: TREC asks one question in both parts. Where most of the test is in train,
the wrong file lies under one of the names, and every score would be one of memory.
"""

from collections.abc import Collection, Hashable, Iterable

from tuneprobe.corpora.lines import CorpusError

IN_BOTH = "test texts that train has too"
MOST = 0.5  # of the test


def in_both(train: Iterable[Hashable], test: Iterable[Hashable]) -> int:
    """How many test texts stand in train too."""
    known = set(train)
    return sum(text in known for text in test)


def refuse_same(
    train: Collection[Hashable], test: Collection[Hashable], train_name: str, test_name: str
) -> None:
    """Refuse a test most of which stands in train; the names are those of the files.

    Raises
    ------
    CorpusError
        If more than half of the test texts are train texts.
    """
    n_both = in_both(train, test)
    if n_both > MOST * len(test):
        raise CorpusError(
            f"{n_both} of the {len(test)} texts of {test_name} (test) stand in {train_name} "
            "(train) too: put the right file under either name, so that the test is not in train."
        )
