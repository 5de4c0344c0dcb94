"""What `benchmarks/images_gpu.py` scores by, in closed form, and that its compiled step plays the game on a CPU."""

from __future__ import annotations

import importlib
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.prepare import plan_run

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module("images_gpu")
    sys.path.remove(str(BENCHMARKS))


def test_equal_modes_are_at_zero_and_fewer_at_the_logarithm_of_their_share(benchmark):
    every = np.arange(1000)
    assert benchmark.divergence_from_uniform(np.repeat(every, 7)) == pytest.approx(0, abs=1e-12)
    assert benchmark.divergence_from_uniform(every[:500]) == pytest.approx(math.log(2))
    assert benchmark.divergence_from_uniform(np.zeros(9, dtype=int)) == pytest.approx(math.log(1000))


def test_a_perfect_generator_has_the_divergence_that_chance_gives(benchmark):
    drawn = np.random.default_rng(0).integers(0, 1000, benchmark.SAMPLES)
    assert benchmark.divergence_from_uniform(drawn) == pytest.approx(999 / (2 * benchmark.SAMPLES), rel=0.15)


def test_the_modes_of_stacks_are_the_figures_of_their_colours(benchmark):
    digits = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 8, 8), dtype=np.uint8)
    images = benchmark.stacks(digits, 400, seed=1)
    assert images.shape == (400, 8, 8, 3) and len(np.unique(images[:, 0, 0], axis=0)) > 200

    def reads(grey):  # a judge that is never wrong: a picture of brightness k is the digit k
        return None, np.eye(10)[grey[:, 0, 0, 0]]

    expected = images[:, 0, 0].astype(int) @ [100, 10, 1]
    assert benchmark.modes_of(images, [reads, reads]).tolist() == expected.tolist()
    with pytest.raises(IndexError):
        benchmark.modes_of(images + 10, [reads])


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_the_compiled_step_moves_both_players(benchmark, precision):
    images = np.random.default_rng(0).integers(0, 256, size=(40, 16, 16, 3), dtype=np.uint8)
    small = ["networks.generator.channels=4", "networks.discriminator.channels=4", "training.batch_size=8"]
    plan = plan_run(images, steps=10, seed=0, device="cpu", preset_wanted="images", settings=small)
    trainer = build_trainer(plan.config, plan.data)
    before = [weight.detach().clone() for player in players(trainer) for weight in player.parameters]
    step = benchmark.compiled_step(trainer, precision=precision, backend="eager")
    losses = [float(step()) for _ in range(2)]
    assert all(map(math.isfinite, losses))
    after = [weight for player in players(trainer) for weight in player.parameters]
    moved = [not torch.equal(one, other) for one, other in zip(before, after, strict=True)]
    assert all(torch.isfinite(weight).all() for weight in after) and sum(moved) > 0.8 * len(moved)


def players(trainer):
    return trainer.discriminator, trainer.generator
