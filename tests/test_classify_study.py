"""The classifier study: numbers of both probes, controls and codes where they belong."""

import numpy as np
import pandas as pd
import pytest
from made_up_spaces import drawn_space

from tuneprobe.spaces import Space
from tuneprobe.studies.geometry.classifiers.study import (
    NETWORK_COLUMNS,
    accuracy_gaps,
    layer_accuracy,
)

SETTINGS = {
    "hidden": [[8, 8], [16, 16]],
    "decays": [1e-4, 1.0],
    "initialisations": 3,
    "standardise": True,
    "linear": True,
    "controls": True,
    "codelength": True,
    "orders": 2,
    "regimen": {"learning_rate": 0.01, "batch": 50, "max_epochs": 15, "patience": 3, "race": [1]},
    "confidence": 0.95,
    "bootstrap": 200,
    "seed": 13,
}


def separable(types: bool = True) -> Space:
    examples, X = drawn_space(200, 80, 6, 5.0, 2)
    y = examples.examples.label.to_numpy(dtype=str)
    words = np.array([f"w{i % 50}" if types else "" for i in range(280)])
    X = X.astype(np.float32)
    return Space(X[:200], y[:200], X[200:], y[200:], words[:200], words[200:])


def test_both_probes_have_all_numbers_and_the_search_is_kept() -> None:
    space = separable()
    found = layer_accuracy(space, **SETTINGS)
    numbers = found["numbers"].set_index(["metric", "classifier"])
    assert numbers.index.is_unique
    for probe in ("mlp", "linear"):
        accuracy = numbers.loc["accuracy", probe]
        assert accuracy.value > 97
        assert accuracy.low <= accuracy.value <= accuracy.high
        assert accuracy.n == 80
        control = numbers.value["control_accuracy", probe]
        assert control < 60
        assert numbers.value["selectivity", probe] == accuracy.value - control
        assert numbers.value["codelength", probe] < 1.6
        compression = numbers.value["compression", probe]
        assert compression == pytest.approx(2 / numbers.value["codelength", probe])  # 4 labels
        assert numbers.n["codelength", probe] == 200
        assert 0 < numbers.value["codelength_std", probe] < numbers.value["codelength", probe]
    labels, counts = np.unique(space.y_train, return_counts=True)
    expected = 100 * (space.y_test == labels[counts.argmax()]).mean()
    assert numbers.value["majority", ""] == expected
    networks = found["networks"]
    assert tuple(networks.columns) == NETWORK_COLUMNS
    assert networks.hidden.tolist() == ["8-8", "8-8", "16-16", "16-16", "", ""]
    assert networks.groupby("classifier").chosen.sum().to_dict() == {"linear": 1, "mlp": 1}


def test_what_is_switched_off_is_left_out() -> None:
    off = {"controls": False, "codelength": False, "linear": False}
    numbers = layer_accuracy(separable(), **{**SETTINGS, **off})["numbers"]
    assert list(zip(numbers.metric, numbers.classifier, strict=True)) == [
        *(("accuracy", "mlp"), ("std", "mlp"), ("majority", "")),
    ]


def test_whole_texts_get_no_control_labels() -> None:
    settings = {**SETTINGS, "codelength": False}
    metrics = set(layer_accuracy(separable(types=False), **settings)["numbers"].metric)
    assert metrics == {"accuracy", "std", "majority"}


def test_the_gap_is_paired_over_sentences_and_initialisations() -> None:
    draw = np.random.default_rng(0)
    right = draw.random((300, 3)) < 0.7
    gained = right | (draw.random((300, 3)) < 0.2)
    example, init = (axis.ravel() for axis in np.indices(right.shape))
    parts = [
        pd.DataFrame({"example": example, "init": init, "right": answers.ravel()}).assign(
            state=state, layer=6, classifier="mlp", text=example // 5
        )
        for state, answers in (("pretrained", right), ("finetuned", gained))
    ]
    keys = {"after": "finetuned", "before": "pretrained", "encoder": "e", "task": "t", "seed": 1}
    (gap,) = accuracy_gaps(pd.concat(parts), **keys, confidence=0.95, bootstrap=500)
    assert gap.value == pytest.approx(100 * (gained.mean() - right.mean()))
    assert 0 < gap.low < gap.value < gap.high < 2 * gap.value
    assert (gap.state, gap.against, gap.metric, gap.n) == ("finetuned", "pretrained", "gap", 300)


def test_all_right_leaves_room_for_a_sentence_that_was_not_drawn() -> None:
    numbers = layer_accuracy(separable(), **{**SETTINGS, "codelength": False})["numbers"]
    found = numbers[(numbers.metric == "accuracy") & (numbers.value == 100)]
    assert len(found)
    assert (found.low < 97).all()
