"""Questions about a document, with answers and gold links."""

from collections.abc import Mapping
from dataclasses import dataclass

from tuneprobe.corpora.world import lexicon
from tuneprobe.corpora.world.documents import Document
from tuneprobe.corpora.world.draws import Draws
from tuneprobe.corpora.world.entities import Entity
from tuneprobe.corpora.world.grammar import ROOT, Token, Tokens, attach, render
from tuneprobe.corpora.world.relations import PERSONS, relations
from tuneprobe.corpora.world.stories import Fact, Sentence

ANSWER_TYPES = ("short",) * 77 + ("null",) * 10 + ("yes_no",) * 6 + ("long",) * 7
TRIES = 40
WH_WORDS = ("who", "when", "where")


@dataclass(frozen=True)
class Asked:
    """A question and where its answer is.

    Attributes
    ----------
    answer_type : str
        ``short``, ``long``, ``yes``, ``no`` or ``null``.
    paragraph, sentence : int
        Of the answer; the paragraph after the last one is the roll of patrons; -1 for none.
    short : (start, end)
        Words of the answer's sentence; (0, 0) for none.
    slot : str
        Of the relation, which the short answer fills.
    """

    tokens: Tokens
    answer_type: str
    paragraph: int = -1
    sentence: int = -1
    short: tuple[int, int] = (0, 0)
    slot: str = ""

    @property
    def text(self) -> str:
        """The question as people type it: lower-case, no question mark."""
        return " ".join(token.form for token in self.tokens)


def ask_questions(doc: Document, count: int) -> list[Asked]:
    """`count` different questions about a document."""
    draws = doc.scene.draws
    found: list[Asked] = []
    for _ in range(count):
        wanted = draws.pick(ANSWER_TYPES)
        asked = None
        while asked is None or any(_alike(asked, other) for other in found):
            asked = next(
                (a for _ in range(TRIES) if (a := _ask(doc, draws, wanted, found)) is not None),
                None,
            )
            wanted = draws.pick(ANSWER_TYPES)
        found.append(asked)
    return found


def _alike(first: Asked, second: Asked) -> bool:
    """The same words, or a question for the same answer."""
    answers = [(a.answer_type, a.paragraph, a.sentence, a.short) for a in (first, second)]
    return first.text == second.text or (first.answer_type != "null" and answers[0] == answers[1])


def _ask(doc: Document, draws: Draws, answer_type: str, found: list[Asked]) -> Asked | None:
    if answer_type == "null":
        return _ask_untold(doc, draws)
    if answer_type == "long":
        return _ask_long(doc, draws)
    if answer_type == "yes_no":
        return _ask_yes_no(doc, draws)
    return _ask_short(doc, draws, found)


Told = tuple[int, int, Sentence, Fact]


def _facts(doc: Document) -> list[Told]:
    """Paragraph, sentence and fact of everything that can be asked."""
    return [
        (p, s, sentence, sentence.fact)
        for p, paragraph in enumerate(doc.paragraphs[:2])
        for s, sentence in enumerate(paragraph.sentences)
        if sentence.fact is not None
    ]


def _ask_short(doc: Document, draws: Draws, found: list[Asked]) -> Asked | None:
    """A question for one slot of a fact; facts told with a pronoun of the hero are preferred."""
    mirrored = _mirrored(doc, found[0]) if found and draws.chance(40) else []
    p, s, sentence, fact = draws.pick(mirrored or _facts(doc))
    hero = doc.paragraphs[p].hero
    if not _has_pronoun(sentence, hero) and draws.chance(70):
        return None
    slots = [found[0].slot] if mirrored else [slot for slot, _ in fact.relation.asked]
    slot, template = draws.pick([(slot, t) for slot, t in fact.relation.asked if slot in slots])
    if slot == "yes" or (_first_word(template) not in WH_WORDS and draws.chance(50)):
        return None
    span = _answer_span(sentence, fact.roles[slot])
    if fact.roles[slot] == hero or span is None:
        return None
    roles = {**fact.roles, "org": doc.org}
    if "what/D year/N" in template:
        span = (span[1] - 1, span[1])
    tokens = Asker(doc, draws, p).ask(template, roles)
    answer = [t.form.lower() for t in sentence.tokens[span[0] : span[1]]]
    forms = [t.form for t in tokens]
    if any(forms[i : i + len(answer)] == answer for i in range(len(forms))):
        return None
    return Asked(tokens, "short", p, s, span, slot)


def _first_word(template: str) -> str:
    return template.split()[0].split(":")[0]


def _mirrored(doc: Document, asked: Asked) -> list[Told]:
    """Facts of the same relation as an answered question, with the roles turned round."""
    here = [f for f in _facts(doc) if f[:2] == (asked.paragraph, asked.sentence)]
    if not here or not asked.slot:
        return []
    relation = here[0][3].relation
    return [
        f
        for f in _facts(doc)
        if f[0] == asked.paragraph and f[3].relation == relation and f != here[0]
    ]


def _has_pronoun(sentence: Sentence, hero: Entity) -> bool:
    return any(t.entity == hero.id and t.mention == "pronoun" for t in sentence.tokens)


def _answer_span(sentence: Sentence, answer: Entity) -> tuple[int, int] | None:
    places = [
        i
        for i, t in enumerate(sentence.tokens)
        if t.entity == answer.id and t.mention in ("name", "short")
    ]
    if not places:
        return None
    return places[0], places[-1] + 1


