"""Instance noise: its size, its decay, its randomness, and that a gradient passes."""

import math

import pytest
import torch

from equipoise.augmentation.instance_noise import add_noise, instance_noise
from equipoise.errors import ConfigError


def test_noise_has_the_stated_standard_deviation_and_no_mean():
    samples = torch.zeros(4, 100, 100, dtype=torch.float64)
    noisy = add_noise(samples, 0.3, torch.Generator().manual_seed(0))
    # 40,000 draws: the mean to 0.3/200, the deviation to 0.3/sqrt(80,000); four of each.
    assert abs(float(noisy.mean())) < 4 * 0.3 / 200
    assert float(noisy.std()) == pytest.approx(0.3, abs=4 * 0.3 / math.sqrt(80_000))


def test_the_stream_decides_the_noise_and_a_gradient_passes_unchanged():
    samples = torch.ones(3, 2, requires_grad=True)
    first, second = (add_noise(samples, 0.5, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(first, second)
    first.sum().backward()
    assert torch.equal(samples.grad, torch.ones(3, 2))


def test_level_zero_changes_nothing_and_still_draws():
    stream = torch.Generator().manual_seed(1)
    samples = torch.randn(5, 2)
    assert torch.equal(add_noise(samples, 0.0, stream), samples)
    assert not torch.equal(stream.get_state(), torch.Generator().manual_seed(1).get_state())


def test_noise_falls_linearly_to_its_final_level_over_its_part_of_the_run():
    noise = instance_noise(0.4, final=0.1, decay_fraction=0.5)
    assert [noise.strength(step, 101) for step in (0, 25, 50, 100)] == pytest.approx([0.4, 0.25, 0.1, 0.1])
    assert instance_noise(0.4).strength(0, 1) == pytest.approx(0.4)


@pytest.mark.parametrize(
    "options", [{"level": -1.0}, {"level": math.nan}, {"final": math.inf}, {"decay_fraction": 0.0}]
)
def test_noise_that_is_none_is_refused(options):
    with pytest.raises(ConfigError, match="instance noise"):
        instance_noise(**options)
