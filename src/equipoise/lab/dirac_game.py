"""The Dirac-GAN, trained with `train_step`: the smallest game there is, with one number for each player.

Data at 0, generator at `theta`, discriminator `l(x) = l* + psi x` (Mescheder et al. 2018, arXiv:1801.04406); everything
in float64. No closed form is used here: Jacobians come from autodiff of the game's own losses, growth from training.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from equipoise.augmentation import Augmentation
from equipoise.game import Batch, Player, UpdateRule, discriminator_loss, generator_loss, train_step
from equipoise.game.update_rules import PREVIOUS_UPDATE
from equipoise.objectives.base import Objective
from equipoise.penalties.base import Penalty

RADIUS = 1e-6
"""Where growth is measured: the game's third-order terms are 1e-12 of the linear ones there, and rounding 1e-10."""
NOISE_LEVELS = 6
"""Instance noise takes so many values on each side, in all combinations: averages are exact."""
DEFECTIVE = 1e7
"""Eigenvectors whose matrix is worse conditioned than this count as fewer than there are eigenvalues."""

MakeOptimizer = Callable[[list[nn.Parameter], float], torch.optim.Optimizer]


class PointGenerator(nn.Module):
    """Generator: every sample is theta plus its latent (which is 0, or instance noise)."""

    def __init__(self, theta: float) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([[theta]], dtype=torch.float64))

    def forward(self, latents: Tensor) -> Tensor:
        return self.theta + latents


class LinearDiscriminator(nn.Module):
    """Discriminator: l(x) = l* + psi x."""

    def __init__(self, psi: float, best_logit: float) -> None:
        super().__init__()
        self.psi = nn.Parameter(torch.tensor(psi, dtype=torch.float64))
        self.best_logit = best_logit

    def forward(self, samples: Tensor) -> Tensor:
        return self.best_logit + self.psi * samples.squeeze(1)


def gradient_descent(parameters: list[nn.Parameter], rate: float) -> torch.optim.Optimizer:
    """Gradient descent without momentum, as in the theory."""
    return torch.optim.SGD(parameters, lr=rate)


@dataclass(frozen=True)
class DiracGame:
    """One combination of objective, penalties and rule.

    Attributes:
        objective: the two losses.
        update_rule: how both players are updated.
        penalties: terms of the discriminator's loss.
        generator_rate: step size of theta.
        discriminator_rate: step size of psi; another than the generator's makes two time scales.
        noise: instance noise on both sides, or `None`.
        optimizer: makes a player's optimizer from its parameters and step size.
    """

    objective: Objective
    update_rule: UpdateRule = field(default_factory=UpdateRule)
    penalties: tuple[Penalty, ...] = ()
    generator_rate: float = 0.1
    discriminator_rate: float = 0.1
    noise: Augmentation | None = None
    optimizer: MakeOptimizer = gradient_descent

    def players(self, theta: float, psi: float) -> tuple[Player, Player]:
        """Discriminator and generator with these parameters."""
        best = self.objective.best_logits
        zero = torch.zeros(1, dtype=torch.float64)
        discriminator = LinearDiscriminator(psi, 0.0 if best is None else float(best(zero)))
        generator = PointGenerator(theta)
        return (
            Player(discriminator, self.optimizer(list(discriminator.parameters()), self.discriminator_rate)),
            Player(generator, self.optimizer(list(generator.parameters()), self.generator_rate)),
        )

    def batch(self, level: float) -> Batch:
        """Every combination of real and generated noise once: standardised normal scores, so the variance is exact."""
        if level == 0:
            return Batch(real=torch.zeros(1, 1, dtype=torch.float64), latents=torch.zeros(1, 1, dtype=torch.float64))
        normal = torch.distributions.Normal(torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64))
        scores = normal.icdf((torch.arange(NOISE_LEVELS, dtype=torch.float64) + 0.5) / NOISE_LEVELS)
        scores = level * scores / scores.square().mean().sqrt()
        return Batch(real=scores.repeat_interleave(NOISE_LEVELS)[:, None], latents=scores.repeat(NOISE_LEVELS)[:, None])

    def train(self, theta: float, psi: float, *, steps: int) -> np.ndarray:
        """The trajectory (theta, psi), start included. Shape `(steps + 1, 2)`."""
        players = self.players(theta, psi)
        return np.array([_parameters(players), *(self._step(players, step, steps) for step in range(steps))])

    def field_jacobian(self, theta: float = 0.0, psi: float = 0.0) -> np.ndarray:
        """A: how both gradients (of theta, of psi) change with (theta, psi), by autodiff of the game's losses."""
        discriminator, generator = self.players(theta, psi)
        batch = self.batch(0.0 if self.noise is None else self.noise.strength(0, 1))
        _, loss, _ = discriminator_loss(
            discriminator, generator, objective=self.objective, batch=batch, penalties=self.penalties, is_attached=True
        )
        fake_loss = generator_loss(discriminator, generator, objective=self.objective, batch=batch, is_attached=True)
        parameters = (*generator.parameters, *discriminator.parameters)
        gradients = (
            *torch.autograd.grad(fake_loss, generator.parameters, create_graph=True),
            *torch.autograd.grad(loss, discriminator.parameters, create_graph=True),
        )
        rows = [
            torch.autograd.grad(part.sum(), parameters, retain_graph=True, allow_unused=True, materialize_grads=True)
            for part in gradients
        ]
        return np.array([[float(entry) for entry in row] for row in rows])

    def update_jacobian(self) -> np.ndarray:
        """One step at the equilibrium as a matrix on (theta, psi), or on (theta, psi, their last updates)."""
        return update_matrix(
            self.field_jacobian(), self.update_rule, rates=(self.generator_rate, self.discriminator_rate)
        )

    def growth(self, *, jacobian: np.ndarray | None = None) -> float:
        """Growth per step, measured in training from a radius of `RADIUS` in the norm of the update's eigenbasis.

        Training starts in the eigenspace of the largest |eigenvalue| and is long enough to change the radius by a
        factor of at most e^3, or 24 steps. NaN when the update has too few eigenvectors to have such a norm.
        """
        matrix = self.update_jacobian() if jacobian is None else jacobian
        eigenvalues, vectors = np.linalg.eig(matrix)
        if np.linalg.cond(vectors) > DEFECTIVE:
            return math.nan
        sizes = np.abs(eigenvalues)
        is_leading = sizes > sizes.max() * (1 - 1e-9)
        start = np.real(vectors[:, int(sizes.argmax())])
        start = RADIUS * start / np.linalg.norm(start)
        rate = abs(math.log(max(sizes.max(), 1e-12)))
        steps = int(np.clip(3 / max(rate, 1e-9), 4, 24))
        players = self.players(start[0], start[1])
        if len(start) == 4:
            _remember(players, start[2:])
        for _ in range(steps):
            self._step(players, 0, steps)
        ends = (start, _state(players, len(start)))
        before, after = (np.linalg.solve(vectors, end.astype(complex))[is_leading] for end in ends)
        return float((np.linalg.norm(after) / np.linalg.norm(before)) ** (1 / steps))

    def _step(self, players: tuple[Player, Player], step: int, total: int) -> np.ndarray:
        level = 0.0 if self.noise is None else self.noise.strength(step, total)
        train_step(
            *players,
            objective=self.objective,
            batches=[self.batch(level)] * self.update_rule.updates_per_step,
            penalties=self.penalties,
            update_rule=self.update_rule,
        )
        return _parameters(players)


