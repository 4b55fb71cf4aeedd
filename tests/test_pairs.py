"""From questions to pairs: which paragraph, which split, what is stored once, what is counted."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from made_up_wordnet import write_wordnet
from spacy.language import Language

from tuneprobe.corpora.mrc import Shard
from tuneprobe.corpora.qed import read_qed
from tuneprobe.errors import UnknownNameError
from tuneprobe.examples.annotate import load_spacy
from tuneprobe.formats.examples import Examples
from tuneprobe.formats.question import Annotation, Candidate, Question
from tuneprobe.studies.pairwise.pairs import (
    Funnel,
    SynonymRule,
    build_pairs,
    join_pairs,
    parts,
    write_pairs_part,
)
from tuneprobe.studies.pairwise.pairs.observation import NoPair
from tuneprobe.studies.pairwise.pairs.passage import Passage
from tuneprobe.studies.pairwise.pairs.wordnet import WordNet
from tuneprobe.studies.pairwise.probe.paragraphs import pairs_from_examples

DOCUMENT = tuple(
    "Contents . Marie Curie was a famous scientist . "
    "She made a large film in Rome . The end .".split()
)
CURIE = Question(
    id="curie",
    title="Curie",
    words=tuple("where did marie curie make a big movie".split()),
    document=DOCUMENT,
    candidates=(Candidate(0, 2), Candidate(2, 17)),
    annotations=(Annotation(long=0), Annotation(long=1, shorts=((15, 16),))),
    split="test",
    sentences=(0, 2, 9, 17),
)
LONG_ONLY = replace(CURIE, id="long", annotations=(Annotation(long=1),))
NOTHING = replace(CURIE, id="nothing", annotations=(Annotation(), Annotation(yes_no="YES")))


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_spacy()


@pytest.fixture(scope="module")
def wordnet(tmp_path_factory: pytest.TempPathFactory) -> WordNet:
    return WordNet.read(write_wordnet(tmp_path_factory.mktemp("wordnet")))


def spoken(examples: Examples) -> list[tuple[str, str, str, str]]:
    """Probe, split, anchor and match of every example, in words."""

    def words(span: int) -> str:
        if span < 0:
            return ""
        text, segment, start, end, _ = examples.spans.iloc[span]
        return " ".join(examples.texts[f"words{segment + 1}"][text][start:end])

    rows = examples.examples.itertuples()
    return [(row.label, row.split, words(row.span1), words(row.span2)) for row in rows]


def test_every_probe_finds_its_pair_in_one_question(nlp: Language, wordnet: WordNet) -> None:
    questions = [CURIE, replace(CURIE, id="other", split="train")]
    examples, _ = build_pairs(questions, wordnet=wordnet, nlp=nlp, seed=1)
    assert spoken(examples) == [
        ("synonyms", "test", "big", "large"),
        ("coreference", "test", "marie curie", "She"),
        ("answer-type", "test", "where", "Rome"),
        ("boundary", "train", "", "Rome"),
        ("boundary", "test", "", "Rome"),
    ]
    assert set(examples.examples.group) == {-1}


def test_probes_share_a_text_and_every_paragraph_word_has_one_span(
    nlp: Language, wordnet: WordNet
) -> None:
    examples, _ = build_pairs([CURIE], wordnet=wordnet, nlp=nlp, seed=1)
    paragraph, sentence = DOCUMENT[2:17], DOCUMENT[9:17]
    assert [tuple(words) for words in examples.texts.words2] == [paragraph, sentence]
    words = examples.spans[examples.spans.role == "word"]
    assert words[["text", "start", "end"]].values.tolist() == [
        [text, i, i + 1] for text, n in ((0, 15), (1, 8)) for i in range(n)
    ]
    pairs = pairs_from_examples(examples, range(len(examples.examples)))
    assert pairs.para_len.tolist() == [15, 15, 15, 8]


def test_a_paragraph_of_one_sentence_is_stored_once_for_all_probes(
    nlp: Language, wordnet: WordNet
) -> None:
    question = replace(CURIE, candidates=(Candidate(0, 2), Candidate(9, 17)))
    examples, _ = build_pairs([question], wordnet=wordnet, nlp=nlp, seed=1)
    assert {probe for probe, *_ in spoken(examples)} == {"synonyms", "answer-type", "boundary"}
    assert len(examples.texts) == 1


def test_the_paragraph_is_the_long_answer_of_the_first_annotator_with_a_short_one() -> None:
    passage = Passage.of(CURIE)
    assert passage.paragraph == DOCUMENT[2:17]
    assert (passage.answer, passage.sentences) == ((13, 14), (0, 7))
    assert Passage.of(LONG_ONLY).answer is None
    assert Passage.of(NOTHING) == NoPair("no long answer")


def test_a_short_answer_outside_the_long_one_is_passed_over() -> None:
    both = Annotation(long=1, shorts=((0, 1), (15, 16)))
    assert Passage.of(replace(CURIE, annotations=(both,))).answer == (13, 14)


def test_a_paragraph_that_begins_inside_a_sentence_begins_with_a_part_of_it() -> None:
    passage = Passage.of(replace(CURIE, candidates=(Candidate(0, 2), Candidate(12, 19))))
    assert passage.sentences == (0, 5)
    assert passage.cut_to_answer().paragraph == DOCUMENT[12:17]


def test_an_answer_over_two_sentences_has_no_sentence() -> None:
    across = replace(CURIE, annotations=(Annotation(long=1, shorts=((7, 10),)),))
    assert Passage.of(across).cut_to_answer() == NoPair("the answer is not inside one sentence")


def test_sentences_are_found_where_the_corpus_gives_none(nlp: Language, wordnet: WordNet) -> None:
    given, _ = build_pairs([CURIE], wordnet=wordnet, nlp=nlp, seed=1)
    found, _ = build_pairs([replace(CURIE, sentences=())], wordnet=wordnet, nlp=nlp, seed=1)
    pd.testing.assert_frame_equal(given.examples, found.examples)
    assert given.spans_sha256() == found.spans_sha256()


DRAWN = ("synonyms", "coreference", "answer-type")


def crowd(n: int) -> list[Question]:
    """Questions whose pairs differ in their text alone."""
    return [replace(CURIE, id=f"q{i}", words=(*CURIE.words, str(i))) for i in range(n)]


def test_a_draw_is_reproducible_follows_the_seed_and_keeps_the_order(
    nlp: Language, wordnet: WordNet
) -> None:
    def drawn(seed: int) -> Examples:
        sizes = {"per_probe": 5, "boundary_train": 1, "boundary_test": 4}
        return build_pairs(crowd(20), wordnet=wordnet, nlp=nlp, seed=seed, **sizes)[0]

    examples = drawn(1)
    assert examples.examples.label.value_counts().to_dict() == {
        **dict.fromkeys(DRAWN, 5),
        "boundary": 4,
        "boundary-swapped": 4,
    }
    source = examples.texts.source[examples.spans.text[examples.examples.span2]].str[1:].astype(int)
    for probe in (*DRAWN, "boundary"):
        numbers = source[(examples.examples.label == probe).to_numpy()].tolist()
        assert numbers == sorted(set(numbers))
    pd.testing.assert_frame_equal(drawn(1).examples, examples.examples)
    assert drawn(1).spans_sha256() == examples.spans_sha256() != drawn(2).spans_sha256()


def test_a_size_of_one_probe_leaves_the_draw_of_the_others(nlp: Language, wordnet: WordNet) -> None:
    def sources(boundary_test: int) -> list[str]:
        examples, _ = build_pairs(
            crowd(12), wordnet=wordnet, nlp=nlp, seed=1, per_probe=3, boundary_test=boundary_test
        )
        synonyms = examples.examples[examples.examples.label == "synonyms"]
        return examples.texts.source[examples.spans.text[synonyms.span2]].tolist()

    assert sources(2) == sources(9)


def test_every_probe_has_a_draw_of_its_own(nlp: Language, wordnet: WordNet) -> None:
    examples, _ = build_pairs(crowd(20), wordnet=wordnet, nlp=nlp, seed=1, per_probe=5)
    text = examples.spans.text[examples.examples.span2].to_numpy()
    drawn = [text[(examples.examples.label == probe).to_numpy()] for probe in DRAWN]
    assert len({tuple(texts) for texts in drawn}) == 3


def test_the_funnel_accounts_for_every_question(nlp: Language, wordnet: WordNet) -> None:
    train = replace(CURIE, id="t", split="train")
    questions = [*crowd(3), LONG_ONLY, NOTHING, train, replace(NOTHING, split="train")]
    examples, funnel = build_pairs(
        questions, wordnet=wordnet, nlp=nlp, seed=1, per_probe=2, boundary_test=2
    )
    table = funnel.frame()
    made = examples.examples.groupby(["label", "split"]).size()
    for (probe, split), rows in table.groupby(["probe", "split"]):
        steps = rows.groupby("step", sort=False).agg({"kept": "first", "dropped": "sum"})
        assert steps.kept.iloc[0] == (5 if split == "test" else 2)
        for before, after in pairwise(steps.itertuples()):
            assert before.kept == after.kept + after.dropped
        assert steps.kept.iloc[-1] == made.get((probe, split), 0)
    reasons = table.set_index(["probe", "split", "reason"]).dropped
    assert reasons["synonyms", "test", "no long answer"] == 1
    assert reasons["answer-type", "test", "no short answer in the paragraph"] == 1
    assert reasons["synonyms", "test", "more than wanted"] == 2
    assert reasons["boundary", "train", "no long answer"] == 1


def test_longer_texts_are_left_out_and_counted(nlp: Language, wordnet: WordNet) -> None:
    words = len(CURIE.words) + 15
    fits, _ = build_pairs([CURIE], wordnet=wordnet, nlp=nlp, seed=1, max_words=words)
    assert len(fits.examples) == 4
    over, funnel = build_pairs([CURIE], wordnet=wordnet, nlp=nlp, seed=1, max_words=words - 1)
    assert [probe for probe, *_ in spoken(over)] == ["boundary"]  # its sentence is shorter
    assert f"more than {words - 1} words" in funnel.frame().reason.tolist()


def test_all_pairs_of_a_question_are_kept_where_asked(nlp: Language, wordnet: WordNet) -> None:
    examples, funnel = build_pairs(
        [CURIE], wordnet=wordnet, nlp=nlp, seed=1, synonyms=SynonymRule(all_pairs=True)
    )
    synonyms = [pair for probe, _, *pair in spoken(examples) if probe == "synonyms"]
    assert synonyms == [["big", "large"], ["movie", "film"]]
    assert funnel.frame().query("probe == 'synonyms' and step == 'sample'").kept.item() == 2


def test_a_question_of_another_split_is_refused(nlp: Language, wordnet: WordNet) -> None:
    with pytest.raises(UnknownNameError, match="unknown split of question curie 'tset'"):
        build_pairs([replace(CURIE, split="tset")], wordnet=wordnet, nlp=nlp, seed=1)


def test_no_question_gives_empty_tables(nlp: Language, wordnet: WordNet) -> None:
    examples, funnel = build_pairs([], wordnet=wordnet, nlp=nlp, seed=1)
    assert len(examples.texts) == len(examples.spans) == len(examples.examples) == 0
    assert set(funnel.frame().kept) == {0}


def test_pairs_found_shard_by_shard_are_drawn_as_those_found_at_once(
    nlp: Language, wordnet: WordNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "TOGETHER", 5)
    questions = [*crowd(12), NOTHING, replace(CURIE, id="t", split="train")]
    sizes = {"per_probe": 4, "boundary_train": 1, "boundary_test": 3}
    rules = {"synonyms": {"all_pairs": True}, "abbreviation": {}, "coreference": {}}
    folders = [tmp_path / str(number) for number in range(3)]
    for folder, some in zip(folders, (questions[:8], [], questions[8:]), strict=True):
        folder.mkdir()
        shard = Shard((), lambda _, some=some: iter(some))
        place = str(write_wordnet(tmp_path / "wordnet"))
        write_pairs_part(shard, folder, wordnet=place, max_words=200, **rules)
    examples, funnel = join_pairs(folders, seed=1, **sizes)
    at_once, funnel_at_once = build_pairs(
        questions, wordnet=wordnet, nlp=nlp, seed=1, synonyms=SynonymRule(all_pairs=True), **sizes
    )
    assert spoken(examples) == spoken(at_once)
    assert examples.spans_sha256() == at_once.spans_sha256()
    pd.testing.assert_frame_equal(examples.examples, at_once.examples)
    pd.testing.assert_frame_equal(funnel.frame(), funnel_at_once.frame())


def test_an_empty_funnel_has_its_columns() -> None:
    columns = ["probe", "split", "step", "kept", "dropped", "reason"]
    assert Funnel().frame().columns.tolist() == columns


@pytest.mark.shared_data
def test_every_probe_finds_pairs_in_real_questions(
    shared_data: Path, nlp: Language, wordnet: WordNet
) -> None:
    path = shared_data / "mrc" / "natural_questions" / "qed" / "qed-dev.jsonlines"
    questions = [replace(question, split="test") for question in read_qed(path)][:80]
    examples, _ = build_pairs(questions, wordnet=wordnet, nlp=nlp, seed=1)
    counts = examples.examples.label.value_counts()
    assert set(counts.index) >= {"abbreviation", "coreference", "answer-type", "boundary"}
    assert counts["boundary"] > 75
    asked = {anchor.lower() for probe, _, anchor, _ in spoken(examples) if probe == "answer-type"}
    assert asked == {"who", "when", "where"}
    pairs = pairs_from_examples(examples, range(len(examples.examples)))
    assert pairs.para_len.max() <= 200


@pytest.mark.parametrize("word", ["\ufeff", "\u200b", "\ufffd"])
def test_a_paragraph_with_an_invisible_word_is_left_out_and_counted(
    word: str, nlp: Language, wordnet: WordNet
) -> None:
    question = replace(CURIE, document=(*DOCUMENT[:3], word, *DOCUMENT[4:]))
    examples, funnel = build_pairs([question], wordnet=wordnet, nlp=nlp, seed=1)
    assert "synonyms" not in examples.examples.label.tolist()
    assert "a word without a visible character" in funnel.frame().reason.tolist()
