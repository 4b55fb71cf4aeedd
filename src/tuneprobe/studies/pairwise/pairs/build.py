"""From what the five probes find to the examples that are drawn of it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from spacy.language import Language

from tuneprobe.formats.examples import NO_SPAN, Examples, ExamplesBuilder
from tuneprobe.formats.question import Question
from tuneprobe.rng import rng
from tuneprobe.studies.pairwise.pairs.abbreviation import AbbreviationRule
from tuneprobe.studies.pairwise.pairs.coreference import CoreferenceRule
from tuneprobe.studies.pairwise.pairs.find import (
    BOUNDARY,
    PROBES,
    SWAPPED,
    Chosen,
    ProbeSplit,
    Rules,
    find_pairs,
)
from tuneprobe.studies.pairwise.pairs.funnel import Funnel, Step, add_steps, draw
from tuneprobe.studies.pairwise.pairs.observation import PARAGRAPH
from tuneprobe.studies.pairwise.pairs.passage import Passage
from tuneprobe.studies.pairwise.pairs.synonyms import SynonymRule
from tuneprobe.studies.pairwise.pairs.wordnet import WordNet


def build_pairs(
    questions: Iterable[Question],
    *,
    wordnet: WordNet,
    nlp: Language,
    seed: int,
    per_probe: int = 300,
    max_words: int = 200,
    synonyms: SynonymRule = SynonymRule(),
    abbreviation: AbbreviationRule = AbbreviationRule(),
    coreference: CoreferenceRule = CoreferenceRule(),
    boundary_train: int = 600,
    boundary_test: int = 300,
) -> tuple[Examples, Funnel]:
    """Examples of kind ``pairs`` for the five probes, and how many each step kept.

    The pair probes look at the paragraphs of the test questions, ``boundary`` at the answer's
    sentence in both splits. Where more examples are found than wanted, a random part is drawn.

    Parameters
    ----------
    questions : iterable of Question
        Each with split ``train`` or ``test``; read once.
    nlp : Language
        The model of `tuneprobe.examples.annotate.load_spacy`.
    seed : int
        Seed of the drawing; every probe has a stream of its own.
    per_probe, boundary_train, boundary_test : int
        Most examples of each pair probe, and of the two parts of ``boundary``.
    max_words : int
        Longest text, question and paragraph together; longer ones are left out and counted.

    Returns
    -------
    Examples
        By probe, then in the order of the questions; last ``boundary-swapped``, the test examples
        of boundary after another question, in that order. Every paragraph word has one span of role
        ``word``; a match of one word is that word's span.
    Funnel

    Source: Cai et al. 2020, section 3.
    """
    rules = Rules(wordnet, synonyms, abbreviation, coreference)
    found = find_pairs(questions, nlp, rules, max_words)
    sizes = draw_sizes(per_probe, boundary_train, boundary_test)
    return draw_pairs([found.steps], [found.chosen], sizes, seed)


def draw_sizes(per_probe: int, boundary_train: int, boundary_test: int) -> dict[ProbeSplit, int]:
    """Most examples of each probe in each split, in the order in which they are stored."""
    return {
        **{(probe, "test"): per_probe for probe in PROBES},
        (BOUNDARY, "train"): boundary_train,
        (BOUNDARY, "test"): boundary_test,
    }


def draw_pairs(
    steps: Sequence[Mapping[ProbeSplit, list[Step]]],
    chosen: Iterable[Iterable[Chosen]],
    sizes: Mapping[ProbeSplit, int],
    seed: int,
) -> tuple[Examples, Funnel]:
    """Draw from what was found in the parts of a corpus as if it had been found in one.

    Parameters
    ----------
    steps, chosen
        Of each part (`find_pairs`); the examples are read once, and only those drawn are kept.
    """
    funnel, wanted = Funnel(), {}
    for key, most in sizes.items():
        together = add_steps([part[key] for part in steps])
        wanted[key], sample = draw(together[-1].kept, most, seed, *key)
        funnel.add(*key, [*together, sample])
    seen: Counter[ProbeSplit] = Counter()
    drawn: dict[ProbeSplit, list[Chosen]] = {key: [] for key in sizes}
    for example in chain.from_iterable(chosen):
        key = example.probe, example.passage.split
        if seen[key] in wanted[key]:
            drawn[key].append(example)
        seen[key] += 1
    swapped = _swap_questions(drawn[BOUNDARY, "test"], seed)
    return _store(chain(*drawn.values(), swapped)), funnel


def _swap_questions(chosen: Sequence[Chosen], seed: int) -> list[Chosen]:
    """Each example after the words of another question, which is drawn; in the same order.

    Empty where all ask the same question.
    """
    stream = rng(seed, "pairwise", "swapped questions")
    questions = [example.passage.question for example in chosen]
    if len(set(questions)) < 2:
        return []
    swapped = []
    for example in chosen:
        first = stream.integers(len(questions))
        turned = chain(questions[first:], questions[:first])
        question = next(other for other in turned if other != example.passage.question)
        passage = replace(example.passage, question=question)
        swapped.append(example._replace(probe=SWAPPED, passage=passage))
    return swapped


def _store(chosen: Iterable[Chosen]) -> Examples:
    """The tables; a text that several probes use is stored once, its words before its pairs."""
    builder = ExamplesBuilder()
    texts: dict[tuple[str, tuple[str, ...], tuple[str, ...]], int] = {}
    for example in chosen:
        passage = example.passage
        key = passage.source, passage.question, passage.paragraph
        if key not in texts:
            texts[key] = _add_text(builder, passage)
        text, anchor = texts[key], NO_SPAN
        if example.anchor is not None:
            anchor = builder.add_span(text, example.anchor_segment, *example.anchor, "anchor")
        match = builder.add_span(text, PARAGRAPH, *example.match, "match")
        builder.add_example(anchor, match, example.probe, passage.split)
    return builder.build()


def _add_text(builder: ExamplesBuilder, passage: Passage) -> int:
    text = builder.add_text(passage.source, list(passage.question), list(passage.paragraph))
    for word in range(len(passage.paragraph)):
        builder.add_span(text, PARAGRAPH, word, word + 1, "word")
    return text
