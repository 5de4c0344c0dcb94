"""The training loop: play a step, and now and then read what happened."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from equipoise.distributed import SINGLE_PROCESS, ProcessGroup
from equipoise.game.lr_schedule import Schedule
from equipoise.game.player import Player
from equipoise.game.step import Batch, StepReport, UpdateRule, train_step
from equipoise.objectives.base import Objective
from equipoise.penalties.base import Penalty
from equipoise.training.agreement import require_same_weights
from equipoise.training.batches import BatchSource
from equipoise.training.events import CheckpointDue, Ended, EvaluationDue, Event, Handler, Measured, SamplesDue
from equipoise.training.guards import FinitePlay
from equipoise.training.histograms import logit_histogram
from equipoise.training.instance_noise import InstanceNoiseStream
from equipoise.training.saturation import SPACING_STEPS, measure_saturation
from equipoise.training.state import require_finite
from equipoise.training.weighting import value_played, value_under_data


@dataclass(frozen=True)
class Plan:
    """When things happen, in steps, fixed before the first one.

    Attributes:
        steps: steps in the whole run.
        schedule_steps: steps over which learning rates and gamma take their course; later ones run at the final
            values. `None` means all of them.
        measure_every: steps between two measured ones; the first and the last are always measured.
        sample_steps: steps after which samples are drawn.
        evaluation_steps: steps after which the referee looks.
        checkpoint_every: steps between two checkpoints; there is always one at the end.
    """

    steps: int
    schedule_steps: int | None = None
    measure_every: int = 50
    sample_steps: frozenset[int] = frozenset()
    evaluation_steps: frozenset[int] = frozenset()
    checkpoint_every: int = 1000

    @property
    def course(self) -> int:
        """Steps over which learning rates and gamma take their course."""
        return self.steps if self.schedule_steps is None else self.schedule_steps

    def is_measured(self, step: int) -> bool:
        """Whether the step with this number (counted from 1) is read."""
        return step == 1 or step == self.steps or step % self.measure_every == 0

    def is_monitored(self, step: int) -> bool:
        """Whether saturation is measured after this step: the last, and measured ones that are far enough apart."""
        every = -(-SPACING_STEPS // self.measure_every) * self.measure_every
        return step == self.steps or step % every == 0


@dataclass
class Trainer:
    """Two players, an objective, and batches; plays the planned steps and announces what happens.

    Usable alone, with any modules, and without a run folder.

    Attributes:
        learning_rate: factor on both players' learning rates over the run.
        gamma: factor on the weight of the zero-centred penalties over the run.
        fog: instance noise that both players see samples through; the generator is then a `NoisyGenerator` with it.
        step: steps played so far.
        seconds: play time so far, without what handlers do.
        group: the processes that play together; the first one measures, and its handlers hear of everything.
        caution: factor on both learning rates for the rest of the run; each rollback lowers it.
        rollbacks: how often play was put back to a checkpoint, and why; a line of the run's record each.
        trend: what the referee's looks say of the run so far: improving, plateaued, collapsed, diverged; or nothing.
        should_stop: set it from a handler to end play after the present step; a rollback answers it.
        stop_asked: set it from a signal to end play after the present step; it stays set whatever play does.
        goal_reached: why play that stopped before its last step is complete all the same; empty when it is not.
    """

    discriminator: Player
    generator: Player
    objective: Objective
    batches: BatchSource
    plan: Plan
    penalties: Sequence[Penalty] = ()
    update_rule: UpdateRule = UpdateRule()
    learning_rate: Schedule = Schedule()
    gamma: Schedule = Schedule()
    fog: InstanceNoiseStream | None = None
    handlers: Sequence[Handler] = ()
    group: ProcessGroup = SINGLE_PROCESS
    step: int = 0
    seconds: float = 0.0
    lr_backoff: float = 1.0
    rollbacks: list[dict[str, Any]] = field(default_factory=list)
    trend: str | None = None
    should_stop: bool = field(default=False, init=False)
    stop_asked: bool = field(default=False, init=False)
    goal_reached: str = field(default="", init=False)
    guard: FinitePlay = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.guard = FinitePlay(
            self.discriminator,
            self.generator,
            objective=self.objective,
            device=self.batches.real.device,
            group=self.group,
        )

    @property
    def players(self) -> dict[str, Player]:
        """Both players by their names."""
        return {"discriminator": self.discriminator, "generator": self.generator}

    @property
    def is_asked_to_stop(self) -> bool:
        """Whether a handler or a signal has asked for the end of play."""
        return self.should_stop or self.stop_asked

    def run(self) -> None:
        """Play until the plan is fulfilled or the end is asked for.

        Raises:
            PlayDiverged: a loss, gradient or weight became infinite or NaN; no player has moved since.
        """
        plan = self.plan
        require_same_weights(self.group, self.discriminator, self.generator)
        guard = self.guard
        started, before = time.perf_counter(), self.seconds
        last_step, last_seconds = self.step, self.seconds
        report: StepReport | None = None
        is_over = self._ends(has_events=True)
        while self.step < plan.steps and not is_over:
            self.group.notice = self.is_asked_to_stop
            is_measured = plan.is_measured(self.step + 1)
            report = self.play(measure=is_measured)
            if self.group.is_single_process:
                guard.require_no_bad_news()  # processes may learn of it at different steps: they wait for a check
            self.seconds = before + time.perf_counter() - started
            if is_measured:
                guard.check(self.step, report)
                speed = (self.step - last_step) / max(self.seconds - last_seconds, 1e-9)
                last_step, last_seconds = self.step, self.seconds
                if self.group.is_main:
                    self._announce(Measured(self.step, self.row(report, speed)))
            is_last = self.step == plan.steps
            if self.step in plan.sample_steps or is_last:
                guard.check(self.step, report)
                self._announce(SamplesDue(self.step))
            if self.step in plan.evaluation_steps:
                # Before the checkpoint: whoever resumes from that one finds this look in the run folder.
                self._require_storable(report)
                self._announce(EvaluationDue(self.step))
            if self.step % plan.checkpoint_every == 0 or is_last:
                self._require_storable(report)
                self._announce(CheckpointDue(self.step))
            is_over = self._ends(has_events=is_measured or self._has_events(self.step))
            # Pictures and files are not play: the clock stands still while handlers work.
            started, before = time.perf_counter(), self.seconds
        if self.step < plan.steps:
            self._require_storable(report)
            self._announce(CheckpointDue(self.step))
        self._announce(Ended(self.step, self.step >= plan.steps or bool(self.goal_reached)))

    def play(self, *, measure: bool = False) -> StepReport:
        """Play one step, at the learning rates and penalty weights that are due."""
        rate = self.learning_rate.at(self.step, self.plan.course) * self.lr_backoff
        self.guard.begin(self.step + 1)
        self.discriminator.scale_learning_rate(rate)
        self.generator.scale_learning_rate(rate)
        report = train_step(
            self.discriminator,
            self.generator,
            objective=self.objective,
            batches=self.batches_at(self.step),
            penalties=self.penalties,
            penalty_factor=self.gamma.at(self.step, self.plan.course),
            update_rule=self.update_rule,
            measure=measure,
            group=self.group,
        )
        self.step += 1
        self.guard.watch(report)
        return report

    def batches_at(self, step: int, *, joined: bool = False) -> list[Batch]:
        """The batches of `step` (counted from 0), one per turn, as both players see them.

        Of several processes each gets its part, or the whole of them, `joined`.
        """
        batches = self.batches.at(step, joined=joined)
        if self.fog is None:
            return batches
        group = SINGLE_PROCESS if joined else self.group
        return self.fog.over(batches, step=step, total=self.plan.course, group=group)

    def _has_events(self, step: int) -> bool:
        """Whether handlers are told something after this step that may take them long, or make them end play."""
        plan = self.plan
        return (
            step == plan.steps
            or step in plan.sample_steps
            or step in plan.evaluation_steps
            or step % plan.checkpoint_every == 0
        )

    def _require_storable(self, report: StepReport | None) -> None:
        """Make sure that handlers may store the state: here, in all processes, and not where one of them writes.

        Raises:
            PlayDiverged: something is infinite or NaN.
        """
        if report is not None:
            self.guard.check(self.step, report)
        require_finite(self.players, self.penalties, step=self.step)

    def _ends(self, *, has_events: bool) -> bool:
        """Whether play ends now, after the same step in all processes, whichever of them was asked to end it.

        What handlers ask of the first process holds at once, and the others wait for them. A signal to any process
        travels with the gradients of the next step, so that a step without events costs no message of its own.
        """
        if self.group.is_single_process:
            return self.is_asked_to_stop
        if has_events:
            return any(self.group.all_gather_object(self.is_asked_to_stop))
        return self.group.any_noticed()

    def _announce(self, event: Event) -> None:
        for handler in self.handlers:
            handler(event)

    def row(self, report: StepReport, speed: float) -> dict[str, Any]:
        """A line of `metrics.jsonl` about the step that was just played."""
        value, error = value_played(
            self.objective, report.real_logits, report.fake_logits, is_conditional=self.batches.labels is not None
        )
        gamma = self.gamma.at(self.step - 1, self.plan.course)
        real, fake = report.real_logits.float(), report.fake_logits.float()
        row: dict[str, Any] = {
            "step": self.step,
            "samples_seen": self.step * self.update_rule.updates_per_step * self.batches.batch_size,
            "seconds": self.seconds,
            "steps_per_second": speed,
            "value": value,
            "value_standard_error": error,
            "discriminator_loss": float(report.discriminator_loss),
            "generator_loss": float(report.generator_loss),
            "penalty": {name: float(mean) for name, mean in report.penalties.items()},
            "penalty_weight": {penalty.name: float(penalty.factor(gamma)) for penalty in self.penalties},
            "gradient_norm": {name: float(norm) for name, norm in report.gradient_norms.items()},
            "learning_rate": {
                "discriminator": self.discriminator.learning_rate,
                "generator": self.generator.learning_rate,
            },
            "logits": {
                side: {"mean": float(logits.mean()), "std": float(logits.std(correction=0))}
                for side, logits in (("real", real), ("fake", fake))
            },
        }
        row |= self._under_data(report)
        if self.fog is not None:
            row["instance_noise"] = self.fog.level
        if self.step in self.plan.sample_steps or self.step == self.plan.steps:
            row["histogram"] = logit_histogram(real, fake, as_probability=self.objective.logit_meaning == "log_odds")
        if self.plan.is_monitored(self.step):
            # The batches of the next step: what the discriminator is asked about has not moved it yet.
            batch, other = self.batches_at(self.step, joined=True)[:2]
            row["saturation"] = measure_saturation(
                self.discriminator, self.generator, objective=self.objective, batch=batch, other=other
            )
        return row

    def _under_data(self, report: StepReport) -> dict[str, Any]:
        """V under the data's own density, where rows are drawn by weight."""
        draw = (self.step - 1) * self.update_rule.updates_per_step + self.update_rule.n_critic - 1
        importance = self.batches.importance(draw)
        if importance is None:
            return {}
        found = value_under_data(
            self.objective,
            report.real_logits,
            report.fake_logits,
            importance=importance,
            is_conditional=self.batches.labels is not None,
        )
        value, error = (None, None) if found is None else found
        return {"value_under_data": value, "value_under_data_standard_error": error}
