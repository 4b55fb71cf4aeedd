"""Examples of kind ``qa``: reading comprehension as texts, spans and examples, and back.

texts      question words, document words
spans      ``candidate`` and ``nested-candidate`` in upstream order, then ``short``
examples   one per annotator and short answer: span1 = long answer, span2 = short answer, each -1
           where there is none; label = answer type; group = 100 · text + annotator

An annotator who found no answer has no span to point to the text with, so ``group`` names both.

Candidates that cover the same words share a span: a table and its only row differ in HTML tokens
alone, which no encoder reads, so an answer that names one names the other. The official evaluation
tells them apart. The span is a top-level candidate if any of them is; candidates without words have
none.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from heapq import nsmallest
from pathlib import Path

from tuneprobe.artifacts import ArtifactError, read_meta
from tuneprobe.examples.pieces import read_pieces
from tuneprobe.formats.examples import NO_SPAN, Examples, ExamplesBuilder
from tuneprobe.formats.question import Annotation, Candidate, Interval, Question
from tuneprobe.rng import stream_seed

ANNOTATORS = 100  # more than any corpus has
DOCUMENT = 1  # segment
TOP_LEVEL, NESTED, SHORT = "candidate", "nested-candidate", "short"
NO_ANNOTATOR = "no annotator"


def build_qa(questions: Iterable[Question], counts: Counter[str] | None = None) -> Examples:
    """The tables of questions with their candidates and all annotators' answers.

    Parameters
    ----------
    questions : iterable of Question
        One that no one annotated has no right answer and is left out.
    counts : Counter, optional
        Gets the number of questions left out, by reason.

    Raises
    ------
    ArtifactError
        If an interval lies outside its document, or a question has over 100 annotators.
    """
    builder = ExamplesBuilder()
    for question in questions:
        if question.annotations:
            _add(builder, question)
        elif counts is not None:
            counts[NO_ANNOTATOR] += 1
    return builder.build()


def _add(builder: ExamplesBuilder, question: Question) -> None:
    if len(question.annotations) > ANNOTATORS:
        raise ArtifactError(
            f"question {question.id} has {len(question.annotations)} annotators, expected at most "
            f"{ANNOTATORS}: look at how its corpus is read."
        )
    text = builder.add_text(question.id, list(question.words), list(question.document))
    roles = _roles(question.candidates)
    spans = {
        interval: builder.add_span(text, DOCUMENT, *interval, role)
        for interval, role in roles.items()
    }
    for annotator, annotation in enumerate(question.annotations):
        long = NO_SPAN
        if annotation.long >= 0:
            chosen = question.candidates[annotation.long]
            long = spans.get((chosen.start, chosen.end), NO_SPAN)
        shorts = [builder.add_span(text, DOCUMENT, *short, SHORT) for short in annotation.shorts]
        label = _label(annotation, long)
        for short in shorts or [NO_SPAN]:
            builder.add_example(long, short, label, question.split, ANNOTATORS * text + annotator)


def _roles(candidates: Iterable[Candidate]) -> dict[Interval, str]:
    """The role of every interval that has words, in the order of the candidates."""
    roles: dict[Interval, str] = {}
    for candidate in candidates:
        interval = candidate.start, candidate.end
        if candidate.top_level:
            roles[interval] = TOP_LEVEL
        elif candidate.start < candidate.end:
            roles.setdefault(interval, NESTED)
    return {interval: role for interval, role in roles.items() if interval[0] < interval[1]}


def _label(annotation: Annotation, long: int) -> str:
    """The answer type; a long answer without words is none."""
    if annotation.answer_type == "long" and long == NO_SPAN:
        return "unknown"
    return annotation.answer_type


def qa_questions(examples: Examples) -> list[Question]:
    """The questions that `build_qa` stored, by text id: its inverse.

    Titles and sentences are not stored. ``candidates`` are the spans of that role, in their order;
    ``long`` counts these, and no longer the candidates of the upstream file.

    Raises
    ------
    ArtifactError
        If the tables are not of kind ``qa``.
    """
    table = examples.examples
    if len(table) and table.group.min() < 0:
        raise ArtifactError("these are not examples of kind 'qa': some belong to no annotator.")
    candidates = _candidates(examples)
    annotations = _annotations(examples, candidates)
    splits = dict(zip(table.group // ANNOTATORS, table.split, strict=True))
    texts = zip(examples.texts.source, examples.texts.words1, examples.texts.words2, strict=True)
    return [
        Question(
            id=source,
            title="",
            words=tuple(words),
            document=tuple(document),
            candidates=tuple(candidates[text].values()),
            annotations=tuple(annotations[text]),
            split=splits[text],
        )
        for text, (source, words, document) in enumerate(texts)
    ]


def read_questions(folder: Path, split: str) -> Iterator[Question]:
    """The questions of one split in a folder of examples, a row group in memory at a time.

    Raises
    ------
    ArtifactError
        If the folder is missing, or its tables are not of kind ``qa``.
    """
    read_meta(folder)
    for piece in read_pieces(folder, ANNOTATORS):
        yield from (question for question in qa_questions(piece) if question.split == split)


def drawn_questions(
    questions: Iterable[Question], most: int | None, seed: int, *purpose: str
) -> Iterator[Question]:
    """At most `most` questions (None: all), drawn by their ids, in the order that they come in.

    No more than these are held in memory. Whether a question is drawn before another depends on
    the two alone, so that a larger sample holds the smaller one.
    """
    if most is None:
        yield from questions
        return

    def draw(one: tuple[int, Question]) -> int:
        return stream_seed(seed, *purpose, one[1].id)

    for _, question in sorted(nsmallest(most, enumerate(questions), key=draw)):
        yield question


def _candidates(examples: Examples) -> defaultdict[int, dict[int, Candidate]]:
    """text → span id → candidate, in the order of the spans."""
    spans = examples.spans
    found: defaultdict[int, dict[int, Candidate]] = defaultdict(dict)
    columns = (spans[column].tolist() for column in ("text", "start", "end", "role"))
    for span, (text, start, end, role) in enumerate(zip(*columns, strict=True)):
        if role in (TOP_LEVEL, NESTED):
            found[text][span] = Candidate(start, end, role == TOP_LEVEL)
    return found


def _annotations(
    examples: Examples, candidates: defaultdict[int, dict[int, Candidate]]
) -> dict[int, list[Annotation]]:
    """text → annotations in the order of the annotators."""
    intervals = list(zip(examples.spans.start.tolist(), examples.spans.end.tolist(), strict=True))
    answers: dict[int, tuple[int, list[Interval], str]] = {}
    table = examples.examples
    columns = (table[column].tolist() for column in ("group", "span1", "span2", "label"))
    for group, long, short, label in zip(*columns, strict=True):
        _, shorts, _ = answers.setdefault(group, (long, [], label))
        if short != NO_SPAN:
            shorts.append(intervals[short])
    found: dict[int, list[Annotation]] = {}
    for group, (long, shorts, label) in sorted(answers.items()):
        text = group // ANNOTATORS
        number = NO_SPAN if long == NO_SPAN else list(candidates[text]).index(long)
        yes_no = label.upper() if label in ("yes", "no") else "NONE"
        found.setdefault(text, []).append(Annotation(number, tuple(shorts), yes_no))
    return found
