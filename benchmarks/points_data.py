"""The data sets of `benchmarks/points.py`: training rows, fresh rows of the same law, and what is known of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from equipoise.data.builtin import draw_swiss_roll
from equipoise.metrics.known import Mixture, grid25, ring8
from equipoise.randomness import numpy_stream

Draw = Callable[[int, np.random.Generator], np.ndarray]
PARAMETERS = 1234
"""Seed of the mixtures in 8, 16 and 64 dimensions: the law is always the same one, its draws are not."""
DIAMONDS_STEPS = {"carat": 0.01, "depth": 0.1, "table": 1, "price": 1, "x": 0.01, "y": 0.01, "z": 0.01}
"""What the columns are rounded to; both sides are smoothed by uniform noise of that width."""


@dataclass(frozen=True)
class Law:
    """A law of points.

    Attributes:
        name: of the data set.
        rows: training rows that a contestant is given.
        draw: fresh rows.
        mixture: where the density is a mixture of round modes.
        score: `bins` of half a deviation against the known probabilities, `histogram` of 128 x 128 bins against fresh
            rows, or `referee` and boosted trees.
    """

    name: str
    rows: int
    draw: Draw
    score: str
    mixture: Mixture | None = None

    def training_rows(self, seed: int) -> np.ndarray:
        """Shape `(rows, d)`."""
        return self.draw(self.rows, numpy_stream(seed, f"points benchmark, rows of {self.name}"))

    def fresh_rows(self, count: int, seed: int, purpose: str) -> np.ndarray:
        """Shape `(count, d)`; independent of the training rows."""
        return self.draw(count, numpy_stream(seed, f"points benchmark, {purpose} of {self.name}"))


def rotated100() -> Mixture:
    """100 equal modes of deviation 0.05 on a sheared 10 x 10 lattice, rotated by 0.3: no axis helps."""
    row, column = np.meshgrid(np.arange(10), np.arange(10), indexing="ij")
    centres = np.stack([row + 0.5 * (column % 2), 0.9 * column], axis=-1).reshape(-1, 2)
    centres -= centres.mean(axis=0)
    turn = np.array([[math.cos(0.3), -math.sin(0.3)], [math.sin(0.3), math.cos(0.3)]])
    return Mixture("rotated100", centres @ turn, 0.05, np.full(100, 0.01))


def bimodal() -> Mixture:
    """Two modes on a line, a share of 0.3 at -2 and 0.7 at 2, deviation 0.5."""
    return Mixture("bimodal", np.array([[-2.0], [2.0]]), 0.5, np.array([0.3, 0.7]))


def _mixture_of(dimensions: int, modes: int) -> Draw:
    """Modes with normal centres of deviation 2, and axes of their own of lengths 0.1 to 0.7."""
    stream = np.random.default_rng(PARAMETERS)
    weights, centres = stream.dirichlet(np.full(modes, 2.0)), stream.normal(0, 2, (modes, dimensions))
    axes = np.stack(
        [
            np.linalg.qr(stream.normal(size=(dimensions, dimensions)))[0]
            * np.exp(stream.uniform(math.log(0.1), math.log(0.7), dimensions))
            for _ in range(modes)
        ]
    )

    def draw(count: int, rng: np.random.Generator) -> np.ndarray:
        mode = rng.choice(modes, count, p=weights)
        noise, made = rng.normal(size=(count, dimensions)), np.empty((count, dimensions))
        for each in range(modes):
            mine = mode == each
            made[mine] = centres[each] + noise[mine] @ axes[each].T
        return made

    return draw


def _checkerboard(count: int, rng: np.random.Generator) -> np.ndarray:
    square = rng.integers(0, 8, count)
    row = square // 2
    column = 2 * (square % 2) + row % 2
    return np.stack([column + rng.random(count), row + rng.random(count)], axis=1) - 2


def _moons(count: int, rng: np.random.Generator) -> np.ndarray:
    is_upper, angle = rng.random(count) < 0.5, np.pi * rng.random(count)
    x = np.where(is_upper, np.cos(angle), 1 - np.cos(angle))
    y = np.where(is_upper, np.sin(angle), 0.5 - np.sin(angle))
    return np.stack([x, y], axis=1) + 0.05 * rng.normal(size=(count, 2))


def _student(count: int, rng: np.random.Generator) -> np.ndarray:
    """Five correlated coordinates with three degrees of freedom."""
    above = [0.6, 0.3, 0, -0.4, 0.5, 0.2, 0, 0.3, 0.1, 0.5]
    correlation = np.eye(5)
    correlation[np.triu_indices(5, 1)] = above
    correlation = np.maximum(correlation, correlation.T) + np.minimum(correlation, correlation.T) - np.eye(5)
    root = np.linalg.cholesky(correlation + 0.05 * np.eye(5)) * np.array([1, 2, 0.5, 5, 1.0])[:, None]
    return (rng.normal(size=(count, 5)) @ root.T) / np.sqrt(rng.chisquare(3, count) / 3)[:, None]


def _diamonds(count: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of the numbers of plotnine's diamonds, drawn without repetition while there are enough."""
    from plotnine.data import diamonds

    values = diamonds[list(DIAMONDS_STEPS)].to_numpy(float)
    chosen = values[rng.permutation(len(values))[:count]]
    return chosen + (rng.random(chosen.shape) - 0.5) * np.array(list(DIAMONDS_STEPS.values()))


def laws() -> dict[str, Law]:
    """All data sets by name. Rows given to the contestants are 100,000, but where the name says otherwise."""
    many = 100_000

    def of_mixture(mixture: Mixture, name: str = "", rows: int = many) -> Law:
        return Law(name or mixture.name, rows, mixture.sample, "bins", mixture)

    found = [
        of_mixture(grid25()),
        of_mixture(grid25(), "grid25_200", 200),
        of_mixture(grid25(), "grid25_1000", 1000),
        of_mixture(ring8()),
        of_mixture(ring8(), "ring8_200", 200),
        of_mixture(rotated100()),
        of_mixture(bimodal()),
        Law("swiss_roll", many, lambda count, rng: draw_swiss_roll(count, rng=rng), "histogram"),
        Law("checkerboard", many, _checkerboard, "histogram"),
        Law("moons", many, _moons, "histogram"),
        Law("swiss_roll_200", 200, lambda count, rng: draw_swiss_roll(count, rng=rng), "histogram"),
        Law("moons_200", 200, _moons, "histogram"),
        Law("mixture8", many, _mixture_of(8, 20), "referee"),
        Law("mixture16", many, _mixture_of(16, 20), "referee"),
        Law("mixture64", many, _mixture_of(64, 20), "referee"),
        Law("student5", many, _student, "referee"),
        Law("student5_200", 200, _student, "referee"),
        Law("diamonds", 32_000, _diamonds, "referee"),
    ]
    return {law.name: law for law in found}


def diamonds_held_out(seed: int, count: int) -> np.ndarray:
    """Diamonds that are not among the training rows of that seed."""
    from plotnine.data import diamonds

    rows = len(diamonds)
    everything = _diamonds(rows, numpy_stream(seed, "points benchmark, rows of diamonds"))
    return everything[32_000 : 32_000 + count]
