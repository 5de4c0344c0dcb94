"""Runs of version 0.1.0, with its names of files and keys, are shown as fully as those of today."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from page_checks import checked, text_of
from PIL import Image

from equipoise.reports import compare, list_runs, write_report

FORMAT_1 = Path(__file__).parents[2] / "fixtures" / "format1"
VERDICT = {
    "format": 1,
    "step": 4,
    "part": "selection",
    "kind": "images",
    "conclusion": "not_distinguished",
    "sentence": "NOT DISTINGUISHED: no fresh discriminator could tell generated from real.",
    "confidence": 0.95,
    "jsd_lower_bound_nats": 0.0,
    "jsd_estimate_nats": 0.01,
    "counts": {
        "real_fit": 300,
        "fake_fit": 300,
        "real_choice": 60,
        "fake_choice": 60,
        "real_score": 71,
        "fake_score": 72,
    },
    "member": "boosted trees",
    "resolution_method": "planted",
    "resolution_floor_nats": 0.033,
    "resolution_power": 0.95,
    "resolution_nats": {"missing mode": 0.044},
    "resolution_intervals_nats": {"missing mode": [0.03, 0.06]},
    "findings": [],
}


@pytest.fixture(params=["images", "points", "table"])
def old_run(request, tmp_path):
    """A run that version 0.1.0 wrote, with what such a run has besides after its first look."""
    folder = Path(shutil.copytree(FORMAT_1 / request.param, tmp_path / request.param))
    (folder / "verdicts.jsonl").write_text(json.dumps(VERDICT) + "\n")
    (folder / "looks.json").write_text(json.dumps({"format": 1, "plan": {"planned": 7, "confidence": 0.95}}))
    (folder / "journal.jsonl").write_text('{"format": 1, "event": "resumed"}\n')
    Image.fromarray(np.zeros((20, 60), dtype=np.uint8)).save(folder / "give-away.png")
    return folder


def test_the_verdict_its_sensitivity_and_the_evaluations_of_an_old_run_are_on_the_page(old_run):
    page = write_report(old_run).read_text(encoding="utf-8")
    checked(page)
    text = text_of(page)
    for words in (
        "No fresh discriminator could tell generated from real.",
        "samples scored, real and generated 71 and 72",
        "boosted trees",
        "Minimum detectable effects",
        "missing mode 0.044 0.03 to 0.06",
        "The most discriminative images",
        "made 1 of 7 planned",
        "classifier two-sample test",
        "step 4 of 8",
    ):
        assert words in text
    assert "What could not be read" not in text


def test_an_old_run_is_listed_and_compared(old_run):
    (listed,) = list_runs(old_run.parent)
    assert listed.conclusion == "not_distinguished" and (listed.step, listed.steps) == (4, 8)
    text = compare([old_run]).to_text()
    assert "not distinguished" in text
