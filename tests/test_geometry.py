"""Distances of clusters and labels against values one can see and loops written out."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import special_ortho_group

from tuneprobe.rng import rng
from tuneprobe.studies.geometry.directprobe.clusters import ClusteringError, cluster
from tuneprobe.studies.geometry.directprobe.distances import (
    measure,
    nearest_cluster,
    point_hull_bounds,
    within_cluster,
)
from tuneprobe.studies.geometry.directprobe.hulls import hull_distance

SQUARE = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
THREE_SQUARES = np.vstack([SQUARE, SQUARE + np.array([3, 0]), SQUARE + np.array([0, 6])])
THREE_LABELS = np.repeat([0, 1, 2], 4)


def clouds(seed: int = 0, apart: float = 9.0) -> tuple[np.ndarray, np.ndarray]:
    """200 points of four labels in 6 dimensions."""
    r = rng(seed, "clouds")
    y = np.arange(200) % 4
    return r.normal(size=(200, 6)) + apart * np.eye(6)[y], y


def test_three_squares_have_the_distances_you_can_see():
    found = measure(THREE_SQUARES, cluster(THREE_SQUARES, THREE_LABELS))
    corner_to_corner = np.hypot(2, 5)
    expected = [[np.nan, 2, 5], [2, np.nan, corner_to_corner], [5, corner_to_corner, np.nan]]
    assert np.allclose(found.label_distances, expected, equal_nan=True)
    assert np.allclose(found.outside_min, [2, 2, 5])
    assert np.allclose(found.inside_max, np.sqrt(2))
    assert np.allclose(found.inside_mean, (4 + 2 * np.sqrt(2)) / 6)
    assert np.nanmax(found.upper - found.lower) <= 1e-6 * 6


def test_several_clusters_of_a_label_count_by_their_mean():
    """XOR on a line: 0 and 3 against 1 and 7; 1 lies between, so all stay alone."""
    X, y = [[0], [3], [1], [7]], [0, 0, 1, 1]
    found = measure(X, cluster(X, y))
    assert found.label_distances[0, 1] == pytest.approx((1 + 7 + 2 + 4) / 4)
    assert np.isnan(found.inside_max).all()
    assert np.isnan(found.lower[0, 1])  # clusters of one label


def test_clusters_below_the_minimum_size_take_no_part():
    X = np.vstack([SQUARE, SQUARE + np.array([3, 0]), [[2.5, 0.5]]])
    y = np.repeat([0, 1, 2], [4, 4, 1])
    clustering = cluster(X, y)
    everything, large = (measure(X, clustering, min_cluster_size=n) for n in (1, 2))
    assert np.allclose(everything.outside_min, [1.5, 0.5, 0.5])
    assert np.allclose(large.outside_min, [2, 2, np.nan], equal_nan=True)


def test_equal_points_of_two_labels_are_at_distance_zero():
    X = [[0, 0], [0, 1], [0, 0], [5, 0]]
    found = measure(X, cluster(X, [0, 0, 1, 1]))
    assert found.upper[0, 2] == 0
    assert found.lower[0, 2] == 0


def test_rigid_motion_keeps_all_distances_and_scaling_scales_them():
    X, y = clouds()
    turn = special_ortho_group(6, seed=rng(0, "turn")).rvs()
    names = ("label_distances", "outside_min", "inside_max", "inside_mean")
    found = measure(X, cluster(X, y))
    for Z, scale in ((X @ turn + 5, 1), (50 * X, 50)):
        moved = measure(Z, cluster(Z, y))
        for name in names:
            expected = scale * getattr(found, name)
            assert np.allclose(getattr(moved, name), expected, rtol=1e-4, equal_nan=True)


def test_relabelling_permutes_rows_and_columns():
    X, y = clouds()
    new = np.array([2, 0, 3, 1])
    found, renamed = measure(X, cluster(X, y)), measure(X, cluster(X, new[y]))
    assert np.allclose(renamed.outside_min[new], found.outside_min, rtol=1e-5)
    permuted = renamed.label_distances[np.ix_(new, new)]
    assert np.allclose(permuted, found.label_distances, rtol=1e-5, equal_nan=True)


@pytest.mark.parametrize("n", [2, 5, 1500])
def test_inside_distances_are_those_of_all_pairs(n):
    points = 100 + rng(n, "inside").normal(size=(n, 3))
    assert within_cluster(points) == pytest.approx((pdist(points).max(), pdist(points).mean()))


def test_bounds_hold_the_distance_of_a_point_to_a_hull():
    r = rng(0, "bounds")
    hull, points = r.normal(size=(40, 5)), 3 * r.normal(size=(60, 5))
    lower, upper = point_hull_bounds(points, hull)
    exact = [hull_distance(point[None], hull) for point in points]
    assert (lower <= [gap.upper + 1e-9 for gap in exact]).all()
    assert (upper >= [gap.lower - 1e-9 for gap in exact]).all()
    assert np.median((upper - lower) / upper) < 0.1


def test_the_nearest_cluster_is_that_of_exact_distances_to_all():
    X, y = clouds(apart=3.0)
    clustering = cluster(X, y)
    points = rng(1, "points").normal(size=(50, 6)) + 1
    hulls = [X[rows].astype(np.float32) for rows in clustering.members]
    exact = [
        np.argmin([hull_distance(point[None], hull).distance for hull in hulls])
        for point in points.astype(np.float32)
    ]
    assert nearest_cluster(points, X, clustering).tolist() == exact


def test_a_clustered_point_is_predicted_as_itself():
    X, y = clouds()
    clustering = cluster(X, y)
    assert np.array_equal(nearest_cluster(X, X, clustering), clustering.ids)


def test_points_of_another_dimension_are_refused():
    X, y = clouds()
    with pytest.raises(ClusteringError, match=r"expected \(n, 6\)"):
        nearest_cluster(np.zeros((3, 5)), X, cluster(X, y))


def test_points_other_than_the_clustered_ones_are_refused():
    X, y = clouds()
    with pytest.raises(ClusteringError, match=r"\(199, 6\) and y has shape \(200,\)"):
        measure(X[1:], cluster(X, y))
