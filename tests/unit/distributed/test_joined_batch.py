"""Any number of processes trains as one process does with the whole batch. Threads stand in for them."""

import dataclasses
import threading

import numpy as np
import pandas as pd
import pytest
import torch
from threads import in_threads

import equipoise.penalties as penalties
from equipoise import augmentation
from equipoise.distributed import SINGLE_PROCESS
from equipoise.errors import ConfigError, PlayDiverged
from equipoise.experiment.build.trainer import build_trainer, plan_of
from equipoise.experiment.many_processes import agreed_plan, refuse_unshareable
from equipoise.experiment.prepare import plan_run
from equipoise.game.step import discriminator_loss
from equipoise.penalties.base import ForwardPass
from equipoise.runfolder import create_run_folder
from equipoise.training import CheckpointDue, Measured, Stop
from equipoise.training.checkpoints import load_checkpoint, save_checkpoint
from equipoise.training.rollback import Recovery

STEPS = 12
# Gradients that are 0 in exact arithmetic, like that of the last bias in a relativistic game, are rounding errors here,
# of another order of summation: 1e-17. Adam divides them by eps, 1e-8, and moves the weight by 3e-3 of the quotient in
# each of 12 steps, 4e-11 in all. Everything else agrees to 1e-15.
TOLERANCE = 1e-10
MIXTURE = ("networks.family=mixture_prior", "networks.latents=2", "networks.generator.components=5")
GAMES = {
    "the default": (),
    "importance weights": MIXTURE,
    "importance weights, relativistic average, lecam": (
        *MIXTURE,
        "objective=relativistic_average",
        "penalties=[lecam, wgan_gp, consistency]",
    ),
    "importance weights, consensus, matrices": (
        *MIXTURE,
        "networks.generator.covariance=full",
        "training.update_rule=consensus",
    ),
    "wgan_gp, n_critic 2": ("objective=wasserstein", "penalties=[wgan_gp]", "training.n_critic=2"),
    "relativistic average": ("objective=relativistic_average",),
    "lecam, which remembers mean logits": ("objective=hinge", "penalties=[lecam, r1]"),
    "penalties that draw": (
        "objective=minimax",
        "penalties=[dragan, {name: r1, options: {form: finite_difference}}, consistency]",
    ),
    "instance noise, clipped gradients": (
        "augmentation.instance_noise={level: 0.3, final: 0.1, decay_fraction: 0.5}",
        "optimizers.discriminator.clip_norm=0.05",
    ),
    "extragradient": ("training.update_rule=extragradient",),
    "optimistic": ("training.update_rule=optimistic",),
    "consensus": ("training.update_rule=consensus",),
    "alternating consensus, relativistic average": (
        "training.update_rule=alternating_consensus",
        "objective=relativistic_average",
    ),
    "spectral normalisation": ("objective=wasserstein", "penalties=[]", "networks.discriminator.spectral=true"),
}


@pytest.fixture(autouse=True)
def in_float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(203, 2)))
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "table.csv"
    frame = pd.DataFrame({"amount": rng.normal(size=300), "colour": rng.choice(["red", "green", "blue"], 300)})
    frame.assign(weight=frame["amount"] ** 2).to_csv(path, index=False)
    return path


def plan(data, *settings, steps=STEPS):
    small = [
        f"networks.{role}.{option}" for role in ("generator", "discriminator") for option in ("width=8", "depth=2")
    ]
    return plan_run(
        data,
        steps=steps,
        seed=3,
        settings=[*small, "networks.latents=4", "training.batch_size=16", "runtime.threads=1", *settings],
    )


ONE_AT_A_TIME = threading.Lock()


def built(planned, group=SINGLE_PROCESS, plan=None):
    with ONE_AT_A_TIME:  # weights are drawn from torch's global stream, which threads share and processes do not
        trainer = build_trainer(planned.config, planned.data, plan=plan, group=group)
    to_float = trainer.batches.to_float
    trainer.batches.to_float = lambda batch: to_float(batch).double()
    return trainer


def weights(trainer):
    return torch.cat([p.detach().flatten() for q in (trainer.discriminator, trainer.generator) for p in q.parameters])


def played(planned, group, *, rows=None):
    trainer = built(planned, group)
    if rows is not None and group.is_main:
        trainer.handlers = [lambda event: rows.append(event.row) if isinstance(event, Measured) else None]
    trainer.run()
    return weights(trainer)


