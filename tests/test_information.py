"""Bits that vectors give of labels: against plain loops over examples."""

from math import log2

import numpy as np
import pandas as pd
import pytest

from tuneprobe.formats.examples import ExamplesBuilder
from tuneprobe.spaces import example_table
from tuneprobe.studies.geometry.classifiers.classifier import classify
from tuneprobe.studies.geometry.classifiers.information import information_rows, word_table
from tuneprobe.studies.geometry.classifiers.networks import Regimen

WORDS = ["the", "Run", "a", "run", "old"]
KEYS = {"encoder": "e", "task": "t", "seed": 1, "confidence": 0.95, "bootstrap": 200}
COMPARED = {"after": "finetuned", "before": "pretrained"}


def made_up(n_texts: int = 60):
    """Texts of five words; ``run`` is a verb in every second one. Tuning learns that."""
    draw, builder = np.random.default_rng(0), ExamplesBuilder()
    types = []
    for number in range(n_texts):
        text = builder.add_text(f"t{number}", WORDS)
        for place, word in enumerate(WORDS):
            span = builder.add_span(text, 0, place, place + 1, "word")
            types.append(1 + WORDS.index(word if word != "Run" else "run"))  # 0: none
            verb = word.lower() == "run" and number % 2
            label = "X" if number == 1 and not place else "V" if verb else "N"
            split = "test" if number < n_texts // 2 else "train"
            builder.add_example(span, -1, label, split)
    examples = builder.build()
    table = example_table(examples, np.array(types))
    test = table[table.split == "test"].reset_index(drop=True)
    parts = []
    for state, sure in (("pretrained", 0.6), ("finetuned", 0.95)):
        for layer in (0, 1):
            p = np.clip(sure + 0.04 * draw.normal(size=(len(test), 2)), 1e-9, 1)
            p[test.label == "X"] = np.nan
            example, init = (axis.ravel() for axis in np.indices(p.shape))
            rows = {"example": example, "init": init, "log_p": np.log(p).ravel()}
            rows |= {"text": test.text.to_numpy()[example], "right": True}
            more = {"state": state, "layer": layer, "classifier": "mlp"}
            parts.append(pd.DataFrame(rows).assign(**more))
    return examples, table, pd.concat(parts, ignore_index=True)


def test_bits_are_those_of_a_plain_loop() -> None:
    _, table, answers = made_up()
    rows = information_rows(answers, table, **COMPARED, **KEYS)
    found = {(r.metric, r.state, r.layer, r.label): r for r in rows}
    assert len(found) == len(rows)
    train, test = (table[table.split == split] for split in ("train", "test"))
    g = {label: (train.label == label).mean() for label in "NVX"}
    of = {key: of.log_p.to_numpy() for key, of in answers.groupby(["state", "layer"])}
    given, beyond, gains, control = [], [], {"N": [], "V": []}, []
    for row, (label, kind) in enumerate(zip(test.label, test.type, strict=True)):
        if label == "X":  # training lacks it
            continue
        same = train[train.type == kind]
        q = ((same.label == label).sum() + g[label]) / (len(same) + 1)
        control.append(log2(q) - log2(g[label]))
        for init in (0, 1):
            before, after = (
                log2(0.99 * np.exp(of[state, 1][2 * row + init]) + 0.01 * g[label])
                for state in ("pretrained", "finetuned")
            )
            given.append(after - log2(g[label]))
            beyond.append(after - log2(q))
            gains[label].append(after - before)
    everything = gains["N"] + gains["V"]
    expected = {
        ("v_information", "finetuned", 1, ""): given,
        ("v_beyond_type", "finetuned", 1, ""): beyond,
        ("v_information", "no-encoder", -1, ""): control,
        ("v_gain", "finetuned", 1, ""): everything,
        ("v_gain", "finetuned", 1, "V"): gains["V"],
        ("label_bits", "no-encoder", -1, ""): [-log2(g[label]) for label in test.label if g[label]],
    }
    for key, values in expected.items():
        assert found[key].value == pytest.approx(np.mean(values)), key
        if key[-1] != "V":  # of 15 texts alone
            assert found[key].low <= found[key].value <= found[key].high
    gain = found["v_gain", "finetuned", 1, ""]
    assert (gain.n, gain.against, gain.seed, gain.study) == (149, "pretrained", 1, "classify")
    assert 0 < gain.low < gain.high < 2 * gain.value
    assert ("v_gain", "finetuned", 0, "V") not in found  # labels are told apart in the last layer


def test_words_are_listed_with_their_gain_and_an_example() -> None:
    examples, table, answers = made_up()
    words = word_table(answers, table, examples, **COMPARED).set_index(["word", "label"])
    assert words.gain.is_monotonic_decreasing
    assert words.n["run", "V"] == words.n["run", "N"] == 30  # `Run` and `run` are one word
    assert words.n["the", "N"] == 29
    assert ("the", "X") not in words.index
    assert words.gain["run", "V"] == pytest.approx(log2(0.95 / 0.6), abs=0.1)
    assert words.gain["run", "V"] == pytest.approx(
        words.after["run", "V"] - words.before["run", "V"], abs=2e-4
    )
    assert words.example["run", "V"] == "the Run a run old"
    without = table.assign(type="")
    assert not len(word_table(answers, without, examples, **COMPARED))
    rows = information_rows(answers, without, **COMPARED, **KEYS)
    assert {row.metric for row in rows} == {"label_bits", "v_information", "v_gain"}


def test_a_classifier_keeps_the_probability_of_each_label() -> None:
    draw = np.random.default_rng(3)
    X, y = draw.normal(size=(120, 4)).astype(np.float32), np.array(["a", "b", "c"] * 40)
    y_test = np.array(["a", "z", "c"] * 4)
    recipe = Regimen(max_epochs=2)
    settings = {"hidden": [(8, 8)], "decays": [1e-4], "initialisations": 2, "regimen": recipe}
    found = classify(X, y, X[:12], y_test, **settings)
    assert found.log_p.shape == (2, 12)
    assert np.isnan(found.log_p[:, y_test == "z"]).all()
    total = sum(np.exp(classify(X, y, X[:12], np.full(12, c), **settings).log_p) for c in "abc")
    assert total == pytest.approx(np.ones((2, 12)), abs=1e-5)
    sure = np.exp(found.log_p) > 0.5
    assert (found.predictions == y_test)[sure].all()
