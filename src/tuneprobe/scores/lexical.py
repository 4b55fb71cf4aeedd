"""Readers without an encoder: what the words of question and document give away by themselves.

Each is as good as a reader can be that has learned nothing but a trick. A tuned reader that does
not beat all of them has not been shown to read (Jia & Liang 2017; Sugawara et al. 2018).
"""

import re
from collections.abc import Callable, Iterator, Sequence

from tuneprobe.formats.question import Candidate, Interval, Question
from tuneprobe.scores.decode import Reading

STOP = frozenset(
    "a an and are as at be been by did do does for from had has have he her his how in into is it "
    "its many much of on or over she that the their them there they this to was were what when "
    "where which who whom whose why will with year years".split()
)
YES_NO = frozenset("are can could did do does had has have is should was were will would".split())
MONTHS = frozenset(
    "january february march april may june july august september october november december".split()
)
YEAR, DAY = re.compile(r"1\d{3}|20\d{2}"), re.compile(r"[12]?\d|3[01]")
END = frozenset(".!?")


def read_lexically(question: Question) -> dict[str, Reading]:
    """What each reader without an encoder answers, by its name.

    ``first-paragraph``: in the first top-level candidate, the span that is of the question's type.
    ``word-overlap``: in the candidate that shares most distinct words with the question (of equals
    the first), of all spans of the type the middle one. ``sentence-overlap``: there, the first
    such span of the sentence that shares most among those that hold one. The score is the share of
    the question's words, stop words apart, that the candidate, or the sentence, holds.

    The type follows from the question word: a date after ``when`` and ``what year``, a number after
    ``how many``, else a run of capitalised words that the question does not hold. Without such a
    span the whole candidate is the answer. A question that begins with an auxiliary gets ``yes``.
    """
    asked = _words(question.words)
    paragraphs = [one for one in question.candidates if one.top_level] or [
        Candidate(0, len(question.document))
    ]
    best = max(paragraphs, key=lambda one: _shared(question, asked, (one.start, one.end)))
    telling = [one for one in _sentences(question, best) if any(_spans(question, asked, one))]
    sentence = max(telling, key=lambda one: _shared(question, asked, one), default=None)
    return {
        "first-paragraph": _answer(question, asked, paragraphs[0], None, _first),
        "word-overlap": _answer(question, asked, best, None, _middle),
        "sentence-overlap": _answer(question, asked, best, sentence, _first),
    }


def has_choice(questions: Sequence[Question]) -> bool:
    """Whether any document has two paragraphs: else its long answer is no feat."""
    return any(sum(one.top_level for one in asked.candidates) > 1 for asked in questions)


def _first(spans: Sequence[Interval]) -> Interval:
    return spans[0]


def _middle(spans: Sequence[Interval]) -> Interval:
    return spans[len(spans) // 2]


def _answer(
    question: Question,
    asked: frozenset[str],
    paragraph: Candidate,
    sentence: Interval | None,
    choose: Callable[[Sequence[Interval]], Interval],
) -> Reading:
    """One span of the paragraph, or of a sentence of it where that has any."""
    whole = paragraph.start, paragraph.end
    score = _shared(question, asked, sentence or whole)
    spans = list(_spans(question, asked, sentence or whole))
    start, end = choose(spans) if spans else whole
    kind = "short" if spans else "long"
    if question.words and question.words[0].lower() in YES_NO:
        kind = "yes"
    return Reading(start, end, score, kind)


def _words(words: Sequence[str]) -> frozenset[str]:
    return frozenset(word.lower() for word in words if word.isalnum()) - STOP


def _shared(question: Question, asked: frozenset[str], where: Interval) -> float:
    """Share of the question's words that stand there."""
    found = _words(question.document[slice(*where)])
    return len(asked & found) / max(1, len(asked))


def _sentences(question: Question, paragraph: Candidate) -> Iterator[Interval]:
    """The sentences of a paragraph: those of the corpus, else up to each full stop."""
    start = paragraph.start
    ends = [one for one in question.sentences if paragraph.start < one < paragraph.end]
    if not question.sentences:
        inside = range(paragraph.start, paragraph.end)
        ends = [one + 1 for one in inside if question.document[one] in END]
    for end in [*ends, paragraph.end]:
        if start < end:
            yield start, end
        start = end


def _spans(question: Question, asked: frozenset[str], where: Interval) -> Iterator[Interval]:
    """Runs of words, inside `where`, that are of the type the question asks for."""
    words = [word.lower() for word in question.words]
    fits: Callable[[int], bool]
    document = question.document
    if "when" in words or "year" in words:
        fits, needed = (lambda at: _is_date(document[at])), YEAR.fullmatch
    elif "how" in words and ("many" in words or "much" in words):
        fits, needed = (lambda at: document[at][:1].isdigit()), re.compile(r"\d.*").fullmatch
    else:
        fits, needed = (lambda at: _is_name(document[at])), re.compile(r".*").fullmatch
    at, end = where
    while at < end:
        stop = at
        while stop < end and fits(stop):
            stop += 1
        run = document[at:stop]
        if any(needed(word) for word in run) and not _words(run) & asked:
            yield at, stop
        at = max(stop, at + 1)


def _is_date(word: str) -> bool:
    return bool(word.lower() in MONTHS or YEAR.fullmatch(word) or DAY.fullmatch(word))


def _is_name(word: str) -> bool:
    """Capitalised, and no stop word: those begin sentences."""
    return word[:1].isupper() and word.lower() not in STOP
