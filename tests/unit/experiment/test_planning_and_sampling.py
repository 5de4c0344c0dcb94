"""What a plan keeps of what was asked, what reading a file again sees, and what samples are called."""

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch

from equipoise.errors import ConfigError, OutOfMemory, PlayDiverged
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.loading import load
from equipoise.experiment.prepare import plan_run
from equipoise.experiment.resume import resume
from equipoise.experiment.train import fit, train_planned
from equipoise.objectives import find
from equipoise.runfolder import RunFolder
from equipoise.training.checkpoints import checkpoint_files, save_checkpoint
from equipoise.training.weighting import value_played

SMALL = ["training.batch_size=8", "networks.generator.width=4", "networks.discriminator.width=4"]
UNJUDGED = [*SMALL, "outputs.final_verdict=false"]

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture
def points(tmp_path):
    path = tmp_path / "points.csv"
    values = np.random.default_rng(0).normal(size=(80, 2))
    pd.DataFrame(values, columns=["height", "weight"]).to_csv(path, index=False)
    return path


def test_what_the_command_line_says_of_a_table_is_said_in_python_too(tmp_path):
    rng = np.random.default_rng(0)
    low = rng.integers(0, 9, 60)
    rows = pd.DataFrame({"low": low, "high": low + rng.integers(0, 9, 60), "who": np.arange(60) // 3})
    options = {"rules": ["low <= high"], "group": "who", "columns": {"high": "integer"}}
    gan = fit(rows, steps=1, settings=[*UNJUDGED, "networks.family=mlp"], outdir=tmp_path / "run", **options)
    data = gan.config.data
    assert (list(data.rules), data.group, dict(data.columns)) == (["low <= high"], "who", {"high": "integer"})
    (tmp_path / "kinds.yaml").write_text("high: category\n")
    plan = fit(rows, steps=1, settings=UNJUDGED[2:], outdir=tmp_path / "two", columns=tmp_path / "kinds.yaml")
    assert dict(plan.config.data.columns) == {"high": "category"}


@pytest.fixture
def labelled(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "labelled.csv"
    frame = pd.DataFrame(
        {
            "amount": rng.normal(size=120).round(2),
            "kind": rng.choice(["a", "b"], 120, p=[0.8, 0.2]),
            "grade": rng.integers(1, 4, 120),
            "paid": rng.choice([True, False], 120),
        }
    )
    frame.to_csv(path, index=False)
    return path


def test_outputs_asked_for_in_a_file_or_on_the_command_line_outlive_a_new_budget(points, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("outputs: {final_verdict: false, samples: 3}\n")
    outputs = plan_run(points, config_file=path, steps=100, settings=["outputs.checkpoint_every=7"]).config.outputs
    assert (outputs.final_verdict, outputs.samples, outputs.checkpoint_every) == (False, 3, 7)


def test_how_often_things_are_written_follows_the_steps_however_they_are_given(points):
    by_flag = plan_run(points, steps=100, settings=["outputs.samples=3"]).config.outputs
    by_setting = plan_run(points, settings=["training.steps=100", "outputs.samples=3"]).config.outputs
    assert by_flag == by_setting
    assert by_flag.checkpoint_every == 5


def test_a_file_that_was_rewritten_is_read_again(points):
    before = plan_run(points, steps=5).data
    frame = pd.read_csv(points)
    pd.concat([frame, frame + 100]).to_csv(points, index=False)
    after = plan_run(points, steps=5).data
    assert (len(before.raw), len(after.raw)) == (80, 160)


@pytest.mark.parametrize("section", ["runtime=cpu", "outputs=3", "data=x"])
def test_a_value_in_the_place_of_a_section_is_refused(points, section):
    with pytest.raises(ConfigError, match="is no section"):
        plan_run(points, steps=5, settings=[section])


@pytest.mark.parametrize("setting", ["networks.generator.width=wide", "networks.discriminator.depth=0"])
def test_options_that_make_no_network_are_refused_by_role(points, setting):
    planned = plan_run(points, steps=5, settings=[setting])
    with pytest.raises(ConfigError, match=r"networks\.(generator|discriminator)"):
        build_trainer(planned.config, planned.data)


@pytest.mark.parametrize("name", ["LBFGS", "SparseAdam"])
def test_an_optimiser_that_cannot_play_is_not_offered(points, name):
    planned = plan_run(
        points, steps=5, settings=[f"optimizers.generator.name={name}", "optimizers.generator.options={}"]
    )
    with pytest.raises(ConfigError, match="Available"):
        build_trainer(planned.config, planned.data)


def test_a_quoted_number_stays_text():
    from equipoise.experiment.config.overrides import read_settings

    assert read_settings(["data.sample_weight='1'", "x=1e-3", "y='1e-3'"]) == {
        "data": {"sample_weight": "1"},
        "x": 0.001,
        "y": "1e-3",
    }


def test_the_weight_of_consensus_play_can_be_set(points):
    planned = plan_run(
        points, steps=5, settings=[*SMALL, "training.update_rule=consensus", "training.consensus_weight=0.25"]
    )
    assert build_trainer(planned.config, planned.data).update_rule.consensus_weight == 0.25


def test_coordinates_keep_their_names(points, tmp_path):
    gan = train_planned(plan_run(points, steps=3, settings=[*UNJUDGED, "data.kind=points"]), tmp_path / "run")
    assert load(gan.folder).sample_raw(4, seed=0).names == ("height", "weight")


@pytest.mark.parametrize(("column", "asked"), [("kind", "b"), ("grade", "3"), ("paid", "True")])
def test_a_row_asked_for_a_class_says_that_class_in_the_columns_own_type(labelled, tmp_path, column, asked):
    settings = [*UNJUDGED, f"data.labels={column}", "data.kind=table"]
    gan = train_planned(plan_run(labelled, steps=3, settings=settings), tmp_path / "run")
    rows = gan.sample(50, seed=0, label=asked)
    assert {str(value) for value in rows[column]} == {asked}
    assert rows[column].dtype == gan.data.part("train").values[column].dtype


def test_weights_that_are_not_finite_are_never_stored(points, tmp_path):
    planned = plan_run(points, steps=5, settings=SMALL)
    trainer = build_trainer(planned.config, planned.data)
    with torch.no_grad():
        trainer.generator.parameters[0].fill_(float("nan"))
    with pytest.raises(PlayDiverged, match="generator"):
        save_checkpoint(tmp_path, trainer.state)
    assert checkpoint_files(tmp_path) == []


def test_a_run_continued_after_a_failure_loses_the_old_message(points, tmp_path):
    gan = train_planned(plan_run(points, steps=6, settings=UNJUDGED), tmp_path / "run")
    run = RunFolder(gan.folder)
    run.write_status(state="failed", message="No space left", flags=["old"])
    resume(gan.folder, steps=9)
    status = run.read_status()
    assert (status["state"], status["message"], status["flags"]) == ("finished", "", [])


@pytest.mark.parametrize(
    ("error", "raised", "said"),
    [(ZeroDivisionError("a bug"), ZeroDivisionError, "a bug"), (MemoryError(), OutOfMemory, "training.batch_size")],
)
def test_any_failure_leaves_the_state_failed(points, tmp_path, monkeypatch, error, raised, said):
    from equipoise.training import recorder

    def fail(*arguments):
        raise error

    monkeypatch.setattr(recorder, "save_checkpoint", fail)
    with pytest.raises(raised):
        train_planned(plan_run(points, steps=6, settings=UNJUDGED), tmp_path / "run")
    status = json.loads((tmp_path / "run" / "status.json").read_text())
    assert status["state"] == "failed" and said in status["message"]


def test_a_longer_run_draws_samples_on_the_way(points, tmp_path):
    gan = train_planned(plan_run(points, steps=12, settings=UNJUDGED), tmp_path / "run")
    resume(gan.folder, steps=60)
    drawn = RunFolder(gan.folder).sample_steps()
    assert max(later - earlier for earlier, later in pairwise(drawn)) <= 5
    assert drawn[-1] == 60


@pytest.mark.parametrize("budget", [{"steps": 50, "minutes": 1.0}, {"minutes": -1.0}])
def test_an_impossible_budget_is_refused_when_resuming_too(points, tmp_path, budget):
    gan = train_planned(plan_run(points, steps=3, settings=UNJUDGED), tmp_path / "run")
    with pytest.raises(ConfigError, match="--minutes"):
        resume(gan.folder, **budget)


def test_data_that_cannot_be_judged_are_no_failure_of_the_run_and_are_said_so(points, tmp_path, monkeypatch):
    from equipoise.errors import DataError
    from equipoise.experiment.generator import Gan

    def refuse(self):
        raise DataError("points.csv", "cannot be judged.", "Expected other data.", "Give other data.")

    monkeypatch.setattr(Gan, "judge", refuse)
    gan = fit(points, outdir=tmp_path / "run", steps=3, settings=SMALL)
    status = RunFolder(gan.folder).read_status()
    assert status["state"] == "finished"
    assert "cannot be judged" in status["message"]


def test_the_value_of_a_conditional_pairing_game_is_that_of_its_own_pairs():
    # One constant per class, as the game leaves them free: 10 for class 0 and -10 for class 1, and no difference
    # between real and generated. Value in training: log sigma(0) = -log 2. Pairs across classes would give about -5.3.
    constants = torch.tensor([10.0, -10.0]).repeat(50)
    value, error = value_played(find("relativistic")(), constants, constants, is_conditional=True)
    assert value == pytest.approx(-np.log(2), abs=1e-12)
    assert error == pytest.approx(0.0, abs=1e-12)
    across, _ = value_played(find("relativistic")(), constants, constants, is_conditional=False)
    assert across < -5


def test_runs_that_start_together_get_folders_of_their_own(points, tmp_path, monkeypatch):
    from equipoise.experiment.train import next_folder

    monkeypatch.chdir(tmp_path)
    config = plan_run(points, steps=3).config
    assert [next_folder(config).name for _ in range(3)] == ["points-1", "points-2", "points-3"]


def test_a_run_on_an_array_says_why_it_cannot_be_continued_or_judged_from_its_folder(tmp_path):
    from equipoise.errors import RunFolderError
    from equipoise.experiment.judge.run_folder import judge_run

    gan = fit(np.random.default_rng(0).normal(size=(60, 2)), outdir=tmp_path / "run", steps=3, settings=UNJUDGED)
    for again in (resume, judge_run):
        with pytest.raises(RunFolderError, match="given from Python"):
            again(gan.folder)


def test_missing_labels_are_no_class_of_their_own():
    from equipoise.data.labels import encode_labels
    from equipoise.errors import DataError

    for missing in (None, float("nan")):
        with pytest.raises(DataError, match="1 of 3 labels are missing"):
            encode_labels(np.array(["a", "a", missing], dtype=object), source="labels.npz")


def test_resume_tells_that_the_number_of_processes_has_changed_and_goes_on(points, tmp_path):
    run = RunFolder(train_planned(plan_run(points, steps=4, settings=UNJUDGED), tmp_path / "run").folder)
    metadata = run.read_json(run.metadata)
    run.write_json(
        run.metadata, {**metadata, "processes": 2, "environment": {**metadata["environment"], "processes": 2}}
    )
    said = []

    class Told:
        def __getattr__(self, name):
            return lambda *arguments: said.append(arguments[0]) if name == "message" else None

    assert resume(run.path, steps=6, progress=Told()).step == 6
    assert any(text.startswith("processes: 2 when the run began, 1 now; the samples are the same") for text in said)
