"""A verdict is frozen, comes back from its JSON, and is written to files that say the same."""

from __future__ import annotations

import csv
import json
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from equipoise.metrics.known import gaussian
from equipoise.referee import Sensitivity, Verdict, judge
from equipoise.referee.classifiers import available

CLASSIFIERS = [available()["quadratic"]]
PLANTED = Sensitivity(
    "injected",
    0.002,
    by_defect_nats={"shift": 0.01, "noise": float("inf")},
    intervals_nats={"shift": (0.008, float("inf")), "noise": (0.1, float("inf"))},
    absent=("broken dependence",),
    trials=9,
    per_side=100,
)


def points(shift: float, *, count: int = 300, **options) -> Verdict:
    stream = np.random.default_rng(0)
    sides = gaussian(2).sample(300, stream), gaussian(2).sample(count, stream) + shift
    return judge(*sides, kind="points", classifiers=CLASSIFIERS, **options)


VERDICTS = {
    "distinguished": lambda: points(2.0),
    "injected": lambda: points(0.0, sensitivity=PLANTED, margin=0.02),
    "too few": lambda: points(0.0, count=3),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_a_verdict_comes_back_from_its_json(name):
    verdict = VERDICTS[name]()
    stored = json.loads(json.dumps(verdict.to_json(), allow_nan=False))
    again = Verdict.from_json(stored)
    assert again.to_json() == verdict.to_json()
    assert again.to_text() == verdict.to_text()
    assert again.exit_code == verdict.exit_code
    assert again.plot() is not None and again._repr_html_() == verdict._repr_html_()
    if verdict.sensitivity is not None:
        assert again.sensitivity == verdict.sensitivity


def test_a_verdict_is_frozen():
    verdict = points(0.0)
    with pytest.raises(FrozenInstanceError):
        verdict.conclusion = "equal"


def test_the_files_of_a_verdict_hold_what_it_says(tmp_path):
    verdict = points(2.0)
    written = verdict.save(tmp_path / "new" / "folder")
    names = [path.name for path in written]
    assert names == ["verdict.json", "verdict.txt", "verdict.png", "most_discriminative.csv"]
    assert json.loads(written[0].read_text()) == verdict.to_json()
    assert written[1].read_text() == verdict.to_text() + "\n"
    assert written[2].read_bytes().startswith(b"\x89PNG")
    with written[3].open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["side"] for row in rows} == {"real", "generated"}
    # The surest real samples of two Gaussians, one moved by (2, 2), lie on the far side of the real mean.
    assert all(float(row["x0"]) + float(row["x1"]) < 0 for row in rows if row["side"] == "real")
    nothing_found = points(0.0, count=3).save(tmp_path / "new" / "folder")
    assert [path.name for path in nothing_found] == names[:3] and not written[3].exists()


def test_a_listed_sample_is_the_one_at_its_position():
    stream = np.random.default_rng(0)
    real, fake = gaussian(2).sample(300, stream), gaussian(2).sample(250, stream) + 1
    for options in ({}, {"real_train": gaussian(2).sample(400, stream)}):
        verdict = judge(real, fake, kind="points", classifiers=CLASSIFIERS, checks=["where"], **options)
        rows = [row for finding in verdict.findings for row in finding.rows if "sample" in row]
        assert len(rows) == 12
        for row in rows:
            side = real if row["side"] == "real" else fake
            np.testing.assert_array_equal(side[row["sample"]], [row["x0"], row["x1"]])


def test_the_plot_of_a_table_names_its_columns_and_survives_their_signs():
    stream = np.random.default_rng(0)
    real, fake = (
        pd.DataFrame({"price $x_1$": stream.normal(shift, 1, 500), "b": stream.integers(0, 3, 500)}) for shift in (0, 1)
    )
    figure = judge(real, fake, kind="table", classifiers=CLASSIFIERS).plot()
    figure.canvas.draw()
    labels = {label.get_text(): label for axes in figure.axes for label in axes.get_yticklabels()}
    assert not labels["price $x_1$"].get_parse_math()


def test_a_verdict_of_version_0_1_0_is_read_printed_and_drawn():
    # Written by 0.1.0 for images of 4 x 4 of which one corner is too dark, with a screen (now: quick).
    path = Path(__file__).parents[2] / "fixtures" / "format1" / "verdict-images.json"
    old = json.loads(path.read_text(encoding="utf-8"))
    verdict = Verdict.from_json(old)
    assert verdict.counts.real_train == old["counts"]["real_fit"] and verdict.classifier == old["member"]
    assert verdict.sensitivity.method == "injected" and verdict.sensitivity.trials == old["resolution_trials"]
    assert "Sensitivity: what would have been found 95% of the time" in verdict.to_text()
    (regions,) = (finding for finding in verdict.findings if finding.check == "regions")
    assert regions.numbers["distinguished"] == sum(row["is_distinguished"] for row in regions.rows) == 1
    pixels = np.zeros((2, 1, 4, 4), dtype=np.uint8)
    replace(verdict, scored=(pixels, pixels), scores=(np.zeros(2), np.zeros(2))).plot().canvas.draw()
    assert Verdict.from_json({**old, "member": "blind"}).classifier == "chance level"
