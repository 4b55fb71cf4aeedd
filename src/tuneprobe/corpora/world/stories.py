"""Stories: paragraphs about a hero, made of facts and told in sentences."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tuneprobe.corpora.world import lexicon
from tuneprobe.corpora.world.draws import Draws
from tuneprobe.corpora.world.entities import (
    PRONOUNS,
    Entity,
    NamePool,
    date,
    organisation,
    person,
    value,
)
from tuneprobe.corpora.world.grammar import ROOT, Token, Tokens, attach, render, sentence_case
from tuneprobe.corpora.world.relations import Relation, relations

WORDS = (28, 40)
OTHER_GENDER = {"he": "she", "she": "he"}
OPENERS = ("(advmod later) , ", "(advmod eventually/R) , ", "(obl in the end/N) , ")


@dataclass(frozen=True)
class Fact:
    """A relation with its roles filled."""

    relation: Relation
    roles: Mapping[str, Entity]


@dataclass(frozen=True)
class Sentence:
    """A sentence of a paragraph; the introduction has no fact."""

    tokens: Tokens
    fact: Fact | None = None


@dataclass(frozen=True)
class Paragraph:
    """Sentences about a hero."""

    hero: Entity
    sentences: tuple[Sentence, ...]

    @property
    def tokens(self) -> Tokens:
        """All words of the paragraph; heads count words of their own sentence."""
        return tuple(token for sentence in self.sentences for token in sentence.tokens)


@dataclass
class Scene:
    """What a document draws its people and places from."""

    draws: Draws
    names: NamePool
    towns: list[str]
    org: Entity
    year: int
    count: int = 0
    used_towns: set[str] = field(default_factory=set)

    def new_id(self) -> str:
        """The next entity id."""
        self.count += 1
        return f"e{self.count}"

    def town(self) -> Entity:
        """A town that the document has not named yet."""
        while (name := self.draws.pick(self.towns)) in self.used_towns:
            pass
        self.used_towns.add(name)
        return Entity(self.new_id(), tuple(_flat(name)))

    def person(self, pronoun: str = "", kind: str = "") -> Entity:
        """A new person."""
        pronoun = pronoun or self.draws.pick(("he", "she"))
        return person(self.new_id(), self.names.person(pronoun), pronoun, kind)

    def partner(self, hero: Entity) -> Entity:
        """Somebody, mostly of the other gender, whom no pronoun of the hero could mean."""
        usual = OTHER_GENDER.get(hero.pronoun, "")
        return self.person(usual if self.draws.chance(85) else "")

    def fill(self, slot: str, hero: Entity, year: int) -> Entity:
        """A new value for a slot of a fact about the hero."""
        if slot in ("b", "c", "x"):
            return self.partner(hero)
        if slot.startswith("town"):
            return self.town()
        if slot == "when":
            return date(self.draws, self.new_id(), year)
        return value(slot, self.new_id(), self.names, self.draws)


def _flat(name: str) -> list[Token]:
    first, *rest = name.split()
    return [Token(first, "PROPN"), *(Token(word, "PROPN", 0, "flat") for word in rest)]


def facts_of(scene: Scene, hero: Entity, relation: Relation, year: int) -> list[Fact]:
    """One fact, or the two facts of a relation that can be turned round."""
    roles = {slot: scene.fill(slot, hero, year) for slot in relation.slots} | {"a": hero}
    if "b" in roles and relation.direction == "mutual" and hero.kind in lexicon.ORG_LAST.values():
        roles["b"] = organisation(scene.new_id(), scene.names.organisation())
    again = {s: scene.fill(s, hero, year + 1 + scene.draws.below(3)) for s in relation.slots} | {
        "a": hero
    }
    if relation.direction == "plain" or scene.draws.chance(60):
        return [Fact(relation, roles)]
    if relation.direction == "mutual":
        again |= {"a": roles["b"], "b": hero}
    elif relation.direction == "chain":
        roles |= {"a": roles["b"], "b": hero}
    elif relation.direction == "swap":
        again |= {"b": roles["c"], "c": roles["b"]}
    else:
        again |= {"c": roles["b"]}
    return [Fact(relation, roles), Fact(relation, again)]


class Teller:
    """Renders sentences about one hero, and remembers who was named and which words were used."""

    def __init__(self, scene: Scene, hero: Entity) -> None:
        self._scene = scene
        self._hero = hero
        self._named: set[str] = set()
        self._rivals = False  # did the last sentence name another whom the pronoun could mean?
        self.words: dict[str, str] = {}

    def tell(self, template: str, roles: Mapping[str, Entity]) -> Tokens:
        """The tokens of one sentence, without its full stop."""
        named_here: list[str] = []
        rivals = False
        roles = {**roles, "org": self._scene.org}

        def slot(name: str, label: str) -> Tokens:
            nonlocal rivals
            entity = roles["when" if name == "year" else name]
            if name == "year":
                return _marked(entity.short, entity, "name")
            tokens = self._mention(entity, label, entity.id in named_here, rivals)
            named_here.append(entity.id)
            rivals = rivals or (entity != self._hero and entity.pronoun == self._hero.pronoun)
            return tokens

        tokens = render(template, slot, self._concept)
        self._rivals = rivals
        self._named.update(named_here)
        return tokens

    def _concept(self, name: str, form: str) -> Token:
        if name == "kind":
            name = self._hero.kind
        upos, entries = lexicon.CONCEPTS[name]
        entry = entries[self._scene.draws.below(len(entries))]
        return Token(entry[form], upos, concept=name)

    def _mention(self, entity: Entity, label: str, again: bool, rivals: bool) -> Tokens:
        if entity == self._hero and entity.id in self._named | ({entity.id} if again else set()):
            if self._pronoun_fits(label, again, rivals):
                return (_pronoun(entity, label),)
            return self._later(entity, label)
        if (
            entity.id in self._named
            and (entity.short or entity.kind)
            and self._scene.draws.chance(40)
        ):
            return self._later(entity, label)
        return possessive(_marked(entity.name, entity, "name"), label)

    def _pronoun_fits(self, label: str, again: bool, rivals: bool) -> bool:
        cases = ("nsubj", "obj", "iobj", "nmod:poss")
        personal = ("obl", "obl:agent")
        if label not in cases and not (label in personal and self._hero.pronoun != "it"):
            return False
        if again:
            return True
        return not (rivals or self._rivals) and self._scene.draws.chance(88)

    def _later(self, entity: Entity, label: str) -> Tokens:
        draws = self._scene.draws
        if entity.short and draws.chance(70):
            return possessive(_marked(entity.short, entity, "short"), label)
        if entity.kind and entity == self._hero:
            noun = (Token("the", "DET", 1, "det"), self._concept("kind", ""))
            return possessive(_marked(noun, entity, "noun"), label)
        return possessive(_marked(entity.name, entity, "name"), label)


def _marked(tokens: Tokens, entity: Entity, mention: str) -> Tokens:
    """The tokens with their entity; without a leading `the` or preposition."""
    first = tokens[0]
    outside = first.upos == "ADP" or (mention == "name" and first.form == "the")
    marked = tuple(t._replace(entity=entity.id, mention=mention) for t in tokens)
    return tokens[:outside] + marked[outside:]


def _pronoun(entity: Entity, label: str) -> Token:
    forms = PRONOUNS[entity.pronoun]
    return Token(forms.get(label, forms[""]), "PRON", entity=entity.id, mention="pronoun")


def possessive(tokens: Tokens, label: str) -> Tokens:
    """The tokens, with 's where the label is that of a possessor."""
    if label != "nmod:poss":
        return tokens
    head = next(i for i, t in enumerate(tokens) if t.head == ROOT)
    return (*tokens, Token("'s", "PART", head, "case"))


