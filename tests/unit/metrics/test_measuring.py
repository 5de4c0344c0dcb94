"""`equipoise metrics` and `measure`: two sets of any origin, or a run, brought to numbers and scored."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from equipoise.cli.main import main
from equipoise.errors import ConfigError, InputError
from equipoise.experiment.measure import measure, measure_run
from equipoise.metrics import Metric
from equipoise.metrics.known import ring8

FORMAT_1 = Path(__file__).parents[2] / "fixtures" / "format1"


@pytest.fixture
def stream():
    return np.random.default_rng(0)


@pytest.fixture
def old_runs(tmp_path, monkeypatch):
    """A copy of runs of version 0.1.0; their data are named relative to the working directory."""
    shutil.copytree(FORMAT_1, tmp_path / "old")
    monkeypatch.chdir(tmp_path / "old")


def table(stream, count, shift=0.0):
    number = stream.normal(size=count) + shift
    return pd.DataFrame({"a": number, "b": stream.choice(["x", "y"], count), "c": np.where(number > 1, np.nan, 1.0)})


def test_tables_are_compared_column_by_column_whatever_their_order(stream):
    real, fake = table(stream, 300), table(stream, 200, shift=2.0)
    found = measure(real, fake[["c", "b", "a"]])
    assert found.kind == "table" and "columns" in found.compared
    for score in found.scores:
        assert score.real_samples == score.fake_samples == 150
    energy = found["energy_distance"]
    assert energy.values["energy_distance"] > 10 * abs(energy.between_real_sets["energy_distance"])
    assert "modes" not in found.readings


def test_a_density_in_closed_form_brings_its_own_metrics(stream):
    points = ring8().widened(2.0).sample(500, stream)
    points[:5] = np.nan
    found = measure("ring8", points)
    assert found["modes"].values["width_ratio"] == pytest.approx(2.0, abs=0.2)
    # Points that are not finite are of low quality where modes are counted, and left out of distances.
    assert found["modes"].fake_samples == 500 and found["energy_distance"].fake_samples == 495
    assert any("5 of 500 generated samples" in note for note in found.notes)


def test_images_are_compared_by_their_pixels_or_by_features(stream):
    real, fake = (stream.integers(0, 256, (60, 1, 8, 8)).astype(np.uint8) for _ in range(2))

    def brightness(images):
        assert images.dtype == np.float32 and images.max() <= 1
        return images.mean(axis=(1, 2, 3))[:, None]

    by_pixels, by_features = measure(real, fake), measure(real, fake, features=brightness)
    assert "pixels" in by_pixels.compared and "brightness" in by_features.compared
    assert by_features["frechet_distance"].values["frechet_distance"] < 1e-3
    with pytest.raises(ConfigError, match="extractors turn images into numbers"):
        measure(np.zeros((9, 2)), np.ones((9, 2)), features=brightness)


def test_a_metric_of_ones_own_needs_no_registration(stream):
    mine = Metric("range", "Range", lambda real, fake: {"range": float(np.ptp(fake) - np.ptp(real))}, "Nearer 0.", "me")
    found = measure(stream.normal(size=(40, 2)), stream.normal(size=(40, 2)), metrics=[mine, "frechet_distance"])
    assert set(found.readings) == {"range", "frechet_distance"}
    assert "range: Nearer 0." in found.to_text()


def test_metrics_that_need_more_samples_are_left_out_unless_they_were_asked_for():
    few = np.random.default_rng(0).normal(size=(8, 2))
    found = measure(few, few)
    assert "precision_recall" not in found.readings and "precision_recall" in found.notes[0]
    with pytest.raises(InputError, match="Expected 6 or more"):
        measure(few, few, metrics=["precision_recall"])
    with pytest.raises(InputError, match="Expected 2 or more"):
        measure(few[:3], few)


@pytest.mark.parametrize("name", ["points", "table", "images"])
def test_scores_of_a_run_are_kept_in_its_folder_and_are_the_same_again(name, old_runs):
    first, again = measure_run(name), measure_run(name)
    assert first == again and first.step == 4
    stored = json.loads((Path(name) / "scores.json").read_text())
    assert [score["metric"] for score in stored["scores"]] == list(first.readings)
    assert "selection part" in stored["real"]


def test_the_command_prints_a_table_or_one_object(capsys, tmp_path, stream):
    for side in ("real", "fake"):
        np.save(tmp_path / f"{side}.npy", stream.normal(size=(50, 2)))
    command = ["metrics", str(tmp_path / "real.npy"), str(tmp_path / "fake.npy"), "--metric", "energy_distance"]
    for options, check in ((["--no-floor"], "50"), (["--json"], '"between_real_sets"')):
        with pytest.raises(SystemExit) as stopped:
            main([*command, *options])
        assert not stopped.value.code and check in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "b", "c"], "Expected one run folder, or REAL FAKE"),
        (["ring8", "ring8", "--last"], "have no checkpoints"),
        (["somewhere", "--drop", "id"], "a run has its columns already"),
        (["ring8", "ring8", "--metric", "fid"], "no metric is called 'fid'"),
    ],
)
def test_bad_input_is_answered_with_what_to_do(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["metrics", *arguments])
    assert stopped.value.code == 2 and message in capsys.readouterr().err
