"""What Kovaleva et al. 2019 print, and how ours stands beside it."""

from typing import NamedTuple

from tuneprobe.report.wording import MISSING, number


class ThreeWays(NamedTuple):
    """A task of Table 2 of Kovaleva et al. 2019, in percent; the majority is not the paper’s."""

    task: str
    majority: float
    frozen: float
    random_tuned: float
    tuned: float

    @property
    def cells(self) -> list[str]:
        """As the columns of our table; the paper has no untrained heads."""
        return [MISSING, MISSING, *(number(score) for score in self[1:])]


UNKNOWN = float("nan")
THREE_WAYS = (
    ThreeWays("MRPC", 68.4, 31.6, 68.3, 82.3),
    ThreeWays("STS-B", UNKNOWN, 33.1, 2.9, 82.7),
    ThreeWays("SST-2", UNKNOWN, 49.1, 80.5, 92.0),
    ThreeWays("QQP", UNKNOWN, 60.9, 63.2, 78.6),
    ThreeWays("RTE", 52.7, 52.7, 52.7, 64.6),
    ThreeWays("QNLI", UNKNOWN, 52.8, 49.5, 84.4),
    ThreeWays("MNLI-m", UNKNOWN, 31.7, 61.0, 78.6),
)
THREE_WAYS_NOTES = (
    "Several of the paper’s numbers equal the share of the majority or minority class (MRPC 68.4 "
    "and 31.6, RTE 52.7), so that they show no learning: the majority stands beside every task.",
    "Here ‘frozen’ is a head trained on the frozen encoder; the first two columns have heads as "
    "drawn.",
    "The paper scores BERT-base on the development sets of GLUE: a reference, not a target for "
    "another encoder on other texts.",
)
