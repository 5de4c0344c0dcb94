"""Learning rates of groups of parameters: which network has them, and what is refused."""

import numpy as np
import pytest
import torch
from torch import nn

from equipoise.errors import ConfigError
from equipoise.experiment.build.optimizers import build_optimizer
from equipoise.experiment.config.overrides import merged
from equipoise.experiment.config.schema import OptimizersConfig
from equipoise.experiment.prepare import plan_run


class Grouped(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale, self.body, self.shift = (nn.Parameter(torch.ones(2)) for _ in range(3))

    def parameter_groups(self):
        return {"ends": [self.scale, self.shift], "body": [self.body]}


def section(groups, name="Adam"):
    player = {"name": name, "learning_rate": 0.1, "options": {}}
    return OptimizersConfig.model_validate({"generator": {**player, "groups": groups}, "discriminator": player})


@pytest.mark.parametrize("name", ["Adam", "GrowingAdam", "SGD"])
def test_each_group_has_its_rate_and_parameters_stay_in_order(name):
    network = Grouped()
    optimizer = build_optimizer(section({"ends": {"factor": 0.5, "floor": 0.3}}, name), "generator", network)
    found = [(group["params"], group["lr"], group["floor"]) for group in optimizer.param_groups]
    assert [rates for _, *rates in found] == [[0.05, 0.3], [0.1, 0.0], [0.05, 0.3]]
    ordered = [weight for weights, *_ in found for weight in weights]
    assert all(own is other for own, other in zip(ordered, network.parameters(), strict=True))


def test_without_groups_there_is_one():
    assert len(build_optimizer(section({}), "generator", Grouped()).param_groups) == 1


def test_a_group_that_the_network_lacks_is_refused():
    with pytest.raises(ConfigError, match="no group of parameters called 'end'. Did you mean 'ends'"):
        build_optimizer(section({"end": {}}), "generator", Grouped())
    with pytest.raises(ConfigError, match="Available: none"):
        build_optimizer(section({"ends": {}}), "generator", nn.Linear(2, 2))


@pytest.mark.parametrize("group", [{"factor": 0}, {"factor": -1}, {"floor": 2}, {"floor": -0.1}, {"rate": 1}])
def test_nonsense_is_refused(group):
    with pytest.raises(ValueError, match="ends"):
        section({"ends": group})


def test_another_family_of_networks_loses_the_groups_of_the_old_one():
    base = {
        "networks": {"family": "one", "generator": {}, "discriminator": {}},
        "optimizers": {"generator": {"learning_rate": 1, "groups": {"body": {"factor": 2}}}, "lr_schedule": {}},
    }
    assert merged(base, {"networks": {"family": "two"}})["optimizers"]["generator"]["groups"] == {}
    assert merged(base, {"networks": {"family": "one"}})["optimizers"] == base["optimizers"]
    own = {"networks": {"family": "two"}, "optimizers": {"generator": {"groups": {"top": {"factor": 3}}}}}
    assert merged(base, own)["optimizers"]["generator"]["groups"] == {"top": {"factor": 3}}


@pytest.mark.parametrize(
    ("setting", "where"),
    [
        ("optimizers.generator={name: GrowingAdam, learning_rate: 1, options: {share: 2}}", "optimizers.generator"),
        ("optimizers.lr_schedule={shape: linear, final: 0.1, reached_at: 2}", "optimizers.lr_schedule"),
        ("gamma={shape: geometric, final: 0.1, reached_at: 0}", "gamma"),
        ("training={n_critic: 2, shared_batch: true}", "training.shared_batch"),
        ("training.latents=mirrored", "training.latents"),
        ("training.real_batches=sorted", "training.real_batches"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(tmp_path, setting, where):
    from equipoise.experiment.build.trainer import build_trainer

    path = tmp_path / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(100, 2)))
    with pytest.raises(ConfigError) as caught:
        planned = plan_run(path, steps=10, settings=["training.batch_size=8", setting])
        build_trainer(planned.config, planned.data)
    assert where in str(caught.value)


@pytest.mark.parametrize("setting", ["training.update_rule=optimistic", "training.n_critic=2"])
def test_a_rule_that_shares_no_batch_takes_two_where_the_preset_has_one(tmp_path, setting):
    path = tmp_path / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(100, 2)))
    assert plan_run(path, steps=10).config.training.shared_batch
    assert not plan_run(path, steps=10, settings=[setting]).config.training.shared_batch
    with pytest.raises(ConfigError, match="cannot share a batch"):
        plan_run(path, steps=10, settings=[setting, "training.shared_batch=true"])
