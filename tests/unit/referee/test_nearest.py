"""Distances to nearest samples are exact, whichever way they are found."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from equipoise.referee import nearest
from equipoise.referee.nearest import Nearest


def _sets(name: str, axes: int, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    at, points = stream.standard_normal((150, axes)), stream.standard_normal((2_000, axes))
    if name == "copies":
        points = np.concatenate([points[:40]] * 30)
        at[:50] = points[:50]
    elif name == "levels":
        at, points = (at > 1).astype(float), (points > 1).astype(float)
    elif name == "an outlier":
        points[3] = 1e7
    elif name == "far off":
        at, points = at + 1e9, points + 1e9
    elif name == "crowds":
        points[1_000:] = points[0] + 1e-6 * points[1_000:]
        at[:75] = points[0] + 1e-6 * at[:75]
    elif name == "tiny":
        at, points = 1e-20 * at, 1e-20 * points
    elif name == "huge":
        at, points = 1e25 * at, 1e25 * points
    return at, points


@pytest.mark.parametrize("name", ["normal", "copies", "levels", "an outlier", "far off", "crowds", "tiny", "huge"])
@pytest.mark.parametrize("axes", [2, 7, 12, 29])
def test_distances_are_those_of_a_tree_to_the_last_bit(name, axes):
    at, points = _sets(name, axes, np.random.default_rng(axes))
    for k in (1, 2, 21):
        expected = cKDTree(points).query(at, k=k)[0].reshape(len(at), k)
        np.testing.assert_array_equal(Nearest(points).distances(at, k), expected)


def test_a_product_finds_them_by_itself_where_there_are_many_axes(monkeypatch):
    at, points = _sets("normal", 12, np.random.default_rng(0))
    monkeypatch.setattr(Nearest, "_tree", lambda self: pytest.fail("a tree was asked"))
    squares = np.square(at[:, None] - points).sum(axis=2)
    np.testing.assert_allclose(Nearest(points).distances(at, 5), np.sqrt(np.sort(squares, axis=1)[:, :5]), rtol=1e-12)


@pytest.mark.parametrize("axes", [3, 12])
def test_fewer_samples_than_asked_for_leave_infinite_distances(axes):
    at, points = _sets("normal", axes, np.random.default_rng(1))
    found = Nearest(points[:3]).distances(at, 5)
    assert np.isfinite(found[:, :3]).all()
    assert np.isinf(found[:, 3:]).all()
    assert np.isinf(Nearest(points[:0]).distances(at, 2)).all()


def test_equal_rows_get_equal_distances_however_many_are_asked_for_at_once(monkeypatch):
    at, points = _sets("crowds", 12, np.random.default_rng(2))
    together = Nearest(points).distances(at, 8)
    np.testing.assert_array_equal(
        Nearest(points).distances(np.repeat(at, 3, axis=0), 8), np.repeat(together, 3, axis=0)
    )
    monkeypatch.setattr(nearest, "_BLOCK", 7 * len(points))
    np.testing.assert_array_equal(Nearest(points).distances(at, 8), together)
