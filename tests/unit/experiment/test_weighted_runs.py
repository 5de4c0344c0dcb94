"""Sample weights and class balancing, from the column a person names to the densities that V is given under."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml

from equipoise.cli.main import main
from equipoise.data import DataOptions, load, prepare
from equipoise.errors import ConfigError, DataError
from equipoise.experiment.build.trainer import build_trainer, draw_weights
from equipoise.experiment.prepare import plan_run
from equipoise.experiment.train import train_planned
from equipoise.reports import write_report
from equipoise.runfolder import open_run_folder

SMALL = [
    "training.batch_size=8",
    "networks.generator.width=8",
    "networks.discriminator.width=8",
    "networks.latents=2",
    "outputs.final_verdict=false",
    "outputs.samples=1",
    "runtime.threads=1",
]


def frame(weights=None):
    rng = np.random.default_rng(0)
    content = {"a": rng.normal(size=200), "b": rng.normal(size=200)}
    content["kind"] = np.where(np.arange(200) < 180, "common", "rare")
    content["w"] = np.arange(200) % 4 if weights is None else weights
    return pd.DataFrame(content)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    frame().to_csv(path, index=False)
    return path


def planned(source, *settings):
    return plan_run(source, steps=6, settings=[*SMALL, *settings])


def test_the_weight_column_leaves_the_data_and_follows_the_rows_into_the_parts(table):
    raw = load(table, options=DataOptions(sample_weight="w"))
    assert list(raw.values.columns) == ["a", "b", "kind"]
    assert np.array_equal(raw.weights, np.arange(200) % 4)
    data = prepare(raw, seed=0)
    assert np.array_equal(data.train_weights(), (np.arange(200) % 4)[data.split.train])
    assert data.describe()["sample_weights"]["zero"] == 50
    assert data.fingerprint != prepare(load(table, options=DataOptions(drop=("w",))), seed=0).fingerprint


def test_whole_numbers_as_weights_do_not_turn_points_into_a_table(tmp_path):
    path = tmp_path / "points.csv"
    frame().drop(columns="kind").to_csv(path, index=False)
    raw = load(path, options=DataOptions(sample_weight="w", kind="points"))
    assert raw.kind == "points" and raw.names == ("a", "b") and raw.weights is not None


def test_an_array_of_an_npz_file_can_hold_the_weights(tmp_path):
    path = tmp_path / "points.npz"
    np.savez(path, points=np.random.default_rng(0).normal(size=(50, 2)), w=np.ones(50), y=np.arange(50) % 2)
    raw = load(path, options=DataOptions(sample_weight="w"))
    assert raw.weights.tolist() == [1.0] * 50 and raw.label_names == ("0", "1")


@pytest.mark.parametrize(
    ("weights", "found"),
    [
        (np.where(np.arange(200) == 7, -1.0, 1.0), "row 7 is negative"),
        (np.zeros(200), "all are zero"),
        (np.where(np.arange(200) == 5, np.nan, 1.0), "row 5 is missing"),
        (np.array(["much"] * 200), "they are no numbers"),
    ],
    ids=["negative", "zero", "missing", "text"],
)
def test_weights_that_are_none_are_refused_by_name(weights, found):
    with pytest.raises(DataError, match=found) as caught:
        load(frame(weights), options=DataOptions(sample_weight="w"))
    assert "'w'" in caught.value.where and caught.value.expected


@pytest.mark.parametrize("name", ["ww", "x9"])
def test_a_weight_column_that_is_not_there_is_named(table, name, tmp_path):
    with pytest.raises(DataError, match=f"no column '{name}'"):
        load(table, options=DataOptions(sample_weight=name))
    np.save(tmp_path / "points.npy", np.random.default_rng(0).normal(size=(50, 2)))
    with pytest.raises(DataError, match=f"no column or array '{name}'"):
        load(tmp_path / "points.npy", options=DataOptions(sample_weight=name))


def test_classes_are_balanced_and_rows_within_a_class_keep_their_weights(table):
    plan = planned(table, "data.labels=kind", "data.balance=classes", "data.sample_weight=w")
    weights = draw_weights(plan.config, plan.data)
    labels = plan.data.train_labels().numpy()
    totals = [weights[labels == c].sum() for c in (0, 1)]
    assert totals[0] == pytest.approx(totals[1])
    own = plan.data.train_weights()
    common = labels == 0
    assert weights[common] / weights[common].sum() == pytest.approx(own[common] / own[common].sum())


def test_balanced_batches_ask_the_generator_for_every_class_equally_often(table):
    plan = planned(table, "data.labels=kind", "data.balance=classes")
    batches = build_trainer(plan.config, plan.data).batches
    labels = np.concatenate([batches.batch(draw).labels.numpy() for draw in range(200)])
    # 1,600 draws of a share of 1/2: five standard errors are 5 * 0.5 / 40 = 0.063.
    assert labels.mean() == pytest.approx(0.5, abs=0.063)
    assert plan.data.class_shares[1] < 0.2


def test_classes_of_unlabelled_data_cannot_be_balanced(table):
    with pytest.raises(ConfigError, match="no class labels to balance"):
        planned(table, "data.balance=classes")


@pytest.mark.parametrize("objective", ["relativistic", "nonsaturating", "relativistic_average"])
def test_a_weighted_run_says_under_which_density_each_value_is_given(table, tmp_path, objective):
    plan = planned(table, "data.sample_weight=w", f"objective={objective}")
    gan = train_planned(plan, tmp_path / "run")
    run = open_run_folder(gan.folder)
    row = run.read_metrics()[-1]
    assert np.isfinite(row["value_under_data"]) and row["value_under_data"] != row["value"]
    assert row["value_under_data_standard_error"] > 0
    metadata = run.read_json(run.metadata)["sampling"]
    assert "weighted density" in metadata["value"] and "Rows of weight 0" in metadata["value_under_data"]
    page = write_report(gan.folder).read_text()
    assert "V is given under the weighted density that training draws from." in page
    assert gan.sample(3, seed=0).columns.tolist() == ["a", "b", "kind"]


def test_a_balanced_conditional_run_weighs_both_sides_back_and_samples_with_the_datas_shares(table, tmp_path):
    plan = planned(table, "data.labels=kind", "data.balance=classes")
    assert plan.config.networks.conditional
    gan = train_planned(plan, tmp_path / "run")
    row = open_run_folder(gan.folder).read_metrics()[-1]
    assert row["value_under_data_standard_error"] > 0
    labels = gan.sample_raw(2000, seed=0).labels
    # Five standard errors of the rare class's share, about 0.1, among 2,000: 0.034.
    assert labels.mean() == pytest.approx(plan.data.class_shares[1], abs=0.034)


def test_an_evenly_drawn_run_says_nothing_of_densities(table, tmp_path):
    gan = train_planned(planned(table), tmp_path / "run")
    run = open_run_folder(gan.folder)
    assert "value_under_data" not in run.read_metrics()[-1]
    assert run.read_json(run.metadata)["sampling"] is None


def test_both_options_of_the_command_line_reach_the_configuration(table, tmp_path, capsys):
    settings = [word for setting in SMALL for word in ("--set", setting)]
    options = ["--sample-weight", "w", "--balance", "classes", "--set", "data.labels=kind"]
    with pytest.raises(SystemExit) as stopped:
        main(["train", str(table), "--steps", "2", "--dry-run", *options, *settings])
    assert not stopped.value.code
    shown = yaml.safe_load(capsys.readouterr().out)
    assert (shown["data"]["sample_weight"], shown["data"]["balance"]) == ("w", "classes")


@pytest.mark.parametrize("settings", [[], ["objective=wasserstein", "penalties=[{name: wgan_gp}]"]])
def test_a_batch_of_one_works_from_data_to_report(table, tmp_path, settings):
    gan = train_planned(planned(table, "data.sample_weight=w", "training.batch_size=1", *settings), tmp_path / "run")
    row = open_run_folder(gan.folder).read_metrics()[-1]
    assert row["value_standard_error"] is None and np.isfinite(row["value"])
    assert row["saturation"]["input_gradient_norm"] >= 0
    json.dumps(row, allow_nan=False)
    assert write_report(gan.folder).is_file()
