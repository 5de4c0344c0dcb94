"""Known densities, their divergences by quadrature, and suprema by numerical maximisation.

Nothing here uses what an objective says about itself: the divergences are integrals written out by hand, and
the maximiser knows only the objective's two terms.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from scipy import integrate, optimize, special, stats
from torch import Tensor

GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Pair:
    """Data density p and generator density q on one support, as masses that include the quadrature's cell widths."""

    name: str
    p: Tensor
    q: Tensor
    points: Tensor

    @property
    def log_ratio(self) -> Tensor:
        return torch.log(self.p) - torch.log(self.q)


@dataclass(frozen=True)
class Gaussians:
    """N(mean, sd) for data and generator."""

    real_mean: float
    real_sd: float
    fake_mean: float
    fake_sd: float

    @property
    def name(self) -> str:
        return f"N({self.real_mean:g},{self.real_sd:g}) and N({self.fake_mean:g},{self.fake_sd:g})"

    def p(self, x: np.ndarray | float) -> np.ndarray:
        return stats.norm.pdf(x, self.real_mean, self.real_sd)

    def q(self, x: np.ndarray | float) -> np.ndarray:
        return stats.norm.pdf(x, self.fake_mean, self.fake_sd)

    def crossings(self) -> list[float]:
        """Where p = q: the kinks of |p - q|."""
        a = 1 / (2 * self.fake_sd**2) - 1 / (2 * self.real_sd**2)
        b = self.real_mean / self.real_sd**2 - self.fake_mean / self.fake_sd**2
        c = self.fake_mean**2 / (2 * self.fake_sd**2) - self.real_mean**2 / (2 * self.real_sd**2)
        c += math.log(self.fake_sd / self.real_sd)
        return sorted(float(root.real) for root in np.roots([a, b, c] if a else [b, c]) if abs(root.imag) < 1e-12)

    def cells(self, count: int) -> Pair:
        """Midpoint rule over +- 9 standard deviations: spectrally accurate where the integrand is smooth.

        At a kink its error is of order width^2 times the jump of the derivative: below 1e-6 for 20,000 cells.
        """
        low, high = self.ends()
        width = (high - low) / count
        x = low + width * (np.arange(count) + 0.5)
        kept = np.minimum(self.p(x), self.q(x)) > 1e-300
        p, q = (torch.tensor(width * density(x[kept])) for density in (self.p, self.q))
        return Pair(self.name, p, q, torch.tensor(x[kept]))

    def ends(self, deviations: float = 9.0) -> tuple[float, float]:
        lows = (self.real_mean - deviations * self.real_sd, self.fake_mean - deviations * self.fake_sd)
        highs = (self.real_mean + deviations * self.real_sd, self.fake_mean + deviations * self.fake_sd)
        return min(lows), max(highs)

    def integral(self, of: Callable[[float, float], float]) -> float:
        """Adaptive quadrature of a function of (p(x), q(x)), in pieces that begin and end at the kinks."""
        ends = self.ends()
        edges = [ends[0], *(c for c in self.crossings() if ends[0] < c < ends[1]), ends[1]]
        middle = sorted({*edges, self.real_mean, self.fake_mean})
        pieces = (
            integrate.quad(lambda x: of(float(self.p(x)), float(self.q(x))), a, b, epsabs=1e-11, limit=400)[0]
            for a, b in pairwise(middle)
        )
        return math.fsum(pieces)


GAUSSIANS = (Gaussians(0.0, 1.0, 1.0, 1.0), Gaussians(0.0, 1.0, 0.7, 1.2), Gaussians(1.0, 0.8, 0.0, 1.0))

DISCRETE = (
    Pair(
        "six points",
        torch.tensor([0.1, 0.2, 0.3, 0.15, 0.05, 0.2], dtype=torch.float64),
        torch.tensor([0.25, 0.15, 0.05, 0.3, 0.2, 0.05], dtype=torch.float64),
        torch.tensor([0.0, 0.5, 1.5, 2.0, 4.0, 5.0], dtype=torch.float64),
    ),
    Pair(
        "two points",
        torch.tensor([0.9, 0.1], dtype=torch.float64),
        torch.tensor([0.4, 0.6], dtype=torch.float64),
        torch.tensor([-1.0, 1.0], dtype=torch.float64),
    ),
)


def _kl(p: float, q: float) -> float:
    return float(special.rel_entr(p, q))


def _two_jsd(p: float, q: float) -> float:
    return _kl(p, (p + q) / 2) + _kl(q, (p + q) / 2)


def _delta(p: float, q: float) -> float:
    return (p - q) ** 2 / (p + q) if p + q > 0 else 0.0


