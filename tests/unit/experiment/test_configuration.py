"""Configurations: files, settings and presets become one checked whole, and mistakes are named."""

import itertools

import numpy as np
import pytest
import yaml

from equipoise.data import domain_of
from equipoise.errors import ConfigError, DataError
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.config.files import read_config, validated
from equipoise.experiment.config.overrides import merged, read_settings
from equipoise.experiment.config.points_preset import components_for
from equipoise.experiment.config.presets import preset
from equipoise.experiment.prepare import plan_run
from equipoise.spaces import Block, ImageSpace, PointSpace, TableSpace


@pytest.fixture
def points(tmp_path):
    path = tmp_path / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(100, 2)))
    return path


def plan(points, *settings, **options):
    return plan_run(points, steps=10, settings=["training.batch_size=8", *settings], **options)


def test_settings_are_read_as_yaml_into_sections():
    assert read_settings(
        ["training.batch_size=256", "objective=hinge", "ema.relative_length=1e-2", "data.drop=[a, b]"]
    ) == {
        "training": {"batch_size": 256},
        "objective": "hinge",
        "ema": {"relative_length": 0.01},
        "data": {"drop": ["a", "b"]},
    }


@pytest.mark.parametrize("text", ["training.batch_size", "=3", "training={"])
def test_a_setting_that_is_no_key_and_value_is_refused_with_an_example(text):
    with pytest.raises(ConfigError) as caught:
        read_settings([text])
    assert caught.value.where == f"--set {text}"
    assert caught.value.expected


def test_a_part_whose_name_changes_loses_the_options_of_the_old_one():
    base = {"objective": {"name": "hinge", "options": {"margin": 2}}, "penalties": [1]}
    assert merged(base, {"objective": {"name": "minimax"}}) == {
        "objective": {"name": "minimax", "options": {}},
        "penalties": [1],
    }
    assert merged(base, {"objective": {"options": {"margin": 3}}})["objective"] == {
        "name": "hinge",
        "options": {"margin": 3},
    }


def test_networks_of_another_family_start_from_that_familys_own_defaults():
    base = {"networks": {"family": "mlp", "latents": 2, "generator": {"width": 8}, "discriminator": {"width": 8}}}
    changed = merged(base, {"networks": {"family": "convolutional"}})["networks"]
    assert changed == {"family": "convolutional", "latents": 2, "generator": {}, "discriminator": {}}


def test_a_complete_configuration_survives_writing_and_reading(points, tmp_path):
    config = plan(points).config
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml())
    content, lines = read_config(path)
    assert validated(content, where="x", lines=lines) == config


@pytest.mark.parametrize(
    ("settings", "where", "found"),
    [
        (["objective=hing"], "objective", "Did you mean 'hinge'?"),
        (["penalties=[{name: r3}]"], "penalties", "Did you mean 'r"),
        (["training.batchsize=3"], "training.batchsize", "Did you mean 'batch_size'?"),
        (["trianing.batch_size=3"], "trianing", "Did you mean 'training'?"),
        (["training.batch_size=0"], "training.batch_size", "0 does not fit"),
        (["training.batch_size=many"], "training.batch_size", "'many' does not fit"),
        (["networks.generator.widht=3"], "networks.generator.widht", "Did you mean 'width'?"),
        (["networks.family=mpl"], "networks.family", "Did you mean 'mlp'?"),
        (["optimizers.generator.name=Adan"], "optimizers.generator.name", "Did you mean 'Adam'?"),
        (["optimizers.generator.options={beta: 1}"], "optimizers.generator.options.beta", "Did you mean 'beta1'?"),
        (["training.update_rule=simultaneous", "training.n_critic=2"], "training", "Set n_critic and"),
        (
            ["objective=wasserstein", "penalties=[]"],
            "objective",
            "without any control of the discriminator's input gradient",
        ),
        (["networks.conditional=true"], "networks.conditional", "no class labels"),
        (["seed=-1"], "seed", "-1 is not a seed"),
        (["gamma.shape=geometrical"], "gamma.shape", "does not fit"),
        (["gamma.finl=0.1"], "gamma.finl", "Did you mean 'final'?"),
        (["gamma.final=-1"], "gamma", "not -1"),
        (["data.source=[1]"], "data", ""),
    ],
)
def test_a_wrong_setting_is_named_with_what_was_found(points, settings, where, found):
    with pytest.raises((ConfigError, DataError)) as caught:
        planned = plan(points, *settings) if "data.source" not in settings[0] else plan_run(None, settings=settings)
        build_trainer(planned.config, planned.data)
    assert where in caught.value.where
    assert found in str(caught.value)
    assert caught.value.expected or caught.value.advice


