"""What a conditional generator is asked for beside its latents; a class label is the simplest case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Condition(Protocol):
    """Something to ask a generator for, drawn anew for every sample."""

    def draw(self, count: int, randomness: torch.Generator) -> Tensor:
        """What the generator is given as its second argument, one row for each of `count` samples.

        The same number of random numbers is drawn whatever is asked for, so that the latents stay the same.
        """
        ...


@dataclass(frozen=True)
class ClassLabels:
    """Class numbers, as often as `shares` says, or all of them the class `only`.

    Attributes:
        shares: chance of each class, up to a factor. Shape `(classes,)`.
        only: the number of the one class that is asked for; `None` asks for all.
    """

    shares: Tensor
    only: int | None = None

    def draw(self, count: int, randomness: torch.Generator) -> Tensor:
        """Class numbers, int64 `(count,)`."""
        drawn = torch.multinomial(self.shares.double(), count, replacement=True, generator=randomness)
        return drawn if self.only is None else torch.full_like(drawn, self.only)
