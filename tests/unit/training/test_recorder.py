"""When the picture of real rows is drawn: with the first samples, which it stands beside, and not before the first
step."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.prepare import plan_run
from equipoise.runfolder import RunFolder
from equipoise.training.events import Ended, Measured, SamplesDue
from equipoise.training.recorder import Recorder, SampleGrids
from equipoise.training.sampling import SUB_BATCH, joined, sample_batches


@pytest.fixture
def recorded(tmp_path):
    """What a recorder asks to be drawn, as a function of the events that it is told."""
    drawn = []
    grids = SimpleNamespace(write_real=lambda: drawn.append("real"), write=lambda state: drawn.append(state))
    listener = SimpleNamespace(update=lambda *_: None, message=lambda *_: None)
    recorder = Recorder(RunFolder(tmp_path), grids, progress=listener)

    def told(*events):
        drawn.clear()
        for event in events:
            recorder(event)
        return list(drawn)

    return told


def test_real_rows_are_drawn_with_the_first_samples_and_not_before(recorded):
    step = Measured(1, {"step": 1, "value": -1.0, "steps_per_second": 1.0})
    assert recorded(step) == []
    assert recorded(step, SamplesDue(1, "state")) == ["real", "state"]


def test_a_run_that_ends_before_its_first_samples_has_the_real_ones(recorded):
    assert recorded(Ended(3, False)) == ["real"]


def test_they_are_drawn_once(tmp_path):
    saved = []

    def save(values, path, **_):
        saved.append(values)
        path.parent.mkdir(exist_ok=True)
        path.touch()

    domain = SimpleNamespace(shown=lambda part, by_class: part, save_shown=save)
    data = SimpleNamespace(domain=domain, shown_part=lambda name: name)
    grids = SampleGrids(RunFolder(tmp_path), data, seed=0, conditional=False)
    grids.write_real()
    grids.write_real()
    assert saved == ["train"]


def test_a_grid_of_small_images_makes_few_more_than_it_shows(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, size=(60, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "digits.npz", images=images, labels=np.arange(60) % 10)
    small = ["networks.generator.width=4", "networks.discriminator.width=4", "training.batch_size=8"]
    plan = plan_run(tmp_path / "digits.npz", steps=2, seed=0, device="cpu", settings=small)
    trainer = build_trainer(plan.config, plan.data)
    made = []
    trainer.generator.average.network.register_forward_hook(lambda network, given, found: made.append(len(found)))
    grids = SampleGrids(RunFolder(tmp_path), plan.data, seed=0, conditional=True)
    latents = trainer.batches.latent_dimensions
    grids.write_of(trainer.generator.average.network, 1, latents=latents, device=torch.device("cpu"))
    assert made == [SUB_BATCH] * 10 and len(list(tmp_path.rglob("*.png"))) == 1


def test_samples_are_the_same_however_many_are_made_at_once():
    torch.manual_seed(0)
    generator = torch.nn.Linear(3, 5)
    drawn = [
        joined(sample_batches(generator, 100, latent_dimensions=3, seed=2, at_once=size))[0] for size in (None, 64)
    ]
    torch.testing.assert_close(*drawn)
