"""A stored configuration, trained again on the same machine, gives bit-identical samples."""

import numpy as np
import pytest

from equipoise.experiment.config.files import read_run_config
from equipoise.experiment.loading import load
from equipoise.experiment.prepare import plan_run
from equipoise.experiment.train import train_planned
from equipoise.runfolder import RunFolder

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.mark.parametrize("source", ["digits", "ring8"])
def test_the_stored_configuration_trained_again_gives_the_same_samples(source, tmp_path):
    settings = [
        "networks.generator.width=16",
        "networks.discriminator.width=16",
        "outputs.final_verdict=false",
        "data.points=1000",
    ]
    first = train_planned(plan_run(source, minutes=0.005, seed=1, settings=settings), tmp_path / "first")
    again = plan_run(None, config_file=first.folder / "config.yaml")
    assert again.config == read_run_config(RunFolder(first.folder))
    second = train_planned(again, tmp_path / "second")
    assert np.array_equal(first.sample(50, seed=2), second.sample(50, seed=2))


def test_a_loaded_generator_gives_the_samples_it_gave_before(tmp_path):
    settings = ["networks.generator.width=16", "networks.discriminator.width=16", "outputs.final_verdict=false"]
    gan = train_planned(plan_run("digits", steps=5, settings=settings), tmp_path / "run")
    copy = gan.save(tmp_path / "copy")
    assert np.array_equal(gan.sample(20, seed=3), load(copy).sample(20, seed=3))
