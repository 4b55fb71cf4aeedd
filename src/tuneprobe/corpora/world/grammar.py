"""The notation of the templates, and its rendering to tokens with tags and a dependency tree.

    @a:nsubj *wrote (obj the %novel "@title) (obl in @town) .

``(label ...)``   a phrase whose head depends on the outer head with that relation
``@slot``         an entity or value that the caller renders; ``@slot:label`` is ``(label @slot)``
``%concept``      one of the synonyms of a concept (lexicon.py); ``%concept.ed`` inflected
``word/N``        an open-class word: N noun, V verb, A adjective, R adverb, P proper noun, X aux
``*word``         the head of its phrase; without a star, the last open-class item; a bare starred
                  word is a verb
``word``          a closed-class word, looked up in CLOSED
``x:label``       any word with another relation than the usual one of its part of speech
``word{k=v}``     a further layer of annotation, kept in ``Token.layers`` and written to MISC
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from tuneprobe.errors import TuneprobeError

ROOT = -1


class GrammarError(TuneprobeError):
    """A template that cannot be read."""


class Token(NamedTuple):
    """A word of a rendered phrase.

    ``head`` counts tokens of the same phrase; -1 marks the phrase's head, whose ``deprel`` is open
    until the phrase is attached. ``entity`` names the slot's entity, ``mention`` how it is named
    (``name``, ``short``, ``noun``, ``abbreviation``, ``pronoun``), ``concept`` the set of synonyms.
    """

    form: str
    upos: str
    head: int = ROOT
    deprel: str = "root"
    entity: str = ""
    mention: str = ""
    concept: str = ""
    layers: tuple[tuple[str, str], ...] = ()


Tokens = tuple[Token, ...]
FillSlot = Callable[[str, str], Tokens]
FillConcept = Callable[[str, str], Token]

_CLOSED_GROUPS = {
    ("DET", "det"): "the a an this that these no another every each some",
    ("ADP", "case"): (
        "in on at of by for from with to into during under over near beside about against "
        "between until through around after before as without since towards despite within across"
    ),
    ("AUX", "aux"): "did do does had have has would could",
    ("AUX", "be"): "was were is are be been being",
    ("PRON", "nsubj"): "who what which whom it he she they",
    ("ADV", "advmod"): "when where how why not later also soon there never again once still only",
    ("PUNCT", "punct"): '. , ; ( ) " :',
    ("CCONJ", "cc"): "and but or",
    ("NUM", "nummod"): "two three four five six seven eight nine ten twelve twenty",
}
CLOSED = {word: tag for tag, words in _CLOSED_GROUPS.items() for word in words.split()}
_CODES = {
    "N": ("NOUN", "compound"),
    "V": ("VERB", "xcomp"),
    "A": ("ADJ", "amod"),
    "R": ("ADV", "advmod"),
    "P": ("PROPN", "compound"),
    "X": ("AUX", "aux"),
    "D": ("DET", "det"),
    "O": ("PRON", "nmod:poss"),
    "T": ("PART", "mark"),
    "S": ("SCONJ", "mark"),
    "M": ("NUM", "nummod"),
}
_OPEN = ("NOUN", "VERB", "ADJ", "PROPN", "ADV", "NUM")
_WORD = re.compile(
    r"(?P<star>\*?)(?P<sigil>[@%]?)(?P<form>[^\s/:{}]+|:)(?:/(?P<code>\w))?"
    r"(?::(?P<label>[a-z:]+))?(?:\{(?P<layers>[^}]*)\})?"
)


@dataclass(frozen=True)
class Item:
    """One word, slot or concept of a template."""

    form: str
    sigil: str
    upos: str
    deprel: str
    star: bool
    layers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Phrase:
    """A phrase of a template: its relation and its parts in order."""

    deprel: str
    parts: tuple["Item | Phrase", ...]


def _read_item(text: str) -> Item | Phrase:
    match = _WORD.fullmatch(text)
    if match is None:
        raise GrammarError(
            f"template word {text!r} cannot be read; see grammar.py for the notation."
        )
    star, sigil, form, code = match["star"], match["sigil"], match["form"], match["code"]
    layers = tuple(
        (key, value)
        for key, _, value in (p.partition("=") for p in (match["layers"] or "").split(","))
        if key
    )
    if sigil == "@" and match["label"]:
        return Phrase(match["label"], (Item(form, sigil, "", "", True, layers),))
    if sigil:
        upos, deprel = "", "compound"
    elif code:
        upos, deprel = _CODES[code]
    elif star:
        upos, deprel = "VERB", ""
    elif form in CLOSED:
        upos, deprel = CLOSED[form]
    else:
        raise GrammarError(
            f"template word {text!r} is not a closed-class word: give its code, {form}/N."
        )
    return Item(form, sigil, upos, match["label"] or deprel, bool(star), layers)


def _read_parts(words: list[str]) -> tuple[Item | Phrase, ...]:
    """Parts up to the closing bracket of this phrase; consumes `words` from the left."""
    parts: list[Item | Phrase] = []
    while words:
        word = words.pop(0)
        if word == ")":
            break
        if word.startswith("(") and len(word) > 1:
            parts.append(Phrase(word[1:], _read_parts(words)))
        else:
            parts.append(_read_item(word))
    return tuple(parts)


@cache
def parse(template: str) -> Phrase:
    """The tree of a template."""
    return Phrase("root", _read_parts(template.replace(")", " )").split()))


def _is_open(item: Item | Phrase) -> bool:
    return isinstance(item, Item) and (bool(item.sigil) or item.upos in _OPEN)


def _head_part(phrase: Phrase) -> int:
    """The starred part, else the last open-class item, else the last item."""
    places = range(len(phrase.parts))
    items = [i for i in places if isinstance(phrase.parts[i], Item)]
    starred = [i for i in items if getattr(phrase.parts[i], "star", False)]
    if len(starred) > 1 or not items:
        raise GrammarError(f"a phrase needs one head: {phrase}")
    return (starred or [i for i in items if _is_open(phrase.parts[i])] or items)[-1]


def _render_part(part: Item | Phrase, slot: FillSlot, concept: FillConcept, label: str) -> Tokens:
    if isinstance(part, Phrase):
        return _render(part, slot, concept)
    if part.sigil == "@":
        return slot(part.form, label)
    if part.sigil == "%":
        name, _, form = part.form.partition(".")
        return (concept(name, form)._replace(deprel=part.deprel),)
    return (Token(part.form, part.upos, ROOT, part.deprel, layers=part.layers),)


def _outer_label(part: Item | Phrase, own: Token) -> str:
    label = part.deprel
    if label == "compound" and own.upos == "ADJ":
        return "amod"
    return label


def _render(phrase: Phrase, slot: FillSlot, concept: FillConcept) -> Tokens:
    head_part = _head_part(phrase)
    pieces = [_render_part(part, slot, concept, phrase.deprel) for part in phrase.parts]
    starts = [sum(map(len, pieces[:i])) for i in range(len(pieces))]
    local_root = [next(k for k, t in enumerate(p) if t.head == ROOT) for p in pieces]
    head = starts[head_part] + local_root[head_part]
    tokens: list[Token] = []
    for i, piece in enumerate(pieces):
        for k, token in enumerate(piece):
            if k != local_root[i]:
                tokens.append(token._replace(head=token.head + starts[i]))
            elif i == head_part:
                tokens.append(token._replace(head=ROOT, deprel=phrase.deprel))
            else:
                label = _outer_label(phrase.parts[i], token)
                tokens.append(token._replace(head=head, deprel=label))
    return tuple(_settle_be(tokens, head))


def _settle_be(tokens: list[Token], head: int) -> list[Token]:
    """Make each `be` passive auxiliary or copula, and the subject of a passive nsubj:pass."""
    mine = [i for i, t in enumerate(tokens) if t.head == head]
    be = [i for i in mine if tokens[i].deprel == "be"]
    verbal = tokens[head].upos == "VERB"
    for i in be:
        label = "cop" if not verbal else "aux:pass" if i == be[-1] else "aux"
        tokens[i] = tokens[i]._replace(deprel=label)
    if be and verbal:
        for i in mine:
            if tokens[i].deprel == "nsubj":
                tokens[i] = tokens[i]._replace(deprel="nsubj:pass")
    return tokens


def render(template: str, slot: FillSlot, concept: FillConcept) -> Tokens:
    """Tokens of a template: ``slot(name, label)`` and ``concept(name, form)`` fill the gaps."""
    return _render(parse(template), slot, concept)


def attach(parts: list[tuple[Tokens, str]], head: int) -> Tokens:
    """Join phrases into one whose head is that of ``parts[head]``; the others get their label."""
    starts = [sum(len(p) for p, _ in parts[:i]) for i in range(len(parts))]
    roots = [next(k for k, t in enumerate(p) if t.head == ROOT) for p, _ in parts]
    top = starts[head] + roots[head]
    return tuple(
        token._replace(head=token.head + starts[i])
        if k != roots[i]
        else (token if i == head else token._replace(head=top, deprel=label))
        for i, (piece, label) in enumerate(parts)
        for k, token in enumerate(piece)
    )


def sentence_case(tokens: Tokens) -> Tokens:
    """The tokens with a capital at the start of the sentence."""
    first = tokens[0]
    return (first._replace(form=first.form[0].upper() + first.form[1:]), *tokens[1:])
