"""Learning-rate schedules, and those of penalty weights: a factor as a pure function of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Shape = Literal["constant", "linear", "cosine", "geometric"]


@dataclass(frozen=True)
class Schedule:
    """A factor that goes from 1 to `final` over a run, after a linear warm-up from 0.

    With `full_steps` a run of more planned steps T begins at `sqrt(full_steps / T)` in place of 1. The sum of the
    squared factor over the run, to which the square of a random walk of the weights is proportional, stays what it is
    at `full_steps`; the sum of the factor itself, which is how far they can go on purpose, still grows with `sqrt(T)`.

    Attributes:
        shape: `constant` stays at 1; `linear` and `cosine` fall in value; `geometric` falls in logarithm.
        final: the factor at the end of the run; above 0 for `geometric`.
        warmup_steps: steps over which the factor first rises from 0.
        reached_at: share of the planned steps after which `final` is reached; the factor stays there.
        full_steps: planned steps up to which the factor begins at 1; `None`: whatever their number.
    """

    shape: Shape = "constant"
    final: float = 1.0
    warmup_steps: int = 0
    reached_at: float = 1.0
    full_steps: int | None = None

    def __post_init__(self) -> None:
        if not self.final >= 0 or (self.shape == "geometric" and self.final == 0):
            raise ValueError(f"a final factor is above 0 (0 only if linear, cosine or constant), not {self.final}")
        if self.warmup_steps < 0:
            raise ValueError(f"a warm-up takes 0 steps or more, not {self.warmup_steps}")
        if not 0 < self.reached_at <= 1:
            raise ValueError(f"the final factor is reached after a share of the steps in (0, 1], not {self.reached_at}")
        if self.full_steps is not None and self.full_steps < 1:
            raise ValueError(f"a run has 1 step or more up to which it begins at 1, not full_steps={self.full_steps}")

    def at(self, step: int, total: int) -> float:
        """The factor in effect during step `step` (counted from 0) of `total`; constant after the end."""
        return self.decay_at(step, total) * self.scale_at(step, total)

    def decay_at(self, step: int, total: int) -> float:
        """The factor without the warm-up, as if it began at 1."""
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

    def scale_at(self, step: int, total: int) -> float:
        """The warm-up, which rises to 1, times where a run of that length begins."""
        warmup = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        return warmup * (1.0 if self.full_steps is None else min(1.0, math.sqrt(self.full_steps / max(1, total))))
