"""What a probe looks at and what it answers."""

from dataclasses import dataclass
from typing import NamedTuple

from tuneprobe.examples.annotate import Annotated, sentence_around
from tuneprobe.formats.question import Interval

QUESTION, PARAGRAPH = 0, 1  # segments of a text


@dataclass(frozen=True)
class Observation:
    """One question and its paragraph, annotated; ``answer`` counts words of the paragraph."""

    question: Annotated
    paragraph: Annotated
    answer: Interval | None = None

    @property
    def answer_sentence(self) -> Interval | None:
        """The paragraph's sentence that holds the whole answer, if there is one."""
        if self.answer is None:
            return None
        return sentence_around(self.paragraph.sentences, len(self.paragraph.words), self.answer)


class Pair(NamedTuple):
    """A matched pair: half-open intervals of words; the match lies in the paragraph."""

    anchor: Interval
    match: Interval
    anchor_segment: int = QUESTION


class NoPair(NamedTuple):
    """Why a probe finds nothing."""

    reason: str


NO_SHORT_ANSWER = NoPair("no short answer in the paragraph")
ANSWER_CROSSES = NoPair("the answer is not inside one sentence")
