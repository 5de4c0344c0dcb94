r"""Why train in turns, and how many discriminator turns? A game whose best discriminator is within reach.

Data N(2, 0.5^2), generator `a + b z`, discriminator a parabola in x: the best logit between two Gaussians is exactly of
this form, so whatever goes wrong is the order of turns and not the networks. Both descend plainly, without Adam, whose
steps of fixed length would blur the two time scales. The distance to the data is their JSD by quadrature.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from equipoise import objectives
from equipoise.game import Player, UpdateRule, discriminator_loss, generator_loss, train_step
from equipoise.lab.base import text_table
from equipoise.lab.toy import draw_batch
from equipoise.metrics.divergence import jsd_by_quadrature
from equipoise.metrics.known import gaussian
from equipoise.plotting.style import PALETTE, label_axes, new_figure
from equipoise.randomness import torch_stream

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEAN, DEVIATION = 2.0, 0.5
RATE = 0.1
BATCH_SIZE = 128
STEPS = 1000
SEEDS = 3
EVERY = 10
TAIL = 0.25
"""Share of the steps, at the end, that a row's figures are averaged over: play circles, so one step says little."""


@dataclass(frozen=True)
class Arrangement:
    """Who moves when, and how fast."""

    name: str
    update_rule: UpdateRule
    discriminator_rate: float = RATE
    generator_rate: float = RATE
    learns_alone: bool = False


ARRANGEMENTS = (
    Arrangement("simultaneous", UpdateRule("simultaneous")),
    Arrangement("k = 1", UpdateRule()),
    Arrangement("k = 2", UpdateRule(n_critic=2)),
    Arrangement("k = 5", UpdateRule(n_critic=5)),
    Arrangement("k = 10", UpdateRule(n_critic=10)),
    Arrangement("k = 1, D 5x faster", UpdateRule(), discriminator_rate=5 * RATE),
    Arrangement("k = 1, G 5x faster", UpdateRule(), generator_rate=5 * RATE),
    Arrangement("5 generator turns", UpdateRule(generator_updates=5)),
    Arrangement("D to its end, then G", UpdateRule(), learns_alone=True),
)


@dataclass(frozen=True)
class TurnsRow:
    """One arrangement over several seeds.

    Attributes:
        name: of the arrangement.
        turns: updates of both players together, in the whole run.
        jsd: mean over the last quarter of the run, per seed, in nats.
        swing: standard deviation of the JSD over the last quarter, mean over seeds.
        mean: where the generator ends (first seed): a.
        deviation: and its |b|.
        course: JSD every ten steps of the first seed.
    """

    name: str
    turns: int
    jsd: tuple[float, ...]
    swing: float
    mean: float
    deviation: float
    course: tuple[float, ...]


