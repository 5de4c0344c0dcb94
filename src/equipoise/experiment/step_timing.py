"""How long a step takes, from throw-away steps."""

from __future__ import annotations

import statistics
import time

from equipoise.training import Trainer

WARM_UP_STEPS, MOST_WARM_UP_STEPS = {"cpu": 1}, 3
"""Steps before those that are timed: on a CPU the second one takes at most half as long again, which no median heeds;
another device chooses its kernels during the first ones."""


def median_seconds(trainer: Trainer, *, fewest: int, most: int, seconds: float) -> float:
    """Median time of a step, as `_median_seconds`; of a run in two stages the mean over its steps of both medians."""
    stage, total = trainer.stage_steps, trainer.plan.scheduled_steps
    if not stage:
        return _median_seconds(trainer, fewest=fewest, most=most, seconds=seconds)
    before = _median_seconds(trainer, fewest=fewest, most=most, seconds=seconds / 2)
    trainer.step = stage  # a throw-away trainer: the game's steps are timed from its weights as they are
    game = _median_seconds(trainer, fewest=fewest, most=most, seconds=seconds / 2)
    trainer.step = 0
    return (stage * before + (total - stage) * game) / total


def _median_seconds(trainer: Trainer, *, fewest: int, most: int, seconds: float) -> float:
    """Median time of a step, to the end of its work on the device, after a warm-up.

    Args:
        trainer: a throw-away one.
        fewest: steps to time, unless they take ten times as long as wanted; then two are enough.
        most: steps to time.
        seconds: to spend on more than the fewest.
    """
    times: list[float] = []
    for _ in range(WARM_UP_STEPS.get(trainer.batches.real.device.type, MOST_WARM_UP_STEPS)):
        trainer.train_step()
    begun = time.perf_counter()

    def goes_on() -> bool:
        passed = time.perf_counter() - begun
        if len(times) >= 2 and passed > 10 * seconds:
            return False
        return len(times) < fewest or (passed < seconds and len(times) < most)

    # Many processes time the step that they take together: the first one's clock counts.
    while trainer.group.broadcast_object(goes_on()):
        started = time.perf_counter()
        float(trainer.train_step().generator_loss)  # waits for the device
        times.append(time.perf_counter() - started)
    return trainer.group.broadcast_object(statistics.median(times))
