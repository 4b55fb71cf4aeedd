"""Preposition supersenses: what each adposition and possessive of a sentence means in its context.

The labels are those of STREUSLE 4 (Schneider et al. 2018): a *role*, which the whole phrase plays,
and a *function*, which the word itself brings. They often differ::

    taught by Kern             by    Agent
    a novel by Kern            by    Originator / Agent
    destroyed by a flood       by    Causer
    a lawyer at the council    at    OrgRole / Locus
"""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from tuneprobe.corpora.world.documents import Document
from tuneprobe.corpora.world.grammar import GrammarError, Token, Tokens
from tuneprobe.corpora.world.relations import GROUPS

POSSESSIVE = "'s"  # stands for possessive pronouns, too

# word | governors | objects | role [function]; the first line that fits is taken. Upper case is
# a class of entities, lower case a word or concept, * anything. A clause is its own object.
_USES = """
by | write,create,depict,recorded,novel,play,film,painting,sketches,letters,speech,car,bridge | PERSON,ORG | Originator Agent
by | plane,hospital,railway,theater,library,design | PERSON,ORG | Originator Agent
by | owned | * | Possessor Agent
by | studied | * | Experiencer Agent
by | * | CAUSE | Causer
by | * | PERSON,ORG | Agent
in | arrived | TOWN | Goal Locus
in | * | DATE | Time
in | * | TOWN,hall,cottage,workshop,harbour,files,newspaper,fresco,mural,painting | Locus
in | took | * | Topic
in | role,hero | WORK | Whole Locus
in | design | * | Manner Locus
in | * | EVENT,WORK,contest,lecture,absence | Circumstance Locus
at | * | ORG | OrgRole Locus
at | * | expense | Manner Locus
at | * | meeting | Circumstance Locus
at | * | TOWN,college,university | Locus
on | * | DATE,day | Time
on | * | advice | Explanation Locus
on | * | model | Manner Locus
on | * | horseback | Means Locus
for | * | week,years | Duration
for | * | time | Time Duration
for | worked,work | ORG | OrgRole Beneficiary
for | * | PERSON,TOWN | Beneficiary
for | left | * | Goal
for | paid | * | Theme Purpose
for | * | office,post | Purpose
from | * | DATE,start | StartTime
from | buy,money,gift,help,parts | PERSON,ORG | Originator Source
from | resign | ORG | OrgRole Source
from | save | CAUSE | Theme Source
from | rescue,wrote,took | hotel,factory | Source
from | create,write | sketches,letters | Source
from | * | TOWN | Source
with | * | PRIZE | Theme Accompanier
with | * | PERSON,team,workers | Co-Agent Accompanier
with | * | offices | Characteristic Accompanier
with | * | gift,money,help,parts,speech | Means Instrument
with | * | survey | Topic
of | college,university,newspaper | TOWN | Locus Gestalt
of | battle,rising | EVENT | Locus Gestalt
of | harbour | TOWN | Whole Gestalt
of | survey | TOWN | Topic Gestalt
of | departure,retreat,help | PERSON | Agent Gestalt
of | advice,notes | PERSON | Originator Gestalt
of | death,absence,illness | PERSON | Theme Gestalt
of | expense,office,files | * | Possessor
of | life | * | Possessor Gestalt
of | day,hero | EVENT,WORK | Whole Gestalt
of | history | EVENT | Topic Gestalt
of | model | * | Topic Gestalt
of | pupil | PERSON | SocialRel Gestalt
of | * | ORG | OrgRole Gestalt
of | die | pneumonia | Explanation Source
of | spoke | * | Topic
to | belongs,belonged | ORG | Possessor Goal
to | wrote,sold,leaving | PERSON | Recipient Goal
to | meant,exhibit | PERSON,ORG,WORK,EVENT,BUILDING,VEHICLE,public | Experiencer Goal
to | brought,dedicated | * | Beneficiary Goal
to | * | TOWN | Goal
to | * | visit,meet | Purpose
into | * | ORG | OrgRole Goal
after | * | quarrel | Explanation Time
after | * | * | Time
against | * | PERSON,ORG | Beneficiary Direction
against | * | advice | Circumstance Direction
around | * | TOWN | Locus
near | * | TOWN,office | Locus
about | * | * | Topic
as | hire,appoint,succeed | * | OrgRole Identity
as | * | * | Identity
before | sued | court | Locus
before | * | crowd | Circumstance Locus
during | * | EVENT,CAUSE | Circumstance Time
during | * | survey,visit,storm | Time
until | * | DATE | EndTime
because | * | * | Explanation
while | * | * | Time
's | views,journal | PERSON,ORG | Originator Gestalt
's | president,librarian | ORG | OrgRole Gestalt
's | house,office | PERSON,ORG | Possessor
's | bride,captain,daughter,guest,horseman,passenger,stranger,witness | * | SocialRel Gestalt
's | * | * | Possessor
"""  # noqa: E501 - a use is one line
EXPRESSIONS = (  # of several words, taken as one: words, lexical category, use
    ("on account of", "P", "Explanation"),
    ("in place of", "P", "InsteadOf"),
    ("in the end", "PP", "Time"),
    ("for good", "PP", "Duration"),
    ("took over", "V.VPC.full", ""),
)
_CATEGORIES = {"NOUN": "N", "PROPN": "N", "VERB": "V"} | {
    upos: upos for upos in "ADJ ADV AUX CCONJ DET NUM PRON PUNCT SCONJ".split()
}


