"""The formats of GLUE (Wang et al. 2019) and SICK (Marelli et al. 2014): columns and file names.

STS-B and QQP also go round without a line of names, in the order of the STS benchmark (Cer et al.
2017) and of Quora's release.
"""

from dataclasses import dataclass, replace

from tuneprobe.errors import UnknownNameError


@dataclass(frozen=True)
class Format:
    """How one task is written.

    Attributes
    ----------
    sentences : tuple of str
        The columns of the one or two sentences.
    label : str
        The column of the label.
    labels : tuple of str
        All classes; none for a score.
    scores : tuple of float
        The lowest and the highest score.
    train, test : tuple of str
        Names that the file of a split may have.
    bare : tuple of str
        The columns of a file without a line of names; none where every file has one.
    extra : int
        How many further columns some rows of such a file have.
    cut_rows : bool
        Whether rows with too few columns are known upstream; they are left out and counted.
    """

    sentences: tuple[str, ...]
    label: str
    labels: tuple[str, ...] = ()
    scores: tuple[float, float] = (0.0, 5.0)
    train: tuple[str, ...] = ("train.tsv",)
    test: tuple[str, ...] = ("dev.tsv",)
    bare: tuple[str, ...] = ()
    extra: int = 0
    cut_rows: bool = False

    @property
    def kind(self) -> str:
        """``label`` or ``score``."""
        return "label" if self.labels else "score"


BOTH = ("sentence1", "sentence2")
YES_NO = ("0", "1")
ENTAILMENT = ("entailment", "not_entailment")
MNLI = Format(
    BOTH, "gold_label", ("contradiction", "entailment", "neutral"), test=("dev_matched.tsv",)
)

FORMATS = {
    "mrpc": Format(("#1 String", "#2 String"), "Quality", YES_NO),
    "stsb": Format(
        BOTH,
        "score",
        train=("train.tsv", "sts-train.tsv", "sts-train.csv"),  # tabs divide the .csv too
        test=("dev.tsv", "sts-dev.tsv", "sts-dev.csv"),
        bare=("genre", "filename", "year", "old_index", "score", *BOTH),
        extra=2,  # the sources of the two sentences
    ),
    "sst2": Format(("sentence",), "label", YES_NO),
    "qqp": Format(
        ("question1", "question2"),
        "is_duplicate",
        YES_NO,
        test=("dev.tsv", "new_dev.tsv"),
        bare=("id", "qid1", "qid2", "question1", "question2", "is_duplicate"),
        cut_rows=True,
    ),
    "rte": Format(BOTH, "label", ENTAILMENT),
    "qnli": Format(("question", "sentence"), "label", ENTAILMENT),
    "mnli": MNLI,
    "mnli-mismatched": replace(MNLI, test=("dev_mismatched.tsv",)),
    "sick": Format(
        ("sentence_A", "sentence_B"),
        "entailment_judgment",
        ("CONTRADICTION", "ENTAILMENT", "NEUTRAL"),
        train=("SICK_train.txt",),
        test=("SICK_trial.txt",),
    ),
}


def get_format(name: str) -> Format:
    """The format called `name`; an unknown name is answered with the nearest one."""
    if name not in FORMATS:
        raise UnknownNameError("format of a sentence task", name, FORMATS)
    return FORMATS[name]
