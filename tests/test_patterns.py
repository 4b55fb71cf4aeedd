"""The pattern classifiers: drawn maps, features, network and rule."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_maps import HAND_SET, identity, last_column, uniform, within_segment

from tuneprobe.artifacts import ArtifactError
from tuneprobe.rng import rng
from tuneprobe.studies.attention.patterns.classes import (
    PATTERNS,
    PatternError,
    map_features,
    map_images,
    pad_maps,
)
from tuneprobe.studies.attention.patterns.maps import LONGEST, SHORTEST, draw_map, draw_maps
from tuneprobe.studies.attention.patterns.network import (
    PatternNetwork,
    classify_maps,
    drawn_confusion,
    read_network,
    rule_maps,
    train_network,
    write_network,
)

LENGTHS = (12, 13, 20, 32, 47, 64, 128)
TRAINING = {"maps": 2000, "epochs": 6, "learning_rate": 3e-3}


@pytest.fixture(scope="module")
def network() -> PatternNetwork:
    return train_network(13, **TRAINING)


def image(weights: np.ndarray) -> np.ndarray:
    return map_images(*pad_maps([weights]))[0, 0].numpy()


def feature(name: str, weights: np.ndarray) -> float:
    return getattr(map_features(*pad_maps([weights])), name).item()


def test_rows_of_drawn_maps_are_distributions() -> None:
    for weights, _ in draw_maps(50, rng(1, "test")):
        assert SHORTEST <= len(weights) <= LONGEST
        assert weights.min() >= 0
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-12)


def test_patterns_are_drawn_in_turn_and_so_equally_often() -> None:
    drawn = [pattern for _, pattern in draw_maps(10, rng(1, "test"))]
    assert drawn == [0, 1, 2, 3, 4] * 2


def test_same_seed_draws_the_same_maps_and_another_seed_others() -> None:
    once, again, other = (
        [weights for weights, _ in draw_maps(5, rng(seed, "test"))] for seed in (1, 1, 2)
    )
    assert all(np.array_equal(one, two) for one, two in zip(once, again, strict=True))
    assert not any(np.array_equal(one, two) for one, two in zip(once, other, strict=True))


def test_a_map_too_short_to_show_a_pattern_is_not_drawn() -> None:
    with pytest.raises(PatternError, match="at least 8 pieces; got 5"):
        draw_map(0, 5, rng(1, "test"))


@pytest.mark.parametrize("length", [3, 8, 31, 32, 33, 100])
def test_a_picture_has_the_mean_of_each_area(length: int) -> None:
    weights = rng(1, "test").dirichlet(np.ones(length), size=length)
    fine = np.kron(weights * length, np.ones((32, 32)))  # (32 length, 32 length)
    areas = fine.reshape(32, length, 32, length).mean(axis=(1, 3))
    np.testing.assert_allclose(image(weights), areas, rtol=1e-4, atol=1e-5)


def test_a_uniform_map_is_one_everywhere_whatever_its_length() -> None:
    for length in (1, 7, 32, 50):
        np.testing.assert_allclose(image(uniform(length)), 1, rtol=1e-5)


def test_padding_changes_no_picture_and_no_feature() -> None:
    short, long = (rng(1, "test", n).dirichlet(np.ones(n), size=n) for n in (9, 40))
    padded, lengths = pad_maps([short, long])
    padded[0, :, 9:] = 7.0  # rows of padding may hold anything; its columns are 0
    padded[0, :, :, 9:] = 0.0
    np.testing.assert_allclose(map_images(padded, lengths)[0, 0], image(short), rtol=1e-5)
    features = map_features(padded, lengths)
    for name in ("stripes", "diagonal", "block", "entropy"):
        assert getattr(features, name)[0].item() == pytest.approx(feature(name, short), abs=1e-5)


def test_features_of_pure_patterns_are_one_and_of_the_others_near_zero() -> None:
    assert feature("stripes", last_column(20)) == pytest.approx(1)
    assert feature("diagonal", identity(20)) == pytest.approx(1)
    assert feature("block", within_segment(20)) == pytest.approx(1, abs=1e-3)
    assert feature("entropy", uniform(20)) == pytest.approx(1)
    assert feature("stripes", identity(20)) == pytest.approx(0, abs=1e-6)
    tiny = rng(0, "tiny").dirichlet(np.ones(3), size=(100, 3))
    assert not any(feature("stripes", one) for one in tiny)
    assert feature("diagonal", last_column(20)) == pytest.approx(0, abs=0.02)
    assert feature("block", last_column(20)) == pytest.approx(0, abs=0.01)
    assert feature("entropy", last_column(32)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("drawing", "pattern"), HAND_SET.items())
def test_the_rule_names_maps_set_by_hand_at_any_length(
    drawing: Callable[[int], np.ndarray], pattern: str, length: int
) -> None:
    assert PATTERNS[rule_maps([drawing(length)])[0]] == pattern


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("drawing", "pattern"), HAND_SET.items())
def test_the_network_names_maps_set_by_hand_at_any_length(
    network: PatternNetwork, drawing: Callable[[int], np.ndarray], pattern: str, length: int
) -> None:
    labels, probabilities = classify_maps(network, [drawing(length)])
    assert PATTERNS[labels[0]] == pattern
    assert probabilities.sum() == pytest.approx(1)


def test_noise_is_heterogeneous_for_both(network: PatternNetwork) -> None:
    noise = rng(1, "test").dirichlet(np.full(40, 0.5), size=40)
    assert PATTERNS[classify_maps(network, [noise])[0][0]] == "heterogeneous"
    assert PATTERNS[rule_maps([noise])[0]] == "heterogeneous"


def test_maps_of_different_lengths_are_labelled_as_one_by_one(network: PatternNetwork) -> None:
    maps = [weights for weights, _ in draw_maps(20, rng(3, "test"))]
    together = classify_maps(network, maps)[1]
    alone = np.concatenate([classify_maps(network, [one])[1] for one in maps])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_the_network_knows_drawn_maps_it_did_not_see(network: PatternNetwork) -> None:
    counts = drawn_confusion(network, 13, 300)
    assert counts["network"].sum(axis=1).tolist() == [60] * 5
    assert np.trace(counts["network"]) > 0.9 * 300
    assert np.trace(counts["rule"]) > 0.75 * 300


def test_same_seed_trains_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for folder, seed in (("once", 1), ("again", 1), ("other", 2)):
        network = train_network(seed, maps=70, epochs=2, learning_rate=1e-3)
        write_network(tmp_path / folder, network, seed=1)
    once, again, other = (
        {file.name: file.read_bytes() for file in (tmp_path / folder).iterdir()}
        for folder in ("once", "again", "other")
    )
    assert once == again
    assert once["network.safetensors"] != other["network.safetensors"]


def test_a_stored_network_gives_the_same_answers(tmp_path: Path, network: PatternNetwork) -> None:
    write_network(tmp_path / "network", network)
    images = torch.rand(3, 2, 32, 32)
    read = read_network(tmp_path / "network").probabilities(images)
    assert read.shape == (3, 2, 5)
    assert torch.equal(read, network.probabilities(images))


def test_a_damaged_network_is_refused_with_the_command_that_mends_it(
    tmp_path: Path, network: PatternNetwork
) -> None:
    write_network(tmp_path / "network", network)
    weights = tmp_path / "network" / "network.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(ArtifactError, match=r"network\.safetensors .*dvc repro"):
        read_network(tmp_path / "network")
    weights.unlink()
    with pytest.raises(ArtifactError, match=r"network\.safetensors .*dvc repro"):
        read_network(tmp_path / "network")


@pytest.mark.parametrize("shape", [(3, 4), (3,), (0, 0)])
def test_a_map_that_is_not_square_is_refused_by_its_place(shape: tuple[int, ...]) -> None:
    with pytest.raises(PatternError, match="map 1 has shape"):
        pad_maps([np.ones((2, 2)), np.ones(shape)])


def test_a_length_beyond_the_map_is_refused() -> None:
    with pytest.raises(PatternError, match="between 9 and 9, expected 1 to 8"):
        map_images(torch.ones(1, 1, 8, 8), torch.tensor([9]))


def test_a_pattern_network_that_diverges_is_one_clear_error() -> None:
    with pytest.raises(PatternError, match=r"Lower attention\.patterns\.learning_rate"):
        train_network(1, maps=130, epochs=2, learning_rate=float("inf"))
