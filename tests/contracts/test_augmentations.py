"""What every augmentation must satisfy; runs on all that are found, so a new file needs no new test."""

from __future__ import annotations

import pytest
import torch

from equipoise import augmentation
from equipoise.augmentation import Augmentation, StepAugmentation


@pytest.fixture(params=augmentation.available())
def part(request: pytest.FixtureRequest) -> Augmentation:
    return augmentation.find(request.param)()


def images(size: int = 6) -> torch.Tensor:
    return torch.randn(size, 2, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def stream(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_an_augmentation_is_called_what_it_is_found_by_and_states_its_source():
    for name in augmentation.available():
        part = augmentation.find(name)()
        assert part.name == name
        assert "arXiv:" in part.source or "doi:" in part.source


@pytest.mark.parametrize("size", [1, 6])
def test_it_keeps_shape_and_precision(part, size):
    result = part(images(size), stream())
    assert result.shape == images(size).shape and result.dtype == torch.float64
    assert torch.isfinite(result).all()


def test_it_draws_from_the_given_stream_only(part):
    state = torch.get_rng_state()
    one, again, other = (part(images(), stream(seed)) for seed in (1, 1, 2))
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_it_draws_the_same_number_whatever_the_strength(part):
    states = []
    for strength in (0.0, 1.0):
        randomness = stream()
        part.apply(images(), strength, randomness)
        states.append(randomness.get_state())
    assert torch.equal(*states)


def test_its_gradient_in_the_samples_is_that_of_finite_differences(part):
    samples = images(2).requires_grad_(True)
    direction = torch.randn(samples.shape, generator=stream(3), dtype=torch.float64)

    def value(at: torch.Tensor) -> torch.Tensor:
        return part(at, stream()).sin().sum()

    (gradient,) = torch.autograd.grad(value(samples), samples)
    ahead, behind = (float(value(samples.detach() + sign * 1e-5 * direction)) for sign in (1, -1))
    # Central difference: an error of order 1e-10, and rounding of 1e-14 / 1e-5.
    assert float((gradient * direction).sum()) == pytest.approx((ahead - behind) / 2e-5, rel=1e-6, abs=1e-7)


def test_a_sample_gets_what_it_would_get_among_others(part):
    others = images()
    others[1:] = 0
    assert torch.equal(part(images(), stream())[0], part(others, stream())[0])


def test_both_sides_and_each_step_have_draws_of_their_own_that_depend_on_nothing_else(part):
    def at(step: int) -> list[torch.Tensor]:
        augment = StepAugmentation(part, seed=7, step=step, total=10)
        return [augment(images(), side) for side in ("real", "generated", "real")]

    first, again, later = at(3), at(3), at(4)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, later, strict=True))
    assert not torch.equal(first[0], first[1]) and not torch.equal(first[0], first[2])
