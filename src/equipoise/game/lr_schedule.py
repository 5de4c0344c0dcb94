"""Learning-rate schedules, and those of penalty weights: a factor as a pure function of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Shape = Literal["constant", "linear", "cosine", "geometric"]


@dataclass(frozen=True)
class Schedule:
    """A factor that goes from 1 to `final` over a run, after a linear warm-up from 0.

    Attributes:
        shape: `constant` stays at 1; `linear` and `cosine` fall in value; `geometric` falls in logarithm.
        final: the factor at the end of the run; above 0 for `geometric`.
        warmup_steps: steps over which the factor first rises from 0.
        reached_at: share of the planned steps after which `final` is reached; the factor stays there.
    """

    shape: Shape = "constant"
    final: float = 1.0
    warmup_steps: int = 0
    reached_at: float = 1.0

    def __post_init__(self) -> None:
        if not self.final >= 0 or (self.shape == "geometric" and self.final == 0):
            raise ValueError(f"a final factor is above 0 (0 only if linear, cosine or constant), not {self.final}")
        if self.warmup_steps < 0:
            raise ValueError(f"a warm-up takes 0 steps or more, not {self.warmup_steps}")
        if not 0 < self.reached_at <= 1:
            raise ValueError(f"the final factor is reached after a share of the steps in (0, 1], not {self.reached_at}")

    def at(self, step: int, total: int) -> float:
        """The factor in effect during step `step` (counted from 0) of `total`; constant after the end."""
        return self.decay_at(step, total) * self.warmup_at(step)

    def decay_at(self, step: int, total: int) -> float:
        """The factor without the warm-up."""
        progress = min(1.0, step / max(1, self.reached_at * (total - 1)))
        if self.shape == "constant":
            factor = 1.0
        elif self.shape == "linear":
            factor = 1.0 + (self.final - 1.0) * progress
        elif self.shape == "cosine":
            factor = self.final + (1.0 - self.final) * (1.0 + math.cos(math.pi * progress)) / 2.0
        else:
            factor = self.final**progress
        return factor

    def warmup_at(self, step: int) -> float:
        """The warm-up alone: a factor that rises to 1."""
        return min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
