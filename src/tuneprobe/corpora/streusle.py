"""STREUSLE (Schneider et al. 2018): English reviews with supersenses of their prepositions.

Two formats hold the same. ``.conllulex`` adds nine columns to the ten of CoNLL-U; of these, SMWE
(a word of a multiword unit has ``1:2`` there), LEXCAT, SS (the role) and SS2 (the function) are
read (an invented instance, most columns cut):

    3  of  ...  _  P  of  p.Whole  p.Gestalt  ...

``.json`` is one array of sentences, the single-word units under ``swes``:

    [{"sent_id": "kites-1",
      "toks": [{"#": 1, "word": "Tail", ...}, ...],
      "swes": {"2": {"lexlemma": "of", "lexcat": "P", "ss": "p.Whole", "ss2": "p.Gestalt",
                     "toknums": [2]}, ...},
      "smwes": {...}, ...}, ...]

A preposition unit is a single-word unit whose SS begins with ``p.``: an adposition, an infinitive
marker or a possessive. Opaque slots (`` `$ ``), unintelligible uses (``??``) and multiword units
are none. A unit on which annotators had not agreed yet, with a stopgap for its category (``!!@``)
or an open function (``??``), is left out and counted.

Source: https://github.com/nert-nlp/streusle, CONLLULEX.md and conllulex2json.py
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tuneprobe.corpora.conllu import NONE, Row, read_blocks
from tuneprobe.corpora.lines import (
    REMEDY,
    CorpusError,
    Record,
    checked_record,
    named_json,
    plain_name,
    read_lines,
)

N_COLUMNS = 19
LEXCATS = ("P", "PP", "INF.P", "POSS", "PRON.POSS")
ADPOSITION = "p."  # supersenses of nouns begin with n., those of verbs with v.
STOPGAP = re.compile(r"!+@")
UNSETTLED = ("??", "`$")
NO_CATEGORY, NO_FUNCTION = "category is a stopgap", "function is not settled"
STRONG = re.compile(r"_|\d+:\d+")
BEFORE_FIRST, BEFORE_NEXT = re.compile(r"\s*\[\s*(?=\{)"), re.compile(r"\s*,\s*(?=\{)")
END = re.compile(r"\s*(\[\s*)?\]\s*")


class Unit(NamedTuple):
    """A preposition: its place among the words (from 0), its role and its function."""

    word: int
    role: str
    function: str


class SupersenseSentence(NamedTuple):
    """The words of a sentence and its preposition units in their order."""

    id: str
    words: tuple[str, ...]
    units: tuple[Unit, ...]


def read_streusle(path: Path, counts: Counter[str] | None = None) -> Iterator[SupersenseSentence]:
    """Sentences of one file, ``.json`` or else conllulex, one at a time.

    Parameters
    ----------
    path : Path
    counts : Counter, optional
        Gets the number of prepositions left out, by reason.

    Raises
    ------
    CorpusError
        If a line or field is malformed, or a preposition lacks a function or has a category that
        takes none.
    """
    counts = Counter() if counts is None else counts
    if plain_name(path.name).endswith(".json"):
        for record in _read_array(path):
            yield _from_json(record, counts)
    else:
        for name, rows in read_blocks(path, N_COLUMNS):
            units = (_unit_of_row(row, place) for place, row in enumerate(rows))
            words = tuple(row.form for row in rows)
            yield SupersenseSentence(name, words, _settled(units, counts))


def _settled(units: Iterable[Unit | str | None], counts: Counter[str]) -> tuple[Unit, ...]:
    """The prepositions in their order; those left out, which are a reason, are counted."""
    found = [unit for unit in units if unit]
    counts.update(reason for reason in found if isinstance(reason, str))
    return tuple(sorted(unit for unit in found if not isinstance(unit, str)))


def _unit_of_row(row: Row, place: int) -> Unit | str | None:
    strong, lexcat, _, role, function = row.cells[10:15]
    if not STRONG.fullmatch(strong):
        raise row.wrong("smwe", f"is '{strong}', expected '_' or a unit and place such as 1:2")
    return None if strong != NONE else _unit(place, lexcat, role, function, row.wrong)


def _unit(
    place: int,
    lexcat: str,
    role: str,
    function: str,
    wrong: Callable[[str, str], CorpusError],
) -> Unit | str | None:
    """A single-word unit if it is a preposition with both supersenses, or why it is left out."""
    if not role.startswith(ADPOSITION):
        return None
    if STOPGAP.fullmatch(lexcat):
        return NO_CATEGORY
    if function in UNSETTLED:
        return NO_FUNCTION
    if lexcat not in LEXCATS:
        raise wrong("lexcat", f"is '{lexcat}' with role {role}, expected {', '.join(LEXCATS)}")
    if not function.startswith(ADPOSITION):
        raise wrong("ss2", f"is '{function}' with role {role}, expected a function such as p.Locus")
    return Unit(place, role, function)


def _read_array(path: Path) -> Iterator[Record]:
    """The objects of one JSON array, each with the line that it begins on."""
    text = "".join(line for _, line in read_lines(path))
    decoder, position, line = json.JSONDecoder(), 0, 1
    while before := (BEFORE_NEXT if position else BEFORE_FIRST).match(text, position):
        start = before.end()
        line += text.count("\n", position, start)
        with named_json(path, line, first=1):
            value, position = decoder.raw_decode(text, start)
        yield checked_record(value, path, line, text[start:position])
        line += text.count("\n", start, position)
    if not END.fullmatch(text, position):
        raise CorpusError(
            f"{path}:{line}: expected an array of sentences, got {text[position:][:60]!r}. {REMEDY}"
        )


def _from_json(record: Record, counts: Counter[str]) -> SupersenseSentence:
    tokens = record.items("toks")
    for place, token in enumerate(tokens, start=1):
        if token.get("#", int) != place:
            raise token.wrong("#", f"is {token.get('#', int)}, expected {place}")
        if not token.get("word", str).strip():
            raise token.wrong("word", "is empty, expected a word")
    expressions = record.child("swes")
    units = (_unit_of_json(expressions.child(key), len(tokens)) for key in expressions.value)
    return SupersenseSentence(
        record.identifier("sent_id"),
        record.some_words("toks", (token.get("word", str) for token in tokens)),
        _settled(units, counts),
    )


def _unit_of_json(expression: Record, n_words: int) -> Unit | str | None:
    numbers = expression.integers("toknums")
    if len(numbers) != 1 or numbers[0] not in range(1, n_words + 1):
        raise expression.wrong("toknums", f"is {numbers}, expected one word of 1 to {n_words}")
    role, function = (_supersense(expression, key) for key in ("ss", "ss2"))
    lexcat = expression.get("lexcat", str)
    return _unit(numbers[0] - 1, lexcat, role, function, expression.wrong)


def _supersense(expression: Record, key: str) -> str:
    """A supersense; null, as conllulex does, becomes ``_``."""
    return NONE if expression.value.get(key, "") is None else expression.get(key, str)
