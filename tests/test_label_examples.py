"""Examples of label tasks: a span of a word, of two, or the whole text; labels are counted."""

from pathlib import Path

import pytest

from tuneprobe.corpora.lines import CorpusError
from tuneprobe.errors import UnknownNameError
from tuneprobe.examples.labels import build_labels
from tuneprobe.formats.examples import WHOLE_TEXT, Examples

# form, tag, head, relation; a blank line between the sentences
TRAIN = """\
Fly VERB 0 root
old ADJ 3 amod
kites NOUN 1 obj

Fly VERB 0 root

Ann PROPN 2 nsubj
flew VERB 0 root
it PRON 2 obj
"""
TEST = "Fly VERB 0 root\nit PRON 1 obj\n"


def conllu(rows: str, name: str) -> str:
    blocks = []
    for number, block in enumerate(rows.strip().split("\n\n")):
        lines = [f"# sent_id = {name}-{number}"]
        for place, row in enumerate(block.split("\n"), start=1):
            form, upos, head, deprel = row.split()
            lines.append(f"{place}\t{form}\t_\t{upos}\t_\t_\t{head}\t{deprel}\t_\t_")
        blocks.append("\n".join(lines) + "\n\n")
    return "".join(blocks)


@pytest.fixture
def data(tmp_path) -> Path:
    (tmp_path / "ud-kites").mkdir()
    (tmp_path / "ud-kites/train.conllu").write_text(conllu(TRAIN, "train"))
    (tmp_path / "ud-kites/test.conllu").write_text(conllu(TEST, "test"))
    (tmp_path / "trec").mkdir()
    (tmp_path / "trec/train_5500.label").write_text("HUM:ind Who flew it ?\n")
    (tmp_path / "trec/TREC_10.label").write_text("NUM:date When ?\n")
    return tmp_path


def build(data: Path, target: str, corpus: str = "ud-kites", **settings) -> Examples:
    settings = {"train": None, "test": None, "seed": 13} | settings
    return build_labels(corpus, target, data, **settings)[0]


def readable(examples: Examples) -> list[tuple[str, ...]]:
    """Label, split and the words of the spans."""

    def words(span: int) -> str:
        if span < 0:
            return "-"
        row = examples.spans.iloc[span]
        return " ".join(examples.texts.words1[row.text][row.start : row.end])

    return [
        (row.label, row.split, words(row.span1), words(row.span2))
        for row in examples.examples.itertuples()
    ]


def test_every_word_is_an_example_of_its_tag_train_before_test(data):
    assert readable(build(data, "upos")) == [
        ("VERB", "train", "Fly", "-"),
        ("ADJ", "train", "old", "-"),
        ("NOUN", "train", "kites", "-"),
        ("VERB", "train", "Fly", "-"),
        ("PROPN", "train", "Ann", "-"),
        ("VERB", "train", "flew", "-"),
        ("PRON", "train", "it", "-"),
        ("VERB", "test", "Fly", "-"),
        ("PRON", "test", "it", "-"),
    ]


def test_a_relation_is_dependent_then_head_and_the_root_is_left_out(data):
    examples = build(data, "deprel")
    assert readable(examples) == [
        ("amod", "train", "old", "kites"),
        ("obj", "train", "kites", "Fly"),
        ("nsubj", "train", "Ann", "flew"),
        ("obj", "train", "it", "flew"),
        ("obj", "test", "it", "Fly"),
    ]
    assert list(examples.texts.source) == ["train-0", "train-2", "test-0"]  # train-1 has no pair


def test_the_head_comes_first_where_it_is_asked_for(data):
    swapped = [
        (label, split, head, dependent)
        for label, split, dependent, head in readable(build(data, "deprel"))
    ]
    assert readable(build(data, "deprel", pair_order="head-dependent")) == swapped


def test_a_question_is_one_span_that_stands_for_the_whole_text(data):
    examples = build(data, "fine", "trec")
    assert list(examples.spans.segment) == [WHOLE_TEXT, WHOLE_TEXT]
    assert list(examples.examples.label) == ["HUM:ind", "NUM:date"]
    assert list(examples.examples.span2) == [-1, -1]
    assert list(examples.texts.words1) == [["Who", "flew", "it", "?"], ["When", "?"]]


def test_a_limit_counts_sentences_and_keeps_their_order(data):
    long = "\n\n".join(["Fly VERB 0 root\nthem PRON 1 obj"] * 50)
    (data / "ud-kites/train.conllu").write_text(conllu(long, "train"))
    full, part = build(data, "upos"), build(data, "upos", train=20)
    drawn = [source for source in part.texts.source if source.startswith("train")]
    assert len(drawn) == 20
    assert drawn == [source for source in full.texts.source if source in set(drawn)]
    assert (part.examples.split == "train").sum() == 40
    assert drawn != list(full.texts.source)[:20]
    assert list(build(data, "upos", train=20).texts.source) == list(part.texts.source)
    assert list(build(data, "upos", train=20, seed=14).texts.source) != list(part.texts.source)


def test_a_limit_above_the_number_of_sentences_keeps_all(data):
    assert readable(build(data, "upos", train=99, test=1)) == readable(build(data, "upos"))


def test_a_limit_draws_among_the_sentences_with_a_label(data):
    for seed in range(9):  # train-1 has no pair and is never drawn
        assert len(build(data, "deprel", train=2, seed=seed).texts) == 3


def test_the_counts_tell_what_the_files_hold_and_what_was_kept(data):
    _, counts = build_labels("ud-kites", "deprel", data, train=1, test=None, seed=13)
    assert list(counts.columns) == ["split", "label", "read", "kept"]
    assert list(zip(counts.split, counts.label, counts.read, strict=True)) == [
        ("train", "amod", 1),
        ("train", "nsubj", 1),
        ("train", "obj", 2),
        ("test", "amod", 0),
        ("test", "nsubj", 0),
        ("test", "obj", 1),
    ]
    assert list(counts.kept) in ([1, 0, 1, 0, 0, 1], [0, 1, 1, 0, 0, 1])


def test_a_split_without_a_label_is_refused(data):
    (data / "ud-kites/test.conllu").write_text(conllu("Run VERB 0 root", "test"))
    with pytest.raises(CorpusError, match=r"ud-kites: no word has a label 'deprel' in split test"):
        build(data, "deprel")


def test_an_unknown_pair_order_is_answered_with_the_nearest(data):
    with pytest.raises(UnknownNameError, match=r"Did you mean 'head-dependent'"):
        build(data, "deprel", pair_order="head-dependant")
