"""Stabilisers from the configuration to the objects of a game."""

import numpy as np
import pytest
import torch

from equipoise import augmentation
from equipoise.errors import ConfigError, OldName
from equipoise.experiment.build.python_parts import PythonParts
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.config.presets import FOR_FEW, preset
from equipoise.experiment.prepare import plan_run
from equipoise.experiment.train import metadata
from equipoise.spaces import ImageSpace, PointSpace

SMALL = ["training.batch_size=8", "networks.generator.width=8", "networks.discriminator.width=8", "networks.latents=2"]


@pytest.fixture
def points(tmp_path):
    path = tmp_path / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(300, 2)))
    return path


@pytest.fixture
def images(tmp_path):
    path = tmp_path / "images.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, size=(60, 8, 8), dtype=np.uint8))
    return path


def built(source, *settings):
    planned = plan_run(source, steps=10, settings=[*SMALL, *settings])
    return planned.config, build_trainer(planned.config, planned.data)


def test_instance_noise_is_off_unless_it_is_asked_for(points):
    assert built(points)[1].augmentation is None
    _, trainer = built(points, "augmentation.instance_noise.level=0.2")
    assert trainer.augmentation.name == "instance_noise" and trainer.augmentation.strength(0, 10) == 0.2


def test_every_augmentation_can_be_named(points):
    import equipoise.augmentation as augmentations

    for name in augmentations.available():
        config, trainer = built(points, f"augmentation.{name}={{}}")
        assert trainer.augmentation.name == name and config.augmentation[name] == {}
    _, trainer = built(points, "augmentation={'equipoise.augmentation.instance_noise:instance_noise': {level: 0.3}}")
    assert trainer.augmentation.strength(0, 10) == 0.3


def test_an_augmentation_by_overfitting_withholds_training_rows_and_the_run_says_how_many(images):
    part = "augmentation={differentiable: {probability: 0, overfitting: 0.5, withheld: 0.25}}"
    config, trainer = built(images, "networks.family=mlp", part)
    rows = len(trainer.batches.real)
    assert len(trainer.batches.withheld) == round(rows / 4)
    assert metadata(config, trainer)["withheld_rows"] == round(rows / 4)
    _, plain = built(images, "networks.family=mlp")
    assert len(plain.batches.withheld) == 0


def test_a_clip_norm_shortens_the_updates_of_its_player_only(points):
    _, trainer = built(
        points,
        "optimizers.generator={name: SGD, options: {}, learning_rate: 1.0, clip_norm: 1e-4}",
        *(f"optimizers.generator.groups.{group}.factor=1" for group in ("body", "scales", "weights")),
        "optimizers.lr_schedule.warmup_steps=0",
    )
    before = [parameter.detach().clone() for parameter in trainer.generator.parameters]
    report = trainer.train_step(measure=True)
    change = torch.cat([(a - b).flatten() for a, b in zip(before, trainer.generator.parameters, strict=True)])
    # A change of 1e-4 in weights of order 1 keeps three of float32's digits.
    assert float(change.detach().norm()) == pytest.approx(1e-4, rel=5e-3)
    assert float(report.gradient_norms["generator"]) > 1e-3


def test_spectral_normalisation_is_control_enough_for_wasserstein_play(points):
    _, trainer = built(points, "objective=wasserstein", "penalties=[]", "networks.discriminator.spectral=true")
    for _ in range(3):
        report = trainer.train_step()
    assert torch.isfinite(report.discriminator_loss)
    with pytest.raises(ConfigError, match="spectral"):
        built(points, "objective=wasserstein", "penalties=[]")


