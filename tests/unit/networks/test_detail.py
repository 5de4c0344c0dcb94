"""Detail curves: differences of neighbours get the sizes of real ones, and what is no difference stays."""

import numpy as np
import pytest
import torch
from torch.nn.functional import pad

from equipoise.networks import find
from equipoise.networks.detail import DISTANCES, KNOTS, MOST_CHANGE, DetailCurves, detail_curves
from equipoise.networks.heads import SampleHead, curves_of
from equipoise.spaces import ImageSpace, PointSpace

SPACE = ImageSpace(3, 12, 10)


def fitted(generated, real, space=SPACE):
    curves = DetailCurves(space)
    curves.take_directions([real])
    curves.fit([generated], [curves.counts([real], level) for level in range(len(DISTANCES))])
    return curves


def even_images(count=400, space=SPACE, seed=0):
    """Each of one colour."""
    colours = torch.rand(count, space.channels, 1, 1, generator=torch.Generator().manual_seed(seed)) * 1.2 - 0.6
    return colours.expand(-1, -1, space.height, space.width).clone()


def test_curves_change_nothing_before_they_are_fitted_to_the_last_bit():
    images = torch.rand(5, *SPACE.shape) * 3 - 1.5
    assert torch.equal(DetailCurves(SPACE)(images), images)


@pytest.mark.parametrize("level", range(len(DISTANCES)))
def test_without_any_difference_a_pixel_is_the_mean_of_the_means_of_its_four_squares(level):
    curves = DetailCurves(SPACE)
    curves.directions.copy_(torch.linalg.qr(torch.randn(3, 3))[0])
    curves.curves[level] = 0.0
    images, distance = torch.rand(4, *SPACE.shape) * 2 - 1, DISTANCES[level]
    filled = pad(images, (distance,) * 4, mode="reflect")
    means = torch.nn.functional.avg_pool2d(filled, 1, stride=1)
    rows = (means[..., :-distance, :] + means[..., distance:, :]) / 2
    squares = (rows[..., :-distance] + rows[..., distance:]) / 2
    rows = (squares[..., :-distance, :] + squares[..., distance:, :]) / 2
    wanted = (rows[..., :-distance] + rows[..., distance:]) / 2
    assert torch.allclose(curves(images), wanted, atol=1e-6)


def test_a_woven_grid_goes_from_even_areas_and_their_colours_stay():
    real, generator = even_images(), torch.Generator().manual_seed(1)
    weave = torch.randn(len(real), 3, 2, 2, generator=generator).repeat(1, 1, 6, 5) * 0.05
    weave -= weave.mean(dim=(2, 3), keepdim=True)
    made = fitted(real + weave, real)(real + weave)
    # Real differences are all 0, and counted as between 0 and the next knot, which is closer than 1e-3.
    assert (made - real).abs().max() < 0.002 < 0.1 < weave.abs().max()


def test_edges_stay_where_real_pictures_have_as_many():
    real = even_images(seed=2)
    place = torch.randint(1, 9, (len(real),), generator=torch.Generator().manual_seed(3))
    real[(torch.arange(10) < place[:, None])[:, None, None, :].expand_as(real)] = 0.8
    noisy = real + 0.01 * torch.randn(real.shape, generator=torch.Generator().manual_seed(4))
    made = fitted(noisy, real)(noisy)
    # Noise within even areas goes almost wholly; at an edge ranks are mixed up by noise, but edges stay.
    change = (made - real).abs()
    assert change.mean() < 0.4 * (noisy - real).abs().mean()
    assert (made[..., 0] - made[..., 9]).abs().mean() == pytest.approx(
        (real[..., 0] - real[..., 9]).abs().mean().item(), rel=0.02
    )


def test_squares_that_begin_elsewhere_have_curves_of_their_own():
    real = even_images(count=200)
    grid = torch.zeros(12, 10)
    grid[1::2, 1::2] = 0.1  # one pixel of each painted square
    curves = fitted(real + grid, real)
    assert curves.curves.shape == (len(DISTANCES), 4 * 3 * 3, KNOTS)
    first, *_, last = curves.curves[DISTANCES.index(1)].unflatten(0, (4, 3, 3))
    # Along rows, such a pixel is on the right of squares of one kind and on the left of those of the other.
    assert (first[0] - last[0]).abs().max() > 0.01


def test_a_law_twice_as_wide_becomes_the_real_one():
    rng = np.random.default_rng(0)
    even = np.linspace(-1, 1, KNOTS)
    knots = 4 * even * np.abs(even)
    generated, real = (np.histogram(scale * rng.laplace(size=400_000), knots)[0] for scale in (0.2, 0.1))
    curve = detail_curves(generated, real, knots, most_change=9)
    inner = np.abs(knots) < 0.8  # four scales: a share of e^-4 lies beyond
    # t(y) = G^-1(F(y)) = y / 2. A rank of 400,000 draws is known to 1 / sqrt(400,000) of its tail, and the law is
    # taken as even between two knots.
    assert np.abs(curve[inner] - knots[inner] / 2).max() < 0.01


