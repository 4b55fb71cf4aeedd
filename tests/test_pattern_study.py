"""Agreement with labels, the contact sheet, and the rows of the pattern study."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from made_up_maps import HAND_SET, identity, last_column
from sklearn.metrics import cohen_kappa_score, f1_score

from tuneprobe.formats.results import Result, to_frame
from tuneprobe.rng import rng
from tuneprobe.studies.attention.maps.maps import LayerMaps
from tuneprobe.studies.attention.patterns.agreement import (
    agreement,
    cohen_kappa,
    confusion,
    corrected_shares,
    macro_f1,
)
from tuneprobe.studies.attention.patterns.classes import PATTERNS, PatternError, pad_maps
from tuneprobe.studies.attention.patterns.network import PatternNetwork, classify_maps, rule_maps
from tuneprobe.studies.attention.patterns.sheet import (
    LABELS,
    SHEET,
    SheetMaps,
    map_png,
    read_labels,
    write_sheet,
)
from tuneprobe.studies.attention.patterns.study import (
    PatternReader,
    Setting,
    agreement_results,
    pattern_results,
)

SETTING = Setting("tiny", "stsb", seed=13, confidence=0.9, bootstrap=200)
TRUTH = np.array([0, 0, 0, 1, 1, 4])
ANSWERS = np.array([0, 0, 1, 1, 1, 0])


def show(*maps: np.ndarray, layer: int = 1) -> LayerMaps:
    """One layer of one batch of texts with one head, in two states: the maps, and identities."""
    padded, lengths = pad_maps(maps)
    others, _ = pad_maps([identity(len(one)) for one in maps])
    return LayerMaps(layer, np.arange(len(maps)), lengths, (padded, others))


def answers(network: list[int], rule: list[int]) -> dict[str, np.ndarray]:
    """Labels of one layer with one head, a text each."""
    given = {"network": network, "rule": rule}
    return {name: np.array(found, np.int8)[:, None, None] for name, found in given.items()}


def value(rows: list[Result], condition: str, layer: int = -1, head: int = -1) -> Result:
    first, classifier = condition.split("/")
    wanted = (first, classifier, layer, head)
    (row,) = (r for r in rows if (r.pattern or r.score, r.classifier, r.layer, r.head) == wanted)
    return row


def test_shares_are_corrected_by_what_the_labelled_maps_of_each_answer_are() -> None:
    truth = np.array([0] * 30 + [4] * 10 + [4] * 20)  # answered: 40 times 0, 20 times 4
    given = np.array([0] * 40 + [4] * 20)
    shares = np.tile([0.8, 0.0, 0.0, 0.0, 0.2], (50, 1))  # not as often as among the labelled
    settings = {"confidence": 0.9, "bootstrap": 400}
    found = corrected_shares(truth, given, shares, **settings, rng=rng(1, "test"))
    assert found.value == pytest.approx([0.8 * 0.75, 0, 0, 0, 0.2 + 0.8 * 0.25])
    assert found.low[0] < 0.6 < found.high[0] < 0.8
    unknown = np.tile([0.7, 0.1, 0.0, 0.0, 0.2], (50, 1))  # no labelled map was answered 1
    assert corrected_shares(truth, given, unknown, **settings, rng=rng(1, "test")) is None


def test_corrected_shares_cover_the_truth() -> None:
    draw, true = np.random.default_rng(0), np.array([0.3, 0.1, 0.1, 0.1, 0.4])
    answer = 0.7 * np.eye(5) + 0.06  # P(answered | true)
    covered = []
    for number in range(200):
        maps = draw.choice(5, p=true, size=(40, 12))
        said = (draw.random((*maps.shape, 1)) > answer[maps].cumsum(axis=-1)).sum(axis=-1)
        shares = (said[..., None] == np.arange(5)).mean(axis=1)
        chosen = draw.choice(maps.size, 120, replace=False)
        found = corrected_shares(
            maps.ravel()[chosen],
            said.ravel()[chosen],
            shares,
            confidence=0.9,
            bootstrap=200,
            rng=rng(number, "test"),
        )
        covered.append((found.low <= true) & (true <= found.high))
    assert 0.8 < np.mean(covered) < 0.97
    assert np.mean(covered, axis=0)[[0, 4]].min() > 0.8


def test_agreement_is_what_one_works_out_by_hand() -> None:
    scores = agreement(TRUTH, ANSWERS, confidence=0.9, bootstrap=100, rng=rng(1, "test"))
    assert scores["accuracy"].value == pytest.approx(4 / 6)
    # vertical: 2 right, 3 true, 3 answered; diagonal: 2, 2, 3; heterogeneous: 0, 1, 0
    assert scores["macro-f1"].value == pytest.approx((4 / 6 + 4 / 5 + 0) / 3)
    assert scores["kappa"].value == pytest.approx(
        (4 / 6 - 15 / 36) / (1 - 15 / 36)
    )  # by chance 15 of 36
    many = agreement(
        np.tile(TRUTH, 5), np.tile(ANSWERS, 5), confidence=0.9, bootstrap=100, rng=rng(1, "test")
    )
    for name, interval in many.items():
        assert interval.value == pytest.approx(scores[name].value)
        assert interval.low < interval.value < interval.high
        assert np.isnan(scores[name].low)  # six maps are too few


def test_scores_are_those_of_scikit_learn() -> None:
    source = rng(2, "test")
    truth, given = source.integers(5, size=(2, 80))
    counts = confusion(truth, given)
    assert macro_f1(counts) == pytest.approx(f1_score(truth, given, average="macro"))
    assert cohen_kappa(counts) == pytest.approx(cohen_kappa_score(truth, given))


def test_kappa_is_one_for_equal_labels_zero_by_chance_and_undefined_for_one_class() -> None:
    assert cohen_kappa(confusion(TRUTH, TRUTH)) == 1
    assert cohen_kappa(np.array([[1, 1], [1, 1]])) == 0
    assert np.isnan(cohen_kappa(np.array([[4, 0], [0, 0]])))


def test_labels_and_answers_of_different_number_are_refused() -> None:
    with pytest.raises(PatternError, match="6 labels, but 5 answers"):
        confusion(TRUTH, ANSWERS[:5])


def test_a_reader_labels_every_text_layer_and_state_as_the_maps_alone() -> None:
    maps = [
        drawing(length) for drawing, length in zip(HAND_SET, (12, 30, 20, 16, 40, 25), strict=True)
    ]
    network = PatternNetwork().eval()
    reader = PatternReader(network, ["before", "after"], n_texts=6, n_layers=2, n_heads=1)
    reader(show(*maps, layer=2))
    before, after = reader.labels["before"], reader.labels["after"]
    np.testing.assert_array_equal(before["network"][:, 1, 0], classify_maps(network, maps)[0])
    np.testing.assert_array_equal(before["rule"][:, 1, 0], rule_maps(maps))
    assert (after["rule"][:, 1, 0] == PATTERNS.index("diagonal")).all()
    assert (before["rule"][:, 0] == -1).all()  # layer 1 was not shown


def test_shares_add_up_to_one_at_every_head_layer_and_in_the_whole() -> None:
    labels = rng(1, "test").integers(5, size=(20, 3, 2)).astype(np.int8)
    rows = pattern_results({"pretrained": {"network": labels, "rule": labels}}, SETTING)
    shares = to_frame([row for row in rows if row.metric == "pattern_share"])
    network = shares[shares.classifier == "network"]
    assert len(network) == 5 * (1 + 3 * (2 + 1))
    np.testing.assert_allclose(network.groupby(["layer", "head"]).value.sum(), 1, atol=1e-5)
    assert (network.low <= network.value).all()
    assert (network.value <= network.high).all()


def test_shares_are_counts_over_the_texts() -> None:
    labels = {"pretrained": answers([0, 0, 1, 4], [0, 0, 0, 0])}
    rows = pattern_results(labels, SETTING)
    assert value(rows, "vertical/network").value == 0.5
    assert value(rows, "diagonal/network", layer=1, head=0).value == 0.25
    assert value(rows, "vertical/rule", layer=1).value == 1
    assert value(rows, "vertical/network").n == 4
    assert value(rows, "kappa/network-rule").value == 0  # one of them always says the same


def test_a_change_of_shares_is_paired_over_the_texts() -> None:
    draw = rng(2, "test")
    before = draw.integers(5, size=(40, 3, 2)).astype(np.int8)
    after = np.where(draw.random(before.shape) < 0.1, 0, before).astype(np.int8)
    given = {"pretrained": before, "finetuned": after}
    labels = {state: {"network": found, "rule": found} for state, found in given.items()}
    rows = pattern_results(labels, SETTING)
    (change,) = (
        row
        for row in rows
        if (row.metric, row.pattern, row.classifier) == ("pattern_change", "vertical", "network")
    )
    assert (change.state, change.against, change.n) == ("finetuned", "pretrained", 40)
    assert change.value == pytest.approx((after == 0).mean() - (before == 0).mean(), abs=1e-6)
    assert 0 < change.low < change.value < change.high
    shares = {
        r.state: r
        for r in rows
        if (r.metric, r.pattern, r.layer, r.classifier)
        == ("pattern_share", "vertical", -1, "network")
    }
    wide = sum((one.high - one.low) ** 2 for one in shares.values()) ** 0.5
    assert change.high - change.low < 0.75 * wide


def test_agreement_rows_count_only_labels_of_this_run(tmp_path: Path) -> None:
    labelled = read_labels(label_file(tmp_path, ["vertical", "diagonal", "vertical", ""]))
    elsewhere = labelled.assign(task="mrpc")
    labels = {"pretrained": answers([0, 1, 1, 4], [0, 0, 0, 0])}
    both = pd.concat([labelled, elsewhere])
    rows = agreement_results(labels, both, ["a", "b", "c", "d"], SETTING)
    assert value(rows, "accuracy/network").value == pytest.approx(2 / 3)
    assert value(rows, "accuracy/rule").value == pytest.approx(2 / 3)
    assert value(rows, "accuracy/majority").value == pytest.approx(2 / 3)
    assert value(rows, "kappa/rule").value == 0
    assert {row.n for row in rows} == {3}
    assert agreement_results(labels, elsewhere, ["a", "b", "c", "d"], SETTING) == []


def test_a_labelled_map_that_was_not_read_is_refused(tmp_path: Path) -> None:
    labelled = read_labels(label_file(tmp_path, ["vertical", "", "", "block"]))
    labels = {"pretrained": answers([0, 1], [0, 0])}
    with pytest.raises(PatternError, match="labelled map 4 is text 'd', layer 1, head 0"):
        agreement_results(labels, labelled, ["a", "b"], SETTING)


def label_file(folder: Path, labels: list[str]) -> Path:
    """A sheet of one-head maps of the texts a, b, c, ...; filled in."""
    maps = {("pretrained", text, 1, 0): last_column(8) for text in range(len(labels))}
    write_sheet(folder / "sheet", maps, "abcd", encoder="tiny", task="stsb")
    path = folder / "sheet" / LABELS
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.assign(label=labels).to_csv(path, index=False)
    return path


def test_a_sheet_shows_every_map_once_and_leaves_the_labels_empty(tmp_path: Path) -> None:
    maps = {("finetuned", 1, 2, 0): identity(9), ("finetuned", 0, 1, 3): last_column(8)}
    write_sheet(tmp_path / "sheet", maps, ["a,1", "b"], encoder="tiny", task="stsb")
    table = pd.read_csv(tmp_path / "sheet" / LABELS, keep_default_na=False)
    assert table.values.tolist() == [
        [1, "tiny", "stsb", "finetuned", "a,1", 1, 3, ""],
        [2, "tiny", "stsb", "finetuned", "b", 2, 0, ""],
    ]
    page = (tmp_path / "sheet" / SHEET).read_text()
    assert page.count("data:image/png;base64,") == 2
    assert "text b, layer 2, head 0" in page
    assert "http" not in page


def test_a_map_is_drawn_white_for_nothing_and_black_for_the_largest_weight() -> None:
    png = map_png(np.array([[0.8, 0.0, 0.2], [0.0, 0.8, 0.2]]))
    assert struct.unpack(">II", png[16:24]) == (3, 2)
    start = png.index(b"IDAT")
    (size,) = struct.unpack(">I", png[start - 4 : start])
    lines = zlib.decompress(png[start + 4 : start + 4 + size])
    assert list(lines) == [0, 0, 255, 128, 0, 255, 0, 128]  # square root of a quarter: half grey


def test_sampled_maps_are_cropped_and_the_same_under_a_seed() -> None:
    found = show(last_column(5), last_column(9))
    shapes = []
    for count, seed in ((3, 1), (3, 1), (99, 1)):
        sheet = SheetMaps(
            count, ["before", "after"], n_texts=2, n_layers=1, n_heads=1, rng=rng(seed, "test")
        )
        sheet(found)
        shapes.append({key: one.shape for key, one in sheet.maps.items()})
    assert shapes[0] == shapes[1]
    assert len(shapes[0]) == 3
    lengths = {0: (5, 5), 1: (9, 9)}
    assert shapes[2] == {(s, t, 1, 0): lengths[t] for s in ("before", "after") for t in (0, 1)}


def test_labels_are_read_without_the_empty_ones_and_whatever_their_case(tmp_path: Path) -> None:
    labelled = read_labels(label_file(tmp_path, ["Vertical+Diagonal ", "", "block", ""]))
    assert labelled["map"].tolist() == [1, 3]
    assert labelled.pattern.tolist() == [2, 3]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["vertical", "stripes", "", ""], r"line 3: label 'stripes', expected vertical \| diag"),
        (["", "", "", ""], "has no label"),
    ],
)
def test_a_label_that_cannot_be_used_is_refused_by_its_line(
    tmp_path: Path, labels: list[str], message: str
) -> None:
    path = label_file(tmp_path, labels)
    with pytest.raises(PatternError, match=message):
        read_labels(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("head,label", "head", r"lacks the columns \['label'\]"),
        ("b,1,0", "b,one,0", "line 3: layer 'one', expected a whole number"),
        ("b,1,0", "a,1,0", "line 3: map '2', expected each map once"),
    ],
)
def test_a_damaged_label_file_is_refused_by_what_is_wrong(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = label_file(tmp_path, ["vertical", "", "", ""])
    text = path.read_text().replace(old, new)
    path.write_text(text if "label" in text.splitlines()[0] else drop_last_column(text))
    with pytest.raises(PatternError, match=message):
        read_labels(path)


@pytest.mark.parametrize(
    "content", [b"", "täxt".encode("cp1252"), b'map,"text', b"a,b\n1,2\n1,2,3\n"]
)
def test_a_label_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    path = label_file(tmp_path, ["vertical"])
    path.write_bytes(content)
    with pytest.raises(PatternError, match=r"labels\.csv is no table of UTF-8 text"):
        read_labels(path)


def test_blank_lines_are_left_out_and_counted(tmp_path: Path) -> None:
    path = label_file(tmp_path, ["vertical", "stripes"])
    path.write_text(path.read_text().replace("\n2,", "\n\n2,"))
    with pytest.raises(PatternError, match="line 4: label 'stripes'"):
        read_labels(path)
    path.write_text(path.read_text().replace("stripes", "block"))
    assert len(read_labels(path)) == 2


def drop_last_column(text: str) -> str:
    head, *lines = text.splitlines()
    return "\n".join([head, *(line.rsplit(",", 1)[0] for line in lines)]) + "\n"


def test_a_missing_label_file_says_where_labels_come_from(tmp_path: Path) -> None:
    with pytest.raises(PatternError, match=r"fill in the labels.csv of a contact sheet"):
        read_labels(tmp_path / "none.csv")


def test_reading_maps_keeps_no_gradient_and_no_map() -> None:
    network = PatternNetwork()
    reader = PatternReader(network, ["before", "after"], n_texts=1, n_layers=1, n_heads=1)
    found = show(last_column(12))
    before = [one.clone() for one in found.maps]
    reader(found)
    assert all(torch.equal(one, two) for one, two in zip(before, found.maps, strict=True))
    assert all(weights.grad is None for weights in network.parameters())
