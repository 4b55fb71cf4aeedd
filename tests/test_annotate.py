"""Annotation: words stay as they are, and what is said of them is right and reproducible."""

from pathlib import Path

import pytest
from spacy.language import Language

import tuneprobe.examples.annotate
from tuneprobe.examples.annotate import (
    Annotated,
    Entity,
    SpacyModelError,
    annotate,
    annotator_facts,
    is_mark,
    load_spacy,
    sentence_around,
    split_sentences,
)
from tuneprobe.params import load_params

BIRTH = "Marie Curie was born in Warsaw . She wrote two books , and won prizes .".split()


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_spacy()


def test_words_lemmas_and_parts_of_speech_are_those_of_the_given_words(nlp: Language) -> None:
    (text,) = annotate(nlp, [BIRTH], total=1)
    assert text.words == tuple(BIRTH)
    at = BIRTH.index("wrote")
    assert (text.lemmas[at], text.pos[at], text.stop[at]) == ("write", "VERB", False)
    assert (text.lemmas[0], text.pos[0], text.stop[2]) == ("marie", "PROPN", True)


def test_entities_and_sentences_count_words(nlp: Language) -> None:
    (text,) = annotate(nlp, [BIRTH], total=1)
    assert Entity(0, 2, "PERSON") in text.entities
    assert Entity(5, 6, "GPE") in text.entities
    assert text.sentences == (0, 7)


def test_words_are_not_cut_again(nlp: Language) -> None:
    words = ["u.s.", "don't", "St.Louis-based", "``", "x y"]
    (text,) = annotate(nlp, [words], total=1)
    assert text.words == tuple(words)


def test_a_text_without_words_is_annotated_too(nlp: Language) -> None:
    empty, one = annotate(nlp, [[], ["Hello"]], total=2)
    assert empty == Annotated((), (), (), ())
    assert one.words == ("Hello",)


def test_texts_keep_their_order_over_batches_and_repeat(nlp: Language) -> None:
    texts = [[*BIRTH[: 2 + n % 9], str(n)] for n in range(150)]
    first = list(annotate(nlp, texts, total=150))
    assert [text.words for text in first] == [tuple(words) for words in texts]
    assert list(annotate(nlp, texts, total=150)) == first


def test_sentences_alone_are_those_of_the_whole_annotation(nlp: Language) -> None:
    texts = [BIRTH, BIRTH[7:], BIRTH * 3]
    whole = [text.sentences for text in annotate(nlp, texts, total=3)]
    assert list(split_sentences(nlp, texts, total=3)) == whole


def test_content_leaves_out_stop_words_and_punctuation() -> None:
    text = Annotated(("The", "``", "U.S.", "-", "4"), ("",) * 5, ("",) * 5, (True, *[False] * 4))
    assert text.content == [2, 4]
    assert is_mark("--")
    assert not is_mark("'s")


@pytest.mark.parametrize(
    ("span", "sentence"),
    [((0, 4), (0, 4)), ((4, 5), (4, 9)), ((8, 9), (4, 9)), ((3, 5), None), ((8, 10), None)],
)
def test_a_sentence_holds_the_whole_span_or_none_does(
    span: tuple[int, int], sentence: tuple[int, int] | None
) -> None:
    assert sentence_around((0, 4), 9, span) == sentence


def test_without_a_model_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuneprobe.examples.annotate, "MODELS", ("no_such_model",))
    with pytest.raises(SpacyModelError, match=r"looked for no_such_model.*pip install"):
        load_spacy()


def test_the_spacy_model_is_the_one_that_params_yaml_names_or_refused(root: Path) -> None:
    meant = load_params(root / "params.yaml").annotator
    assert annotator_facts(meant.package, meant.sha256)["version"] == "3.8.0"
    for package, sha256 in ((meant.package, "0" * 64), ("en_core_web_sm", meant.sha256)):
        with pytest.raises(SpacyModelError, match=f"expects {package} with {sha256}"):
            annotator_facts(package, sha256)
