"""Natural Questions (Kwiatkowski et al. 2019): the original and the simplified format.

A line of the original format (an invented instance; bytes count the document's HTML):

    {"example_id": 7, "document_title": "Kite", "question_text": "who flew it",
     "question_tokens": ["who", "flew", "it"], "document_html": "<P>Ann flew it</P>",
     "document_tokens": [
       {"token": "<P>", "start_byte": 0, "end_byte": 3, "html_token": true},
       {"token": "Ann", "start_byte": 3, "end_byte": 6, "html_token": false}, ...],
     "long_answer_candidates": [
       {"start_token": 0, "end_token": 5, "start_byte": 0, "end_byte": 18, "top_level": true}],
     "annotations": [{
       "long_answer": {"start_token": 0, "end_token": 5, "candidate_index": 0, ...},
       "short_answers": [{"start_token": 1, "end_token": 2, ...}], "yes_no_answer": "NONE"}]}

The simplified format has no bytes and, in place of the tokens, their text joined by single blanks:

     "document_text": "<P> Ann flew it </P>"

Both give the same `Question`: HTML tokens are dropped, and all intervals count the words that
remain. Candidates keep their upstream index and order. One that held nothing but HTML tokens (an
empty table, say) becomes an empty interval, ``start == end``: it has an index, yet no words.
"""

import re
from collections.abc import Iterator
from html import unescape
from itertools import accumulate, groupby
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tuneprobe.corpora.lines import Record, read_records
from tuneprobe.formats.question import Annotation, Candidate, Interval, Question

HTML_TOKEN = re.compile(r"</?[A-Za-z][A-Za-z0-9]*(_[^ ]*)?>")  # <P>, </Table>, <Th_colspan="2">
YES_NO = ("YES", "NO", "NONE")


def read_nq(path: Path) -> Iterator[Question]:
    """Questions of one file in either format: .jsonl or one object in .json, packed or not.

    A question without annotations (the unlabelled test set) has none. The split is left open.

    Raises
    ------
    CorpusError
        If a line is malformed or an interval lies outside its document.
    """
    for record in read_records(path):
        yield _question(record)


def _question(record: Record) -> Question:
    tokens, is_html = (
        _original(record) if "document_tokens" in record.value else _simplified(record)
    )
    position = [0, *accumulate(not html for html in is_html)]  # token → number of words before it
    upstream = [
        candidate.interval("start_token", "end_token", len(tokens), "tokens")
        for candidate in record.items("long_answer_candidates")
    ]
    top_level = [c.get("top_level", bool) for c in record.items("long_answer_candidates")]
    annotated = record.items("annotations") if "annotations" in record.value else []
    return Question(
        id=record.identifier("example_id"),
        title=_title(record, tokens),
        words=_question_words(record),
        document=tuple(token for token, html in zip(tokens, is_html) if not html),
        candidates=tuple(
            Candidate(position[start], position[end], top)
            for (start, end), top in zip(upstream, top_level)
        ),
        annotations=tuple(_annotation(one, upstream, position) for one in annotated),
    )


def _original(record: Record) -> tuple[list[str], list[bool]]:
    try:
        tokens = record.value["document_tokens"]
        words = [token["token"].replace(" ", "_") for token in tokens]
        return words, [token["html_token"] for token in tokens]
    except (KeyError, TypeError, AttributeError):
        for token in record.items("document_tokens"):
            token.get("token", str)
            token.get("html_token", bool)
        raise


def _simplified(record: Record) -> tuple[list[str], list[bool]]:
    tokens = record.get("document_text", str).split(" ")  # other white space is part of a token
    return tokens, [HTML_TOKEN.fullmatch(token) is not None for token in tokens]


def _question_words(record: Record) -> tuple[str, ...]:
    if "question_tokens" in record.value:
        return tuple(record.strings("question_tokens"))
    return tuple(record.get("question_text", str).split())


def _annotation(record: Record, upstream: list[Interval], position: list[int]) -> Annotation:
    n_tokens = len(position) - 1
    shorts = [
        answer.interval("start_token", "end_token", n_tokens, "tokens")
        for answer in record.items("short_answers")
    ]
    yes_no = record.get("yes_no_answer", str)
    if yes_no not in YES_NO:
        raise record.wrong("yes_no_answer", f"is '{yes_no}', expected one of {', '.join(YES_NO)}")
    words = [(position[start], position[end]) for start, end in shorts]
    return Annotation(
        long=_long_answer(record.child("long_answer"), upstream),
        shorts=tuple((start, end) for start, end in words if start < end),
        yes_no=yes_no,
    )


def _long_answer(record: Record, upstream: list[Interval]) -> int:
    index = record.get("candidate_index", int)
    if index == -1:
        return -1
    if not 0 <= index < len(upstream):
        raise record.wrong(
            "candidate_index", f"is {index}, but there are {len(upstream)} candidates"
        )
    answer = record.get("start_token", int), record.get("end_token", int)
    if answer != upstream[index]:
        raise record.wrong(
            "candidate_index", f"is {index}, which is {upstream[index]}, but the answer is {answer}"
        )
    return index


def _title(record: Record, tokens: list[str]) -> str:
    """The document's title, else that in its address, else the first words between HTML tokens."""
    if "document_title" in record.value:
        return record.get("document_title", str)
    try:
        query = urlsplit(unescape(str(record.value.get("document_url", "")))).query
    except ValueError as error:
        raise record.wrong("document_url", f"is no address ({error})") from None
    if title := parse_qs(query).get("title"):
        return title[0].replace("_", " ")
    runs = groupby(tokens, key=lambda token: HTML_TOKEN.fullmatch(token) is None)
    first = next((" ".join(run) for is_text, run in runs if is_text), "")
    return re.sub(r" - wikipedia$", "", first, flags=re.IGNORECASE)
