"""A run whose configuration names code of one's own: trained, and continued only by somebody who trusts it."""

import numpy as np
import pytest

from equipoise.cli.main import main
from equipoise.errors import ConfigError
from equipoise.experiment.prepare import plan_run
from equipoise.experiment.resume import resume
from equipoise.experiment.train import train_planned

pytestmark = pytest.mark.usefixtures("undrawn")
SETTINGS = [
    "networks={family: 'equipoise.networks.mlp:OWN', latents: 2, generator: {width: 4}, discriminator: {width: 4}}",
    "training.batch_size=8",
    "outputs.final_verdict=false",
]


@pytest.fixture
def run(tmp_path, monkeypatch):
    from equipoise.networks import mlp

    monkeypatch.setattr(mlp, "OWN", mlp.NETWORKS["mlp"], raising=False)
    path = tmp_path / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(60, 2)))
    return train_planned(plan_run(path, steps=3, settings=SETTINGS), tmp_path / "run").folder


def test_networks_of_ones_own_are_continued_when_they_are_trusted(run):
    assert resume(run, steps=5, trust_code=True).step == 5


def test_they_are_not_run_from_a_folder_unasked(run):
    with pytest.raises(ConfigError, match="--trust-code"):
        resume(run, steps=5)


@pytest.mark.parametrize(("words", "code"), [([], 2), (["--trust-code"], 0)])
def test_the_command_line_asks_for_the_same_trust(run, words, code):
    with pytest.raises(SystemExit) as stopped:
        main(["resume", str(run), "--steps", "4", "--quiet", *words])
    assert (stopped.value.code or 0) == code