def update_matrix(field: np.ndarray, update_rule: UpdateRule, *, rates: tuple[float, float]) -> np.ndarray:
    """One step of a rule with gradient descent on the linear game `v = A w`, as a matrix.

    Args:
        field: A, of w = (theta, psi). Shape `(2, 2)`.
        update_rule: the rule.
        rates: step sizes of theta and of psi.

    Returns:
        Shape `(2, 2)`; for optimistic updates `(4, 4)`, on (w, last update).
    """
    one, step = np.eye(2), np.diag(rates)
    if "consensus" in update_rule.name:
        field = field + update_rule.consensus_weight * field.T @ field
    if update_rule.name == "extragradient":
        return one - step @ field @ (one - step @ field)
    if update_rule.name == "optimistic":
        return np.block([[one - 2 * step @ field, -one], [-step @ field, np.zeros((2, 2))]])
    if update_rule.name in ("simultaneous", "consensus"):
        return one - step @ field
    of_generator = one - np.diag([rates[0], 0.0]) @ field
    of_discriminator = one - np.diag([0.0, rates[1]]) @ field
    return np.linalg.matrix_power(of_generator, update_rule.generator_updates) @ np.linalg.matrix_power(
        of_discriminator, update_rule.n_critic
    )


def spectral_radius(matrix: np.ndarray) -> float:
    """Largest |eigenvalue|."""
    return float(np.abs(np.linalg.eigvals(matrix)).max())


def _parameters(players: tuple[Player, Player]) -> np.ndarray:
    discriminator, generator = players
    return np.array([float(generator.parameters[0].detach()), float(discriminator.parameters[0].detach())])


def _state(players: tuple[Player, Player], size: int) -> np.ndarray:
    now = _parameters(players)
    if size == 2:
        return now
    discriminator, generator = players
    updates = [float(generator.memory[f"{PREVIOUS_UPDATE}theta"]), float(discriminator.memory[f"{PREVIOUS_UPDATE}psi"])]
    return np.concatenate([now, updates])


def _remember(players: tuple[Player, Player], updates: np.ndarray) -> None:
    discriminator, generator = players
    generator.memory[f"{PREVIOUS_UPDATE}theta"] = torch.full_like(generator.parameters[0], updates[0]).detach()
    discriminator.memory[f"{PREVIOUS_UPDATE}psi"] = torch.full_like(discriminator.parameters[0], updates[1]).detach()
