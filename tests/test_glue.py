"""Sentence tasks: rows of each format, what is refused, and the counts of the real files."""

import gzip
from collections import Counter
from pathlib import Path

import pytest

from tuneprobe.corpora.glue import (
    BY_FILE,
    BY_HASH,
    CUT_SHORT,
    READ,
    GlueText,
    read_glue,
    split_of_sentence,
    split_rule,
)
from tuneprobe.corpora.glue_formats import FORMATS
from tuneprobe.corpora.lines import CorpusError
from tuneprobe.errors import UnknownNameError

RTE = "index\tsentence1\tsentence2\tlabel\n"
STSB = "news\tx.org\t2013\t0007\t{score}\tKites fly .\tA kite flies .\n"


def write(data: Path, corpus: str, **files: str) -> None:
    """Files by name without ending, as .tsv."""
    (data / corpus).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (data / corpus / f"{name}.tsv").write_bytes(text.encode())


def read(data: Path, corpus: str, task_format: str) -> list[GlueText]:
    return list(read_glue(corpus, task_format, data))


def sentences(texts: list[GlueText]) -> list[tuple[str, str, str, str]]:
    return [(text.sentence1, text.sentence2, text.label, text.split) for text in texts]


def refusal(data: Path, task_format: str, text: str) -> str:
    """The message about a training file."""
    write(data, "c", train=text, dev=text, dev_matched=text)
    with pytest.raises(CorpusError) as error:
        read(data, "c", task_format)
    return str(error.value)


def test_a_row_is_known_by_file_and_line_and_the_development_file_is_the_test(tmp_path):
    write(tmp_path, "rte", train=RTE + "0\tA b.\tA.\tentailment\n")
    write(tmp_path, "rte", dev=RTE + "0\tC d.\tE.\tnot_entailment\n")
    assert read(tmp_path, "rte", "rte") == [
        GlueText("train.tsv:2", "A b.", "A.", "entailment", "train"),
        GlueText("dev.tsv:2", "C d.", "E.", "not_entailment", "test"),
    ]
    assert split_rule("rte", "rte", tmp_path) == BY_FILE


def test_quotation_marks_are_characters_and_a_byte_order_mark_is_none(tmp_path):
    names = "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
    rows = '1\t7\t8\t"It flies, he said.\tHe said "it flies".\n0\t7\t9\tIt flies.\tIt "" fell.\n'
    write(tmp_path, "mrpc", train=names + rows, dev=names + rows)
    assert sentences(read(tmp_path, "mrpc", "mrpc"))[:2] == [
        ('"It flies, he said.', 'He said "it flies".', "1", "train"),
        ("It flies.", 'It "" fell.', "0", "train"),
    ]


def test_the_columns_of_sst2_are_found_in_either_order(tmp_path):
    write(tmp_path, "sst-2", train="label\tsentence\r\n0\tdull kites \r\n")
    write(tmp_path, "sst-2", dev="sentence\tlabel\nfine kites\t1\n")
    assert sentences(read(tmp_path, "sst-2", "sst2")) == [
        ("dull kites ", "", "0", "train"),
        ("fine kites", "", "1", "test"),
    ]


def test_sts_b_is_read_with_and_without_names_and_with_the_sources_of_some_rows(tmp_path):
    bare = STSB.format(score="3.800")
    write(tmp_path, "sts-b", **{"sts-train": bare + bare.rstrip("\n") + "\ta.org\tb.org\n"})
    names = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore"
    write(tmp_path, "sts-b", dev=f"{names}\n0\tg\tf\ty\to\ts\tt\tKites .\tFish .\t0\n")
    assert sentences(read(tmp_path, "sts-b", "stsb")) == [
        ("Kites fly .", "A kite flies .", "3.8", "train"),
        ("Kites fly .", "A kite flies .", "3.8", "train"),
        ("Kites .", "Fish .", "0.0", "test"),
    ]


def test_the_gold_label_of_mnli_is_read_and_not_an_annotators(tmp_path):
    train = "index\tsentence1\tsentence2\tlabel1\tgold_label\n0\tA.\tB.\tneutral\tcontradiction\n"
    dev = "index\tsentence1\tsentence2\tlabel1\tlabel2\tgold_label\n0\tC.\tD.\tneutral\tx\t{}\n"
    write(tmp_path, "mnli", train=train, dev_matched=dev.format("entailment"))
    write(tmp_path, "mnli", dev_mismatched=dev.format("neutral"))
    matched, mismatched = (read(tmp_path, "mnli", name) for name in ("mnli", "mnli-mismatched"))
    assert [text.label for text in matched] == ["contradiction", "entailment"]
    assert [text.label for text in mismatched] == ["contradiction", "neutral"]


def test_a_packed_file_reads_like_the_plain_one(tmp_path):
    text = RTE + "0\tA.\tB.\tentailment\n"
    write(tmp_path, "rte", train=text, dev=text)
    plain = read(tmp_path, "rte", "rte")
    (tmp_path / "rte" / "train.tsv").unlink()
    (tmp_path / "rte" / "train.tsv.gz").write_bytes(gzip.compress(text.encode()))
    assert sentences(read(tmp_path, "rte", "rte")) == sentences(plain)


