"""Squares of pixels folded into principal components: exact both ways, and scaled as the formula says."""

import numpy as np
import pytest
import torch
from torch.nn.functional import pixel_unshuffle

import equipoise as eq
from equipoise.errors import ConfigError
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.init_from import begin_with
from equipoise.experiment.prepare import plan_run
from equipoise.game import Player
from equipoise.game.functional import discriminator_gradients
from equipoise.game.step import Batch, discriminator_loss
from equipoise.networks import find
from equipoise.networks.folding import FLOOR, Folding, folding_of
from equipoise.objectives.relativistic import relativistic
from equipoise.penalties.base import ForwardPass
from equipoise.penalties.r1_r2 import r1, r2
from equipoise.spaces import ImageSpace


def coloured(count, size, *, seed=0):
    """Images of brightness that varies widely, colours that vary little, and faint noise."""
    stream = torch.Generator().manual_seed(seed)
    brightness = torch.randn(count, 1, 1, 1, generator=stream)
    colour = 0.2 * torch.randn(count, 3, 1, 1, generator=stream)
    return 0.3 * (brightness + colour + 0.1 * torch.randn(count, 3, *size, generator=stream)) + 0.1


@pytest.mark.parametrize("size", [(8, 8), (9, 8), (11, 13)])
@pytest.mark.parametrize("patch", [1, 2, 3])
@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
def test_unfolding_undoes_folding(size, patch, whitening):
    images = coloured(20, size)
    folding = Folding(ImageSpace(3, *size), patch=patch, whitening=whitening)
    assert torch.allclose(folding.unfold(folding.fold(images)), images, atol=1e-6)
    folding.fit([images[:15], images[15:]])
    grid = folding.fold(images)
    assert grid.shape == (20, folding.channels, -(-size[0] // patch), -(-size[1] // patch))
    assert torch.allclose(folding.unfold(grid), images, atol=1e-5)


@pytest.mark.parametrize("whitening", [0.25, 0.5, 1.0])
def test_folded_numbers_are_uncorrelated_with_the_deviations_of_the_formula(whitening):
    """Cov(y) = diag(s^-w) diag(lambda) diag(s^-w) = lambda_max diag(s^(2 - 2 w)), with s = sqrt(lambda/lambda_max)."""
    images = coloured(400, (8, 8))
    folding = Folding(ImageSpace(3, 8, 8), patch=2, whitening=whitening)
    folding.fit([images])
    rows = folding.fold(images).movedim(1, -1).reshape(-1, 12).double()
    squares = pixel_unshuffle(images, 2).movedim(1, -1).reshape(-1, 12).double()
    variances = torch.linalg.eigvalsh(torch.cov(squares.T, correction=0))
    scales = (variances / variances[-1]).sqrt()
    assert scales[0] > FLOOR
    expected = torch.diag(variances[-1] * scales ** (2 - 2 * whitening))
    assert torch.allclose(torch.cov(rows.T, correction=0), expected, atol=1e-5)
    assert torch.allclose(rows.mean(dim=0), torch.zeros(12).double(), atol=1e-5)


@pytest.mark.parametrize("whitening", [0.0, 0.5])
@pytest.mark.parametrize("patch", [1, 2])
def test_a_layer_with_mapped_weights_reads_and_paints_what_it_would_on_mapped_grids(patch, whitening):
    torch.manual_seed(0)
    images = coloured(6, (9, 11))
    folding = Folding(ImageSpace(3, 9, 11), patch=patch, whitening=whitening)
    folding.fit([images])
    entry, output = (torch.nn.Conv2d(*sides, 3, padding=1) for sides in ((folding.channels, 5), (5, folding.channels)))
    grid = folding.read_by(entry, images)
    assert torch.allclose(grid, entry(folding.fold(images)), atol=1e-4)
    assert torch.allclose(folding.painted_by(output, grid), folding.unfold(output(grid)), atol=1e-4)


def test_without_whitening_the_channels_are_the_pixels():
    images = coloured(2, (8, 8))
    folding = Folding(ImageSpace(3, 8, 8), patch=2)
    folding.fit([images])
    assert torch.equal(folding.fold(images), pixel_unshuffle(images, 2))
    assert not folding.state_dict()
    assert folding_of(folding) is None


def test_directions_without_any_variance_are_not_divided_by_zero():
    grey = coloured(50, (8, 8))[:, :1].expand(-1, 3, -1, -1)
    folding = Folding(ImageSpace(3, 8, 8), patch=2, whitening=1.0)
    folding.fit([grey])
    assert folding.fold_matrix.abs().max() <= 1 / FLOOR
    assert torch.allclose(folding.unfold(folding.fold(grey)), grey, atol=1e-4)


def test_images_of_one_colour_leave_the_pixels_as_they_are():
    folding = Folding(ImageSpace(1, 8, 8), patch=2, whitening=0.5)
    folding.fit([torch.full((4, 1, 8, 8), 0.3)])
    assert torch.equal(folding.fold_matrix, torch.eye(4))


@pytest.mark.parametrize("size", [(8, 8), (9, 11)])
def test_r1_is_that_of_the_discriminator_as_a_function_of_the_folded_numbers(size):
    """|grad_y l(unfold(y))|^2, by automatic differentiation."""
    torch.manual_seed(0)
    images = coloured(6, size)
    network = find("strided").discriminator(ImageSpace(3, *size), channels=2, widest=4, whitening=0.5).double()
    network.folding.fit([images])
    images = images.double()
    forward = ForwardPass(network, images, images, differentiate=frozenset({"real"}))
    on_pixels = r1(1.0).per_sample(forward)
    forward.to_read_units = network.to_read_units
    found = r1(1.0).per_sample(forward)
    folded = network.folding.fold(images).detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(network(network.folding.unfold(folded)).sum(), folded)
    assert torch.allclose(found, gradient.square().sum(dim=(1, 2, 3)) / 2, rtol=1e-5)
    assert not torch.allclose(found, on_pixels, rtol=0.01)


def test_a_step_penalises_in_these_units_whichever_way_it_differentiates():
    torch.manual_seed(0)
    images, fakes = coloured(8, (8, 8)), coloured(8, (8, 8), seed=1)
    network = find("strided").discriminator(ImageSpace(3, 8, 8), channels=2, widest=4, whitening=0.5)
    network.folding.fit([images])
    penalties = [r1(3.0), r2(2.0)]
    player = Player(network, torch.optim.SGD(network.parameters(), 0.1))
    batch = Batch(real=images, latents=torch.zeros(8, 1))
    _, loss, _ = discriminator_loss(
        player, lambda latents, labels=None: fakes, objective=relativistic(), batch=batch, penalties=penalties
    )
    loss.backward()
    weights = dict(network.named_parameters())
    gradients, value = discriminator_gradients(network, relativistic(), penalties)(weights, images, fakes, 1.0)
    assert torch.allclose(value, loss.detach(), rtol=1e-5)
    assert all(torch.allclose(gradients[name], weight.grad, atol=1e-5) for name, weight in weights.items())
    pixels = ForwardPass(network, images, fakes, differentiate=frozenset({"real", "fake"}))
    plain = relativistic().discriminator_loss(pixels.real_logits, pixels.fake_logits, None)
    plain = plain + sum(each.weight * each.per_sample(pixels).mean() for each in penalties)
    assert not torch.allclose(plain, loss, rtol=1e-3)


def test_finite_differences_along_pixels_are_refused_beside_it(pictures):
    settings = [*SETTINGS, "penalties=[{name: r1, options: {form: finite_difference}}]"]
    planned = plan_run(str(pictures), steps=2, seed=3, settings=settings)
    with pytest.raises(ConfigError, match="'r1' by finite differences, beside a discriminator that folds pixels"):
        build_trainer(planned.config, planned.data)


@pytest.mark.parametrize("whitening", [-0.1, 1.1])
def test_a_whitening_outside_0_and_1_is_refused(whitening):
    with pytest.raises(ValueError, match=f"a whitening of {whitening}; expected a number from 0, none, to 1"):
        find("strided").discriminator(ImageSpace(3, 8, 8), whitening=whitening)


FOLDED = "{channels: 2, widest: 4, patch: 2, whitening: 0.5}"
SETTINGS = [
    f"networks={{family: strided, latents: 4, generator: {FOLDED}, discriminator: {FOLDED}}}",
    "outputs.final_verdict=false",
    "evaluations.count=0",
]


@pytest.fixture
def pictures(tmp_path):
    """60 pictures of 8 x 8 pixels in colour."""
    images = ((coloured(60, (8, 8)).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    np.savez(tmp_path / "pictures.npz", images=images.permute(0, 2, 3, 1).numpy())
    return tmp_path / "pictures.npz"


def test_both_players_fold_by_the_squares_of_the_training_rows_alone(pictures):
    planned = plan_run(str(pictures), steps=2, seed=3, settings=SETTINGS)
    trainer = build_trainer(planned.config, planned.data)
    data = planned.data
    rows = data.encoded_train()
    assert len(rows) < 60
    expected = Folding(ImageSpace(3, 8, 8), patch=2, whitening=0.5)
    expected.fit([data.encoder.to_float(rows[torch.arange(len(rows))])])
    for player in (trainer.generator, trainer.discriminator):
        found = folding_of(player.network)
        assert torch.equal(found.fold_matrix, expected.fold_matrix)
        assert torch.equal(found.mean, expected.mean)
    assert torch.equal(folding_of(trainer.generator.average.network).mean, expected.mean)


def test_a_run_that_is_loaded_folds_as_it_did(pictures, tmp_path):
    gan = eq.fit(str(pictures), steps=2, device="cpu", outdir=tmp_path / "run", settings=SETTINGS)
    again = eq.load(tmp_path / "run")
    assert not torch.equal(folding_of(again.generator).fold_matrix, torch.eye(12))
    assert (again.sample(5, seed=1) == gan.sample(5, seed=1)).all()


def test_weights_that_read_pixels_go_on_reading_pixels_in_a_run_that_begins_with_them(pictures, tmp_path):
    before = [setting.replace("whitening: 0.5", "whitening: 0") for setting in SETTINGS]
    old = eq.fit(str(pictures), steps=2, device="cpu", outdir=tmp_path / "old", settings=before)
    planned = plan_run(str(pictures), steps=2, seed=3, settings=[*SETTINGS, f"training.init_from={tmp_path / 'old'}"])
    trainer = build_trainer(planned.config, planned.data)
    begin_with(trainer, planned.config)
    latents = torch.randn(3, 4)
    network = trainer.generator.average.network.eval()
    assert torch.equal(folding_of(network).fold_matrix, torch.eye(12))
    assert torch.allclose(network(latents), old.generator.eval()(latents), atol=1e-5)