def close(found, expected):
    return torch.allclose(found, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("game", GAMES)
def test_many_processes_give_the_weights_of_one_process_with_the_whole_batch(game, points):
    planned = plan(points, *GAMES[game])
    alone = played(planned, SINGLE_PROCESS)
    for count in (2, 4):
        found = in_threads(count, lambda group: played(planned, group))
        assert all(torch.equal(other, found[0]) for other in found), "the processes differ"
        assert close(found[0], alone)


@pytest.mark.parametrize(
    "settings",
    [
        ("data.labels=colour", "networks.family=mlp"),
        ("data.labels=colour", "data.sample_weight=weight", "networks.family=mlp"),
        ("data.labels=colour", "data.sample_weight=weight", *MIXTURE),
    ],
)
def test_classes_and_weights_are_those_of_the_joined_batch_and_so_are_the_measured_rows(settings, table):
    planned = plan(table, *settings, "outputs.measure_every=4", "augmentation.instance_noise.level=0.1")
    rows, joined_rows = [], []
    alone = played(planned, SINGLE_PROCESS, rows=rows)
    found = in_threads(2, lambda group: played(planned, group, rows=joined_rows))
    assert close(found[1], alone)
    assert len(rows) == len(joined_rows) == 4
    assert {"saturation"} <= rows[-1].keys()
    for row, joined_row in zip(rows, joined_rows, strict=True):
        flat, joined_flat = (
            pd.json_normalize(either).drop(columns=["seconds", "steps_per_second"]) for either in (row, joined_row)
        )
        numbers = flat.select_dtypes("number").columns
        assert list(flat.columns) == list(joined_flat.columns) and len(numbers) > 15
        np.testing.assert_allclose(joined_flat[numbers].to_numpy(float), flat[numbers].to_numpy(float), rtol=1e-6)


def test_a_likelihood_stage_and_the_game_after_it_are_those_of_the_joined_batch(table):
    planned = plan_run(
        table,
        steps=STEPS,
        seed=3,
        settings=[
            "networks.generator={width: 8, context: 8}",
            "networks.discriminator={width: 8, depth: 2}",
            "training.batch_size=16",
            "runtime.threads=1",
            "warm_start={name: likelihood, steps: 5}",
        ],
    )
    found = in_threads(2, lambda group: played(planned, group))
    assert close(found[1], played(planned, SINGLE_PROCESS))


def test_the_report_of_a_step_is_about_the_joined_batch(points):
    planned = plan(points, "penalties=[r1, wgan_gp]")
    alone = built(planned).train_step(measure=True)
    for report in in_threads(2, lambda group: built(planned, group).train_step(measure=True)):
        assert torch.equal(report.real_logits, alone.real_logits)
        torch.testing.assert_close(report.discriminator_loss, alone.discriminator_loss)
        torch.testing.assert_close(report.generator_loss, alone.generator_loss)
        torch.testing.assert_close(dict(report.penalties), dict(alone.penalties))
        torch.testing.assert_close(dict(report.gradient_norms), dict(alone.gradient_norms))


@pytest.mark.parametrize(
    ("objective", "messages"), [("relativistic", 2), ("wasserstein", 2), ("relativistic_average", 4)]
)
def test_logits_travel_only_where_the_loss_of_a_sample_depends_on_all_of_them(objective, messages, points):
    """Elsewhere a step sends the gradients of both players, and nothing else."""
    planned = plan(points, f"objective={objective}", "penalties=[r1]")

    def sent(group):
        trainer = built(planned, group)
        before = group.messages
        trainer.train_step()
        return group.messages - before

    assert in_threads(2, sent) == [messages] * 2


def test_logits_out_of_range_in_one_process_end_play_in_all(points):
    planned = plan(points)

    def ends(group):
        trainer = built(planned, group)
        report = trainer.train_step()
        largest = 1e31 if group.rank == 1 else 1.0
        report = dataclasses.replace(report, real_logits=torch.full_like(report.real_logits, largest))
        with pytest.raises(PlayDiverged, match="largest logit is 1e"):
            trainer.guard.check(1, report)

    in_threads(2, ends)


@pytest.mark.parametrize("objective", ["relativistic", "relativistic_average"])
def test_the_losses_of_the_processes_differ_and_their_gradients_add_up(objective, points):
    """What each computes is no estimate of the gradient: only the sum is, and it is exact."""
    planned = plan(points, f"objective={objective}")

    def gradients(group):
        trainer = built(planned, group)
        _, loss, _ = discriminator_loss(
            trainer.discriminator,
            trainer.generator,
            objective=trainer.objective,
            batch=trainer.batches.at(0)[0],
            penalties=trainer.penalties,
            group=group,
        )
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, trainer.discriminator.parameters)])

    alone = gradients(SINGLE_PROCESS)
    parts = in_threads(4, gradients)
    assert not torch.allclose(4 * parts[0], alone, rtol=0.01)
    torch.testing.assert_close(sum(parts), alone, rtol=1e-12, atol=1e-14)


