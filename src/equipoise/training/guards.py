"""Notices training that is no longer finite, without making the device wait at every step."""

from __future__ import annotations

import torch

from equipoise.distributed import SINGLE_PROCESS, ProcessGroup
from equipoise.errors import PlayDiverged
from equipoise.game.finite import FiniteUpdates
from equipoise.game.player import Player
from equipoise.game.step import StepReport
from equipoise.objectives.base import Objective
from equipoise.objectives.finite_range import check_finite, largest_logit


class FinitePlay:
    """Watches every step of a game by `FiniteUpdates`, which keeps both players still from the first infinity or NaN
    on.

    What it marks is read when it has arrived by itself, and for certain before anything is stored: no checkpoint and
    no sample comes from training that had already diverged.
    """

    def __init__(
        self,
        discriminator: Player,
        generator: Player,
        *,
        objective: Objective,
        device: torch.device,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        self.objective = objective
        self.group = group
        self.updates = FiniteUpdates(discriminator, generator, device=device)
        self._last: tuple[float, float] | None = None

    def begin(self, step: int) -> None:
        """The step with this number (counted from 1) is about to be taken."""
        self.updates.step = step

    def watch(self, report: StepReport) -> None:
        """Note a step's losses; nothing is waited for."""
        self.updates.check_losses(report.discriminator_loss, report.generator_loss)

    def require_no_bad_news(self) -> None:
        """Raise if it is known by now that training has left the finite numbers; never waits to know.

        Raises:
            PlayDiverged: a loss, gradient or weight was not finite.
        """
        if self.updates.is_known_nonfinite():
            self._raise()

    def check(self, step: int, report: StepReport) -> None:
        """Make sure that training is finite up to here; waits for the device, and for the other processes.

        Raises:
            PlayDiverged: a loss, gradient or weight was not finite, or the logits have left the range.
        """
        self._raise()
        losses = (float(report.discriminator_loss), float(report.generator_loss))
        # A report may hold a process's own logits only; all have to come to the same conclusion.
        largest = torch.tensor(
            self.group.all_gather_object(float(largest_logit(report.real_logits, report.fake_logits)))
        )
        check_finite(self.objective, value=losses[0], largest_logit=float(largest.max()), where=f"step {step}")
        self._last = losses

    def clear(self) -> None:
        """Training goes on from another, finite state."""
        self.updates.reset()
        self._last = None

    def _raise(self) -> None:
        trouble = self.updates.first_nonfinite()
        if trouble is None:
            return
        last = "nothing was read before" if self._last is None else "last read: {:.4g}, {:.4g}".format(*self._last)
        raise PlayDiverged(
            f"step {trouble.step}",
            f"{trouble} (objective '{self.objective.name}'; losses of both players {last}).",
            f"Expected finite numbers; this objective is finite for logits up to {self.objective.finite_range:g}.",
            "The last checkpoint is intact. Train again from config.yaml with a lower learning rate, e.g. "
            "--set optimizers.generator.learning_rate=0.0005, or with a penalty such as r1.",
            step=trouble.step,
            player=trouble.player,
            layer=trouble.layer,
        )
