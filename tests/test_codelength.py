"""Online codelength: the uniform code, what random and easy labels cost, the sum by hand."""

import numpy as np
import pytest

from tuneprobe.rng import rng
from tuneprobe.studies.geometry.classifiers.classifier import ClassifierError, held_out_rows
from tuneprobe.studies.geometry.classifiers.codelength import (
    Codelength,
    first_portion,
    mixed_bits,
    online_codelength,
    portion_ends,
)
from tuneprobe.studies.geometry.classifiers.networks import Network, Regimen
from tuneprobe.studies.geometry.classifiers.stack import train

LOSS = Regimen(learning_rate=3e-3, batch=50, max_epochs=100, monitor="loss")
SMALL = {"hidden": (16, 16), "regimen": LOSS, "orders": 1}


def vectors(n: int = 1000, dim: int = 8) -> np.ndarray:
    return rng(0, "vectors").normal(size=(n, dim)).astype(np.float32)


def test_the_uniform_code_spends_the_logarithm_of_the_labels_on_each_example() -> None:
    code = Codelength(np.array([2, 8]), np.array([[4.0, 10.0], [4.0, 14.0]]), n_labels=4)
    assert code.uniform_bits == 16
    assert code.bits == 16
    assert code.compression == 1


@pytest.mark.parametrize(
    ("n", "first", "ends"),
    [
        (16000, 32, [32, 64, 128, 256, 512, 1000, 2000, 4000, 8000, 16000]),
        (1000, 120, [120, 250, 500, 1000]),
        (300, 120, [120, 300]),  # 150 would be 30 examples behind 120
        (64, 32, [32, 64]),
        (63, 32, [63]),  # no part of them is enough to learn from
        (30, 32, [30]),
    ],
)
def test_no_portion_is_smaller_than_the_least_a_probe_learns_from(n, first, ends) -> None:
    assert portion_ends(n, first=first).tolist() == ends


def test_the_first_portion_has_five_examples_of_each_label_or_32() -> None:
    assert [first_portion(k) for k in (2, 6, 7, 24)] == [32, 32, 35, 120]


@pytest.mark.parametrize("portions", [(), (50.0,), (50.0, 50.0, 100.0), (0.0, 100.0)])
def test_portions_that_do_not_cover_the_examples_are_refused(portions: tuple) -> None:
    with pytest.raises(ClassifierError, match="increasing percentages, the last being 100"):
        portion_ends(100, portions)


@pytest.mark.parametrize(("n", "n_labels", "dim"), [(1000, 4, 8), (240, 24, 60), (150, 2, 100)])
def test_useless_vectors_compress_nothing_and_no_portion_costs_much_more(n, n_labels, dim) -> None:
    y = rng(0, "random labels").integers(n_labels, size=n)
    code = online_codelength(vectors(n, dim), y, **{**SMALL, "decay": 1e-7, "orders": 2})
    assert 0.95 < code.compression < 1.05
    uniform = np.diff(code.ends, prepend=0) * np.log2(n_labels)
    assert (code.portion_bits <= 1.05 * uniform).all()


def test_a_sure_and_wrong_probe_costs_one_bit_above_uniform() -> None:
    assert mixed_bits(np.full(32, -20000.0), 2) <= 33
    assert mixed_bits(np.append(np.zeros(500), -20000.0), 2) < 0.1 * 501


def test_a_sure_and_right_probe_costs_next_to_nothing() -> None:
    assert mixed_bits(np.zeros(1000), 8) < 4


def test_vectors_of_any_scale_cost_the_same() -> None:
    X, y = vectors(200), vectors(200)[:, 0] > 0
    X[:, 1] = 5.0  # constant
    bits = [online_codelength(moved, y, **SMALL).bits for moved in (X, 1000 * X + 7)]
    assert bits[0] == pytest.approx(bits[1], rel=0.02)


def test_the_spread_is_over_the_orders() -> None:
    code = Codelength(np.array([2, 8]), np.array([[4.0, 10.0], [4.0, 14.0]]), n_labels=4)
    assert code.std == pytest.approx(8**0.5)
    assert np.isnan(Codelength(code.ends, code.portion_bits[:1], 4).std)


def test_labels_that_are_nearly_constant_cost_nearly_nothing() -> None:
    y = np.arange(1000) == 500
    code = online_codelength(vectors(), y, **SMALL)
    assert code.uniform_bits == 1000
    assert code.bits < 100


def test_labels_that_the_vectors_show_cost_less_the_easier_they_are() -> None:
    X = vectors()
    easy, hard = X[:, 0] > 0, X[:, 0] * X[:, 1] > 0
    bits = [online_codelength(X, y, **{**SMALL, "orders": 3}).bits for y in (easy, hard)]
    assert bits[0] < 0.5 * bits[1] < 0.5 * 1000


def test_a_portion_is_coded_by_the_probe_of_the_portions_before() -> None:
    X, y = vectors(64), (vectors(64)[:, 0] > 0).astype(np.int64)
    how = {**SMALL, "orders": 2}
    code = online_codelength(X, y, portions=(50, 100), standardise=False, **how)
    assert code.ends.tolist() == [32, 64]
    for number, bits in enumerate(code.portion_bits):
        order = rng(13, "codelength", "order", number).permutation(64)
        seen, coming = order[:32], order[32:]
        held = held_out_rows(y[seen], 13)
        parts = (seen[~held], seen[held])
        (probe,) = train(
            [Network((16, 16), 1e-4, number)],
            *(values[rows] for rows in parts for values in (X, y)),
            2,
            regimen=LOSS,
        )
        log_p = probe.log_likelihoods(X[coming], y[coming])
        assert bits.tolist() == [32, mixed_bits(log_p, 2)]


def test_the_same_seed_gives_the_same_bits() -> None:
    y = rng(0, "random labels").integers(3, size=200)
    once, again = (online_codelength(vectors(200), y, **SMALL) for _ in range(2))
    assert once.portion_bits.tobytes() == again.portion_bits.tobytes()
