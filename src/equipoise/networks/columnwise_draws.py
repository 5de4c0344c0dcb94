"""How the `columnwise` generator draws a choice or a number from its chances, and what a held value counts for."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor

LEAST_DENSITY = 0.05
"""Of a number, in its gradient: a draw of a cell that is twenty times rarer than in training must not outweigh the
rest. It biases the gradient of such draws alone."""


def lengths(first: tuple[int, ...]) -> list[int]:
    """How many cells each coarse one holds."""
    return [after - before for before, after in pairwise(first)]


def gated(embedded: Tensor, present: Tensor | None) -> Tensor:
    """Embeddings of the numbers that are there, and zeros for those that are not."""
    return embedded if present is None else embedded * present[:, None]


def log_chance(logits: Tensor, code: Tensor) -> Tensor:
    """The logarithm of the chance of each row's choice. Shape `(batch,)`."""
    return torch.log_softmax(logits, dim=1).gather(1, code[:, None]).squeeze(1)


def below_and_chance(chances: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
    """The sum of the chances before the one of `code`, and that one."""
    chance = chances.gather(1, code[:, None]).squeeze(1)
    return torch.cumsum(chances, dim=1).gather(1, code[:, None]).squeeze(1) - chance, chance


def invert(chances: Tensor, quantile: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The choice at a quantile, how far within its chance the quantile lies, and what `_below` gives."""
    with torch.no_grad():
        code = (quantile[:, None] >= torch.cumsum(chances, dim=1)[:, :-1]).sum(dim=1)
    below, chance = below_and_chance(chances, code)
    inside = ((quantile - below) / chance).detach().clamp(0, 1 - 1e-6)
    return code, inside, below, chance


def with_implicit_gradient(number: Tensor, reached: Tensor, density: Tensor) -> Tensor:
    """The number, with the gradient that keeps `reached`, its distribution function, where the latent has put it.

    Args:
        number: normal. Shape `(batch,)`.
        reached: the distribution function at it.
        density: of its quantile.
    """
    normal = torch.exp(-0.5 * number.square()) / math.sqrt(2 * math.pi)
    slope = (density * normal).detach().clamp(min=LEAST_DENSITY * normal.detach())
    return number.detach() - (reached - reached.detach()) / slope


def restricted(logits: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
    """Logits with the choices outside `allowed` shut, and the logarithm of the chance of those inside."""
    shut = logits.masked_fill(~allowed, -torch.inf)
    mass = torch.logsumexp(shut, dim=1) - torch.logsumexp(logits, dim=1)
    # A row that allows nothing keeps its logits, so that a draw can be made; its weight says that it does not count.
    is_empty = ~allowed.any(dim=1, keepdim=True)
    return torch.where(is_empty, logits, shut), mass


def hats_of(numbers: Tensor, knots: Tensor) -> Tensor:
    """Piecewise linear functions of numbers that sum to 1, one for each knot, and the numbers. Shape `(..., k + 1)`."""
    inside = numbers.clamp(knots[0], knots[-1]).unsqueeze(-1)
    rising = ((inside - knots[:-1]) / (knots[1:] - knots[:-1])).clamp(0, 1)
    ones = torch.ones_like(inside)
    hats = torch.cat([ones, rising], dim=-1) - torch.cat([rising, torch.zeros_like(ones)], dim=-1)
    return torch.cat([hats, numbers.unsqueeze(-1)], dim=-1)
