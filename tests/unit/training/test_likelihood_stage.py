"""The stage before the game: a generator that knows its density is fitted by likelihood."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

import equipoise as eq
from equipoise.errors import ConfigError
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.config.tables_preset import tables_preset
from equipoise.experiment.judge.during_training import evaluation_steps
from equipoise.experiment.prepare import plan_run
from equipoise.spaces import PointSpace
from equipoise.training import EvaluationDue

SMALL = (
    "networks.generator={width: 8, context: 8}",
    "networks.discriminator.width=8",
    "training.batch_size=64",
    "runtime.threads=1",
)


def frame(rows=400):
    """Two columns that agree in nine rows of ten, and one that the first decides."""
    draws = np.random.default_rng(0)
    first = draws.integers(0, 2, rows)
    second = np.where(draws.random(rows) < 0.9, first, 1 - first)
    return pd.DataFrame({"a": np.array(["x", "y"])[first], "b": np.array(["u", "v"])[second], "c": 10 + 5 * first})


def planned(*settings, steps=100, data=None):
    return plan_run(frame() if data is None else data, steps=steps, seed=0, settings=[*SMALL, *settings])


def test_the_stage_brings_the_likelihood_to_the_entropy():
    plan = planned("warm_start={name: likelihood, share: 0.99, dropout: 0}", steps=200)
    trainer = build_trainer(plan.config, plan.data)
    for _ in range(trainer.stage_steps):
        trainer.train_step()
    rows = plan.data.encoded_train()[:]
    network = trainer.generator.average.network
    found = float(network.negative_log_likelihood(rows).mean())
    pairs = rows[:, :2].argmax(1) * 2 + rows[:, 2:4].argmax(1)
    shares = torch.bincount(pairs).double() / len(pairs)
    entropy = float(-(shares * shares.log()).sum())
    # The best model of these rows has their entropy; a mean over 320 rows of log(9) more or less moves by .04.
    assert entropy - 1e-4 < found < entropy + 0.04


def test_the_game_begins_at_the_best_weights_of_the_stage_with_its_schedules_at_their_start():
    plan = planned(
        "warm_start={name: likelihood, share: 0.5}",
        "optimizers.lr_schedule={shape: linear, final: 0.5, warmup_steps: 0}",
    )
    trainer = build_trainer(plan.config, plan.data)
    assert trainer.stage_steps == 50
    for _ in range(50):
        trainer.train_step()
    stage = trainer.likelihood
    assert not trainer.is_before_the_game
    step, value = stage.best
    assert 0 < step <= 50 and stage.value() == pytest.approx(value, abs=1e-6)
    for own, averaged in zip(
        trainer.generator.network.parameters(), trainer.generator.average.network.parameters(), strict=True
    ):
        assert torch.equal(own, averaged)
    before = [weight.detach().clone() for weight in trainer.discriminator.parameters]
    trainer.train_step()
    assert trainer.generator.learning_rate == pytest.approx(plan.config.optimizers.generator.learning_rate)
    assert any(not torch.equal(a, b) for a, b in zip(before, trainer.discriminator.parameters, strict=True))


def test_the_discriminator_waits_for_the_game():
    plan = planned()
    trainer = build_trainer(plan.config, plan.data)
    before = [weight.detach().clone() for weight in trainer.discriminator.parameters]
    trainer.train_step()
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.discriminator.parameters, strict=True))


def test_a_generator_without_a_known_density_is_refused_the_stage():
    with pytest.raises(ConfigError, match="density"):
        plan = planned("networks={family: mlp, latents: 4, generator: {}, discriminator: {}}", "warm_start=likelihood")
        build_trainer(plan.config, plan.data)


def test_an_evaluation_stands_at_the_end_of_the_stage():
    config = planned("warm_start={name: likelihood, share: 0.77}").config
    assert config.stage_steps == 77
    assert evaluation_steps(config, 5) == [20, 40, 60, 77, 100]
    without = config.model_copy(update={"warm_start": None})
    assert evaluation_steps(without, 5) == [20, 40, 60, 80, 100]


def test_rows_of_the_record_say_which_stage_they_are_of():
    plan = planned("warm_start={name: likelihood, share: 0.5}", "outputs.measure_every=25", steps=100)
    trainer = build_trainer(plan.config, plan.data)
    rows = []
    trainer.run([lambda event: rows.append(event.row) if hasattr(event, "row") else None])
    assert [row.get("stage") for row in rows] == ["likelihood"] * 3 + [None] * 2
    assert [row["value"] is None for row in rows] == [True] * 3 + [False] * 2
    assert all(math.isfinite(row["negative_log_likelihood"]) for row in rows[:3])


def test_what_a_column_decides_is_left_to_the_data_where_they_look_it_up():
    plan = planned()
    assert plan.config.networks.generator["dependences"] == {} and "c" not in plan.data.encoder.space.columns


def test_what_a_column_decides_is_found_stored_and_looked_up_by_the_generator():
    plan = planned("data.dependences=false")
    assert plan.config.networks.generator["dependences"] == {"c": "a"}
    trainer = build_trainer(plan.config, plan.data)
    drawn = trainer.generator.network(torch.randn(200, trainer.generator.network.latent_dimensions)).detach()
    made = plan.data.encoder.decode(drawn)
    assert ((made["c"] == 15) == (made["a"] == "y")).all()


def test_a_person_may_say_that_nothing_is_looked_up():
    plan = planned("networks.generator.dependences={}")
    assert plan.config.networks.generator["dependences"] == {}


def test_a_stage_asked_for_by_name_has_its_options_written_out():
    plan = planned("warm_start=likelihood")
    assert plan.config.to_dict()["warm_start"]["share"] > 0
    assert planned("warm_start=null").config.warm_start is None


def test_evaluations_see_the_weights_of_the_stage():
    plan = planned("warm_start={name: likelihood, share: 0.5}")
    trainer = build_trainer(plan.config, plan.data)
    seen = []

    def handler(event):
        if isinstance(event, EvaluationDue):
            seen.append((event.step, event.state.sampled_generator))

    trainer.plan = type(trainer.plan)(**{**trainer.plan.__dict__, "evaluation_steps": frozenset({50})})
    trainer.run([handler])
    assert seen == [(50, trainer.generator.average.network)]


def test_the_stage_of_a_long_run_ends_after_its_passes_over_the_rows_and_the_game_has_the_rest():
    plan = planned("warm_start={name: likelihood, passes: 200}", steps=5_000)
    rows, a_step = len(plan.data.split.train), 2 * 64
    assert plan.config.stage_steps == round(200 * rows / a_step)
    assert planned("warm_start={name: likelihood, passes: 1}", steps=5_000).config.stage_steps == 300
    assert planned("warm_start={name: likelihood, steps: 7}", steps=5_000).config.stage_steps == 7


def test_of_few_rows_the_preset_drops_more_units():
    few, many = (tables_preset(PointSpace(2), "cpu", rows)["warm_start"] for rows in (1_999, 2_000))
    assert few["dropout"] > many["dropout"]


@pytest.mark.parametrize(("rows", "steps"), [(208, 500), (3_200, 938), (9_600, 2_812), (16_000, 3_000)])
def test_a_small_table_has_fewer_steps_where_nobody_says_how_many(rows, steps):
    assert tables_preset(PointSpace(2), "cpu", rows)["training"]["steps"] == steps


def test_the_game_of_the_preset_has_a_tenth_of_a_run_of_any_length_and_of_few_rows():
    for steps in (2_000, 50_000):
        assert plan_run(frame(), steps=steps, device="cpu").config.stage_steps == 0.9 * steps


def test_the_preset_of_the_game_alone_has_no_stage_and_smooth_densities_of_numbers():
    made = plan_run(frame(), device="cpu", preset_wanted="table-game").config
    assert (made.warm_start, made.training.steps) == (None, 11_000)
    assert made.networks.generator["output_knots"] == 3
    assert made.networks.discriminator["crosses"] is True
    with_stage = plan_run(frame(), device="cpu").config
    assert with_stage.networks.generator.get("output_knots", 0) == 0


def test_the_game_alone_trains_from_the_columns_own_frequencies_and_is_loaded_again(tmp_path):
    few = ["outputs.final_verdict=false", "evaluations.count=0", *SMALL[1:]]
    gan = eq.fit(frame(), steps=20, device="cpu", preset="table-game", outdir=tmp_path / "run", settings=few)
    rows = gan.sample(50, seed=1)
    assert rows.equals(eq.load(tmp_path / "run").sample(50, seed=1))
    assert ((rows["a"] == "x") == (rows["c"] == 10)).all()
