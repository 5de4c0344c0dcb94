r"""Measurements on the Dirac-GAN: rates at the equilibrium, conditions on the step size, and orbits far from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from equipoise import objectives
from equipoise.augmentation.instance_noise import instance_noise
from equipoise.game import UpdateRule
from equipoise.lab.dirac_game import DiracGame, spectral_radius
from equipoise.lab.dirac_theory import closed_form, derivatives_of, largest_stable_step
from equipoise.penalties.base import Penalty
from equipoise.penalties.gradient_penalty import wgan_gp
from equipoise.penalties.r1_r2 import r1, r2

STEP_SIZE = 0.1
GAMMA = 0.3
NOISE_LEVEL = 0.8
RULES: dict[str, UpdateRule] = {
    "simultaneous": UpdateRule("simultaneous"),
    "alternating": UpdateRule(),
    "alternating, n_critic 5": UpdateRule(n_critic=5),
    "extragradient": UpdateRule("extragradient"),
    "optimistic": UpdateRule("optimistic"),
    "consensus": UpdateRule("consensus"),
    "alternating consensus": UpdateRule("alternating_consensus"),
}
STABILISERS = ("none", "r1", "r2", "r1 + r2", "instance noise", "wgan_gp")


@dataclass(frozen=True)
class Case:
    """One combination near the equilibrium.

    Attributes:
        objective: its name.
        rule: as in `RULES`.
        stabiliser: as in `STABILISERS`.
        closed_form: largest |eigenvalue| on paper.
        autodiff: the same, of the Jacobian that autodiff finds.
        measured: growth per step in training; NaN where the update lacks an eigenbasis.
    """

    objective: str
    rule: str
    stabiliser: str
    closed_form: float
    autodiff: float
    measured: float


@dataclass(frozen=True)
class Threshold:
    """Both sides of a step-size condition: measured growth at 0.9 and at 1.1 times the largest stable step."""

    rule: str
    objective: str
    stabiliser: str
    formula: str
    step_size: float
    growth_below: float
    growth_above: float


@dataclass(frozen=True)
class Orbit:
    """Alternating updates far from the equilibrium.

    Attributes:
        objective: its name.
        radius: where it starts, at (radius, 0).
        steps: how many were made.
        drift: largest relative change of theta^2 + psi^2 - h c theta psi on the way.
        final_radius: sqrt(theta^2 + psi^2) at the end, relative to the start.
    """

    objective: str
    radius: float
    steps: int
    drift: float
    final_radius: float


@dataclass(frozen=True)
class Escape:
    """WGAN-GP, which has no Jacobian at psi = 0: the radius after a start beside the equilibrium."""

    rule: str
    objective: str
    start: float
    least_radius: float
    most_radius: float


def game_of(objective: str, rule: str, stabiliser: str, *, step_size: float = STEP_SIZE) -> DiracGame:
    """The game of one combination; both players with the same step size, gradient descent."""
    penalties: dict[str, tuple[Penalty, ...]] = {
        "r1": (r1(GAMMA),),
        "r2": (r2(GAMMA),),
        "r1 + r2": (r1(GAMMA), r2(GAMMA)),
        "wgan_gp": (wgan_gp(1.0),),
    }
    return DiracGame(
        objectives.find(objective)(),
        RULES[rule],
        penalties.get(stabiliser, ()),
        generator_rate=step_size,
        discriminator_rate=step_size,
        noise=instance_noise(NOISE_LEVEL, final=NOISE_LEVEL) if stabiliser == "instance noise" else None,
    )


def damping_of(objective: str, stabiliser: str) -> float:
    """What a stabiliser adds to the derivative of psi's gradient in psi, in closed form."""
    if stabiliser == "instance noise":
        return NOISE_LEVEL**2 * derivatives_of(objectives.find(objective)()).damping_per_variance
    return {"none": 0.0, "r1": GAMMA, "r2": GAMMA, "r1 + r2": 2 * GAMMA}[stabiliser]