def test_resuming_with_another_number_of_processes_continues_the_same_game(points, tmp_path):
    planned = plan(points, "objective=hinge", "penalties=[lecam, wgan_gp]")
    whole = played(planned, SINGLE_PROCESS)

    def first_part(group):
        trainer = built(planned, group)
        for _ in range(5):
            trainer.train_step()
        if group.is_main:
            save_checkpoint(tmp_path, trainer.state)

    def rest(group):
        trainer = built(planned, group)
        load_checkpoint(tmp_path, trainer)
        trainer.run()
        return weights(trainer)

    in_threads(2, first_part)
    for count in (4, 1):
        found = in_threads(count, rest) if count > 1 else [rest(SINGLE_PROCESS)]
        assert close(found[0], whole)


@pytest.mark.parametrize("name", penalties.available())
def test_every_penalty_draws_for_the_whole_batch(name):
    """So that which entry a process gets, and how many processes there are, does not matter."""
    network = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1), torch.nn.Flatten(0))
    real, fake = torch.randn(8, 3), torch.randn(8, 3)
    penalty = penalties.find(name)()

    def per_sample(group):
        forward = ForwardPass(
            network,
            group.shard_rows(real),
            group.shard_rows(fake),
            differentiate=penalty.differentiates,
            randomness=torch.Generator().manual_seed(7),
            group=group,
        )
        return penalty.per_sample(forward).detach()

    assert penalty.draws_whole_batch or not penalty.draws
    alone = per_sample(SINGLE_PROCESS)
    for rank, found in enumerate(in_threads(4, per_sample)):
        torch.testing.assert_close(found, alone[rank::4])


@pytest.mark.parametrize("name", augmentation.available())
def test_an_augmentation_draws_for_the_whole_batch(name):
    images = torch.rand(8, 1, 9, 9)

    def augmented(group):
        step = augmentation.StepAugmentation(augmentation.find(name)(), seed=5, step=0, total=10, group=group)
        return step(group.shard_rows(images), "real")

    alone = augmented(SINGLE_PROCESS)
    for rank, found in enumerate(in_threads(2, augmented)):
        assert torch.equal(found, alone[rank::2])


def test_one_process_is_sent_no_message_and_given_its_own_tensors():
    logits = torch.randn(4, requires_grad=True)
    assert SINGLE_PROCESS.all_gather(logits)[0] is logits
    assert SINGLE_PROCESS.shard_rows(logits) is logits
    assert SINGLE_PROCESS.shard_of_mean(logits) is logits
    assert SINGLE_PROCESS.all_reduce([], [logits])[0] is logits
    assert SINGLE_PROCESS.broadcast_object("yes") == "yes" and SINGLE_PROCESS.all_gather_object(3) == [3]
    assert not SINGLE_PROCESS.any_stop_requested()


@pytest.mark.parametrize("asked", [0, 1])
def test_all_end_after_the_same_step_whichever_is_asked(asked, points):
    planned = plan(points, "outputs.measure_every=100", "outputs.checkpoint_every=100", steps=60)

    def steps(group):
        trainer = built(planned, group, plan=dataclasses.replace(plan_of(planned.config), sample_steps=frozenset()))
        play = trainer.train_step

        def asking(*, measure=False):
            if group.rank == asked and trainer.step == 7:
                trainer.should_stop = True  # as a signal does, in the middle of a step
            return play(measure=measure)

        trainer.train_step = asking
        trainer.run()
        return trainer.step

    assert in_threads(2, steps) == [9, 9]  # the word travels with the gradients of the next step


def test_what_a_handler_of_the_first_process_decides_holds_at_once(points):
    planned = plan(points, "outputs.measure_every=5", "outputs.checkpoint_every=100", steps=60)

    def steps(group):
        trainer = built(planned, group)

        def stop(event):
            if isinstance(event, Measured) and event.step == 10:
                return Stop()
            return None

        trainer.run([stop] if group.is_main else [])
        return trainer.step

    assert in_threads(2, steps) == [10, 10]


