"""Latents of places and statistics of places in a run: samples, checkpoints, exports, fine-tuning, frames."""

import numpy as np
import pytest
import torch

import equipoise as eq
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.init_from import begin_with
from equipoise.experiment.prepare import plan_run

PLAIN = "{channels: 2, widest: 4, patch: 2}"
GENERATOR, DISCRIMINATOR = "networks.generator.local_latents=3", "networks.discriminator.statistics_pooling=true"
NONE = [
    f"networks={{family: strided, latents: 4, generator: {PLAIN}, discriminator: {PLAIN}}}",
    "outputs.final_verdict=false",
    "evaluations.count=0",
]
SETTINGS = [*NONE, GENERATOR, DISCRIMINATOR]
LATENTS = 4 + 3 * (4 * 4 + 8 * 8)  # of pictures of 16 x 16, by squares of 2 x 2


@pytest.fixture
def pictures(tmp_path):
    """60 pictures of 16 x 16 pixels in colour."""
    images = np.random.default_rng(0).integers(0, 256, (60, 16, 16, 3), dtype=np.uint8)
    np.savez(tmp_path / "pictures.npz", images=images)
    return str(tmp_path / "pictures.npz")


@pytest.fixture
def gan(pictures, tmp_path):
    return eq.fit(pictures, steps=4, device="cpu", outdir=tmp_path / "run", settings=SETTINGS)


def test_what_local_latents_add_is_learned_and_stored(gan, tmp_path):
    assert gan.generator.latent_dimensions == LATENTS
    latents = torch.randn(2, LATENTS)
    others = torch.cat([latents[:, :4], torch.randn(2, LATENTS - 4)], dim=1)
    network = gan.generator.eval()
    assert not torch.equal(network(latents), network(others))
    assert (eq.load(tmp_path / "run").sample(5, seed=1) == gan.sample(5, seed=1)).all()


def test_a_folder_to_give_away_and_an_onnx_file_have_them(gan, tmp_path):
    import onnxruntime

    gan.save_pretrained(tmp_path / "folder")
    assert (eq.from_pretrained(tmp_path / "folder").sample(5, seed=1) == gan.sample(5, seed=1)).all()
    assert gan.export(tmp_path / "generator.onnx").difference <= 1e-4
    (asked,) = onnxruntime.InferenceSession(str(tmp_path / "generator.onnx")).get_inputs()
    assert asked.shape[1] == LATENTS


def test_a_run_without_them_lends_its_weights_to_one_that_has_them(pictures, tmp_path):
    old = eq.fit(pictures, steps=2, device="cpu", outdir=tmp_path / "old", settings=NONE)
    planned = plan_run(pictures, steps=2, settings=[*SETTINGS, f"training.init_from={tmp_path / 'old'}"])
    trainer = build_trainer(planned.config, planned.data)
    said = begin_with(trainer, planned.config)
    assert "not local.0.weight" in said and "not of_places.weight" in said
    latents = torch.randn(3, LATENTS)
    network = trainer.generator.average.network.eval()
    assert torch.allclose(network(latents), old.generator.eval()(latents[:, :4]), atol=1e-6)
