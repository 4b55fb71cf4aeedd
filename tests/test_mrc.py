"""Corpora by name: the right files, a split for each question, no document on both sides."""

import json
from collections import Counter
from pathlib import Path

import pytest
from test_nq import kites, simplified
from test_oracle import kites as oracle_kites
from test_oracle import write as write_oracle
from test_qed import kites as qed_kites
from test_qed import write as write_qed
from test_squad import kites as squad_kites

from tuneprobe.corpora.lines import CorpusError
from tuneprobe.corpora.mrc import DUPLICATE, READ, read_mrc, split_of_title
from tuneprobe.corpora.oracle import NOT_FOUND
from tuneprobe.errors import UnknownNameError


def write_passages(data: Path) -> None:
    """QED and oracle passages in which one question is asked twice, in other spelling."""
    for name in ("qed", "nq-oracle"):
        (data / name).mkdir(parents=True)
    write_qed(data / "qed" / "qed-dev.jsonlines", qed_kites())
    examples = oracle_kites()
    examples[0]["question"] = "Who flewone"
    examples[1]["nq_annotated_gold"]["title"] = "Wind"
    write_oracle(data / "nq-oracle" / "nq-open-oracle.jsonl.gz", examples)


def test_the_world_has_its_split_from_the_file_name(tmp_path):
    (tmp_path / "world").mkdir()
    for name, example in zip(("train", "dev"), kites()[:2], strict=True):
        (tmp_path / "world" / f"{name}.jsonl").write_text(json.dumps(simplified(example)))
    (tmp_path / "world" / "links.jsonl").write_text("not questions")
    found = {question.id: question.split for question in read_mrc("world", tmp_path)}
    assert found == {"7": "train", "-8": "test"}


def test_shards_of_either_format_make_up_natural_questions(tmp_path):
    folder = tmp_path / "natural-questions"
    folder.mkdir()
    first, second, third = kites()
    (folder / "simplified-nq-train.jsonl").write_text(json.dumps(simplified(first)))
    (folder / "nq-train-00.jsonl").write_text(json.dumps(second))
    (folder / "nq-dev-00.jsonl").write_text(json.dumps(third))
    found = [(q.id, q.split) for q in read_mrc("natural-questions", tmp_path)]
    assert found == [("9", "test"), ("-8", "train"), ("7", "train")]


def test_squad_has_its_split_from_the_file_name(tmp_path):
    (tmp_path / "squad").mkdir()
    (tmp_path / "squad" / "train-v2.0.json").write_text(json.dumps(squad_kites()))
    assert {question.split for question in read_mrc("squad", tmp_path)} == {"train"}


def test_a_file_name_that_gives_no_split_is_an_error(tmp_path):
    (tmp_path / "squad").mkdir()
    (tmp_path / "squad" / "all.json").write_text(json.dumps(squad_kites()))
    with pytest.raises(CorpusError, match=r"all\.json: .*expected 'train' or 'dev'"):
        list(read_mrc("squad", tmp_path))


def test_a_file_beside_its_packed_self_is_not_read_twice(tmp_path):
    (tmp_path / "squad").mkdir()
    for name in ("dev-v1.1.json", "dev-v1.1.json.gz"):
        (tmp_path / "squad" / name).write_text(json.dumps(squad_kites()))
    with pytest.raises(CorpusError, match=r"dev-v1\.1\.json and dev-v1\.1\.json\.gz are one file"):
        list(read_mrc("squad", tmp_path))


def test_a_question_asked_twice_is_read_once_and_counted(tmp_path):
    write_passages(tmp_path)
    counts: Counter[str] = Counter()
    found = [question.id for question in read_mrc("nq-passages", tmp_path, counts)]
    assert found == ["-7", "8", "9", "nq-open-oracle:2"]
    assert counts == {READ: 4, DUPLICATE: 1, NOT_FOUND: 1}


def test_the_split_of_a_title_is_the_same_everywhere():
    titles = ["Kite", "Hail", "Zoë"]
    sides = ["train", "test", "train"]
    assert [split_of_title(title) for title in titles] == sides


def test_a_title_that_is_no_unicode_has_a_split_too():
    assert split_of_title("K\ud800") in ("train", "test")


def test_spellings_of_a_title_fall_on_the_same_side():
    for number in range(50):
        title = f"Kite number {number}"
        spellings = {title, title.replace(" ", "_"), title.upper(), f" {title} "}
        assert len({split_of_title(spelling) for spelling in spellings}) == 1


def test_a_quarter_of_the_titles_is_test():
    sides = Counter(split_of_title(f"Kite {number}") for number in range(4000))
    assert sides["test"] == pytest.approx(1000, abs=110)  # four standard deviations


@pytest.mark.parametrize(
    ("corpus", "missing"),
    [
        ("world", "world"),
        ("nq-passages", "qed"),
        ("natural-questions", "natural-questions"),
        ("squad", "squad"),
        ("xquad", "xquad"),
    ],
)
def test_a_missing_corpus_says_how_to_get_it(tmp_path, corpus, missing):
    with pytest.raises(CorpusError, match=f"run 'tuneprobe data fetch {missing}'"):
        read_mrc(corpus, tmp_path)


def test_an_unknown_corpus_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean 'nq-passages'"):
        read_mrc("nq-passage", tmp_path)


@pytest.mark.shared_data
def test_real_passages_share_no_title_between_train_and_test(shared_data, tmp_path):
    real = shared_data / "mrc" / "natural_questions"
    (tmp_path / "qed").symlink_to(real / "qed")
    (tmp_path / "nq-oracle").symlink_to(real / "lost_in_the_middle")
    counts: Counter[str] = Counter()
    questions = list(read_mrc("nq-passages", tmp_path, counts))
    titles = {
        side: {question.title for question in questions if question.split == side}
        for side in ("train", "test")
    }
    assert counts == {READ: 1976, DUPLICATE: 1020}
    assert not titles["train"] & titles["test"]
    assert len(titles["test"]) / len(titles["train"] | titles["test"]) == pytest.approx(
        0.25, abs=0.03
    )
