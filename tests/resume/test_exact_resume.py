"""Stopping and resuming gives the uninterrupted run, bit for bit on the CPU (float32, one thread)."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from equipoise.errors import RunFolderError, StorageError
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.prepare import plan_run
from equipoise.training import CheckpointDue, checkpoints, curve_fit
from equipoise.training.checkpoints import (
    checkpoint_files,
    load_checkpoint,
    read_checkpoint,
    save_checkpoint,
    sealed,
    stored_state,
    thin_out,
)

STEPS = 24


def points(folder):
    path = folder / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(200, 2)))
    return path


def table(folder):
    rng = np.random.default_rng(0)
    path = folder / "table.csv"
    frame = pd.DataFrame(
        {
            "amount": rng.normal(size=200).round(2),
            "count": rng.integers(0, 90, 200),
            "colour": rng.choice(["red", "green"], 200),
        }
    )
    frame["amount_squared"] = frame["amount"] ** 2
    frame.to_csv(path, index=False)
    return path


def images(folder):
    path = folder / "images.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, size=(60, 8, 8), dtype=np.uint8))
    return path


GAMES = {
    "optimistic updates, which remember an update": (points, ("training.update_rule=optimistic",)),
    "lecam, which remembers mean logits": (points, ("objective=hinge", "penalties=[{name: lecam}, {name: r1}]")),
    "points": (points, ()),
    "a mixture prior": (
        points,
        ("networks.family=mixture_prior", "networks.generator={components: 5, width: 8, covariance: full}"),
    ),
    "table": (table, ()),
    "table, most of it played": (table, ("warm_start={name: likelihood, share: 0.3}",)),
    "table, one network for the whole row": (table, ("networks.family=mlp",)),
    "images, convolutional": (
        images,
        (
            "networks={family: convolutional, latents: 4, conditional: false, generator: "
            "{channels: 4, widest: 4}, discriminator: {channels: 4, widest: 4}}",
        ),
    ),
    "images, mirrored, an adaptive augmentation, gradients of limited growth": (
        images,
        (
            "networks={family: strided, latents: 4, conditional: false, generator: "
            "{channels: 4, widest: 4}, discriminator: {channels: 4, widest: 4}}",
            "data.mirror=true",
            "augmentation.differentiable={kinds: [translate, rotate, cutout], probability: 0.5, target: 0.3}",
            "optimizers.discriminator.clip_growth=1.1",
            "optimizers.generator.clip_growth=1.1",
        ),
    ),
    "images, tone and detail curves, convolutional": (
        images,
        (
            "networks={family: strided, latents: 4, conditional: false, generator: "
            "{channels: 4, widest: 4, tone: true, detail: true}, discriminator: {channels: 4, widest: 4}}",
        ),
    ),
    "rows drawn by weight, classes balanced": (
        table,
        ("data.sample_weight=amount_squared", "data.labels=colour", "data.balance=classes"),
    ),
    "clipped gradients and instance noise": (
        points,
        (
            "augmentation.instance_noise={level: 0.3, final: 0.1, decay_fraction: 0.5}",
            "optimizers.discriminator.clip_norm=0.05",
            "optimizers.generator.clip_norm=0.05",
        ),
    ),
    "instance noise on images, consistency under shifts": (
        images,
        ("augmentation.instance_noise.level=0.2", "penalties=[consistency, r1]", "networks.family=mlp"),
    ),
    "spectral normalisation, which remembers its power iteration": (
        points,
        ("objective=wasserstein", "penalties=[]", "networks.discriminator.spectral=true"),
    ),
    "spectral normalisation, convolutional, hinge": (
        images,
        (
            "networks={family: convolutional, latents: 4, conditional: false, generator: "
            "{channels: 4, widest: 4}, discriminator: {channels: 4, widest: 4, spectral: true}}",
            "objective=hinge",
            "penalties=[]",
        ),
    ),
    "bf16": (points, ("runtime.precision=bf16",)),
    "automatic gamma": (points, ("gamma=auto",)),
    "shared batches that run evenly, an optimizer with a growing memory": (
        points,
        (
            "training.shared_batch=true",
            "training.latents=antithetic",
            "training.real_batches=stratified",
            "optimizers.generator={name: GrowingAdam, learning_rate: 0.001, options: {shortest: 5}}",
            "optimizers.discriminator={name: GrowingAdam, learning_rate: 0.01, options: {shortest: 5}}",
            "optimizers.lr_schedule={shape: geometric, final: 0.003, reached_at: 0.9}",
        ),
    ),
    "wgan_gp, which draws points": (
        points,
        ("objective=wasserstein", "penalties=[{name: wgan_gp}]", "training.n_critic=2"),
    ),
}


def plan(game, folder):
    make, settings = GAMES[game]
    small = (
        []
        if "convolutional" in game
        else ["networks.generator.width=8", "networks.discriminator.width=8", "networks.latents=4"]
    )
    return plan_run(
        make(folder), steps=STEPS, seed=3, settings=[*small, "training.batch_size=16", "runtime.threads=1", *settings]
    )


def storing(folder):
    """A handler that writes checkpoints."""

    def handler(event):
        if isinstance(event, CheckpointDue):
            save_checkpoint(folder, event.state)

    return handler


def played(planned, folder, *, until=STEPS):
    """A trainer that has trained to `until`, with its last state stored in `folder`."""
    trainer = build_trainer(planned.config, planned.data)
    continue_to(trainer, until, [storing(folder)])
    return trainer


def continue_to(trainer, until, handlers=()):
    """Train up to step `until` and stop there, as a signal would make it."""
    play = trainer.train_step

    def counted(*, measure=False):
        report = play(measure=measure)
        trainer.should_stop = trainer.step >= until
        return report

    trainer.train_step = counted
    trainer.run(handlers)
    trainer.should_stop = False


def state_of(trainer):
    tensors, numbers = stored_state(trainer.state)
    return tensors, {key: value for key, value in numbers.items() if key != "seconds"}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def curves_of_few_samples(monkeypatch):
    """Curves are fitted at every checkpoint: the same ones from few samples as from many."""
    monkeypatch.setattr(curve_fit, "MOST_SAMPLES", 128)


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("stop", [1, 13])
def test_a_run_that_was_stopped_and_resumed_is_the_uninterrupted_run(game, stop, tmp_path):
    planned = plan(game, tmp_path)
    whole = played(planned, tmp_path)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    played(planned, folder, until=stop)
    resumed = build_trainer(planned.config, planned.data)
    step, broken = load_checkpoint(folder, resumed)
    assert (step, broken) == (stop, [])
    resumed.run()
    for (tensors, numbers), (expected, expected_numbers) in [(state_of(resumed), state_of(whole))]:
        assert numbers == expected_numbers
        assert tensors.keys() == expected.keys()
        assert all(torch.equal(tensors[name], expected[name]) for name in expected)


def test_a_run_on_two_threads_is_resumed_on_two_threads_bit_for_bit(tmp_path):
    """The order of additions depends on the number of threads, and on nothing else."""
    planned = plan_run(
        points(tmp_path),
        steps=8,
        seed=3,
        settings=["networks.generator.width=256", "networks.discriminator.width=256", "training.batch_size=512"],
    )
    torch.set_num_threads(2)
    whole = played(planned, tmp_path, until=8)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    played(planned, folder, until=3)
    resumed = build_trainer(planned.config, planned.data)
    assert load_checkpoint(folder, resumed) == (3, [])
    resumed.run()
    (tensors, numbers), (expected, expected_numbers) = state_of(resumed), state_of(whole)
    assert numbers == expected_numbers and resumed.step == 8
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)


def test_a_broken_checkpoint_is_named_and_the_one_before_it_is_used(tmp_path):
    planned = plan("points", tmp_path)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    trainer = played(planned, folder, until=5)
    continue_to(trainer, 9)
    newest = checkpoint_files(folder)[-1]
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    resumed = build_trainer(planned.config, planned.data)
    step, broken = load_checkpoint(folder, resumed)
    assert step < 9
    assert newest.name in broken[0] and "checksum" in broken[0]


@pytest.mark.parametrize("damage", ["no json", "empty json", "truncated tensors"])
def test_a_checkpoint_cut_short_is_passed_over(damage, tmp_path):
    planned = plan("points", tmp_path)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    played(planned, folder, until=5)
    path = checkpoint_files(folder)[-1]
    if damage == "no json":
        path.with_suffix(".json").unlink()
    elif damage == "empty json":
        path.with_suffix(".json").write_text("")
    else:
        path.write_bytes(path.read_bytes()[:100])
    for other in checkpoint_files(folder)[:-1]:
        other.unlink()
    with pytest.raises(RunFolderError, match="no whole checkpoint"):
        load_checkpoint(folder, build_trainer(planned.config, planned.data))


def test_a_checkpoint_of_other_networks_is_refused(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    played(plan("points", tmp_path), folder, until=2)
    other = plan_run(points(tmp_path), steps=STEPS, settings=["networks.generator.width=5", "training.batch_size=16"])
    with pytest.raises(RunFolderError, match="does not fit the networks"):
        load_checkpoint(folder, build_trainer(other.config, other.data))


def test_a_checkpoint_of_a_later_format_says_to_upgrade(tmp_path):
    planned = plan("points", tmp_path)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    played(planned, folder, until=2)
    path = checkpoint_files(folder)[-1].with_suffix(".json")
    path.write_text(json.dumps(sealed({**json.loads(path.read_text()), "format": 99})))
    with pytest.raises(RunFolderError, match="Upgrade"):
        load_checkpoint(folder, build_trainer(planned.config, planned.data))


@pytest.mark.parametrize("seed", range(12))
def test_a_byte_that_changes_anywhere_in_a_checkpoint_changes_nothing_that_is_used(seed, tmp_path):
    planned = plan("points", tmp_path)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    played(planned, folder, until=8)
    found = [read_checkpoint(folder, among=[path]) for path in checkpoint_files(folder)]
    expected = {content[1]["step"]: content for content in found}
    random = np.random.default_rng(seed)
    newest = checkpoint_files(folder)[-1]
    damaged = newest.with_suffix(".json") if seed % 2 else newest
    content = bytearray(damaged.read_bytes())
    content[random.integers(len(content))] ^= 1 << int(random.integers(8))
    damaged.write_bytes(content)
    tensors, numbers, broken = read_checkpoint(folder)
    # The flipped byte may be white space in the JSON: then the checkpoint is whole, and what it was.
    wanted, wanted_numbers, _ = expected[numbers["step"]]
    assert numbers["step"] == (7 if broken else 8)
    assert all(newest.name in text for text in broken)
    assert tensors.keys() == wanted.keys() and all(torch.equal(tensors[name], wanted[name]) for name in wanted)
    assert {**numbers, "checksum": None} == {**wanted_numbers, "checksum": None}


def test_where_a_run_was_stopped_does_not_change_which_planned_checkpoints_are_kept(tmp_path):
    for step in (0, 100, 150, 200, 250, 300, 350):
        path = tmp_path / f"step-{step:08d}.safetensors"
        path.touch()
        path.with_suffix(".json").touch()
        thin_out(tmp_path, 100, step=step)
    kept = [int(path.stem.split("-")[1]) for path in checkpoint_files(tmp_path)]
    assert kept == [100, 200, 300, 350]


def test_the_checkpoint_just_written_stays_whatever_else_lies_there(tmp_path):
    """Tensors without numbers are no checkpoint: they displace none, and go."""
    for step in (100, 200, 250, 300, 350, 400):
        path = tmp_path / f"step-{step:08d}.safetensors"
        path.touch()
        if step not in (300, 400):
            path.with_suffix(".json").touch()
    thin_out(tmp_path, 100, step=350)
    kept = [int(path.stem.split("-")[1]) for path in checkpoint_files(tmp_path)]
    assert kept == [100, 200, 350, 400]


def test_numbers_that_the_disk_has_no_room_for_leave_no_tensors_behind(tmp_path, monkeypatch):
    planned, folder = plan("points", tmp_path), tmp_path / "checkpoints"
    trainer = played(planned, folder, until=2)
    before = sorted(path.name for path in folder.iterdir())

    def full(path, content):
        raise StorageError(str(path), "No space left on device.")

    monkeypatch.setattr(checkpoints, "write_json", full)
    with pytest.raises(StorageError):
        continue_to(trainer, 3, [storing(folder)])
    assert sorted(path.name for path in folder.iterdir()) == before


def test_old_checkpoints_are_thinned_to_powers_of_two_and_the_latest_two(tmp_path):
    for count in range(1, 14):
        path = tmp_path / f"step-{count * 100:08d}.safetensors"
        path.touch()
        path.with_suffix(".json").touch()
        thin_out(tmp_path, 100, step=count * 100)
    kept = [int(path.stem.split("-")[1]) for path in checkpoint_files(tmp_path)]
    assert kept == [100, 200, 400, 800, 1200, 1300]
    assert len(list(tmp_path.glob("*.json"))) == len(kept)
