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
annotator's `Annotation`; a question without answers has one without long or short answer.
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
        If a field is missing, or an answer is not the text at its place.
    """
    for record in read_records(path):
        for article in record.items("data"):
            for paragraph in article.items("paragraphs"):
                yield from _questions(article.get("title", str), paragraph)


def _questions(title: str, paragraph: Record) -> Iterator[Question]:
    text = paragraph.get("context", str)
    tokens = tokenise(text)
    for qa in paragraph.items("qas"):
        shorts = [_short(answer, text, tokens) for answer in qa.items("answers")]
        yield Question(
            id=qa.identifier("id"),
            title=title,
            words=tokenise(qa.get("question", str)).words,
            document=tokens.words,
            candidates=(Candidate(0, len(tokens.words)),),
            annotations=tuple(Annotation(long=0, shorts=(short,)) for short in shorts)
            or (Annotation(),),
        )


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
    return tokens.interval(start, end)
