"""Tone curves: the distribution of the data, place by place, by a map that is increasing and moves nothing far."""

import numpy as np
import pytest
import torch

from equipoise.errors import ConfigError
from equipoise.experiment.build.networks import build_networks
from equipoise.experiment.config.presets import preset
from equipoise.experiment.config.schema import RunConfig
from equipoise.networks import find
from equipoise.networks.heads import SampleHead, curves_of
from equipoise.networks.tone import MOST_CHANGE, MOST_PLACES, ToneCurves, tone_curves
from equipoise.spaces import ImageSpace, PointSpace

SPACE = ImageSpace(1, 2, 2)
BYTES = torch.arange(256)


def images_of(values):
    """Bytes `(n, 1, 2, 2)` as the players see them."""
    return torch.as_tensor(values, dtype=torch.float32) / 127.5 - 1


def fitted(generated, real, space=SPACE):
    tone = ToneCurves(space)
    tone.fit(tone.counts(images_of(generated)), tone.counts(images_of(real)))
    return tone


def counts(*values):
    return np.bincount(np.array(values), minlength=256)


def test_curves_change_nothing_before_they_are_fitted():
    images = torch.rand(5, 1, 2, 2) * 3 - 1.5
    assert torch.allclose(ToneCurves(SPACE)(images), images, atol=1e-6)


def test_faint_noise_on_black_becomes_exactly_black_and_the_rest_stays():
    rng = np.random.default_rng(0)
    real = np.where(rng.random((4000, 1, 2, 2)) < 0.8, 0, rng.integers(60, 256, (4000, 1, 2, 2)))
    noisy = np.where(real == 0, rng.integers(0, 12, real.shape), real)
    made = fitted(noisy, real)(images_of(noisy))
    black = (made == -1).float().mean().item()
    # A byte on the border of the two goes where the middle of its ranks lies: at most 1/12 of the noise is cut off.
    assert black == pytest.approx((real == 0).mean(), abs=0.02)
    bright = torch.from_numpy(noisy >= 60)
    # The ranks are those of the real values themselves: a byte moves by no more than one of the 196.
    assert torch.allclose(made[bright], images_of(noisy)[bright], atol=1.01 / 127.5)


def test_a_pixel_that_is_black_in_all_pictures_has_its_own_curve():
    rng = np.random.default_rng(1)
    real = rng.integers(0, 256, (2000, 1, 2, 2))
    real[:, 0, 0, 0] = 0
    generated = real.copy()
    generated[:, 0, 0, 0] = rng.integers(0, 20, 2000)
    made = fitted(generated, real)(images_of(generated))
    assert (made[:, 0, 0, 0] == -1).all()
    assert torch.allclose(made[:, 0, 1, 1], images_of(generated)[:, 0, 1, 1], atol=1e-6)


def test_each_channel_has_its_own_curve_where_there_are_too_many_pixels():
    side = int((MOST_PLACES / 3) ** 0.5) + 1
    space = ImageSpace(3, side, side)
    tone = ToneCurves(space)
    assert tone.curves.shape == (3, 1, 1, 256)
    real = torch.zeros(2, 3, side, side)
    generated = real.clone()
    generated[:, 1] += 20 / 127.5
    tone.fit(tone.counts(generated), tone.counts(real))
    # 0 is no byte: it lies between 127 and 128, and is counted as 128.
    assert torch.allclose(tone(generated), torch.full_like(real, 1 / 255), atol=1e-6)
    assert ToneCurves(ImageSpace(4, 32, 32)).curves.shape == (4, 32, 32, 256)


def test_no_value_moves_by_more_than_the_limit():
    curve = tone_curves(counts(10, 200), counts(250, 251))
    assert np.abs(curve.astype(int) - np.arange(256)).max() == MOST_CHANGE
    assert tone_curves(counts(10, 200), counts(250, 251), most_change=255)[[10, 200]].tolist() == [250, 251]


@pytest.mark.parametrize("seed", range(4))
def test_curves_do_not_decrease_and_equal_sides_leave_every_byte_that_occurs(seed):
    rng = np.random.default_rng(seed)
    generated, real = (rng.integers(0, 50, (3, 2, 256)) * (rng.random((3, 2, 256)) < 0.4) for _ in range(2))
    curves = tone_curves(generated, real)
    assert (np.diff(curves.astype(int), axis=-1) >= 0).all()
    own = tone_curves(real, real)
    assert (own == np.arange(256))[real > 0].all()


