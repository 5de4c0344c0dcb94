"""A report shows what a verdict rests on, and what the interim evaluations were, cost and led to."""

from __future__ import annotations

import json
import re
from statistics import NormalDist

import numpy as np
import pytest
from page_checks import checked, text_of
from PIL import Image
from synthetic_runs import build_run, write, write_lines

from equipoise.reports import write_report
from equipoise.reports.evidence import evaluation_facts, evidence_tables
from equipoise.reports.reading import read_run
from equipoise.reports.referee_plots import duality_gap_plot, referee_plot


def gap_of(value):
    return {
        "steps": 20,
        "rows": 500,
        "gap": value,
        "gap_standard_error": 0.01,
        "discriminator_gain": value / 2,
        "discriminator_gain_standard_error": 0.01,
        "generator_gain": value / 2,
        "generator_gain_standard_error": 0.01,
    }


FINDINGS = [
    {
        "check": "coverage",
        "statement": "In brackets what two real sets reach.",
        "is_problem": False,
        "rows": [],
        "numbers": {"coverage_share": 0.61, "coverage_floor_share": 0.97},
    },
    {
        "check": "memorisation",
        "statement": "No sign of copying.",
        "is_problem": False,
        "rows": [],
        "numbers": {"copying_z_score": 0.4, "near_copy_share": 0.012},
    },
    {
        "check": "where",
        "statement": "These columns differ by themselves: <b>price</b>.",
        "is_problem": True,
        "numbers": {},
        "rows": [{"column": "<b>price</b>", "jsd_nats": 0.02}],
    },
    {
        "check": "where",
        "statement": "Listed.",
        "is_problem": False,
        "numbers": {},
        "rows": [{"side": "real", "log_odds_of_real": 3.0, "price": 12.5}],
    },
]


@pytest.fixture
def evaluated(tmp_path):
    """A finished run of three interim evaluations and a final verdict, which keeps its best checkpoint."""
    folder = build_run(tmp_path / "run", steps=400, evaluations=4)
    rows = [json.loads(line) for line in (folder / "verdicts.jsonl").read_text().splitlines()]
    for place, row in enumerate(rows[:3]):
        row |= {"duality_gap": gap_of(0.3 / (place + 1)), "value_standard_error": 0.02}
    rows[-1] |= {
        "findings": FINDINGS,
        "step": 300,
        "sensitivity_power": 0.95,
        "sensitivity_theoretical_nats": 0.0018,
        "sensitivity_nats": {"missing mode": 0.004, "noise": None},
        "sensitivity_intervals_nats": {"missing mode": [0.003, 0.006], "noise": [0.2, None]},
    }
    write_lines(folder / "verdicts.jsonl", rows)
    status = json.loads((folder / "status.json").read_text())
    write(
        folder / "status.json",
        {
            **status,
            "best": {"step": 300, "jsd_estimate_nats": 0.05},
            "ended_because": "The referee's evaluation said so.",
            "look_time": {"play_seconds": 90.0, "look_seconds": 6.0, "share": 0.0625},
        },
    )
    config = json.loads((folder / "config.yaml").read_text())
    write(folder / "config.yaml", {**config, "evaluations": {"keep_best": True}})
    write(folder / "looks.json", {"plan": {"planned": 3, "confidence": 0.95}})
    Image.fromarray(np.zeros((20, 60), dtype=np.uint8)).save(folder / "give-away.png")
    return folder


def test_the_page_has_the_evidence_in_tables_below_the_verdict(evaluated):
    text = text_of(write_report(evaluated).read_text(encoding="utf-8"))
    places = [
        text.index(words)
        for words in (
            "A fresh discriminator still tells",
            "The evidence",
            "Minimum detectable effects",
            "Coverage",
            "Memorisation",
            "Samples over time",
        )
    ]
    assert places == sorted(places)
    assert "missing mode 0.004 0.003 to 0.006" in re.sub(r"\s+", " ", text)
    assert "not at any size" in text


def test_the_most_discriminative_images_have_a_text(evaluated):
    page = write_report(evaluated).read_text(encoding="utf-8")
    assert "The most discriminative images" in page and checked(page).images_without_text == 0


