r"""Why update the players in turn, and how often the discriminator (`n_critic`)?

Data N(2, 0.5^2), generator `a + b z`, discriminator a parabola in x: the best logit between two Gaussians is exactly of
this form, so whatever goes wrong is the update rule and not the networks. Both use plain gradient descent, without
Adam, whose steps of fixed length would blur the two time scales. The distance to the data is their JSD by quadrature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from equipoise import objectives
from equipoise.game import Player, UpdateRule, discriminator_loss, generator_loss, train_step
from equipoise.lab.base import Result, drawn, table_of
from equipoise.lab.toy import draw_batch
from equipoise.metrics.divergence import jsd_by_quadrature
from equipoise.metrics.known import gaussian
from equipoise.plotting.style import PALETTE, label_axes
from equipoise.randomness import torch_stream

MEAN, DEVIATION = 2.0, 0.5
RATE = 0.1
BATCH_SIZE = 128
STEPS = 1000
SEEDS = 3
EVERY = 10
TAIL = 0.25
"""Fraction of the steps, at the end, over which a row's numbers are averages, because the iterates circle."""


@dataclass(frozen=True)
class Arrangement:
    """Which player is updated when, and with which learning rate.

    Attributes:
        name: in words.
        stream: label of its random stream, frozen; older than the name.
        update_rule: of a step.
        discriminator_rate: of plain gradient descent.
        generator_rate: the same.
        trains_discriminator_first: train the discriminator alone first, then the generator alone.
    """

    name: str
    stream: str
    update_rule: UpdateRule
    discriminator_rate: float = RATE
    generator_rate: float = RATE
    trains_discriminator_first: bool = False


ARRANGEMENTS = (
    Arrangement("simultaneous", "simultaneous", UpdateRule("simultaneous")),
    Arrangement("n_critic = 1", "k = 1", UpdateRule()),
    Arrangement("n_critic = 2", "k = 2", UpdateRule(n_critic=2)),
    Arrangement("n_critic = 5", "k = 5", UpdateRule(n_critic=5)),
    Arrangement("n_critic = 10", "k = 10", UpdateRule(n_critic=10)),
    Arrangement("n_critic = 1, D 5x faster", "k = 1, D 5x faster", UpdateRule(), discriminator_rate=5 * RATE),
    Arrangement("n_critic = 1, G 5x faster", "k = 1, G 5x faster", UpdateRule(), generator_rate=5 * RATE),
    Arrangement("5 generator updates", "5 generator turns", UpdateRule(generator_updates=5)),
    Arrangement("D to its end, then G", "D to its end, then G", UpdateRule(), trains_discriminator_first=True),
)


@dataclass(frozen=True)
class UpdateRuleRow:
    """One arrangement over several seeds.

    Attributes:
        name: of the arrangement.
        updates: of both players together, in the whole run.
        jsd: mean over the last quarter of the run, per seed, in nats.
        fluctuation: standard deviation of the JSD over the last quarter, mean over seeds.
        mean: where the generator ends (first seed): a.
        deviation: and its |b|.
        history: JSD every ten steps of the first seed.
    """

    name: str
    updates: int
    jsd: tuple[float, ...]
    fluctuation: float
    mean: float
    deviation: float
    history: tuple[float, ...]


@dataclass(frozen=True)
class UpdateRulesResult(Result):
    """All arrangements."""

    experiment: ClassVar[str] = "update-rules"
    question: ClassVar[str] = "Why update the players in turn? How many discriminator updates per step (n_critic)?"

    rows: tuple[UpdateRuleRow, ...]
    steps: int

    def to_text(self) -> str:
        """One row for each arrangement."""
        columns = {
            "arrangement": "{.name}",
            "updates": "{.updates}",
            "JSD at the end": lambda row: f"{np.mean(row.jsd):.5f}",
            "over seeds": lambda row: f"{min(row.jsd):.5f} to {max(row.jsd):.5f}",
            "fluctuation": "{.fluctuation:.5f}",
            "a": "{.mean:.3f}",
            "|b|": "{.deviation:.3f}",
        }
        task = (
            f"Data N({MEAN:g}, {DEVIATION:g}^2); generator a + b z from a = 0, b = 1; non-saturating. "
            f"{self.steps} steps of gradient descent at {RATE:g}, batch {BATCH_SIZE}."
        )
        return "\n".join(
            [
                task,
                "",
                table_of(self.rows, columns),
                "",
                "Trained to its end against a fixed discriminator, the generator puts all samples where that one is",
                "most sure that they are real: beyond the data's mean, with no spread left. A discriminator serves for",
                "a few updates of the generator only.",
            ]
        )

    def constants(self) -> dict[str, Any]:
        """Steps between two entries of a history."""
        return {"every": EVERY}

    @drawn(10.2, 4.0, title="A generator needs a discriminator that keeps up")
    def figure(self, figure: Figure) -> None:
        """JSD over the run for chosen arrangements; final JSD against the number of updates."""
        shown = (
            "simultaneous",
            "n_critic = 1",
            "n_critic = 5",
            "n_critic = 10",
            "n_critic = 1, D 5x faster",
            "D to its end, then G",
        )
        colours = dict(zip(shown, PALETTE, strict=False))
        left, right = figure.subplots(1, 2, width_ratios=[1.35, 1])
        for row in self.rows:
            if row.name in shown:
                updates = row.updates * (1 + np.arange(len(row.history))) / len(row.history)
                left.plot(
                    updates, np.maximum(row.history, 1e-7), color=colours[row.name], linewidth=1.1, label=row.name
                )
        left.set(xscale="log", yscale="log", ylim=(1e-6, 2))
        left.legend(loc="lower left", fontsize=7.5)
        label_axes(left, "Distance to the data over the run", x="updates of both players", y="JSD, nats")
        places = np.arange(len(self.rows))
        means = np.array([np.mean(row.jsd) for row in self.rows])
        low, high = (np.array([of(row.jsd) for row in self.rows]) for of in (min, max))
        right.errorbar(
            means, places, xerr=[means - low, high - means], fmt="o", markersize=4, color=PALETTE[6], linewidth=1.2
        )
        right.set_yticks(places, [f"{row.name} ({row.updates:,} updates)" for row in self.rows])
        right.invert_yaxis()
        right.set_xscale("log")
        label_axes(right, f"Last quarter, {SEEDS} seeds (bar: range)", x="JSD, nats", y="")


