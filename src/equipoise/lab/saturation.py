r"""Why are there two generator losses, and what is saturation?

When the discriminator is sure that a sample is generated (logit l far below 0), the gradient of `log(1 - D)` in l is
`-sigmoid(l)`, nearly nothing; that of `-log D` is `-sigmoid(-l)`, nearly -1. The second, written with a small number
inside the logarithm, `-log(sigmoid(l) + eps)`, saturates again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from matplotlib.figure import Figure
from torch import Tensor

from equipoise import objectives
from equipoise.game import discriminator_loss, generator_loss, total_norm
from equipoise.lab.base import Result, drawn, table_of
from equipoise.lab.toy import discriminator_network, draw_batch, generator_network, player, two_modes
from equipoise.plotting.style import PALETTE, label_axes
from equipoise.randomness import torch_stream

EPSILON = 1e-8
LOGITS = (-100.0, -30.0, -20.0, -10.0, -5.0, -2.0, 0.0, 2.0, 5.0)
STEPS = 600
SURE = 0.01
AWAY = 3.0
"""Where the fixed generator puts its samples, about: beside the data, so that the discriminator can win."""


@dataclass(frozen=True)
class GradientRow:
    """Derivative of each generator loss in the logit of one generated sample."""

    logit: float
    probability: float
    saturating: float
    nonsaturating: float
    badly_written: float


@dataclass(frozen=True)
class LiveRow:
    """A fixed generator, after so many updates of the discriminator.

    Attributes:
        step: discriminator updates so far.
        mean_probability: mean D on generated samples.
        share_sure: fraction of generated samples with D below 0.01.
        saturating: norm of the generator's gradient by the saturating loss.
        nonsaturating: the same by the non-saturating loss.
        cosine: between the two gradients; 1 is parallel.
    """

    step: int
    mean_probability: float
    share_sure: float
    saturating: float
    nonsaturating: float
    cosine: float


@dataclass(frozen=True)
class SaturationResult(Result):
    """Gradients on paper and gradients in a run whose discriminator wins."""

    experiment: ClassVar[str] = "saturation"
    question: ClassVar[str] = "Why two generator losses? What is saturation?"

    gradients: tuple[GradientRow, ...]
    curves: tuple[GradientRow, ...]
    live: tuple[LiveRow, ...]

    def to_text(self) -> str:
        """Both tables."""
        losses = {"saturating": "{.saturating:.3e}", "non-saturating": "{.nonsaturating:.3e}"}
        by_logit = {
            "logit": "{.logit:g}",
            "D(x)": "{.probability:.2e}",
            **losses,
            f"-log(D + {EPSILON:g})": "{.badly_written:.3e}",
        }
        by_step = {
            "updates": "{.step}",
            "mean D(G(z))": "{.mean_probability:.4f}",
            "D < 0.01": lambda row: f"{100 * row.share_sure:.0f} %",
            **losses,
            "ratio": lambda row: f"{row.nonsaturating / row.saturating:.1f}",
            "cosine": "{.cosine:.3f}",
        }
        return "\n".join(
            [
                "Derivative of the generator's loss in the logit of one generated sample (by autodiff, float64):",
                "",
                table_of(self.gradients, by_logit),
                "",
                "A discriminator trained against a fixed generator, and the gradient that reaches the generator:",
                "",
                table_of(self.live, by_step),
            ]
        )

    def constants(self) -> dict[str, Any]:
        """What the badly written loss adds."""
        return {"epsilon": EPSILON}

    @drawn(9.6, 3.8, title="What reaches the generator when the discriminator wins")
    def figure(self, figure: Figure) -> None:
        """Gradient against the logit; gradient norms against the discriminator's confidence."""
        sides = (
            ("saturating", "saturating, log(1 - D)", PALETTE[1]),
            ("nonsaturating", "non-saturating, -log D", PALETTE[0]),
        )
        left, right = figure.subplots(1, 2)
        logits = [row.logit for row in self.curves]
        for key, words, colour in sides:
            left.plot(logits, [-getattr(row, key) for row in self.curves], color=colour, label=words)
            right.plot(
                [row.mean_probability for row in self.live],
                [getattr(row, key) for row in self.live],
                "o-",
                markersize=3,
                linewidth=1.1,
                color=colour,
            )
        left.plot(
            logits,
            [-row.badly_written for row in self.curves],
            color=PALETTE[6],
            linestyle=(0, (4, 2)),
            label=f"-log(D + {EPSILON:g})",
        )
        left.set(yscale="log", ylim=(1e-14, 50))
        left.legend(loc="lower right")
        right.set(xscale="log", yscale="log")
        right.invert_xaxis()
        label_axes(
            left, "One generated sample", x="logit of the sample", y="size of the loss's derivative in the logit"
        )
        label_axes(
            right,
            f"A run: {self.live[-1].step} updates against a fixed generator",
            x="mean D(G(z)): the discriminator grows surer to the right",
            y="norm of the generator's gradient",
        )