@dataclass(frozen=True)
class TurnsResult:
    """All arrangements."""

    question: ClassVar[str] = "Why train in turns? How many discriminator steps?"

    rows: tuple[TurnsRow, ...]
    steps: int

    def to_text(self) -> str:
        """The table, best first within its order."""
        body = (
            [
                r.name,
                str(r.turns),
                f"{np.mean(r.jsd):.5f}",
                f"{min(r.jsd):.5f} to {max(r.jsd):.5f}",
                f"{r.swing:.5f}",
                f"{r.mean:.3f}",
                f"{r.deviation:.3f}",
            ]
            for r in self.rows
        )
        header = ["arrangement", "updates", "JSD at the end", "over seeds", "swing", "a", "|b|"]
        task = (
            f"Data N({MEAN:g}, {DEVIATION:g}^2); generator a + b z from a = 0, b = 1; non-saturating. "
            f"{self.steps} steps of plain descent at {RATE:g}, batch {BATCH_SIZE}."
        )
        return "\n".join(
            [
                task,
                "",
                text_table(header, body),
                "",
                "Trained to its end against a discriminator that stands still, the generator puts everything where that",
                "one is surest: beyond the data's mean, with no spread left. One answer is good for a few turns only.",
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """All rows with their courses."""
        return {
            "experiment": "turns",
            "question": self.question,
            "steps": self.steps,
            "every": EVERY,
            "rows": [asdict(row) for row in self.rows],
        }

    def figure(self) -> Figure:
        """JSD over the run for chosen arrangements; final JSD against the number of updates."""
        shown = ("simultaneous", "k = 1", "k = 5", "k = 10", "k = 1, D 5x faster", "D to its end, then G")
        colours = dict(zip(shown, PALETTE, strict=False))
        with new_figure(10.2, 4.0, title="Turns: a generator needs a discriminator that keeps up") as figure:
            left, right = figure.subplots(1, 2, width_ratios=[1.35, 1])
            for row in self.rows:
                if row.name in shown:
                    updates = row.turns * (1 + np.arange(len(row.course))) / len(row.course)
                    left.plot(
                        updates, np.maximum(row.course, 1e-7), color=colours[row.name], linewidth=1.1, label=row.name
                    )
            left.set_xscale("log")
            left.set_yscale("log")
            left.set_ylim(1e-6, 2)
            left.legend(loc="lower left", fontsize=7.5)
            label_axes(left, "Distance to the data over the run", x="updates of both players", y="JSD, nats")
            places = np.arange(len(self.rows))
            means = np.array([np.mean(row.jsd) for row in self.rows])
            low, high = (np.array([of(row.jsd) for row in self.rows]) for of in (min, max))
            right.errorbar(
                means, places, xerr=[means - low, high - means], fmt="o", markersize=4, color=PALETTE[6], linewidth=1.2
            )
            right.set_yticks(places)
            right.set_yticklabels([f"{row.name} ({row.turns:,} updates)" for row in self.rows])
            right.invert_yaxis()
            right.set_xscale("log")
            label_axes(right, f"Last quarter, {SEEDS} seeds (bar: range)", x="JSD, nats", y="")
        return figure


class Line(nn.Module):
    """Generator: a + b z."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(()))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, latents: Tensor) -> Tensor:
        return self.place + self.scale * latents


class Parabola(nn.Module):
    """Discriminator: `w0 + w1 t + w2 t^2` with `t = x - 1`, half way between the data and the generator's start."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(3))

    def forward(self, samples: Tensor) -> Tensor:
        shifted = samples.squeeze(1) - MEAN / 2
        return self.weights[0] + self.weights[1] * shifted + self.weights[2] * shifted.square()


def turns(*, seed: int = 0, steps: int = STEPS, seeds: int = SEEDS) -> TurnsResult:
    """Play every arrangement.

    Args:
        seed: the first one.
        steps: steps of each run.
        seeds: runs of each arrangement.
    """
    rows = []
    for arrangement in ARRANGEMENTS:
        runs = [_play(arrangement, seed + index, steps) for index in range(seeds)]
        tails = [course[int(len(course) * (1 - TAIL)) :] for course, _ in runs]
        place, scale = runs[0][1]
        rows.append(
            TurnsRow(
                name=arrangement.name,
                turns=steps * (1 + LONE_TURNS)
                if arrangement.learns_alone
                else steps * arrangement.update_rule.updates_per_step,
                jsd=tuple(float(np.mean(tail)) for tail in tails),
                swing=float(np.mean([np.std(tail) for tail in tails])),
                mean=place,
                deviation=abs(scale),
                course=runs[0][0],
            )
        )
    return TurnsResult(tuple(rows), steps)


LONE_TURNS = 3
"""Updates of a discriminator that learns alone, per step of the run: it is at its best long before."""


def _play(arrangement: Arrangement, seed: int, steps: int) -> tuple[tuple[float, ...], tuple[float, float]]:
    """JSD every ten steps, and (a, b) at the end."""
    discriminator = _plain_player(Parabola(), arrangement.discriminator_rate)
    generator = _plain_player(Line(), arrangement.generator_rate)
    objective = objectives.find("nonsaturating")()
    stream = torch_stream(seed, f"lab turns, {arrangement.name}")
    if arrangement.learns_alone:
        for _ in range(steps * LONE_TURNS):
            batch = draw_batch(data, BATCH_SIZE, stream=stream, latents=1)
            _, loss, _ = discriminator_loss(discriminator, generator, objective=objective, batch=batch)
            loss.backward(inputs=discriminator.parameters)
            discriminator.update()
    course = [distance(generator)]
    for step in range(1, steps + 1):
        batches = [
            draw_batch(data, BATCH_SIZE, stream=stream, latents=1)
            for _ in range(arrangement.update_rule.updates_per_step)
        ]
        if arrangement.learns_alone:
            answer = generator_loss(discriminator, generator, objective=objective, batch=batches[0])
            answer.backward(inputs=generator.parameters)
            generator.update()
        else:
            train_step(
                discriminator, generator, objective=objective, batches=batches, update_rule=arrangement.update_rule
            )
        if step % EVERY == 0:
            course.append(distance(generator))
    place, scale = (float(parameter.detach()) for parameter in generator.parameters)
    return tuple(course), (place, scale)


def _plain_player(network: nn.Module, rate: float) -> Player:
    return Player(network, torch.optim.SGD(network.parameters(), lr=rate))


def data(count: int, stream: torch.Generator) -> Tensor:
    """Real samples. Shape `(count, 1)`."""
    return MEAN + DEVIATION * torch.randn(count, 1, generator=stream)


def distance(generator: Player) -> float:
    """JSD between the data and the generator's Gaussian, in nats; log 2 for one that has (almost) collapsed."""
    place, scale = (float(parameter.detach()) for parameter in generator.parameters)
    made = gaussian(1, place, max(abs(scale), 0.01))
    real = gaussian(1, MEAN, DEVIATION)
    return jsd_by_quadrature(real.log_density, made.log_density, low=-10.0, high=14.0, cells=6000, dimensions=1)


EXPERIMENTS = {"turns": turns}