def test_a_wrong_key_in_a_file_is_named_with_its_line(points, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("training:\n  batch_size: 8\n  stebs: 5\n")
    with pytest.raises(ConfigError, match=r"mine.yaml, line 3, training.stebs: no setting is called 'stebs'"):
        plan_run(points, config_file=path)


@pytest.mark.parametrize(
    "text",
    ["training: [", "- a\n- b\n", "a: &x [1]\nb: *x\n", "\x00"],
    ids=["cut short", "a list", "aliases, which can explode", "not text"],
)
def test_a_file_that_is_no_configuration_is_refused(points, tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="mine.yaml"):
        plan_run(points, config_file=path)


def test_a_missing_configuration_file_is_named(points, tmp_path):
    with pytest.raises(ConfigError, match="absent.yaml"):
        plan_run(points, config_file=tmp_path / "absent.yaml")


def test_a_configuration_alone_is_enough_to_plan_a_run(points, tmp_path):
    first = plan(points)
    path = tmp_path / "config.yaml"
    path.write_text(first.config.to_yaml())
    assert plan_run(None, config_file=path).config == first.config


def test_without_any_data_the_message_asks_for_them():
    with pytest.raises(ConfigError, match="no data are named"):
        plan_run(None)


@pytest.mark.parametrize(
    "options", [{"steps": 0}, {"minutes": 0.0}, {"minutes": float("nan")}, {"steps": 5, "minutes": 1.0}]
)
def test_an_impossible_budget_is_refused(points, options):
    with pytest.raises(ConfigError):
        plan_run(points, **options)


def test_minutes_become_steps_that_are_stored(points):
    planned = plan_run(points, minutes=0.05, settings=["training.batch_size=8"])
    assert planned.config.training.steps >= 10
    assert yaml.safe_load(planned.config.to_yaml())["training"]["steps"] == planned.config.training.steps


def test_a_device_that_is_not_there_is_refused(points):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ConfigError, match="no cuda device"):
        plan(points, device="cuda")


def test_presets_follow_the_kind_and_the_size_of_the_data():
    height, tree = Block("number", 1, "height"), Block("choice", 3, "tree")
    numbers = TableSpace(columns=("height",), blocks=(height,))
    mixed = TableSpace(columns=("height", "tree"), blocks=(height, tree))
    names = [
        domain_of(space.kind).preset_name(space)
        for space in (PointSpace(2), numbers, mixed, ImageSpace(1, 8, 8), ImageSpace(3, 32, 32))
    ]
    assert names == ["points", "points", "table", "small-images", "images"]


@pytest.mark.parametrize("name", ["points", "table", "table-game", "small-images", "images", "textures"])
def test_every_preset_is_a_complete_configuration(name):
    content = preset(name, source="x", space=ImageSpace(1, 8, 8), rows=1000, classes=0, device="cpu", threads=1)
    config = validated(content, where=name)
    assert config.objective.name == "relativistic"
    assert [part.name for part in config.penalties] == ["r1", "r2"]


def test_an_unknown_preset_is_refused_with_the_nearest_name(points):
    with pytest.raises(ConfigError, match="Did you mean 'points'"):
        plan(points, preset_wanted="point")


def test_code_named_in_a_configuration_runs_only_when_it_is_trusted(points):
    planned = plan(points, "objective=equipoise.objectives.relativistic:relativistic")
    assert build_trainer(planned.config, planned.data).objective.name == "relativistic"
    with pytest.raises(ConfigError, match="--trust-code"):
        build_trainer(planned.config, planned.data, trusted=False)


@pytest.mark.parametrize("path", ["os:getcwd", "no_such_module:thing", "os:no_such_thing", "a b:c"])
def test_an_import_path_that_is_no_such_part_is_refused(points, path):
    planned = plan(points, f"objective='{path}'")
    with pytest.raises(ConfigError, match="objective"):
        build_trainer(planned.config, planned.data)


