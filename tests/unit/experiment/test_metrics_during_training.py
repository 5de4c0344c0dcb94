"""Metrics at interim evaluations: measured where they are asked for, stored with the evaluation, and in the report."""

import json

import numpy as np
import pytest

import equipoise as eq
from equipoise.data import DataOptions, load, prepare
from equipoise.errors import ConfigError
from equipoise.experiment.config.schema import EvaluationsConfig
from equipoise.experiment.measure import metrics_of_evaluations
from equipoise.runfolder import RunFolder

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def pictures():
    stream = np.random.default_rng(0)
    shades = stream.integers(0, 200, size=(400, 1, 1)) + stream.integers(0, 50, size=(400, 8, 8))
    return shades.astype(np.uint8), (shades.mean(axis=(1, 2)) > 120).astype(np.int64)


FEW = ["evaluations.count=1", "evaluations.sensitivity=theoretical", "evaluations.duality_gap_steps=0"]
CHEAP = ["outputs.final_verdict=false", "networks.family=mlp"]


def test_an_evaluation_also_measures_what_was_asked_for_and_the_report_says_it(pictures, tmp_path):
    asked = "evaluations.metrics=[frechet_distance, precision_recall]"
    eq.fit(pictures[0], steps=6, outdir=tmp_path / "run", settings=[*FEW, *CHEAP, asked])
    (row,) = (json.loads(line) for line in RunFolder(tmp_path / "run").verdicts.read_text().splitlines())
    assert {"frechet_distance", "precision", "recall"} <= set(row["scores"])
    assert all(np.isfinite(value) for value in row["scores"].values())
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Metrics during training" in page and "frechet distance" in page and "compared by" not in page


def test_features_decide_what_images_are_compared_by(pictures):
    data = prepare(load(pictures, options=DataOptions()), seed=0)
    sides = [data.raw.rows(rows) for rows in (data.split.selection, data.split.train[:40])]
    found = [
        metrics_of_evaluations(data, ["frechet_distance"], features=features, seed=0)(*sides)["frechet_distance"]
        for features in (None, "random", "labels")
    ]
    assert len(set(found)) == 3 and np.isfinite(found).all()


def test_nothing_is_measured_unless_it_is_asked_for():
    assert EvaluationsConfig().metrics == () and EvaluationsConfig().features is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("evaluations.metrics=[frechet]",), "Did you mean 'frechet_distance'"),
        (("evaluations.metrics=[modes]",), "Expected one of the densities"),
        (("evaluations.metrics=[frechet_distance]", "evaluations.features=labels"), "without classes"),
        (("evaluations.features=random",), "evaluations.features are for evaluations.metrics"),
        (("evaluations.metrics=[frechet_distance]", "evaluations.count=0"), "measured at evaluations"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_the_first_step(pictures, tmp_path, settings, words):
    with pytest.raises(ConfigError, match=words):
        eq.fit(pictures[0], steps=6, outdir=tmp_path / "run", settings=[*FEW, *CHEAP, *settings])
    assert not (tmp_path / "run").exists()