def test_a_single_file_is_divided_and_pairs_with_one_first_sentence_stay_together(tmp_path):
    rows = [f"{row}\tKite {row // 2} flies.\tB {row}.\tentailment\n" for row in range(2000)]
    write(tmp_path, "rte", train=RTE + "".join(rows))
    texts = read(tmp_path, "rte", "rte")
    assert split_rule("rte", "rte", tmp_path) == BY_HASH
    assert all(
        first.split == second.split for first, second in zip(texts[::2], texts[1::2], strict=True)
    )
    assert 160 < sum(text.split == "test" for text in texts) < 240
    assert split_of_sentence("kite  12 FLIES.") == split_of_sentence("Kite 12 flies.")


def test_a_row_of_qqp_that_is_cut_short_is_counted_and_left_out(tmp_path):
    rows = "1\t2\t3\tWho flew?\tWho flew it? 0\n4\t5\t6\tWho?\tWhat?\t0\n"
    write(tmp_path, "qqp-sample", new_dev=rows * 20)
    counts: Counter[str] = Counter()
    texts = list(read_glue("qqp-sample", "qqp", tmp_path, counts))
    assert len(texts) == 20
    assert counts == {READ: 40, CUT_SHORT: 20}


@pytest.mark.parametrize(
    ("task_format", "text", "place", "said"),
    [
        ("rte", RTE + "0\tA.\tB.\tentailment\n1\tA.\tB.\n", 3, "3 columns, expected 4"),
        ("rte", RTE + "0\tA.\tB.\tmaybe\n", 2, "label is 'maybe', expected entailment or not_ent"),
        ("rte", "index\tsentence1\tlabel\n", 1, "the column 'sentence2' is missing"),
        ("stsb", STSB.format(score="high"), 1, "'high', expected a number from 0 to 5"),
        ("stsb", STSB.format(score="nan"), 1, "'nan', expected a number from 0 to 5"),
        ("stsb", STSB.format(score="5.1"), 1, "'5.1', expected a number from 0 to 5"),
        ("stsb", STSB.format(score="5\tx"), 1, "8 columns, expected 7 or 9"),
        ("qqp", "1\t2\t3\tA?\tB?\t0\tC\n", 1, "7 columns, expected 6"),
    ],
)
def test_a_malformed_row_is_one_error_with_file_and_line(tmp_path, task_format, text, place, said):
    message = refusal(tmp_path, task_format, text)
    assert message.startswith(f"{tmp_path / 'c' / 'train.tsv'}:{place}: ")
    assert said in message
    assert "\n" not in message


def test_a_missing_corpus_is_answered_with_the_command_that_fetches_it(tmp_path):
    with pytest.raises(CorpusError, match=r"neither train\.tsv nor dev\.tsv.*data fetch world'"):
        read(tmp_path, "world/rte", "rte")


def test_an_unknown_format_is_answered_with_the_nearest_one(tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean 'mrpc'"):
        read(tmp_path, "mrpc", "mrcp")


CLASSES = {  # corpus: its format and its classes by split
    "MRPC": ("mrpc", {"train": {"0": 1194, "1": 2474}, "test": {"0": 129, "1": 279}}),
    "SST-2": ("sst2", {"train": {"0": 29780, "1": 37569}, "test": {"0": 428, "1": 444}}),
    "SICK": (
        "sick",
        {
            "train": {"CONTRADICTION": 665, "ENTAILMENT": 1299, "NEUTRAL": 2536},
            "test": {"CONTRADICTION": 74, "ENTAILMENT": 144, "NEUTRAL": 282},
        },
    ),
    "RTE": (  # the 2,490 pairs of the training file, divided
        "rte",
        {
            "train": {"entailment": 1249 - 129, "not_entailment": 1241 - 118},
            "test": {"entailment": 129, "not_entailment": 118},
        },
    ),
    "QNLI": (  # the 5,463 pairs of the development file, divided
        "qnli",
        {
            "train": {"entailment": 2702 - 247, "not_entailment": 2761 - 258},
            "test": {"entailment": 247, "not_entailment": 258},
        },
    ),
    "QQP": (  # 23,496 of the 23,497 rows of a part, divided
        "qqp",
        {"train": {"0": 14749 - 1476, "1": 8747 - 890}, "test": {"0": 1476, "1": 890}},
    ),
}


@pytest.mark.shared_data
@pytest.mark.parametrize("corpus", CLASSES)
def test_the_classes_of_the_real_files_are_counted(shared_data, corpus):
    task_format, expected = CLASSES[corpus]
    counts: Counter[str] = Counter()
    texts = list(read_glue(corpus, task_format, shared_data / "glue", counts))
    found = {
        split: dict(Counter(text.label for text in texts if text.split == split))
        for split in ("train", "test")
    }
    assert found == expected
    assert counts[CUT_SHORT] == (corpus == "QQP")
    assert all(bool(text.sentence2) == (len(FORMATS[task_format].sentences) == 2) for text in texts)


@pytest.mark.shared_data
def test_sts_b_has_the_published_number_of_pairs_and_scores_from_0_to_5(shared_data):
    texts = list(read_glue("STS-B", "stsb", shared_data / "glue"))
    assert Counter(text.split for text in texts) == {"train": 5749, "test": 1500}
    scores = [float(text.label) for text in texts]
    assert (min(scores), max(scores)) == (0.0, 5.0)
    assert sum(scores[:5749]) / 5749 == pytest.approx(2.70, abs=0.005)
