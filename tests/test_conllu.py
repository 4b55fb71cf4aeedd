"""CoNLL-U: words with tag, head and relation; every malformed line is one clear error."""

import gzip
import lzma
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneprobe.corpora.conllu import Sentence, Word, read_conllu
from tuneprobe.corpora.lines import CorpusError

ROWS = """\
1-2 Don't _ _ _ _ _ _ _ _
1 Do do AUX VB _ 3 aux _ _
2 n't not PART RB _ 3 advmod _ _
3 fly fly VERB VB _ 0 root _ _
3.1 fly fly VERB VB _ _ _ _ _
4 kites kite NOUN NNS _ 3 obj _ SpaceAfter=No"""
KITES = Sentence(
    "kites-1",
    (
        Word("Do", "AUX", 3, "aux"),
        Word("n't", "PART", 3, "advmod"),
        Word("fly", "VERB", 0, "root"),
        Word("kites", "NOUN", 3, "obj"),
    ),
)


def tabs(rows: str) -> str:
    return rows.replace(" ", "\t") + "\n"


def in_conllu(sentences: list[Sentence]) -> str:
    """Sentences as upstream writes them."""
    blocks = []
    for name, words in sentences:
        lines = [f"# sent_id = {name}", "# text = " + " ".join(word.form for word in words)]
        for number, (form, upos, head, deprel) in enumerate(words, start=1):
            lines.append(f"{number}\t{form}\t_\t{upos}\t_\t_\t{head}\t{deprel}\t_\t_")
        blocks.append("\n".join(lines) + "\n\n")
    return "".join(blocks)


def read(folder: Path, text: str, name: str = "a.conllu") -> list[Sentence]:
    (folder / name).write_bytes(text.encode())
    return list(read_conllu(folder / name))


def test_words_are_the_syntactic_ones_without_multiword_tokens_and_empty_nodes(tmp_path):
    text = f"# newdoc\n# sent_id = kites-1\n# text = Don't fly kites\n{tabs(ROWS)}\n"
    assert read(tmp_path, text) == [KITES]


def test_windows_line_ends_further_blank_lines_and_a_missing_last_one_change_nothing(tmp_path):
    text = f"# sent_id = kites-1\n{tabs(ROWS)}"
    twice = f"\n{text}\n\n{text}".replace("\n", "\r\n")
    assert read(tmp_path, twice) == [KITES, KITES]


def test_a_sentence_without_sent_id_is_named_by_file_and_line(tmp_path):
    names = [name for name, _ in read(tmp_path, f"{tabs(ROWS)}\n# text = x\n{tabs(ROWS)}\n")]
    assert names == ["a.conllu:1", "a.conllu:8"]


def test_a_form_may_hold_a_blank_a_sharp_or_an_underscore(tmp_path):
    words = tuple(Word(form, "SYM", place, "dep") for place, form in enumerate(["# 1", "#", "_"]))
    sentence = Sentence("s", (words[0]._replace(deprel="root"), *words[1:]))
    assert read(tmp_path, in_conllu([sentence])) == [sentence]


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_packed_files_are_read(tmp_path, ending, pack):
    path = tmp_path / f"a.conllu{ending}"
    path.write_bytes(pack(in_conllu([KITES]).encode()))
    assert list(read_conllu(path)) == [KITES]


@st.composite
def sentences(draw):
    """Any forms, some labels; a head before its word, and the root where it is 0."""
    form = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1)
    words = []
    for number, text in enumerate(draw(st.lists(form, min_size=1, max_size=6))):
        upos, relation = draw(st.sampled_from(["NOUN", "X"])), draw(st.sampled_from(["obj", "a:b"]))
        head = draw(st.integers(0, number))
        words.append(Word(text, upos, head, relation if head else "root"))
    return Sentence(draw(st.sampled_from(["a", "b-1", "é 2"])), tuple(words))


@settings(deadline=None, max_examples=50)
@given(st.lists(sentences(), max_size=3))
def test_what_is_written_in_conllu_is_read_back(tmp_path_factory, written):
    folder = tmp_path_factory.getbasetemp()
    assert read(folder, in_conllu(written), "written.conllu") == written


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("SpaceAfter=No", "x y", 6, "11 columns, expected 10 divided by tabs"),
        ("3 aux _ _", "3 aux _", 2, "9 columns, expected 10 divided by tabs"),
        ("2 n't", "3 n't", 3, "ID is '3', expected 2"),
        ("2 n't", "02 n't", 3, "ID is '02', expected 2"),
        ("2 n't", "two n't", 3, "ID is 'two', expected 2"),
        ("1-2", "2-3", 1, "ID is 2-3, expected a range from 1"),
        ("1-2", "1-9", 1, "ID is 1-9, but the sentence has 4 words"),
        ("3.1", "2.1", 5, "ID is 2.1, expected an empty node 3.1 here"),
        ("2 n't", "2 ", 3, "FORM is empty, expected a word"),
        ("2 n't", "2 \u2003", 3, "FORM is empty, expected a word"),
        ("AUX", "_", 2, "UPOS is '_', expected a label"),
        (" aux", " ", 2, "DEPREL is '', expected a label"),
        ("_ 3 aux", "_ 5 aux", 2, "HEAD is '5', expected 0 to 4"),
        ("_ 3 aux", "_ -1 aux", 2, "HEAD is '-1', expected 0 to 4"),
        ("_ 3 aux", "_ _ aux", 2, "HEAD is '_', expected 0 to 4"),
        ("_ 3 aux", "_ 1 aux", 2, "HEAD is 1, the word itself"),
        ("_ 3 aux", "_ 0 aux", 2, "DEPREL is 'aux' with head 0: 'root' belongs to head 0"),
        ("_ 3 aux", "_ 3 root", 2, "DEPREL is 'root' with head 3: 'root' belongs to head 0"),
        ("3.1", "# sent_id = b\n3.1", 5, "a comment inside a sentence, expected a blank line"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, old, new, line, message):
    assert ROWS.count(old) >= 1
    with pytest.raises(CorpusError) as error:
        read(tmp_path, tabs(ROWS.replace(old, new, 1)))
    assert f"a.conllu:{line}: {message}" in str(error.value)


@pytest.mark.parametrize("text", ["# sent_id = a\n", tabs("1-1 a _ _ _ _ _ _ _ _")])
def test_a_sentence_without_words_is_refused(tmp_path, text):
    with pytest.raises(CorpusError, match=r"a\.conllu:1: .*(without words|has 0 words)"):
        read(tmp_path, text)


def test_a_line_that_is_not_utf_8_is_named(tmp_path):
    (tmp_path / "a.conllu").write_bytes(b"# text = x\n1\t\xff\n")
    with pytest.raises(CorpusError, match=r"a\.conllu:2: byte 2 of the line is not UTF-8"):
        list(read_conllu(tmp_path / "a.conllu"))
