r"""What does the discriminator measure? Densities in one and two dimensions, exact by quadrature.

For a fixed generator the best discriminator is a function of the density ratio alone, and V at it is a divergence. Here
V is integrated with the objective's own terms at its own best logit, and beside it stands the divergence, integrated
from the two densities without any discriminator.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equipoise import objectives
from equipoise.lab.base import Result, drawn, text_table
from equipoise.metrics.known import Mixture, gaussian
from equipoise.plotting.style import FAKE_COLOUR, REAL_COLOUR, label_axes

CELLS = {1: 20_000, 2: 360}
"""Cells along an axis. The midpoint rule is spectrally accurate on smooth integrands; the kinks of TV and of hinge cost
up to 1e-6 in one dimension and 1e-4 in two."""
PAIR_CELLS = 3_000
"""Levels of log(p/q) that the double integral over pairs is taken over."""

Integrand = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Pair:
    """Data p and generated q, known in closed form."""

    name: str
    p: Mixture
    q: Mixture
    reach: float


@dataclass(frozen=True)
class ObjectiveRow:
    """One objective on one pair: V at its own best logit, and the divergence that it should equal."""

    objective: str
    value: float
    divergence: float
    words: str


@dataclass(frozen=True)
class PairRow:
    """All exact quantities of one pair, in nats where they are divergences of logarithms."""

    name: str
    dimensions: int
    jsd: float
    kl: float
    reverse_kl: float
    total_variation: float
    hellinger: float
    pearson: float
    wasserstein: float | None
    objectives: tuple[ObjectiveRow, ...]


@dataclass(frozen=True)
class DensitiesResult(Result):
    """The rows, one per pair of densities."""

    experiment: ClassVar[str] = "densities"
    question: ClassVar[str] = "What does the best discriminator know, and what does V then measure?"

    pairs: tuple[PairRow, ...]

    def to_text(self) -> str:
        """Two tables: the divergences of each pair, and V of each objective beside its divergence."""
        columns = ("jsd", "kl", "reverse_kl", "total_variation", "hellinger", "pearson", "wasserstein")
        header = ["pair", "JSD", "KL(p||q)", "KL(q||p)", "TV", "sq. Hellinger", "Pearson", "W1"]
        rows = ([row.name, *(_number(getattr(row, column)) for column in columns)] for row in self.pairs)
        names = [row.objective for row in self.pairs[0].objectives]
        per_objective = ([name, *(cell for row in self.pairs for cell in self._cells(row, name))] for name in names)
        over = [cell for row in self.pairs for cell in (f"V: {row.name}", "from p, q")]
        return "\n".join(
            [
                "Exact divergences, by quadrature (nats; W1 in units of x):",
                "",
                text_table(header, rows),
                "",
                "V at each objective's best logit, and the divergence that theory says it is:",
                "",
                text_table(["objective", *over], per_objective),
            ]
        )

    @drawn(11.0, 5.6, title="The best discriminator D* = p/(p + q)")
    def figure(self, figure: Figure) -> None:
        """Densities above, the best discriminator below, for each pair."""
        panels = figure.subplots(2, len(PAIRS))
        for column, (pair, row) in enumerate(zip(PAIRS, self.pairs, strict=True)):
            draw = _draw_line if pair.p.dimensions == 1 else _draw_plane
            draw(panels[0, column], panels[1, column], pair, row)

    @staticmethod
    def _cells(row: PairRow, name: str) -> tuple[str, str]:
        (found,) = (entry for entry in row.objectives if entry.objective == name)
        return f"{found.value:.6f}", f"{found.divergence:.6f}"


def densities() -> DensitiesResult:
    """Integrate every divergence and every objective's best value on four pairs of densities."""
    return DensitiesResult(tuple(_measure(pair) for pair in PAIRS))


def _mixture(name: str, means: list[list[float]], deviation: float) -> Mixture:
    return Mixture(name, np.array(means), deviation, np.full(len(means), 1 / len(means)))


_CORNERS = [[-1.5, -1.5], [-1.5, 1.5], [1.5, -1.5], [1.5, 1.5]]
PAIRS = (
    Pair("shifted", gaussian(1), gaussian(1, 1.0), 9.0),
    Pair("wider", gaussian(1), gaussian(1, 0.7, 1.2), 10.0),
    # The generator with the data's own mean and variance: what least squares on moments would call perfect.
    Pair("two modes", _mixture("two modes", [[-2.0], [2.0]], 0.6), gaussian(1, 0.0, math.sqrt(4.36)), 14.0),
    Pair("2-D, mode lost", _mixture("corners", _CORNERS, 0.6), _mixture("three corners", _CORNERS[:3], 0.7), 6.5),
)


