"""The pair probes on annotated words: the paper's definition, and the authors' variants."""

from pathlib import Path

import pytest
from made_up_wordnet import write_wordnet

from tuneprobe.examples.annotate import Annotated, Entity
from tuneprobe.formats.question import Interval
from tuneprobe.studies.pairwise.pairs import PROBES
from tuneprobe.studies.pairwise.pairs.abbreviation import (
    AUTHORS_RULE,
    AbbreviationRule,
    abbreviation_pairs,
)
from tuneprobe.studies.pairwise.pairs.answer_type import answer_type_pairs
from tuneprobe.studies.pairwise.pairs.coreference import CoreferenceRule, coreference_pairs
from tuneprobe.studies.pairwise.pairs.observation import NoPair, Observation, Pair
from tuneprobe.studies.pairwise.pairs.synonyms import SynonymRule, synonym_pairs
from tuneprobe.studies.pairwise.pairs.wordnet import WordNet

STOP = frozenset("a and are by in is it of on she her the their this to was who when where".split())


def annotated(text: str, entities: tuple[Entity, ...] = ()) -> Annotated:
    """Words as ``word``, ``word/POS`` or ``word/POS/lemma``; ``.`` ends a sentence."""
    marked = [[*word.split("/"), "", ""][:3] for word in text.split()]
    words = tuple(word for word, _, _ in marked)
    ends = [i + 1 for i, word in enumerate(words) if word == "."]
    return Annotated(
        words=words,
        lemmas=tuple(lemma or word.lower() for word, _, lemma in marked),
        pos=tuple(pos for _, pos, _ in marked),
        stop=tuple(word.lower() in STOP for word in words),
        entities=entities,
        sentences=(0, *(end for end in ends if end < len(words))),
    )


def observed(
    question: str,
    paragraph: str,
    answer: Interval | None = None,
    entities: tuple[Entity, ...] = (),
) -> Observation:
    return Observation(annotated(question), annotated(paragraph, entities), answer)


def word(question: int, paragraph: int) -> Pair:
    return Pair((question, question + 1), (paragraph, paragraph + 1))


@pytest.fixture
def wordnet(tmp_path: Path) -> WordNet:
    return WordNet.read(write_wordnet(tmp_path))


def test_the_first_question_word_with_a_synonym_is_paired(wordnet: WordNet) -> None:
    seen = observed(
        "who shot/VERB/shoot the big/ADJ film/NOUN",
        "The large/ADJ movies/NOUN/movie of the cinema/NOUN are large/ADJ",
    )
    assert synonym_pairs(seen, SynonymRule(), wordnet) == [word(3, 1)]
    every = [word(3, 1), word(3, 7), word(4, 2), word(4, 5)]
    assert synonym_pairs(seen, SynonymRule(all_pairs=True), wordnet) == every


def test_equal_words_and_equal_lemmas_are_no_synonyms(wordnet: WordNet) -> None:
    seen = observed("the film/NOUN", "Films/NOUN/film Film/VERB/shoot")
    assert isinstance(synonym_pairs(seen, SynonymRule(), wordnet), NoPair)


def test_stop_words_and_punctuation_are_no_synonyms(wordnet: WordNet) -> None:
    seen = observed("the/NOUN/film --/NOUN/film", "movie/NOUN")
    assert isinstance(synonym_pairs(seen, SynonymRule(), wordnet), NoPair)


@pytest.mark.parametrize(
    ("question", "paragraph", "pairs"),
    [
        ("film/NOUN", "shoots/VERB/shoot", False),  # they share a synset of verbs
        ("film/NOUN", "house/VERB movie/PROPN", True),
        ("film/VERB", "shoots/VERB/shoot", True),
        ("film/VERB", "movie/NOUN", False),
        ("film/X", "movie/X", False),
    ],
)
def test_with_same_pos_both_words_have_the_part_of_speech_of_the_synset(
    wordnet: WordNet, question: str, paragraph: str, pairs: bool
) -> None:
    found = synonym_pairs(observed(question, paragraph), SynonymRule(same_pos=True), wordnet)
    assert isinstance(found, list) == pairs
    assert isinstance(synonym_pairs(observed(question, paragraph), SynonymRule(), wordnet), list)


def test_the_papers_own_abbreviation_is_found() -> None:
    seen = observed("what is the rbc", "Oxygen is carried by red blood cells .")
    assert abbreviation_pairs(seen, AbbreviationRule()) == [Pair((3, 4), (4, 7))]


BLOOD = "Red blood cells and red body colours"