def test_a_curve_is_found_at_every_place_as_if_it_were_alone():
    rng = np.random.default_rng(0)
    generated, real = (rng.integers(0, 3, (40, 100, 256)) + (np.arange(256) == 7) for _ in range(2))
    all_at_once = tone_curves(generated, real)
    for place in ((0, 0), (17, 3), (39, 99)):
        assert np.array_equal(all_at_once[place], tone_curves(generated[place], real[place]))


def test_values_between_two_bytes_lie_between_what_these_become_and_the_gradient_is_the_slope():
    tone = ToneCurves(SPACE)
    curve = BYTES.clone()
    curve[100], curve[101] = 90, 110
    tone.curves.copy_(curve.to(torch.uint8))
    image = torch.full((1, 1, 2, 2), 100.25 / 127.5 - 1, requires_grad=True)
    made = tone(image)
    # Float32 keeps 100.25 to 1e-5, times the slope of 20.
    assert torch.allclose((made + 1) * 127.5, torch.tensor(95.0), atol=5e-4)
    made.sum().backward()
    assert torch.allclose(image.grad, torch.tensor(20.0), atol=1e-3)


def test_infinite_and_missing_numbers_are_counted_and_break_nothing():
    image = torch.tensor([[[[float("nan"), float("inf")], [-float("inf"), 5.0]]]])
    found = ToneCurves(SPACE).counts(image)
    assert found.sum() == 4
    assert found[0, 0, 1, 255] == found[0, 1, 0, 0] == found[0, 1, 1, 255] == 1
    assert torch.isnan(ToneCurves(SPACE)(image)).flatten().tolist() == [True, False, False, False]


@pytest.mark.parametrize("family", ["strided", "convolutional", "residual", "mlp"])
def test_the_game_is_played_without_curves_and_samples_are_drawn_with_them(family):
    space = ImageSpace(1, 8, 8)
    options = {"mlp": {"width": 4}, "residual": {"width": 16, "depth": 1}}.get(family, {"channels": 2, "widest": 4})
    generator = find(family).generator(space, latents=3, tone=True, **options)
    curves_of(generator)[0].curves.fill_(255)
    with torch.no_grad():
        generator.output.weight.mul_(0.01)  # well within [-1, 1]
    latents = torch.randn(2, 3)
    assert generator(latents).max() < 0.9
    assert torch.allclose(generator.eval()(latents), torch.ones(2, 1, 8, 8), atol=1e-6)


def test_weights_from_before_there_were_curves_are_loaded_with_curves_that_change_nothing():
    space = ImageSpace(1, 8, 8)
    old, new = (find("strided").generator(space, channels=2, widest=4, latents=3, tone=tone) for tone in (False, True))
    new.load_state_dict(old.state_dict())
    latents = 0.1 * torch.randn(2, 3)
    assert torch.allclose(new.eval()(latents), old.eval()(latents), atol=1e-6)
    assert curves_of(old) == []


def test_points_have_no_tone():
    with pytest.raises(ValueError, match="tone curves are for images"):
        SampleHead(PointSpace(2), tone=True)
    content = preset("points", source="x.npy", space=PointSpace(2), rows=9, classes=0, device="cpu", threads=1)
    content["networks"] = {"family": "mlp", "latents": 2, "generator": {"tone": True}, "discriminator": {}}
    with pytest.raises(ConfigError, match=r"networks.generator: no network.*tone curves are for images"):
        build_networks(RunConfig.model_validate(content), PointSpace(2), 0)


def test_noise_over_black_becomes_black_again_and_the_order_of_values_is_never_turned():
    stream = np.random.default_rng(0)
    real = np.where(stream.random(40_000) < 0.8, 0, stream.integers(1, 256, size=40_000))
    made = np.clip(stream.normal(8, 6, size=40_000) + 0.9 * real, 0, 255).astype(int)
    curve = tone_curves(*(np.bincount(side, minlength=256) for side in (made, real)))
    assert (np.diff(curve.astype(int)) >= 0).all()
    assert abs((curve[made] == 0).mean() - (real == 0).mean()) < 0.03 < abs((made == 0).mean() - (real == 0).mean())
