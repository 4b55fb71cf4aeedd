"""Frames of the world's sentences, as a release of FrameNet: a relation, and who and what is in it.

The verb of a sentence evokes its relation, as `teach`; the words that name a participant fill an
element. People, organisations and things of the relation are core, its town and date are not.
"""

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import quoteattr

from tuneprobe.corpora.framenet import CORE
from tuneprobe.corpora.world.documents import Document
from tuneprobe.corpora.world.grammar import ROOT, Tokens
from tuneprobe.corpora.world.relations import Relation, relations
from tuneprobe.corpora.world.stories import Sentence
from tuneprobe.formats.question import Interval

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
SPACE = 'xmlns="http://framenet.icsi.berkeley.edu"'
NAMES = {"a": "Agent", "b": "Partner", "c": "Third"}
NOT_CORE = ("town", "when", "x")  # begin the names of the slots of place, time and bystander


def frame_files() -> Iterator[tuple[str, str]]:
    """Name and text of frame/*.xml: each relation with its elements."""
    for relation in relations():
        elements = "".join(
            f"  <FE name={quoteattr(_element(slot))} coreType={quoteattr(_core(slot))}/>\n"
            for slot in ("a", *relation.slots)
        )
        name = quoteattr(_frame(relation))
        yield f"{_frame(relation)}.xml", f"{HEAD}<frame {SPACE} name={name}>\n{elements}</frame>\n"


def full_text(documents: Iterable[Document]) -> str:
    """A fulltext/*.xml: each sentence with a fact once, the relation's frame annotated."""
    seen: dict[str, Sentence] = {}
    for document in documents:
        for paragraph in document.paragraphs:
            for sentence in paragraph.sentences:
                if sentence.fact and _target(sentence.tokens) >= 0:
                    seen.setdefault(" ".join(t.form for t in sentence.tokens), sentence)
    body = "".join(
        _annotated(number, text, sentence)
        for number, (text, sentence) in enumerate(seen.items(), 1)
    )
    return f"{HEAD}<fullTextAnnotation {SPACE}>\n{body}</fullTextAnnotation>\n"


def _annotated(number: int, text: str, sentence: Sentence) -> str:
    assert sentence.fact is not None
    ends, at = [], -1
    for token in sentence.tokens:
        at += len(token.form) + 1
        ends.append(at)

    def label(name: str, words: Interval) -> str:
        start = ends[words[0]] - len(sentence.tokens[words[0]].form)
        return f'<label start="{start}" end="{ends[words[1] - 1] - 1}" name={quoteattr(name)}/>'

    target = _target(sentence.tokens)
    elements = "".join(
        label(_element(slot), words)
        for slot, entity in sorted(sentence.fact.roles.items())
        for words in _named(sentence.tokens, entity.id)
    )
    frame = quoteattr(_frame(sentence.fact.relation))
    return (
        f'<sentence ID="{number}"><text>{_escaped(text)}</text>\n'
        f'<annotationSet frameName={frame} ID="{number}">\n'
        f'<layer rank="1" name="Target">{label("Target", (target, target + 1))}</layer>\n'
        f'<layer rank="1" name="FE">{elements}</layer>\n</annotationSet></sentence>\n'
    )


def _target(tokens: Tokens) -> int:
    """The verb that the sentence hangs on; -1 where it hangs on another word."""
    root = next(i for i, token in enumerate(tokens) if token.head == ROOT)
    return root if tokens[root].upos == "VERB" else -1


def _named(tokens: Tokens, entity: str) -> Iterator[Interval]:
    """The first run of words that names an entity."""
    places = [i for i, token in enumerate(tokens) if token.entity == entity]
    if places:
        end = places[0]
        while end < len(tokens) and tokens[end].entity == entity:
            end += 1
        yield places[0], end


def _frame(relation: Relation) -> str:
    return relation.name.capitalize()


def _element(slot: str) -> str:
    return NAMES.get(slot, slot.capitalize())


def _core(slot: str) -> str:
    return "Peripheral" if slot.startswith(NOT_CORE) else CORE


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
