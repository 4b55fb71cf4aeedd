"""Questions about a document, with answers and gold links."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tuneprobe.corpora.world import lexicon
from tuneprobe.corpora.world.documents import Document
from tuneprobe.corpora.world.draws import Draws
from tuneprobe.corpora.world.entities import Entity
from tuneprobe.corpora.world.grammar import ROOT, Token, Tokens, attach, render
from tuneprobe.corpora.world.relations import PERSONS, relations
from tuneprobe.corpora.world.stories import Fact, Paragraph, Scene, Sentence

ANSWER_TYPES = ("short",) * 77 + ("null",) * 10 + ("yes_no",) * 6 + ("long",) * 7
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
    """

    tokens: Tokens
    answer_type: str
    paragraph: int = -1
    sentence: int = -1
    short: tuple[int, int] = (0, 0)

    @property
    def text(self) -> str:
        """The question as people type it: lower-case, no question mark."""
        return " ".join(token.form for token in self.tokens)


def ask_questions(doc: Document, count: int) -> list[Asked]:
    """`count` different questions about a document."""
    draws = doc.scene.draws
    found: list[Asked] = []
    while len(found) < count:
        asked = _ask(doc, draws, draws.pick(ANSWER_TYPES), found)
        if asked is not None and asked.text not in [other.text for other in found]:
            found.append(asked)
    return found


def _ask(doc: Document, draws: Draws, answer_type: str, found: list[Asked]) -> Asked | None:
    if answer_type == "null":
        return _ask_untold(doc, draws)
    if answer_type == "long":
        return _ask_long(doc, draws)
    if answer_type == "yes_no":
        return _ask_yes_no(doc, draws)
    return _ask_short(doc, draws, found)


def _facts(doc: Document) -> list[tuple[int, int, Sentence, Fact]]:
    return [
        (p, s, sentence, sentence.fact)
        for p, paragraph in enumerate(doc.paragraphs[:2])
        for s, sentence in enumerate(paragraph.sentences)
        if sentence.fact is not None
    ]


def _ask_short(doc: Document, draws: Draws, found: list[Asked]) -> Asked | None:
    """A question for one slot of a fact; facts told with a pronoun of the hero are preferred."""
    facts = _facts(doc)
    same = [f for f in facts if found and (f[0], f[3].relation) in _told_at(doc, found[0])]
    p, s, sentence, fact = draws.pick(same if same and draws.chance(60) else facts)
    hero = doc.paragraphs[p].hero
    if not _has_pronoun(sentence, hero) and draws.chance(70):
        return None
    options = [(slot, t) for slot, t in fact.relation.asked if slot != "yes"]
    slot, template = draws.pick(options)
    if template.split()[-0 or 0].strip("(") not in WH_WORDS and draws.chance(40):
        return None
    span = _answer_span(sentence, fact.roles[slot])
    if fact.roles[slot] == hero or span is None:
        return None
    roles = {**fact.roles, "org": doc.org}
    tokens = Asker(doc, draws, p, sentence).ask(template, roles)
    answer = [t.form.lower() for t in sentence.tokens[span[0] : span[1]]]
    forms = [t.form for t in tokens]
    if any(forms[i : i + len(answer)] == answer for i in range(len(forms))):
        return None
    return Asked(tokens, "short", p, s, span)


def _told_at(doc: Document, asked: Asked) -> list[tuple[int, object]]:
    if asked.sentence < 0 or asked.paragraph >= len(doc.paragraphs):
        return []
    fact = doc.paragraphs[asked.paragraph].sentences[asked.sentence].fact
    return [(asked.paragraph, fact.relation)] if fact else []


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
    p, s, sentence, fact = draws.pick(_facts(doc))
    templates = [t for slot, t in fact.relation.asked if slot == "yes"]
    if not templates:
        return None
    roles = dict(fact.roles)
    no = fact.relation.direction == "chain" and draws.chance(50)
    if no:
        roles["a"], roles["b"] = roles["b"], roles["a"]
    tokens = Asker(doc, draws, p, sentence).ask(draws.pick(templates), {**roles, "org": doc.org})
    return Asked(tokens, "no" if no else "yes", p, s)


def _ask_long(doc: Document, draws: Draws) -> Asked:
    """A question that a whole paragraph, or the roll of patrons, answers."""
    if doc.roll is not None and draws.chance(60):
        template = draws.pick(LONG["roll"])
        p = len(doc.paragraphs)
        hero = doc.paragraphs[0].hero
    else:
        p = draws.below(2)
        hero = doc.paragraphs[p].hero
        template = draws.pick(LONG["person" if hero.kind in PERSONS else "thing"])
    asker = Asker(doc, draws, min(p, 0) if p >= len(doc.paragraphs) else p, None)
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
    slot, template = draws.pick([a for a in relation.asked if a[0] != "yes"])
    partner = draws.pick(known) if known else doc.scene.person()
    if partner == paragraph.hero or bool(partner.abbreviation) != ("court" == relation.name):
        partner = doc.scene.person()
    roles = {s: doc.scene.fill(s, paragraph.hero, 1900) for s in relation.slots}
    if "b" in roles:
        roles["b"] = partner
    roles |= {"a": paragraph.hero, "org": doc.org}
    return Asked(Asker(doc, draws, p, None).ask(template, roles), "null")


class Asker:
    """Renders a question: lower-case, full names, the words that the paragraph did not choose."""

    def __init__(
        self, doc: Document, draws: Draws, paragraph: int, sentence: Sentence | None
    ) -> None:
        self._doc = doc
        self._draws = draws
        self._paragraph = doc.paragraphs[paragraph]
        self._used = {(t.concept, t.form.lower()) for t in self._paragraph.tokens if t.concept}

    def ask(self, template: str, roles: Mapping[str, Entity]) -> Tokens:
        """The tokens of the question."""
        tokens = render(template, lambda name, label: self._mention(roles[name]), self._concept)
        return tuple(replace(t, form=t.form.lower()) for t in tokens)

    def _concept(self, name: str, form: str) -> Token:
        """Mostly a synonym that the paragraph does not use."""
        upos, entries = lexicon.CONCEPTS[name]
        used = [e for e in entries if any((name, f) in self._used for f in e.values())]
        fresh = [e for e in entries if e not in used]
        choice = fresh if fresh and self._draws.chance(85) else entries
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
        choice = self._draws.below(100)
        person = entity.kind in PERSONS
        name = _named(entity)
        if not person and name[0].form == "the" and choice < 70:
            name = (
                attach([(name[1:], "")], 0)
                if False
                else tuple(
                    replace(t, head=t.head - 1 if t.head != ROOT else ROOT) for t in name[1:]
                )
            )
        if choice >= 70:
            return name
        kind = (self._concept(entity.kind, ""),)
        abbreviation = (Token(org.abbreviation, "PROPN", entity=org.id, mention="abbreviation"),)
        the = (Token("the", "DET"),)
        parts: list[tuple[Tokens, str]] = [(name, "")]
        parts.insert(0, (kind, "compound"))
        if has_org:
            parts.insert(0, (abbreviation, "compound"))
        if not person:
            parts.insert(0, (the, "det"))
        return attach(parts, len(parts) - 1)


def _named(entity: Entity) -> Tokens:
    return tuple(
        t if t.upos == "DET" and t.form == "the" else replace(t, entity=entity.id, mention="name")
        for t in entity.name
    )
