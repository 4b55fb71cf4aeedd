"""The tasks: what an encoder is tuned on and what it is probed with."""

from dataclasses import dataclass

from tuneprobe.errors import UnknownNameError


@dataclass(frozen=True)
class Task:
    """A labelled problem.

    Attributes
    ----------
    kind : str
        ``qa`` (reading comprehension) or ``pairs`` (the five pairwise probes).
    corpus : str
        Name of the corpus, as `tuneprobe.corpora.mrc.read_mrc` takes it.
    synthetic : bool
        Whether the text was generated; said wherever a number is reported.
    version : int
        Raised whenever the task's examples change.
    """

    kind: str
    corpus: str
    version: int = 1
    synthetic: bool = False


TASKS = {
    "world-qa": Task("qa", "world", synthetic=True),
    "world-pairs": Task("pairs", "world", synthetic=True),
    "nq-passages-qa": Task("qa", "nq-passages"),
    "nq-passages-pairs": Task("pairs", "nq-passages"),
    "natural-questions-qa": Task("qa", "natural-questions"),
    "natural-questions-pairs": Task("pairs", "natural-questions"),
    "xquad-qa": Task("qa", "xquad"),
    "xquad-pairs": Task("pairs", "xquad"),
    "squad-qa": Task("qa", "squad"),
    "squad-pairs": Task("pairs", "squad"),
}


def get_task(name: str) -> Task:
    """The task called `name`; an unknown name is answered with the nearest one."""
    if name not in TASKS:
        raise UnknownNameError("task", name, TASKS)
    return TASKS[name]
