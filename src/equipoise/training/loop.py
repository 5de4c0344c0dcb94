"""The training loop: take a step, and now and then announce what happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from equipoise.augmentation import WATCHED_EVERY, Augmentation, StepAugmentation
from equipoise.distributed import SINGLE_PROCESS, ProcessGroup
from equipoise.game.lr_schedule import Schedule
from equipoise.game.player import Player
from equipoise.game.step import StepReport
from equipoise.game.stepper import EagerStepper, Stepper
from equipoise.game.update_rules import UpdateRule
from equipoise.objectives.base import Objective
from equipoise.penalties.base import Penalty
from equipoise.randomness import Stream, torch_stream
from equipoise.training.agreement import require_same_weights
from equipoise.training.batches import BatchSource
from equipoise.training.events import CheckpointDue, Ended, EvaluationDue, Event, Handler, Measured, SamplesDue, Stop
from equipoise.training.guards import FinitePlay
from equipoise.training.histograms import logit_histogram
from equipoise.training.likelihood_stage import LikelihoodStage
from equipoise.training.plan import Plan
from equipoise.training.saturation import measure_saturation
from equipoise.training.state import TrainingState, require_finite
from equipoise.training.weighting import mean_and_deviation, value_played, value_under_data


@dataclass
class Trainer:
    """Two players, an objective, and batches; takes the planned steps and announces what happens.

    Usable alone, with any modules, and without a run folder.

    Attributes:
        learning_rate: factor on both players' learning rates over the run.
        gamma: factor on the weight of the zero-centred penalties over the run.
        augmentation: what is done to real and generated samples alike before the discriminator sees them.
        stepper: computes the steps; by default one operation after the other.
        handlers: who is told of everything that happens.
        between_steps: called after every step, whether anything happened or not, in the process that measures; it
            must cost next to nothing and change nothing that training reads.
        before_samples: called with the state, in every process, before the averaged generator is drawn from or stored;
            it must change nothing that training reads.
        group: the processes that train together; the first one measures, and its handlers hear of everything.
        likelihood: the stage of the first steps, in which the generator alone is fitted; `None`: there is none.
        step: steps taken so far.
        seconds: training time so far, without what handlers do.
        lr_backoff: factor on both learning rates for the rest of the run; each rollback lowers it.
        rollbacks: how often training was put back to a checkpoint, and why; a line of the run's record each.
        should_stop: whether a handler has asked for the end after the present step; a rollback answers it.
        stop_asked: set it from a signal to end after the present step; it stays set whatever training does.
        goal_reached: why training that stopped before its last step is complete all the same; empty when it is not.
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
    augmentation: Augmentation | None = None
    stepper: Stepper | None = None
    handlers: Sequence[Handler] = ()
    between_steps: Callable[[], None] | None = None
    before_samples: Callable[[TrainingState], None] | None = None
    group: ProcessGroup = SINGLE_PROCESS
    likelihood: LikelihoodStage | None = None
    step: int = 0
    seconds: float = 0.0
    lr_backoff: float = 1.0
    rollbacks: list[dict[str, Any]] = field(default_factory=list)
    should_stop: bool = field(default=False, init=False)
    stop_asked: bool = field(default=False, init=False)
    goal_reached: str = field(default="", init=False)
    guard: FinitePlay = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.stepper is None:
            self.stepper = EagerStepper(
                self.discriminator, self.generator, self.objective, self.penalties, self.update_rule, self.group
            )
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
    def memories(self) -> dict[str, dict[str, Tensor]]:
        """What the penalties and the augmentation remember from step to step, by their names in a checkpoint."""
        found = {f"penalties.{index}": penalty.state for index, penalty in enumerate(self.penalties)}
        if self.is_before_the_game:
            assert self.likelihood is not None
            found["likelihood"] = self.likelihood.memory
        return found if self.augmentation is None else {**found, "augmentation": self.augmentation.state}

    @property
    def stage_steps(self) -> int:
        """Steps of the likelihood stage; 0 without one."""
        return 0 if self.likelihood is None else self.likelihood.steps

    @property
    def is_before_the_game(self) -> bool:
        """Whether the next step is one of the likelihood stage."""
        return self.step < self.stage_steps

    def in_the_game(self, step: int) -> tuple[int, int]:
        """The place of a step of the run (counted from 0) in the game, and how many steps its schedules have."""
        return max(0, step - self.stage_steps), max(1, self.plan.scheduled_steps - self.stage_steps)

    @property
    def state(self) -> TrainingState:
        """Training as it stands, for handlers and checkpoints."""
        last = max(self.step - 1, 0)
        return TrainingState(
            step=self.step,
            seconds=self.seconds,
            plan=self.plan,
            discriminator=self.discriminator,
            generator=self.generator,
            objective=self.objective,
            batches=self.batches,
            penalties=self.penalties,
            augmentation=self.augmentation,
            memories=self.memories,
            learning_rate=self.lr_backoff * self.learning_rate.at(*self.in_the_game(last)),
            gamma=self.gamma.at(*self.in_the_game(last)),
            lr_backoff=self.lr_backoff,
            rollbacks=self.rollbacks,
        )

    @property
    def is_asked_to_stop(self) -> bool:
        """Whether a handler or a signal has asked for the end of training."""
        return self.should_stop or self.stop_asked

    def end(self, answer: Stop) -> None:
        """Do what a handler has answered: end after the present step."""
        self.should_stop = True
        self.goal_reached = answer.goal or self.goal_reached

    def run(self, handlers: Sequence[Handler] = ()) -> None:
        """Train until the plan is fulfilled or the end is asked for.

        Args:
            handlers: who is told, after those that the trainer was made with.

        Raises:
            PlayDiverged: a loss, gradient or weight became infinite or NaN; no player has been updated since.
        """
        plan = self.plan
        told = (*self.handlers, *handlers)
        require_same_weights(self.group, self.discriminator, self.generator)
        guard = self.guard
        started, before = time.perf_counter(), self.seconds
        last_step, last_seconds = self.step, self.seconds
        report: StepReport | None = None
        is_over = self._ends(has_events=True)
        while self.step < plan.steps and not is_over:
            self.group.stop_requested = self.is_asked_to_stop
            is_measured = plan.is_measured(self.step + 1)
            report = self.train_step(measure=is_measured)
            if self.group.is_single_process:
                guard.require_no_bad_news()  # processes may learn of it at different steps: they wait for a check
            self.seconds = before + time.perf_counter() - started
            if is_measured:
                guard.check(self.step, report)
                speed = (self.step - last_step) / max(self.seconds - last_seconds, 1e-9)
                last_step, last_seconds = self.step, self.seconds
                if self.group.is_main:
                    self._announce(Measured(self.step, self.row(report, speed)), told)
            if plan.needs_average(self.step):
                guard.check(self.step, report)
                self._prepare_samples()
            if needs_samples := plan.needs_samples(self.step):
                self._announce(SamplesDue(self.step, self.state), told)
            if needs_evaluation := self.step in plan.evaluation_steps:
                # Before the checkpoint: whoever resumes from that one finds this evaluation in the run folder.
                self._require_storable(report)
                self._announce(EvaluationDue(self.step, self.state), told)
            if needs_checkpoint := plan.needs_checkpoint(self.step):
                self._require_storable(report)
                self._announce(CheckpointDue(self.step, self.state), told)
            if self.between_steps is not None and self.group.is_main:
                self.between_steps()
            is_over = self._ends(has_events=is_measured or needs_samples or needs_evaluation or needs_checkpoint)
            # Grids and files are not training: the clock stands still while handlers work.
            started, before = time.perf_counter(), self.seconds
        if self.step < plan.steps:
            self._require_storable(report)
            self._prepare_samples()
            self._announce(CheckpointDue(self.step, self.state), told)
        self._announce(Ended(self.step, self.step >= plan.steps or bool(self.goal_reached)), told)

    def train_step(self, *, measure: bool = False) -> StepReport:
        """Take one step, at the learning rates and penalty weights that are due."""
        self.guard.begin(self.step + 1)
        if self.is_before_the_game:
            report = self._likelihood_step(measure=measure)
            self.step += 1
            self.guard.watch(report)
            return report
        place, total = self.in_the_game(self.step)
        decay = self.learning_rate.decay_at(place, total)
        scale = self.learning_rate.scale_at(place, total) * self.lr_backoff
        for player in self.players.values():
            player.scale_learning_rate(decay, scale=scale)
        report = self.stepper.step(
            self.batches.at(self.step),
            penalty_factor=self.gamma.at(place, total),
            augmentation=self.augmentation_at(self.step, group=self.group),
            measure=measure,
        )
        self._observe_withheld(report)
        self.step += 1
        self.guard.watch(report)
        return report

    @torch.no_grad()
    def _observe_withheld(self, report: StepReport) -> None:
        """Show the augmentation what the discriminator makes of rows that it has not learned from, now and then."""
        part = self.augmentation
        look, rest = divmod(self.step, WATCHED_EVERY)
        if part is None or part.observe_withheld is None or rest or not len(self.batches.withheld):
            return
        samples, labels = self.batches.withheld_batch(look)
        stream = torch_stream(self.batches.seed, Stream.NOISE_ON_WITHHELD, self.step, device=samples.device)
        seen = part.apply(samples, part.strength(*self.in_the_game(self.step)), stream)
        network = self.discriminator.network
        was_training = network.training
        network.eval()  # looking leaves nothing behind, such as a step of a power iteration
        logits = self.discriminator(seen, labels)
        network.train(was_training)
        real, fake = self.group.all_gather(report.real_logits, report.fake_logits)
        part.observe_withheld(real, logits, fake)

    def augmentation_at(self, step: int, *, group: ProcessGroup = SINGLE_PROCESS) -> StepAugmentation | None:
        """The augmentation during `step` (counted from 0); `None` without one."""
        if self.augmentation is None:
            return None
        return StepAugmentation(
            self.augmentation,
            seed=self.batches.seed,
            step=self.in_the_game(step)[0],
            total=self.in_the_game(step)[1],
            device=self.batches.real.device,
            group=group,
        )

    def _likelihood_step(self, *, measure: bool) -> StepReport:
        """One step of the stage before the game: its loss stands where the generator's does, and there is no other."""
        assert self.likelihood is not None
        loss, norms = self.likelihood.step(self.step, self.batches.at(self.step), measure=measure)
        none = torch.zeros(1, device=loss.device)
        return StepReport(none, none, none[0], loss, gradient_norms=norms)

    def _prepare_samples(self) -> None:
        if self.before_samples is not None:
            self.before_samples(self.state)

    def _require_storable(self, report: StepReport | None) -> None:
        """Make sure that handlers may store the state: here, in all processes, and not where one of them writes.

        Raises:
            PlayDiverged: something is infinite or NaN.
        """
        if report is not None:
            self.guard.check(self.step, report)
        require_finite(self.players, self.memories, step=self.step)

    def _ends(self, *, has_events: bool) -> bool:
        """Whether training ends now, after the same step in all processes, whichever of them was asked to end it.

        What handlers ask of the first process holds at once, and the others wait for them. A signal to any process
        travels with the gradients of the next step, so that a step without events costs no message of its own.
        """
        if self.group.is_single_process:
            return self.is_asked_to_stop
        if has_events:
            return any(self.group.all_gather_object(self.is_asked_to_stop))
        return self.group.any_stop_requested()

    def _announce(self, event: Event, handlers: Sequence[Handler]) -> None:
        for handler in handlers:
            answer = handler(event)
            if isinstance(answer, Stop):
                self.end(answer)

    def row(self, report: StepReport, speed: float) -> dict[str, Any]:
        """A line of `metrics.jsonl` about the step that was just taken."""
        if self.step <= self.stage_steps:
            assert self.likelihood is not None
            return self.likelihood.row(report, step=self.step, seconds=self.seconds, speed=speed, batches=self.batches)
        value, error = value_played(
            self.objective,
            report.real_logits,
            report.fake_logits,
            is_conditional=self.batches.labels is not None,
            fake_weights=report.fake_weights,
        )
        gamma = self.gamma.at(*self.in_the_game(self.step - 1))
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
                side: dict(zip(("mean", "std"), mean_and_deviation(logits, weights), strict=True))
                for side, logits, weights in (("real", real, None), ("fake", fake, report.fake_weights))
            },
        }
        row |= self._under_data(report)
        if self.augmentation is not None:
            row[self.augmentation.name] = self.augmentation.strength(*self.in_the_game(self.step - 1))
            if "overfitting" in self.augmentation.state:
                row["overfitting"] = float(self.augmentation.state["overfitting"])
        if self.step in self.plan.sample_steps or self.step == self.plan.steps:
            row["histogram"] = logit_histogram(
                real,
                fake,
                as_probability=self.objective.logit_meaning == "log_odds",
                fake_weights=report.fake_weights,
            )
        if self.plan.is_monitored(self.step):
            # The batches of the next step: what the discriminator is asked about has not trained it yet.
            first = self.step * self.update_rule.updates_per_step
            batch, other = self.batches.batch(first), self.batches.batch(first + 1)
            row["saturation"] = measure_saturation(
                self.discriminator,
                self.generator,
                objective=self.objective,
                batch=batch,
                other=other,
                augmentation=self.augmentation_at(self.step),
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
            fake_weights=report.fake_weights,
        )
        value, error = (None, None) if found is None else found
        return {"value_under_data": value, "value_under_data_standard_error": error}
