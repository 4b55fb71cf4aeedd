"""QED (Lamm et al. 2020): Natural Questions with their gold paragraph, already tokenised.

A line (an invented instance; offsets count characters, half-open):

    {"example_id": 7, "title_text": "Kite", "url": "https://...",
     "question_text": "who flew it",
     "paragraph_text": "Kites are old . Ann Lee flew one in 1901 . ",
     "sentence_starts": [0, 16],
     "original_nq_answers": [[{"start": 16, "end": 23, "string": "Ann Lee"}]],
     "annotation": {"explanation_type": "single_sentence", "answer": [{
        "paragraph_reference": {"start": 16, "end": 23, "string": "Ann Lee"}, ...}], ...}}

``original_nq_answers`` holds one list of short answers for each distinct answer of an annotator;
each becomes an `Annotation`. The paragraph is the only candidate.
"""

from collections.abc import Iterator
from pathlib import Path

from tuneprobe.corpora.lines import Record, read_records
from tuneprobe.corpora.tokens import Tokens, split_blanks
from tuneprobe.formats.question import Annotation, Candidate, Interval, Question


def read_qed(path: Path) -> Iterator[Question]:
    """Questions of one file; the split is left open.

    Raises
    ------
    CorpusError
        If a line is malformed, an answer is not the text at its place, or a question, a paragraph
        or an answer has no word.
    """
    for record in read_records(path):
        yield _question(record)


def _question(record: Record) -> Question:
    text = record.get("paragraph_text", str)
    tokens = split_blanks(text)
    return Question(
        id=record.identifier("example_id"),
        title=record.get("title_text", str),
        words=record.some_words("question_text", record.get("question_text", str).split()),
        document=record.some_words("paragraph_text", tokens.words),
        candidates=(Candidate(0, len(tokens.words)),),
        annotations=tuple(
            Annotation(long=0, shorts=tuple(_short(answer, text, tokens) for answer in answers))
            for answers in _answers(record)
        ),
        sentences=_sentences(record, tokens),
    )


def _answers(record: Record) -> list[list[Record]]:
    """The annotators' answers, else the one that the explanation refers to."""
    lists = record.get("original_nq_answers", list)
    by_annotator = Record(
        {f"original_nq_answers[{i}]": answers for i, answers in enumerate(lists)},
        record.path,
        record.line,
    )
    found = [by_annotator.items(key) for key in by_annotator.value]
    if any(found):
        return [answers for answers in found if answers]
    explained = record.child("annotation").items("answer")
    return [[answer.child("paragraph_reference") for answer in explained]] if explained else []


def _short(answer: Record, text: str, tokens: Tokens) -> Interval:
    start, end = answer.interval("start", "end", len(text), "characters")
    if text[start:end] != answer.get("string", str):
        raise answer.wrong(
            "string", f"is '{answer.get('string', str)}', but its place holds '{text[start:end]}'"
        )
    first, last = tokens.interval(start, end)
    if first >= last:
        raise answer.wrong("string", "has no word")
    return first, last


def _sentences(record: Record, tokens: Tokens) -> tuple[int, ...]:
    starts = record.integers("sentence_starts")
    for number, start in enumerate(starts):
        if not 0 <= start < tokens.ends[-1]:
            raise record.wrong(f"sentence_starts[{number}]", f"is {start}, outside the paragraph")
    return tuple(sorted({tokens.interval(start, start + 1)[0] for start in starts}))