def saturation(*, seed: int = 0, steps: int = STEPS) -> SaturationResult:
    """Differentiate the generator's losses in closed form and in a run.

    Args:
        seed: of networks and samples.
        steps: discriminator updates in the run.
    """
    return SaturationResult(
        gradients=tuple(gradient_row(logit) for logit in LOGITS),
        curves=tuple(gradient_row(-32 + 0.5 * index) for index in range(81)),
        live=tuple(_live(seed, steps)),
    )


def gradient_row(logit: float) -> GradientRow:
    """All three derivatives at one logit."""
    losses: tuple[Callable[[Tensor], Tensor], ...] = (
        lambda logits: objectives.find("minimax")().generator_loss(logits.detach(), logits),
        lambda logits: objectives.find("nonsaturating")().generator_loss(logits.detach(), logits),
        lambda logits: -torch.log(torch.sigmoid(logits) + EPSILON).mean(),
    )
    derivatives = [_derivative(loss, logit) for loss in losses]
    return GradientRow(logit, float(torch.sigmoid(torch.tensor(logit, dtype=torch.float64))), *derivatives)


def _derivative(loss: Callable[[Tensor], Tensor], logit: float) -> float:
    point = torch.tensor([logit], dtype=torch.float64, requires_grad=True)
    (derivative,) = torch.autograd.grad(loss(point), point)
    return float(derivative)


def _live(seed: int, steps: int) -> list[LiveRow]:
    discriminator = player(discriminator_network(seed=seed), 2e-3)
    generator = player(generator_network(seed=seed), 0.0)
    with torch.no_grad():
        generator.network.output.weight.mul_(0.2)
        generator.network.output.bias.fill_(AWAY)
    stream = torch_stream(seed, "lab saturation")
    fixed = draw_batch(two_modes, 512, stream=stream)
    due = {round(steps * part) for part in (0, 0.02, 0.04, 0.07, 0.1, 0.15, 0.25, 0.4, 0.6, 0.8, 1.0)}
    rows = []
    for step in range(steps + 1):
        if step in due:
            gradients = [
                torch.autograd.grad(
                    generator_loss(discriminator, generator, objective=objectives.find(name)(), batch=fixed),
                    generator.parameters,
                )
                for name in ("minimax", "nonsaturating")
            ]
            with torch.no_grad():
                probability = torch.sigmoid(discriminator(generator(fixed.latents)).double())
            norms = [float(total_norm(gradient)) for gradient in gradients]
            inner = sum(float((a.double() * b.double()).sum()) for a, b in zip(*gradients, strict=True))
            rows.append(
                LiveRow(
                    step,
                    float(probability.mean()),
                    float((probability < SURE).double().mean()),
                    norms[0],
                    norms[1],
                    inner / max(norms[0] * norms[1], 1e-300),
                )
            )
        batch = draw_batch(two_modes, 128, stream=stream)
        _, loss, _ = discriminator_loss(discriminator, generator, objective=objectives.find("minimax")(), batch=batch)
        loss.backward(inputs=discriminator.parameters)
        discriminator.update()
    return rows


EXPERIMENTS = {"saturation": saturation}
