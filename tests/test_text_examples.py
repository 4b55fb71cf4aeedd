"""Examples of sentence tasks: whole texts, draws and counts."""

from pathlib import Path

import pytest

from tuneprobe.corpora.lines import CorpusError
from tuneprobe.examples.texts import build_texts
from tuneprobe.formats.examples import WHOLE_TEXT


def write_pairs(data: Path, n: int) -> None:
    """A corpus of n training and n // 2 test pairs of one or two words each."""
    (data / "rte").mkdir(parents=True)
    for name, rows in (("train", n), ("dev", n // 2)):
        labels = ("entailment", "not_entailment", "not_entailment")
        text = "".join(f"{i}\t{name}  {i}\tkite\t{labels[i % 3]}\n" for i in range(rows))
        (data / "rte" / f"{name}.tsv").write_text(f"index\tsentence1\tsentence2\tlabel\n{text}")


def build(data: Path, train: int | None = None, test: int | None = None, seed: int = 13):
    return build_texts("rte", "rte", data, train=train, test=test, seed=seed)


def test_each_text_is_one_example_whose_span_is_the_whole_text(tmp_path):
    write_pairs(tmp_path, 6)
    examples, _ = build(tmp_path)
    assert examples.texts.loc[1].tolist() == ["train.tsv:3", ["train", "1"], ["kite"]]
    assert (examples.spans.segment == WHOLE_TEXT).all()
    assert examples.spans.text.tolist() == examples.examples.span1.tolist() == list(range(9))
    assert (examples.examples.span2 == -1).all()
    assert examples.examples.split.tolist() == ["train"] * 6 + ["test"] * 3
    assert examples.examples.label[:3].tolist() == ["entailment"] + ["not_entailment"] * 2


def test_a_single_sentence_leaves_the_second_segment_empty(tmp_path):
    (tmp_path / "sst-2").mkdir()
    for name, word in (("train", "fine"), ("dev", "dull")):
        (tmp_path / "sst-2" / f"{name}.tsv").write_text(f"sentence\tlabel\n{word} old kites \t1\n")
    examples, _ = build_texts("sst-2", "sst2", tmp_path, train=None, test=None, seed=0)
    assert examples.texts.words1[0] == ["fine", "old", "kites"]
    assert examples.texts.words2[0] == []


def test_a_draw_keeps_the_order_and_depends_on_the_seed_alone(tmp_path):
    write_pairs(tmp_path, 60)
    sources = {seed: build(tmp_path, 20, 10, seed)[0].texts.source.tolist() for seed in (1, 2)}
    everything = build(tmp_path)[0].texts.source.tolist()
    assert sources[1] == [source for source in everything if source in set(sources[1])]
    assert len(sources[1]) == 30
    assert sources[1] == build(tmp_path, 20, 10, 1)[0].texts.source.tolist()
    assert sources[1] != sources[2]


def test_a_smaller_draw_is_part_of_a_larger_one_and_leaves_the_other_split_alone(tmp_path):
    write_pairs(tmp_path, 60)
    small, large = (set(build(tmp_path, n, 10)[0].texts.source) for n in (10, 20))
    assert small < large


def test_the_counts_say_how_many_of_each_class_were_read_and_kept(tmp_path):
    write_pairs(tmp_path, 6)
    examples, counts = build(tmp_path, train=4)
    assert counts[["split", "label", "read"]].to_numpy().tolist() == [
        ["train", "entailment", 2],
        ["train", "not_entailment", 4],
        ["test", "entailment", 1],
        ["test", "not_entailment", 2],
    ]
    assert counts.kept.sum() == 4 + 3 == len(examples.examples)
    kept = examples.examples.groupby(["split", "label"]).size()
    assert all(kept[row.split, row.label] == row.kept for row in counts.itertuples())


def test_rows_that_could_not_be_read_are_counted_with_their_reason(tmp_path):
    (tmp_path / "qqp-sample").mkdir()
    rows = [f"{i}\t1\t2\tWho flew {i}?\tWhat?\t{i % 2}\n" for i in range(60)]
    text = "".join([*rows, "1\t2\t3\tWho?\tWhat? 0\n"])
    (tmp_path / "qqp-sample" / "new_dev.tsv").write_text(text)
    examples, counts = build_texts("qqp-sample", "qqp", tmp_path, train=None, test=None, seed=0)
    assert counts.iloc[-1].tolist() == ["", "row cut short", 1, 0]
    assert counts.kept.sum() == len(examples.examples) == 60


def test_a_split_without_an_example_is_refused(tmp_path):
    (tmp_path / "rte").mkdir()
    names = "index\tsentence1\tsentence2\tlabel\n"
    (tmp_path / "rte" / "train.tsv").write_text(f"{names}0\tA.\tB.\tentailment\n")
    (tmp_path / "rte" / "dev.tsv").write_text(names)
    with pytest.raises(CorpusError, match="no example falls to the split 'test'"):
        build(tmp_path)


@pytest.mark.shared_data
def test_scores_are_texts_of_floats_and_are_counted_together(shared_data):
    limits = {"train": 50, "test": None, "seed": 13}
    examples, counts = build_texts("STS-B", "stsb", shared_data / "glue", **limits)
    assert counts.to_numpy().tolist() == [
        ["train", "", 5749, 50],
        ["test", "", 1500, 1500],
        ["", "test texts that train has too", 6, 0],
    ]
    assert [str(float(label)) for label in examples.examples.label] == list(examples.examples.label)
