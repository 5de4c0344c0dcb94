r"""What if the data are unbalanced, or some rows are wanted more often? What that does to V.

Rows drawn with probability proportional to `w` are samples of the density `p_w`, proportional to `w p`. The game is
then about p_w: its equilibrium is a generator of p_w, and V is measured there. Importance weights `mean(w)/w_i` bring
back V under the data's own density, of the same discriminator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from matplotlib.figure import Figure

from equipoise import objectives
from equipoise.data.sampler import WeightedDraws, balancing_weights
from equipoise.lab.base import Result, drawn, table_of
from equipoise.metrics.known import Mixture
from equipoise.objectives.value import value_function
from equipoise.plotting.style import FAKE_COLOUR, PALETTE, REAL_COLOUR, REFERENCE_LINE, label_axes
from equipoise.randomness import numpy_stream

ROWS, DRAWS = 50_000, 8_000
MEANS, SHARES, DEVIATION = np.array([-1.5, 1.5]), np.array([0.9, 0.1]), 0.7
TILT = 0.8
WAYS = ("as they come", "classes balanced", "weight exp(0.8 x)")
GENERATORS = ("data", "drawn")


@dataclass(frozen=True)
class WeightsRow:
    """One way of drawing rows and one generator, with the best discriminator between what is drawn and generated.

    Attributes:
        way: how rows are drawn.
        generator: `data` generates the data's density, `drawn` the density that is drawn from.
        exact_drawn: V under the density drawn from, by quadrature.
        estimate_drawn: V_hat of the draws as they are, and its standard error.
        exact_data: V of the same discriminator under the data's density, by quadrature.
        estimate_known: V_hat with importance weights of known constant, and its standard error.
        estimate_self_normalised: the same with weights divided by their sum.
    """

    way: str
    generator: str
    exact_drawn: float
    estimate_drawn: tuple[float, float]
    exact_data: float
    estimate_known: tuple[float, float]
    estimate_self_normalised: tuple[float, float]


@dataclass(frozen=True)
class WeightsResult(Result):
    """All rows."""

    experiment: ClassVar[str] = "weights"
    question: ClassVar[str] = "What if my data are unbalanced, or I want some samples more often?"

    rows: tuple[WeightsRow, ...]

    def to_text(self) -> str:
        """V under both densities, exact and estimated."""
        columns = {
            "rows drawn": "{.way}",
            "generator makes": "{.generator}",
            "V, drawn density": "{.exact_drawn:.4f}",
            "V_hat as drawn": "{0.estimate_drawn[0]:.4f} +- {0.estimate_drawn[1]:.4f}",
            "V, data density": "{.exact_data:.4f}",
            "V_hat, known weights": "{0.estimate_known[0]:.4f} +- {0.estimate_known[1]:.4f}",
            "V_hat, self-normalised": "{0.estimate_self_normalised[0]:.4f} +- {0.estimate_self_normalised[1]:.4f}",
        }
        return "\n".join(
            [
                f"Two classes of {SHARES[0]:.0%} and {SHARES[1]:.0%} of the rows; {ROWS} rows, {DRAWS} draws; best "
                "discriminator between what is drawn and what is generated.",
                "",
                table_of(self.rows, columns),
                "",
                f"V = -log 4 = {-math.log(4):.4f} is reached by the generator of the density that rows are drawn from, "
                "and by no other.",
            ]
        )

    @drawn(10.4, 3.9, title="Class balancing and sample weights: V under which density?")
    def figure(self, figure: Figure) -> None:
        """The densities drawn from; V and its estimates."""
        x = np.linspace(-4, 4, 401)
        left, right = figure.subplots(1, 2, width_ratios=[1, 1.25])
        for way, colour in zip(WAYS, (REAL_COLOUR, PALETTE[2], PALETTE[3]), strict=True):
            left.plot(x, drawn_density(way).density(x[:, None]), color=colour, label=way)
        left.legend(loc="upper right", fontsize=7.5)
        label_axes(left, "Density that real rows are drawn from", x="x", y="density")
        places = np.arange(len(self.rows))
        right.axvline(-math.log(4), **REFERENCE_LINE)
        right.text(-math.log(4), -0.62, " -log 4", fontsize=8, color="#5b626b", va="center")
        for shift, exact, estimate, colour, name in (
            (-0.14, "exact_drawn", "estimate_drawn", REAL_COLOUR, "density drawn from"),
            (0.14, "exact_data", "estimate_known", FAKE_COLOUR, "data density, known weights"),
        ):
            values = np.array([getattr(row, estimate) for row in self.rows])
            right.errorbar(
                values[:, 0],
                places + shift,
                xerr=1.96 * values[:, 1],
                fmt="o",
                markersize=4,
                color=colour,
                linewidth=1.2,
                label=name,
            )
            right.plot(
                [getattr(row, exact) for row in self.rows],
                places + shift,
                "|",
                markersize=11,
                color="#22262b",
                label="exact" if shift > 0 else None,
            )
        labels = [f"{row.way};\ngenerator: {row.generator}" for row in self.rows]
        right.set_yticks(places, labels, fontsize=7.5)
        right.set_ylim(len(self.rows) - 0.5, -0.9)
        right.legend(loc="upper right", fontsize=7.5)
        label_axes(right, "V of the best discriminator for what is drawn", x="V, nats (bars: 95 % intervals)", y="")


def weights(*, seed: int = 0) -> WeightsResult:
    """Draw rows in three ways, and measure V against two generators.

    Args:
        seed: of the rows and draws.
    """
    stream = numpy_stream(seed, "lab weights, rows")
    classes = stream.choice(len(MEANS), size=ROWS, p=SHARES)
    values = MEANS[classes] + DEVIATION * stream.standard_normal(ROWS)
    return WeightsResult(
        tuple(
            _measure(way, generator, values, classes, seed)
            for way in WAYS
            for generator in GENERATORS
            if not (way == WAYS[0] and generator == "drawn")  # the same as the data
        )
    )


DATA = Mixture("data", MEANS[:, None], DEVIATION, SHARES)


def drawn_density(way: str) -> Mixture:
    """What rows drawn in this way are samples of; `exp(t x) N(m, s)` is proportional to `N(m + t s^2, s)`."""
    if way == "as they come":
        return DATA
    if way == "classes balanced":
        return replace(DATA, weights=np.array([0.5, 0.5]))
    shares = SHARES * np.exp(TILT * MEANS)
    return replace(DATA, means=DATA.means + TILT * DEVIATION**2, weights=shares / shares.sum())


def row_weights(way: str, values: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The probability of each row, up to a factor."""
    if way == "as they come":
        return np.ones(len(values))
    return balancing_weights(classes) if way == "classes balanced" else np.exp(TILT * values)