def two_jsd(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Integrates to 2 JSD(p, q)."""
    return _relative(p, (p + q) / 2) + _relative(q, (p + q) / 2)


def delta(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Integrates to the Delta of the least-squares rows, 0 at p = q and 2 for densities without a common support."""
    return (p - q) ** 2 / (p + q)


# Integrands in (p, q), without a discriminator. Scale and shift turn the integral into sup V.
STATED: dict[str, tuple[Integrand, float, float]] = {
    "minimax": (two_jsd, 1.0, -math.log(4)),
    "nonsaturating": (two_jsd, 1.0, -math.log(4)),
    "logistic_reverse_kl": (two_jsd, 1.0, -math.log(4)),
    "least_squares": (delta, 1 / 8, -1 / 4),
    "least_squares_pearson": (delta, 1 / 2, -1.0),
    "hinge": (lambda p, q: np.abs(p - q), 1.0, -2.0),
    "fgan_kl": (lambda p, q: _relative(p, q), 1.0, 0.0),
    "fgan_reverse_kl": (lambda p, q: _relative(q, p), 1.0, 0.0),
    "fgan_pearson": (lambda p, q: (p - q) ** 2 / q, 1.0, 0.0),
    "fgan_hellinger": (lambda p, q: (np.sqrt(p) - np.sqrt(q)) ** 2, 1.0, 0.0),
    "fgan_js": (two_jsd, 1.0, 0.0),
    "fgan_gan": (two_jsd, 1.0, -math.log(4)),
    "fgan_tv": (lambda p, q: np.abs(p - q) / 2, 1.0, 0.0),
}


def _measure(pair: Pair) -> PairRow:
    p, q, log_ratio = masses(pair)

    def integral(of: Integrand) -> float:
        return float(of(p, q).sum())

    rows = [
        ObjectiveRow(
            name, best_value(name, p, q, log_ratio), scale * integral(of) + shift, objectives.find(name)().divergence
        )
        for name, (of, scale, shift) in STATED.items()
    ]
    rows.append(_pairing_row(p, q, log_ratio))
    return PairRow(
        name=pair.name,
        dimensions=pair.p.dimensions,
        jsd=integral(two_jsd) / 2,
        kl=integral(STATED["fgan_kl"][0]),
        reverse_kl=integral(STATED["fgan_reverse_kl"][0]),
        total_variation=integral(STATED["fgan_tv"][0]),
        hellinger=integral(STATED["fgan_hellinger"][0]),
        pearson=integral(STATED["fgan_pearson"][0]),
        wasserstein=_wasserstein(pair, p, q) if pair.p.dimensions == 1 else None,
        objectives=tuple(rows),
    )


def masses(pair: Pair) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Masses of p and q in the cells where neither underflows, and log(p/q) there. Shape `(cells,)` each."""
    points, volume = grid(pair)
    log_p, log_q = pair.p.log_density(points), pair.q.log_density(points)
    kept = np.minimum(log_p, log_q) > -690.0  # exp(-690) = 1e-300
    return np.exp(log_p[kept]) * volume, np.exp(log_q[kept]) * volume, (log_p - log_q)[kept]


def grid(pair: Pair) -> tuple[np.ndarray, float]:
    """Centres of the cells, shape `(cells, dimensions)`, and the volume of one."""
    dimensions = pair.p.dimensions
    cells = CELLS[dimensions]
    width = 2 * pair.reach / cells
    axis = -pair.reach + width * (np.arange(cells) + 0.5)
    if dimensions == 1:
        return axis[:, None], width
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2), width**2


def best_value(name: str, p: np.ndarray, q: np.ndarray, log_ratio: np.ndarray) -> float:
    """E_p[a(l*)] + E_q[b(l*)] of a separable objective, with its own terms and its own best logit."""
    objective = objectives.find(name)()
    assert objective.best_logits is not None
    assert objective.fake_term is not None
    logits = objective.best_logits(torch.from_numpy(log_ratio))
    real, fake = objective.real_term(logits).numpy(), objective.fake_term(logits).numpy()
    return float((p * real).sum() + (q * fake).sum())


def _pairing_row(p: np.ndarray, q: np.ndarray, log_ratio: np.ndarray) -> ObjectiveRow:
    """RpGAN over all pairs of levels of log(p/q): exact in the mass, second order in the width of a level."""
    edges = np.linspace(log_ratio.min(), log_ratio.max(), PAIR_CELLS + 1)
    level = np.clip(np.searchsorted(edges, log_ratio, side="right") - 1, 0, PAIR_CELLS - 1)
    real, fake = (np.bincount(level, weights=mass, minlength=PAIR_CELLS) for mass in (p, q))
    kept = (real > 0) & (fake > 0)
    real, fake = real[kept], fake[kept]
    # Within a level the distribution of pairs depends on the ratio of its masses, which is the level's own likelihood
    # ratio.
    logits = torch.from_numpy(np.log(real / fake))
    objective = objectives.find("relativistic")()
    value = torch.from_numpy(real) @ objective.real_term(logits[:, None] - logits[None, :]) @ torch.from_numpy(fake)
    forward, backward = np.outer(real, fake), np.outer(fake, real)
    jsd = (_relative(forward, (forward + backward) / 2) + _relative(backward, (forward + backward) / 2)).sum() / 2
    return ObjectiveRow("relativistic", float(value), float(jsd) - math.log(2), objective.divergence)


def _wasserstein(pair: Pair, p: np.ndarray, q: np.ndarray) -> float:
    """W1 in one dimension: the area between the two distribution functions."""
    width = 2 * pair.reach / CELLS[1]
    return float(np.abs(np.cumsum(p) - np.cumsum(q)).sum() * width)


def _relative(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """p log(p/q), elementwise; 0 where p underflows."""
    from scipy.special import xlogy

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p > 0, xlogy(p, p / q), 0.0)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _draw_line(above: Axes, below: Axes, pair: Pair, row: PairRow) -> None:
    x = np.linspace(-5, 5, 801)[:, None]
    p, q = pair.p.density(x), pair.q.density(x)
    for density, colour, name in ((p, REAL_COLOUR, "data p"), (q, FAKE_COLOUR, "generated q")):
        above.fill_between(x[:, 0], density, color=colour, alpha=0.22, linewidth=0)
        above.plot(x[:, 0], density, color=colour, label=name)
    above.set_ylim(0, 1.35 * max(p.max(), q.max()))
    above.legend(loc="upper right", fontsize=7.5)
    label_axes(above, f"{row.name}: JSD = {row.jsd:.4f} nats", x="x", y="density")
    below.plot(x[:, 0], p / (p + q), color="#22262b")
    below.axhline(0.5, color="#8a9099", linewidth=0.9, linestyle="--")
    below.set_ylim(-0.03, 1.03)
    label_axes(below, f"V = -log 4 + 2 JSD = {-math.log(4) + 2 * row.jsd:.4f}", x="x", y="D*(x), probability of real")


def _draw_plane(above: Axes, below: Axes, pair: Pair, row: PairRow) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    axis = np.linspace(-3.5, 3.5, 141)
    points = np.stack(np.meshgrid(axis, axis), axis=-1)
    p, q = (side.density(points.reshape(-1, 2)).reshape(141, 141) for side in (pair.p, pair.q))
    for density, colour in ((p, REAL_COLOUR), (q, FAKE_COLOUR)):
        levels = density.max() * np.array([0.05, 0.3, 0.7])
        above.contour(axis, axis, density, levels=levels, colors=colour, linewidths=1)
    label_axes(above, f"{row.name}: JSD = {row.jsd:.4f} nats", x="first coordinate", y="second coordinate")
    scale = LinearSegmentedColormap.from_list("sides", [FAKE_COLOUR, "#ffffff", REAL_COLOUR])
    mesh = below.pcolormesh(axis, axis, p / (p + q), cmap=scale, vmin=0, vmax=1, shading="gouraud", rasterized=True)
    below.figure.colorbar(mesh, ax=below, label="D*(x)")
    label_axes(below, "D*: blue where p is larger", x="first coordinate", y="second coordinate")
    for axes in (above, below):
        axes.set_aspect("equal")
        axes.grid(False)


EXPERIMENTS = {"densities": densities}