def test_batch_normalisation_under_a_per_sample_penalty_is_refused_by_name():
    from torch import nn

    from equipoise.experiment.build.trainer import refuse_forbidden
    from equipoise.objectives import find
    from equipoise.penalties import find as find_penalty

    discriminator = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    with pytest.raises(ConfigError, match="the layer '1' is batch normalisation, and the penalty 'r1'"):
        refuse_forbidden(find("relativistic")(), [find_penalty("r1")()], discriminator)
    refuse_forbidden(find("relativistic")(), [], discriminator)


def test_other_networks_for_points_come_with_the_game_that_suits_them(points):
    mixture, mlp = plan(points).config, plan(points, "networks.family=mlp").config
    assert (mixture.networks.family, mixture.optimizers.discriminator.name) == ("mixture_prior", "GrowingAdam")
    assert (mlp.networks.generator["depth"], mlp.optimizers.discriminator.name) == (6, "Adam")
    assert not mlp.training.shared_batch and mlp.optimizers.generator.groups == {}


def test_gamma_of_the_points_preset_is_the_automatic_one(points):
    """Coordinates are standardised, so that what the spread of the data says is a constant."""
    preset_gamma, automatic = plan(points).config, plan(points, "gamma=auto").config
    weights = [config.penalties[0].options["weight"] for config in (preset_gamma, automatic)]
    # The variance of 80 rows with one degree of freedom less: 80/79.
    assert weights[0] == pytest.approx(weights[1], rel=0.02)
    assert preset_gamma.gamma.final == pytest.approx(automatic.gamma.final)
    assert preset_gamma.gamma.reached_at == automatic.gamma.reached_at == 0.9


def test_a_short_run_on_points_has_smaller_batches_and_larger_steps(points):
    short, long = (plan_run(points, **budget).config for budget in ({"steps": 8000}, {"steps": 8001}))
    assert (short.training.batch_size, long.training.batch_size) == (256, 512)
    assert short.optimizers.generator.groups["scales"].factor > long.optimizers.generator.groups["scales"].factor


@pytest.mark.parametrize("dimensions", [1, 2, 5, 8, 64])
@pytest.mark.parametrize("rows", [1, 100, 10_000, 2_000_000])
def test_points_of_any_size_get_a_preset(dimensions, rows):
    content = preset("points", source="x", space=PointSpace(dimensions), rows=rows, classes=0, device="cpu", threads=1)
    components = content["networks"]["generator"]["components"]
    assert 1 <= components <= max(1, rows // 2)
    if rows >= 800 or dimensions >= 8:  # where each has a matrix it needs its eight rows
        assert components <= max(1, rows // 8)
    assert (content["training"]["real_batches"] == "stratified") == (rows <= 1_000_000)


@pytest.mark.parametrize(("dimensions", "full_steps"), [(1, 5000), (4, 5000), (5, 15_000), (8, 15_000), (100, 15_000)])
def test_points_of_few_coordinates_begin_long_runs_lower(dimensions, full_steps):
    space = PointSpace(dimensions)
    content = preset("points", source="x", space=space, rows=10_000, classes=0, device="cpu", threads=1)
    assert content["optimizers"]["lr_schedule"]["full_steps"] == full_steps


def test_components_grow_with_the_rows_and_few_rows_have_half_as_many_up_to_a_hundred():
    numbers = [components_for(rows) for rows in range(1, 3000)]
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    assert min(steps) >= 0 and max(steps) == 1  # no row takes components away, and none brings many
    assert [components_for(rows) for rows in (1, 10, 160, 200)] == [1, 5, 80, 100]
    assert [components_for(rows) for rows in (800, 808, 1000, 8000)] == [100, 101, 125, 1000]  # an eighth
    assert [components_for(rows, has_matrices=True) for rows in (4, 160, 800)] == [1, 20, 100]


def test_more_components_than_rows_are_refused(points):
    with pytest.raises(ConfigError, match=r"81 components for 80 training rows(.|\n)*at most 40"):
        planned = plan(points, "networks.generator.components=81")
        build_trainer(planned.config, planned.data)
