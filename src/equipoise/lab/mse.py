r"""Why not train the generator by mean squared error?

Paired with noise that knows nothing of it, the best guess of x in squared error is its mean: `G(z) = E[x | z] = E[x]`.
Between two modes that is a place where no sample ever is. The discriminator does not ask for the right sample for each
latent, only for samples that have the distribution of the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from matplotlib.figure import Figure

from equipoise import objectives
from equipoise.game import train_step
from equipoise.lab.base import Result, drawn, table_of
from equipoise.lab.toy import LATENTS, discriminator_network, draw_batch, generator_network, player, two_modes
from equipoise.penalties.r1_r2 import r1, r2
from equipoise.plotting.style import FAKE_COLOUR, PALETTE, REAL_COLOUR, label_axes
from equipoise.randomness import torch_stream

STEPS = 2500
BATCH_SIZE = 128
SHOWN = 4000
EDGES = np.linspace(-1.8, 1.8, 91)


@dataclass(frozen=True)
class SampleRow:
    """What a set of samples looks like: moments, and the fractions near each mode and near the mean of the data."""

    name: str
    mean: float
    standard_deviation: float
    near_left_mode: float
    near_right_mode: float
    between: float


@dataclass(frozen=True)
class MseResult(Result):
    """The same generator, the same number of updates, two losses.

    Attributes:
        rows: data, squared error, adversarial.
        densities: histogram heights on `EDGES`, in the same order.
        mean_squared_error: of the generator trained for it, on fresh pairs; the variance of the data is the least.
        data_variance: 1.01.
    """

    experiment: ClassVar[str] = "mse"
    question: ClassVar[str] = "Why not mean squared error?"

    rows: tuple[SampleRow, ...]
    densities: tuple[tuple[float, ...], ...]
    mean_squared_error: float
    data_variance: float
    steps: int

    def to_text(self) -> str:
        """Moments and fractions."""
        columns = {
            "samples": "{.name}",
            "mean": "{.mean:+.3f}",
            "sd": "{.standard_deviation:.3f}",
            "within 0.3 of -1": lambda row: f"{100 * row.near_left_mode:.1f} %",
            "within 0.3 of 1": lambda row: f"{100 * row.near_right_mode:.1f} %",
            "|x| < 0.5": lambda row: f"{100 * row.between:.1f} %",
        }
        return "\n".join(
            [
                f"Data: equal modes at -1 and 1, standard deviation 0.1. {self.steps} updates of the same generator.",
                "",
                table_of(self.rows, columns),
                "",
                f"Mean squared error reached: {self.mean_squared_error:.3f}; the least possible is the data's "
                f"variance, {self.data_variance:.3f}, by the mean for every latent.",
            ]
        )

    def constants(self) -> dict[str, Any]:
        """The edges of the bins of `densities`."""
        return {"edges": EDGES}

    @drawn(9.6, 3.3, title="One generator, two losses")
    def figure(self, figure: Figure) -> None:
        """Three histograms on one axis each."""
        colours = (REAL_COLOUR, PALETTE[3], FAKE_COLOUR)
        titles = ("Data", "Squared error to paired noise", "Adversarial")
        for axes, row, heights, colour, title in zip(
            figure.subplots(1, 3), self.rows, self.densities, colours, titles, strict=True
        ):
            axes.stairs(heights, EDGES, fill=True, color=colour, alpha=0.3)
            axes.stairs(heights, EDGES, color=colour)
            label_axes(axes, f"{title}: sd {row.standard_deviation:.2f}", x="x", y="density")


def mse(*, seed: int = 0, steps: int = STEPS) -> MseResult:
    """Train the same generator by squared error to paired noise and adversarially.

    Args:
        seed: of networks, data and latents.
        steps: generator updates of each.
    """
    with torch.no_grad():
        stream = torch_stream(seed, "lab mse, shown")
        real = two_modes(SHOWN, stream)
        latents = torch.randn(SHOWN, LATENTS, generator=stream)
        by_error, as_gan = _by_squared_error(seed, steps)(latents), _as_gan(seed, steps)(latents)
        error = float((by_error - real).square().mean())
    sets = (("data", real), ("squared error", by_error), ("adversarial", as_gan))
    arrays = [values.double().numpy()[:, 0] for _, values in sets]
    return MseResult(
        rows=tuple(_describe(name, values) for (name, _), values in zip(sets, arrays, strict=True)),
        densities=tuple(
            tuple((np.histogram(np.clip(v, EDGES[0], EDGES[-1]), EDGES)[0] / (len(v) * np.diff(EDGES))).tolist())
            for v in arrays
        ),
        mean_squared_error=error,
        data_variance=1.01,
        steps=steps,
    )


@torch.enable_grad()
def _by_squared_error(seed: int, steps: int) -> torch.nn.Module:
    generator = player(generator_network(seed=seed), 2e-3)
    stream = torch_stream(seed, "lab mse, pairs")
    for step in range(steps):
        generator.scale_learning_rate(1 - step / steps)
        batch = draw_batch(two_modes, BATCH_SIZE, stream=stream)
        (generator(batch.latents) - batch.real).square().mean().backward()
        generator.update()
    return generator.network


@torch.enable_grad()
def _as_gan(seed: int, steps: int) -> torch.nn.Module:
    discriminator = player(discriminator_network(seed=seed), 2e-3)
    generator = player(generator_network(seed=seed), 2e-3)
    stream = torch_stream(seed, "lab mse, play")
    objective, penalties = objectives.find("relativistic")(), (r1(0.1), r2(0.1))
    for step in range(steps):
        progress = step / steps
        discriminator.scale_learning_rate(1 - progress)
        generator.scale_learning_rate(1 - progress)
        batches = [draw_batch(two_modes, BATCH_SIZE, stream=stream) for _ in range(2)]
        # A gamma that falls to a hundredth: coarse features first, the modes' width last.
        train_step(
            discriminator,
            generator,
            objective=objective,
            batches=batches,
            penalties=penalties,
            penalty_factor=0.01**progress,
        )
    return generator.network


def _describe(name: str, values: np.ndarray) -> SampleRow:
    return SampleRow(
        name,
        float(values.mean()),
        float(values.std()),
        float((np.abs(values + 1) < 0.3).mean()),
        float((np.abs(values - 1) < 0.3).mean()),
        float((np.abs(values) < 0.5).mean()),
    )


EXPERIMENTS = {"mse": mse}
