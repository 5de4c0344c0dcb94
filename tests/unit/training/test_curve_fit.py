"""Fitting tone and detail curves during training: when, from what, and without a trace in the game."""

import numpy as np
import pytest
import torch

import equipoise as eq
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.init_from import begin_with
from equipoise.experiment.prepare import plan_run
from equipoise.networks.detail import DetailCurves
from equipoise.networks.heads import curves_of
from equipoise.networks.tone import ToneCurves
from equipoise.training import CheckpointDue, EvaluationDue, Plan, SamplesDue
from equipoise.training.curve_fit import CurveFit

SMALL = [
    "networks={family: strided, latents: 4}",
    "networks.generator={channels: 4, widest: 4, patch: 1, blocks: 1, blur: false}",
    "networks.discriminator={channels: 4, widest: 4, patch: 1}",
    "training.batch_size=16",
    "runtime.threads=1",
]
TONE = "networks.generator.tone=true"
DETAIL = "networks.generator.detail=true"
TURNS = {f"head.rounds.{number}.curves" for number in range(4)} | {
    f"head.rounds.{number}.directions" for number in (1, 3)
}


@pytest.fixture
def pictures(tmp_path):
    """60 pictures of 8 x 10 pixels of any byte, whose first column is black, of three classes."""
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 10), dtype=np.uint8)
    images[:, :, 0] = 0
    np.savez(tmp_path / "pictures.npz", images=images, labels=np.repeat(["a", "b", "c"], 20))
    return tmp_path / "pictures.npz"


def trainer_of(pictures, *settings, steps=12, plan=None):
    planned = plan_run(str(pictures), steps=steps, seed=3, settings=[*SMALL, *settings])
    return build_trainer(planned.config, planned.data, plan=plan)


@pytest.mark.parametrize(
    ("curves", "added"),
    [
        ([TONE], {"head.tone.curves"}),
        (["networks.generator.tone=false", DETAIL], TURNS),
        ([TONE, DETAIL], {"head.tone.curves"} | TURNS),
    ],
    ids=["tone", "detail", "both"],
)
def test_the_game_is_the_same_with_curves_and_without(curves, added, pictures):
    states = []
    for settings in (curves, ["networks.generator.tone=false"]):
        trainer = trainer_of(pictures, *settings)
        trainer.run()
        states.append(trainer.generator.network.state_dict() | trainer.discriminator.network.state_dict())
    with_curves, without = states
    assert set(with_curves) - set(without) == added
    assert all(torch.equal(with_curves[name], tensor) for name, tensor in without.items())


def test_curves_are_fitted_before_each_grid_evaluation_and_checkpoint_and_for_nothing_else(pictures):
    plan = Plan(
        steps=9, sample_steps=frozenset({2}), evaluation_steps=frozenset({4}), checkpoint_every=6, measure_every=1
    )
    trainer = trainer_of(pictures, TONE, plan=plan)
    fitted, announced = [], []
    fit = trainer.before_samples

    def counted(state):
        fitted.append(state.step)
        fit(state)

    trainer.before_samples = counted

    def handler(event):
        if isinstance(event, (SamplesDue, EvaluationDue, CheckpointDue)):
            announced.append((event.step, curves_of(event.state.sampled_generator)[-1].curves.clone()))

    trainer.run([handler])
    assert fitted == [2, 4, 6, 9]
    assert [step for step, _ in announced] == [2, 4, 6, 9, 9]
    identity = torch.arange(256).to(torch.uint8)
    assert all(not torch.equal(curves, identity.expand_as(curves)) for _, curves in announced)
    # The game has none of it, in evaluation mode either: what measures it does so without curves.
    own = curves_of(trainer.generator.network)[-1].curves
    assert torch.equal(own, identity.expand_as(own))
    assert torch.equal(curves_of(trainer.state.sampled_generator)[-1].curves, announced[-1][1])


def test_a_run_that_is_stopped_between_checkpoints_has_curves_of_its_own_weights(pictures):
    trainer = trainer_of(pictures, TONE, plan=Plan(steps=9, checkpoint_every=100))
    fitted = []
    trainer.before_samples = lambda state: fitted.append(state.step)
    trainer.between_steps = lambda: setattr(trainer, "should_stop", trainer.step >= 5)
    trainer.run()
    assert fitted == [5]


def test_the_same_weights_give_the_same_curves_whatever_was_fitted_before(pictures):
    trainer = trainer_of(pictures, TONE)
    trainer.run()
    wanted = curves_of(trainer.state.sampled_generator)[-1].curves.clone()
    trainer.before_samples(trainer.state)
    assert torch.equal(curves_of(trainer.state.sampled_generator)[-1].curves, wanted)
    CurveFit()(trainer.state)
    assert torch.equal(curves_of(trainer.state.sampled_generator)[-1].curves, wanted)


