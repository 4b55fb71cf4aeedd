# ruff: noqa: E501 - a template is one line
"""Documents: two or three paragraphs about related heroes, sometimes with a list or a table."""

from dataclasses import dataclass

from tuneprobe.corpora.world.draws import Draws
from tuneprobe.corpora.world.entities import Entity, NamePool, organisation, thing
from tuneprobe.corpora.world.relations import GROUPS
from tuneprobe.corpora.world.stories import Paragraph, Scene, paragraph

INTROS = {
    "person": (
        "@a:nsubj was a %famous *%kind (nmod at @org) (nmod in @town)",
        "@a:nsubj was a *%kind (nmod at @org) , (acl:relcl who:nsubj *lived (obl in @town))",
        "(nsubj @a , (acl *born (obl in @town)) ,) *worked (obl as a %kind) (obl for @org)",
        "@a:nsubj was a *%kind (nmod from @town)",
        "(nsubj @a , (appos a %kind (nmod from @town)) ,) was a leading/A *member/N (nmod of @org)",
        "@a:nsubj was the first/A *%kind (nmod of @org)",
    ),
    "work": (
        "@a:nsubj is a *%kind (nmod about life/N (nmod in @town)) , (acl *supported (obl:agent by @org))",
        "@a:nsubj is a *%kind (acl:relcl that/O:nsubj *belongs (obl to @org))",
        "(nsubj @a , (acl *commissioned (obl:agent by @org)) ,) is a %famous *%kind",
        "@a:nsubj is a *%kind (nmod about a family/N (nmod in @town))",
    ),
    "org": (
        "@a:nsubj was a learned/A *body/N (nmod with offices/N (nmod in @town))",
        "@a:nsubj was the largest/A *%kind (nmod in @town)",
        "@a:nsubj was a *%kind (acl:relcl that/O:nsubj *served (obj the whole/A coast/N (nmod around @town)))",
    ),
    "event": (
        "@a:nsubj was a %famous *%kind , (acl *recorded (obl in the files/N (nmod of @org)))",
        "@a:nsubj was a *%kind (acl:relcl that/O:nsubj *shook (obj the coast/N (nmod near @town)))",
        "(nsubj @a , (acl *studied (obl:agent by @org)) ,) was a *%kind (nmod near @town)",
    ),
    "building": (
        "@a:nsubj is a *%kind (nmod in @town) , (acl *owned (obl:agent by @org))",
        "@a:nsubj is a %famous *%kind (nmod near @town)",
        "(nsubj @a , (acl *run/V (obl:agent by @org)) ,) is a *%kind (nmod in @town)",
    ),
    "vehicle": (
        "@a:nsubj was a fast/A *%kind , (acl *ordered (obl:agent by @org))",
        "@a:nsubj was a *%kind (acl:relcl that/O:nsubj *belonged (obl to @org))",
        "@a:nsubj was a %famous *%kind (acl *kept (obl in @town))",
    ),
}
LINKS = {
    "person": (
        "(nsubj @a , (appos a %kind (nmod at @org)) ,) *knew @prev:obj well/R",
        "(nsubj @a , (appos a %kind (nmod at @org)) ,) often/R *spoke (obl of @prev)",
        "(nsubj @a , (appos a %kind (nmod from @town)) ,) *took (obj great/A interest/N) (obl in @prev)",
    ),
    "work": (
        "(nsubj @a , (appos a %kind (acl *supported (obl:agent by @org))) ,) *fascinated @prev:obj",
        "(nsubj @a , (appos a %kind (nmod about @town)) ,) was *dedicated (obl to @prev)",
    ),
    "org": (
        "(nsubj @a , (appos a learned/A body/N (nmod in @town)) ,) *made @prev:obj (xcomp an honorary/A member/N)",
        "(nsubj @a , (appos a %kind (nmod in @town)) ,) *supported @prev:obj (obl for years/N)",
    ),
    "event": (
        "(nsubj @a , (appos a %kind (acl *recorded (obl:agent by @org))) ,) *changed (obj the life/N (nmod of @prev))",
        "(nsubj @a , (appos a %kind (nmod near @town)) ,) *brought (obj great/A fame/N) (obl to @prev)",
    ),
    "building": (
        "(nsubj @a , (appos a %kind (acl *owned (obl:agent by @org))) ,) *stood (obl near the office/N (nmod of @prev))",
        "(nsubj @a , (appos a %kind (nmod in @town)) ,) *meant (obj a good/A deal/N) (obl to @prev)",
    ),
    "vehicle": (
        "(nsubj @a , (appos a %kind (acl *ordered (obl:agent by @org))) ,) *pleased @prev:obj (obl from the start/N)",
        "(nsubj @a , (appos a %kind (acl *kept (obl in @town))) ,) *carried @prev:obj (obl for years/N)",
    ),
}
PATRONS = "Patrons"


@dataclass(frozen=True)
class Roll:
    """A list or table of people who supported the document's first hero."""

    table: bool
    rows: tuple[tuple[Entity, int], ...]


@dataclass(frozen=True)
class Document:
    """A title, paragraphs and sometimes a roll of patrons."""

    title: str
    org: Entity
    paragraphs: tuple[Paragraph, ...]
    roll: Roll | None
    scene: Scene


_FIRST = (
    ["person"] * 9 + ["org"] * 4 + ["work"] * 4 + ["event"] * 3 + ["building"] * 3 + ["vehicle"] * 2
)
_THINGS = ["work", "building", "vehicle", "event", "org"]


def _hero(scene: Scene, group: str) -> Entity:
    return hero(scene, scene.draws.pick(GROUPS[group]))


def hero(scene: Scene, kind: str) -> Entity:
    """A new person, work, building, ... that a paragraph can be about; a new organisation."""
    if kind in GROUPS["person"]:
        return scene.person(kind=kind)
    if kind in GROUPS["org"]:
        return organisation(scene.new_id(), scene.names.organisation())
    town = scene.town()
    return thing(
        scene.new_id(), kind, scene.names, scene.draws, " ".join(t.form for t in town.name)
    )


def document(seed: int, split: str, number: int, names: NamePool, towns: list[str]) -> Document:
    """Document `number` of a split."""
    draws = Draws(seed, split, number)
    org = organisation("org", names.organisation())
    scene = Scene(draws, names, towns, org, 1840 + draws.below(100))
    group = draws.pick(_FIRST)
    first = _hero(scene, group)
    paragraphs = [paragraph(scene, first, draws.pick(INTROS[group]), {"town": scene.town()})]
    second_group = draws.pick(_THINGS) if group == "person" else "person"
    second = _hero(scene, second_group)
    roles = {"town": scene.town(), "prev": first}
    paragraphs.append(paragraph(scene, second, draws.pick(LINKS[second_group]), roles))
    if draws.chance(25):
        third_group = draws.pick(("person", "work"))
        roles = {"town": scene.town(), "prev": first}
        intro = draws.pick(INTROS[third_group])
        paragraphs.append(paragraph(scene, _hero(scene, third_group), intro, roles, (16, 28)))
    title = " ".join(t.form for t in first.name).removeprefix("the ")
    roll = _roll(scene) if len(paragraphs) == 2 and draws.chance(45) else None
    return Document(title, org, tuple(paragraphs), roll, scene)


def _roll(scene: Scene) -> Roll:
    rows = tuple(
        (scene.person(), scene.year + 2 + 3 * i + scene.draws.below(3))
        for i in range(3 + scene.draws.below(2))
    )
    return Roll(scene.draws.chance(50), rows)
