"""A step with importance weights is the step on a batch that repeats its samples so often, by every rule."""

import pytest
import torch
from torch import nn

from equipoise.augmentation import StepAugmentation
from equipoise.augmentation.instance_noise import instance_noise
from equipoise.game import Batch, Player, UpdateRule, train_step
from equipoise.game.update_rules import UPDATE_RULES
from equipoise.objectives import find
from equipoise.penalties import find as find_penalty
from equipoise.shapes import WeightedSamples

COUNTS = torch.tensor([2, 0, 1, 1, 0, 2])
"""How often each sample comes; their mean is 1."""


class Repeating(nn.Module):
    """Generator of samples that are repeated, or of one of each with how often it comes as its weight."""

    def __init__(self, *, is_weighted):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2))
        if is_weighted:
            self.weighted_samples = lambda latents: WeightedSamples(self.layers(latents), COUNTS.double())

    def forward(self, latents):
        return self.layers(latents).repeat_interleave(COUNTS, dim=0)


def players(*, is_weighted):
    generator = Repeating(is_weighted=is_weighted).double()
    torch.manual_seed(1)
    discriminator = nn.Sequential(nn.Linear(2, 5), nn.Softplus(), nn.Linear(5, 1), nn.Flatten(0)).double()
    return [Player(network, torch.optim.SGD(network.parameters(), lr=0.1)) for network in (discriminator, generator)]


def batches(count):
    stream = torch.Generator().manual_seed(2)
    # A real sample beside a generated one that does not come is that of one which comes twice: pairs agree, too.
    real = [torch.randn(4, 2, generator=stream, dtype=torch.float64)[[0, 0, 1, 2, 3, 3]] for _ in range(count)]
    latents = [torch.randn(6, 2, generator=stream, dtype=torch.float64) for _ in range(count)]
    return [Batch(real=one, latents=other) for one, other in zip(real, latents, strict=True)]


def played(rule, objective, *, is_weighted, steps=3):
    pair = players(is_weighted=is_weighted)
    penalties = [find_penalty("r1")(0.3), find_penalty("r2")(0.5), find_penalty("lecam")(0.1)]
    for _ in range(steps):
        report = train_step(
            *pair,
            objective=find(objective)(),
            batches=batches(2),
            penalties=penalties,
            update_rule=UpdateRule(rule),
            measure=True,
        )
    return report, [parameter.detach() for player in pair for parameter in player.parameters]


@pytest.mark.parametrize("objective", ["nonsaturating", "relativistic", "relativistic_average"])
@pytest.mark.parametrize("rule", UPDATE_RULES)
def test_weights_equal_repeated_samples_in_steps_by_every_rule(rule, objective):
    report, weighted = played(rule, objective, is_weighted=True)
    expected_report, expected = played(rule, objective, is_weighted=False)
    # lecam remembers mean logits in float32: 1e-7 times its weight of 0.1 and a step size of 0.1.
    torch.testing.assert_close(weighted, expected, rtol=0, atol=3e-9)
    for name in ("discriminator_loss", "generator_loss"):
        torch.testing.assert_close(getattr(report, name), getattr(expected_report, name))
    torch.testing.assert_close(dict(report.penalties), dict(expected_report.penalties))
    torch.testing.assert_close(dict(report.gradient_norms), dict(expected_report.gradient_norms))
    assert torch.equal(report.fake_weights, COUNTS.double()) and expected_report.fake_weights is None


def test_consensus_differentiates_the_weights_as_often_as_the_samples():
    """A generator of two fixed points whose weights it learns: the discriminator's gradient depends on it through
    them alone."""

    class Shares(nn.Module):
        def __init__(self):
            super().__init__()
            self.logit = nn.Parameter(torch.tensor(0.3, dtype=torch.float64))

        def forward(self, latents):
            raise AssertionError("training takes weighted samples")

        def weighted_samples(self, latents):
            share = torch.sigmoid(self.logit)
            points = torch.tensor([[-1.0], [2.0]], dtype=torch.float64)
            return WeightedSamples(points, 2 * torch.stack([share, 1 - share]))

    generator, discriminator = Shares(), nn.Sequential(nn.Linear(1, 1, bias=False), nn.Flatten(0)).double()
    with torch.no_grad():
        discriminator[0].weight.fill_(0.5)
    pair = [Player(network, torch.optim.SGD(network.parameters(), lr=1.0)) for network in (discriminator, generator)]
    batch = Batch(real=torch.zeros(2, 1, dtype=torch.float64), latents=torch.zeros(2, 1, dtype=torch.float64))
    train_step(
        *pair, objective=find("wasserstein")(), batches=[batch, batch], update_rule=UpdateRule("consensus", 1, 1, 0.2)
    )
    # V = -psi E[y] with E[y] = 2 - 3 s: v_D = E[y], v_G = -psi d E[y]/d logit = 3 psi s', s' = s (1 - s).
    share = torch.sigmoid(torch.tensor(0.3, dtype=torch.float64))
    slope, curvature = share * (1 - share), share * (1 - share) * (1 - 2 * share)
    mean = 2 - 3 * share
    in_psi = mean + 0.2 * (3 * 0.5 * slope) * 3 * slope
    in_logit = 3 * 0.5 * slope + 0.2 * (mean * -3 * slope + (3 * 0.5 * slope) * 3 * 0.5 * curvature)
    torch.testing.assert_close(discriminator[0].weight.detach().squeeze(), 0.5 - in_psi)
    torch.testing.assert_close(generator.logit.detach(), 0.3 - in_logit)


def test_an_augmentation_changes_the_samples_and_leaves_their_weights():
    noise = StepAugmentation(instance_noise(0.5, final=0.5), seed=0, step=0, total=1)
    _, generator = players(is_weighted=True)
    latents = batches(1)[0].latents
    made, noisy = generator.generate(latents), noise.generator(generator.generate)(latents)
    assert torch.equal(noisy.weights, made.weights) and not torch.allclose(noisy.samples, made.samples)
