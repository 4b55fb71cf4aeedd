"""The paragraph that a question is probed with, and its short answer."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from spacy.language import Language

from tuneprobe.examples.annotate import sentence_around, split_sentences
from tuneprobe.formats.question import Annotation, Interval, Question
from tuneprobe.studies.pairwise.pairs.observation import ANSWER_CROSSES, NO_SHORT_ANSWER, NoPair


@dataclass(frozen=True)
class Passage:
    """A question's words and one paragraph of its document.

    ``answer`` and ``sentences`` count words of the paragraph; ``answer`` is None where no annotator
    gives a short answer, ``sentences`` is empty where the corpus does not give them.
    """

    source: str
    split: str
    question: tuple[str, ...]
    paragraph: tuple[str, ...]
    answer: Interval | None
    sentences: tuple[int, ...]

    @property
    def n_words(self) -> int:
        """Words of question and paragraph together."""
        return len(self.question) + len(self.paragraph)

    @classmethod
    def of(cls, question: Question) -> "Passage | NoPair":
        """The long answer of the first annotator with a short one, else of the first with any."""
        annotation = _first_with_paragraph(question)
        if annotation is None:
            return NoPair("no long answer")
        chosen = question.candidates[annotation.long]
        start, end = chosen.start, chosen.end
        return cls(
            source=question.id,
            split=question.split,
            question=question.words,
            paragraph=question.document[start:end],
            answer=next(
                ((a - start, b - start) for a, b in annotation.shorts if start <= a and b <= end),
                None,
            ),
            sentences=_within(question.sentences, start, end),
        )

    def cut_to_answer(self) -> "Passage | NoPair":
        """The same with the paragraph cut to the sentence of the answer."""
        if self.answer is None:
            return NO_SHORT_ANSWER
        sentence = sentence_around(self.sentences, len(self.paragraph), self.answer)
        if sentence is None:
            return ANSWER_CROSSES
        start, end = sentence
        return replace(
            self,
            paragraph=self.paragraph[start:end],
            answer=(self.answer[0] - start, self.answer[1] - start),
            sentences=(0,),
        )


def with_sentences(passages: list[Passage], nlp: Language) -> list[Passage]:
    """The passages with the sentences that the corpus gives, else those that spaCy finds."""
    bare = [passage for passage in passages if not passage.sentences]
    found = split_sentences(nlp, (passage.paragraph for passage in bare), total=len(bare))
    return [
        passage if passage.sentences else replace(passage, sentences=next(found))
        for passage in passages
    ]


def _first_with_paragraph(question: Question) -> Annotation | None:
    """The first annotation with a long and a short answer, else the first with a long one."""
    with_long = [
        annotation
        for annotation in question.annotations
        if annotation.long >= 0
        and question.candidates[annotation.long].start < question.candidates[annotation.long].end
    ]
    with_short = [annotation for annotation in with_long if annotation.shorts]
    return next(iter(with_short or with_long), None)


def _within(sentences: Iterable[int], start: int, end: int) -> tuple[int, ...]:
    """Sentence starts inside a paragraph, counted from its first word, which is always one."""
    inside = {first - start for first in sentences if start <= first < end}
    return tuple(sorted(inside | {0})) if sentences else ()
