"""`train`, `resume` and `sample`, from the words that are typed to the files that are left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from equipoise.cli.main import main
from equipoise.data import write_samples
from equipoise.experiment import forecast

SETTINGS = ("training.batch_size=16", "outputs.final_verdict=false", "outputs.samples=1", "runtime.threads=1")
SMALL = tuple(word for setting in SETTINGS for word in ("--set", setting))


def command(*arguments: object) -> int:
    """Run one command for a fixture, in this process; its exit code."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return int(stopped.value.code or 0)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory) -> Path:
    """A folder with a data set of each kind."""
    folder = tmp_path_factory.mktemp("shelf")
    numbers = np.random.default_rng(3)
    np.save(folder / "points.npy", numbers.normal(size=(300, 2)))
    pd.DataFrame(
        {"size": numbers.normal(size=300), "count": numbers.integers(0, 5, 300), "cut": ["fair", "good", "ideal"] * 100}
    ).to_csv(folder / "table.csv", index=False)
    pictures = numbers.integers(0, 256, (120, 1, 8, 8), dtype=np.uint8)
    labels = np.arange(120) % 2
    write_samples(pictures, folder / "pictures", labels=labels, label_names=("cats", "dogs"))
    return folder


@pytest.fixture(scope="module")
def points_run(shelf) -> Path:
    run = shelf / "runs" / "points"
    assert command("train", shelf / "points.npy", "--steps", 12, "--outdir", run, "--quiet", *SMALL) == 0
    return run


@pytest.fixture(scope="module")
def table_run(shelf) -> Path:
    run = shelf / "runs" / "table"
    assert command("train", shelf / "table.csv", "--steps", 4, "--outdir", run, "--quiet", *SMALL) == 0
    return run


@pytest.fixture(scope="module")
def pictures_run(shelf) -> Path:
    run = shelf / "runs" / "pictures"
    assert command("train", shelf / "pictures", "--steps", 4, "--outdir", run, "--quiet", *SMALL) == 0
    return run


def test_training_ends_by_naming_the_run_the_samples_and_the_report(equipoise, shelf, tmp_path):
    run = tmp_path / "run"
    outcome = equipoise("train", shelf / "points.npy", "--steps", 3, "--outdir", run, *SMALL)
    assert outcome.code == 0, outcome.err
    told = dict(line.split(maxsplit=1) for line in outcome.out.splitlines())
    assert told["run"].startswith(str(run))
    assert told["samples"] == str(run / "samples" / "step-00000003.png") and Path(told["samples"]).is_file()
    assert told["report"] == str(run / "report.html") and Path(told["report"]).is_file()
    assert "step 3 of 3" in outcome.err


def test_training_on_a_table_ends_with_what_its_rows_are_good_for(equipoise, shelf, tmp_path):
    said = equipoise("train", shelf / "table.csv", "--steps", 2, "--outdir", tmp_path / "a", *SMALL, "--table-report")
    assert said.code == 0 and "measuring how faithful, useful and private" in said.err
    told = dict(line.split(maxsplit=1) for line in said.out.splitlines() if line.strip())
    assert told["table"].startswith("Can I use this? Not known.")  # 30 of 300 are set aside
    assert (
        "looks real  boosted trees not trained: too few rows" in said.out
        and "useful      " in said.out
        and "private     " in said.out
    )
    said = equipoise("train", shelf / "table.csv", "--steps", 2, "--outdir", tmp_path / "b", *SMALL)
    assert "equipoise report-table" in said.out and not (tmp_path / "b" / "table_report.json").exists()


def test_quiet_training_leaves_stderr_empty(equipoise, shelf, tmp_path):
    outcome = equipoise("train", shelf / "points.npy", "--steps", 3, "--outdir", tmp_path / "run", "--quiet", *SMALL)
    assert (outcome.code, outcome.err) == (0, "")


def test_with_json_stdout_is_one_object(equipoise, shelf, tmp_path):
    outcome = equipoise("train", shelf / "points.npy", "--steps", 3, "--outdir", tmp_path / "run", "--json", *SMALL)
    assert outcome.json["run"] == str(tmp_path / "run")
    assert outcome.json["status"]["state"] == "finished"


