"""Weights with their channels last: the same game, and the same run after an interruption."""

import numpy as np
import pytest
import torch

import equipoise as eq
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.config.presets import preset
from equipoise.experiment.prepare import plan_run
from equipoise.spaces import ImageSpace
from equipoise.training.checkpoints import load_checkpoint, save_checkpoint

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 12, 10, 3), dtype=np.uint8)
NARROW = ("channels: 4, widest: 8, patch: 2", "width: 16, depth: 1, patch: 1")


def trainer(family, options, *more):
    networks = f"networks={{family: {family}, latents: 6, generator: {{{options}}}, discriminator: {{{options}}}}}"
    settings = [networks, "training.batch_size=8", "evaluations.count=0", "runtime.threads=1", *more]
    planned = plan_run(IMAGES, steps=8, settings=settings)
    return build_trainer(planned.config, planned.data)


def weights(made):
    return torch.cat([weight.detach().flatten() for weight in made.generator.network.parameters()])


@pytest.mark.parametrize(("family", "options"), [("strided", NARROW[0]), ("residual", NARROW[1])])
def test_a_game_with_channels_last_is_the_same_but_for_rounding_and_resumes_bit_for_bit(family, options, tmp_path):
    plain, last, resumed = (trainer(family, options, *more) for more in ((), *[("runtime.channels_last=true",)] * 2))
    convolutions = [weight for weight in last.discriminator.parameters if weight.dim() == 4 and weight.shape[2] > 1]
    assert any(not weight.is_contiguous() for weight in convolutions)
    before = weights(plain)
    for made in (plain, last):
        for _ in range(3):
            made.train_step()
            made.step += 1
    moved = (weights(plain) - before).abs().max().item()
    # Adam's first steps divide by the size of a gradient: where that is rounding, a step has any sign.
    assert (weights(plain) - weights(last)).abs().median().item() < 1e-3 * moved
    save_checkpoint(tmp_path, last.state)
    load_checkpoint(tmp_path, resumed)
    for made in (last, resumed):
        made.train_step()
    assert torch.equal(weights(last), weights(resumed))


@pytest.mark.parametrize(("side", "width"), [(28, 256), (64, 384), (100, 512), (256, 512)])
def test_the_preset_for_a_gpu_is_wider_where_there_are_more_pixels(side, width):
    found = preset(
        "images", source="x", space=ImageSpace(3, side, side), rows=1000, classes=0, device="cuda", threads=1
    )
    assert found["networks"]["family"] == "residual" and found["networks"]["generator"]["width"] == width
    assert found["runtime"] == {"device": "cuda", "threads": 1, "precision": "bf16", "channels_last": True}


def test_a_whole_run_of_the_residual_pair_ends_with_images(tmp_path):
    settings = [
        f"networks={{family: residual, latents: 6, generator: {{{NARROW[1]}}}, discriminator: {{{NARROW[1]}}}}}",
        "training.batch_size=8",
        "evaluations.count=0",
        "outputs.final_verdict=false",
        "runtime.channels_last=true",
        "runtime.precision=bf16",
    ]
    gan = eq.fit((IMAGES, np.arange(40) % 2), steps=3, settings=settings, outdir=tmp_path / "run")
    assert gan.sample(3, label="1").shape == (3, 12, 10, 3)
    longer = eq.resume(tmp_path / "run", data=(IMAGES, np.arange(40) % 2), steps=5)
    assert longer.step == 5
