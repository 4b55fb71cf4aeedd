"""Sentences in STREUSLE's format: the ten columns of CoNLL-U and nine lexical ones.

The nine are SMWE, LEXCAT, LEXLEMMA, SS, SS2, WMWE, WCAT, WLEMMA, LEXTAG. Only adpositions and
possessives carry supersenses; there are no weak expressions, and names are not joined to one unit::

    5  by  _  ADP  _  _  7  case  _  _  _  P  by  p.Originator  p.Agent  _  _  _  O-P-p.Originator|p.Agent
"""  # noqa: E501 - a line of the format

from collections.abc import Mapping

from tuneprobe.corpora.world.formats import conllu_rows
from tuneprobe.corpora.world.grammar import Token, Tokens
from tuneprobe.corpora.world.lexicon import CONCEPTS
from tuneprobe.corpora.world.prepositions import Unit, lexical_units

NONE = "_"


def conllulex(sentence_id: str, tokens: Tokens, classes: Mapping[str, str]) -> str:
    """One sentence with its supersenses; `classes` are those of the document's entities."""
    units = lexical_units(tokens, classes)
    expressions = [unit for unit in units if unit.length > 1]
    lexical = [row for unit in units for row in _unit_rows(unit, tokens, expressions)]
    header = (
        f"# sent_id = {sentence_id}",
        "# text = " + " ".join(token.form for token in tokens),
        f"# streusle_sent_id = {sentence_id}",
        "# mwe = " + " ".join(_joined(unit, tokens) for unit in units),
    )
    body = (
        "\t".join((*row, *more)) for row, more in zip(conllu_rows(tokens), lexical, strict=True)
    )
    return "\n".join((*header, *body)) + "\n\n"


def _joined(unit: Unit, tokens: Tokens) -> str:
    return "_".join(token.form for token in tokens[unit.start : unit.start + unit.length])


def _unit_rows(unit: Unit, tokens: Tokens, expressions: list[Unit]) -> list[tuple[str, ...]]:
    """The nine columns of each word of a unit; a unit is described on its first word."""
    places = range(unit.start, unit.start + unit.length)
    role, function = unit.use or (NONE, NONE)
    lemma = " ".join(_lemma(tokens[i]) for i in places)
    tag = f"{'B' if unit.length > 1 else 'O'}-{unit.category}"
    if unit.use:
        tag += f"-{role}" if role == function else f"-{role}|{function}"
    number = expressions.index(unit) + 1 if unit in expressions else 0
    strong = [f"{number}:{k}" if number else NONE for k in range(1, unit.length + 1)]
    first = (strong[0], unit.category, lemma, role, function, NONE, NONE, NONE, tag)
    return [first, *((place, *[NONE] * 7, "I_") for place in strong[1:])]


def _lemma(token: Token) -> str:
    """The base form where the lexicon knows it, else the word in lower case; a name as it is."""
    if token.concept and token.upos != "PROPN":
        entries = CONCEPTS[token.concept][1]
        return next(e[""] for e in entries if token.form.lower() in e.values())
    return token.form if token.upos == "PROPN" else token.form.lower()