def measure_case(objective: str, rule: str, stabiliser: str, *, step_size: float = STEP_SIZE) -> Case:
    """Growth per step of one combination, in three ways."""
    game = game_of(objective, rule, stabiliser, step_size=step_size)
    jacobian = game.update_jacobian()
    roots = closed_form(
        game.update_rule,
        step_size=step_size,
        derivatives=derivatives_of(game.objective),
        damping=damping_of(objective, stabiliser),
    )
    return Case(
        objective,
        rule,
        stabiliser,
        max(abs(root) for root in roots),
        spectral_radius(jacobian),
        game.growth(jacobian=jacobian),
    )


def measure_orbit(objective: str, radius: float, *, steps: int = 1500) -> Orbit:
    """Alternating updates without penalty from (radius, 0), and the change of theta^2 + psi^2 - h c theta psi."""
    game = game_of(objective, "alternating", "none")
    path = game.train(radius, 0.0, steps=steps)
    kept = conserved(path, rate=STEP_SIZE * derivatives_of(game.objective).rotation)
    return Orbit(
        objective, radius, steps, float(np.abs(kept / kept[0] - 1).max()), float(np.linalg.norm(path[-1]) / radius)
    )


def conserved(path: np.ndarray, *, rate: float) -> np.ndarray:
    r"""theta^2 + psi^2 - h c theta psi, psi being updated first. Constant for alternating updates of a linear game.
    Shape `(steps + 1,)`.

    From `psi' = psi - h c theta` and `theta' = theta + h c psi'`: `theta^2 + psi^2 - h c theta psi` before and
    `theta'^2 + psi'^2 - h c theta' psi'` after both equal `theta^2 + psi'^2 + h c theta psi'`. The Wasserstein game
    is linear everywhere; the logistic games are so near the equilibrium only.

    Args:
        path: theta and psi after every step. Shape `(steps + 1, 2)`.
        rate: h c.
    """
    theta, psi = path.T
    return theta**2 + psi**2 - rate * theta * psi


def measure_escape(objective: str, rule: str, *, start: float = 1e-3, steps: int = 300) -> Escape:
    """Train with WGAN-GP from next to the equilibrium; the range of the radius over the second half."""
    path = game_of(objective, rule, "wgan_gp").train(start, start, steps=steps)
    radius = np.linalg.norm(path[steps // 2 :], axis=1)
    return Escape(rule, objective, start, float(radius.min()), float(radius.max()))


def measure_thresholds() -> list[Threshold]:
    conditions = (
        ("simultaneous", "minimax", "r1", "gamma / c^2"),
        ("alternating", "minimax", "none", "2 / c (|.| is 1 below)"),
        ("alternating", "minimax", "r1", "root of h^2 c^2 + 2 h gamma = 4"),
        ("extragradient", "wasserstein", "none", "1 / c"),
        ("optimistic", "wasserstein", "none", "1 / (sqrt 3 c)"),
        ("consensus", "wasserstein", "none", "2 kappa / (1 + kappa^2 c^2)"),
    )
    rows = []
    for rule, objective, stabiliser, formula in conditions:
        limit = largest_stable_step(
            RULES[rule],
            derivatives=derivatives_of(objectives.find(objective)()),
            damping=damping_of(objective, stabiliser),
        )
        below, above = (game_of(objective, rule, stabiliser, step_size=s * limit).growth() for s in (0.9, 1.1))
        rows.append(Threshold(rule, objective, stabiliser, formula, limit, below, above))
    return rows


def trajectories() -> dict[str, tuple[tuple[float, float], ...]]:
    """Paths for the figure, from (1, 0), at twice the step size, so that the rotation is visible."""
    wanted = {
        f"{rule} / {kind}": (rule, kind)
        for kind in ("none", "r1")
        for rule in ("simultaneous", "alternating", "extragradient", "optimistic", "consensus")
    }
    games = {
        name: game_of("nonsaturating", rule, stabiliser, step_size=0.2) for name, (rule, stabiliser) in wanted.items()
    }
    games |= {
        f"minimax / {kind}": game_of("minimax", "alternating", kind, step_size=0.2)
        for kind in ("none", "r1", "wgan_gp", "instance noise")
    }
    games["minimax / decaying noise"] = replace(games["minimax / instance noise"], noise=instance_noise(NOISE_LEVEL))
    paths = {name: game.train(1.0, 0.0, steps=300 if "minimax" in name else 120) for name, game in games.items()}
    return {name: tuple((float(theta), float(psi)) for theta, psi in path) for name, path in paths.items()}
