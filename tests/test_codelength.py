"""Online codelength: the uniform code, what random and easy labels cost, the sum by hand."""

import numpy as np
import pytest

from tuneprobe.rng import rng
from tuneprobe.studies.geometry.classifiers.classifier import ClassifierError, held_out_rows
from tuneprobe.studies.geometry.classifiers.codelength import (
    Codelength,
    online_codelength,
    portion_ends,
)
from tuneprobe.studies.geometry.classifiers.networks import Network, Regimen
from tuneprobe.studies.geometry.classifiers.stack import train

LOSS = Regimen(learning_rate=3e-3, batch=50, max_epochs=100, monitor="loss")
SMALL = {"hidden": (16, 16), "regimen": LOSS}


def vectors(n: int = 1000, dim: int = 8) -> np.ndarray:
    return rng(0, "vectors").normal(size=(n, dim)).astype(np.float32)


def test_the_uniform_code_spends_the_logarithm_of_the_labels_on_each_example() -> None:
    code = Codelength(np.array([2, 8]), np.array([[4.0, 10.0], [4.0, 14.0]]), n_labels=4)
    assert code.uniform_bits == 16
    assert code.bits == 16
    assert code.compression == 1


def test_portions_are_shares_of_the_examples_and_the_first_has_two() -> None:
    assert portion_ends(16000).tolist() == [
        16, 32, 64, 128, 256, 512, 1000, 2000, 4000, 8000, 16000,
    ]  # fmt: skip
    assert portion_ends(30).tolist() == [2, 4, 8, 15, 30]


@pytest.mark.parametrize("portions", [(), (50.0,), (50.0, 50.0, 100.0), (0.0, 100.0)])
def test_portions_that_do_not_cover_the_examples_are_refused(portions: tuple) -> None:
    with pytest.raises(ClassifierError, match="increasing percentages, the last being 100"):
        portion_ends(100, portions)


def test_random_labels_cost_about_the_uniform_code() -> None:
    y = rng(0, "random labels").integers(4, size=1000)
    code = online_codelength(vectors(), y, **SMALL)
    assert code.uniform_bits == 2000
    assert 0.85 < code.compression < 1.02


def test_labels_that_are_nearly_constant_cost_nearly_nothing() -> None:
    y = np.arange(1000) == 500
    code = online_codelength(vectors(), y, **SMALL)
    assert code.uniform_bits == 1000
    assert code.bits < 100


def test_labels_that_the_vectors_show_cost_less_the_easier_they_are() -> None:
    X = vectors()
    easy, hard = X[:, 0] > 0, X[:, 0] * X[:, 1] > 0
    bits = [online_codelength(X, y, **SMALL).bits for y in (easy, hard)]
    assert bits[0] < 0.5 * bits[1] < 0.5 * 1000


def test_a_portion_is_coded_by_the_probe_of_the_portions_before() -> None:
    X, y = vectors(60), (vectors(60)[:, 0] > 0).astype(np.int64)
    code = online_codelength(
        X, y, portions=(50, 100), initialisations=2, standardise=False, **SMALL
    )
    order = rng(13, "codelength", "order").permutation(60)
    X, y = X[order], y[order]
    held = held_out_rows(y[:30], 13)
    probes = train(
        [Network((16, 16), 1e-4, init) for init in (0, 1)],
        *(X[:30][~held], y[:30][~held], X[:30][held], y[:30][held], 2),
        regimen=LOSS,
    )
    for bits, probe in zip(code.portion_bits, probes):
        p = np.exp(probe.log_probabilities(X[30:]))
        assert bits[0] == 30
        assert bits[1] == pytest.approx(sum(-np.log2(row[k]) for row, k in zip(p, y[30:])))


def test_the_same_seed_gives_the_same_bits() -> None:
    y = rng(0, "random labels").integers(3, size=200)
    once, again = (online_codelength(vectors(200), y, **SMALL) for _ in range(2))
    assert once.portion_bits.tobytes() == again.portion_bits.tobytes()
