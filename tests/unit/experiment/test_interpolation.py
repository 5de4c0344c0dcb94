"""Walks through what a generator makes, and samples nearer to the usual ones."""

import numpy as np
import pytest
import torch
from PIL import Image

import equipoise as eq
from equipoise.errors import InputError
from equipoise.experiment.interpolation import WALKS, latent_circle, save_loop, walk

pytestmark = pytest.mark.usefixtures("undrawn")
SMALL = ("training.batch_size=4", "outputs.final_verdict=false", "evaluations.count=0", "runtime.threads=1")


@pytest.fixture(scope="module")
def gan(tmp_path_factory):
    images = np.random.default_rng(0).integers(0, 256, size=(30, 8, 8), dtype=np.uint8)
    folder = tmp_path_factory.mktemp("run") / "images"
    return eq.fit((images, np.arange(30) % 3), steps=2, settings=SMALL, outdir=folder)


def test_each_latent_on_a_circle_is_standard_normal_and_the_walk_closes():
    latents = latent_circle(8, 500, 40, seed=0)
    # Five standard errors of a variance over 20,000 numbers: 5 * sqrt(2 / 20,000) = 0.05.
    assert torch.allclose(latents.var(dim=(1, 2)), torch.ones(8), atol=0.05)
    steps = (latents.roll(-1, dims=0) - latents).norm(dim=2)
    # Equal chords: |z(t + h) - z(t)| = 2 sin(h / 2) |.| of another point of the same ellipse, whose mean square is 40.
    expected = 2 * np.sin(np.pi / 8) * 40**0.5
    assert torch.allclose(steps.square().mean(dim=1).sqrt(), torch.full((8,), expected), rtol=0.05)


def test_a_walk_has_a_tile_for_each_class_and_the_same_seed_gives_the_same_one(gan):
    found = walk(gan, 6, seed=1)
    assert found.shape == (6, 3, 1, 8, 8) and found.dtype == np.uint8
    assert (found == walk(gan, 6, seed=1)).all() and not (found == walk(gan, 6, seed=2)).all()
    assert gan.interpolate(6, seed=1).shape == (6, 3, 8, 8)
    assert len(walk(gan, 2, label="1")[0]) == WALKS


def test_a_loop_is_a_gif_that_repeats_without_end(gan, tmp_path):
    save_loop(walk(gan, 5), tmp_path / "loop.gif")
    with Image.open(tmp_path / "loop.gif") as loop:
        assert loop.n_frames == 5 and loop.info["loop"] == 0


def test_transparent_frames_lie_on_white(tmp_path):
    frames = np.zeros((2, 1, 4, 32, 32), dtype=np.uint8)
    frames[1, :, 3] = 255
    save_loop(frames, tmp_path / "loop.gif")
    with Image.open(tmp_path / "loop.gif") as loop:
        assert loop.convert("RGB").getpixel((16, 16)) == (255, 255, 255)


def test_truncated_to_nothing_all_samples_of_a_class_are_the_mean_one(gan):
    usual = gan.sample(5, seed=0, label="0", truncation=0.0)
    assert (usual == usual[:1]).all()
    assert (gan.sample(5, seed=0) == gan.sample(5, seed=0, truncation=1.0)).all()


@pytest.mark.parametrize("truncation", [-0.1, 1.5])
def test_a_truncation_outside_of_0_to_1_is_refused(gan, truncation):
    with pytest.raises(InputError, match="truncation"):
        gan.sample(2, truncation=truncation)


def test_one_frame_is_no_walk(gan):
    with pytest.raises(InputError, match="two frames"):
        walk(gan, 1)
