"""Parts given as Python objects: a run like any other, resumed from Python; wrong ones are refused at once."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import nn

import equipoise as eq
from equipoise.augmentation.instance_noise import instance_noise
from equipoise.errors import ConfigError, RunFolderError
from equipoise.objectives import find
from equipoise.penalties.lecam import lecam
from equipoise.penalties.r1_r2 import r1
from equipoise.runfolder import RunFolder
from equipoise.training.events import CheckpointDue, Measured

pytestmark = pytest.mark.usefixtures("undrawn")
SMALL = ["training.batch_size=8", "outputs.final_verdict=false", "evaluations.count=0", "runtime.threads=1"]


class Generator(nn.Module):
    latent_dimensions = 3

    def __init__(self, outputs=2):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, outputs))

    def forward(self, latents):
        return self.layers(latents)


class Discriminator(nn.Module):
    def __init__(self, space):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(space.shape[0], 8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, samples):
        return self.layers(samples).squeeze(1)


def seeded_generator():
    torch.manual_seed(5)
    return Generator()


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(120, 2)))
    return path


def fit(data, outdir, *, steps=6, settings=(), **parts):
    return eq.fit(data, outdir=outdir, steps=steps, settings=[*SMALL, *settings], **parts)


def stored(folder: Path, step: int) -> dict[str, torch.Tensor]:
    return load_file(folder / "checkpoints" / f"step-{step:08d}.safetensors")


def test_a_run_of_objects_has_a_folder_that_says_what_they_were(points, tmp_path):
    gan = fit(
        points,
        tmp_path / "run",
        generator=seeded_generator(),
        discriminator=Discriminator,
        objective=find("hinge")(),
        penalties=[r1(weight=0.5), "r2"],
        optimizers={"generator": lambda weights: torch.optim.SGD(weights, lr=0.02)},
    )
    config = yaml.safe_load((gan.folder / "config.yaml").read_text())
    assert config["networks"] | {"latents": 3} == {
        "family": "python",
        "latents": 3,
        "conditional": False,
        "generator": {},
        "discriminator": {},
    }
    assert config["python"] == {
        "generator": f"{__name__}.Generator",
        "discriminator": f"{__name__}.Discriminator",
        "objective": "hinge",
        "penalties.0": "r1",
        "optimizers.generator": f"{__name__}.{test_a_run_of_objects_has_a_folder_that_says_what_they_were.__name__}."
        "<locals>.<lambda>",
    }
    assert [part["name"] for part in config["penalties"]] == ["r1", "r2"]
    assert config["optimizers"]["generator"]["learning_rate"] == pytest.approx(0.02)
    assert config["optimizers"]["discriminator"]["name"] == "Adam"
    facts = json.loads((gan.folder / "run.json").read_text())
    assert facts["objective"]["name"] == "hinge" and facts["config"] == config
    assert facts["networks"]["generator"] == {"family": "python", "parameters": 50}
    assert (gan.folder / "report.html").is_file()
    assert gan.sample(5, seed=0).shape == (5, 2)
    assert gan.discriminator(torch.zeros(4, 2)).shape == (4,)


def test_the_given_module_is_copied_and_the_copy_trains_from_its_weights(points, tmp_path):
    given = seeded_generator()
    before = {name: weight.clone() for name, weight in given.state_dict().items()}
    hardly = {"generator": lambda weights: torch.optim.SGD(weights, lr=1e-12)}
    parts = {"generator": given, "discriminator": Discriminator}
    still = fit(points, tmp_path / "still", optimizers=hardly, **parts)
    moved = fit(points, tmp_path / "moved", **parts)
    for name, weight in before.items():
        assert torch.equal(given.state_dict()[name], weight)
        assert torch.allclose(stored(still.folder, 6)[f"generator.{name}"], weight, atol=1e-6)
        assert not torch.allclose(stored(moved.folder, 6)[f"generator.{name}"], weight, atol=1e-6)


def test_a_factory_draws_its_weights_from_the_seed_of_the_run(points, tmp_path):
    torch.manual_seed(1)
    first = fit(points, tmp_path / "a", generator=lambda: Generator(), discriminator=Discriminator)
    torch.manual_seed(2)
    second = fit(points, tmp_path / "b", generator=lambda: Generator(), discriminator=Discriminator)
    assert np.array_equal(first.sample(4, seed=0), second.sample(4, seed=0))


def test_a_factory_is_given_what_its_signature_asks_for(points, tmp_path):
    seen = {}

    def generator(space, *, latents, classes):
        seen.update(space=space, latents=latents, classes=classes)
        return nn.Linear(latents, space.shape[0])

    gan = fit(points, tmp_path / "run", generator=generator, latents=5)
    assert (seen["space"].shape, seen["latents"], seen["classes"]) == ((2,), 5, 0)
    assert gan.config.networks.family == "mlp" and gan.config.networks.generator == {}
    assert gan.generator.latent_dimensions == 5


def test_a_family_of_ours_is_a_factory_too(points, tmp_path):
    family = eq.networks.find("mlp")
    given = fit(points, tmp_path / "a", generator=family.generator, discriminator=family.discriminator, steps=3)
    assert given.config.networks.latents == 2


PARTS = {
    "networks": lambda: {"generator": seeded_generator(), "discriminator": Discriminator},
    "a penalty that remembers": lambda: {"penalties": [lecam(), "r1"], "objective": find("least_squares")()},
    "an augmentation": lambda: {"augmentation": instance_noise(0.3, decay_fraction=0.5)},
    "optimizers": lambda: {"optimizers": lambda weights: torch.optim.AdamW(list(weights)[::-1], lr=1e-3)},
}


@pytest.mark.parametrize("kind", PARTS)
def test_a_run_of_objects_is_resumed_bit_for_bit(points, tmp_path, kind):
    whole = fit(points, tmp_path / "whole", steps=8, **PARTS[kind]())
    cut = fit(points, tmp_path / "cut", steps=8, callbacks=[stop_at(4)], **PARTS[kind]())
    assert cut.step == 4
    resumed = eq.resume(cut.folder, steps=8, **PARTS[kind]())
    assert resumed.step == 8
    first, second = stored(whole.folder, 8), stored(resumed.folder, 8)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def stop_at(step):
    return lambda event: eq.Stop("enough") if isinstance(event, Measured) and event.step == step else None


def test_data_from_python_are_given_again_to_resume(tmp_path):
    rows = np.random.default_rng(0).normal(size=(100, 2))
    gan = fit(rows, tmp_path / "run", generator=seeded_generator(), callbacks=[stop_at(3)])
    with pytest.raises(ConfigError, match=r"equipoise.resume\('.*run', data=..., generator=...\)"):
        eq.resume(gan.folder)
    with pytest.raises(RunFolderError, match=r"equipoise.resume\(folder, data=...\)"):
        eq.resume(gan.folder, generator=seeded_generator())
    with pytest.raises(RunFolderError, match="the data at .* have changed"):
        eq.resume(gan.folder, data=rows + 1, generator=seeded_generator())
    assert eq.resume(gan.folder, data=rows, generator=seeded_generator(), steps=6).step == 6


@pytest.fixture(scope="module")
def finished(points, tmp_path_factory):
    return fit(
        points,
        tmp_path_factory.mktemp("runs") / "run",
        generator=seeded_generator(),
        discriminator=Discriminator,
        penalties=[r1(), "r2"],
    )


def test_a_run_of_objects_is_opened_with_the_objects(finished):
    opened = eq.load(finished.folder, generator=Generator, discriminator=Discriminator)
    assert np.array_equal(opened.sample(7, seed=1), finished.sample(7, seed=1))
    rows = torch.ones(3, 2)
    assert torch.equal(opened.discriminator(rows), finished.discriminator(rows))


@pytest.mark.parametrize("command", ["resume", "sample", "judge"])
def test_commands_say_how_to_go_on_from_python(finished, command, capsys):
    from equipoise.cli.main import main

    with pytest.raises(SystemExit) as ended:
        main([command, str(finished.folder)])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    call = "resume" if command == "resume" else "load"
    assert f"Go on from Python: equipoise.{call}({str(finished.folder)!r}, generator=..., discriminator=..." in said


def test_a_configuration_of_objects_trains_nothing_by_itself(finished, points, capsys):
    from equipoise.cli.main import main

    with pytest.raises(SystemExit):
        main(["train", str(points), "--config", str(finished.folder / "config.yaml"), "--steps", "3"])
    assert "Go on from Python: equipoise.fit(DATA, generator=..." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"generator": Generator}, "discriminator, penalties.0: given as Python objects"),
        (
            {"generator": Generator, "discriminator": Discriminator, "penalties": [r1(), "r2"], "objective": "hinge"},
            "objective.name: 'relativistic' when the run began, 'hinge' now",
        ),
        (
            {"generator": Generator, "discriminator": Discriminator, "penalties": [r1(), "wgan_gp"]},
            "penalties: .'r1', 'r2'. when the run began, .'r1', 'wgan_gp'. now",
        ),
        (
            {
                "generator": Generator,
                "discriminator": Discriminator,
                "penalties": [r1(), "r2"],
                "objective": find("hinge")(),
            },
            "objective: given as a Python object, and the run was begun with a part that has a name",
        ),
    ],
    ids=["missing", "another name", "another penalty", "an object for a name"],
)
def test_other_parts_than_the_run_was_begun_with_are_refused(finished, parts, said):
    with pytest.raises((ConfigError, RunFolderError), match=said):
        eq.resume(finished.folder, steps=12, **parts)


class Column(Discriminator):
    def forward(self, samples):
        return self.layers(samples)


class Frozen(Generator):
    def __init__(self):
        super().__init__()
        self.requires_grad_(False)


class Silent(Generator):
    latent_dimensions = None


class Names(Generator):
    def __init__(self):
        super().__init__()
        self.memory = nn.Linear(1, 1)


class Normed(Discriminator):
    def __init__(self, space):
        super().__init__(space)
        self.layers.insert(1, nn.BatchNorm1d(8))


class Tuple(Discriminator):
    def forward(self, samples):
        return (super().forward(samples),)


def failing(space):
    raise KeyError("width")


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            {"generator": Generator(outputs=3)},
            r"generator: called with latents of shape \(3, 3\) it returned the shape \(3, 3\).*"
            r"Expected samples of shape \(3, 2\), that is \(batch, 2\)",
        ),
        (
            {"discriminator": Column},
            r"discriminator: called with samples of shape \(3, 2\) it returned the shape \(3, 1\).*"
            r"Expected logits of shape \(3,\), that is \(batch,\).*squeeze\(1\)",
        ),
        (
            {"discriminator": nn.Linear(5, 1)},
            r"discriminator: called with samples of shape \(3, 2\) it raised RuntimeError: mat1 and mat2",
        ),
        ({"discriminator": Tuple}, "it returned tuple.*Return one tensor"),
        ({"generator": Frozen()}, "Frozen has no parameter that requires a gradient"),
        ({"generator": Silent()}, "Silent has no attribute 'latent_dimensions'.*latents=64"),
        ({"generator": Generator(), "latents": 7}, "7 latents are asked for, and the generator's .* is 3"),
        ({"generator": Generator().to("meta")}, "its parameters are on meta.*on the device of the run, cpu"),
        ({"generator": Names()}, "its submodule 'memory' has a name that a checkpoint uses"),
        ({"discriminator": Normed}, "the layer 'layers.1' is batch normalisation, and the penalty 'r1'"),
        ({"discriminator": failing}, "discriminator: the factory raised KeyError"),
        ({"discriminator": lambda space: 3}, "the factory made a int.*Expected a torch module"),
        ({"generator": "mlp"}, "generator: 'mlp' of type str is given.*a torch module"),
        ({"generator": dict}, "generator: .* is given"),
        ({"objective": 3}, "objective: '3' of type int is given.*an Objective"),
        ({"objective": "hing"}, "no objective is called 'hing'. Did you mean 'hinge'"),
        ({"penalties": "r1"}, "penalties: 'r1' of type str is given.*a list of Penalty"),
        ({"penalties": [3]}, r"penalties\[0\]: '3' of type int"),
        ({"penalties": ["r3"]}, "no penalty is called 'r3'"),
        ({"augmentation": 3}, "augmentation: '3' of type int"),
        ({"optimizers": 3}, "optimizers.generator: '3' of type int"),
        ({"optimizers": lambda weights: None}, "optimizers.generator: the factory made a NoneType"),
        (
            {"optimizers": lambda weights: torch.optim.SGD(Generator().parameters(), lr=1)},
            "holds parameters that are not the network's",
        ),
        ({"optimizers": {"generator": torch.optim.LBFGS}}, "the factory made a LBFGS"),
        ({"optimizers": {"name": "Adan"}}, "no optimizer is called 'Adan'. Did you mean 'Adam'"),
        ({"callbacks": "print"}, "callbacks: 'print' of type str"),
        ({"callbacks": [3]}, r"callbacks: '\[3\]' of type list"),
    ],
)
def test_a_part_that_cannot_play_is_refused_before_the_first_step(points, tmp_path, parts, said):
    with pytest.raises(ConfigError) as caught:
        fit(points, tmp_path / "run", **parts)
    import re

    assert re.search(said, str(caught.value), flags=re.DOTALL), caught.value
    assert not (tmp_path / "run").exists()


def test_trying_a_network_leaves_it_and_the_random_numbers_of_the_process_alone(points, tmp_path):
    class Counting(Generator):
        calls = 0

        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(2)
            self.drop = nn.Dropout(0.5)

        def forward(self, latents):
            return self.drop(self.norm(super().forward(latents)))

    from equipoise.experiment.build.own_networks import check_player
    from equipoise.spaces import PointSpace

    network = Counting()
    network.drop.eval()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    check_player("generator", network, PointSpace(2), classes=0, device=torch.device("cpu"))
    assert torch.equal(torch.get_rng_state(), before)
    assert int(network.norm.num_batches_tracked) == 0 and network.training and not network.drop.training


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("labelled") / "points.npz"
    np.savez(path, samples=rng.normal(size=(120, 2)), labels=rng.integers(0, 3, 120))
    return path


class Asked(Generator):
    def __init__(self):
        super().__init__()
        self.classes = nn.Embedding(3, 2)

    def forward(self, latents, labels):
        return super().forward(latents) + self.classes(labels)


def test_players_are_given_labels_where_both_take_them(labelled, tmp_path):
    family = eq.networks.find("mlp")
    both = fit(labelled, tmp_path / "both", generator=Asked(), discriminator=family.discriminator, steps=2)
    neither = fit(labelled, tmp_path / "neither", generator=Generator(), discriminator=Discriminator, steps=2)
    assert both.config.networks.conditional and not neither.config.networks.conditional
    assert both.sample(3, seed=0, label=1).shape == (3, 2)


def test_a_player_that_takes_no_labels_is_refused_where_they_are_asked_for(labelled, tmp_path):
    with pytest.raises(ConfigError, match=r"and labels of shape \(3,\) it raised TypeError"):
        fit(labelled, tmp_path / "run", generator=Generator(), settings=["networks.conditional=true"])


def test_callbacks_hear_what_happens_after_the_folder_was_written(points, tmp_path):
    heard = []

    def callback(event):
        heard.append(event)
        if isinstance(event, CheckpointDue):
            assert (tmp_path / "run" / "checkpoints" / f"step-{event.step:08d}.json").is_file()

    fit(points, tmp_path / "run", callbacks=[callback])
    kinds = {type(event).__name__ for event in heard}
    assert {"Measured", "SamplesDue", "CheckpointDue", "Ended"} <= kinds
    assert heard[-1].is_complete and "value" in heard[0].row


def test_a_callback_may_end_the_run_with_a_reason(points, tmp_path):
    gan = fit(points, tmp_path / "run", callbacks=[stop_at(2)])
    status = RunFolder(gan.folder).read_status()
    assert (gan.step, status["state"], status["ended_because"]) == (2, "finished", "enough")


def test_an_error_in_a_callback_ends_the_run_and_is_seen(points, tmp_path):
    def callback(event):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError):
        fit(points, tmp_path / "run", callbacks=[callback])
    assert RunFolder(tmp_path / "run").read_status()["state"] == "failed"


def test_names_are_taken_as_in_a_configuration(points, tmp_path):
    gan = fit(
        points,
        tmp_path / "run",
        objective="least_squares",
        penalties=[{"name": "r1", "options": {"weight": 0.3}}],
        augmentation="instance_noise",
        optimizers={"name": "SGD", "learning_rate": 0.01, "options": {}},
        steps=2,
    )
    config = gan.config
    assert (config.objective.name, config.penalties[0].options, config.python) == ("least_squares", {"weight": 0.3}, {})
    assert config.augmentation == {"instance_noise": {}}
    assert (config.optimizers.generator.name, config.optimizers.discriminator.learning_rate) == ("SGD", 0.01)
    assert eq.load(gan.folder).sample(2).shape == (2, 2)


def test_a_trial_run_leaves_what_a_penalty_remembers_as_it_was_given(points):
    from equipoise.experiment.build.python_parts import sort_parts
    from equipoise.experiment.build.trainer import build_trainer
    from equipoise.experiment.prepare import plan_run

    penalty = lecam()
    given = {name: tensor.clone() for name, tensor in penalty.state.items()}
    parts, named = sort_parts(penalties=[penalty])
    planned = plan_run(points, steps=5, settings=SMALL, parts=parts, named=named)
    trial = build_trainer(planned.config, planned.data, parts=planned.parts)
    trial.train_step()
    assert any(not torch.equal(tensor, given[name]) for name, tensor in penalty.state.items())
    build_trainer(planned.config, planned.data, parts=planned.parts)
    assert given and all(torch.equal(tensor, given[name]) for name, tensor in penalty.state.items())