def _ask_yes_no(doc: Document, draws: Draws) -> Asked | None:
    """Is it so? Or, for a relation with a direction, is it the other way round?"""
    p, s, _, fact = draws.pick(_facts(doc))
    templates = [t for slot, t in fact.relation.asked if slot == "yes"]
    if not templates:
        return None
    roles = dict(fact.roles)
    no = fact.relation.direction == "chain" and draws.chance(70)
    if no:
        roles["a"], roles["b"] = roles["b"], roles["a"]
    tokens = Asker(doc, draws, p).ask(draws.pick(templates), {**roles, "org": doc.org})
    return Asked(tokens, "no" if no else "yes", p, s)


def _ask_long(doc: Document, draws: Draws) -> Asked:
    """A question that a whole paragraph, or the roll of patrons, answers."""
    if doc.roll is not None and draws.chance(60):
        template = draws.pick(LONG["roll"])
        p = len(doc.paragraphs)
        told, hero = 0, doc.paragraphs[0].hero
    else:
        told = p = draws.below(2)
        hero = doc.paragraphs[p].hero
        template = draws.pick(LONG["person" if hero.kind in PERSONS else "thing"])
    asker = Asker(doc, draws, told)
    return Asked(asker.ask(template, {"a": hero, "org": doc.org}), "long", p)


LONG = {
    "roll": (
        "who were the *patrons/N (nmod of @a)",
        "*list/N (nmod of the patrons/N (nmod of @a))",
        "what:det people/N:nsubj *supported @a:obj (obl with money/N)",
    ),
    "person": (
        "what:nsubj is @a:nsubj:pass *known/V (obl for)",
        "how did @a:nsubj *become (xcomp famous/A)",
        "why is @a:nsubj *remembered",
    ),
    "thing": (
        "what is the *history/N (nmod of @a)",
        "why is @a:nsubj *remembered",
        "what *happened (obl to @a) (obl over the years/N)",
    ),
}


def _ask_untold(doc: Document, draws: Draws) -> Asked | None:
    """A question about a fact that the document does not tell."""
    p = draws.below(2)
    paragraph = doc.paragraphs[p]
    told = {f.relation.name for _, _, _, f in _facts(doc)}
    known = [e for _, _, _, f in _facts(doc) for s, e in f.roles.items() if s in ("b", "c")]
    fitting = [r for r in relations() if paragraph.hero.kind in r.kinds and r.name not in told]
    relation = draws.pick(fitting)
    template = draws.pick([t for slot, t in relation.asked if slot != "yes"])
    partner = draws.pick(known) if known else doc.scene.person()
    if partner == paragraph.hero or bool(partner.abbreviation) != (relation.name == "court"):
        partner = doc.scene.person()
    roles = {s: doc.scene.fill(s, paragraph.hero, 1900) for s in relation.slots}
    if "b" in roles:
        roles["b"] = partner
    roles |= {"a": paragraph.hero, "org": doc.org}
    return Asked(Asker(doc, draws, p).ask(template, roles), "null")


class Asker:
    """Renders a question: lower-case, full names, the words that the paragraph did not choose."""

    def __init__(self, doc: Document, draws: Draws, paragraph: int) -> None:
        self._doc = doc
        self._draws = draws
        self._paragraph = doc.paragraphs[paragraph]
        self._used = {(t.concept, t.form.lower()) for t in self._paragraph.tokens if t.concept}

    def ask(self, template: str, roles: Mapping[str, Entity]) -> Tokens:
        """The tokens of the question."""
        tokens = render(template, lambda name, label: self._mention(roles[name]), self._concept)
        return tuple(t._replace(form=t.form.lower()) for t in tokens)

    def _concept(self, name: str, form: str) -> Token:
        """Mostly a synonym that the paragraph does not use."""
        upos, entries = lexicon.CONCEPTS[name]
        used = [e for e in entries if any((name, f) in self._used for f in e.values())]
        fresh = [e for e in entries if e not in used]
        choice = fresh if fresh and self._draws.chance(60) else entries
        return Token(self._draws.pick(choice)[form], upos, concept=name)

    def _mention(self, entity: Entity) -> Tokens:
        hero = entity == self._paragraph.hero
        if entity.abbreviation:
            if self._draws.chance(75 if hero else 90):
                abbreviation = Token(
                    entity.abbreviation, "PROPN", entity=entity.id, mention="abbreviation"
                )
                return (Token("the", "DET", 1, "det"), abbreviation)
            return _named(entity)
        if hero and entity.kind:
            return self._described(entity)
        return _named(entity)

    def _described(self, entity: Entity) -> Tokens:
        """`nrc physician ilsa brandt`, `the movie the lost meridian`, or the bare name."""
        org = self._doc.org
        has_org = any(t.entity == org.id for t in self._paragraph.tokens)
        person = entity.kind in PERSONS
        name = _named(entity)
        if self._draws.chance(18):
            return name
        parts: list[tuple[Tokens, str]] = [] if person else [((Token("the", "DET"),), "det")]
        if has_org:
            abbreviation = Token(org.abbreviation, "PROPN", entity=org.id, mention="abbreviation")
            parts.append(((abbreviation,), "compound"))
        parts += [((self._concept(entity.kind, ""),), "compound"), (_without_the(name), "")]
        return attach(parts, len(parts) - 1)


def _without_the(name: Tokens) -> Tokens:
    if name[0].form != "the":
        return name
    return tuple(t._replace(head=max(t.head - 1, ROOT)) for t in name[1:])


def _named(entity: Entity) -> Tokens:
    return tuple(
        t if t.upos == "DET" and t.form == "the" else t._replace(entity=entity.id, mention="name")
        for t in entity.name
    )
