"""What every objective must satisfy; runs on all that are found, so a new file needs no new test."""

from __future__ import annotations

import math

import pytest
import torch

from equipoise import objectives
from equipoise.errors import ConfigError
from equipoise.objectives.base import Objective

# A gradient below this is none: margins of order 1 make every term's derivative larger.
NOTHING = 1e-12


@pytest.fixture(params=objectives.available())
def objective(request: pytest.FixtureRequest) -> Objective:
    return objectives.find(request.param)()


def logits(seed: int, *, count: int = 32) -> torch.Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def derivatives(of, real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    sides = [side.clone().requires_grad_(True) for side in (real, fake)]
    found = torch.autograd.grad(of(*sides), sides, allow_unused=True)
    return tuple(
        torch.zeros_like(side) if derivative is None else derivative
        for side, derivative in zip(sides, found, strict=True)
    )


def test_an_objective_is_called_what_it_is_found_by():
    for name in objectives.available():
        assert objectives.find(name)().name == name


def test_an_objective_states_its_source_its_divergence_and_its_range(objective):
    assert "arXiv:" in objective.source or "doi:" in objective.source
    assert objective.divergence
    assert objective.finite_range > 30
    assert math.isfinite(objective.equilibrium_value)


def test_the_discriminator_minimises_minus_the_value(objective):
    real, fake = logits(1), logits(2)
    assert torch.equal(objective.discriminator_loss(real, fake), -objective.value(real, fake))


def test_a_blind_best_discriminator_reaches_the_value_at_equilibrium(objective):
    # At p = q the best logit is the same everywhere, for the games without a closed form as well.
    one = torch.zeros(5, dtype=torch.float64)
    best = one if objective.best_logits is None else objective.best_logits(one)
    assert float(objective.value(best, best)) == pytest.approx(objective.equilibrium_value, abs=1e-12)


def test_no_logit_beats_the_best_one_at_any_density_ratio(objective):
    if objective.best_logits is None or objective.form != "separable":
        pytest.skip("no pointwise optimum is stated")
    log_ratios = torch.linspace(-4, 4, 33, dtype=torch.float64)
    fraction = torch.sigmoid(log_ratios)

    def value(numbers: torch.Tensor) -> torch.Tensor:
        return fraction * objective.real_term(numbers) + (1 - fraction) * objective.fake_term(numbers)

    best = objective.best_logits(log_ratios)
    assert torch.equal(best, best.sort().values), "a higher density ratio never lowers the best logit"
    for offset in (-2.0, -0.1, 1e-3, 0.1, 2.0):
        # 1e-12: rounding of numbers of order 1, and of e^4 for the Pearson divergence.
        assert (value(best + offset) <= value(best) + 1e-12 * (1 + value(best).abs())).all()


def test_the_meaning_of_the_logit_agrees_with_the_best_logit(objective):
    log_ratios = torch.linspace(-3, 3, 13, dtype=torch.float64)
    if objective.best_logits is None:
        meaning = "other"
    else:
        excess = objective.best_logits(log_ratios) - log_ratios
        is_constant = bool((excess - excess[0]).abs().max() < 1e-12)
        is_log_odds = is_constant and abs(float(excess[0])) < 1e-12 and objective.form == "separable"
        meaning = "log_odds" if is_log_odds else "log_odds_up_to_a_constant" if is_constant else "other"
    assert objective.logit_meaning == meaning


def test_a_game_is_zero_sum_exactly_when_the_generator_descends_the_value(objective):
    real, fake = logits(3), logits(4)
    _, of_generator = derivatives(objective.generator_loss, real, fake)
    _, of_value = derivatives(objective.value, real, fake)
    assert objective.is_zero_sum == torch.allclose(of_generator, of_value, rtol=1e-12, atol=NOTHING)


def test_the_generator_uses_real_logits_exactly_when_it_says_so(objective):
    on_real, on_fake = derivatives(objective.generator_loss, logits(5), logits(6))
    assert objective.generator_uses_real == bool(on_real.abs().max() > NOTHING)
    assert on_fake.abs().max() > NOTHING


def test_the_generator_raises_the_logits_of_fakes_that_the_best_discriminator_has_recognised(objective):
    log_ratio = torch.full((8,), 3.0, dtype=torch.float64)
    best = objective.best_logits or (lambda ratio: ratio)
    _, of_generator = derivatives(objective.generator_loss, best(log_ratio), best(-log_ratio))
    # Total variation's best logit is saturated: nothing is left of its derivative.
    assert (of_generator <= 0).all()
    assert (of_generator < 0).all() or objective.name == "fgan_tv"


def test_the_loss_is_a_mean_so_that_a_repeated_batch_changes_nothing(objective):
    real, fake = logits(7), logits(8)
    for loss in (objective.discriminator_loss, objective.generator_loss):
        assert float(loss(real.repeat(3), fake.repeat(3))) == pytest.approx(float(loss(real, fake)), rel=1e-12)


def test_batches_of_one_work_and_batches_of_unequal_length_do_except_for_pairs(objective):
    assert torch.isfinite(objective.value(logits(9, count=1), logits(10, count=1)))
    if objective.form != "pairing":
        real, fake = logits(11, count=6), logits(12, count=3)
        assert float(objective.value(real, fake)) == pytest.approx(float(objective.value(real, fake.repeat(2))))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_losses_are_float32_at_least_and_scalars(objective, dtype):
    real, fake = logits(13).to(dtype), logits(14).to(dtype)
    expected = torch.float64 if dtype == torch.float64 else torch.float32
    for loss in (objective.value, objective.discriminator_loss, objective.generator_loss):
        assert loss(real, fake).dtype == expected
        assert loss(real, fake).shape == ()


def test_an_objective_draws_no_random_numbers_and_leaves_its_inputs_alone(objective):
    real, fake = logits(15), logits(16)
    copies, state = (real.clone(), fake.clone()), torch.get_rng_state()
    objective.discriminator_loss(real, fake)
    objective.generator_loss(real, fake)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(real, copies[0]) and torch.equal(fake, copies[1])


def test_the_value_of_the_same_logits_is_measured_as_it_is_played(objective):
    real, fake = logits(17), logits(18)
    measured = objectives.value_function(objective, real, fake)
    if objective.form == "pairing":  # trained on 32 pairs, measured on all 1,024
        played = torch.stack([objective.value(real, fake.roll(shift)) for shift in range(32)]).mean()
    else:
        played = objective.value(real, fake)
    assert measured.value == pytest.approx(float(played), rel=1e-12)
    assert measured.standard_error > 0
    assert (measured.real_count, measured.fake_count) == (32, 32)


def test_an_unknown_name_is_answered_with_the_nearest_one():
    with pytest.raises(ConfigError, match=r"no objective is called 'hing'\. Did you mean 'hinge'"):
        objectives.find("hing")


@pytest.mark.parametrize("label", [0.3, 1.2])
def test_a_label_for_real_samples_outside_its_range_is_refused(label):
    with pytest.raises(ConfigError, match=r"objective\.real_label"):
        objectives.find("nonsaturating")(real_label=label)


@pytest.mark.parametrize("name", ["minimax", "nonsaturating", "logistic_reverse_kl"])
def test_label_smoothing_changes_the_discriminators_target_only(name):
    plain, smooth = objectives.find(name)(), objectives.find(name)(real_label=0.9)
    real, fake = logits(19), logits(20)
    assert torch.equal(plain.generator_loss(real, fake), smooth.generator_loss(real, fake))
    chance_level = smooth.best_logits(torch.zeros(4, dtype=torch.float64))
    assert float(smooth.value(chance_level, chance_level)) == pytest.approx(smooth.equilibrium_value, abs=1e-12)
    assert smooth.logit_meaning == "other"


def losses_and_derivatives(objective, real, fake, weights):
    """Both losses, with their derivatives in both sides' logits."""
    found = []
    for loss in (objective.discriminator_loss, objective.generator_loss):
        of = lambda *sides, loss=loss: loss(*sides, weights) if weights is not None else loss(*sides)  # noqa: E731
        found += [of(real, fake), *derivatives(of, real, fake)]
    return found


def test_importance_weights_of_one_are_no_weights_bit_for_bit(objective):
    real, fake = logits(1).float(), logits(2).float()
    weighted = losses_and_derivatives(objective, real, fake, torch.ones(32))
    for found, expected in zip(weighted, losses_and_derivatives(objective, real, fake, None), strict=True):
        assert torch.equal(found, expected)


def test_integer_importance_weights_equal_repeated_samples(objective):
    real, fake = logits(1, count=6), logits(2, count=6)
    counts = torch.tensor([0, 3, 1, 0, 2, 0])  # their mean is 1
    # In a pair the real sample comes as often as the generated one; elsewhere real samples stay as they are.
    partners = real.repeat_interleave(counts) if objective.form == "pairing" else real
    repeated = fake.repeat_interleave(counts)
    for loss in (objective.discriminator_loss, objective.generator_loss):
        assert float(loss(real, fake, counts.double())) == pytest.approx(float(loss(partners, repeated)), rel=1e-12)
    # V as a measurement is a mean over all pairs, and takes weights up to a factor.
    found = objectives.value_function(objective, real, fake, fake_weights=5.0 * counts)
    assert found.value == pytest.approx(objectives.value_function(objective, real, repeated).value, rel=1e-12)


def test_the_loss_of_the_generator_tells_importance_weights_their_price(objective):
    """Its derivative by finite differences: a generator that sets the weights descends it."""
    real, fake = logits(3, count=5), logits(4, count=5)
    weights = torch.tensor([0.5, 2.0, 1.0, 0.2, 1.3], dtype=torch.float64, requires_grad=True)
    (derivative,) = torch.autograd.grad(objective.generator_loss(real, fake, weights), weights)
    step = 1e-6
    for index in range(5):
        moved = [weights.detach() + sign * step * torch.eye(5, dtype=torch.float64)[index] for sign in (1, -1)]
        up, down = (float(objective.generator_loss(real, fake, each)) for each in moved)
        assert float(derivative[index]) == pytest.approx((up - down) / (2 * step), rel=1e-6, abs=1e-9)


def test_with_importance_weights_a_relativistic_game_sees_differences_of_logits_alone(objective):
    if objective.form == "separable":
        pytest.skip("its logits have a zero")
    real, fake = logits(5, count=4), logits(6, count=4)
    weights = torch.tensor([0.5, 2.0, 0.1, 0.2], dtype=torch.float64)  # their mean is not 1, as a batch's may be
    for loss in (objective.discriminator_loss, objective.generator_loss):
        moved = loss(real + 3.0, fake + 3.0, weights)
        assert float(moved) == pytest.approx(float(loss(real, fake, weights)), rel=1e-12)
