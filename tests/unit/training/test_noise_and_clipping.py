"""Instance noise and gradient clipping as they act in training."""

import pytest
import torch
from torch import nn

from equipoise.augmentation.instance_noise import instance_noise
from equipoise.errors import ConfigError
from equipoise.game import Player
from equipoise.game.step import augmented
from equipoise.objectives import find
from equipoise.training import BatchSource, Plan, Trainer
from equipoise.training.clipping import UNKNOWN_STEPS, clip_gradients, clip_growth, clip_like


def noisy(noise, *, steps=11):
    torch.manual_seed(0)
    generator, discriminator = nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))
    return Trainer(
        discriminator=Player(discriminator, torch.optim.SGD(discriminator.parameters(), lr=0.1)),
        generator=Player(generator, torch.optim.SGD(generator.parameters(), lr=0.1)),
        objective=find("nonsaturating")(),
        batches=BatchSource(torch.zeros(64, 2), latent_dimensions=3, batch_size=4000, updates_per_step=2, seed=0),
        plan=Plan(steps=steps, measure_every=1),
        augmentation=noise,
    )


def seen(game, step):
    """Real batches and the generator of a step as the discriminator sees them."""
    return augmented(game.batches.at(step), game.generator, game.augmentation_at(step))


def test_both_sides_get_noise_of_the_level_that_is_due():
    game = noisy(instance_noise(level=0.5, final=0.1, decay_fraction=1.0))
    for step, level in ((0, 0.5), (5, 0.3), (10, 0.1)):
        batches, generate = seen(game, step)
        noise = generate(batches[0].latents) - game.generator.network(batches[0].latents)
        # 8,000 draws: a standard deviation is known to 1/sqrt(16,000) = 0.8 %; five of these are 4 %.
        assert float(batches[0].real.std()) == pytest.approx(level, rel=0.04)
        assert float(noise.detach().std()) == pytest.approx(level, rel=0.04)
        assert not torch.equal(batches[0].real, batches[1].real)
        assert not torch.allclose(noise, batches[0].real)


def test_the_noise_of_a_step_depends_on_seed_and_step_alone():
    first, second = (noisy(instance_noise(level=0.5)) for _ in range(2))
    first.train_step()
    (ahead, of_first), (again, of_second) = seen(first, 7), seen(second, 7)
    assert torch.equal(ahead[1].real, again[1].real)
    latents = ahead[0].latents
    noise = [
        generate(latents) - game.generator.network(latents)
        for game, generate in ((first, of_first), (second, of_second))
    ]
    # The two generators differ by now, and with them the rounding of their sums of order 1.
    assert torch.allclose(*noise, atol=1e-6)
    batches, generate = seen(second, 8)
    assert not torch.equal(ahead[1].real, batches[1].real)
    # The noise of the later step is another one on generated samples too: 8,000 independent pairs of draws have a
    # correlation of 0 +- 0.011, and five of these are 0.056.
    later = generate(latents) - second.generator.network(latents)
    assert abs(torch.corrcoef(torch.stack([later.flatten(), noise[1].flatten()]).detach())[0, 1]) < 0.056


def test_the_generator_learns_through_the_noise_and_the_row_says_its_level():
    rows = []
    game = noisy(instance_noise(level=0.4, final=0.0, decay_fraction=0.5))
    before = game.generator.network.weight.clone()
    game.run([lambda event: rows.append(event.row) if hasattr(event, "row") else None])
    assert not torch.equal(before, game.generator.network.weight)
    assert rows[0]["instance_noise"] == 0.4 and rows[-1]["instance_noise"] == 0.0