class Line(nn.Module):
    """Generator: a + b z."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(()))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, latents: Tensor) -> Tensor:
        return self.shift + self.scale * latents


class Parabola(nn.Module):
    """Discriminator: `w0 + w1 t + w2 t^2` with `t = x - 1`, half way between the data and the generator's start."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(3))

    def forward(self, samples: Tensor) -> Tensor:
        shifted = samples.squeeze(1) - MEAN / 2
        return self.weights[0] + self.weights[1] * shifted + self.weights[2] * shifted.square()


def update_rules(*, seed: int = 0, steps: int = STEPS, seeds: int = SEEDS) -> UpdateRulesResult:
    """Train with every arrangement.

    Args:
        seed: the first one.
        steps: steps of each run.
        seeds: runs of each arrangement.
    """
    rows = []
    for arrangement in ARRANGEMENTS:
        runs = [_train(arrangement, seed + index, steps) for index in range(seeds)]
        tails = [history[int(len(history) * (1 - TAIL)) :] for history, _ in runs]
        shift, scale = runs[0][1]
        rows.append(
            UpdateRuleRow(
                name=arrangement.name,
                updates=steps * (1 + UPDATES_ALONE)
                if arrangement.trains_discriminator_first
                else steps * arrangement.update_rule.updates_per_step,
                jsd=tuple(float(np.mean(tail)) for tail in tails),
                fluctuation=float(np.mean([np.std(tail) for tail in tails])),
                mean=shift,
                deviation=abs(scale),
                history=runs[0][0],
            )
        )
    return UpdateRulesResult(tuple(rows), steps)


UPDATES_ALONE = 3
"""Updates of a discriminator that is trained alone, per step of the run: it is at its best long before."""


def _train(arrangement: Arrangement, seed: int, steps: int) -> tuple[tuple[float, ...], tuple[float, float]]:
    """JSD every ten steps, and (a, b) at the end."""
    discriminator = _player(Parabola(), arrangement.discriminator_rate)
    generator = _player(Line(), arrangement.generator_rate)
    objective = objectives.find("nonsaturating")()
    stream = torch_stream(seed, f"lab turns, {arrangement.stream}")
    if arrangement.trains_discriminator_first:
        for _ in range(steps * UPDATES_ALONE):
            batch = draw_batch(data, BATCH_SIZE, stream=stream, latents=1)
            _, loss, _ = discriminator_loss(discriminator, generator, objective=objective, batch=batch)
            loss.backward(inputs=discriminator.parameters)
            discriminator.update()
    history = [distance(generator)]
    for step in range(1, steps + 1):
        batches = [
            draw_batch(data, BATCH_SIZE, stream=stream, latents=1)
            for _ in range(arrangement.update_rule.updates_per_step)
        ]
        if arrangement.trains_discriminator_first:
            loss = generator_loss(discriminator, generator, objective=objective, batch=batches[0])
            loss.backward(inputs=generator.parameters)
            generator.update()
        else:
            train_step(
                discriminator, generator, objective=objective, batches=batches, update_rule=arrangement.update_rule
            )
        if step % EVERY == 0:
            history.append(distance(generator))
    shift, scale = (float(parameter.detach()) for parameter in generator.parameters)
    return tuple(history), (shift, scale)


def _player(network: nn.Module, rate: float) -> Player:
    return Player(network, torch.optim.SGD(network.parameters(), lr=rate))


def data(count: int, stream: torch.Generator) -> Tensor:
    """Real samples. Shape `(count, 1)`."""
    return MEAN + DEVIATION * torch.randn(count, 1, generator=stream)


def distance(generator: Player) -> float:
    """JSD between the data and the generator's Gaussian, in nats; log 2 for one that has (almost) collapsed."""
    shift, scale = (float(parameter.detach()) for parameter in generator.parameters)
    generated = gaussian(1, shift, max(abs(scale), 0.01))
    real = gaussian(1, MEAN, DEVIATION)
    return jsd_by_quadrature(real.log_density, generated.log_density, low=-10.0, high=14.0, cells=6000, dimensions=1)


EXPERIMENTS = {"update-rules": update_rules}