@pytest.mark.parametrize("others", [[TONE], ["networks.generator.tone=false"]], ids=["before tone", "alone"])
def test_all_curves_are_fitted_in_turns_and_are_the_same_whatever_was_fitted_before(others, pictures):
    trainer = trainer_of(pictures, *others, DETAIL)
    trainer.run()
    found = curves_of(trainer.state.sampled_generator)
    assert [type(each) for each in found] == [ToneCurves, DetailCurves] * 2 + [ToneCurves] * (others == [TONE])
    wanted = [each.curves.clone() for each in found]
    own = curves_of(trainer.generator.network)
    for fitted, unchanged in zip(wanted, own, strict=True):
        # Neighbours of these pictures have nothing to do with each other, those of a generator after 12 steps do.
        assert not torch.equal(fitted, unchanged.curves)
        before = unchanged.curves.clone()
        unchanged.reset()
        assert torch.equal(unchanged.curves, before)
    for fit in (trainer.before_samples, CurveFit()):
        fit(trainer.state)
        assert all(torch.equal(each.curves, curves) for each, curves in zip(found, wanted, strict=True))


def test_tone_comes_behind_detail_and_is_fitted_to_what_that_leaves(pictures):
    trainer = trainer_of(pictures, TONE, DETAIL)
    trainer.run()
    sampled = trainer.state.sampled_generator
    with torch.no_grad():
        samples = sampled(torch.randn(200, 4, generator=torch.Generator().manual_seed(0)), torch.arange(200) % 3)
    # The first column is black in all pictures. No difference may bring light into it: tone has the last word.
    assert curves_of(sampled)[-1].curves[0, :, 0].max() < 255
    far = samples[..., 0].mean() - samples[..., 1].mean()
    assert far < -0.2


def test_curves_stay_while_the_average_goes_on_until_they_are_fitted_again(pictures):
    trainer = trainer_of(pictures, TONE, plan=Plan(steps=6, checkpoint_every=3))
    seen = []
    trainer.between_steps = lambda: seen.append(curves_of(trainer.state.sampled_generator)[-1].curves.clone())
    trainer.run()
    assert torch.equal(seen[2], seen[3])
    assert torch.equal(seen[2], seen[4])
    assert not torch.equal(seen[4], seen[5])


def test_fine_tuning_begins_with_the_curves_of_the_other_run_in_the_average_alone(pictures, tmp_path):
    settings = [*SMALL, "outputs.final_verdict=false", "outputs.samples=1", "evaluations.count=0"]
    first = eq.fit(str(pictures), steps=5, seed=3, outdir=tmp_path / "run", settings=[*settings, TONE])
    planned = plan_run(str(pictures), steps=4, seed=4, settings=[*SMALL, f"training.init_from={tmp_path / 'run'}"])
    trainer = build_trainer(planned.config, planned.data)
    begin_with(trainer, planned.config)
    assert torch.equal(curves_of(trainer.state.sampled_generator)[-1].curves, curves_of(first.generator)[-1].curves)
    own = curves_of(trainer.generator.network)[-1].curves
    assert torch.equal(own, torch.arange(256).to(torch.uint8).expand_as(own))


def test_a_generator_without_curves_has_nothing_to_fit(pictures):
    assert trainer_of(pictures, "networks.generator.tone=false").before_samples is None


def test_a_place_that_is_black_in_the_data_is_black_in_samples_exports_and_folders_to_give_away(pictures, tmp_path):
    settings = [*SMALL, "outputs.final_verdict=false", "outputs.samples=1", "evaluations.count=0"]
    gan = eq.fit(str(pictures), steps=40, seed=3, outdir=tmp_path / "run", settings=[*settings, TONE])
    curves = curves_of(gan.generator)[-1].curves
    assert curves[0, :, 0].max() < curves[0, :, 1].max() == 255
    samples = gan.sample(50, seed=1)
    without = eq.load(tmp_path / "run")
    curves_of(without.generator)[-1].reset()
    # 40 steps do not bring it to black; the curves take away up to their limit.
    moved = without.sample(50, seed=1)[:, :, 0].astype(int) - samples[:, :, 0]
    assert moved.min() >= 0
    assert moved.max() > 16
    assert np.array_equal(eq.load(tmp_path / "run").sample(50, seed=1), samples)
    gan.save_pretrained(tmp_path / "folder")
    assert np.array_equal(eq.from_pretrained(tmp_path / "folder").sample(50, seed=1), samples)


def test_a_mirrored_run_counts_its_pictures_as_the_players_see_them(pictures):
    """Mirrored, the black column is at both edges half of the time."""
    trainer = trainer_of(pictures, TONE, "data.mirror=true")
    trainer.before_samples(trainer.state)
    ((real, _),) = trainer.before_samples._real
    share = real[0, :, [0, 9], 0] / real[0, :, [0, 9]].sum(axis=-1)
    # Of 8,192 draws a share of 1/2, and a little more where a byte is 0 by chance: five standard errors are .028.
    assert share == pytest.approx(np.full((2, 8), 0.5), abs=0.04)