def test_what_a_column_is_called_is_text_and_never_markup(evaluated):
    assert "<b>price</b>" not in write_report(evaluated).read_text(encoding="utf-8")


def test_floors_stand_beside_what_was_found(evaluated):
    tables = {table.title: table for table in evidence_tables(read_run(evaluated).verdict)}
    (coverage,) = [table for title, table in tables.items() if title.startswith("Coverage")]
    assert coverage.rows == (("coverage", "61.0 %", "97.0 %"),)
    assert tables["The most discriminative samples"].rows == (("real", "3", "12.5"),)


def test_evaluations_after_training_was_steered_are_said_to_describe_only(evaluated):
    path = evaluated / "verdicts.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[1] |= {"is_descriptive": True, "descriptive_since": 100}
    rows[2] |= {"is_descriptive": True, "descriptive_since": 100}
    write_lines(path, rows)
    plot = referee_plot(read_run(evaluated))
    assert [row[-1].endswith("(descriptive)") for row in plot.rows] == [False, True, True, False]
    assert any("confidence does not hold" in note for note in plot.notes)
    assert dict(evaluation_facts(read_run(evaluated)))["descriptive"].startswith("those after step 100")


def test_the_cost_of_evaluations_and_the_checkpoint_in_use_are_said(evaluated):
    metadata = dict(evaluation_facts(read_run(evaluated)))
    assert metadata["made"] == "3 of 3 planned"
    assert metadata["share of the time that they took"].startswith("6.2")  # 6 / 96
    assert metadata["ended because"] == "The referee's evaluation said so."
    text = text_of(write_report(evaluated).read_text(encoding="utf-8"))
    assert "Samples come from step 300" in text and "the last step is 400" in text
    assert "This verdict is about it." in text


def test_the_gap_is_drawn_with_its_equilibrium_at_zero(evaluated):
    plot = duality_gap_plot(read_run(evaluated))
    (axes,) = plot.figure.axes
    flat = [line for line in axes.lines if np.allclose(line.get_ydata(), 0.0)]
    assert flat and "20 steps" in plot.reading and len(plot.rows) == 3


def test_the_bands_of_evaluations_reach_as_far_above_the_estimate_as_the_bound_lies_below_it(evaluated):
    run = read_run(evaluated)
    plot = referee_plot(run)
    (axes,) = plot.figure.axes
    ends = {
        tuple(np.round(segment[:, 1], 6))
        for drawn in axes.collections
        for segment in getattr(drawn, "get_segments", list)()
    }
    for row in run.verdicts[:3]:
        # Half the standard error of V, 0.02, times the normal quantile of the evaluation's confidence.
        top = row["jsd_estimate_nats"] + NormalDist().inv_cdf(row["confidence"]) * 0.01
        assert (round(row["jsd_lower_bound_nats"], 6), round(top, 6)) in ends
    assert any("band" in note for note in plot.notes)


def test_a_run_without_evaluations_has_no_panel_for_them(tmp_path):
    page = write_report(build_run(tmp_path / "run", steps=400, evaluations=0)).read_text(encoding="utf-8")
    assert "duality gap" not in page and "Interim evaluations" not in page


@pytest.mark.parametrize(
    "fields",
    [
        {"duality_gap": "no mapping"},
        {"duality_gap": {"gap": float("nan"), "steps": None}},
        {"findings": [None, {"check": "where", "rows": [1, {"side": None}]}, {"check": "coverage", "numbers": 3}]},
        {"sensitivity_nats": 5, "sensitivity_intervals_nats": {"x": 1}},
        {"confidence": 7},
    ],
)
def test_an_evaluation_with_broken_fields_breaks_no_report(evaluated, fields):
    rows = [json.loads(line) for line in (evaluated / "verdicts.jsonl").read_text().splitlines()]
    write_lines(evaluated / "verdicts.jsonl", [{**row, **fields} for row in rows])
    write(evaluated / "looks.json", {"plan": [1, 2]})
    assert write_report(evaluated).is_file()