@pytest.mark.parametrize(
    ("rule", "window"),
    [
        (AbbreviationRule(), (0, 3)),
        (AbbreviationRule(window="last"), (4, 7)),
        (AbbreviationRule(window="last", final_window=False), (0, 3)),
        (AbbreviationRule(capitals="paragraph"), None),
        (AbbreviationRule(min_letters=4), None),
    ],
)
def test_each_variant_of_the_abbreviation_takes_its_window(
    rule: AbbreviationRule, window: Interval | None
) -> None:
    found = abbreviation_pairs(observed("the rbc", BLOOD), rule)
    assert found == [Pair((1, 2), window)] if window else isinstance(found, NoPair)


AUTHORS_CASES = {  # what is asked: (question, paragraph, window)
    "small letters in the paragraph": ("what is the rbc", "Some red blood cells die .", None),
    "capitals in the paragraph": ("what is the rbc", "Some Red Blood Cells die .", (1, 4)),
    "capitals in the question alone": ("what is the RBC", "Some red blood cells die .", None),
    "capitals on both sides": ("what is the RBC", "Some Red Blood Cells die .", (1, 4)),
    "one word in small letters": ("what is the rbc", "Some Red blood Cells die .", None),
    "a stop word in the question": ("is it in use", "Ships reach Iceland Norway soon .", None),
    "a stop word at the edge": ("who wrote toy", "She read The Old Year there .", (2, 5)),
    "two windows": ("the rbc", "Red Blood Cells and Royal Book Clubs meet .", (4, 7)),
    "the final window alone": ("the rbc", "We count Red Blood Cells", None),
}


@pytest.mark.parametrize("case", AUTHORS_CASES)
def test_the_authors_rule_wants_capitals_in_the_paragraph(case: str) -> None:
    question, paragraph, window = AUTHORS_CASES[case]
    found = abbreviation_pairs(observed(question, paragraph), AUTHORS_RULE)
    assert (None if isinstance(found, NoPair) else found[0].match) == window


def test_full_stops_do_not_hide_an_abbreviation_but_digits_do() -> None:
    rule = AbbreviationRule()
    assert abbreviation_pairs(observed("u.s.", "United States"), rule) == [Pair((0, 1), (0, 2))]
    assert isinstance(abbreviation_pairs(observed("g7", "great 7"), rule), NoPair)


@pytest.mark.parametrize(
    ("question", "paragraph", "option"),
    [("in", "Islands north", "question_stop_words"), ("pi", "Pi is old", "edge_stop_words")],
)
def test_stop_words_abbreviate_only_where_asked(question: str, paragraph: str, option: str) -> None:
    inside = observed("the dod", "Department of Defense")
    assert abbreviation_pairs(inside, AbbreviationRule()) == [Pair((1, 2), (0, 3))]
    chance = observed(question, paragraph)
    assert isinstance(abbreviation_pairs(chance, AbbreviationRule()), NoPair)
    for other in ("question_stop_words", "edge_stop_words"):
        found = abbreviation_pairs(chance, AbbreviationRule(**{other: True}))
        assert (found == [Pair((0, 1), (0, 2))]) == (other == option)


LEE = "Ann/PROPN Lee/PROPN is a painter . On Monday she met her aunt in Rome ."
AUNT = (12, 13)  # she met her aunt in *Rome*


def test_the_entity_is_joined_with_the_first_pronoun_of_the_answers_sentence() -> None:
    seen = observed("where did ann lee go", LEE, AUNT, (Entity(0, 2, "PERSON"),))
    assert coreference_pairs(seen, CoreferenceRule()) == [Pair((2, 4), (8, 9))]


def test_the_anchor_may_be_the_mention_in_the_paragraph() -> None:
    seen = observed("where did ann lee go", LEE, AUNT, (Entity(0, 2, "PERSON"),))
    rule = CoreferenceRule(anchor="paragraph")
    assert coreference_pairs(seen, rule) == [Pair((0, 2), (8, 9), anchor_segment=1)]


@pytest.mark.parametrize(
    ("paragraph", "entities"),
    [
        ("They met Ann Lee in Rome . Ann Lee left .", (Entity(2, 4, "PERSON"),)),
        ("They met Ann/PROPN Lee in Rome . Ann/PROPN Lee left .", ()),
        ("They sang `` Ann Lee '' . So `` Ann Lee '' is old .", ()),
    ],
)
def test_an_entity_in_or_after_the_answers_sentence_does_not_count(
    paragraph: str, entities: tuple[Entity, ...]
) -> None:
    found = coreference_pairs(
        observed("where is ann lee", paragraph, (1, 2), entities), CoreferenceRule()
    )
    assert found == NoPair("no entity of the question before the answer's sentence")


