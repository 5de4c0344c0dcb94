"""The mixture prior: samples by its own weights, equal draws for training, a start that no data enter, whole runs."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import equipoise as eq
from equipoise.errors import ConfigError
from equipoise.networks.mixture_prior import MixturePriorGenerator
from equipoise.penalties.base import Penalty
from equipoise.shapes import WeightedSamples
from equipoise.spaces import Block, PointSpace, TableSpace
from equipoise.training.sampling import sample_batches


def made(space, seed=0, **options):
    torch.manual_seed(seed)
    return MixturePriorGenerator(space, **options)


def apart(generator):
    """Components at 0, 10, 20, ... of the first coordinate: a sample says where it is from."""
    with torch.no_grad():
        generator.means.zero_()[:, 0] = 10.0 * torch.arange(generator.components)
        generator.log_scales.fill_(math.log(0.1))
        generator.output.weight.zero_()
    return generator


def latents_of(generator, count, seed=0):
    return torch.randn(count, generator.latent_dimensions, generator=torch.Generator().manual_seed(seed))


def frequencies(samples, components):
    return torch.bincount((samples[:, 0] / 10).round().long(), minlength=components) / len(samples)


def test_a_called_generator_samples_by_its_weights_and_training_draws_all_components_alike():
    generator = apart(made(PointSpace(2), components=4))
    shares = torch.tensor([0.1, 0.2, 0.3, 0.4])
    with torch.no_grad():
        generator.weight_logits.copy_(shares.log() + 5.0)
        latents = latents_of(generator, 40_000)
        weighted = generator.weighted_samples(latents)
        # A frequency among 40,000 has a standard error below 0.0025.
        torch.testing.assert_close(frequencies(generator(latents), 4), shares, rtol=0, atol=0.0125)
        torch.testing.assert_close(frequencies(weighted.samples, 4), torch.full((4,), 0.25), rtol=0, atol=0.0125)
        where = (weighted.samples[:, 0] / 10).round().long()
        torch.testing.assert_close(weighted.weights, 4 * shares[where])


def test_truncated_latents_leave_the_shares_of_the_components_alone():
    generator = apart(made(PointSpace(2), components=4)).requires_grad_(False)
    drawn = sample_batches(generator, 1024, latent_dimensions=3, seed=1, truncation=0.5)
    expected = sample_batches(generator, 1024, latent_dimensions=3, seed=1)
    samples, whole = next(drawn)[0], next(expected)[0]
    assert torch.equal(frequencies(samples, 4), frequencies(whole, 4))
    assert float(samples[:, 1].std()) == pytest.approx(0.5 * float(whole[:, 1].std()), rel=1e-5)


def test_latents_that_are_spread_evenly_draw_every_component_equally_often():
    generator = apart(made(PointSpace(2), components=8))
    latents = latents_of(generator, 64)
    latents[:, -1] = torch.special.ndtri((torch.arange(64) + 0.5) / 64)
    found = generator.weighted_samples(latents)
    assert torch.equal(frequencies(found.samples, 8), torch.full((8,), 1 / 8))
    assert float(found.weights.detach().mean()) == pytest.approx(1.0, abs=1e-6)


def test_extreme_latents_have_a_component():
    generator = made(PointSpace(2), components=7)
    latents = torch.zeros(4, 3)
    latents[:, -1] = torch.tensor([-40.0, -9.0, 9.0, 40.0])
    assert torch.isfinite(generator(latents)).all() and torch.isfinite(generator.weighted_samples(latents)[0]).all()


def test_it_starts_at_an_even_cover_of_the_standard_normal():
    generator = made(PointSpace(2), components=256)
    means = generator.means.detach()
    # Sobol points: means and variances are far closer to 0 and 1 than those of 256 random points (0.06 and 0.09).
    torch.testing.assert_close(means.mean(dim=0), torch.zeros(2), rtol=0, atol=0.02)
    torch.testing.assert_close(means.var(dim=0), torch.ones(2), rtol=0, atol=0.05)
    assert torch.allclose(generator.log_scales.exp(), torch.tensor(256**-0.5))
    assert torch.equal(generator.shares, torch.full((256,), 1 / 256))
    latents = latents_of(generator, 1000)
    prior = generator.linear.weight.new_tensor(0.0)
    with torch.no_grad():
        samples = generator(latents)
        generator.output.weight.zero_()
        prior = generator(latents)
    assert float((samples - prior).std()) < 0.2, "the correction begins small"


def test_it_starts_from_the_seed_alone():
    one, again, other = (made(PointSpace(3), seed=seed, components=16) for seed in (0, 0, 1))
    assert torch.equal(one.means, again.means) and not torch.equal(one.means, other.means)


def test_a_full_covariance_turns_a_component_and_starts_without():
    generator = apart(made(PointSpace(2), components=1, covariance="full"))
    latents = latents_of(generator, 20_000)
    with torch.no_grad():
        torch.testing.assert_close(torch.cov(generator(latents).T), 0.01 * torch.eye(2), rtol=0, atol=0.0005)
        generator.scale_matrices[0] = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
        # x = 0.1 (I + R) eps: covariance 0.01 (I + R)(I + R)^T, each entry known to a few percent.
        expected = 0.01 * torch.tensor([[1.0, 2.0], [2.0, 5.0]])
        torch.testing.assert_close(torch.cov(generator(latents).T), expected, rtol=0.05, atol=0)


def test_classes_have_weights_of_their_own():
    generator = apart(made(PointSpace(2), components=2, classes=3))
    with torch.no_grad():
        generator.weight_logits.copy_(torch.tensor([[50.0, 0.0], [0.0, 50.0], [0.0, 0.0]]))
        latents, labels = latents_of(generator, 9000), torch.arange(9000) % 3
        samples, weighted = generator(latents, labels), generator.weighted_samples(latents, labels)
    found = [frequencies(samples[labels == label], 2)[0].item() for label in range(3)]
    assert found == pytest.approx([1.0, 0.0, 0.5], abs=0.05)
    where = (weighted.samples[:, 0] / 10).round().long()
    torch.testing.assert_close(weighted.weights[labels == 0], 2.0 * (where[labels == 0] == 0))


def test_categories_of_a_row_are_drawn_from_latents_of_their_own():
    space = TableSpace(columns=("a", "b"), blocks=(Block("number", 1, "a"), Block("choice", 3, "b")))
    generator = made(space, latents=2, components=4)
    assert generator.latent_dimensions == 2 + 3 + 1
    rows = generator(latents_of(generator, 50))
    assert torch.equal(rows[:, 1:].sum(dim=1), torch.ones(50))


def test_groups_of_parameters_are_all_parameters_in_their_order():
    for options in ({}, {"covariance": "full"}, {"classes": 3}):
        generator = made(PointSpace(2), components=4, **options)
        groups = generator.parameter_groups()
        assert list(groups) == ["means", "scales", "weights", "body"]
        listed = [parameter for group in groups.values() for parameter in group]
        assert list(map(id, listed)) == list(map(id, generator.parameters()))


@pytest.mark.parametrize("options", [{"components": 0}, {"covariance": "round"}, {"depth": 0}])
def test_options_that_make_no_mixture_are_refused(options):
    with pytest.raises(ValueError, match="expected"):
        made(PointSpace(2), **options)


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(160, 2)))
    return path


SMALL = [
    "networks.family=mixture_prior",
    "networks.generator={components: 4, width: 8}",
    "training.batch_size=16",
    "outputs.final_verdict=false",
    "evaluations.count=0",
    "runtime.threads=1",
]


def test_a_run_learns_the_weights_and_is_loaded_as_it_was(points, tmp_path):
    gan = eq.fit(points, outdir=tmp_path / "run", steps=20, settings=SMALL)
    assert not torch.equal(gan.generator.weight_logits, torch.zeros(4)), "no gradient reached the weights"
    again = eq.load(tmp_path / "run")
    np.testing.assert_array_equal(gan.sample(50, seed=1), again.sample(50, seed=1))
    rows = [row for row in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines() if "histogram" in row]
    assert rows and "NaN" not in "".join(rows)


class Pair(nn.Module):
    """A person's own generator with importance weights."""

    latent_dimensions = 2

    def __init__(self):
        super().__init__()
        self.share, self.layer = nn.Parameter(torch.zeros(())), nn.Linear(1, 2)

    def forward(self, latents):
        return self._points(latents, torch.special.ndtr(latents[:, 1]) < torch.sigmoid(self.share))

    def weighted_samples(self, latents):
        is_first = latents[:, 1] < 0
        share = torch.sigmoid(self.share)
        return WeightedSamples(self._points(latents, is_first), 2 * torch.where(is_first, share, 1 - share))

    def _points(self, latents, is_first):
        return self.layer(latents[:, :1]) + 3.0 * is_first[:, None]


