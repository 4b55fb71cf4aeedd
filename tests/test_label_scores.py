"""Scores of label and score tasks: five states, answers, rows and the table of predictions."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_reader import DIM

from tuneprobe.artifacts import ArtifactError
from tuneprobe.encoders.encoder import load_encoder
from tuneprobe.errors import UnknownNameError
from tuneprobe.formats.examples import Examples, ExamplesBuilder
from tuneprobe.formats.results import to_frame
from tuneprobe.scores.label_scores import (
    MAJORITY,
    STATES,
    LabelScoreError,
    gold_answers,
    load_labeller,
    prediction_table,
    read_answers,
    score_answers,
    to_answers,
)
from tuneprobe.tuning.checkpoints import write_checkpoint
from tuneprobe.tuning.heads import make_head

LABELS = ["0", "1"]
KEYS = {"encoder": "tiny", "task": "mrpc", "kind": "label", "seed": 13} | {
    "confidence": 0.95,
    "bootstrap": 1000,
}


def pairs(labels: str = "1101", test: str = "1110") -> Examples:
    """Sentence pairs with one label each."""
    builder = ExamplesBuilder()
    things = ("kite", "town", "river")
    for split, row_labels in (("train", labels), ("test", test)):
        for row, label in enumerate(row_labels):
            text = builder.add_text(f"{split}:{row}", ["the", things[row % 3]], ["ann", "flew"])
            builder.add_example(builder.add_whole_text(text), -1, label, split)
    return builder.build()


def load(source: Path, state: str, checkpoint: Path = Path("none"), kind: str = "label"):
    given = {"kind": kind, "state": state, "seed": 13, "checkpoint": checkpoint}
    return load_labeller("tiny", pairs(), path=str(source), **given)


def write_trained(folder: Path, source: Path, state: str) -> Path:
    """A checkpoint whose head always answers 1."""
    encoder = load_encoder("tiny", path=str(source))
    head = make_head("label", DIM, 5, n_outputs=2, n_spans=1)
    with torch.no_grad():
        head.output.bias[1] = 50.0
        encoder.model.embeddings.word_embeddings.weight.mul_(0.5)
    if state == "frozen":
        encoder = load_encoder("tiny", path=str(source))
    write_checkpoint(folder, encoder, head, kind="label", state=state, labels=LABELS)
    return folder


@pytest.mark.parametrize("state", ["frozen", "finetuned", "random-finetuned"])
def test_a_trained_state_answers_with_the_head_and_encoder_of_its_checkpoint(
    source, tmp_path, state
):
    labeller = load(source, state, write_trained(tmp_path / "c", source, state))
    assert labeller.labels == LABELS
    assert read_answers(labeller, pairs()).tolist() == ["1"] * 4
    pretrained = load_encoder("tiny", path=str(source)).model.state_dict()
    loaded = labeller.encoder.model.state_dict()
    same = all(torch.equal(loaded[name], pretrained[name]) for name in pretrained)
    assert same == (state == "frozen")


def test_a_head_that_was_trained_on_other_weights_is_refused(source, tmp_path):
    checkpoint = write_trained(tmp_path / "c", source, "finetuned")
    with pytest.raises(ArtifactError, match="run 'dvc repro finetune'"):
        load(source, "frozen", checkpoint)


@pytest.mark.parametrize("state", ["frozen", "finetuned"])
def test_a_missing_checkpoint_is_answered_with_the_command_that_makes_it(source, tmp_path, state):
    with pytest.raises(ArtifactError, match=r"missing: run 'dvc repro'"):
        load(source, state, tmp_path)


def test_an_untrained_state_has_a_drawn_head_and_needs_no_checkpoint(source):
    random, pretrained, again = (load(source, state) for state in ("random", *["pretrained"] * 2))
    assert torch.equal(random.head.output.weight, pretrained.head.output.weight)
    weight = "embeddings.word_embeddings.weight"
    weights = [one.encoder.model.state_dict()[weight] for one in (random, pretrained)]
    assert not torch.equal(*weights)
    answers = [read_answers(one, pairs()).tolist() for one in (pretrained, again)]
    assert answers[0] == answers[1]
    assert not pretrained.head.training


def test_a_score_is_the_one_output_and_a_label_that_of_the_largest():
    outputs = np.array([[0.5, 2.0], [3.0, -1.0]], dtype=np.float32)
    assert to_answers(outputs, ["no", "yes"]).tolist() == ["yes", "no"]
    assert to_answers(outputs[:, :1], None).tolist() == [0.5, 3.0]


def test_outputs_of_another_task_are_refused():
    with pytest.raises(LabelScoreError, match=r"shape \(4, 3\), expected \(n, 2\)"):
        to_answers(np.zeros((4, 3)), LABELS)
    with pytest.raises(LabelScoreError, match=r"shape \(4, 3\), expected \(n, 1\)"):
        to_answers(np.zeros((4, 3)), None)


def test_the_rows_are_worked_out_by_hand_and_the_majority_stands_beside_every_state():
    gold = gold_answers(pairs(test="1110"), "label")
    answers = {"pretrained": np.array(["1", "0", "0", "0"]), "frozen": gold.to_numpy()}
    frame = to_frame(score_answers(gold, answers, **KEYS)).set_index(["state", "metric"])
    assert frame.value["frozen", "accuracy"] == frame.value["frozen", "f1"] == 100
    assert frame.value["pretrained", "accuracy"] == 50
    assert frame.value["pretrained", "f1"] == 50  # 2 · 1 / (1 + 3)
    for state in answers:
        assert frame.value[state, MAJORITY + "accuracy"] == 75
        assert frame.value[state, MAJORITY + "f1"] == pytest.approx(100 * 6 / 7, abs=1e-4)
    assert set(frame.n) == {4}
    assert frame[["low", "high"]].isna().all(axis=None)  # four are too few for an interval


def test_the_interval_has_the_level_that_is_asked_for():
    gold = pd.Series(["0", "1", "1"] * 30)
    answers = {"frozen": np.array(["1", "1", "0"] * 30)}
    wide, narrow = (
        score_answers(gold, answers, **{**KEYS, "confidence": level})[0] for level in (0.99, 0.8)
    )
    assert (wide.level, narrow.level) == (0.99, 0.8)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_a_score_task_gets_correlations_and_its_mean_has_none():
    gold = gold_answers(pairs("012", "0143"), "score")
    answers = {"frozen": 2 * gold.to_numpy() - 7}
    keys = {**KEYS, "task": "stsb", "kind": "score"}
    found = {row.metric: row.value for row in score_answers(gold, answers, **keys)}
    assert found == {
        "pearson": pytest.approx(100),
        "spearman": pytest.approx(100),
        "majority_pearson": 0,
        "majority_spearman": 0,
    }


def test_a_state_is_scored_on_the_same_samples_whatever_other_states_there_are():
    gold = gold_answers(pairs(test="1110" * 10), "label")
    answers = {state: np.array(["1", "0"] * 20) for state in STATES}
    alone = score_answers(gold, {"frozen": answers["frozen"]}, **KEYS)
    together = score_answers(gold, answers, **KEYS)
    assert set(alone) < set(together)
    assert len({row.low for row in together if row.metric == "accuracy"}) == 1


def test_predictions_point_at_rows_of_the_examples():
    examples = pairs(labels="1101", test="10")
    gold = gold_answers(examples, "label")
    table = prediction_table(gold, {"random": np.array(["0", "0"]), "frozen": gold.to_numpy()})
    assert table.to_numpy().tolist() == [
        [4, "random", "1", "0"],
        [5, "random", "0", "0"],
        [4, "frozen", "1", "1"],
        [5, "frozen", "0", "0"],
    ]
    assert examples.examples.label[table.example].tolist() == table.gold.tolist()


def test_what_cannot_be_scored_is_refused(source):
    with pytest.raises(LabelScoreError, match="none of the 4 examples is a test example"):
        gold_answers(pairs(test=""), "label")
    with pytest.raises(UnknownNameError, match="kind of labelled task 'qa'"):
        gold_answers(pairs(), "qa")
    with pytest.raises(UnknownNameError, match="Did you mean 'finetuned'"):
        load(source, "finetunde")
