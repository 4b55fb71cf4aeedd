"""Pairs of a premise and a hypothesis in the format of RTE: does the one follow from the other?

    premise     Ida Halman was a lawyer at the Norland Mining Union. In 1920 she visited Otto Kern ...
    entailment      Ida Halman visited Otto Kern in 1920.
    not_entailment  Otto Kern visited Ida Halman in 1920.

The premise is the introduction of a paragraph and one or two of its facts. Each fact gives two
hypotheses with one template: the true one, and one in which two people change places or a person,
town or date is another of the document. The hypothesis alone does not tell them apart.
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
from tuneprobe.corpora.world.stories import Fact, Paragraph, close

LABELS = ("entailment", "not_entailment")
NEAR = (  # relations that come close to saying the same
    {"made", "script"},
    {"release", "stage"},
    {"restore", "mending", "construction", "ready"},
    {"drawing", "construction"},
)
SYMMETRIC = ("marry",)
REPLACED = ("PERSON", "ORG", "TOWN", "DATE")
_WEAKER = ("almost", "agreed", "persuaded")  # words with which a fact is told, but not quite
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
        fact, said = sentences[at].fact, sentences[at].tokens
        if fact is None or any(token.form in _WEAKER for token in said):
            continue
        beside = draws.shuffled([i for i in range(1, len(sentences)) if i != at])
        chosen = [0, *sorted([at, *beside[: int(draws.chance(60))]])]
        premise = tuple(token for i in chosen for token in sentences[i].tokens)
        for template in draws.shuffled(statements(fact.relation)):
            slots = sorted(slots_of(template) - {"org"})
            if {fact.roles[slot].id for slot in slots} <= {token.entity for token in said}:
                false = _false_roles(doc, fact, slots, premise, draws)
                if false is not None:
                    return _both(premise, template, doc.org, (fact.roles, false), draws)
    return []


def _both(
    premise: Tokens, template: str, org: Entity, versions: tuple[Roles, Roles], draws: Draws
) -> list[Pair]:
    """The true and the false hypothesis of one template."""

    def concept(name: str, form: str) -> Token:
        upos, entries = lexicon.CONCEPTS[name]
        return Token(draws.pick(entries)[form], upos)

    def text(roles: Roles) -> str:
        named = {**roles, "org": org}
        return plain(close(render(template, lambda name, label: named[name].name, concept)))

    return [Pair(plain(premise), text(roles), label) for roles, label in zip(versions, LABELS)]


def plain(tokens: Tokens) -> str:
    """Text as people write it: no blank before punctuation and 's."""
    text = " ".join(token.form for token in tokens)
    for mark in (".", ",", ";", ":", ")", "'s"):
        text = text.replace(f" {mark}", mark)
    return text.replace("( ", "(")


def _false_roles(
    doc: Document, fact: Fact, slots: list[str], premise: Tokens, draws: Draws
) -> Roles | None:
    """The roles with two people changed round or one entity replaced, so that nobody told it."""
    classes = entity_classes(doc)
    roles = fact.roles
    if {"a", "b"} <= set(slots) and fact.relation.name not in SYMMETRIC and draws.chance(40):
        turned = {**roles, "a": roles["b"], "b": roles["a"]}
        if classes[roles["a"].id] == classes[roles["b"].id] and not _is_told(
            doc, fact, slots, turned
        ):
            return turned
    for slot in draws.shuffled([s for s in slots if classes[roles[s].id] in REPLACED]):
        taken = {roles[s].id for s in slots}
        for entity in _others(doc, classes, classes[roles[slot].id], premise, draws):
            replaced = {**roles, slot: entity}
            if entity.id not in taken and not _is_told(doc, fact, slots, replaced):
                return replaced
    return None


def _others(
    doc: Document, classes: Mapping[str, str], wanted: str, premise: Tokens, draws: Draws
) -> list[Entity]:
    """The entities of a class: in half the draws those of the premise first, else the others."""
    known = {e.id: e for fact in _facts(doc) for e in fact.roles.values()}
    fitting = draws.shuffled([e for e in known.values() if classes[e.id] == wanted])
    said = {token.entity for token in premise}
    far_first = draws.chance(50)
    return sorted(fitting, key=lambda entity: (entity.id in said) == far_first)


def _facts(doc: Document) -> list[Fact]:
    sentences = (s for paragraph in doc.paragraphs for s in paragraph.sentences)
    return [sentence.fact for sentence in sentences if sentence.fact]


def _is_told(doc: Document, fact: Fact, slots: list[str], roles: Roles) -> bool:
    """Does the document tell it anyway, in this relation or in one that comes close?"""
    name = fact.relation.name
    close_by = {other for group in NEAR if name in group for other in group} - {name}
    people = {roles[slot].id for slot in slots if slot in ("a", "b", "c")}
    return any(
        (other.relation.name == name and all(other.roles[s] == roles[s] for s in slots))
        or (other.relation.name in close_by and people <= {e.id for e in other.roles.values()})
        for other in _facts(doc)
    )
