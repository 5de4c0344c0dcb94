"""How many throw-away steps are taken to say how long one takes."""

from types import SimpleNamespace

import pytest
import torch

from equipoise.distributed import SINGLE_PROCESS
from equipoise.experiment.step_timing import median_seconds


class Counted:
    """Stands for a trainer whose steps take no time, and counts them by stage."""

    group = SINGLE_PROCESS
    plan = SimpleNamespace(scheduled_steps=10)

    def __init__(self, device, *, stage_steps=0):
        self.batches = SimpleNamespace(real=SimpleNamespace(device=torch.device(device)))
        self.step, self.stage_steps, self.taken = 0, stage_steps, {"stage": 0, "game": 0}

    def train_step(self):
        self.taken["stage" if self.step < self.stage_steps else "game"] += 1
        return SimpleNamespace(generator_loss=0.0)


@pytest.mark.parametrize(("device", "warm_up"), [("cpu", 1), ("cuda", 3)])
def test_steps_are_timed_after_a_warm_up_that_is_shorter_on_a_cpu(device, warm_up):
    trainer = Counted(device)
    median_seconds(trainer, fewest=3, most=3, seconds=10.0)
    assert trainer.taken == {"stage": 0, "game": warm_up + 3}


def test_of_a_run_in_two_stages_both_are_timed():
    trainer = Counted("cpu", stage_steps=4)
    median_seconds(trainer, fewest=3, most=3, seconds=10.0)
    assert (trainer.taken, trainer.step) == ({"stage": 4, "game": 4}, 0)
