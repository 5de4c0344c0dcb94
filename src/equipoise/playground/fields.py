r"""What the playground draws on the plane: D's surface, the generator's warped grid, and what each sample is told.

For one generated sample y with the logit l(y), the two losses of the first GAN have the gradients

.. math::
    \nabla_y \log(1 - \sigma(l)) = -\sigma(l)\, \nabla l(y), \qquad
    \nabla_y \big(-\log \sigma(l)\big) = -\sigma(-l)\, \nabla l(y)

which point the same way and differ in length: by :math:`e^{l}`, which is what saturation is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from equipoise.objectives.base import Objective
from equipoise.objectives.log_odds import as_log_odds
from equipoise.playground.plane_data import REACH, PlaneData
from equipoise.playground.players import latent_lines, latent_quadrature
from equipoise.playground.settings import LatentLaw
from equipoise.shapes import Logits, PerSample, Samples

CELLS = 48
GRID_LINES = 17
FINER = 2
"""Masses are taken in cells this many times finer along each side than those that are drawn."""
PUSHED = 160
"""Latents along an axis that are sent through the generator to find its mass in cells."""
DOUBLINGS = 2
"""How often their images are then interpolated to a lattice twice as fine."""
KNOWN_MASS = 1e-6
"""Cells with less of both sides have no p / (p + q) of their own: the lattice of latents ends about there."""


@dataclass(frozen=True)
class Surface:
    """The discriminator's output on the cells of the window.

    Attributes:
        values: from the lowest row up. Shape `(CELLS, CELLS)`.
        is_probability: whether these are probabilities of being real; otherwise the output itself.
        low: of the colour scale.
        high: of the colour scale.
    """

    values: np.ndarray
    is_probability: bool
    low: float
    high: float


def cell_centres() -> Tensor:
    """Centres of the cells, row by row from the lowest y. Shape `(CELLS ** 2, 2)`."""
    axis = torch.linspace(-REACH, REACH, CELLS + 1)[:-1] + REACH / CELLS
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x, y], dim=-1).reshape(-1, 2)


@torch.no_grad()
def surface(discriminator: nn.Module, objective: Objective, *, offset: float = 0.0) -> Surface:
    """D on every cell: sigma(l), or sigma(l - offset) where logits have no zero of their own, or the output itself."""
    logits = discriminator(cell_centres())
    odds = as_log_odds(objective, logits, offset=offset)
    if odds is not None:
        return Surface(torch.sigmoid(odds).reshape(CELLS, CELLS).numpy(), True, 0.0, 1.0)
    values = logits.reshape(CELLS, CELLS).numpy()
    reach = max(float(np.abs(values - np.median(values)).max()), 1e-6)
    middle = float(np.median(values))
    return Surface(values, False, middle - reach, middle + reach)


@torch.no_grad()
def warped_grid(generator: nn.Module, law: LatentLaw) -> np.ndarray:
    """Images of the grid lines of the latent space. Shape `(lines, points, 2)`; one line for latents on a line."""
    made = generator(torch.from_numpy(latent_lines(law, GRID_LINES)).float()).numpy()
    return made.reshape(1, -1, 2) if law == "normal_line" else made.reshape(GRID_LINES, GRID_LINES, 2)


@dataclass(frozen=True)
class Told:
    """What each generated sample is told.

    Attributes:
        logits: shape `(batch,)`.
        slope: gradient of the logit at each sample. Shape `(batch, 2)`.
        pull: minus the derivative of this game's own loss in each logit. Shape `(batch,)`.
        saturating: descent direction of log(1 - sigma(l)) at each sample. Shape `(batch, 2)`.
        nonsaturating: the same of -log sigma(l).
        own: the same of the loss of this game; for a game that compares samples, with the real batch.
    """

    logits: Logits
    slope: Tensor
    pull: PerSample
    saturating: Tensor
    nonsaturating: Tensor
    own: Tensor

    def mean_lengths(self) -> tuple[float, float, float]:
        """Mean length of the three, in the order above."""
        saturating, nonsaturating, own = (
            float(torch.linalg.vector_norm(arrows.double(), dim=1).mean())
            for arrows in (self.saturating, self.nonsaturating, self.own)
        )
        return saturating, nonsaturating, own


def told(discriminator: nn.Module, objective: Objective, real: Samples, fake: Samples) -> Told:
    """Minus the gradient of each loss in each generated sample; a mean over the batch counts as a sum.

    Numerics:
        In float32 a length of 1e-38 is the least; `sigmoid` of the logit is multiplied in, never subtracted.
    """
    points = fake.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        logits = discriminator(points)
        (slope,) = torch.autograd.grad(logits.sum(), points)
    logits = logits.detach()
    leaves = logits.clone().requires_grad_(True)
    with torch.no_grad():
        real_logits = discriminator(real)
    with torch.enable_grad():
        loss = objective.generator_loss(real_logits, leaves) * len(fake)
        (of_logits,) = torch.autograd.grad(loss, leaves)
    return Told(
        logits,
        slope,
        -of_logits.detach(),
        torch.sigmoid(logits)[:, None] * slope,
        torch.sigmoid(-logits)[:, None] * slope,
        -of_logits.detach()[:, None] * slope,
    )


@dataclass(frozen=True)
class BestDiscriminator:
    """The best discriminator of the present generator, by the masses of p and q in the cells of the window.

    Attributes:
        real: mass of p in each cell that is drawn. Shape `(CELLS, CELLS)`.
        fake: mass of q.
        probabilities: p / (p + q); where both are next to nothing, that of the nearest cell.
        jsd_nats: of the two distributions over cells of 1 / 16 and all that is outside.
        coarse_jsd_nats: the same over the cells that are drawn, of 1 / 8.

    Numerics:
        Cells can only hide a difference, by less where they are finer; the lattice of latents, which falls unevenly
        into them, adds up to 0.002. Against quadrature over known densities: within 0.005 where nothing is narrower
        than a cell; on rings and grids of modes whose deviation is a third of a cell, up to 0.015 too low. What it
        gained over `coarse_jsd_nats` says how much finer cells could still add.
    """

    real: np.ndarray
    fake: np.ndarray
    probabilities: np.ndarray
    jsd_nats: float
    coarse_jsd_nats: float

    @property
    def value(self) -> float:
        """max V = -log 4 + 2 JSD, of the finer cells."""
        return float(-np.log(4) + 2 * self.jsd_nats)

    @property
    def coarse_value(self) -> float:
        """The same of the cells that are drawn."""
        return float(-np.log(4) + 2 * self.coarse_jsd_nats)


def best_discriminator(generator: nn.Module, law: LatentLaw, real: np.ndarray) -> BestDiscriminator:
    """D* = p / (p + q) on the cells of the window.

    Args:
        generator: whose density q is found by sending a fine grid of latents through it: its mass, cell by cell.
        law: of the latents.
        real: mass of p in each finer cell, from `cell_masses`.
    """
    fake = pushed_masses(generator, law)
    jsd = _jsd(real, fake)
    real, fake = _joined(real), _joined(fake)
    return BestDiscriminator(real, fake, _shares(real, fake), jsd, _jsd(real, fake))


def _shares(real: np.ndarray, fake: np.ndarray) -> np.ndarray:
    """p / (p + q), and where both are next to nothing that of the nearest cell, so that no line is drawn for it."""
    from scipy.ndimage import distance_transform_edt

    total = real + fake
    known = total > KNOWN_MASS
    if not known.any():
        return np.full(total.shape, 0.5)
    shares = real / np.where(known, total, 1.0)
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return shares[tuple(nearest)]


@torch.no_grad()
def pushed_masses(generator: nn.Module, law: LatentLaw) -> np.ndarray:
    """The generator's mass in each finer cell, by quadrature over latents. Shape `(FINER * CELLS, FINER * CELLS)`.

    Latents are sent through on a lattice, and their images are interpolated to ever finer ones: the networks are
    piecewise linear, and an image costs less than an answer of the network.
    """
    is_line = law == "normal_line"
    images = generator(_lattice(law)).reshape((-1, 2) if is_line else (PUSHED, PUSHED, 2))
    for _ in range(DOUBLINGS):
        images = _twice_as_fine(images, dim=0)
        images = images if is_line else _twice_as_fine(images, dim=1)
    return _in_cells(images.reshape(-1, 2), _lattice_masses(law))


@cache
def _lattice(law: LatentLaw) -> Tensor:
    return torch.from_numpy(latent_quadrature(law, PUSHED)[0]).float()


@cache
def _lattice_masses(law: LatentLaw) -> np.ndarray:
    # On a line there are `cells ** 2` latents, so that two doublings are one of `cells`.
    return latent_quadrature(law, PUSHED * 2 ** (DOUBLINGS // 2 if law == "normal_line" else DOUBLINGS))[1]


def _twice_as_fine(values: Tensor, *, dim: int) -> Tensor:
    """Values at midpoints of even cells along a dimension, at the midpoints of their halves; beyond the ends too."""
    steps, last = values.diff(dim=dim) / 4, values.shape[dim] - 2
    before = torch.cat([steps.narrow(dim, 0, 1), steps], dim)
    after = torch.cat([steps, steps.narrow(dim, last, 1)], dim)
    return torch.stack([values - before, values + after], dim + 1).flatten(dim, dim + 1)


def cell_masses(data: PlaneData, *, balanced: bool) -> np.ndarray | None:
    """Mass of the sampled density in each finer cell, in closed form; `None` where the density is not known."""
    from scipy.special import ndtr

    density = data.sampled_density(balanced=balanced)
    if density is None:
        return None
    edges = np.linspace(-REACH, REACH, FINER * CELLS + 1)
    along = [
        np.diff(ndtr((edges[None, :] - density.means[:, axis, None]) / density.standard_deviation)) for axis in (0, 1)
    ]
    return np.einsum("k,ky,kx->yx", density.weights, along[1], along[0])


def _in_cells(points: Tensor, masses: np.ndarray) -> np.ndarray:
    """Sums of masses in each finer cell; all that is outside falls into a border of one cell, which is cut off."""
    side = FINER * CELLS
    places = ((points + REACH) * (side / (2 * REACH)) + 1).nan_to_num_(nan=0.0).clamp_(0, side + 1).int()
    flat = places[:, 1] * (side + 2) + places[:, 0]
    counted = np.bincount(flat.numpy(), weights=masses, minlength=(side + 2) ** 2)
    return counted.reshape(side + 2, side + 2)[1:-1, 1:-1]


def _joined(masses: np.ndarray) -> np.ndarray:
    """Masses of the cells that are drawn: sums of the finer ones."""
    return masses.reshape(CELLS, FINER, CELLS, FINER).sum(axis=(1, 3))


def _jsd(real: np.ndarray, fake: np.ndarray) -> float:
    """Of two distributions over cells and all that is outside."""
    p, q = (np.append(masses.ravel(), max(0.0, 1 - masses.sum())) for masses in (real, fake))
    return (_relative(p, (p + q) / 2) + _relative(q, (p + q) / 2)) / 2


def _relative(p: np.ndarray, q: np.ndarray) -> float:
    from scipy.special import rel_entr

    return float(rel_entr(p, q).sum())


def share_of_sure(logits: PerSample) -> float:
    """Fraction of generated samples with D < 0.01."""
    return float((torch.sigmoid(logits) < 0.01).float().mean())
