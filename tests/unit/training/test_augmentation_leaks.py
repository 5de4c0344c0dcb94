"""No leak: what both sides are transformed by does not show in samples; what the real side alone is, does."""

import dataclasses

import torch

from equipoise.augmentation.differentiable import differentiable
from equipoise.game import AveragedWeights, Player
from equipoise.networks import find as networks
from equipoise.objectives import find as objectives
from equipoise.penalties import find as penalties
from equipoise.spaces import ImageSpace
from equipoise.training import BatchSource, Plan, Trainer

SIDE, COLUMNS = 8, torch.tensor([2, 5])


def pictures(count=256):
    """One bright column, at one of two places."""
    places = COLUMNS[torch.arange(count) % len(COLUMNS)]
    return 2 * torch.nn.functional.one_hot(places, SIDE).float()[:, None, None, :].expand(-1, 1, SIDE, -1) - 1


def share_in_place(augmentation, *, steps=300):
    """Of samples after a short game: how many have their brightest column where pictures have theirs."""
    torch.manual_seed(0)
    family, space = networks("mlp"), ImageSpace(1, SIDE, SIDE)
    generator = family.generator(space, latents=8, width=32, depth=2)
    discriminator = family.discriminator(space, width=32, depth=2)
    average = AveragedWeights(generator, relative_length=0.1)
    game = Trainer(
        discriminator=Player(discriminator, torch.optim.Adam(discriminator.parameters(), 4e-3, betas=(0.0, 0.99))),
        generator=Player(generator, torch.optim.Adam(generator.parameters(), 4e-3, betas=(0.0, 0.99)), average=average),
        objective=objectives("relativistic")(),
        penalties=[penalties(name)(weight=1.0) for name in ("r1", "r2")],
        batches=BatchSource(pictures(), latent_dimensions=8, batch_size=32, updates_per_step=2, seed=0),
        plan=Plan(steps=steps, measure_every=steps),
        augmentation=augmentation,
    )
    for _ in range(steps):
        game.train_step()
    with torch.no_grad():
        samples = average.network(torch.randn(1000, 8, generator=torch.Generator().manual_seed(1)))
    found = samples.mean(dim=(1, 2)).argmax(dim=1)
    return float(torch.isin(found, COLUMNS).float().mean())


class RealSideOnly:
    """The mistake: real batches are transformed, generated ones are not."""

    def __init__(self, part):
        self.part, self.calls = part, 0

    def __call__(self, samples, strength, stream):
        self.calls += 1
        is_real = self.calls % 4 in (1, 2)  # both batches of a step come first, then what the generator made of each
        return self.part.apply(samples, strength, stream) if is_real else samples


def test_shifts_of_both_sides_do_not_show_in_samples_and_shifts_of_one_side_do():
    part = differentiable(["translate"], probability=0.5)
    assert share_in_place(part) > 0.95
    # A third of the transformed half stays in place by chance: two thirds of all columns are where they belong.
    assert share_in_place(dataclasses.replace(part, apply=RealSideOnly(part))) < 0.85