def article(word: str) -> str:
    """`a` or `an`, as the sound of the next word wants."""
    word = word.lower()
    return "an" if word[0] in "aeiou" and not word.startswith(("uni", "eu", "one")) else "a"


def close(tokens: Tokens, mark: str = ".") -> Tokens:
    """A finished sentence: articles settled, full stop, capital."""
    settled = []
    for i, token in enumerate(tokens):
        if token.form in ("a", "an") and token.upos == "DET" and i + 1 < len(tokens):
            token = token._replace(form=article(tokens[i + 1].form))
        settled.append(token)
    return sentence_case(attach([(tuple(settled), ""), ((Token(mark, "PUNCT"),), "punct")], 0))


def paragraph(
    scene: Scene,
    hero: Entity,
    intro: str,
    roles: Mapping[str, Entity],
    words: tuple[int, int] = WORDS,
) -> Paragraph:
    """An introduction and facts about the hero, in the order of time, of about `words` words."""
    draws = scene.draws
    teller = Teller(scene, hero)
    first = teller.tell(intro, {**roles, "a": hero})
    facts: list[Fact] = []
    fitting = [r for r in relations() if hero.kind in r.kinds]
    length = len(first) + 1
    for relation in _chosen(draws, fitting):
        if length + 10 > words[1] or len(facts) >= 5 or length >= words[0]:
            break
        new = facts_of(scene, hero, relation, 0)[: 5 - len(facts)]
        facts += new
        length += 13 * len(new)
    facts = _dated(scene, hero, sorted(facts, key=lambda f: f.relation.stage))
    sentences = [Sentence(close(first))]
    told: list[str] = []
    for fact in facts:
        template = draws.pick([t for t in fact.relation.told if t not in told])
        told.append(template)
        opener = (
            draws.pick(OPENERS) if template[0] == "@" and len(told) > 1 and draws.chance(25) else ""
        )
        sentences.append(Sentence(close(teller.tell(opener + template, fact.roles)), fact))
    return Paragraph(hero, tuple(sentences))


def _chosen(draws: Draws, fitting: list[Relation]) -> list[Relation]:
    """The relations in the order of choice; those that can be turned round come early."""
    order = draws.shuffled(fitting)
    turned = [r for r in order if r.direction != "plain"]
    if not draws.chance(75):
        return order
    return turned[:1] + [r for r in order if r not in turned[:1]]


def _dated(scene: Scene, hero: Entity, facts: list[Fact]) -> list[Fact]:
    """The facts with rising dates."""
    year = scene.year
    dated = []
    for fact in facts:
        year += 1 + scene.draws.below(5)
        when = {"when": date(scene.draws, scene.new_id(), year)} if "when" in fact.roles else {}
        dated.append(Fact(fact.relation, {**fact.roles, **when}))
    return dated
