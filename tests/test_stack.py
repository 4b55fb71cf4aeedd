"""Stacked networks: a stack equals its members alone, padding is inert, stopping is exact."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from tuneprobe.errors import TuneprobeError, UnknownNameError
from tuneprobe.rng import rng
from tuneprobe.studies.geometry.classifiers import networks
from tuneprobe.studies.geometry.classifiers.networks import Network, Regimen, Trained
from tuneprobe.studies.geometry.classifiers.stack import DivergedError, _Stack, train

SHORT = Regimen(batch=32, max_epochs=8)
MIXED = [
    Network((8, 4), 1e-3),
    Network((16, 4), 1e-1),
    Network((8, 4), 1e-1, init=1),
    Network((5, 12), 1e-7),
]


def rings(n: int = 240, dim: int = 6) -> tuple[np.ndarray, ...]:
    """Three labels by distance from the centre, with a held-out part."""
    X = rng(0, "rings").normal(size=(n, dim)).astype(np.float32)
    y = np.digitize(np.linalg.norm(X, axis=1), [2.0, 2.6]).astype(np.int64)
    return X[:200], y[:200], X[200:], y[200:]


def weights(trained: Trained) -> np.ndarray:
    return np.concatenate([part.numpy().ravel() for layer in trained.layers for part in layer])


@pytest.mark.parametrize("padded", [False, True])
def test_a_network_in_a_stack_equals_the_network_alone(padded: bool) -> None:
    together = train(MIXED, *rings(), 3, regimen=SHORT, padded=padded)
    for network, stacked in zip(MIXED, together, strict=True):
        (alone,) = train([network], *rings(), 3, regimen=SHORT)
        assert stacked.network == network
        assert [tuple(w.shape) for w, _ in stacked.layers] == [
            tuple(w.shape) for w, _ in alone.layers
        ]
        np.testing.assert_allclose(weights(stacked), weights(alone), atol=1e-5)
        assert stacked.score == pytest.approx(alone.score)


def test_padded_units_stay_zero_through_training() -> None:
    stack = _Stack(MIXED, [0, 1, 2, 3], 6, 3, SHORT, 13, "cpu")
    X, y = (torch.from_numpy(part) for part in rings()[:2])
    for _ in range(3):
        stack.learn(X, y)
    for k, network in enumerate(MIXED):
        first, second = network.hidden
        inputs, biases, inner, _, outputs, _ = (p.detach()[k] for p in stack.parameters)
        assert inputs[:, :first].any()
        for padding in (inputs[:, first:], biases[:, first:], inner[first:], inner[:, second:]):
            assert not padding.any()
        assert not outputs[second:].any()


def test_a_step_is_adam_on_cross_entropy_and_half_the_squared_weights_per_example() -> None:
    X, y, *_ = rings()
    X, y, network = torch.from_numpy(X[:32]), torch.from_numpy(y[:32]), Network((5, 4), 0.3)
    stack = _Stack([network], [0], 6, 3, SHORT, 13, "cpu")
    w1, b1, w2, b2, w3, b3 = plain = [
        p.detach()[0].clone().requires_grad_() for p in stack.parameters
    ]
    adam = torch.optim.Adam(plain, lr=1e-3)
    for _ in range(3):
        stack._step(X, y)
        adam.zero_grad()
        outputs = ((X @ w1 + b1).relu() @ w2 + b2).relu() @ w3 + b3
        penalty = sum((w**2).sum() for w in (w1, w2, w3))
        (functional.cross_entropy(outputs, y) + 0.3 / (2 * 32) * penalty).backward()
        adam.step()
    for stacked, by_hand in zip(stack.parameters, plain, strict=True):
        torch.testing.assert_close(stacked[0], by_hand, atol=1e-6, rtol=1e-5)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not() -> None:
    once, again, other = (
        np.concatenate([weights(t) for t in train(MIXED, *rings(), 3, regimen=SHORT, seed=seed)])
        for seed in (13, 13, 14)
    )
    assert once.tobytes() == again.tobytes()
    assert once.tobytes() != other.tobytes()


def test_the_number_of_threads_is_left_as_it_was_and_does_not_matter() -> None:
    threads = torch.get_num_threads()
    try:
        found = []
        for number in (1, 3):
            torch.set_num_threads(number)
            found.append([weights(t) for t in train(MIXED, *rings(), 3, regimen=SHORT)])
            assert torch.get_num_threads() == number
    finally:
        torch.set_num_threads(threads)
    for one, three in zip(*found, strict=True):
        np.testing.assert_allclose(one, three, atol=1e-5)


def test_decay_does_not_change_the_start_and_shrinks_the_weights() -> None:
    start = Regimen(learning_rate=0.0, max_epochs=1)
    grid = [Network((8, 8), 1e-7), Network((8, 8), 1e0)]
    first = [weights(trained) for trained in train(grid, *rings(), 3, regimen=start)]
    np.testing.assert_array_equal(*first)
    long = Regimen(max_epochs=100, patience=100, batch=20, monitor="loss")
    small, large = train(grid, *rings(), 3, regimen=long)
    assert np.linalg.norm(weights(large)) < 0.7 * np.linalg.norm(weights(small))


def test_early_stopping_keeps_the_best_epoch_and_waits_no_longer_than_its_patience() -> None:
    regimen = Regimen(learning_rate=0.05, batch=32, patience=4, max_epochs=200)
    X, y, X_held, y_held = rings()
    network = Network((8, 8), 1e-7)
    (stopped,) = train([network], X, y, X_held, y_held, 3, regimen=regimen)
    by_epoch = []
    for last in range(1, stopped.epochs + 1):
        stack = _Stack([network], [0], 6, 3, regimen, 13, "cpu")
        for epoch in range(1, last + 1):
            order = rng(13, "networks", "order", epoch).permutation(200)
            stack.learn(torch.from_numpy(X[order]), torch.from_numpy(y[order]))
        accuracy, loss = stack._held_out(torch.from_numpy(X_held), torch.from_numpy(y_held))
        by_epoch.append((accuracy[0], -loss[0], [p.detach()[0] for p in stack.parameters]))
    accuracies = [epoch[0] for epoch in by_epoch]
    first_best = 1 + int(np.argmax(accuracies))
    assert stopped.epochs == first_best + regimen.patience + 1
    assert 1 < first_best < 190
    best = max(by_epoch, key=lambda epoch: epoch[:2])
    assert stopped.score == best[0] == (stopped.predict(X_held) == y_held).mean()
    np.testing.assert_array_equal(weights(stopped), np.concatenate([p.ravel() for p in best[2]]))


def test_a_network_that_goes_on_does_not_notice_those_that_stop() -> None:
    regimen = Regimen(learning_rate=0.01, batch=32, patience=2, max_epochs=60)
    grid = [Network((8, 8), 10.0**-k, init) for k in range(4) for init in range(3)]
    together = train(grid, *rings(), 3, regimen=regimen)
    assert len({trained.epochs for trained in together}) > 3
    longest = max(together, key=lambda trained: trained.epochs)
    (alone,) = train([longest.network], *rings(), 3, regimen=regimen)
    assert alone.epochs == longest.epochs
    np.testing.assert_allclose(weights(alone), weights(longest), atol=1e-4)


def test_a_race_halves_the_contenders_and_leaves_the_others_alone() -> None:
    grid = [Network((8, 8), 1e-4, init) for init in range(8)]

    def run(epochs: int, race: tuple[int, ...] = ()) -> list[Trained]:
        regimen = Regimen(batch=32, max_epochs=epochs, patience=99, race=race)
        return train(grid, *rings(), 3, regimen=regimen)

    at_two, at_four, raced = run(2), run(4), run(6, race=(2, 4))
    first_bar = sorted(trained.score for trained in at_two)[4]
    in_race = [trained.score >= first_bar for trained in at_two]
    scores = sorted(trained.score for trained, still in zip(at_four, in_race, strict=True) if still)
    second_bar = scores[len(scores) // 2]
    expected = [
        2 if not still else 4 if trained.score < second_bar else 6
        for still, trained in zip(in_race, at_four, strict=True)
    ]
    assert [trained.epochs for trained in raced] == expected
    assert set(expected) == {2, 4, 6}
    for end, got in zip(run(6), raced, strict=True):
        if got.epochs == 6:
            np.testing.assert_allclose(weights(got), weights(end), atol=1e-5)


def test_a_race_with_one_network_left_is_decided_and_ends() -> None:
    grid = [Network((8, 8), 1e-4, init) for init in range(4)]
    # by the loss, which no two networks share
    regimen = Regimen(batch=32, max_epochs=50, patience=99, monitor="loss", race=(1, 3))
    raced = train(grid, *rings(), 3, regimen=regimen)
    assert sorted(trained.epochs for trained in raced) == [1, 1, 3, 3]
    (winner,) = [one for one in raced if one.score == max(other.score for other in raced)]
    assert winner.epochs == 3


@pytest.mark.parametrize("at_once", [2**24, 7 * 3])  # outputs: all, and those of seven examples
def test_the_loss_as_monitor_is_minus_the_held_out_cross_entropy(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(networks, "AT_ONCE", at_once)
    X, y, X_held, y_held = rings()
    regimen = Regimen(batch=32, max_epochs=5, monitor="loss")
    (trained,) = train([Network((8,), 1e-4)], X, y, X_held, y_held, 3, regimen=regimen)
    (W, b), (V, c) = ([part.numpy() for part in layer] for layer in trained.layers)
    outputs = np.maximum(X_held @ W + b, 0) @ V + c
    own = outputs[np.arange(40), y_held] - np.log(np.exp(outputs).sum(axis=1))
    np.testing.assert_allclose(trained.log_likelihoods(X_held, y_held), own, atol=1e-5)
    assert trained.predict(X_held).tolist() == outputs.argmax(axis=1).tolist()
    assert trained.score == pytest.approx(own.mean(), abs=1e-6)


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch finds a CUDA device here")
def test_a_device_that_is_not_there_is_refused_with_what_to_do() -> None:
    with pytest.raises(TuneprobeError, match="torch finds no CUDA device"):
        train(MIXED, *rings(), n_labels=3, device="cuda")


def test_an_unknown_monitor_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'accuracy'"):
        train([], *rings(), 3, regimen=Regimen(monitor="acuracy"))


@pytest.mark.parametrize("rate", [float("inf"), 1e30])
def test_a_network_that_diverges_is_one_clear_error(rate: float) -> None:
    X = rng(0, "vectors").normal(size=(40, 5)).astype(np.float32)
    y = np.arange(40) % 2
    with pytest.raises(DivergedError, match=r"held-out loss of (nan|inf) .*lower geometry"):
        train([Network((4, 4), 1e-4)], X, y, X, y, 2, regimen=Regimen(rate, max_epochs=20))
