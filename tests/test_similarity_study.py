"""The similarity study: values by hand, the fast RSA against the slow one, what is left out."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from made_up_spaces import drawn_space, write_layers
from scipy.stats import special_ortho_group
from scipy.stats import t as student

from tuneprobe.formats.examples import ExamplesBuilder
from tuneprobe.formats.representations import Representations
from tuneprobe.formats.results import Result
from tuneprobe.rng import rng
from tuneprobe.spaces import SPLITS, example_table
from tuneprobe.studies.geometry.directprobe.hulls import hull_distance
from tuneprobe.studies.geometry.directprobe.study import LabelDistances, hull_distances
from tuneprobe.studies.geometry.similarity.similarity import linear_cka, rsa
from tuneprobe.studies.geometry.similarity.study import (
    spatial_similarities,
    split_deficits,
    state_pairs,
    vector_similarities,
)

KEYS = {"encoder": "e", "task": "t", "seed": 13}
TUNED = ("finetuned", "pretrained")
DEAL = ("similarity", "splits", "finetuned", "0")  # names the stream of the random splits


def distances(labels: str, linear: bool, *pairs: float) -> LabelDistances:
    matrix = np.full((len(labels), len(labels)), np.nan)
    matrix[np.triu_indices(len(labels), 1)] = pairs
    return LabelDistances(tuple(labels), np.fmax(matrix, matrix.T), linear)


def values(rows: list[Result]) -> dict[tuple[str, int, str, str], float]:
    return {
        (row.state, row.layer, row.metric, row.splits or row.against or row.other): row.value
        for row in rows
    }


def spatial(**changes: object) -> dict[tuple[str, int, str, str], float]:
    found = {
        ("pretrained", 0, "train"): distances("abc", True, 1, 2, 3),
        ("pretrained", 0, "test"): distances("abc", True, 2, 4, 6),
        ("finetuned", 0, "train"): distances("abc", True, 3, 2, 1),
        ("finetuned", 1, "train"): distances("abc", False, 3, 2, 1),
        ("pretrained", 1, "train"): distances("abc", True, 1, 2, 3),
        ("finetuned", 0, "test"): distances("ab", True, 5),
    }
    found |= changes.pop("more", {})  # type: ignore[operator]
    rows = spatial_similarities(found, pairs=[TUNED], **{"zero_fill": False, **KEYS, **changes})
    return {key: round(value, 6) for key, value in values(rows).items()}


def test_spatial_similarity_stands_only_where_both_spaces_are_linear() -> None:
    assert spatial() == {
        ("pretrained", 0, "spatial_similarity", "train/test"): 1.0,
        ("finetuned", 0, "spatial_similarity", "pretrained"): -1.0,
    }


def test_labels_that_test_lacks_are_left_out_or_at_distance_0() -> None:
    train = distances("abcd", True, 1, 2, 3, 4, 5, 6)
    test = distances("abc", True, 1, 2, 4)
    more = {("random", 0, "train"): train, ("random", 0, "test"): test}
    key = ("random", 0, "spatial_similarity", "train/test")
    assert spatial(more=more)[key] == 1.0
    filled = np.corrcoef([1, 2, 3, 4, 5, 6], [1, 2, 0, 4, 0, 0])[0, 1]
    assert spatial(more=more, zero_fill=True)[key] == pytest.approx(filled, abs=1e-6)


def made_up_states(folder: Path) -> tuple[dict[str, Representations], object]:
    examples, X = drawn_space(30, 40, 6, 1.0, 4)
    noise = rng(5, "noise").normal(size=X.shape)
    turned = 3 * X @ special_ortho_group.rvs(6, random_state=1) + 1
    layers = {
        "pretrained": [np.ones_like(X), X, X + noise],
        "finetuned": [np.ones_like(X), turned, noise],
    }
    states = {state: write_layers(folder / state, of, examples) for state, of in layers.items()}
    return states, example_table(examples)


def test_cka_and_rsa_are_those_of_the_library_and_ignore_rigid_motion(tmp_path: Path) -> None:
    states, table = made_up_states(tmp_path)
    rows = vector_similarities(
        states,
        table,
        pairs=[TUNED],
        layer_states=["pretrained"],
        max_examples=100,
        neighbours=5,
        **KEYS,
    )
    found = values(rows)
    for metric in ("cka", "cka_debiased", "rsa"):
        assert found["finetuned", 1, metric, "pretrained"] == pytest.approx(1, abs=1e-5)
        same = found["pretrained", 1, metric, 2]
        assert same == found["pretrained", 2, metric, 1] < 0.999
        assert found["pretrained", 2, metric, 2] == pytest.approx(1)
    one, two = (states["pretrained"].layer(layer)[30:] for layer in (1, 2))
    assert found["pretrained", 1, "cka", 2] == linear_cka(one, two)
    assert found["pretrained", 1, "rsa", 2] == pytest.approx(rsa(one, two), abs=1e-6)
    assert not any(layer == 0 or other == 0 for _, layer, _, other in found)
    assert not any(state == "finetuned" and isinstance(c, int) for state, _, _, c in found)
    assert {row.n for row in rows} == {40}
    assert found["finetuned", 1, "knn_overlap", "pretrained"] == 1
    one, two = (states[state].layer(2)[30:] for state in ("pretrained", "finetuned"))
    same = 0
    for i in range(40):
        near = [set(np.argsort(np.linalg.norm(X - X[i], axis=1))[1:6]) for X in (one, two)]
        same += len(near[0] & near[1])
    assert found["finetuned", 2, "knn_overlap", "pretrained"] == pytest.approx(same / 200)
    assert not any(metric == "knn_overlap" and isinstance(c, int) for _, _, metric, c in found)


def test_a_sample_of_the_test_examples_is_the_same_for_all(tmp_path: Path) -> None:
    states, table = made_up_states(tmp_path)
    rows = vector_similarities(
        states, table, pairs=[TUNED], layer_states=[], max_examples=12, neighbours=5, **KEYS
    )
    assert {row.n for row in rows} == {12}
    found = values(rows)
    assert found["finetuned", 1, "rsa", "pretrained"] == pytest.approx(1, abs=1e-3)


N_LABELS, N_TEXTS = 5, (60, 30)  # of train, of test


def splits(folder: Path, shift: float) -> tuple[Representations, object, dict]:
    """Texts of two words of one label; in the test texts label a has moved."""
    draw, builder = rng(1, "splits"), ExamplesBuilder()
    X = []
    place = 3 * draw.normal(size=(N_LABELS, 8))
    for number in range(sum(N_TEXTS)):
        split = "train" if number < N_TEXTS[0] else "test"
        text = builder.add_text(f"t{number}", ["a", "b"])
        label = number % N_LABELS
        for word in range(2):
            span = builder.add_span(text, 0, word, word + 1, "word")
            builder.add_example(span, -1, "abcde"[label], split)
            moved = shift * (split == "test") * (label == 0)
            X.append(place[label] + 0.5 * draw.normal(size=8) + moved)
    examples = builder.build()
    found = write_layers(folder / f"shift-{shift}", [np.array(X)], examples)
    table = example_table(examples)
    distances = {}
    for split in ("train", "test"):
        rows = (table.split == split).to_numpy()
        y = table.label[rows].map("abcde".index).to_numpy()
        _, matrix = hull_distances(np.array(X)[rows], y, rtol=1e-3)
        distances["finetuned", 0, split] = LabelDistances(tuple("abcde"), matrix, True)
    return found, table, distances


def deficit(
    found: Representations, table: object, distances: dict, draws: int = 12, workers: int = 1
) -> Result:
    cache = found.folder.with_name("cache")
    settings = {"layers": [0], "draws": draws, "rtol": 1e-3, "zero_fill": False, "confidence": 0.9}
    states = {"finetuned": found}
    (row,) = split_deficits(
        states, table, distances, **settings, **KEYS, cache=cache, workers=workers
    )
    assert not cache.exists()
    return row


def test_two_processes_deal_the_same_texts(tmp_path: Path) -> None:
    given = splits(tmp_path, 1.0)
    assert deficit(*given, workers=2) == deficit(*given)


def test_train_and_test_of_one_distribution_are_as_alike_as_random_splits(tmp_path: Path) -> None:
    same, moved = (deficit(*splits(tmp_path, shift)) for shift in (0.0, 6.0))
    assert same.low < 0 < same.high
    assert moved.low > 0.05
    assert (same.n, same.splits, same.level) == (12, "train/test", 0.9)


def test_the_deficit_is_that_of_texts_dealt_by_hand(tmp_path: Path) -> None:
    found, table, distances = splits(tmp_path, 1.0)
    row, X, random = deficit(found, table, distances, 5), found.layer(0), rng(13, *DEAL)
    similar = []
    for _ in range(5):
        order = random.permutation(sum(N_TEXTS))
        parts = []
        for in_first in (True, False):
            vectors = []
            for corner in combinations("abcde", 2):
                clouds = [
                    X[
                        [
                            i
                            for i in range(len(table))
                            if table.label[i] == label
                            and (order[table.text[i]] < N_TEXTS[0]) == in_first
                        ]
                    ]
                    for label in corner
                ]
                vectors.append(hull_distance(*clouds, 1e-6).distance)
            parts.append(vectors)
        similar.append(np.corrcoef(*parts)[0, 1])
    pairs = np.triu_indices(N_LABELS, 1)
    observed = np.corrcoef(*(distances["finetuned", 0, s].matrix[pairs] for s in SPLITS))[0, 1]
    assert row.value == pytest.approx(np.mean(similar) - observed, abs=1e-3)
    half = student.ppf(0.95, 4) * np.std(similar, ddof=1) * (1 + 1 / 5) ** 0.5
    assert row.high - row.value == pytest.approx(half, abs=2e-3)


def test_the_later_state_is_compared_with_every_earlier_one() -> None:
    assert state_pairs(["random", "pretrained", "finetuned"]) == [
        ("pretrained", "random"),
        ("finetuned", "random"),
        ("finetuned", "pretrained"),
    ]