@pytest.mark.parametrize("scale", [0.1, 100.0])
def test_a_clipped_step_is_as_long_as_allowed_and_a_short_one_is_left_alone(scale):
    layers = [nn.Linear(3, 2), nn.Linear(3, 2)]
    parameters = [parameter for layer in layers for parameter in layer.parameters()]
    before = [parameter.detach().clone() for parameter in parameters]
    optimizer = torch.optim.SGD(parameters, lr=1.0)
    clip_gradients(optimizer, 2.0)
    gradients = [torch.randn(p.shape, generator=torch.Generator().manual_seed(i)) for i, p in enumerate(parameters)]
    total = torch.cat([g.flatten() for g in gradients]).norm()
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient * scale / total
    optimizer.step()
    change = torch.cat([(a - b.detach()).flatten() for a, b in zip(before, parameters, strict=True)])
    # float32 sums of 16 squares; torch adds 1e-6 to the norm that it divides by.
    assert float(change.norm()) == pytest.approx(min(scale, 2.0), rel=1e-5)
    direction = torch.cat([g.flatten() for g in gradients]) / total
    assert torch.allclose(change / change.norm(), direction, atol=1e-5)


def stepped(optimizer, weight, gradients):
    """How far the weight goes with each of these gradients."""
    moves = []
    for gradient in gradients:
        before = weight.detach().clone()
        weight.grad = gradient.clone()
        optimizer.step()
        moves.append(weight.detach() - before)
    return moves


def one_weight(*, growth):
    weight = nn.Parameter(torch.zeros(4, 3))
    optimizer = torch.optim.Adam([weight], lr=1.0, betas=(0.0, 0.99), fused=True)
    if growth is not None:
        clip_growth(optimizer, growth)
    return weight, optimizer


QUIET, LOUD = torch.full((4, 3), 0.01), torch.full((4, 3), 10.0)


@pytest.mark.parametrize(("growth", "expected"), [(None, 10.0), (1.5, 1.5)])
def test_after_quiet_steps_a_loud_gradient_moves_adam_ten_rates_and_with_a_limit_on_growth_little_more_than_one(
    growth, expected
):
    weight, optimizer = one_weight(growth=growth)
    *_, last = stepped(optimizer, weight, [QUIET] * 2000 + [LOUD])
    # v is 1e-4 before, whose bias is 2e-9. Then g / sqrt(.99 v + .01 g^2): 10 for any long g, 1.5 / sqrt(1.0125) for
    # g = 1.5 sqrt(v).
    exact = 10.0 if growth is None else expected / (0.99 + 0.01 * expected**2) ** 0.5
    assert torch.allclose(last, torch.full_like(last, -exact), rtol=1e-4)


def test_a_loud_gradient_that_was_clipped_leaves_the_length_of_the_next_steps_as_it_was():
    weight, optimizer = one_weight(growth=1.5)
    *_, after = stepped(optimizer, weight, [QUIET] * 500 + [LOUD, QUIET])
    # v grew to (.99 + .01 * 2.25) of what it was, then to .99 of that + .01: by 1.2 %, and the step falls by .6 %.
    assert torch.allclose(after, -torch.ones_like(after), rtol=0.01)


def test_gradients_of_the_usual_size_and_the_first_ones_are_left_alone():
    generator = torch.Generator().manual_seed(0)
    usual = [torch.randn(4, 3, generator=generator).clamp(-1.2, 1.2) for _ in range(60)]
    # The root mean square of 12 numbers below 1.2 is below 1.2; that of the recent ones is .79 in the mean.
    gradients = [LOUD, *[QUIET] * (UNKNOWN_STEPS - 2), *usual]
    plain, limited = one_weight(growth=None), one_weight(growth=3.0)
    moves = [stepped(optimizer, weight, gradients) for weight, optimizer in (plain, limited)]
    assert all(torch.equal(one, other) for one, other in zip(*moves, strict=True))


def test_a_copy_of_an_optimizer_is_limited_like_it():
    weight, optimizer = one_weight(growth=None)
    clip_like(optimizer, one_weight(growth=1.5)[1])
    *_, last = stepped(optimizer, weight, [QUIET] * 50 + [LOUD])
    assert float(last.abs().max()) < 1.6


def test_an_optimizer_without_second_moments_is_refused():
    with pytest.raises(ConfigError, match="SGD keeps no second moments"):
        clip_growth(torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=1.0), 1.5)
