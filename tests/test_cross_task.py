"""Cross-task probing: labels that parted and drew near, counted by hand."""

from math import isnan

import numpy as np
import pandas as pd
import pytest
from made_up_spaces import SQUARE

from tuneprobe.spaces import Space
from tuneprobe.studies.geometry.classifiers.cross_task import cross_results, layer_labels

CLASSIFIER = {
    "hidden": [[8, 8]],
    "decays": [1e-4],
    "initialisations": 2,
    "standardise": True,
    "linear": False,
    "controls": False,
    "codelength": False,
    "orders": 1,
    "regimen": {"learning_rate": 0.01, "batch": 50, "max_epochs": 40, "patience": 5},
    "confidence": 0.95,
    "bootstrap": 200,
    "seed": 13,
}


def squares(*corners: tuple[float, float]) -> Space:
    """Labels a, b, ... on unit squares at these corners; the tests are the squares' centres."""
    X = np.concatenate([SQUARE + corner for corner in corners]).astype(np.float32)
    y = np.repeat(list("abcd")[: len(corners)], 4)
    centres = X.reshape(-1, 4, 2).mean(axis=1)
    return Space(X, y, centres, np.unique(y), np.full(len(y), "w"), np.full(len(centres), "w"))


def test_labels_that_part_and_draw_near_are_counted_against_the_state_before() -> None:
    spaces = {
        "pretrained": squares((0, 0), (3, 0), (10, 0), (12, 0)),  # to the nearest: 2, 2, 1, 1
        "finetuned": squares((0, 0), (6, 0), (13, 0), (14.5, 0)),  # 5, 5, .5, .5
        "finetuned-on-pos": squares((0, 0), (0.5, 0), (10, 0), (12, 0)),  # 0, 0, 1, 1
    }
    parts = []
    for state, space in spaces.items():
        numbers = layer_labels(space, rtol=1e-8, classifier=CLASSIFIER)["numbers"]
        numbers.insert(0, "layer", 6)
        numbers.insert(0, "state", state)
        parts.append(numbers.round(6))
    keys = {"before": "pretrained", "encoder": "e", "task": "t", "seed": 13, "level": 0.9}
    numbers = pd.concat(parts, ignore_index=True)
    rows = cross_results(numbers, tuned_on={"finetuned-on-pos": "pos"}, **keys)
    assert all(isnan(row.level) for row in rows if row.metric == "accuracy")  # too few to bound
    rows = [row for row in rows if row.metric.startswith(("n_", "mean"))]
    found = {(row.state, row.tuned_on, row.metric): row.value for row in rows}
    assert found == {
        ("finetuned", "", "n_increased"): 2,
        ("finetuned", "", "n_decreased"): 2,
        ("finetuned", "", "mean_change"): pytest.approx(1.25),
        ("finetuned", "pos", "n_increased"): 0,
        ("finetuned", "pos", "n_decreased"): 2,
        ("finetuned", "pos", "mean_change"): pytest.approx(-1),
    }
    assert {(row.layer, row.n) for row in rows} == {(6, 4)}


def test_the_numbers_are_those_of_the_classifier_and_the_hulls() -> None:
    space = squares((0, 0), (30, 0))
    numbers = layer_labels(space, rtol=1e-8, classifier=CLASSIFIER)["numbers"]
    found = numbers.set_index(["metric", "classifier", "label"]).value
    assert found["accuracy", "mlp", ""] == 100
    assert found["majority", "", ""] == 50
    assert found["outside_min", "", "a"] == found["outside_min", "", "b"] == pytest.approx(29)
