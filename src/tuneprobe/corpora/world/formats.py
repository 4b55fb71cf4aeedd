"""The corpus in upstream formats: simplified Natural Questions, CoNLL-U, and gold links."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tuneprobe.corpora.world.documents import PATRONS, Document
from tuneprobe.corpora.world.draws import Draws
from tuneprobe.corpora.world.entities import Entity
from tuneprobe.corpora.world.grammar import ROOT, Tokens
from tuneprobe.corpora.world.lexicon import CONCEPTS
from tuneprobe.corpora.world.questions import WH_WORDS, Asked
from tuneprobe.corpora.world.stories import Paragraph

NULL = {"start_token": -1, "end_token": -1, "candidate_index": -1}


@dataclass(frozen=True)
class Layout:
    """The tokens of a document and where its parts lie; all offsets count HTML tokens too.

    Attributes
    ----------
    blocks : list of (start, end)
        Paragraphs, then the roll: the top-level candidates with their HTML tokens.
    nested : list of (start, end)
        Items or rows of the roll.
    sentences : list of lists of int
        First token of each sentence of each paragraph.
    """

    tokens: list[str]
    blocks: list[tuple[int, int]]
    nested: list[tuple[int, int]]
    sentences: list[list[int]]


def lay_out(doc: Document) -> Layout:
    """Join the parts of a document to one list of tokens."""
    layout = Layout(["<H1>", *doc.title.split(), "</H1>"], [], [], [])
    for paragraph in doc.paragraphs:
        _lay_paragraph(layout, paragraph)
    if doc.roll is not None:
        outer, inner = ("Table", "Tr") if doc.roll.table else ("Ul", "Li")
        layout.tokens.extend(["<H2>", PATRONS, "</H2>"])
        start = len(layout.tokens)
        layout.tokens.append(f"<{outer}>")
        rows = [_row(doc.roll.table, who, year) for who, year in doc.roll.rows]
        if doc.roll.table:
            rows.insert(0, ["<Th>", "Patron", "</Th>", "<Th>", "Year", "</Th>"])
        for row in rows:
            first = len(layout.tokens)
            layout.tokens.extend([f"<{inner}>", *row, f"</{inner}>"])
            layout.nested.append((first, len(layout.tokens)))
        layout.tokens.append(f"</{outer}>")
        layout.blocks.append((start, len(layout.tokens)))
    return layout


def _lay_paragraph(layout: Layout, paragraph: Paragraph) -> None:
    start = len(layout.tokens)
    layout.tokens.append("<P>")
    starts = []
    for sentence in paragraph.sentences:
        starts.append(len(layout.tokens))
        layout.tokens.extend(token.form for token in sentence.tokens)
    layout.tokens.append("</P>")
    layout.blocks.append((start, len(layout.tokens)))
    layout.sentences.append(starts)


def _row(table: bool, who: Entity, year: int) -> list[str]:
    name = [token.form for token in who.name]
    if table:
        return ["<Td>", *name, "</Td>", "<Td>", str(year), "</Td>"]
    return [*name, ",", str(year)]


def candidates(layout: Layout) -> list[dict[str, Any]]:
    """Long-answer candidates in the order of the document, nested ones after their parent."""
    every = [(start, -end, True) for start, end in layout.blocks]
    every += [(start, -end, False) for start, end in layout.nested]
    return [
        {"start_token": start, "end_token": -end, "top_level": top}
        for start, end, top in sorted(every)
    ]


def short_interval(asked: Asked, layout: Layout) -> tuple[int, int]:
    """The short answer in document tokens."""
    start = layout.sentences[asked.paragraph][asked.sentence]
    return start + asked.short[0], start + asked.short[1]


def gold_annotation(asked: Asked, layout: Layout) -> dict[str, Any]:
    """The answer by construction, as an annotation without id."""
    if asked.answer_type == "null":
        return {"long_answer": dict(NULL), "short_answers": [], "yes_no_answer": "NONE"}
    start, end = layout.blocks[asked.paragraph]
    index = [c["start_token"] for c in candidates(layout)].index(start)
    shorts = []
    if asked.answer_type == "short":
        first, last = short_interval(asked, layout)
        shorts = [{"start_token": first, "end_token": last}]
    yes_no = asked.answer_type.upper() if asked.answer_type in ("yes", "no") else "NONE"
    return {
        "long_answer": {"start_token": start, "end_token": end, "candidate_index": index},
        "short_answers": shorts,
        "yes_no_answer": yes_no,
    }


# How many of five annotators find no answer, in 20 answerable questions: mostly none, sometimes
# four, which makes the official gold null.
_NULLS_OF_FIVE = (0,) * 11 + (1,) * 4 + (2,) * 2 + (3,) * 2 + (4,)


def annotations(asked: Asked, layout: Layout, draws: Draws, n: int) -> list[dict[str, Any]]:
    """`n` annotators: one is the gold answer; five mostly agree and sometimes miss or differ."""
    gold = gold_annotation(asked, layout)
    null = {"long_answer": dict(NULL), "short_answers": [], "yes_no_answer": "NONE"}
    if n == 1:
        views = [gold]
    elif asked.answer_type == "null":
        stray = {
            "long_answer": _some_paragraph(layout, draws),
            "short_answers": [],
            "yes_no_answer": "NONE",
        }
        views = [stray if draws.chance(15) else null] + [null] * (n - 1)
    else:
        nulls = draws.pick(_NULLS_OF_FIVE)
        views = (
            [null] * nulls + [gold] + [_variant(gold, draws, layout) for _ in range(n - nulls - 1)]
        )
    views = draws.shuffled(views)
    return [{"annotation_id": draws.below(2**53), **view} for view in views]


def _some_paragraph(layout: Layout, draws: Draws) -> dict[str, int]:
    start, end = layout.blocks[draws.below(2)]
    index = [c["start_token"] for c in candidates(layout)].index(start)
    return {"start_token": start, "end_token": end, "candidate_index": index}


def _variant(gold: dict[str, Any], draws: Draws, layout: Layout) -> dict[str, Any]:
    """The gold answer, in one of eight cases with another boundary or without its short answer."""
    if not gold["short_answers"] or not draws.chance(13):
        return gold
    short = gold["short_answers"][0]
    start, end = short["start_token"], short["end_token"]
    before = layout.tokens[start - 1].lower()
    if end - start > 1 and draws.chance(60):
        changed = [{"start_token": end - 1, "end_token": end}]
    elif before in ("in", "on", "the", "a", "an", "at", "near"):
        changed = [{"start_token": start - 1, "end_token": end}]
    else:
        changed = []
    return {**gold, "short_answers": changed}


def nq_record(
    asked: Asked, doc: Document, layout: Layout, id: int, draws: Draws, n: int
) -> dict[str, Any]:
    """One line of the simplified format."""
    return {
        "example_id": id,
        "question_text": asked.text,
        "document_text": " ".join(layout.tokens),
        "document_url": "https://world.invalid/" + doc.title.replace(" ", "_"),
        "long_answer_candidates": candidates(layout),
        "annotations": annotations(asked, layout, draws, n),
    }


def links(asked: Asked, doc: Document, layout: Layout) -> list[dict[str, Any]]:
    """Gold pairs of the answer's paragraph: question interval and document interval of each."""
    if asked.answer_type == "null" or asked.paragraph >= len(doc.paragraphs):
        return []
    return [
        {"kind": kind, "question": list(question), "document": list(place)}
        for kind, question, place in (
            *_synonyms(asked, doc, layout),
            *_abbreviations(asked, doc, layout),
            *_coreferences(asked, doc, layout),
            *_answer_type(asked, layout),
        )
    ]


