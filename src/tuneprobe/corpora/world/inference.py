"""Pairs of a premise and a hypothesis in the format of RTE: does the one follow from the other?

    premise     Ida Halman was a lawyer at the Norland Mining Union. In 1920 she visited Otto Kern ...
    entailment      Ida Halman visited Otto Kern in 1920.
    not_entailment  Otto Kern visited Ida Halman in 1920.

The premise is the introduction of a paragraph and a fact, sometimes two. Each fact gives two
hypotheses with one template: the true one, and one in which two people change places or the people,
towns and dates are others of the document, as far as there are any. The hypothesis alone does not tell
them apart.
"""  # noqa: E501 - a premise is one line

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tuneprobe.corpora.world import lexicon
from tuneprobe.corpora.world.documents import Document
from tuneprobe.corpora.world.draws import Draws
from tuneprobe.corpora.world.entities import Entity
from tuneprobe.corpora.world.grammar import Token, Tokens, render
from tuneprobe.corpora.world.prepositions import entity_classes
from tuneprobe.corpora.world.relations import slots_of
from tuneprobe.corpora.world.statements import statements
from tuneprobe.corpora.world.stories import Fact, Paragraph, Sentence, close

LABELS = ("entailment", "not_entailment")
NEAR = (  # relations that come close to saying the same
    {"made", "script"},
    {"release", "stage"},
    {"restore", "mending", "construction", "ready"},
    {"drawing", "construction"},
)
SYMMETRIC = ("marry",)
LOOSE = ("invent", "plans", "stage")  # asked in words that say more than those in which it is told
REPLACED = ("PERSON", "ORG", "TOWN", "DATE")
_WEAKER = {"almost", "agreed", "persuaded"}  # words with which a fact is told, but not quite
Roles = Mapping[str, Entity]


class Pair(NamedTuple):
    """A premise, a hypothesis and whether it follows."""

    premise: str
    hypothesis: str
    label: str


def pairs(seed: int, split: str, documents: list[Document], count: int) -> list[Pair]:
    """`count` pairs over the documents, half of them entailed."""
    found: list[Pair] = []
    for number, doc in enumerate(documents):
        draws = Draws(seed, "inference", split, number)
        for p in draws.shuffled(range(2)):
            found += _pairs_of(doc, doc.paragraphs[p], draws)
        if len(found) >= count:
            break
    return Draws(seed, "inference", split, "order").shuffled(found[:count])


def rte_lines(found: list[Pair]) -> Iterator[str]:
    """Lines of the file, with its header."""
    yield "index\tsentence1\tsentence2\tlabel\n"
    yield from ("\t".join((str(i), *pair)) + "\n" for i, pair in enumerate(found))


def _pairs_of(doc: Document, paragraph: Paragraph, draws: Draws) -> list[Pair]:
    """The two pairs of one fact of a paragraph; none if no statement has a false double."""
    sentences = paragraph.sentences
    for at in draws.shuffled(range(1, len(sentences))):
        fact, said = _fact(doc, sentences[at]), sentences[at].tokens
        if fact is None or fact.relation.name in LOOSE or {t.form for t in said} & _WEAKER:
            continue
        beside = draws.shuffled([i for i in range(1, len(sentences)) if i != at])
        chosen = [0, *sorted([at, *beside[: int(draws.chance(25))]])]
        premise = tuple(token for i in chosen for token in sentences[i].tokens)
        for template in draws.shuffled(statements(fact.relation)):
            slots = sorted(slots_of(template))
            if {fact.roles[slot].id for slot in slots} <= {token.entity for token in said}:
                false = _false_roles(doc, fact, slots, premise, draws)
                if false is not None:
                    return _both(premise, template, (fact.roles, false), draws)
    return []


def _both(
    premise: Tokens, template: str, versions: tuple[Roles, Roles], draws: Draws
) -> list[Pair]:
    """The true and the false hypothesis of one template."""

    def concept(name: str, form: str) -> Token:
        upos, entries = lexicon.CONCEPTS[name]
        return Token(draws.pick(entries)[form], upos)

    def text(roles: Roles) -> str:
        return plain(close(render(template, lambda name, label: roles[name].name, concept)))

    return [
        Pair(plain(premise), text(roles), label)
        for roles, label in zip(versions, LABELS, strict=True)
    ]


def plain(tokens: Tokens) -> str:
    """Text as people write it: no blank before punctuation and 's."""
    text = " ".join(token.form for token in tokens)
    for mark in (".", ",", ";", ":", ")", "'s"):
        text = text.replace(f" {mark}", mark)
    return text.replace("( ", "(")


def _false_roles(
    doc: Document, fact: Fact, slots: list[str], premise: Tokens, draws: Draws
) -> Roles | None:
    """The roles with two people changed round or the entities replaced, so that nobody told it."""
    classes, roles = entity_classes(doc), fact.roles
    if {"a", "b"} <= set(slots) and fact.relation.name not in SYMMETRIC and draws.chance(25):
        turned = {**roles, "a": roles["b"], "b": roles["a"]}
        alike = classes[roles["a"].id] == classes[roles["b"].id]
        if alike and not _is_told(doc, fact, slots, turned):
            return turned
    false: Roles | None = None
    for slot in draws.shuffled([s for s in slots if classes[roles[s].id] in REPLACED]):
        before = false or roles
        taken = {_short(before[s]) for s in slots} | {_short(roles[slot])}
        for entity in _others(doc, classes, classes[roles[slot].id], premise, draws):
            replaced = {**before, slot: entity}
            if _short(entity) not in taken and not _is_told(doc, fact, slots, replaced):
                false = replaced
                break
    return false


def _others(
    doc: Document, classes: Mapping[str, str], wanted: str, premise: Tokens, draws: Draws
) -> list[Entity]:
    """What the document names of a class: those of the premise last, or, more rarely, first."""
    known = {e.id: e for fact in _facts(doc) for e in fact.roles.values()}
    named = {token.entity for paragraph in doc.paragraphs for token in paragraph.tokens}
    fitting = [e for e in known.values() if classes[e.id] == wanted and e.id in named]
    near = {token.entity for token in premise}
    near_last = draws.chance(70)
    return sorted(draws.shuffled(fitting), key=lambda entity: (entity.id in near) == near_last)


def _short(entity: Entity) -> str:
    """What tells it from others: a date is its year, and two facts may be of one year."""
    return " ".join(token.form for token in entity.short or entity.name)


def _same(first: Roles, second: Roles, slots: list[str]) -> bool:
    return all(_short(first[slot]) == _short(second[slot]) for slot in slots)


def _fact(doc: Document, sentence: Sentence) -> Fact | None:
    """The fact of a sentence, with the document's organisation among its roles."""
    fact = sentence.fact
    return fact and Fact(fact.relation, {**fact.roles, "org": doc.org})


def _facts(doc: Document) -> list[Fact]:
    found = (_fact(doc, s) for paragraph in doc.paragraphs for s in paragraph.sentences)
    return [fact for fact in found if fact]


def _is_told(doc: Document, fact: Fact, slots: list[str], roles: Roles) -> bool:
    """Does the document tell it anyway, in this relation or in one that comes close?"""
    name = fact.relation.name
    close_by = {other for group in NEAR if name in group for other in group} - {name}
    people = {roles[slot].id for slot in slots if slot in ("a", "b", "c")}
    return any(
        (other.relation.name == name and _same(other.roles, roles, slots))
        or (other.relation.name in close_by and people <= {e.id for e in other.roles.values()})
        for other in _facts(doc)
    )
