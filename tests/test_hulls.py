"""Hulls: both certificates proved by hand arithmetic, an LP solver and an SVM as judges."""

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.stats import special_ortho_group
from sklearn.svm import SVC

from tuneprobe.rng import rng
from tuneprobe.studies.geometry.directprobe import hulls
from tuneprobe.studies.geometry.directprobe.hulls import (
    HullError,
    HullGap,
    hull_distance,
    hyperplane_gap,
    separate,
)

SQUARE = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])


def assert_proved(gap: HullGap, A: np.ndarray, B: np.ndarray) -> None:
    """Recompute both ends of the interval from the certificates."""
    assert 0 <= gap.lower <= gap.upper
    if gap.separable:
        assert np.linalg.norm(gap.normal) == pytest.approx(1)
        slack = 1e-9 * gap.radius
        assert (A @ gap.normal).min() >= gap.offset + gap.lower / 2 - slack
        assert (B @ gap.normal).max() <= gap.offset - gap.lower / 2 + slack
    if np.isfinite(gap.upper):
        for weights in (gap.weights_a, gap.weights_b):
            assert weights.min() >= 0
            assert weights.sum() == pytest.approx(1)
        apart = np.linalg.norm(gap.weights_a @ A - gap.weights_b @ B)
        assert apart <= gap.upper + 1e-9 * gap.radius


def lp_separable(A: np.ndarray, B: np.ndarray) -> bool:
    """DirectProbe's linear program: is there a plane with ``A w + b >= 1``, ``B w + b <= -1``?"""
    rows = np.vstack([np.c_[-A, -np.ones(len(A))], np.c_[B, np.ones(len(B))]])
    found = linprog(
        np.zeros(rows.shape[1]),
        A_ub=rows,
        b_ub=-np.ones(len(rows)),
        bounds=[(None, None)] * rows.shape[1],
        method="highs",
    )
    return bool(found.status == 0)


def random_sets(case: int) -> tuple[np.ndarray, np.ndarray]:
    """Two sets in 2 to 64 dimensions: mixed, shifted, a thin gap, a thin overlap, or squashed."""
    r = rng(case, "two point sets")
    dim = int(r.integers(2, 65))
    A, B = (r.normal(size=(int(n), dim)) for n in r.integers(1, 3 * dim, 2))
    thin = 10.0 ** -r.integers(1, 6)
    match case % 5:
        case 1:
            B += 2 * r.normal(size=dim) / np.sqrt(dim)
        case 2:
            A[:, 0], B[:, 0] = np.abs(A[:, 0]) + thin, -np.abs(B[:, 0])
            A[0, 0], B[0, 0] = thin, 0
        case 3:
            A[:, 0], B[:, 0] = np.abs(A[:, 0]) - thin, -np.abs(B[:, 0])
        case 4:
            squash = np.logspace(0, -3, dim)
            A, B = A * squash, (B + 0.3) * squash
    return A, B


@pytest.mark.parametrize("start", range(0, 300, 50))
def test_agrees_with_a_linear_program_and_proves_it(start):
    for case in range(start, start + 50):
        A, B = random_sets(case)
        gap = separate(A, B)
        assert gap.separable != gap.meets, f"case {case} is undecided"
        assert gap.separable == lp_separable(A, B), f"case {case}"
        assert_proved(gap, A, B)


def test_the_interval_of_a_distance_is_narrow_and_proved():
    for case in range(300):
        A, B = random_sets(case)
        gap = hull_distance(A, B)
        assert_proved(gap, A, B)
        assert gap.meets or gap.upper - gap.lower <= 1e-6 * gap.upper, f"case {case}"


def test_two_squares_are_as_far_apart_as_you_can_see():
    assert hull_distance(SQUARE, SQUARE + np.array([3, 0])).distance == pytest.approx(2, rel=1e-6)
    assert hull_distance(SQUARE, SQUARE + np.array([4, 5])).distance == pytest.approx(5, rel=1e-6)
    assert hull_distance(SQUARE, [[2, 0.5]]).distance == pytest.approx(1, rel=1e-6)


def test_the_distance_is_twice_the_margin_of_a_hard_margin_svm():
    r = rng(0, "svm")
    A, B = r.normal(size=(60, 5)), r.normal(size=(40, 5)) + 3
    svm = SVC(kernel="linear", C=1e8, tol=1e-8).fit(np.vstack([A, B]), [1] * 60 + [0] * 40)
    margin = 1 / np.linalg.norm(svm.coef_)
    assert hull_distance(A, B).distance == pytest.approx(2 * margin, rel=1e-5)


