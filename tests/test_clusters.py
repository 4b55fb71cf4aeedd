"""DirectProbe's clustering: the fast one is the loop of its definition, written out here."""

import numpy as np
import pytest
from scipy.stats import special_ortho_group

from tuneprobe.errors import UnknownNameError
from tuneprobe.rng import rng
from tuneprobe.studies.geometry.directprobe import clusters
from tuneprobe.studies.geometry.directprobe.clusters import ClusteringError, cluster
from tuneprobe.studies.geometry.directprobe.hulls import separate
from tuneprobe.studies.geometry.directprobe.linkage import centroid, centroid_distances

XOR = np.array([[0, 0], [1, 1], [0, 1], [1, 0]])
GRID = np.array([[x, y] for x in range(4) for y in range(4)])


def plain_loop(X: np.ndarray, y: np.ndarray, loop: str) -> np.ndarray:
    """The definition: no caches, no shortcuts, every overlap tested."""
    clusters = {row: [row] for row in range(len(X))}
    tried: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()
    attempts_left = None
    while attempts_left is None or attempts_left > 0:
        pair = closest_untried_pair(X, y, clusters, tried)
        if pair is None:
            break
        i, j = pair
        union = clusters[i] + clusters[j]
        if any(
            y[k] != y[i] and not separate(X[union], X[rows]).separable
            for k, rows in clusters.items()
        ):
            if attempts_left is None and loop == "paper":
                attempts_left = len(clusters)
            tried.add((tuple(clusters[i]), tuple(clusters[j])))
        else:
            clusters[i] = union
            del clusters[j]
        if attempts_left is not None:
            attempts_left -= 1
    ids = np.empty(len(X), dtype=int)
    for number, rows in enumerate(clusters[k] for k in sorted(clusters)):
        ids[rows] = number
    return ids


def closest_untried_pair(X, y, clusters, tried):
    names = sorted(clusters)
    centres = np.array([centroid(X[clusters[k]]) for k in names])
    distances = centroid_distances(centres, centres)
    candidates = [
        (distances[a, b], y[i], i, j)
        for a, i in enumerate(names)
        for b, j in enumerate(names)
        if i < j and y[i] == y[j] and (tuple(clusters[i]), tuple(clusters[j])) not in tried
    ]
    return min(candidates)[2:] if candidates else None


def labelled_points(case: int) -> tuple[np.ndarray, np.ndarray]:
    """Small labelled sets; every fourth on a grid, with equal distances and shared points."""
    r = rng(case, "labelled points")
    dim, n, n_labels = (int(r.integers(*ends)) for ends in ((1, 6), (8, 40), (2, 5)))
    y = np.r_[np.arange(n_labels), r.integers(0, n_labels, n - n_labels)]
    X = r.normal(size=(n, dim)) + case % 3 / 2 * r.normal(size=(n_labels, dim))[y]
    return (np.round(2 * X) / 2 if case % 4 == 0 else X).astype(np.float32), y


@pytest.mark.parametrize("loop", ["exhaustive", "paper"])
@pytest.mark.parametrize("start", range(0, 40, 10))
def test_the_fast_clustering_is_the_plain_loop(start, loop):
    for case in range(start, start + 10):
        X, y = labelled_points(case)
        assert np.array_equal(cluster(X, y, loop=loop).ids, plain_loop(X, y, loop)), case


def test_the_two_loops_differ_where_attempts_run_out():
    X, y = crowd()
    exhaustive, paper = (cluster(X, y, loop=loop) for loop in ("exhaustive", "paper"))
    assert len(paper.labels) > len(exhaustive.labels)
    assert exhaustive.is_linear is paper.is_linear is False


def crowd() -> tuple[np.ndarray, np.ndarray]:
    """150 points of three labels that overlap in 3 dimensions."""
    r = rng(5, "crowd")
    y = np.arange(150) % 3
    return (r.normal(size=(150, 3)) + y[:, None] / 2).astype(np.float32), y


def test_final_clusters_are_pure_disjoint_across_labels_and_maximal():
    X, y = crowd()
    found = cluster(X, y)
    members = found.members
    for rows, label in zip(members, found.labels, strict=True):
        assert set(y[rows]) == {label}

    def meets_a_foe(rows, label):
        return any(
            not separate(X[rows], X[foe]).separable
            for foe, other in zip(members, found.labels, strict=True)
            if other != label
        )

    for i, label in enumerate(found.labels):
        assert not meets_a_foe(members[i], label)
        for j in range(i):
            if found.labels[j] == label:
                assert meets_a_foe(np.r_[members[i], members[j]], label)


def test_xor_of_four_squares_needs_four_clusters():
    """The hull of two opposite squares takes in a corner of each of the others."""
    X = np.vstack([GRID + 5 * corner for corner in XOR])
    found = cluster(X, np.repeat([0, 0, 1, 1], len(GRID)))
    assert np.array_equal(found.ids, np.repeat([0, 1, 2, 3], len(GRID)))
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert not found.is_linear