def test_consistency_on_images_shifts_them_unless_another_augmentation_is_named(images, points):
    config, _ = built(images, "networks.family=mlp", "penalties=[consistency]")
    assert config.penalties[0].options == {"augmentation": "shift"}
    named = "penalties=[{name: consistency, options: {augmentation: shift_and_flip}}]"
    config, _ = built(images, "networks.family=mlp", named)
    assert config.penalties[0].options == {"augmentation": "shift_and_flip"}
    with pytest.warns(OldName, match="'penalties.0.options.change' is now 'penalties.0.options.augmentation'"):
        assert built(images, "networks.family=mlp", named.replace("augmentation", "change"))[0] == config
    config, _ = built(points, "penalties=[consistency]")
    assert config.penalties[0].options == {}


def test_an_augmentation_may_be_code_of_ones_own(images):
    option = "penalties=[{name: consistency, options: {augmentation: 'torch:add'}}]"
    planned = plan_run(images, steps=10, settings=[*SMALL, "networks.family=mlp", option])
    build_trainer(planned.config, planned.data)
    with pytest.raises(ConfigError, match="--trust-code"):
        build_trainer(planned.config, planned.data, trusted=False)


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_automatic_gamma_is_stored_as_numbers(tmp_path, scale):
    path = tmp_path / "points.npy"
    np.save(path, scale * np.random.default_rng(0).normal(size=(300, 2)))
    config, trainer = built(path, "gamma=auto")
    # Points are standardised, so their variance is 1 whatever their scale: 0.1 and 1e-3 (float32 codes).
    assert [part.options["weight"] for part in config.penalties] == pytest.approx([0.1, 0.1], rel=0.01)
    assert (config.gamma.shape, config.gamma.final) == ("geometric", pytest.approx(0.01))
    assert trainer.penalties[0].weight == config.penalties[0].options["weight"]


def test_automatic_gamma_follows_the_spread_of_images(tmp_path):
    weights = []
    for contrast in (1.0, 0.5):
        pixels = np.random.default_rng(0).uniform(0, 255, size=(300, 8, 8)) * contrast
        np.save(tmp_path / f"{contrast}.npy", pixels.astype(np.uint8))
        config, _ = built(tmp_path / f"{contrast}.npy", "gamma=auto")
        weights.append(config.penalties[0].options["weight"])
    # Half the contrast is a quarter of the variance; bytes round by up to 1 in 127.
    assert weights[1] / weights[0] == pytest.approx(0.25, rel=0.05)


def test_automatic_gamma_without_a_penalty_that_has_one_is_refused(points):
    with pytest.raises(ConfigError, match="chooses the weight of r1 and r2"):
        built(points, "gamma=auto", "objective=hinge", "penalties=[lecam]")


@pytest.mark.parametrize(
    ("setting", "where"),
    [
        ("optimizers.generator.clip_norm=0", "optimizers.generator.clip_norm"),
        ("augmentation.instance_noise.level=-1", "instance noise: level -1"),
        ("augmentation.instance_noise.decay_fraction=2", "decay_fraction 2"),
        ("augmentation.instance_noise.level=much", "'instance_noise' refuses them"),
        ("augmentation={shift: {}, instance_noise: {}}", "shift and instance_noise are asked for"),
        ("augmentation.shft={}", "Did you mean 'shift'"),
        ("augmentation.shift=3", "augmentation.shift"),
        ("augmentation.instance_noise.levl=1", "Did you mean 'level'"),
        ("penalties=[{name: consistency, options: {augmentation: shft}}]", "Did you mean 'shift'"),
    ],
)
def test_a_wrong_stabiliser_is_named(points, setting, where):
    with pytest.raises(ConfigError) as caught:
        built(points, setting)
    assert where in str(caught.value)


def test_training_in_bf16_keeps_weights_losses_and_penalties_in_float32(points):
    _, trainer = built(points, "runtime.precision=bf16")
    report = trainer.train_step(measure=True)
    assert report.real_logits.dtype == torch.bfloat16
    assert report.discriminator_loss.dtype == report.penalties["r1"].dtype == torch.float32
    assert all(p.dtype == torch.float32 for p in (*trainer.generator.parameters, *trainer.discriminator.parameters))
    row = trainer.row(report, 1.0)
    assert np.isfinite(row["value"]) and row["gradient_norm"]["discriminator"] > 0