Link = tuple[str, tuple[int, int], tuple[int, int]]


def _words(doc: Document, layout: Layout, paragraph: int) -> Iterator[tuple[int, int, int]]:
    """(sentence, word of the sentence, document token) of each word of a paragraph."""
    for s, start in enumerate(layout.sentences[paragraph]):
        for i in range(len(doc.paragraphs[paragraph].sentences[s].tokens)):
            yield s, i, start + i


def _synonyms(asked: Asked, doc: Document, layout: Layout) -> Iterator[Link]:
    sentences = doc.paragraphs[asked.paragraph].sentences
    for q, token in enumerate(asked.tokens):
        for s, i, place in _words(doc, layout, asked.paragraph):
            other = sentences[s].tokens[i]
            if (
                token.concept
                and other.concept == token.concept
                and not _same_entry(token.form, other.form, token.concept)
            ):
                yield "synonyms", (q, q + 1), (place, place + 1)


def _same_entry(first: str, second: str, concept: str) -> bool:
    return any({first.lower(), second.lower()} <= set(e.values()) for e in CONCEPTS[concept][1])


def _abbreviations(asked: Asked, doc: Document, layout: Layout) -> Iterator[Link]:
    sentences = doc.paragraphs[asked.paragraph].sentences
    for q, token in enumerate(asked.tokens):
        if token.mention != "abbreviation":
            continue
        places = [
            (s, place)
            for s, i, place in _words(doc, layout, asked.paragraph)
            if sentences[s].tokens[i].entity == token.entity
            and sentences[s].tokens[i].mention == "name"
        ]
        n = len(token.form)
        for k in range(0, len(places) - n + 1, n):
            yield "abbreviation", (q, q + 1), (places[k][1], places[k][1] + n)


def _coreferences(asked: Asked, doc: Document, layout: Layout) -> Iterator[Link]:
    hero = doc.paragraphs[asked.paragraph].hero
    named = [q for q, t in enumerate(asked.tokens) if t.entity == hero.id and t.mention == "name"]
    if not named or asked.sentence < 1:
        return
    start = layout.sentences[asked.paragraph][asked.sentence]
    for i, token in enumerate(doc.paragraphs[asked.paragraph].sentences[asked.sentence].tokens):
        if token.entity == hero.id and token.mention == "pronoun":
            yield "coreference", (named[0], named[-1] + 1), (start + i, start + i + 1)


def _answer_type(asked: Asked, layout: Layout) -> Iterator[Link]:
    if asked.answer_type == "short" and asked.tokens[0].form in WH_WORDS:
        yield "answer_type", (0, 1), short_interval(asked, layout)


def conllu_rows(tokens: Tokens) -> Iterator[tuple[str, ...]]:
    """The ten columns of CoNLL-U of each word; its further layers go to MISC."""
    for i, token in enumerate(tokens, start=1):
        head = 0 if token.head == ROOT else token.head + 1
        misc = "|".join(f"{key}={value}" for key, value in sorted(token.layers)) or "_"
        yield (
            str(i),
            token.form,
            "_",
            token.upos,
            "_",
            "_",
            str(head),
            token.deprel,
            "_",
            misc,
        )


def conllu(sentence_id: str, tokens: Tokens) -> str:
    """One sentence in CoNLL-U."""
    lines = [f"# sent_id = {sentence_id}", "# text = " + " ".join(t.form for t in tokens)]
    lines += ["\t".join(row) for row in conllu_rows(tokens)]
    return "\n".join(lines) + "\n\n"