class Use(NamedTuple):
    """The two supersenses of an adposition, as STREUSLE writes them (``p.Locus``)."""

    role: str
    function: str


class Unit(NamedTuple):
    """A lexical unit of a sentence: ``length`` words from ``start``, its category and its use."""

    start: int
    length: int
    category: str
    use: Use | None


class _Rule(NamedTuple):
    governors: frozenset[str]
    objects: frozenset[str]
    use: Use


def _read_use(labels: str) -> Use | None:
    role, _, function = labels.partition(" ")
    return Use(f"p.{role}", f"p.{function or role}") if role else None


@cache
def _rules() -> Mapping[str, list[_Rule]]:
    rules: dict[str, list[_Rule]] = {}
    for line in _USES.strip().split("\n"):
        word, governors, objects, labels = line.split(" | ")
        use = _read_use(labels)
        assert use is not None
        rule = _Rule(frozenset(governors.split(",")), frozenset(objects.split(",")), use)
        rules.setdefault(word, []).append(rule)
    return rules


def entity_classes(doc: Document) -> dict[str, str]:
    """The class (PERSON, ORG, WORK, TOWN, DATE, ...) of each entity of a document, by its id."""
    groups = {kind: group.upper() for group, kinds in GROUPS.items() for kind in kinds}
    usual = {"when": "DATE", "town": "TOWN", "town2": "TOWN"} | dict.fromkeys("abcx", "PERSON")
    classes = {doc.org.id: "ORG"}
    for paragraph in doc.paragraphs:
        for sentence in paragraph.sentences:
            for slot, entity in sentence.fact.roles.items() if sentence.fact else ():
                classes[entity.id] = groups.get(entity.kind) or usual.get(slot) or slot.upper()
        classes[paragraph.hero.id] = groups[paragraph.hero.kind]
    return classes


def lexical_units(tokens: Tokens, classes: Mapping[str, str]) -> list[Unit]:
    """A sentence cut into its units, in order: mostly single words.

    Raises
    ------
    GrammarError
        For an adposition in a context that the table does not know.
    """
    units: list[Unit] = []
    at = 0
    while at < len(tokens):
        unit = _expression(tokens, at) or _single(tokens, at, classes)
        units.append(unit)
        at += unit.length
    return units


def _expression(tokens: Tokens, at: int) -> Unit | None:
    for text, category, labels in EXPRESSIONS:
        words = text.split()
        if [t.form.lower() for t in tokens[at : at + len(words)]] == words:
            return Unit(at, len(words), category, _read_use(labels))
    return None


def _single(tokens: Tokens, at: int, classes: Mapping[str, str]) -> Unit:
    token = tokens[at]
    possessor = token.deprel == "nmod:poss" and token.upos == "PRON"
    if possessor or token.form == POSSESSIVE:
        category = "PRON.POSS" if possessor else "POSS"
    elif token.upos == "ADP" or (token.upos == "SCONJ" and token.form.lower() in _rules()):
        category = "P"
    elif token.upos == "PART":
        purpose = tokens[token.head].deprel == "advcl"
        return Unit(at, 1, *(("INF.P", _read_use("Purpose")) if purpose else ("INF", None)))
    else:
        return Unit(at, 1, "V" if token.deprel == "cop" else _CATEGORIES[token.upos], None)
    return Unit(at, 1, category, _use(tokens, at, classes))


def _use(tokens: Tokens, at: int, classes: Mapping[str, str]) -> Use:
    """The first line of the table that fits the word's governor and object."""
    token = tokens[at]
    if token.deprel == "nmod:poss":
        word, object, governor = POSSESSIVE, token, tokens[token.head]
    else:
        word, object = token.form.lower(), tokens[token.head]
        governor = object if token.upos == "SCONJ" else tokens[object.head]
    owner, thing = _word(governor), classes.get(object.entity) or _class_of(object)
    for rule in _rules().get(word, ()):
        if rule.governors & {owner, "*"} and rule.objects & {thing, _word(object), "*"}:
            return rule.use
    raise GrammarError(
        f"no supersense for {word!r} between {owner!r} and {thing!r}: add a line to _USES."
    )


def _class_of(token: Token) -> str:
    """An entity without a class is a town: the only ones that introductions make up."""
    return "TOWN" if token.entity else _word(token)


def _word(token: Token) -> str:
    return token.concept or token.form.lower()
