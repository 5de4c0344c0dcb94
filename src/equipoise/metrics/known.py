r"""Densities known in closed form, against which a generator's distance can be computed and not only estimated.

.. math::
    p(x) = \sum_k w_k \, \mathcal{N}(x; \mu_k, \sigma^2 I)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Mixture:
    """A mixture of round Gaussian modes of one width.

    Attributes:
        name: as a person calls it.
        means: centres of the modes. Shape `(modes, dimensions)`.
        standard_deviation: of every mode, along every axis.
        weights: share of each mode; they sum to 1. Shape `(modes,)`.
    """

    name: str
    means: np.ndarray
    standard_deviation: float
    weights: np.ndarray

    @property
    def modes(self) -> int:
        """Number of modes."""
        return len(self.means)

    @property
    def dimensions(self) -> int:
        """Coordinates of one point."""
        return self.means.shape[1]

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """log p(x), in nats per unit of volume. Shape `(n, dimensions)` to `(n,)`.

        Numerics:
            Sums over modes in the log domain; exact far from every mode, where the density underflows.
        """
        from scipy.special import logsumexp

        variance = self.standard_deviation**2
        exponents = -self.squared_distances(points) / (2 * variance)
        constant = -self.dimensions / 2 * math.log(2 * math.pi * variance)
        with np.errstate(divide="ignore"):
            return logsumexp(exponents + np.log(self.weights), axis=1) + constant

    def density(self, points: np.ndarray) -> np.ndarray:
        """p(x). Shape `(n, dimensions)` to `(n,)`."""
        return np.exp(self.log_density(points))

    def squared_distances(self, points: np.ndarray) -> np.ndarray:
        """Squared distance of each point to the centre of each mode. Shape `(n, modes)`."""
        points = np.asarray(points, dtype=np.float64)
        cross = points @ self.means.T
        squares = (points**2).sum(axis=1)[:, None] - 2 * cross + (self.means**2).sum(axis=1)
        return np.maximum(squares, 0.0)

    def sample(self, count: int, stream: np.random.Generator) -> np.ndarray:
        """Independent draws. Shape `(count, dimensions)`, float64."""
        centres = self.means[stream.choice(self.modes, size=count, p=self.weights)]
        return centres + self.standard_deviation * stream.standard_normal(centres.shape)

    def without_mode(self, index: int) -> Mixture:
        """The same mixture with one mode gone and its share spread over the others."""
        weights = np.delete(self.weights, index)
        return replace(self, means=np.delete(self.means, index, axis=0), weights=weights / weights.sum())

    def widened(self, factor: float) -> Mixture:
        """The same mixture with every standard deviation multiplied by `factor`."""
        return replace(self, standard_deviation=self.standard_deviation * factor)

    def shifted(self, by: np.ndarray) -> Mixture:
        """The same mixture moved by the vector `by`."""
        return replace(self, means=self.means + np.asarray(by, dtype=np.float64))


def grid25() -> Mixture:
    """25 equal modes on the grid {-4, -2, 0, 2, 4} squared, standard deviation 0.05.

    Reference:
        Srivastava et al. 2017 (VEEGAN), arXiv:1705.07761, section 5.1; Lin et al. 2018 (PacGAN), arXiv:1712.04086.
    """
    axis = np.array([-4.0, -2.0, 0.0, 2.0, 4.0])
    means = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    return Mixture("grid25", means, 0.05, np.full(25, 1 / 25))


def ring8() -> Mixture:
    """8 equal modes on a circle of radius 2, standard deviation 0.02."""
    angles = 2 * np.pi * np.arange(8) / 8
    return Mixture("ring8", 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1), 0.02, np.full(8, 1 / 8))


def gaussian(dimensions: int, mean: float = 0.0, standard_deviation: float = 1.0) -> Mixture:
    """One round Gaussian whose centre is `mean` on the first axis and 0 on the others."""
    centre = np.zeros((1, dimensions))
    centre[0, 0] = mean
    return Mixture(f"gaussian{dimensions}", centre, standard_deviation, np.ones(1))


KNOWN = {"grid25": grid25, "ring8": ring8}