@pytest.mark.parametrize("decide", [separate, hull_distance])
@pytest.mark.parametrize(
    ("A", "B"),
    [
        (SQUARE, SQUARE),  # the same points twice
        (SQUARE, [[0, 0]]),  # a corner
        (SQUARE, [[0.5, 0.25]]),  # within
        ([[0, 0], [1, 1]], [[0, 1], [1, 0]]),  # crossing diagonals
        ([[2, 3]], [[2, 3]]),  # one point
        ([[2, 3], [2, 3]], [[2, 3]]),
        ([[0.0], [1.0]], [[1.0], [2.0]]),  # touching segments
    ],
)
def test_hulls_with_a_common_point_meet_at_distance_zero(decide, A, B):
    A, B = np.array(A, dtype=float), np.array(B, dtype=float)
    gap = decide(A, B)
    assert gap.meets
    assert not gap.separable
    assert gap.distance == 0
    assert_proved(gap, A, B)


def test_points_in_general_position_no_more_than_dimensions_plus_one_are_separable():
    r = rng(0, "general position")
    for dim in (2, 7, 40):
        X = r.normal(size=(dim + 1, dim))
        for n_a in range(1, dim + 1, 6):
            assert separate(X[:n_a], X[n_a:]).separable


def test_swapping_the_sets_turns_the_plane_around():
    A, B = SQUARE, SQUARE + np.array([3, 1])
    one, two = hull_distance(A, B), hull_distance(B, A)
    assert one.distance == pytest.approx(two.distance, rel=1e-9)
    assert np.allclose(one.normal, -two.normal)


def test_rigid_motion_keeps_and_scaling_scales_the_distance():
    r = rng(1, "motion")
    A, B = r.normal(size=(50, 6)), r.normal(size=(70, 6)) + 2.5
    turn = special_ortho_group(6, seed=r).rvs()
    distance = hull_distance(A, B).distance
    assert distance > 0
    moved = hull_distance(A @ turn + 7, B @ turn + 7).distance
    assert moved == pytest.approx(distance, rel=1e-5)
    for c in (1e-4, 1e5):
        assert hull_distance(c * A, c * B).distance == pytest.approx(c * distance, rel=1e-5)


@pytest.mark.parametrize("case", range(20))
def test_linear_programming_alone_decides_alike_with_the_same_proofs(case, monkeypatch):
    A, B = random_sets(case)
    expected = separate(A, B).separable
    monkeypatch.setattr(hulls, "RIDGES_TO_DECIDE", ())
    monkeypatch.setattr(hulls, "_common_point", lambda problem, gap: gap)
    gap = separate(A, B)
    assert gap.separable == expected
    assert gap.meets != expected
    assert_proved(gap, A, B)


def test_a_slab_has_the_width_along_its_normal_and_none_where_sets_mix():
    width, offset = hyperplane_gap(SQUARE + np.array([3, 0]), SQUARE, np.array([2.0, 0.0]))
    assert (width, offset) == (2, 2)
    assert hyperplane_gap(SQUARE + np.array([3, 0]), SQUARE, np.array([0.0, 1.0]))[0] == 0
    assert hyperplane_gap(SQUARE, SQUARE, np.zeros(2))[0] == 0


@pytest.mark.parametrize(
    ("A", "B", "message"),
    [
        (np.empty((0, 2)), SQUARE, "n >= 1"),
        (SQUARE, [[np.nan, 0]], "NaN"),
        (SQUARE, [[0, 0, 0]], "2 and 3 dimensions"),
        (SQUARE, [0, 0], "shape"),
    ],
)
def test_bad_points_are_refused_with_what_came(A, B, message):
    with pytest.raises(HullError, match=message):
        separate(A, B)


def test_hulls_that_share_a_vertex_are_decided_without_a_linear_programme(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> HullGap:
        raise AssertionError("HiGHS takes minutes on such points in hundreds of dimensions")

    monkeypatch.setattr(hulls, "_highs", refuse)
    for case in range(5):
        draw = rng(case, "shared vertex")
        A, B = draw.normal(size=(2, 64, 128))
        B[0] = A[0]
        gap = separate(A, B)
        assert gap.meets
        assert_proved(gap, A, B)
