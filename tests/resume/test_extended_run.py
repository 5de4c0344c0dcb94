"""A run made longer: the planned schedule stays as it was, and the added steps run at its final values."""

import numpy as np
import pytest

from equipoise.errors import ConfigError
from equipoise.experiment.prepare import plan_run
from equipoise.experiment.resume import resume
from equipoise.experiment.train import train_planned
from equipoise.runfolder import open_run_folder

pytestmark = pytest.mark.usefixtures("undrawn")
SMALL = [
    "training.batch_size=8",
    "networks.generator.width=4",
    "networks.discriminator.width=4",
    "outputs.final_verdict=false",
]


@pytest.fixture
def finished(tmp_path):
    """The folder of a finished run of 12 steps."""
    path = tmp_path / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(60, 2)))
    planned = plan_run(
        path, steps=12, settings=[*SMALL, "outputs.measure_every=1", "optimizers.lr_schedule.warmup_steps=0"]
    )
    return train_planned(planned, tmp_path / "run").folder


def rates(folder):
    return {row["step"]: row["learning_rate"]["generator"] for row in open_run_folder(folder).read_metrics()}


def test_added_steps_run_at_the_final_learning_rate_and_the_planned_ones_are_not_played_again(finished):
    before = rates(finished)
    gan = resume(finished, steps=20)
    after = rates(finished)
    assert gan.step == 20
    assert {step: after[step] for step in before} == before
    assert {after[step] for step in range(13, 21)} == {before[12]}


def test_a_run_that_was_made_longer_says_so_and_stays_longer(finished):
    resume(finished, steps=20)
    status = open_run_folder(finished).read_status()
    assert status["extended"] == {"planned_steps": 12, "steps": 20}
    assert (status["state"], status["step"], status["steps"]) == ("finished", 20, 20)


@pytest.mark.parametrize("steps", [None, 12, 5])
def test_a_finished_run_asks_for_a_larger_number_of_steps(finished, steps):
    with pytest.raises(ConfigError, match="--steps"):
        resume(finished, steps=steps)


def test_a_run_whose_data_have_changed_is_not_continued(finished, tmp_path):
    from equipoise.errors import RunFolderError

    np.save(tmp_path / "points.npy", np.random.default_rng(1).normal(size=(60, 2)))

    with pytest.raises(RunFolderError, match="have changed since the run began"):
        resume(finished, steps=20)
