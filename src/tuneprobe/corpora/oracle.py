"""NQ-open with its gold paragraph ("oracle" passages; Liu et al. 2023, lost-in-the-middle).

A line (an invented instance; running text, answers as strings):

    {"question": "who flew the first kite", "answers": ["Ann Lee"],
     "ctxs": [{"title": "Kite", "text": "...", "hasanswer": true, "isgold": true}],
     "nq_annotated_gold": {
        "title": "Kite",
        "long_answer": "Kites are old. Ann Lee flew one in 1901.",
        "chunked_long_answer": "...",
        "short_answers": ["Ann Lee"]}}

The paragraph is ``long_answer``, tokenised by spaCy's rules, and the only candidate. An answer is
the first place where its string stands between word boundaries; each one found is an `Annotation`.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tuneprobe.corpora.lines import Record, plain_name, read_records
from tuneprobe.corpora.tokens import Tokens, tokenise
from tuneprobe.formats.question import Annotation, Candidate, Interval, Question

NOT_FOUND = "answer not found in the passage"


def read_oracle(path: Path, counts: Counter[str] | None = None) -> Iterator[Question]:
    """Questions of one file; the split is left open.

    Parameters
    ----------
    path : Path
        ``nq-open-oracle.jsonl``, packed or not.
    counts : Counter, optional
        Gets the number of questions left out because no answer stands in the paragraph.

    Raises
    ------
    CorpusError
        If a line is malformed, or a question or a paragraph has no word.
    """
    for record in read_records(path):
        question = _question(record)
        if question.annotations:
            yield question
        elif counts is not None:
            counts[NOT_FOUND] += 1


def locate(answer: str, text: str, tokens: Tokens) -> Interval | None:
    """The words of the first occurrence of `answer` between word boundaries of `text`.

    >>> text = "The reds won, red lost."
    >>> locate("red", text, tokenise(text))
    (4, 5)
    """
    match = re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", text) if answer.strip() else None
    return tokens.interval(*match.span()) if match else None


def _question(record: Record) -> Question:
    gold = record.child("nq_annotated_gold")
    text = gold.get("long_answer", str)
    tokens = tokenise(text)
    places = [locate(answer, text, tokens) for answer in gold.strings("short_answers")]
    return Question(
        id=f"{plain_name(record.path.name).removesuffix('.jsonl')}:{record.line}",
        title=gold.get("title", str),
        words=record.some_words("question", tokenise(record.get("question", str)).words),
        document=gold.some_words("long_answer", tokens.words),
        candidates=(Candidate(0, len(tokens.words)),),
        annotations=tuple(
            Annotation(long=0, shorts=(place,)) for place in dict.fromkeys(places) if place
        ),
    )
