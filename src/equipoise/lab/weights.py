r"""What if the data are unbalanced, or some rows are wanted more often? What that does to V.

Rows drawn with probability proportional to `w` are samples of the density `p_w`, proportional to `w p`. The game is
then about p_w: its equilibrium is a generator of p_w, and V is measured there. Importance weights `mean(w)/w_i` bring
back V under the data's own density, of the same discriminator.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from equipoise import objectives
from equipoise.data.sampler import WeightedDraws, balancing_weights
from equipoise.lab.base import text_table
from equipoise.objectives.value import value_function
from equipoise.plotting.style import FAKE_COLOUR, PALETTE, REAL_COLOUR, REFERENCE_LINE, label_axes, new_figure
from equipoise.randomness import numpy_stream

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS, DRAWS = 50_000, 8_000
MEANS, SHARES, DEVIATION = np.array([-1.5, 1.5]), np.array([0.9, 0.1]), 0.7
TILT = 0.8
WAYS = ("as they come", "classes balanced", "weight exp(0.8 x)")
GENERATORS = ("data", "drawn")


@dataclass(frozen=True)
class Bells:
    """A mixture of two normal densities with means `means` and shares `shares`, both of deviation `DEVIATION`."""

    means: np.ndarray
    shares: np.ndarray

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """Natural logarithm. Shape `(n,)` to `(n,)`."""
        from scipy.special import logsumexp

        exponents = -(((x[:, None] - self.means) / DEVIATION) ** 2) / 2
        return logsumexp(exponents + np.log(self.shares), axis=1) - math.log(DEVIATION * math.sqrt(2 * math.pi))

    def sample(self, count: int, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Values and classes. Shape `(count,)` each."""
        classes = stream.choice(len(self.means), size=count, p=self.shares)
        return self.means[classes] + DEVIATION * stream.standard_normal(count), classes


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
class WeightsResult:
    """All rows."""

    question: ClassVar[str] = "What if my data are unbalanced, or I want some samples more often?"

    rows: tuple[WeightsRow, ...]

    def to_text(self) -> str:
        """V under both densities, exact and estimated."""

        def pair(estimate: tuple[float, float]) -> str:
            return f"{estimate[0]:.4f} +- {estimate[1]:.4f}"

        body = (
            [
                r.way,
                r.generator,
                f"{r.exact_drawn:.4f}",
                pair(r.estimate_drawn),
                f"{r.exact_data:.4f}",
                pair(r.estimate_known),
                pair(r.estimate_self_normalised),
            ]
            for r in self.rows
        )
        header = [
            "rows drawn",
            "generator makes",
            "V, drawn density",
            "V_hat as drawn",
            "V, data density",
            "V_hat, known weights",
            "V_hat, self-normalised",
        ]
        return "\n".join(
            [
                f"Two classes, shares {SHARES[0]:g} and {SHARES[1]:g}; {ROWS} rows, {DRAWS} draws; best discriminator "
                "between what is drawn and what is generated.",
                "",
                text_table(header, body),
                "",
                f"V = -log 4 = {-math.log(4):.4f} is reached by the generator of the density that rows are drawn from, and "
                "by no other.",
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """All rows."""
        return {"experiment": "weights", "question": self.question, "rows": [asdict(row) for row in self.rows]}

    def figure(self) -> Figure:
        """The densities drawn from; V and its estimates."""
        x = np.linspace(-4, 4, 401)
        with new_figure(10.4, 3.9, title="Class balancing and sample weights: V under which density?") as figure:
            left, right = figure.subplots(1, 2, width_ratios=[1, 1.25])
            for way, colour in zip(WAYS, (REAL_COLOUR, PALETTE[2], PALETTE[3]), strict=True):
                left.plot(x, np.exp(drawn_density(way).log_density(x)), color=colour, label=way)
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
            right.set_yticks(places)
            right.set_yticklabels([f"{row.way};\ngenerator: {row.generator}" for row in self.rows], fontsize=7.5)
            right.set_ylim(len(self.rows) - 0.5, -0.9)
            right.legend(loc="upper right", fontsize=7.5)
            label_axes(right, "V of the best discriminator for what is drawn", x="V, nats (bars: 95 % intervals)", y="")
        return figure


def weights(*, seed: int = 0) -> WeightsResult:
    """Draw rows in three ways, and measure V against two generators.

    Args:
        seed: of the rows and draws.
    """
    values, classes = DATA.sample(ROWS, numpy_stream(seed, "lab weights, rows"))
    return WeightsResult(
        tuple(
            _measure(way, generator, values, classes, seed)
            for way in WAYS
            for generator in GENERATORS
            if not (way == WAYS[0] and generator == "drawn")  # the same as the data
        )
    )


DATA = Bells(MEANS, SHARES)


def drawn_density(way: str) -> Bells:
    """What rows drawn in this way are samples of; `exp(t x) N(m, s)` is proportional to `N(m + t s^2, s)`."""
    if way == "as they come":
        return DATA
    if way == "classes balanced":
        return Bells(MEANS, np.array([0.5, 0.5]))
    shares = SHARES * np.exp(TILT * MEANS)
    return Bells(MEANS + TILT * DEVIATION**2, shares / shares.sum())


def row_weights(way: str, values: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The chance of each row, up to a factor."""
    if way == "as they come":
        return np.ones(len(values))
    return balancing_weights(classes) if way == "classes balanced" else np.exp(TILT * values)


def _measure(way: str, generator: str, values: np.ndarray, classes: np.ndarray, seed: int) -> WeightsRow:
    objective = objectives.find("minimax")()
    assert objective.fake_term is not None
    drawn = drawn_density(way)
    made = DATA if generator == "data" else drawn

    def best_logits(x: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(drawn.log_density(x) - made.log_density(x))

    cells = np.linspace(-8, 8, 16_001)
    logits = best_logits(cells)
    real, fake = objective.real_term(logits).numpy(), objective.fake_term(logits).numpy()

    def exact(density: Bells) -> float:
        return float((np.exp(density.log_density(cells)) * real + np.exp(made.log_density(cells)) * fake).sum() * 1e-3)

    chances = row_weights(way, values, classes)
    rows = WeightedDraws(chances, seed=seed).indices(draw=0, batch_size=DRAWS)
    importance = torch.from_numpy(chances.mean() / chances[rows])
    real_logits = best_logits(values[rows])
    fake_logits = best_logits(made.sample(DRAWS, numpy_stream(seed, "lab weights, generated"))[0])
    as_drawn = value_function(objective, real_logits, fake_logits)
    known = value_function(objective, real_logits, fake_logits, weights=importance, weighting="known")
    normalised = value_function(objective, real_logits, fake_logits, weights=importance, weighting="self_normalised")
    estimates = [(found.value, found.standard_error or 0.0) for found in (as_drawn, known, normalised)]
    return WeightsRow(way, generator, exact(drawn), estimates[0], exact(DATA), estimates[1], estimates[2])


EXPERIMENTS = {"weights": weights}
