r"""Where do the expectations of V come from when there is only a batch, and is 1/m the probability of a sample?

`V_hat` is a mean over m independent draws of each side: right on average at every m, and off by about
`sqrt(var(a)/m + var(b)/m)` in any single batch. 1/m is the weight of a draw. When rows are drawn with other
probabilities than the data's, importance weights bring the data's V back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from matplotlib.figure import Figure

from equipoise import objectives
from equipoise.lab.base import Result, drawn, table_of
from equipoise.objectives.value import Weighting, value_function
from equipoise.plotting.style import FAKE_COLOUR, REAL_COLOUR, REFERENCE_LINE, label_axes
from equipoise.randomness import torch_stream

BATCH_SIZES = (1, 2, 4, 16, 64, 256, 1024)
REPEATS = 1500
WAYS: tuple[tuple[str, Weighting | None], ...] = (
    ("as drawn", None),
    ("weights known", "known"),
    ("weights self-normalised", "self_normalised"),
)
_COLOURS = {"as drawn": REAL_COLOUR, "weights known": FAKE_COLOUR, "weights self-normalised": "#009e73"}


@dataclass(frozen=True)
class SizeRow:
    """One way of estimating at one batch size, over many batches.

    Attributes:
        way: how rows were drawn and weighted.
        batch_size: m, on each side.
        mean: of the estimates.
        mean_error: standard error of that mean, from the number of batches.
        spread: standard deviation of the estimates from batch to batch.
        predicted_spread: what one over root m predicts, exactly, by quadrature; to first order if self-normalised.
        stated_error: root mean square of the standard errors that single batches state; `None` at m = 1.
        coverage: fraction of 95 % intervals that hold the exact V; `None` at m = 1.
    """

    way: str
    batch_size: int
    mean: float
    mean_error: float
    spread: float
    predicted_spread: float
    stated_error: float | None
    coverage: float | None


@dataclass(frozen=True)
class ValueResult(Result):
    """Estimates of V against batch size."""

    experiment: ClassVar[str] = "value"
    question: ClassVar[str] = "Why is a batch loss V, and what does one over m have to do with it?"

    exact: float
    repeats: int
    rows: tuple[SizeRow, ...]

    def to_text(self) -> str:
        """Mean, bias and spread by batch size."""
        columns = {
            "real rows": "{.way}",
            "m": "{.batch_size}",
            "mean of V_hat": "{.mean:.4f}",
            "bias": lambda row: f"{row.mean - self.exact:+.4f}",
            "+-": "{.mean_error:.4f}",
            "spread": "{.spread:.4f}",
            "predicted": "{.predicted_spread:.4f}",
            "stated error": lambda row: "none" if row.stated_error is None else f"{row.stated_error:.4f}",
            "covered": lambda row: "" if row.coverage is None else f"{100 * row.coverage:.1f} %",
        }
        return "\n".join(
            [
                f"p = N(0, 1), q = N(1, 1), best discriminator: V = {self.exact:.6f} nats exactly. {self.repeats} "
                "batches of each size.",
                "Weighted rows were drawn with probability proportional to exp(x) and weighted back by exp(-x).",
                "",
                table_of(self.rows, columns),
            ]
        )

    @drawn(10.6, 3.7, title="The value function from a batch of m draws a side")
    def figure(self, figure: Figure) -> None:
        """Mean and spread of the estimate; spread against 1/sqrt(m); bias."""
        left, middle, right = figure.subplots(1, 3)
        left.axhline(self.exact, **REFERENCE_LINE)
        for shift, (way, _) in zip((0.86, 1.0, 1.16), WAYS, strict=True):
            rows = [row for row in self.rows if row.way == way]
            sizes = np.array([row.batch_size for row in rows], dtype=float)
            spread = np.array([row.spread for row in rows])
            bias = np.array([row.mean - self.exact for row in rows])
            colour = _COLOURS[way]
            left.errorbar(
                sizes * shift,
                self.exact + bias,
                spread,
                fmt="o",
                markersize=3.5,
                color=colour,
                label=way,
                linewidth=1.2,
            )
            middle.plot(sizes, spread, "o", markersize=3.5, color=colour)
            middle.plot(sizes, [row.predicted_spread for row in rows], color=colour, linewidth=1)
            right.errorbar(
                sizes * shift,
                bias,
                [1.96 * row.mean_error for row in rows],
                fmt="o",
                markersize=3.5,
                color=colour,
                linewidth=1.2,
            )
        right.axhline(0.0, **REFERENCE_LINE)
        left.legend(loc="lower right", fontsize=7.5)
        label_axes(left, "Mean ± one standard deviation", x="batch size m", y="estimate of V, nats")
        label_axes(middle, "Spread (dots) falls like 1/√m (lines)", x="batch size m", y="standard deviation, nats")
        label_axes(right, "Bias, with its 95 % interval", x="batch size m", y="mean estimate - V, nats")
        middle.set_yscale("log")
        middle.set_yticks((0.02, 0.05, 0.1, 0.2, 0.5), ("0.02", "0.05", "0.1", "0.2", "0.5"))
        for axes in (left, middle, right):
            axes.set_xscale("log", base=4)
            axes.set_xticks(BATCH_SIZES, [str(size) for size in BATCH_SIZES], fontsize=7)
            axes.minorticks_off()


def value(*, seed: int = 0, repeats: int = REPEATS) -> ValueResult:
    """Estimate V of the best discriminator between N(0, 1) and N(1, 1) from many batches of each size.

    Args:
        seed: of the batches.
        repeats: batches of each size and way.
    """
    exact, spreads = exact_moments()
    rows = [
        _measure(way, weighting, size, exact=exact, spread=spreads[way], seed=seed, repeats=repeats)
        for way, weighting in WAYS
        for size in BATCH_SIZES
    ]
    return ValueResult(exact, repeats, tuple(rows))


def best_logits(x: torch.Tensor) -> torch.Tensor:
    """log(p/q) for p = N(0, 1), q = N(1, 1): 1/2 - x."""
    return 0.5 - x


def exact_moments() -> tuple[float, dict[str, float]]:
    """V, and for each way the standard deviation of a batch of one, by quadrature.

    Rows drawn with probability proportional to e^x have the density N(1, 1); the weight back is `e^(1/2 - x)`.
    """
    objective = objectives.find("minimax")()
    assert objective.fake_term is not None
    x = torch.linspace(-13, 14, 54_001, dtype=torch.float64)
    normal, moved = (torch.exp(-((x - mean) ** 2) / 2) * (27 / 54_000) / math.sqrt(2 * math.pi) for mean in (0.0, 1.0))
    real, fake, weight = objective.real_term(best_logits(x)), objective.fake_term(best_logits(x)), torch.exp(0.5 - x)
    real_mean, fake_mean = float(normal @ real), float(moved @ fake)
    fake_variance = float(moved @ fake**2) - fake_mean**2
    variances = {
        "as drawn": float(normal @ real**2) - real_mean**2,
        "weights known": float(moved @ (weight * real) ** 2) - real_mean**2,
        "weights self-normalised": float(moved @ (weight * (real - real_mean)) ** 2),
    }
    return real_mean + fake_mean, {way: math.sqrt(variance + fake_variance) for way, variance in variances.items()}


def _measure(
    way: str, weighting: Weighting | None, size: int, *, exact: float, spread: float, seed: int, repeats: int
) -> SizeRow:
    objective = objectives.find("minimax")()
    stream = torch_stream(seed, f"lab value, {way}", size)
    # Probabilities proportional to e^x turn N(0, 1) into N(1, 1).
    shift = 0.0 if weighting is None else 1.0
    real = torch.randn(repeats, size, generator=stream, dtype=torch.float64) + shift
    fake = torch.randn(repeats, size, generator=stream, dtype=torch.float64) + 1.0
    weights = None if weighting is None else torch.exp(0.5 - real)
    estimates = [
        value_function(
            objective,
            best_logits(real[i]),
            best_logits(fake[i]),
            weights=None if weights is None else weights[i],
            weighting=weighting or "known",
        )
        for i in range(repeats)
    ]
    values = np.array([estimate.value for estimate in estimates])
    has_error = estimates[0].standard_error is not None
    stated = np.array([estimate.standard_error for estimate in estimates], dtype=float) if has_error else None
    return SizeRow(
        way=way,
        batch_size=size,
        mean=float(values.mean()),
        mean_error=float(values.std(ddof=1) / math.sqrt(repeats)),
        spread=float(values.std(ddof=1)),
        predicted_spread=spread / math.sqrt(size),
        stated_error=None if stated is None else float(np.sqrt((stated**2).mean())),
        coverage=None if stated is None else float((np.abs(values - exact) <= 1.959964 * stated).mean()),
    )


EXPERIMENTS = {"value": value}
