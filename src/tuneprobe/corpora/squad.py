"""SQuAD 1.1 and 2.0 (Rajpurkar et al. 2016, 2018), and sets in their format.

One object per file (an invented instance; ``answer_start`` counts characters):

    {"version": "v2.0", "data": [{"title": "Kite", "paragraphs": [{
       "context": "Kites are old. Ann Lee flew one in 1901.",
       "qas": [
         {"id": "a1", "question": "Who flew one?", "is_impossible": false,
          "answers": [{"text": "Ann Lee", "answer_start": 15}]},
         {"id": "a2", "question": "Who fell?", "is_impossible": true, "answers": [],
          "plausible_answers": [...]}]}]}]}

Text is tokenised by spaCy's rules; the paragraph is the only candidate. Each answer is one
annotator's `Annotation`; a question without answers has one without long or short answer. An answer
whose text is empty is none (annotation tools write these), wherever it starts. An article without a
title is named by its first paragraph.
"""

from collections.abc import Iterator
from pathlib import Path

from tuneprobe.corpora.lines import Record, read_records
from tuneprobe.corpora.tokens import Tokens, tokenise
from tuneprobe.formats.question import Annotation, Candidate, Interval, Question


def read_squad(path: Path) -> Iterator[Question]:
    """Questions of one file; the split is left open.

    Raises
    ------
    CorpusError
        If a field is missing, an answer is not the text at its place or has no word, or
        ``is_impossible`` contradicts the answers.
    """
    for record in read_records(path):
        for article in record.items("data"):
            paragraphs = article.items("paragraphs")
            for paragraph in paragraphs:
                yield from _questions(_title(article, paragraphs[0]), paragraph)


def _title(article: Record, first: Record) -> str:
    if article.value.get("title") is None:
        return first.get("context", str)
    return article.get("title", str)


def _questions(title: str, paragraph: Record) -> Iterator[Question]:
    text = paragraph.get("context", str)
    tokens = tokenise(text)
    paragraph.some_words("context", tokens.words)
    for qa in paragraph.items("qas"):
        shorts = _shorts(qa, text, tokens)
        yield Question(
            id=qa.identifier("id"),
            title=title,
            words=qa.some_words("question", tokenise(qa.get("question", str)).words),
            document=tokens.words,
            candidates=(Candidate(0, len(tokens.words)),),
            annotations=tuple(Annotation(long=0, shorts=(short,)) for short in shorts)
            or (Annotation(),),
        )


def _shorts(qa: Record, text: str, tokens: Tokens) -> list[Interval]:
    """The answers with a text, which the flag of version 2 may not contradict."""
    answers = [answer for answer in qa.items("answers") if answer.get("text", str)]
    if "is_impossible" in qa.value and qa.get("is_impossible", bool) == bool(answers):
        said = "is true, but there are answers" if answers else "is false, but there is no answer"
        raise qa.wrong("is_impossible", said)
    return [_short(answer, text, tokens) for answer in answers]


def _short(answer: Record, text: str, tokens: Tokens) -> Interval:
    wanted, start = answer.get("text", str), answer.get("answer_start", int)
    end = start + len(wanted)
    if not 0 <= start < end <= len(text):
        raise answer.wrong(
            "answer_start", f"gives [{start}, {end}), outside a paragraph of {len(text)} characters"
        )
    if text[start:end] != wanted:
        raise answer.wrong(
            "answer_start",
            f"is {start}, where the paragraph says '{text[start:end]}', not '{wanted}'",
        )
    first, last = tokens.interval(start, end)
    if first >= last:
        raise answer.wrong("text", "has no word")
    return first, last
