"""Dropout whose masks come from a stream of their own, cheaply: a byte of randomness for each unit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from equipoise.distributed import SINGLE_PROCESS, ProcessGroup

LEVELS = 256
"""A byte has so many values: the share is rounded to a multiple of its inverse."""


@dataclass(frozen=True)
class Dropout:
    """Sets units to zero by chance, and makes up for it in the others.

    Attributes:
        share: of the units that are set to zero, rounded to a multiple of 1/256.
        randomness: where the masks come from; every process draws those of the whole batch and keeps its own rows.
        group: the processes that share a batch.
    """

    share: float
    randomness: torch.Generator
    group: ProcessGroup = SINGLE_PROCESS

    def __call__(self, units: Tensor, *, rows_at: int = 0) -> Tensor:
        """Units with some set to zero.

        Args:
            units: of any shape.
            rows_at: the dimension along which rows of the batch lie.
        """
        bar = round(self.share * LEVELS)
        if not bar:
            return units
        shape = list(units.shape)
        shape[rows_at] *= self.group.world_size
        numbers = torch.empty(-(-_product(shape) // 8), dtype=torch.int64, device=units.device)
        numbers.random_(-(2**63), None, generator=self.randomness)
        kept = numbers.view(torch.uint8)[: _product(shape)].view(shape) >= bar
        if self.group.world_size > 1:
            kept = self.group.shard_rows(kept.movedim(rows_at, 0)).movedim(0, rows_at)
        return units * (kept * (LEVELS / (LEVELS - bar)))


def _product(shape: list[int]) -> int:
    found = 1
    for size in shape:
        found *= size
    return found
