"""STREUSLE: single-word preposition units, the same from conllulex and from JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from tuneprobe.corpora.conllu import read_blocks
from tuneprobe.corpora.lines import CorpusError
from tuneprobe.corpora.streusle import SupersenseSentence, Unit, read_streusle

# Three invented sentences: form, SMWE, LEXCAT, SS, SS2; the other columns are filled in.
KITES = {
    "kites-1": "My _ PRON.POSS p.SocialRel p.Gestalt|kite _ N n.ARTIFACT _|"
    "of _ P p.Whole p.Gestalt|silk 1:1 N n.SUBSTANCE _|cloth 1:2 _ _ _",
    "kites-2": "Out 1:1 PP p.Locus p.Locus|of 1:2 _ _ _|to _ INF.P p.Purpose p.Goal|"
    "'s _ POSS p.Possessor p.Possessor|your _ PRON.POSS `$ `$|w _ P ?? _",
    "kites-3": "Fly _ V v.motion _",
}
READ = [
    SupersenseSentence(
        "kites-1",
        ("My", "kite", "of", "silk", "cloth"),
        (Unit(0, "p.SocialRel", "p.Gestalt"), Unit(2, "p.Whole", "p.Gestalt")),
    ),
    SupersenseSentence(
        "kites-2",
        ("Out", "of", "to", "'s", "your", "w"),
        (Unit(2, "p.Purpose", "p.Goal"), Unit(3, "p.Possessor", "p.Possessor")),
    ),
    SupersenseSentence("kites-3", ("Fly",), ()),
]


def conllulex(sentences: dict[str, str] = KITES) -> str:
    blocks = []
    for name, words in sentences.items():
        lines = [f"# sent_id = {name}"]
        for number, word in enumerate(words.split("|"), start=1):
            form, strong, lexcat, role, function = word.split(" ")
            conllu = [str(number), form, form, "X", "X", "_", "0", "root", "_", "_"]
            lexical = [strong, lexcat, form, role, function, "_", "_", "_", "O"]
            lines.append("\t".join(conllu + lexical))
        blocks.append("\n".join(lines) + "\n\n")
    return "".join(blocks)


def as_json(path: Path) -> list[Any]:
    """The sentences of a conllulex file in the fields of upstream's own conversion."""
    sentences = []
    for name, rows in read_blocks(path, 19):
        single, strong = {}, {}
        for number, row in enumerate(rows, start=1):
            smwe, lexcat, lemma, role, function = row.cells[10:15]
            senses = {"ss": role, "ss2": function}
            lexical = {"lexlemma": lemma, "lexcat": lexcat}
            lexical |= {key: None if sense == "_" else sense for key, sense in senses.items()}
            if smwe == "_":
                single[str(number)] = lexical | {"toknums": [number]}
            else:
                key = smwe.partition(":")[0]
                strong.setdefault(key, lexical | {"toknums": []})["toknums"].append(number)
        tokens = [{"#": number, "word": row.form} for number, row in enumerate(rows, start=1)]
        sentences.append({"sent_id": name, "toks": tokens, "swes": single, "smwes": strong})
    return sentences


@pytest.fixture
def both(tmp_path) -> tuple[Path, Path]:
    """The invented sentences in either format; the JSON has one in each of its lines 2, 3, 4."""
    lex, plain = tmp_path / "a.conllulex", tmp_path / "a.json"
    lex.write_text(conllulex())
    plain.write_text("[\n" + ",\n".join(map(json.dumps, as_json(lex))) + "\n]\n")
    return lex, plain


def test_units_are_single_words_with_a_preposition_supersense(both):
    assert list(read_streusle(both[0])) == READ


def test_the_json_of_the_same_sentences_gives_the_same_units(both):
    assert list(read_streusle(both[1])) == READ


@pytest.mark.shared_data
@pytest.mark.parametrize("version", ["4.2", "4.7.1"])
def test_the_json_of_the_real_test_file_gives_the_same_units(shared_data, tmp_path, version):
    folder = shared_data / "labelling" / f"STREUSLE-{version}" / "test"
    lex = folder / "streusle.ud_test.conllulex.gz"
    plain = tmp_path / "streusle.ud_test.json"
    plain.write_text(json.dumps(as_json(lex)))
    read = list(read_streusle(lex))
    assert read == list(read_streusle(plain))
    assert (len(read), sum(len(sentence.units) for sentence in read)) == (535, 457)


def test_an_empty_array_has_no_sentences(tmp_path):
    (tmp_path / "a.json").write_text("[]\n")
    assert list(read_streusle(tmp_path / "a.json")) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("\tO\n", "\n", 2, "18 columns, expected 19 divided by tabs"),
        ("3\tof", "4\tof", 4, "ID is '4', expected 3"),
        ("\tof\tof\tX", "\t\tof\tX", 4, "FORM is empty"),
        ("1:2", "1.2", 6, "SMWE is '1.2', expected '_' or a unit and place such as 1:2"),
        ("_\tP\t", "_\tADV\t", 4, "LEXCAT is 'ADV' with role p.Whole, expected P, PP, INF.P"),
        ("p.Gestalt\t", "_\t", 2, "SS2 is '_' with role p.SocialRel, expected a function"),
        ("p.Gestalt\t", "n.ACT\t", 2, "SS2 is 'n.ACT' with role p.SocialRel"),
    ],
)
def test_a_malformed_line_of_conllulex_is_named(tmp_path, old, new, line, message):
    assert old in conllulex()
    (tmp_path / "a.conllulex").write_text(conllulex().replace(old, new, 1))
    with pytest.raises(CorpusError) as error:
        list(read_streusle(tmp_path / "a.conllulex"))
    assert f"a.conllulex:{line}: {message}" in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ('"sent_id": "kites-1",', "", 2, "sent_id is missing"),
        ('"#": 2', '"#": 3', 2, "toks[1].# is 3, expected 2"),
        ('"word": "My"', '"word": " "', 2, "toks[0].word is empty, expected a word"),
        ('"word": "My"', '"word": 7', 2, "toks[0].word is 7, expected a text"),
        ('"lexcat": "INF.P"', '"lexcat": "V"', 3, "swes.3.lexcat is 'V' with role p.Purpose"),
        ('"ss2": "p.Goal"', '"ss2": null', 3, "swes.3.ss2 is '_' with role p.Purpose"),
        ('"ss": "p.Purpose",', "", 3, "swes.3.ss is missing"),
        ("p.Purpose", "p.Purpose\n", 3, "not JSON at column"),
    ],
)
def test_a_malformed_field_of_the_json_is_named(both, old, new, line, message):
    text = both[1].read_text()
    assert old in text
    both[1].write_text(text.replace(old, new, 1))
    with pytest.raises(CorpusError) as error:
        list(read_streusle(both[1]))
    assert f"a.json:{line}: {message}" in str(error.value)


@pytest.mark.parametrize("numbers", [[], [1, 2], [0], [9]])
def test_a_single_word_unit_has_one_word_of_its_sentence(tmp_path, both, numbers):
    sentences = as_json(both[0])
    sentences[0]["swes"]["1"]["toknums"] = numbers
    both[1].write_text(json.dumps(sentences))
    with pytest.raises(CorpusError, match=r"a\.json:1: swes\.1\.toknums is .*one word of 1 to 5"):
        list(read_streusle(both[1]))


@pytest.mark.parametrize("text", ["", '{"sent_id": "a"}', "[7]", '[{"sent_id": "a"', "[{}, ]"])
def test_what_is_no_array_of_sentences_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(CorpusError, match=r"a\.json:1: "):
        list(read_streusle(tmp_path / "a.json"))