@pytest.mark.parametrize("seed", range(4))
def test_curves_do_not_decrease_and_equal_sides_change_nothing(seed):
    rng = np.random.default_rng(seed)
    knots = np.sort(rng.normal(size=40))
    generated, real = (rng.integers(0, 50, (3, 2, 39)) * (rng.random((3, 2, 39)) < 0.4) + 0 for _ in range(2))
    generated[..., 20] += 1
    real[..., 20] += 1
    for most in (0.3, 9.0):
        assert (np.diff(detail_curves(generated, real, knots, most_change=most), axis=-1) >= 0).all()
    assert np.allclose(detail_curves(real, real, knots), np.broadcast_to(knots, (3, 2, 40)), atol=1e-7)
    assert np.allclose(detail_curves(7 * real, real, knots), np.broadcast_to(knots, (3, 2, 40)), atol=1e-7)


def test_no_difference_moves_by_more_than_the_limit_and_a_knot_goes_to_the_real_one_of_its_rank():
    knots = np.linspace(-4, 4, 9)
    wide, narrow = (np.bincount([place], minlength=8) for place in (7, 0))
    moved = detail_curves(wide, narrow, knots)
    assert np.abs(moved - knots).max() == MOST_CHANGE
    # Real differences lie from -3 to -2 and from 2 to 3, a half each. Of generated ones, from -2 to 1, a third lies
    # between each two knots.
    real, generated = np.array([0, 1, 0, 0, 0, 0, 1, 0]), np.array([0, 0, 1, 1, 1, 0, 0, 0])
    curve = detail_curves(generated, real, knots, most_change=9)
    # -2 has nothing below it: the least real one, -3. -1 has a third: two thirds of the way from -3 to -2. 0 has two
    # thirds: a third of the way from 2 to 3. 1 has all: 3. Beyond, all move as far as -2 and 1 do.
    assert curve.tolist() == pytest.approx([-5, -4, -3, -3 + 2 / 3, 2 + 1 / 3, 3, 4, 5, 6], abs=1e-6)


def test_a_number_of_which_the_gap_has_the_share_goes_to_the_nearer_end_of_the_gap():
    knots = np.linspace(-4, 4, 9)
    real, generated = np.array([0, 1, 0, 0, 0, 0, 1, 0]), np.array([0, 1, 0, 0, 0, 0, 0, 1])
    curve = detail_curves(generated, real, knots, most_change=9)
    # Between -2 and 3 lies nothing that was generated, and between -2 and 2 nothing real: numbers there stay, and 3,
    # which has a half below it, goes to the end of the gap. 4 has all below it: 3.
    assert curve.tolist() == pytest.approx([-4, -3, -2, -1, 0, 1, 2, 2, 3], abs=1e-6)


def test_missing_and_infinite_numbers_are_counted_and_break_nothing():
    images = torch.zeros(1, *SPACE.shape)
    images[0, 0, 3, 3], images[0, 1, 5, 5] = float("nan"), float("inf")
    curves = DetailCurves(SPACE)
    assert curves.counts([images], 1).sum() == 3 * 3 * 13 * 11
    assert torch.isnan(curves(images)[0, 0, 3, 3])


def test_the_gradient_is_finite_and_that_of_the_curves():
    curves = fitted(torch.randn(50, *SPACE.shape) * 0.3, even_images(50))
    images = torch.zeros(2, *SPACE.shape, requires_grad=True)
    curves(images).sum().backward()
    assert torch.isfinite(images.grad).all()
    # Differences of inner pixels cancel in the sum: it is that of the images.
    assert torch.allclose(images.grad[:, :, 4:-4, 4:-4], torch.ones(2, 3, 4, 2), atol=1e-5)


@pytest.mark.parametrize("family", ["strided", "convolutional", "residual"])
def test_the_game_is_played_without_curves_and_samples_are_drawn_with_them(family):
    options = {"residual": {"width": 16, "depth": 1}}.get(family, {"channels": 2, "widest": 4, "patch": 2})
    generator = find(family).generator(ImageSpace(3, 8, 8), latents=3, detail=True, **options)
    latents = torch.randn(2, 3)
    with torch.no_grad():
        playing = generator(latents)
        assert torch.allclose(generator.eval()(latents), playing, atol=1e-6)
        for curves in curves_of(generator):
            if isinstance(curves, DetailCurves):
                curves.curves.zero_()
        smooth = generator(latents)
    assert smooth.diff(dim=3).abs().mean() < 0.7 * playing.diff(dim=3).abs().mean()
    assert torch.equal(generator.train()(latents), playing)


def test_weights_from_before_there_were_curves_are_loaded_with_curves_that_change_nothing():
    old, new = (
        find("strided").generator(SPACE, channels=2, widest=4, latents=3, detail=detail) for detail in (False, True)
    )
    new.load_state_dict(old.state_dict())
    latents = torch.randn(2, 3)
    assert torch.allclose(new.eval()(latents), old.eval()(latents), atol=1e-6)
    assert curves_of(old) == []


def test_images_without_squares_are_refused_with_their_size():
    with pytest.raises(ValueError, match="2 x 9 pixels; expected at least 3 a side"):
        DetailCurves(ImageSpace(1, 9, 2))


def test_points_have_no_detail():
    with pytest.raises(ValueError, match="detail curves are for images, and these samples are points"):
        SampleHead(PointSpace(2), detail=True)
