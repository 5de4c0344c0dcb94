"""The generator's side: which divergence it descends when the discriminator is at its best.

The generator is a location (or scale) parameter of a Gaussian. Its gradient with the best discriminator held fixed is
compared with the derivative of the divergence, in which the discriminator follows.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from equipoise import objectives

# Midpoint rule, spectrally accurate for smooth integrands; at the kink of |p - q| its error is of order width^2 = 1e-6.
POINTS = torch.linspace(-14, 14, 28_001, dtype=torch.float64)
WIDTH = 28 / 28_000
REAL_SD = 1.0


def log_normal(mean: Tensor | float, sd: Tensor | float) -> Tensor:
    sd = torch.as_tensor(sd, dtype=torch.float64)
    return -((POINTS - mean) / sd).square() / 2 - torch.log(sd) - math.log(2 * math.pi) / 2


def two_jsd(log_p: Tensor, log_q: Tensor) -> Tensor:
    middle = torch.logaddexp(log_p, log_q) - math.log(2)
    return WIDTH * (log_p.exp() * (log_p - middle) + log_q.exp() * (log_q - middle)).sum()


def kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    return WIDTH * (log_p.exp() * (log_p - log_q)).sum()


def total_variation(log_p: Tensor, log_q: Tensor) -> Tensor:
    return WIDTH * (log_p.exp() - log_q.exp()).abs().sum() / 2


def pearson(log_p: Tensor, log_q: Tensor) -> Tensor:
    return WIDTH * (torch.exp(2 * log_p - log_q)).sum() - 1


def hellinger(log_p: Tensor, log_q: Tensor) -> Tensor:
    return 2 - 2 * WIDTH * torch.exp((log_p + log_q) / 2).sum()


def delta(log_p: Tensor, log_q: Tensor) -> Tensor:
    p, q = log_p.exp(), log_q.exp()
    return WIDTH * ((p - q).square() / (p + q)).sum()


DESCENDED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "minimax": two_jsd,
    "nonsaturating": lambda log_p, log_q: kl(log_q, log_p) - two_jsd(log_p, log_q),
    "logistic_reverse_kl": lambda log_p, log_q: kl(log_q, log_p),
    "hinge": lambda log_p, log_q: 2 * total_variation(log_p, log_q),
    "fgan_kl": kl,
    "fgan_reverse_kl": lambda log_p, log_q: kl(log_q, log_p),
    "fgan_pearson": pearson,
    "fgan_hellinger": hellinger,
    "fgan_js": two_jsd,
    "fgan_gan": two_jsd,
    "fgan_tv": total_variation,
}


def derivatives(
    term: Callable[[Tensor], Tensor], best: Callable[[Tensor], Tensor], divergence: Callable, mean: float, sd: float
):
    """d/d(mean, sd) of E_q[term(l*)] with l* held fixed, and of the divergence."""
    parameters = torch.tensor([mean, sd], dtype=torch.float64, requires_grad=True)
    log_p, log_q = log_normal(0.0, REAL_SD), log_normal(parameters[0], parameters[1])
    frozen = best((log_p - log_q).detach())
    (descends,) = torch.autograd.grad(WIDTH * (log_q.exp() * term(frozen)).sum(), parameters)
    log_q = log_normal(parameters[0], parameters[1])
    (stated,) = torch.autograd.grad(divergence(log_p, log_q), parameters)
    return descends, stated


@pytest.mark.parametrize(("mean", "sd"), [(0.5, 1.0), (1.5, 1.1), (-0.7, 1.3)])
@pytest.mark.parametrize("name", sorted(DESCENDED))
def test_the_generator_descends_the_stated_divergence_at_the_best_discriminator(name, mean, sd):
    objective = objectives.find(name)()
    descends, stated = derivatives(objective.generator_fake_term, objective.best_logits, DESCENDED[name], mean, sd)
    # Equal up to quadrature: spectral where everything is smooth; at the kinks of TV the best logit jumps within a cell
    # of width 1e-3, at a density below 0.4.
    has_kinks = name in ("hinge", "fgan_tv")
    torch.testing.assert_close(descends, stated, rtol=0 if has_kinks else 1e-8, atol=4e-4 if has_kinks else 1e-9)


def test_the_wasserstein_generator_descends_the_distance_of_two_shifted_gaussians():
    # W1 of N(0,1) and N(mean,1) is |mean|; the best potential of derivative 1 falls towards the generated side.
    objective = objectives.find("wasserstein")()
    for mean in (0.5, -2.0):
        place = torch.tensor(mean, dtype=torch.float64, requires_grad=True)
        potential = -math.copysign(1.0, mean) * POINTS
        q = log_normal(place, 1.0).exp()
        (derivative,) = torch.autograd.grad(WIDTH * (q * objective.generator_fake_term(potential)).sum(), place)
        assert float(derivative) == pytest.approx(math.copysign(1.0, mean), abs=1e-9)


@pytest.mark.parametrize("name", ["fgan_gan", "fgan_reverse_kl", "fgan_js", "fgan_kl"])
def test_the_trick_of_the_f_gan_paper_descends_minus_the_mean_of_the_activated_best_logit(name):
    objective = objectives.find(name)(generator="trick")
    logits = torch.linspace(-5, 5, 11)
    torch.testing.assert_close(objective.generator_fake_term(logits), -objective.real_term(logits))
    assert not objective.is_zero_sum
    assert objectives.find(name)().is_zero_sum


def test_the_trick_turns_the_original_gan_into_the_nonsaturating_game():
    trick, nonsaturating = objectives.find("fgan_gan")(generator="trick"), objectives.find("nonsaturating")()
    real, fake = torch.randn(8), torch.randn(8)
    assert torch.equal(trick.generator_loss(real, fake), nonsaturating.generator_loss(real, fake))
    assert torch.equal(trick.value(real, fake), nonsaturating.value(real, fake))


def test_the_pearson_coded_generator_can_climb_the_divergence_that_its_name_promises():
    # Half the Pearson chi-square is the value of Mao's criterion with its real term. The fake part
    # alone, E_q[D*^2]/2, may point the other way: here both players are centred and the generator is too narrow.
    objective = objectives.find("least_squares_pearson")()
    descends, stated = derivatives(
        objective.generator_fake_term, objective.best_logits, lambda p, q: delta(p, q) / 2, mean=0.0, sd=0.5
    )
    assert float(descends[1]) * float(stated[1]) < 0


def test_with_its_real_term_the_pearson_coded_criterion_is_half_the_chi_square():
    objective = objectives.find("least_squares_pearson")()
    log_p, log_q = log_normal(0.0, 1.0), log_normal(0.8, 1.2)
    best = objective.best_logits(log_p - log_q)
    criterion = WIDTH * ((log_p.exp() + log_q.exp()) * objective.generator_fake_term(best)).sum()
    assert float(criterion) == pytest.approx(float(delta(log_p, log_q)) / 2, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "at_minus_thirty"),
    [("minimax", -9.357622968840e-14), ("nonsaturating", -1.0), ("logistic_reverse_kl", -1.0)],
)
def test_a_sure_discriminator_silences_the_saturating_generator_only(name, at_minus_thirty):
    # -sigmoid(l) against -sigmoid(-l), at l = -30.
    logit = torch.tensor([-30.0], requires_grad=True)
    loss = objectives.find(name)().generator_loss(torch.zeros(1), logit)
    (derivative,) = torch.autograd.grad(loss, logit)
    assert float(derivative) == pytest.approx(at_minus_thirty, rel=1e-6)  # a few float32 roundings


def test_an_epsilon_under_the_logarithm_would_saturate_the_nonsaturating_loss():
    logit = torch.tensor([-30.0], dtype=torch.float64, requires_grad=True)
    (derivative,) = torch.autograd.grad(-torch.log(torch.sigmoid(logit) + 1e-8).sum(), logit)
    assert float(derivative) == pytest.approx(-9.4e-6, rel=0.01)  # sigmoid(-30) / 1e-8


def test_both_players_of_the_pairing_game_lose_nothing_by_a_shift_of_all_logits():
    objective = objectives.find("relativistic")()
    real, fake = torch.randn(32, dtype=torch.float64), torch.randn(32, dtype=torch.float64)
    for loss in (objective.discriminator_loss, objective.generator_loss):
        assert float(loss(real + 7, fake + 7)) == pytest.approx(float(loss(real, fake)), abs=1e-13)
    # The generator's loss is the discriminator's with the pair reversed.
    assert torch.equal(objective.generator_loss(real, fake), objective.discriminator_loss(fake, real))
    assert float(-logsigmoid(fake - real).mean()) == pytest.approx(float(objective.generator_loss(real, fake)))
