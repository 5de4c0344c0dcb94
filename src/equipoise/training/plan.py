"""When things happen during training: fixed before the first step."""

from __future__ import annotations

from dataclasses import dataclass

from equipoise.training.saturation import SPACING_STEPS


@dataclass(frozen=True)
class Plan:
    """When things happen, in steps, fixed before the first one.

    Attributes:
        steps: steps in the whole run.
        schedule_steps: steps over which learning rates and gamma follow their schedules; later ones run at the final
            values. `None` means all of them.
        measure_every: steps between two measured ones; the first and the last are always measured.
        sample_steps: steps after which samples are drawn.
        evaluation_steps: steps after which the referee evaluates.
        checkpoint_every: steps between two checkpoints; there is always one at the end.
    """

    steps: int
    schedule_steps: int | None = None
    measure_every: int = 50
    sample_steps: frozenset[int] = frozenset()
    evaluation_steps: frozenset[int] = frozenset()
    checkpoint_every: int = 1000

    @property
    def scheduled_steps(self) -> int:
        """Steps over which learning rates and gamma follow their schedules."""
        return self.steps if self.schedule_steps is None else self.schedule_steps

    def is_measured(self, step: int) -> bool:
        """Whether the step with this number (counted from 1) is read."""
        return step == 1 or step == self.steps or step % self.measure_every == 0

    def is_monitored(self, step: int) -> bool:
        """Whether saturation is measured after this step: the last, and measured ones that are far enough apart."""
        every = -(-SPACING_STEPS // self.measure_every) * self.measure_every
        return step == self.steps or step % every == 0

    def needs_samples(self, step: int) -> bool:
        """Whether samples are drawn after this step: a planned one, or the last."""
        return step in self.sample_steps or step == self.steps

    def needs_average(self, step: int) -> bool:
        """Whether the averaged generator is drawn from or stored after this step."""
        return self.needs_samples(step) or step in self.evaluation_steps or self.needs_checkpoint(step)

    def needs_checkpoint(self, step: int) -> bool:
        """Whether the state is stored after this step: at every interval, and at the last."""
        return step % self.checkpoint_every == 0 or step == self.steps
