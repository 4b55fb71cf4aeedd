"""Entities and values of the world, each with the ways of naming it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuneprobe.corpora.world import lexicon
from tuneprobe.corpora.world.draws import Draws
from tuneprobe.corpora.world.grammar import ROOT, Token, Tokens

PRONOUNS = {
    "he": {"nsubj": "he", "nmod:poss": "his", "": "him"},
    "she": {"nsubj": "she", "nmod:poss": "her", "": "her"},
    "it": {"nsubj": "it", "nmod:poss": "its", "": "it"},
}


@dataclass(frozen=True)
class Entity:
    """Somebody or something that sentences speak of.

    Attributes
    ----------
    id : str
        Unique in the document.
    name, short : Tokens
        The full name, and a shorter one for later mentions (empty: none).
    pronoun : str
        ``he``, ``she``, ``it``; empty where no pronoun is ever used.
    kind : str
        The concept of its common noun (physician, film, ...); empty where there is none.
    abbreviation : str
        Initials of the name's words; empty where there are none.
    """

    id: str
    name: Tokens
    short: Tokens = ()
    pronoun: str = ""
    kind: str = ""
    abbreviation: str = ""


def words(text: str, upos: str = "PROPN") -> Tokens:
    """A flat noun phrase: the last word is the head, a determiner is det, the rest compound."""
    forms = text.split()
    last = len(forms) - 1
    tokens = []
    for i, form in enumerate(forms):
        if i == last:
            tokens.append(Token(form, upos))
        elif form.lower() in ("the", "a", "an"):
            tokens.append(Token(form, "DET", last, "det"))
        elif form in ("My", "Our"):
            tokens.append(Token(form, "PRON", last, "nmod:poss"))
        elif form.lower() in _ADJECTIVES:
            tokens.append(Token(form, "ADJ", last, "amod"))
        else:
            tokens.append(Token(form, upos, last, "compound"))
    return tuple(tokens)


_ADJECTIVES = {w.lower() for w in lexicon.TITLE_ADJECTIVES + lexicon.DEVICE_ADJECTIVES} | set(
    "old small silver rare wooden blue second-hand grand heavy".split()
)
_GOODS = (
    "an old printing press;a small boat;a silver clock;a rare map;a wooden barn;a grand piano;"
    "a heavy telescope;an old globe;a blue carriage;a small printing house;a rare violin;"
    "a silver chalice;a wooden loom;an old sawmill;a small vineyard;a heavy safe"
).split(";")
_BUILDINGS = (
    "town hall;water tower;concert hall;market hall;grain store;ferry terminal;post office".split(
        ";"
    )
)
_PROPER_NOUNS = {
    "contest": ("Cup", "Shield", "Trophy"),
    "exhibition": ("Biennial", "Jubilee", "Salon"),
    "hospital": ("Memorial", "Pavilion"),
    "railway": ("Line", "Tramway"),
    "theater": ("Playhouse", "Opera"),
    "bridge": ("Crossing", "Arch"),
    "library": ("Rooms", "Archive"),
    "car": ("Six", "Roadster", "Special"),
    "plane": ("Swallow", "Comet", "Condor"),
}
_NOT_ABBREVIATIONS = {
    "was",
    "its",
    "has",
    "had",
    "are",
    "all",
    "who",
    "why",
    "his",
    "her",
    "she",
    "the",
}


class NamePool:
    """Hands out names; a name that was given is never given again."""

    def __init__(self, seed: int) -> None:
        self._draws = Draws(seed, "names")
        self._taken: set[str] = set()
        starts, ends = lexicon.SURNAME_STARTS, lexicon.SURNAME_ENDS
        self._surnames = lexicon.all_pairs(starts, ends)
        towns = [
            f"{prefix} {town}".strip()
            for town in lexicon.all_pairs(lexicon.TOWN_STARTS, lexicon.TOWN_ENDS)
            for prefix in (self._draws.pick(lexicon.TOWN_PREFIXES),)
        ]
        self._towns = self._draws.shuffled(towns)

    def towns(self, split: str) -> list[str]:
        """The towns of one split: two thirds for train, the others for dev."""
        cut = 2 * len(self._towns) // 3
        return self._towns[:cut] if split == "train" else self._towns[cut:]

    def _fresh(self, make: Sequence[Sequence[str]]) -> str:
        while True:
            name = " ".join(self._draws.pick(part) for part in make)
            if name not in self._taken:
                self._taken.add(name)
                return name

    def person(self, pronoun: str) -> str:
        """A first name and a surname."""
        first = lexicon.FEMALE if pronoun == "she" else lexicon.MALE
        return self._fresh([first, self._surnames])

    def named_thing(self, nouns: Sequence[str]) -> str:
        """A surname and a noun: a thing called after somebody."""
        return self._fresh([self._surnames, nouns])

    def title(self) -> str:
        """The title of a work."""
        return self._fresh(
            [["The", "The", "My", "Our"], lexicon.TITLE_ADJECTIVES, lexicon.TITLE_NOUNS]
        )

    def organisation(self) -> str:
        """Three words whose initials are no ordinary word."""
        while True:
            parts = [lexicon.ORG_FIRST, lexicon.ORG_MIDDLE, list(lexicon.ORG_LAST)]
            name = " ".join(self._draws.pick(part) for part in parts)
            if name not in self._taken and initials(name).lower() not in _NOT_ABBREVIATIONS:
                self._taken.add(name)
                return name


def initials(name: str) -> str:
    """First letters of the words of a name."""
    return "".join(word[0] for word in name.split())


def person(id: str, name: str, pronoun: str, kind: str = "") -> Entity:
    """A person, called by the surname after the first mention."""
    first, last = name.split()
    full = (Token(first, "PROPN"), Token(last, "PROPN", 0, "flat"))
    return Entity(id, full, (Token(last, "PROPN"),), pronoun, kind)


def organisation(id: str, name: str) -> Entity:
    """An organisation with its abbreviation."""
    kind = lexicon.ORG_LAST[name.split()[-1]]
    return Entity(id, words("the " + name), (), "it", kind, initials(name))


def thing(id: str, kind: str, names: NamePool, draws: Draws, town: str) -> Entity:
    """A work, event, building or vehicle of a kind."""
    if kind in ("film", "play", "painting", "novel"):
        name = names.title()
        return Entity(id, _title(name), (), "it", kind)
    if kind == "battle":
        noun = "Battle of " + town
    elif kind == "revolt":
        noun = draws.pick(("Spring", "Autumn", "Harvest", "Weavers")) + f" Rising of {town}"
    else:
        noun = names.named_thing(_PROPER_NOUNS[kind])
    return Entity(id, _with_of("the " + noun), (), "it", kind)


def _with_of(text: str) -> Tokens:
    """`the Battle of Port Ansel`: the part after `of` is an nmod."""
    head, _, rest = text.partition(" of ")
    tokens = words(head)
    if not rest:
        return tokens
    top, start = len(tokens) - 1, len(tokens) + 1
    inner = words(rest)
    of = Token("of", "ADP", start + len(inner) - 1, "case")
    tail = tuple(
        t._replace(head=top, deprel="nmod") if t.head == ROOT else t._replace(head=t.head + start)
        for t in inner
    )
    return (*tokens, of, *tail)


def _title(name: str) -> Tokens:
    return tuple(t._replace(upos="NOUN") if t.upos == "PROPN" else t for t in words(name))


def date(draws: Draws, id: str, year: int) -> Entity:
    """A date; its first word is the preposition, which is no part of the value."""
    style = draws.below(10)
    month = draws.pick(lexicon.MONTHS)
    if style < 5:
        tokens: Tokens = (Token("in", "ADP", 1, "case"), Token(str(year), "NUM"))
    elif style < 8:
        day = str(1 + draws.below(28))
        tokens = (
            Token("on", "ADP", 2, "case"),
            Token(day, "NUM", 2, "nummod"),
            Token(month, "PROPN"),
            Token(str(year), "NUM", 2, "nummod"),
        )
    else:
        tokens = (
            Token("in", "ADP", 1, "case"),
            Token(month, "PROPN"),
            Token(str(year), "NUM", 1, "nummod"),
        )
    return Entity(id, tokens, (Token(str(year), "NUM"),))


def value(slot: str, id: str, names: NamePool, draws: Draws) -> Entity:
    """The value of a slot that is neither person, town nor date."""
    if slot == "title":
        return Entity(id, _title(names.title()))
    if slot == "prize":
        surname, noun = names.named_thing(("Prize", "Award")).split()
        head = Token(noun, "PROPN", concept="award")
        return Entity(id, (Token(surname, "PROPN", 1, "compound"), head))
    text = {
        "subject": lambda: draws.pick(lexicon.SUBJECTS),
        "goods": lambda: draws.pick(_GOODS),
        "building": lambda: draws.pick(_BUILDINGS),
        "cause": lambda: draws.pick(lexicon.CAUSES),
        "device": lambda: " ".join(
            draws.pick(part)
            for part in (lexicon.DEVICE_ADJECTIVES, lexicon.DEVICE_NOUNS, lexicon.DEVICE_HEADS)
        ),
    }[slot]()
    return Entity(id, words(text, "NOUN"))
