"""Training that goes wrong at chosen steps, by numbers or by evaluations that see a collapse; and all that it
leaves."""

import signal
from dataclasses import replace

import torch

from equipoise.experiment import live_run
from equipoise.experiment import resume as resuming
from equipoise.experiment import train as run
from equipoise.experiment.prepare import plan_run
from equipoise.runfolder import RunFolder
from equipoise.training.checkpoints import read_checkpoint
from equipoise.training.events import EvaluationDue

SETTINGS = [
    "networks.generator.width=4",
    "networks.discriminator.width=4",
    "networks.generator.depth=2",
    "training.batch_size=8",
    "outputs.final_verdict=false",
    "outputs.checkpoint_every=4",
    "outputs.measure_every=3",
    "outputs.samples=2",
    "optimizers.lr_schedule.warmup_steps=0",
    "runtime.threads=1",
]
STEPS = 24


class NonFinite:
    """Makes chosen steps of every trainer that is built leave the finite numbers, as long as there were few enough
    rollbacks.

    Args:
        how: what becomes infinite or NaN: gradient, loss or weight.
        player: whose.
        at: the step, counted from 1.
        times: how often in the run: no more once it was put back so often.
    """

    def __init__(self, monkeypatch, how, player="generator", *, at=11, times=1):
        self.how, self.player, self.at, self.times = how, player, at, times
        self.kill_at = None
        self.signals = False  # whether SIGTERM comes in that step
        for module in (run, resuming):
            monkeypatch.setattr(module, "build_trainer", self.wrap(module.build_trainer))

    def wrap(self, build):
        def built(*arguments, **options):
            trainer = build(*arguments, **options)
            train_step = trainer.train_step

            def stepping(*, measure=False):
                if (trainer.step, len(trainer.rollbacks)) == self.kill_at:
                    raise Killed
                if trainer.step + 1 != self.at or len(trainer.rollbacks) >= self.times:
                    return train_step(measure=measure)
                if self.signals:
                    signal.raise_signal(signal.SIGTERM)
                return self.corrupt(trainer, train_step, measure)

            trainer.train_step = stepping
            return trainer

        return built

    def corrupt(self, trainer, train_step, measure):
        player = getattr(trainer, self.player)
        if self.how == "weight":
            with torch.no_grad():
                player.parameters[2].view(-1)[0] = float("inf")
            return train_step(measure=measure)
        if self.how == "gradient":
            hook = player.parameters[2].register_hook(lambda gradient: gradient * float("nan"))
            try:
                return train_step(measure=measure)
            finally:
                hook.remove()
        check = trainer.guard.updates.check_losses

        def poisoned(*losses):
            check(
                *(
                    loss * float("nan") if name == self.player else loss
                    for name, loss in zip(("discriminator", "generator"), losses, strict=True)
                )
            )

        trainer.guard.updates.check_losses = poisoned
        try:
            return train_step(measure=measure)
        finally:
            trainer.guard.updates.check_losses = check


class Killed(BaseException):
    """What ends a run without a word, as far as one process can."""


class Listener:
    def __init__(self):
        self.said = []

    def start(self, *arguments):
        del arguments

    def update(self, *arguments):
        del arguments

    def message(self, text):
        self.said.append(text)

    def close(self):
        return None


class Trending:
    """Evaluations that see the given trends, in the place of the referee's, and write their lines.

    Args:
        held: the run's folder.
        trends: by step, as long as training was never put back; then they are good.
    """

    def __init__(self, monkeypatch, held, trends):
        self.held, self.trends, self.trend = held, dict(trends), None
        self.kills = False  # whether the run is killed when training has ended, before anything follows from it
        self.signal_at = None  # step in whose evaluation SIGTERM comes
        monkeypatch.setattr(live_run, "evaluations_handler", lambda *_, **__: self)
        for module in (run, resuming):
            monkeypatch.setattr(module, "build_trainer", self.wrap(module.build_trainer))

    def __call__(self, event):
        if isinstance(event, EvaluationDue):
            self.trend = "plateaued" if event.state.rollbacks else self.trends[event.step]
            row = {"step": event.step, "part": "selection", "trend": self.trend}
            self.held.append(self.held.verdicts, row)
            if event.step == self.signal_at:
                signal.raise_signal(signal.SIGTERM)

    def taken_up(self, step, *, goes_on):
        del step, goes_on

    def live(self):
        return {}

    def wrap(self, build):
        def built(*arguments, plan, **options):
            trainer = build(*arguments, plan=replace(plan, evaluation_steps=frozenset(self.trends)), **options)
            run_ = trainer.run

            def running(handlers):
                run_(handlers)
                if self.kills:
                    raise Killed

            trainer.run = running
            return trainer

        return built


def planned(points, *settings, steps=STEPS):
    return plan_run(points, steps=steps, seed=1, settings=[*SETTINGS, *settings])


def content(folder):
    """All that a run leaves except times: weights, numbers, rows, samples."""
    held = RunFolder(folder)
    tensors, numbers, _ = read_checkpoint(held.checkpoints)
    rows = [{k: v for k, v in row.items() if k not in ("seconds", "steps_per_second")} for row in held.read_metrics()]
    numbers = {key: value for key, value in numbers.items() if key not in ("seconds", "seal")}
    pictures = {path.name: path.read_bytes() for path in held.samples.iterdir() if path.suffix != ".png"}
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}, numbers, rows, pictures
