"""Augmentations of images move them and change nothing else, each image with random numbers of its own."""

import pytest
import torch

from equipoise.augmentation import find
from equipoise.errors import ConfigError
from equipoise.penalties import ForwardPass
from equipoise.penalties.consistency import consistency

shift, shift_and_flip = find("shift")(), find("shift_and_flip")()


def images(count=64, side=16):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def stream(seed=1):
    return torch.Generator().manual_seed(seed)


def inner(batch, by):
    return batch[:, :, by:-by, by:-by]


def test_a_shifted_image_is_the_image_at_another_place():
    before = images()
    after = shift(before, stream())
    seen = set()
    for old, new in zip(before, after, strict=True):
        matches = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if torch.equal(inner(torch.roll(old, (down, right), (1, 2))[None], 2), inner(new[None], 2))
        ]
        assert len(matches) == 1
        seen.add(matches[0])
    assert len(seen) > 10  # 25 places, 64 images


def test_an_edge_is_repeated_where_nothing_is_known():
    column = torch.arange(8.0).expand(1, 1, 8, 8)
    after = shift(column.repeat(50, 1, 1, 1), stream())
    assert after.min() >= 0 and after.max() <= 7
    assert all((line.diff() >= 0).all() for line in after[:, 0, 0])


def test_half_of_the_images_are_mirrored_where_that_is_asked_for():
    ramp = torch.arange(16.0).expand(1, 1, 16, 16).repeat(400, 1, 1, 1)
    after = shift_and_flip(ramp, stream())
    falling = (after[:, 0, 0, 4] > after[:, 0, 0, 12]).float().mean()
    # 400 coins: five standard errors are 5 * 0.5 / 20 = 0.125.
    assert float(falling) == pytest.approx(0.5, abs=0.125)
    assert not (shift(ramp, stream())[:, 0, 0, 4] > shift(ramp, stream())[:, 0, 0, 12]).any()


def test_augmentations_come_from_their_stream_alone():
    state = torch.get_rng_state()
    assert torch.equal(shift_and_flip(images(), stream()), shift_and_flip(images(), stream()))
    assert not torch.equal(shift(images(), stream(1)), shift(images(), stream(2)))
    assert torch.equal(state, torch.get_rng_state())


def test_a_discriminator_that_ignores_the_place_pays_no_consistency_under_shifts():
    samples = torch.zeros(6, 1, 16, 16)
    samples[:, :, 5:11, 5:11] = images(6, 6)[:, :1]

    def ignores_place(batch):
        return batch.sum(dim=(1, 2, 3))

    forward = ForwardPass(ignores_place, samples, samples, randomness=stream())
    # Sums of 36 numbers of order 1 in another order: squared differences of 1e-6.
    assert float(consistency(augmentation=shift).per_sample(forward).max()) < 1e-9
    assert (
        float(consistency().per_sample(ForwardPass(ignores_place, samples, samples, randomness=stream())).min()) > 1e-9
    )


def test_an_unknown_augmentation_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'shift'"):
        find("shft", where="penalties.0.options.augmentation")