def test_processes_with_different_weights_are_refused_by_number(points):
    planned = plan(points)

    def train(group):
        trainer = built(planned, group)
        if group.rank == 1:
            with torch.no_grad():
                trainer.generator.parameters[0][0] += 1e-12
        trainer.run()

    with pytest.raises(ConfigError, match="weights at the start of training: process 1 of 2 differs"):
        in_threads(2, train)


def test_a_plan_made_by_the_first_process_is_everybodys(points):
    planned = plan(points)

    def plans(group):
        own = plan_of(planned.config)
        if group.is_main:
            own = dataclasses.replace(own, steps=99, schedule_steps=12, evaluation_steps=frozenset({4, 90}))
        return agreed_plan(group, own)

    found = in_threads(2, plans)
    assert found[0] == found[1] and found[1].evaluation_steps == {4, 90}


def test_training_that_is_no_longer_finite_ends_in_all_processes(points):
    planned = plan(points, "outputs.measure_every=1")

    def train(group):
        trainer = built(planned, group)
        if group.rank == 1:
            trainer.batches.real = trainer.batches.real * torch.nan
        with pytest.raises(PlayDiverged):
            trainer.run()
        return True

    assert in_threads(2, train) == [True, True]


def test_all_processes_go_back_to_the_same_checkpoint(points, tmp_path):
    planned = plan(points, "outputs.measure_every=1", "outputs.checkpoint_every=4", steps=20)
    run = create_run_folder(tmp_path / "run")

    def train(group):
        trainer = built(planned, group)
        handlers = (
            [lambda event: save_checkpoint(run.checkpoints, event.state) if isinstance(event, CheckpointDue) else None]
            if group.is_main
            else []
        )
        batches_at = trainer.batches.at
        contaminated = [] if group.rank == 1 else [10]

        def broken_once(step, *, joined=False):
            batches = batches_at(step, joined=joined)
            if step == 10 and not joined and not contaminated:
                contaminated.append(step)
                return [dataclasses.replace(batch, real=batch.real * torch.nan) for batch in batches]
            return batches

        trainer.batches.at = broken_once
        Recovery(run, most=1, learning_rate_factor=0.5, handlers=handlers).train(trainer)
        return trainer.step, trainer.lr_backoff, [record["to_step"] for record in trainer.rollbacks], weights(trainer)

    first, second = in_threads(2, train)
    assert first[:3] == second[:3] == (20, 0.5, [8])
    assert torch.equal(first[3], second[3])


class Many:
    """A group of so many processes."""

    def __init__(self, processes):
        self.world_size = processes
        self.is_single_process = processes == 1


@pytest.mark.parametrize(
    ("processes", "settings", "words"),
    [
        (3, {}, "16 samples cannot be divided among 3 processes.*Set training.batch_size=15 or 18"),
        (32, {}, "32 processes.*Set training.batch_size=32"),
        (16, {"rows": 15}, "16 processes for 15 training samples"),
        (2, {"networks": [("generator", torch.nn.Sequential(torch.nn.BatchNorm1d(3)))]}, "batch normalisation"),
        (2, {"networks": [("discriminator", torch.nn.Sequential(torch.nn.Dropout(0.1)))]}, "dropout"),
        (
            2,
            {"penalties": [dataclasses.replace(penalties.find("wgan_gp")(), name="own", draws_whole_batch=False)]},
            "'own' draws numbers for each process by itself",
        ),
    ],
)
def test_what_many_processes_cannot_train_exactly_is_refused(processes, settings, words):
    game = {"batch_size": 16, "rows": 200, "networks": [], "penalties": [], **settings}
    with pytest.raises(ConfigError, match="(?s)" + words):
        refuse_unshareable(Many(processes), **game)
    refuse_unshareable(Many(1), **game)


def test_checkpoints_are_announced_in_every_process_and_hold_the_same(points, tmp_path):
    planned = plan(points)

    def stored(group):
        trainer = built(planned, group)
        folder = tmp_path / str(group.rank)
        folder.mkdir()
        trainer.run([lambda event: save_checkpoint(folder, event.state) if isinstance(event, CheckpointDue) else None])
        return sorted(folder.glob("*.safetensors"))[-1].read_bytes()

    first, second = in_threads(2, stored)
    assert first == second
