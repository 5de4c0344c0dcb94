"""How a step is computed: a stepper updates both players by one step on given batches and says what happened.

A trainer steps behind this protocol, so that another way to compute the same step takes the eager one's place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from equipoise.augmentation import StepAugmentation
from equipoise.distributed import SINGLE_PROCESS, ProcessGroup
from equipoise.game.player import Player
from equipoise.game.step import Batch, StepReport, train_step
from equipoise.game.update_rules import UpdateRule
from equipoise.objectives.base import Objective
from equipoise.penalties.base import Penalty


class Stepper(Protocol):
    """Updates both players of a game by one step after the other."""

    def step(
        self,
        batches: Sequence[Batch],
        *,
        penalty_factor: float | Tensor = 1.0,
        augmentation: StepAugmentation | None = None,
        measure: bool = False,
    ) -> StepReport:
        """One step on these batches, one for each update; the arguments are those of `train_step`."""
        ...


@dataclass(frozen=True)
class EagerStepper:
    """Makes each step with `train_step`, operation by operation."""

    discriminator: Player
    generator: Player
    objective: Objective
    penalties: Sequence[Penalty] = ()
    update_rule: UpdateRule = UpdateRule()
    group: ProcessGroup = SINGLE_PROCESS

    def step(
        self,
        batches: Sequence[Batch],
        *,
        penalty_factor: float | Tensor = 1.0,
        augmentation: StepAugmentation | None = None,
        measure: bool = False,
    ) -> StepReport:
        """One step on these batches, one for each update; the arguments are those of `train_step`."""
        return train_step(
            self.discriminator,
            self.generator,
            objective=self.objective,
            batches=batches,
            penalties=self.penalties,
            penalty_factor=penalty_factor,
            update_rule=self.update_rule,
            augmentation=augmentation,
            measure=measure,
            group=self.group,
        )
