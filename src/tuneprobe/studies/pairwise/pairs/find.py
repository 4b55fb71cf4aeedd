"""From questions to every pair that the five probes find in them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from spacy.language import Language

from tuneprobe.corpora.tokens import is_visible
from tuneprobe.errors import UnknownNameError
from tuneprobe.examples.annotate import annotate
from tuneprobe.formats.question import Interval, Question
from tuneprobe.studies.pairwise.pairs.abbreviation import AbbreviationRule, abbreviation_pairs
from tuneprobe.studies.pairwise.pairs.answer_type import answer_type_pairs
from tuneprobe.studies.pairwise.pairs.coreference import CoreferenceRule, coreference_pairs
from tuneprobe.studies.pairwise.pairs.funnel import Step, sift
from tuneprobe.studies.pairwise.pairs.observation import NoPair, Observation, Pair
from tuneprobe.studies.pairwise.pairs.passage import Passage, with_sentences
from tuneprobe.studies.pairwise.pairs.synonyms import SynonymRule, synonym_pairs
from tuneprobe.studies.pairwise.pairs.wordnet import WordNet

BOUNDARY = "boundary"
SWAPPED = "boundary-swapped"  # the same sentence and answer after the words of another question


@dataclass(frozen=True)
class Rules:
    """What the pair probes need to know beside the observation."""

    wordnet: WordNet
    synonyms: SynonymRule
    abbreviation: AbbreviationRule
    coreference: CoreferenceRule


ProbeSplit = tuple[str, str]
Probe = Callable[[Observation, Rules], list[Pair] | NoPair]

# A further probe is one function and one line here; `boundary` has no anchor and is apart.
PROBES: dict[str, Probe] = {
    "synonyms": lambda seen, rules: synonym_pairs(seen, rules.synonyms, rules.wordnet),
    "abbreviation": lambda seen, rules: abbreviation_pairs(seen, rules.abbreviation),
    "coreference": lambda seen, rules: coreference_pairs(seen, rules.coreference),
    "answer-type": lambda seen, _: answer_type_pairs(seen),
}


class Chosen(NamedTuple):
    """An example before its spans have numbers."""

    probe: str
    passage: Passage
    match: Interval
    anchor: Interval | None = None
    anchor_segment: int = 0


class Found(NamedTuple):
    """All examples of some questions, in order, and the steps of each probe in each split."""

    chosen: list[Chosen]
    steps: dict[ProbeSplit, list[Step]]


class Part(NamedTuple):
    """The paragraphs of one split, and the steps that led to them."""

    split: str
    passages: list[Passage]
    steps: list[Step]


def find_pairs(questions: Iterable[Question], nlp: Language, rules: Rules, max_words: int) -> Found:
    """Every example of the five probes, before any is drawn: by probe, then by question."""
    parts = _read(questions, nlp)
    found = Found([], {})
    for probe, chosen, steps in _find_pairs(parts["test"], nlp, rules, max_words):
        found.chosen.extend(chosen)
        found.steps[probe, "test"] = steps
    for split, part in parts.items():
        chosen, steps = _find_boundaries(part, max_words)
        found.chosen.extend(chosen)
        found.steps[BOUNDARY, split] = steps
    return found


def _read(questions: Iterable[Question], nlp: Language) -> dict[str, Part]:
    """The paragraphs of the train and of the test questions, with their sentences."""
    read: dict[str, list[Passage | NoPair]] = {"train": [], "test": []}
    for question in questions:
        if question.split not in read:
            raise UnknownNameError(f"split of question {question.id}", question.split, read)
        read[question.split].append(Passage.of(question))
    parts = {}
    for split, found in read.items():
        passages, step = sift("paragraph", found, lambda passage: passage)
        steps = [Step("question", len(found), Counter()), step]
        parts[split] = Part(split, with_sentences(passages, nlp), steps)
    return parts


def _find_pairs(
    part: Part, nlp: Language, rules: Rules, max_words: int
) -> Iterator[tuple[str, list[Chosen], list[Step]]]:
    """For every pair probe its examples and steps; every paragraph is annotated once."""
    passages, length = sift("length", part.passages, lambda passage: _fits(passage, max_words))
    observed = list(zip(passages, _observe(passages, nlp), strict=True))
    for probe, find in PROBES.items():
        found, step = sift("pair", observed, _chooser(probe, find, rules))
        chosen = [example for examples in found for example in examples]
        yield probe, chosen, [*part.steps, length, step._replace(kept=len(chosen))]


def _find_boundaries(part: Part, max_words: int) -> tuple[list[Chosen], list[Step]]:
    """The answers inside their sentences."""
    cut, sentence = sift("pair", part.passages, Passage.cut_to_answer)
    short, length = sift("length", cut, lambda passage: _fits(passage, max_words))
    chosen = [Chosen(BOUNDARY, passage, passage.answer) for passage in short if passage.answer]
    return chosen, [*part.steps, sentence, length]


def _fits(passage: Passage, max_words: int) -> Passage | NoPair:
    if passage.n_words > max_words:
        return NoPair(f"more than {max_words} words")
    if not all(map(is_visible, (*passage.question, *passage.paragraph))):
        return NoPair("a word without a visible character")
    return passage


def _observe(passages: list[Passage], nlp: Language) -> Iterator[Observation]:
    texts = (text for passage in passages for text in (passage.question, passage.paragraph))
    annotated = annotate(nlp, texts, total=2 * len(passages))
    for passage, question, paragraph in zip(passages, annotated, annotated, strict=True):
        paragraph = replace(paragraph, sentences=passage.sentences)
        yield Observation(question, paragraph, passage.answer)


def _chooser(
    probe: str, find: Probe, rules: Rules
) -> Callable[[tuple[Passage, Observation]], list[Chosen] | NoPair]:
    """What a probe makes of a passage."""

    def choose(both: tuple[Passage, Observation]) -> list[Chosen] | NoPair:
        passage, observation = both
        pairs = find(observation, rules)
        if isinstance(pairs, NoPair):
            return pairs
        return [Chosen(probe, passage, match, anchor, side) for anchor, match, side in pairs]

    return choose
