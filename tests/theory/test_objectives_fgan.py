"""The f-GAN family against its own definitions: conjugates, activations, domains."""

from __future__ import annotations

import pytest
import torch

from equipoise import objectives
from equipoise.errors import ConfigError, InputError
from equipoise.objectives.fgan import DIVERGENCES, conjugate_value

RATIOS = torch.logspace(-2, 2, 41, dtype=torch.float64)
EVERY = sorted(DIVERGENCES)


@pytest.mark.parametrize("name", EVERY)
def test_the_simplified_fake_term_is_minus_the_conjugate_of_the_activated_logit(name):
    row = DIVERGENCES[name]
    logits = torch.linspace(-6, 6, 25, dtype=torch.float64)
    # 1e-10: the composition loses up to e^6 of float64's 1e-16 per operation; the simplified form does not.
    torch.testing.assert_close(row.fake_term(logits), -row.conjugate(row.activation(logits)), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", EVERY)
def test_the_conjugate_is_the_supremum_of_u_t_minus_f(name):
    row = DIVERGENCES[name]
    ratios = torch.logspace(-6, 6, 400_001, dtype=torch.float64)
    for logit in (-1.5, -0.3, 0.2, 1.1):
        output = row.activation(torch.tensor(logit, dtype=torch.float64))
        highest = (ratios * output - row.f(ratios)).max()
        # The grid's relative spacing is 7e-5, and the supremum is flat: second order, times a curvature of order 1.
        # Total variation's supremum lies at u = 0, where the grid begins at 1e-6.
        assert float(highest) == pytest.approx(float(row.conjugate(output)), abs=2e-6)


@pytest.mark.parametrize("name", [name for name in EVERY if name != "tv"])
def test_the_activated_best_logit_is_the_derivative_of_f(name):
    row, ratios = DIVERGENCES[name], RATIOS.clone().requires_grad_(True)
    (derivative,) = torch.autograd.grad(row.f(ratios).sum(), ratios)
    torch.testing.assert_close(row.activation(row.best_logits(torch.log(RATIOS))), derivative, rtol=1e-10, atol=1e-12)


def test_the_best_logit_of_total_variation_is_as_good_as_one_at_infinity():
    row = DIVERGENCES["tv"]
    signs = row.activation(row.best_logits(torch.tensor([-0.1, 0.0, 0.1], dtype=torch.float64)))
    assert signs.tolist() == [-0.5, 0.0, 0.5]


@pytest.mark.parametrize("name", EVERY)
def test_activations_stay_inside_the_domain_of_the_conjugate(name):
    row = DIVERGENCES[name]
    logits = torch.linspace(-10, 10, 101, dtype=torch.float64)
    assert torch.isfinite(conjugate_value(name, row.activation(logits))).all()


@pytest.mark.parametrize(
    ("name", "output"), [("reverse_kl", 0.1), ("hellinger", 1.0), ("js", 0.7), ("gan", 0.0), ("tv", 0.6), ("tv", -0.6)]
)
def test_an_output_outside_the_domain_of_the_conjugate_is_refused(name, output):
    with pytest.raises(InputError, match=f"f-GAN '{name}'.*leave the domain"):
        conjugate_value(name, torch.tensor([-0.1, output]))


def test_a_misspelt_divergence_or_generator_loss_is_answered_with_the_nearest_name():
    with pytest.raises(ConfigError, match="Did you mean 'hellinger'"):
        conjugate_value("helinger", torch.zeros(1))
    with pytest.raises(ConfigError, match="Did you mean 'trick'"):
        objectives.find("fgan_kl")(generator="tricks")
