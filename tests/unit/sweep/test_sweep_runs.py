"""Sweeps as they are typed: run folders, going on, refusing what changed, and the comparison with the true density."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from equipoise.cli.main import main
from equipoise.errors import Interrupted
from equipoise.experiment.sweep.grid import plan_sweep, read_axes
from equipoise.experiment.sweep.run import sweep
from equipoise.experiment.train import train
from equipoise.runfolder import RunFolder

SMALL = (
    "data.points=600",
    "training.batch_size=16",
    "outputs.final_verdict=false",
    "outputs.samples=1",
    "runtime.threads=1",
    "networks.generator.width=8",
    "networks.discriminator.width=8",
)
OVER = ("objective=hinge,minimax", "penalties=[r1, r2]")


def command(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return int(stopped.value.code or 0)


def typed(folder: Path, *arguments: object, over: tuple[str, ...] = OVER) -> tuple[object, ...]:
    """The words of a small sweep."""
    options = [word for axis in over for word in ("--over", axis)] + [word for one in SMALL for word in ("--set", one)]
    return ("sweep", "ring8", *options, "--outdir", folder, "--steps", 4, *arguments)


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> Path:
    """A sweep of two objectives with two seeds."""
    folder = tmp_path_factory.mktemp("sweeps") / "one"
    assert command(*typed(folder, "--seeds", 2, "--quiet")) == 0
    return folder


def stamps(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.glob("*/**/*") if path.is_file()}


def test_each_run_is_an_ordinary_run_folder(swept):
    names = sorted(path.name for path in swept.iterdir() if path.is_dir())
    assert names == [f"{name}-r1+r2-seed{seed}" for name in ("hinge", "minimax") for seed in (0, 1)]
    for name in names:
        run = RunFolder(swept / name)
        assert run.read_status()["state"] == "finished"
        assert run.report.is_file() and run.sample_steps()


def test_what_was_asked_is_written_down(swept):
    content = yaml.safe_load((swept / "sweep.yaml").read_text())
    assert content["asked"]["over"] == {"objective": ["hinge", "minimax"], "penalties": [["r1", "r2"]]}
    assert content["asked"]["seeds"] == 2
    assert content["runs"][0]["name"] == "hinge-r1+r2-seed0"


def test_runs_on_a_toy_density_are_held_beside_it(swept):
    scores = json.loads((swept / "hinge-r1+r2-seed0" / "known_density.json").read_text())
    # Four steps of a tiny network: almost nothing in common with ring8, so near log 2 and no mode of the right width.
    assert 0.5 < scores["jsd_nats"] <= 0.6932
    assert scores["perfect_jsd_nats"] < 0.02 and scores["modes"] == 8
    assert scores["width_ratio"] > 2 and 0 <= scores["high_quality_share"] < 0.2


def test_the_comparison_shows_the_true_distance_with_its_spread(swept, capsys):
    assert command("compare", *sorted(swept.glob("*-seed*"))) == 0
    said = capsys.readouterr().out
    assert "Distance from the true density" in said and "a perfect sampler" in said
    assert " to " in said.split("Distance from the true density")[1]
    page = (swept / "comparison.html").read_text()
    assert "Distance from the true density" in page and "width ratio" in page


def test_finished_runs_are_left_as_they_are(swept, capsys):
    before = stamps(swept)
    assert command(*typed(swept, "--seeds", 2, "--quiet", "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["skipped"]) == 4 and found["trained"] == [] and found["failed"] == {}
    assert stamps(swept) == before


def test_a_changed_configuration_is_refused_by_name_and_nothing_is_touched(swept, capsys):
    before = stamps(swept)
    assert command(*typed(swept, "--seeds", 2, "--quiet", "--steps", 6)) == 2
    said = capsys.readouterr().err
    assert "hinge-r1+r2-seed0" in said and "training.steps" in said and "4" in said and "6 is asked for now" in said
    assert stamps(swept) == before


def test_a_stopped_run_is_resumed_and_ends_as_if_it_had_not_been_stopped(swept, tmp_path):
    runs = plan_sweep("ring8", axes=read_axes(OVER), seeds=1, jobs=1, settings=SMALL, steps=4)
    folder = tmp_path / runs[0].name

    class StopAtStep2:
        """Progress that asks to stop as a signal does."""

        def start(self, total_steps, start_step, description): ...

        def update(self, step, fields):
            if step == 2:
                signal.raise_signal(signal.SIGINT)

        def message(self, text): ...

        def close(self): ...

    with pytest.raises(Interrupted):
        train(runs[0].config, folder, progress=StopAtStep2())
    assert RunFolder(folder).read_status()["state"] == "stopped"
    found = sweep("ring8", over=OVER, outdir=tmp_path, settings=SMALL, steps=4)
    assert set(found.trained) == {run.name for run in runs}
    assert RunFolder(folder).read_status()["step"] == 4
    values = [[row["value"] for row in RunFolder(root / folder.name).read_metrics()] for root in (tmp_path, swept)]
    assert values[0] == values[1]


def test_a_run_killed_before_its_first_checkpoint_begins_anew(tmp_path):
    runs = plan_sweep("ring8", axes=read_axes(OVER), seeds=1, jobs=1, settings=SMALL, steps=4)
    folder = RunFolder(tmp_path / runs[0].name)
    (folder.path / "checkpoints").mkdir(parents=True)
    folder.config.write_text(runs[0].config.to_yaml())
    folder.write_status(state="training", step=1, steps=4)
    found = sweep("ring8", over=OVER, outdir=tmp_path, settings=SMALL, steps=4)
    assert runs[0].name in found.trained
    assert folder.read_status()["state"] == "finished"


def test_something_else_in_the_place_of_a_run_is_left_alone(tmp_path, capsys):
    precious = tmp_path / "hinge-r1+r2-seed0" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("years of work")
    assert command(*typed(tmp_path, "--quiet")) == 2
    assert "hinge-r1+r2-seed0" in capsys.readouterr().err
    assert precious.read_text() == "years of work"


def test_a_run_that_diverges_is_named_and_the_others_are_played(tmp_path, capsys):
    over = ("optimizers.discriminator.learning_rate=1e30,1e-3", "objective=wasserstein", "penalties=r1")
    assert command(*typed(tmp_path, "--quiet", over=over)) == 1
    said = capsys.readouterr()
    assert "learning_rate1e+30" in said.err and "failed" in said.err
    assert "1 trained" in said.out and "1 failed" in said.out


def test_a_configuration_file_names_its_own_data(swept, tmp_path):
    found = sweep(
        swept / "hinge-r1+r2-seed0" / "config.yaml", over={"training.batch_size": [8, 16]}, outdir=tmp_path, steps=4
    )
    assert [run.name for run in found.runs] == ["batch_size8-seed0", "batch_size16-seed0"]
    assert {run.config.objective.name for run in found.runs} == {"hinge"}


@pytest.mark.slow
def test_processes_play_what_one_process_plays(swept, tmp_path):
    assert command(*typed(tmp_path, "--jobs", 2, "--quiet")) == 0
    for name in ("hinge-r1+r2-seed0", "minimax-r1+r2-seed0"):
        here, there = (RunFolder(root / name).read_metrics() for root in (swept, tmp_path))
        assert [row["value"] for row in here] == [row["value"] for row in there]


@pytest.mark.slow
def test_a_sweep_of_processes_that_is_stopped_leaves_checkpoints_and_no_process(tmp_path):
    words = [str(word) for word in typed(tmp_path, "--jobs", 2, "--quiet")]
    words[words.index("--steps") + 1] = "200000"
    process = subprocess.Popen(
        [sys.executable, "-m", "equipoise", *words], stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    rows = [tmp_path / f"{name}-r1+r2-seed0" / "metrics.jsonl" for name in ("hinge", "minimax")]
    while process.poll() is None and not all(path.is_file() and path.stat().st_size for path in rows):
        time.sleep(0.2)
    # SIGTERM: a shell that starts the tests in the background makes them deaf to SIGINT.
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert b"same command again" in said
    for path in rows:
        run = RunFolder(path.parent)
        assert run.read_status()["state"] == "stopped" and list(run.checkpoints.glob("*.safetensors"))