def few_pictures(tmp_path, count):
    images = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    np.savez(tmp_path / "pictures.npz", images=images)
    return str(tmp_path / "pictures.npz")


@pytest.mark.parametrize(("count", "is_augmented"), [(100, True), (700, False)])
def test_the_preset_augments_where_images_are_few_and_withholds_none_of_them(tmp_path, count, is_augmented):
    planned = plan_run(few_pictures(tmp_path, count), steps=5)
    assert planned.config.augmentation.get("differentiable") == (FOR_FEW if is_augmented else None)
    assert not build_trainer(planned.config, planned.data).batches.withheld.size


@pytest.mark.parametrize(("rows", "steps"), [(20, 3_000), (100, 5_000), (399, 19_950), (499, 20_000), (500, 20_000)])
def test_few_pictures_are_not_trained_on_until_they_are_known_by_heart(rows, steps):
    given = {"source": "x", "space": ImageSpace(1, 28, 28), "rows": rows, "classes": 0, "threads": 1}
    for name in ("images", "textures"):
        assert preset(name, **given, device="cpu")["training"]["steps"] == steps
        assert preset(name, **given, device="cuda")["training"]["steps"] == 20_000


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("augmentation={}", {}),
        ("augmentation={shift_and_flip: {}}", {"shift_and_flip": {}}),
        ("augmentation.differentiable.probability=0.6", {"differentiable": {"probability": 0.6}}),
    ],
)
def test_an_augmentation_that_is_asked_for_takes_the_place_of_the_presets(tmp_path, setting, expected):
    config = plan_run(few_pictures(tmp_path, 100), steps=5, settings=[setting]).config
    assert config.augmentation == expected


def test_an_augmentation_given_as_an_object_takes_the_place_of_the_presets(tmp_path):
    given = augmentation.find("shift_and_flip")()
    planned = plan_run(few_pictures(tmp_path, 100), steps=5, parts=PythonParts(augmentation=given))
    assert planned.config.augmentation == {}
    assert build_trainer(planned.config, planned.data, parts=planned.parts).augmentation.name == "shift_and_flip"


@pytest.mark.parametrize(("channels", "whitening"), [(1, 0.0), (3, 0.5), (4, 0.5)])
def test_the_preset_whitens_squares_of_pixels_in_colour_alone(tmp_path, channels, whitening):
    images = np.random.default_rng(0).integers(0, 256, (100, 28, 28, channels), dtype=np.uint8)
    np.savez(tmp_path / "pictures.npz", images=images)
    networks = plan_run(str(tmp_path / "pictures.npz"), steps=5).config.networks
    assert networks.generator["whitening"] == networks.discriminator["whitening"] == whitening


@pytest.mark.parametrize(("side", "local"), [(32, 4), (64, 4), (96, 1)])
def test_the_preset_of_textures_is_that_of_images_with_statistics_and_latents_of_places(side, local):
    asked = {"source": "x", "space": ImageSpace(3, side, side), "rows": 1000, "classes": 0, "threads": 1}
    images, textures = (preset(name, device="cpu", **asked) for name in ("images", "textures"))
    images["preset"] = "textures"
    images["networks"]["generator"]["local_latents"] = local
    images["networks"]["discriminator"]["statistics_pooling"] = True
    assert textures == images
    assert preset("textures", device="cuda", **asked) == preset("images", device="cuda", **asked) | {
        "preset": "textures"
    }


@pytest.mark.parametrize("name", ["images", "textures"])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_preset_of_images_asked_for_points_is_refused_by_its_networks_and_no_traceback(points, name, device):
    preset(name, source="x", space=PointSpace(2), rows=300, classes=0, device=device, threads=1)
    planned = plan_run(str(points), steps=5, device="cpu", preset_wanted=name)
    with pytest.raises(ConfigError, match="images of 8 to 256 pixels a side"):
        build_trainer(planned.config, planned.data)
