"""A run while it trains: fresh and resumed runs are the same from here to the verdict."""

from __future__ import annotations

import contextlib
from functools import partial

import torch

import equipoise.reports as reports
from equipoise.errors import EquipoiseError, InputError, Interrupted, OutOfMemory, PlayDiverged
from equipoise.experiment.generator import Gan
from equipoise.experiment.judge.during_training import EvaluationState, evaluations_handler
from equipoise.experiment.loading import load_gan
from equipoise.experiment.out_of_memory import explaining_memory
from equipoise.experiment.planned import Planned
from equipoise.experiment.signals import (
    Stopped,
    in_folder,
    stopping_after_the_step,
    stopping_at_once,
    whole_without_verdict,
)
from equipoise.run_requests import end_listening
from equipoise.runfolder import RunFolder
from equipoise.training import Handler, Trainer
from equipoise.training.answers import RequestAnswers
from equipoise.training.lower_rate import RiseWatch
from equipoise.training.progress import Progress, is_watched
from equipoise.training.recorder import Recorder, SampleGrids, TensorBoardEvents
from equipoise.training.rollback import BAD_TRENDS, CollapseWatch, Recovery


class LiveRun:
    """Trains to the end, records, evaluates and judges; on the way out the folder says how the run ended.

    Of many processes all have one. The first one's records and judges; the others train with it and wait for it.

    Args:
        folder: the run folder, with everything that is there before the next step; the caller holds its lock.
        planned: configuration and data.
        trainer: ready to take the next step; its plan has the steps of the evaluations.
        evaluations: the plan of the interim evaluations.
        progress: who is told how far the run has come.
        goes_on: whether the person asked for more steps of a run whose goal was reached.

    Attributes:
        grids: draws samples into the folder.
        evaluator: the handler that evaluates, in the first process of a run with interim evaluations.
    """

    def __init__(
        self,
        folder: RunFolder,
        planned: Planned,
        trainer: Trainer,
        *,
        evaluations: EvaluationState,
        progress: Progress | None = None,
        goes_on: bool = False,
    ) -> None:
        config = planned.config
        self.folder, self.planned, self.trainer = folder, planned, trainer
        self.progress = progress if progress is not None and trainer.group.is_main else Progress()
        self.grids = SampleGrids(folder, planned.data, seed=config.seed, conditional=config.networks.conditional)
        self._stopped_by: list[str] = []
        self.evaluator = None
        if trainer.group.is_main:
            self.evaluator = evaluations_handler(folder, planned, evaluations, progress=self.progress)
        reached = None if self.evaluator is None else self.evaluator.taken_up(trainer.step, goes_on=goes_on)
        self.rises = None
        if self.evaluator is not None and config.evaluations.keep_best and config.recovery.on_rise == "lower":
            evaluator = self.evaluator
            self.rises = RiseWatch(lambda: evaluator.rows)
            reached = reached or self.rises.taken_up(trainer, goes_on=goes_on)
        if reached is not None:
            trainer.end(reached)

    def finish(self) -> Gan:
        """Train, judge and report.

        Raises:
            Interrupted: somebody asked for the end; if that was in the last step, all are taken.
            PlayDiverged: the game left the finite numbers or the evaluations say so, and the run is to stop for it.
        """
        group = self.trainer.group
        with stopping_at_once(partial(in_folder, self.folder)):
            self._train()
            if not group.is_main:
                group.barrier()
                return self._load()
            # The others wait, however many they are.
            with stopping_at_once(partial(in_folder, self.folder), talks=False):
                gan = self._load()
                self._show(gan)
                if self.planned.config.outputs.final_verdict and not self._is_judged(gan.step):
                    self._judge(gan)
                try:
                    if self.planned.config.outputs.measures_table and gan.space.kind == "table":
                        self._measure_table(gan)
                finally:
                    reports.write_report(self.folder.path)
            group.barrier()
            return gan

    def _train(self) -> None:
        """Train to the end or to the goal."""
        trainer, wanted = self.trainer, self.planned.config.recovery
        evaluator = self.evaluator
        watch = None if evaluator is None else CollapseWatch(wanted.on_collapse, lambda: evaluator.trend)
        recovery = Recovery(
            self.folder,
            most=wanted.rollbacks,
            learning_rate_factor=wanted.learning_rate_factor,
            handlers=self._handlers(watch),
            watch=watch,
            rises=self.rises,
            tell=self.progress.message,
        )
        self._begin()
        try:
            # Within: the folder's status says what to lower too.
            with explaining_memory(self.planned.config), stopping_after_the_step(trainer) as stopped_by:
                self._stopped_by = stopped_by
                recovery.train(trainer)
        except Stopped:
            raise  # before the first step or after the last: no failure
        except BaseException as error:
            self._write_failure(error)
            raise
        finally:
            self.progress.close()
            end_listening(self.folder.path)
        self._conclude(watch, stopped_by)

    def _handlers(self, watch: CollapseWatch | None) -> list[Handler]:
        if not self.trainer.group.is_main:
            return []
        live = dict if self.evaluator is None else self.evaluator.live
        handlers: list[Handler] = [Recorder(self.folder, self.grids, progress=self.progress, live=live)]
        if self.evaluator is not None:
            handlers.append(self.evaluator)
        with contextlib.suppress(ImportError):
            handlers.append(TensorBoardEvents(self.folder))
        if is_watched(self.progress, self.folder.path):
            answers = self._answers()
            handlers.append(answers)
            self.trainer.between_steps = answers.look
        # Last but one: a person's callback finds in the folder what the event is about.
        handlers += self.planned.parts.callbacks
        return [*handlers, *(each for each in (watch, self.rises) if each is not None)]

    def _answers(self) -> RequestAnswers:
        """Answers what is asked of the run in its folder; a stop from there is one like Ctrl-C."""

        def stop() -> None:
            self._stopped_by.append("the run page")
            self.trainer.stop_asked = True

        return RequestAnswers(
            self.folder,
            self.planned.data,
            grids=self.grids,
            state=lambda: self.trainer.state,
            stop=stop,
            material=None if self.evaluator is None else self.evaluator.material,
            conditional=self.planned.config.networks.conditional,
        )

    def _begin(self) -> None:
        trainer, progress = self.trainer, self.progress
        progress.start(trainer.plan.steps, trainer.step, f"training {self.folder.path}")
        if trainer.step == 0:
            progress.message(f"preset '{self.planned.config.preset}'; every setting is in {self.folder.config}")
            for note in self.planned.data.raw.notes:
                progress.message(note)

    def _write_failure(self, error: BaseException) -> None:
        if not self.trainer.group.is_main:
            return
        trend = None if self.evaluator is None else self.evaluator.trend
        diverged = {"trend": trend if trend in BAD_TRENDS else "diverged"} if isinstance(error, PlayDiverged) else {}
        with contextlib.suppress(EquipoiseError):  # the disk may be what failed
            self.folder.write_status(state="failed", message=str(error) or type(error).__name__, **diverged)

    def _conclude(self, watch: CollapseWatch | None, stopped_by: list[str]) -> None:
        """Say why training ended where it did, in the folder and to the caller.

        Raises:
            Interrupted: a signal reached any of the processes.
            Collapsed: the evaluations say so, and training is to stop for it.
        """
        trainer, folder = self.trainer, self.folder
        goal = trainer.goal_reached
        found = trainer.group.all_gather_object([bool(goal), stopped_by])
        is_whole = trainer.step >= trainer.plan.steps or found[0][0]
        if goal:
            folder.write_status(ended_because=goal, message=goal)
        elif watch is not None and watch.found is not None and not is_whole:
            folder.write_status(state="stopped", message=str(watch.found))
            reports.write_report(folder.path)
            raise watch.found
        signals = [name for _, names in found for name in names]
        if signals:
            raise self._interrupted(signals[0], is_whole=is_whole)

    def _interrupted(self, by: str, *, is_whole: bool) -> Interrupted:
        where = f"step {self.trainer.step} of {self.trainer.plan.steps}"
        if is_whole:
            return whole_without_verdict(self.folder, where, by)
        return Interrupted(
            where,
            f"stopped by {by}; a checkpoint was written.",
            "",
            f"Continue with: equipoise resume {self.folder.path}",
        )

    def _load(self) -> Gan:
        # The code that it names has just been trained with.
        return load_gan(self.folder.path, parts=self.planned.parts, data=self.planned.data, trust_code=True)

    def _show(self, gan: Gan) -> None:
        """The samples of the weights that are used, where no grid was due at their step, and the nearest pictures."""
        device = next((weight.device for weight in gan.generator.parameters()), torch.device("cpu"))
        place = {"latents": gan.generator.latent_dimensions, "device": device}
        if gan.step not in self.folder.sample_steps(".png"):
            self.grids.write_of(gan.generator, gan.step, **place)
        if gan.space.kind == "images":
            self.grids.write_nearest(gan.generator, **place)

    def _is_judged(self, step: int) -> bool:
        """Whether a run that was killed between its verdict and its report has its verdict."""
        return any(row.get("part") == "final" and row.get("step") == step for row in self.folder.read_verdicts())

    def _judge(self, gan: Gan) -> None:
        """The verdict on the final part; data that cannot be judged, here, are said so, and are no failure."""
        try:
            gan.judge()
        except (InputError, OutOfMemory) as error:
            self.folder.write_status(message=f"No verdict: {error}")
            self.progress.message(f"No verdict: {error}")

    def _measure_table(self, gan: Gan) -> None:
        """How faithful, useful and private the rows are, for the report; where it cannot be said, why."""
        from equipoise.experiment.table_report import report_table_of_gan

        folder = self.folder
        with contextlib.suppress(EquipoiseError):
            if folder.read_json(folder.table_report).get("step") == gan.step:
                return  # of a run that was killed before its report
        self.progress.message("measuring how faithful, useful and private the rows are (--no-table-report: not)")
        try:
            report_table_of_gan(gan, is_short=True)
        except (InputError, OutOfMemory) as error:
            folder.write_json(folder.table_report, {"step": gan.step, "why_not": str(error)})
