"""The playground's data: what is drawn has the density that is said, and what cannot be used is refused in words."""

from __future__ import annotations

import numpy as np
import pytest

from equipoise.data.builtin import draw_swiss_roll
from equipoise.errors import ConfigError, DataError
from equipoise.playground.plane_data import BUILT_IN, csv_data, drawn_data, find_data, rows_data


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_draws_have_the_moments_of_the_quadrature(name):
    data = find_data(name)
    points, weights = data.quadrature()
    drawn, _ = data.draw(4000, np.random.default_rng(0))
    assert weights.sum() == pytest.approx(1)
    mean = weights @ points
    spread = np.sqrt(weights @ (points - mean) ** 2)
    assert np.all(np.abs(drawn.mean(axis=0) - mean) < 4.5 * spread / np.sqrt(4000))
    assert drawn.std(axis=0) == pytest.approx(spread, rel=0.06)


def test_the_spiral_is_that_of_the_built_in_data():
    drawn = draw_swiss_roll(3000, rng=np.random.default_rng(0))
    # The mean log-density of its own draws is the negative entropy: draws of both agree to a few standard errors.
    density = find_data("swiss-roll").density
    ours = density.sample(3000, np.random.default_rng(1))
    difference = density.log_density(drawn).mean() - density.log_density(ours).mean()
    assert abs(difference) < 0.1


def test_balanced_draws_come_alike_from_each_mode_and_their_weights_undo_it():
    data = find_data("unequal")
    drawn, weights = data.draw(4000, np.random.default_rng(0), balanced=True)
    is_rare = drawn[:, 0] > 0
    assert is_rare.mean() == pytest.approx(0.5, abs=0.04)  # five standard errors
    assert weights.mean() == pytest.approx(1, abs=0.06)
    assert (weights * is_rare).mean() == pytest.approx(0.1, abs=0.01)
    assert data.sampled_density(balanced=True).weights == pytest.approx([0.5, 0.5])


def test_points_drawn_by_hand_are_gaussians_as_wide_as_the_brush():
    data = drawn_data([[0, 1], [9, -1]], 0.2)
    assert data.density.standard_deviation == 0.2
    assert data.density.means.tolist() == [[0, 1], [3, -1]]  # at the edge of the window
    assert len(drawn_data(np.zeros((3000, 2)).tolist(), 0.1).density.means) == 600


@pytest.mark.parametrize("points", [[], [[1, 2, 3]], [["a", "b"]], [[float("nan"), 0]], None, 7])
def test_drawn_points_that_are_none_are_refused(points):
    with pytest.raises(DataError, match="Draw with the mouse"):
        drawn_data(points, 0.1)


def test_a_csv_is_centred_and_scaled_alike_on_both_axes_and_some_rows_are_kept_for_the_referee():
    rng = np.random.default_rng(0)
    rows = rng.normal([5, 100], [2, 20], size=(400, 2))
    text = "height,weight\n" + "\n".join(f"{a:.6f},{b:.6f}" for a, b in rows)
    data = csv_data(text.encode(), "people.csv")
    everything = np.concatenate([data.rows, data.held_out])
    assert everything.shape == (400, 2) and len(data.held_out) == 100
    assert everything.mean(axis=0) == pytest.approx([0, 0], abs=1e-9)
    ratio = everything.std(axis=0)
    assert ratio[1] / ratio[0] == pytest.approx(rows[:, 1].std() / rows[:, 0].std(), rel=1e-5)
    points, weights = data.quadrature()
    assert len(points) == 300 and weights.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b,c\n1,2,3\n4,5,6\n7,8,9\n", "exactly two columns"),
        ("name,b\nx,2\ny,3\nz,4\n", "exactly two columns"),
        ("a,b\n1,2\n,3\n5,6\n", "gap"),
        ("a,b\n1,1\n1,1\n1,1\n", "two different points"),
        ("", "people.csv"),
    ],
)
def test_a_csv_that_is_not_two_columns_of_numbers_is_refused_by_its_name(text, words):
    with pytest.raises(DataError) as refused:
        csv_data(text.encode(), "/somewhere/people.csv")
    assert words in str(refused.value)
    assert "people.csv" in str(refused.value) and "/tmp" not in str(refused.value)


def test_numbers_beyond_all_measure_are_refused():
    with pytest.raises(DataError):
        rows_data(np.array([[1e308, 0], [-1e308, 0], [0, 0]]), "huge")


def test_a_data_set_that_is_none_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match="ring8"):
        find_data("ring9")