def test_a_dry_run_prints_a_configuration_that_trains_the_same(equipoise, shelf, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    planned = equipoise("train", shelf / "points.npy", "--steps", 5, "--seed", 3, "--dry-run", *SMALL)
    assert planned.code == 0, planned.err
    assert list(tmp_path.iterdir()) == []
    for word in ("# Forecast", "#   time", "#   memory", "#   disk", "#   networks"):
        assert word in planned.out
    (tmp_path / "plan.yaml").write_text(planned.out)
    again = equipoise("train", shelf / "points.npy", "--config", "plan.yaml", "--outdir", "run", "--quiet")
    assert again.code == 0, again.err
    stored = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert stored == yaml.safe_load(planned.out)
    assert (stored["seed"], stored["training"]["steps"]) == (3, 5)


def test_a_dry_run_as_json_is_one_object(equipoise, shelf):
    plan = equipoise("train", shelf / "points.npy", "--steps", 5, "--dry-run", "--json", *SMALL).json
    assert plan["config"]["training"]["batch_size"] == 16
    assert plan["forecast"]["steps"] == 5
    assert plan["forecast"]["memory_bytes"] > 0 and plan["forecast"]["seconds"] > 0


def test_an_output_folder_that_exists_is_refused_and_left_alone(equipoise, shelf, tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    outcome = equipoise("train", shelf / "points.npy", "--steps", 3, "--outdir", tmp_path, *SMALL)
    assert outcome.code == 2
    assert "something is there already" in outcome.err and "resume" in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--set", "objective.name=hing"), ("hing", "Did you mean 'hinge'?")),
        (("--set", "objectiv.name=hinge"), ("objectiv", "objective")),
        (("--set", "play.bach_size=16"), ("bach_size", "batch_size")),
        (("--set", "training.batch_size"), ("key=value",)),
        (("--set", "training.batch_size=many"), ("training.batch_size",)),
        (("--set", "penalties=[r3]"), ("r3", "r1")),
        (("--preset", "point"), ("point", "Did you mean 'points'?")),
        (("--config", "nowhere.yaml"), ("nowhere.yaml",)),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(equipoise, shelf, tmp_path, monkeypatch, options, expected):
    monkeypatch.chdir(tmp_path)
    outcome = equipoise("train", shelf / "points.npy", "--steps", 3, *options)
    assert outcome.code == 2, outcome.err
    assert "Traceback" not in outcome.err
    for text in expected:
        assert text in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_key_of_a_configuration_file_is_named_with_its_line(equipoise, shelf, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("seed: 1\nplay:\n  bach_size: 16\n")
    outcome = equipoise("train", shelf / "points.npy", "--config", path)
    assert outcome.code == 2
    for text in ("mine.yaml", "line 3", "bach_size", "batch_size"):
        assert text in outcome.err


@pytest.mark.parametrize(
    ("data", "expected"), [("digit", "Did you mean 'digits'?"), ("nowhere/at-all", "no such file or folder")]
)
def test_data_that_are_not_there_are_bad_input(equipoise, data, expected):
    outcome = equipoise("train", data, "--steps", 3)
    assert outcome.code == 2
    assert expected in outcome.err and "Traceback" not in outcome.err


def test_a_device_that_is_not_there_is_bad_input(equipoise, shelf):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    outcome = equipoise("train", shelf / "points.npy", "--steps", 3, "--device", "cuda")
    assert outcome.code == 2
    assert "cuda" in outcome.err


def test_points_are_sampled_into_a_file_and_the_seed_decides(equipoise, points_run, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        outcome = equipoise("sample", points_run, "-n", 50, "-o", tmp_path / f"{name}.npy", "--seed", seed)
        assert outcome.code == 0, outcome.err
    a, b, c = (np.load(tmp_path / f"{name}.npy") for name in "abc")
    assert a.shape == (50, 2)
    assert (a == b).all() and (a != c).any()


def test_samples_never_replace_what_is_there(equipoise, points_run, tmp_path):
    target = tmp_path / "mine.npy"
    target.write_text("mine")
    outcome = equipoise("sample", points_run, "-o", target)
    assert outcome.code == 2
    assert target.read_text() == "mine"


def test_a_broken_checkpoint_that_is_passed_over_is_named_by_sample_and_judge(equipoise, points_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(points_run, run)
    *_, before, last = sorted((run / "checkpoints").glob("*.safetensors"))
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 1
    last.write_bytes(content)
    found = equipoise("sample", run, "-n", 3, "-o", tmp_path / "new.npy")
    assert found.code == 0 and f"{last.name} is broken" in found.err
    verdict = equipoise("judge", run, "--json").json
    said = [finding["statement"] for finding in verdict["findings"] if finding["check"] == "inputs"]
    assert any(f"{last.name} is broken" in text for text in said)
    assert f"The generator after step {int(before.stem.split('-')[1])} was judged." in said


def test_without_a_path_samples_get_a_new_name_each_time(equipoise, points_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert equipoise("sample", points_run, "-n", 5).code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["points-samples-2.npy", "points-samples.npy"]


def test_a_table_comes_back_with_its_columns_and_types(equipoise, table_run, shelf, tmp_path):
    trained = pd.read_csv(shelf / "table.csv")
    outcome = equipoise("sample", table_run, "-n", 40, "-o", tmp_path / "new", "--format", "parquet", "--json")
    assert outcome.code == 0, outcome.err
    (path,) = outcome.json["files"]
    assert path == str(tmp_path / "new.parquet")
    drawn = pd.read_parquet(path)
    assert len(drawn) == 40
    assert list(drawn.columns) == list(trained.columns)
    assert pd.api.types.is_integer_dtype(drawn["count"])
    assert set(drawn["cut"]) <= set(trained["cut"])


def test_images_come_as_files_with_a_grid(equipoise, pictures_run, tmp_path):
    outcome = equipoise("sample", pictures_run, "-n", 9, "-o", tmp_path / "new")
    assert outcome.code == 0, outcome.err
    pictures = [path for path in (tmp_path / "new").rglob("*.png") if path.name != "sheet.png"]
    assert len(pictures) == 9
    assert str(tmp_path / "new" / "sheet.png") in outcome.out


def test_one_class_can_be_asked_for_by_name(equipoise, pictures_run, tmp_path):
    assert equipoise("sample", pictures_run, "-n", 4, "-o", tmp_path / "dogs", "--class", "dogs").code == 0
    outcome = equipoise("sample", pictures_run, "-n", 4, "-o", tmp_path / "no", "--class", "dog")
    assert outcome.code == 2
    assert "Did you mean 'dogs'?" in outcome.err
    assert not (tmp_path / "no").exists()


def test_an_unknown_format_is_bad_input(equipoise, points_run):
    outcome = equipoise("sample", points_run, "--format", "parket")
    assert outcome.code == 2
    assert "Did you mean 'parquet'?" in outcome.err


def test_a_format_that_contradicts_the_name_is_bad_input(equipoise, points_run, tmp_path):
    outcome = equipoise("sample", points_run, "--format", "parquet", "-o", tmp_path / "new.csv")
    assert outcome.code == 2
    assert "says otherwise" in outcome.err


@pytest.mark.parametrize("name", ["sample", "resume", "report"])
def test_a_run_that_is_not_there_is_bad_input(equipoise, name, tmp_path):
    outcome = equipoise(name, tmp_path / "nowhere")
    assert outcome.code == 2
    assert "no such run folder" in outcome.err


def test_a_finished_run_is_made_longer(equipoise, shelf, tmp_path):
    run = tmp_path / "run"
    assert equipoise("train", shelf / "points.npy", "--steps", 3, "--outdir", run, "--quiet", *SMALL).code == 0
    outcome = equipoise("resume", run, "--steps", 6, "--json", "--quiet")
    assert outcome.code == 0, outcome.err
    assert (outcome.json["status"]["step"], outcome.json["status"]["state"]) == (6, "finished")


@pytest.mark.slow
def test_ctrl_c_stops_with_a_checkpoint_and_the_command_that_continues(shelf, tmp_path, equipoise):
    run = tmp_path / "run"
    # Without looks: so long a run would time them for some while before its first step.
    words = ["train", str(shelf / "points.npy"), "--steps", "1000000", "--outdir", str(run), *SMALL]
    words += ["--set", "evaluations.count=0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "equipoise", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        wait_until(lambda: (run / "metrics.jsonl").is_file() and (run / "metrics.jsonl").stat().st_size > 0, process)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert f"equipoise resume {run}" in told and "Traceback" not in told
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "stopped" and status["step"] > 0
    continued = equipoise("resume", run, "--steps", status["step"] + 3, "--quiet")
    assert continued.code == 0, continued.err


def wait_until(is_true, process: subprocess.Popen, seconds: float = 60.0) -> None:
    """Wait for a file of another process; fail when that process ends or nothing happens for a minute."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, "the other process did not get there"
        time.sleep(0.05)


def test_a_dry_run_of_what_finds_no_room_forecasts_its_memory(equipoise, shelf, monkeypatch):

    def fail(*arguments):
        raise MemoryError("Unable to allocate 2.98 GiB")

    monkeypatch.setattr(forecast, "seconds_per_step", fail)
    outcome = equipoise("train", shelf / "points.npy", "--steps", 3, "--dry-run", *SMALL)
    assert outcome.code == 0, outcome.err
    for text in (
        "# Forecast, from sizes alone:",
        "  time      not known",
        "#   memory",
        "trouble   Lower training.batch",
    ):
        assert text in outcome.out
    assert all(line.startswith("#") for line in outcome.out.partition("# Forecast")[2].splitlines()[1:])
