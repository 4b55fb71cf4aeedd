"""TREC label files: a fine class, named with its coarse one, and the words."""

import pytest

from tuneprobe.corpora.lines import CorpusError
from tuneprobe.corpora.trec import TypedQuestion, read_trec

KITES = """\
HUM:ind Who flew the first kite ?
ENTY:other What is a kit\xe9 ?

NUM:other 7  kites ?
"""


def test_a_line_is_a_class_and_words_in_latin_1(tmp_path):
    (tmp_path / "a.label").write_bytes(KITES.encode("iso-8859-1"))
    assert list(read_trec(tmp_path / "a.label")) == [
        TypedQuestion("a.label:1", ("Who", "flew", "the", "first", "kite", "?"), "HUM:ind"),
        TypedQuestion("a.label:2", ("What", "is", "a", "kit\xe9", "?"), "ENTY:other"),
        TypedQuestion("a.label:4", ("7", "kites", "?"), "NUM:other"),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Who flew it ?", r"begins with 'Who', expected a class such as HUM:ind"),
        ("HUM Who flew it ?", r"begins with 'HUM', expected a class"),
        ("HUM: Who flew it ?", r"begins with 'HUM:', expected a class"),
        ("HUM:ind ", r"class HUM:ind without a question"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, message):
    (tmp_path / "a.label").write_text(f"NUM:date When ?\n{line}\n")
    with pytest.raises(CorpusError, match=rf"a\.label:2: {message}"):
        list(read_trec(tmp_path / "a.label"))
