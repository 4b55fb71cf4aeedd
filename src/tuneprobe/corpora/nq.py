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

Both give the same `Question`: HTML tokens and empty ones (two blanks have one between them) are
dropped, and all intervals count the words that remain. Candidates keep their upstream index and
order. One that held nothing but HTML tokens (an empty table, say) becomes an empty interval,
``start == end``: it has an index, yet no words.
"""

import re
from collections.abc import Iterator
from html import unescape
from itertools import accumulate, compress, groupby
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
        If a line is malformed, an interval lies outside its document, or a question, a document or
        a short answer has no word.
    """
    for record in read_records(path):
        yield _question(record)


def _question(record: Record) -> Question:
    tokens, is_html = _original(record) if _is_original(record) else _simplified(record)
    is_word = [
        not html and bool(token.strip()) for token, html in zip(tokens, is_html, strict=True)
    ]
    position = [0, *accumulate(map(int, is_word))]  # token → number of words before it
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
        document=record.some_words(_document_key(record), compress(tokens, is_word)),
        candidates=tuple(
            Candidate(position[start], position[end], top)
            for (start, end), top in zip(upstream, top_level, strict=True)
        ),
        annotations=tuple(_annotation(one, upstream, position) for one in annotated),
    )


def _is_original(record: Record) -> bool:
    return "document_tokens" in record.value


def _document_key(record: Record) -> str:
    return "document_tokens" if _is_original(record) else "document_text"


def _original(record: Record) -> tuple[list[str], list[bool]]:
    """Tokens and whether each is of HTML; checked at once, and one by one only to name a fault."""
    tokens = record.value["document_tokens"]
    try:
        words = [token["token"] for token in tokens]
        is_html = [token["html_token"] for token in tokens]
        right = {type(word) for word in words} <= {str} and {type(x) for x in is_html} <= {bool}
    except (KeyError, TypeError):
        right = False
    if not right or not isinstance(tokens, list):
        items = record.items("document_tokens")
        words = [token.get("token", str) for token in items]
        is_html = [token.get("html_token", bool) for token in items]
    return [word.replace(" ", "_") for word in words], is_html


def _simplified(record: Record) -> tuple[list[str], list[bool]]:
    tokens = record.get("document_text", str).split(" ")  # other white space is part of a token
    return tokens, [HTML_TOKEN.fullmatch(token) is not None for token in tokens]


def _question_words(record: Record) -> tuple[str, ...]:
    if "question_tokens" in record.value:
        words = [token for token in record.strings("question_tokens") if token.strip()]
        return record.some_words("question_tokens", words)
    return record.some_words("question_text", record.get("question_text", str).split())


def _annotation(record: Record, upstream: list[Interval], position: list[int]) -> Annotation:
    n_tokens = len(position) - 1
    shorts = [_words(answer, n_tokens, position) for answer in record.items("short_answers")]
    yes_no = record.get("yes_no_answer", str)
    if yes_no not in YES_NO:
        raise record.wrong("yes_no_answer", f"is '{yes_no}', expected one of {', '.join(YES_NO)}")
    long = _long_answer(record.child("long_answer"), upstream)
    return Annotation(long=long, shorts=tuple(shorts), yes_no=yes_no)


def _words(answer: Record, n_tokens: int, position: list[int]) -> Interval:
    """A short answer as an interval of words."""
    start, end = answer.interval("start_token", "end_token", n_tokens, "tokens")
    if position[start] == position[end]:
        raise answer.wrong("end_token", f"ends [{start}, {end}), where there is no word")
    return position[start], position[end]


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
