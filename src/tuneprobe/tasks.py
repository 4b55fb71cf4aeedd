"""The tasks: what an encoder is tuned on and what it is probed with."""

from dataclasses import dataclass

from tuneprobe.errors import UnknownNameError


@dataclass(frozen=True)
class Task:
    """A labelled problem.

    Attributes
    ----------
    kind : str
        ``qa`` (reading comprehension), ``pairs`` (the five pairwise probes), ``label`` (classes of
        words, pairs of words or texts), ``score`` (a number for a text), ``heads`` (pairs of words
        that a head may link).
    corpus : str
        Folder of the corpus under data/.
    target : str
        What of the corpus is predicted: a column of its annotation, or the format of its files;
        empty where the kind says it.
    synthetic : bool
        Whether the text was generated; said wherever a number is reported.
    version : int
        Raised whenever the task's examples change.
    """

    kind: str
    corpus: str
    target: str = ""
    version: int = 1
    synthetic: bool = False

    @property
    def provenance(self) -> dict[str, str | int]:
        """What the examples' meta.json says of where they come from."""
        return {"corpus": self.corpus, "synthetic": self.synthetic, "version": self.version}


READING = ("world", "nq-passages", "natural-questions", "xquad", "squad")
LABELLED = {  # name: (corpus in English, target)
    "pos": ("ud-pud", "upos"),
    "dep": ("ud-pud", "deprel"),
    "ps-role": ("streusle-4.2", "role"),
    "ps-fxn": ("streusle-4.2", "function"),
    "trec-50": ("trec", "fine"),
}
TREEBANKS = ("ewt", "partut", "gum")
TEXTS = {  # name: (kind, corpus)
    "mrpc": ("label", "mrpc"),
    "stsb": ("score", "sts-b"),
    "sst2": ("label", "sst-2"),
    "qqp": ("label", "qqp-sample"),
    "rte": ("label", "rte"),
    "qnli": ("label", "qnli"),
    "mnli": ("label", "mnli"),
    "sick": ("label", "sick"),
}
TASKS = {
    **{f"{corpus}-qa": Task("qa", corpus, synthetic=corpus == "world") for corpus in READING},
    **{f"{corpus}-pairs": Task("pairs", corpus, synthetic=corpus == "world") for corpus in READING},
    **{f"english-{name}": Task("label", *where) for name, where in LABELLED.items()},
    **{
        f"world-{name}": Task("label", "world", target, synthetic=True)
        for name, (_, target) in LABELLED.items()
    },
    **{
        f"{treebank}-{name}": Task("label", f"ud-{treebank}", LABELLED[name][1])
        for treebank in TREEBANKS
        for name in ("pos", "dep")
    },
    "streusle-4.7-ps-role": Task("label", "streusle-4.7.1", "role"),
    "streusle-4.7-ps-fxn": Task("label", "streusle-4.7.1", "function"),
    **{name: Task(kind, corpus, name) for name, (kind, corpus) in TEXTS.items()},
    "world-rte": Task("label", "world/rte", "rte", synthetic=True),
    "world-sst2": Task("label", "world/sst2", "sst2", synthetic=True),
    **{name: Task("heads", name) for name in ("framenet-1.5", "framenet-1.7")},
}
SENTENCES = tuple(name for name, task in TASKS.items() if task.target in TEXTS)


def get_task(name: str) -> Task:
    """The task called `name`; an unknown name is answered with the nearest one."""
    if name not in TASKS:
        raise UnknownNameError("task", name, TASKS)
    return TASKS[name]