@pytest.mark.parametrize(
    ("paragraph", "answer", "reason"),
    [
        ("Ann/PROPN Lee/PROPN left . Rome was it .", None, "no short answer in the paragraph"),
        (
            "Ann/PROPN Lee/PROPN left . She saw it .",
            (2, 5),
            "the answer is not inside one sentence",
        ),
        (
            "Ann/PROPN Lee/PROPN left . Lee found herself in Rome .",
            (8, 9),
            "no third-person pronoun in the answer's sentence",
        ),
    ],
)
def test_coreference_says_why_it_finds_nothing(
    paragraph: str, answer: Interval | None, reason: str
) -> None:
    seen = observed("where is ann lee", paragraph, answer)
    assert coreference_pairs(seen, CoreferenceRule()) == NoPair(reason)


@pytest.mark.parametrize(
    ("question", "paragraph", "entities", "mode", "anchor"),
    [
        ("who sang red sun", "`` Red Sun '' is old . She is Bo .", (), "quoted", (2, 4)),
        ("who sang the wide sea", "Old Wide/PROPN Sea . She is Bo .", (), "shared", (3, 5)),
        (
            "who is queen",
            "Queen reigns . She is Bo .",
            (Entity(0, 1, "ORG"),),
            "named",
            (2, 3),
        ),
    ],
)
def test_each_kind_of_entity_is_found_by_its_own_mode_alone(
    question: str,
    paragraph: str,
    entities: tuple[Entity, ...],
    mode: str,
    anchor: Interval,
) -> None:
    bo = paragraph.split().index("Bo")
    seen = observed(question, paragraph, (bo, bo + 1), entities)
    (pair,) = coreference_pairs(seen, CoreferenceRule(entities=(mode,)))
    assert (pair.anchor, pair.match) == (anchor, (bo - 2, bo - 1))
    others = tuple({"named", "quoted", "shared"} - {mode})
    assert isinstance(coreference_pairs(seen, CoreferenceRule(entities=others)), NoPair)


@pytest.mark.parametrize(("question", "anchor"), [("who is the bat", (2, 4)), ("is bat x", (1, 2))])
def test_the_article_of_an_entity_counts_where_the_question_has_it(
    question: str, anchor: Interval
) -> None:
    seen = observed(question, "The Bat left . She is Bo .", (6, 7), (Entity(0, 2, "ORG"),))
    (pair,) = coreference_pairs(seen, CoreferenceRule(entities=("named",)))
    assert pair.anchor == anchor


def test_two_quotes_with_nothing_between_are_no_title() -> None:
    seen = observed("who is x", "`` '' is old . She is Bo .", (7, 8))
    assert isinstance(coreference_pairs(seen, CoreferenceRule()), NoPair)


def test_dates_and_numbers_are_not_what_a_pronoun_stands_for() -> None:
    seen = observed("what was 1990", "In 1990 . It was Bo .", (5, 6), (Entity(1, 2, "DATE"),))
    assert isinstance(coreference_pairs(seen, CoreferenceRule()), NoPair)


def test_of_several_entities_the_longest_is_taken_then_the_earliest() -> None:
    people = (Entity(0, 1, "PERSON"), Entity(2, 4, "PERSON"), Entity(5, 7, "PERSON"))
    seen = observed("bo lee ann wu kim", "Kim met Ann Wu and Bo Lee . He is X .", (10, 11), people)
    (pair,) = coreference_pairs(seen, CoreferenceRule())
    assert pair.anchor == (2, 4)


@pytest.mark.parametrize("first", ["who", "When", "where"])
def test_a_question_word_is_joined_with_the_short_answer(first: str) -> None:
    assert answer_type_pairs(observed(f"{first} is ann", "In Rome .", (0, 2))) == [
        Pair((0, 1), (0, 2))
    ]


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("in rome who", (0, 1), "the question does not begin with who, when or where"),
        ("who is ann", None, "no short answer in the paragraph"),
    ],
)
def test_answer_type_says_why_it_finds_nothing(
    question: str, answer: Interval | None, reason: str
) -> None:
    assert answer_type_pairs(observed(question, "Rome .", answer)) == NoPair(reason)


def test_the_registry_names_the_pair_probes_of_the_paper() -> None:
    assert list(PROBES) == ["synonyms", "abbreviation", "coreference", "answer-type"]