# Per objective: an integrand in (p, q) and what its integral is to be scaled and shifted by, which makes it sup V.
STATED_SUPREMA: dict[str, tuple[Callable[[float, float], float], float, float]] = {
    "minimax": (_two_jsd, 1.0, -math.log(4)),
    "nonsaturating": (_two_jsd, 1.0, -math.log(4)),
    "logistic_reverse_kl": (_two_jsd, 1.0, -math.log(4)),
    "least_squares": (_delta, 1 / 8, -2 / 8),
    "least_squares_pearson": (_delta, 1 / 2, -2 / 2),
    "hinge": (lambda p, q: abs(p - q), 1.0, -2.0),
    "fgan_kl": (_kl, 1.0, 0.0),
    "fgan_reverse_kl": (lambda p, q: _kl(q, p), 1.0, 0.0),
    "fgan_pearson": (lambda p, q: (p - q) ** 2 / q if q > 0 else 0.0, 1.0, 0.0),
    "fgan_hellinger": (lambda p, q: (math.sqrt(p) - math.sqrt(q)) ** 2, 1.0, 0.0),
    "fgan_js": (_two_jsd, 1.0, 0.0),
    "fgan_gan": (_two_jsd, 1.0, -math.log(4)),
    "fgan_tv": (lambda p, q: abs(p - q) / 2, 1.0, 0.0),
}


def stated_supremum(objective_name: str, distributions: Gaussians | Pair) -> float:
    """sup V as theory states it: adaptive quadrature for Gaussians, a sum for discrete distributions."""
    integrand, scale, shift = STATED_SUPREMA[objective_name]
    if isinstance(distributions, Gaussians):
        return scale * distributions.integral(integrand) + shift
    pairs = zip(distributions.p.tolist(), distributions.q.tolist(), strict=True)
    return scale * math.fsum(integrand(p, q) for p, q in pairs) + shift


def pointwise_supremum(real_term: Callable, fake_term: Callable, pair: Pair, *, reach: float) -> float:
    """sum_x max_l p a(l) + q b(l), each maximum by golden section over [-reach, reach].

    Every integrand here rises up to its maximum and falls after it, so the section cannot be misled. 120
    steps shrink the bracket by 1e-25, past float64; the value is exact to second order in what is left.
    """

    def value(logits: Tensor) -> Tensor:
        return pair.p * real_term(logits) + pair.q * fake_term(logits)

    low, high = torch.full_like(pair.p, -reach), torch.full_like(pair.p, reach)
    for _ in range(120):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        rises = value(left) < value(right)
        low, high = torch.where(rises, left, low), torch.where(rises, high, right)
    return float(value((low + high) / 2).sum())


def pairing_value(logits: Tensor, pair: Pair, term: Callable) -> Tensor:
    """sum_ij p_i q_j a(l_i - l_j): V of a pairing game on a discrete support."""
    return pair.p @ term(logits[:, None] - logits[None, :]) @ pair.q


def averaging_value(logits: Tensor, pair: Pair, real_term: Callable, fake_term: Callable) -> Tensor:
    """V of an averaging game on a discrete support."""
    real_mean, fake_mean = pair.p @ logits, pair.q @ logits
    return pair.p @ real_term(logits - fake_mean) + pair.q @ fake_term(logits - real_mean)


def maximised(value: Callable[[Tensor], Tensor], size: int) -> tuple[float, Tensor]:
    """The largest value over all logit vectors, by quasi-Newton ascent from zero, and where it is."""

    def fall(numbers: np.ndarray) -> tuple[float, np.ndarray]:
        logits = torch.tensor(numbers, requires_grad=True)
        loss = -value(logits)
        (derivative,) = torch.autograd.grad(loss, logits)
        return float(loss.detach()), derivative.numpy()

    found = optimize.minimize(
        fall, np.zeros(size), jac=True, method="L-BFGS-B", options={"maxiter": 20_000, "ftol": 1e-15, "gtol": 1e-9}
    )
    return -float(found.fun), torch.tensor(found.x)


def jsd_of_product_distributions(pair: Pair) -> float:
    """JSD(p x q, q x p) in nats, as a sum over all pairs of points."""
    forward, backward = torch.outer(pair.p, pair.q), torch.outer(pair.q, pair.p)
    middle = (forward + backward) / 2
    return float((torch.xlogy(forward, forward / middle) + torch.xlogy(backward, backward / middle)).sum() / 2)


def gaussian_mean(of: Callable[[Tensor], Tensor], mean: float, sd: float) -> float:
    """E[of(t)] for t ~ N(mean, sd): midpoint rule over +- 12 deviations; kinks cost below 1e-7 at this width."""
    z = torch.linspace(-12, 12, 96_001, dtype=torch.float64)
    weights = torch.exp(-z.square() / 2) * (24 / 96_000) / math.sqrt(2 * math.pi)
    return float((weights * of(mean + sd * z)).sum())