class Unweighted(Pair):
    def weighted_samples(self, latents):
        return self._points(latents, latents[:, 1] < 0)


def test_a_generator_of_ones_own_may_give_weights_and_is_told_when_it_does_not(points, tmp_path):
    settings = SMALL[2:]
    gan = eq.fit(points, outdir=tmp_path / "run", steps=10, generator=Pair(), settings=settings)
    assert float(gan.generator.share) != 0.0
    with pytest.raises(ConfigError, match="returned Tensor"):
        eq.fit(points, outdir=tmp_path / "other", steps=10, generator=Unweighted(), settings=settings)


def test_a_penalty_that_does_not_heed_weights_is_refused_beside_them(points, tmp_path):
    heedless = Penalty(
        name="size of logits",
        weight=0.1,
        per_sample=lambda forward: forward.fake_logits.square(),
        differentiates=frozenset(),
        is_per_sample=False,
        gives_lipschitz_control=False,
        source="here",
    )
    with pytest.raises(ConfigError, match=r"'size of logits' does not say that it heeds importance weights"):
        eq.fit(points, outdir=tmp_path / "run", steps=10, penalties=[heedless], settings=SMALL)
    # Left to the preset, the networks are those that give no weights.
    gan = eq.fit(points, outdir=tmp_path / "run", steps=5, penalties=[heedless], settings=SMALL[2:])
    assert gan.config.networks.family == "mlp"