def test_xor_of_four_points_needs_three_clusters():
    """One diagonal holds no point of the other; then the other one would cross it."""
    found = cluster(XOR, [0, 0, 1, 1])
    assert found.ids.tolist() == [0, 0, 1, 2]
    assert (found.attempts, found.rejections) == (2, 1)


def test_separable_labels_are_one_cluster_each():
    r = rng(0, "separable")
    y = np.arange(90) % 3
    X = r.normal(size=(90, 2)) + 20 * np.eye(3)[y][:, :2]
    found = cluster(X, y)
    assert found.is_linear
    assert np.array_equal(found.labels[found.ids], y)
    assert len(found.labels) == 3


def test_a_label_without_conflict_stays_whole_among_labels_in_conflict():
    X = np.vstack([XOR, XOR + 10])
    found = cluster(X, [0, 0, 1, 1, 2, 2, 2, 2])
    assert found.labels.tolist() == [0, 1, 1, 2]
    assert found.conflict.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]


def test_equal_points_of_two_labels_stay_alone_and_are_counted():
    X = [[0, 0], [0, 1], [0, 0], [5, 0], [5, 1]]
    found = cluster(X, [0, 0, 1, 1, 1])
    assert found.n_shared == 2
    assert not found.is_linear
    assert found.ids.tolist() == [0, 1, 2, 3, 3]
    everything_shared = cluster(np.zeros((6, 3)), [0, 1, 0, 1, 0, 1])
    assert len(everything_shared.labels) == 6
    assert everything_shared.n_shared == 6
    two = cluster([[1, 2], [1, 2]], [0, 1])
    assert len(two.labels) == 2
    assert not two.is_linear


def test_equal_points_of_one_label_are_one_cluster():
    found = cluster([[0, 0], [0, 0], [1, 0]], [0, 0, 1])
    assert found.ids.tolist() == [0, 0, 1]
    assert found.n_shared == 0


@pytest.mark.parametrize("loop", ["exhaustive", "paper"])
def test_rigid_motion_and_scale_change_no_cluster(loop):
    X, y = crowd()
    turn = special_ortho_group(3, seed=rng(0, "turn")).rvs()
    ids = cluster(X, y, loop=loop).ids
    assert np.array_equal(cluster(X @ turn + 3, y, loop=loop).ids, ids)
    assert np.array_equal(cluster(1000 * X, y, loop=loop).ids, ids)


def test_relabelling_renames_the_labels_of_the_same_clusters():
    X, y = crowd()
    names = np.array([7, 2, 40])
    found, renamed = cluster(X, y), cluster(X, names[y])
    assert np.array_equal(renamed.ids, found.ids)
    assert np.array_equal(renamed.labels, names[found.labels])


@pytest.mark.parametrize("dtype", [str, object])
def test_string_labels_give_the_clusters_of_their_numbers(dtype):
    X, y = crowd()
    names = np.array(["ADJ", "NOUN", "VERB"], dtype=dtype)
    found, named = cluster(X, y), cluster(X, names[y])
    assert np.array_equal(named.ids, found.ids)
    assert named.labels.tolist() == names[found.labels].tolist()


def test_labels_that_the_discriminant_separates_need_no_other_test(monkeypatch):
    """What grows with the square of the labels is one matrix product, not a test per pair."""
    tested = []
    monkeypatch.setattr(clusters, "separate", lambda A, B: tested.append(1) or separate(A, B))
    y = np.arange(600) % 60
    r = rng(0, "many labels")
    X = r.normal(size=(600, 20)) + 30 * r.normal(size=(60, 20))[y]
    assert cluster(X, y).is_linear
    assert not tested


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([[0, np.nan], [1, 1]], [0, 1], "first in row 0"),
        ([[0, 0], [np.inf, 1]], [0, 1], "first in row 1"),
        ([[0, 0], [1, 1]], [3, 3], "1 label in 2 examples"),
        ([[0, 0], [1, 1]], [0, 1, 1], r"\(2, 2\) and y has shape \(3,\)"),
        ([[0, 0], [1, 1]], [0.0, 1.0], "expected strings or integers"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(X, y, message):
    with pytest.raises(ClusteringError, match=message):
        cluster(X, y)


def test_an_unknown_loop_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'exhaustive'"):
        cluster(XOR, [0, 0, 1, 1], loop="exhaustiv")


def test_more_pairs_than_memory_holds_are_refused_where_labels_conflict(monkeypatch):
    X = rng(0, "many").normal(size=(60, 2))
    monkeypatch.setattr(clusters, "MOST_PAIRS", 2 * 30**2 - 1)
    with pytest.raises(ClusteringError, match=r"60 points of 2 labels .* 1,800 pairs .* at most"):
        cluster(X, np.arange(60) % 2)
    apart = X + 100 * (np.arange(60) % 2)[:, None]
    assert cluster(apart, np.arange(60) % 2).is_linear  # holds none