def _measure(way: str, generator: str, values: np.ndarray, classes: np.ndarray, seed: int) -> WeightsRow:
    objective = objectives.find("minimax")()
    assert objective.fake_term is not None
    drawn = drawn_density(way)
    generated = DATA if generator == "data" else drawn

    def best_logits(x: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(drawn.log_density(x[:, None]) - generated.log_density(x[:, None]))

    cells = np.linspace(-8, 8, 16_001)
    logits = best_logits(cells)
    real, fake = objective.real_term(logits).numpy(), objective.fake_term(logits).numpy()

    def exact(density: Mixture) -> float:
        on_real, on_fake = density.density(cells[:, None]) * real, generated.density(cells[:, None]) * fake
        return float((on_real + on_fake).sum() * 1e-3)

    wanted = row_weights(way, values, classes)
    rows = WeightedDraws(wanted, seed=seed).indices(draw=0, batch_size=DRAWS)
    importance = torch.from_numpy(wanted.mean() / wanted[rows])
    real_logits = best_logits(values[rows])
    fake_logits = best_logits(generated.sample(DRAWS, numpy_stream(seed, "lab weights, generated"))[:, 0])
    as_drawn = value_function(objective, real_logits, fake_logits)
    known = value_function(objective, real_logits, fake_logits, weights=importance, weighting="known")
    normalised = value_function(objective, real_logits, fake_logits, weights=importance, weighting="self_normalised")
    estimates = [(found.value, found.standard_error or 0.0) for found in (as_drawn, known, normalised)]
    return WeightsRow(way, generator, exact(drawn), estimates[0], exact(DATA), estimates[1], estimates[2])


EXPERIMENTS = {"weights": weights}
