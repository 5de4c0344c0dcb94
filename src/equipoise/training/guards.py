"""Notices play that is no longer finite, without making the device wait at every step."""

from __future__ import annotations

import torch

from equipoise.errors import PlayDiverged
from equipoise.game.step import StepReport
from equipoise.objectives.base import Objective
from equipoise.objectives.finite_range import check_finite, largest_logit


class FinitePlay:
    """Adds each step's losses to a sum that stays on the device; a NaN or infinity anywhere makes the sum non-finite.

    The sum is read only when numbers are read anyway, and before anything is stored: no checkpoint and no
    sample comes from play that had already diverged.
    """

    def __init__(self, objective: Objective, device: torch.device) -> None:
        self.objective = objective
        self._sums = torch.zeros(2, device=device)
        self._last: tuple[float, float] | None = None

    def watch(self, report: StepReport) -> None:
        """Note a step's losses; nothing is read."""
        self._sums[0] += report.discriminator_loss * 0.0
        self._sums[1] += report.generator_loss * 0.0

    def check(self, step: int, report: StepReport) -> None:
        """Read the sums.

        Raises:
            PlayDiverged: a loss since the last check was not finite, or the logits have left the range.
        """
        sums = self._sums.tolist()
        losses = (float(report.discriminator_loss), float(report.generator_loss))
        bad = [name for name, total in zip(("discriminator", "generator"), sums, strict=True) if total != 0.0]
        if bad:
            before = "no earlier check" if self._last is None else f"losses {self._last[0]:.4g} and {self._last[1]:.4g}"
            raise PlayDiverged(
                f"step {step}",
                f"the loss of the {' and the '.join(bad)} is no longer finite (objective '{self.objective.name}'; "
                f"the last finite check saw {before}).",
                f"Expected finite losses; this objective is finite for logits up to {self.objective.finite_range:g}.",
                "The last checkpoint is intact. Train again from config.yaml with a lower learning rate, e.g. "
                "--set optimisers.generator.learning_rate=0.0005, or with a penalty such as r1.",
            )
        check_finite(
            self.objective,
            value=losses[0],
            largest_logit=float(largest_logit(report.real_logits, report.fake_logits)),
            where=f"step {step}",
        )
        self._last = losses
