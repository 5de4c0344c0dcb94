r"""V beside a playground game: by quadrature, and what the referee can prove of the two distributions.

V of a discriminator needs no density of the generator: its second expectation is over latents, whose law is known.

.. math::
    V = \sum_i w_i\, a(l(x_i)) + \sum_j v_j\, b(l(G(z_j)))
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from equipoise.objectives.base import Objective
from equipoise.objectives.log_odds import log_odds_offset
from equipoise.playground.players import latent_quadrature
from equipoise.playground.settings import LatentLaw
from equipoise.referee.bound import clip_logits, jsd_lower_bound_nats
from equipoise.referee.classifiers import available
from equipoise.referee.splits import Parts
from equipoise.referee.train_and_test import train_and_test

LATENT_CELLS = 40
PAIR_LEVELS = 400
CONFIDENCE = 0.95
QUICK_CLASSIFIERS = ("Fourier", "neighbour curves", "neighbour trees", "pairs", "quadratic")
"""The referee's classifiers that train in a tenth of a second; trees and perceptron take a second each."""
REFEREE_SAMPLES = 1200
"""Of each side: a third to train on, a sixth to choose by, half to test."""
LEAST_HELD_OUT = 40


@torch.no_grad()
def value_by_quadrature(
    objective: Objective,
    discriminator: nn.Module,
    generator: nn.Module,
    *,
    law: LatentLaw,
    real: np.ndarray,
    real_weights: np.ndarray,
) -> float:
    """V of the present discriminator and generator, without sampling error.

    Args:
        objective: whose V.
        discriminator: the network.
        generator: the network.
        law: of the latents.
        real: points whose weighted sums are expectations under p. Shape `(points, 2)`.
        real_weights: their weights, which sum to 1.

    Numerics:
        The midpoint rule on networks that are piecewise linear: about 1e-3. Pairs are taken over levels of the logits.
    """
    latents, fake_weights = latent_quadrature(law, LATENT_CELLS)
    real_logits = discriminator(torch.from_numpy(real).float()).double()
    fake_logits = discriminator(generator(torch.from_numpy(latents).float())).double()
    p, q = torch.from_numpy(real_weights), torch.from_numpy(fake_weights)
    if objective.form == "pairing":
        (levels, p), (fake_levels, q) = _levels(real_logits, p), _levels(fake_logits, q)
        return float(p @ objective.real_term(levels[:, None] - fake_levels[None, :]).double() @ q)
    assert objective.fake_term is not None
    if objective.form == "averaging":
        real_logits, fake_logits = real_logits - q @ fake_logits, fake_logits - p @ real_logits
    return float(p @ objective.real_term(real_logits) + q @ objective.fake_term(fake_logits))


def offset_of(objective: Objective, discriminator: nn.Module, real: Tensor, fake: Tensor) -> float:
    """c of D = sigma(l - c), fitted on draws of their own; 0 where logits need none."""
    if objective.logit_meaning != "log_odds_up_to_a_constant":
        return 0.0
    with torch.no_grad():
        return log_odds_offset(discriminator(real), discriminator(fake))


@dataclass(frozen=True)
class Proved:
    """What the referee's quick classifiers prove of real and generated samples that they had not seen.

    Attributes:
        step: of the game, whose generator this is about.
        jsd_nats: lower bound on the Jensen-Shannon divergence, at 95 % for this one reading.
        classifier: the one that was chosen on the validation part.
        tested: samples of each side that it rests on.
    """

    step: int
    jsd_nats: float
    classifier: str
    tested: int


def prove(real: np.ndarray, fake: np.ndarray, *, step: int, seed: int) -> Proved | None:
    """A lower bound on JSD(p, q) by fresh classifiers; `None` with fewer than `LEAST_HELD_OUT` samples of a side.

    Args:
        real: samples that no player was trained on. Shape `(n, 2)`.
        fake: fresh samples of the generator. Shape `(m, 2)`.
        step: of the game.
        seed: of the classifiers.
    """
    count = min(len(real), len(fake))
    if count < LEAST_HELD_OUT:
        return None
    first, second = count // 3, count // 2
    parts = Parts.of_sides(*([side[:first], side[first:second], side[second:count]] for side in (real, fake)))
    known = available()
    outcome = train_and_test(parts, kind="points", seed=seed, classifiers=[known[name] for name in QUICK_CLASSIFIERS])
    low, high = outcome.limits
    bound = jsd_lower_bound_nats(
        clip_logits(outcome.real_logits),
        clip_logits(outcome.fake_logits),
        confidence=CONFIDENCE,
        limits=(float(low), float(high)),
    )
    return Proved(step, bound, outcome.selected.name, count - second)


@cache
def prepare() -> None:
    """Read a handful of points once: the first reading loads scikit-learn, a second or two of which no step is made."""
    points = np.random.default_rng(0).standard_normal((2, 3 * LEAST_HELD_OUT, 2))
    prove(points[0], points[1], step=0, seed=0)


def _levels(logits: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted means of the logits within even levels, and the weight of each level."""
    low, high = logits.min(), logits.max()
    places = ((logits - low) / (high - low).clamp(min=1e-12) * (PAIR_LEVELS - 1)).round().long()
    masses = torch.zeros(PAIR_LEVELS, dtype=torch.float64).index_add_(0, places, weights)
    sums = torch.zeros(PAIR_LEVELS, dtype=torch.float64).index_add_(0, places, weights * logits)
    kept = masses > 0
    return sums[kept] / masses[kept], masses[kept]
