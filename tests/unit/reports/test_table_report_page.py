"""The page of a table report: whole, needing nothing from elsewhere, hostile names escaped, broken records said."""

from __future__ import annotations

import datetime
import json

import numpy as np
import pandas as pd
import pytest
from page_checks import HOSTILE, checked, text_of
from synthetic_runs import build_run

from equipoise.data.tables.classifier_inputs import measured
from equipoise.experiment.table_report import report_table
from equipoise.files import plain
from equipoise.metrics.tables.pictures import column_picture
from equipoise.plotting.style import page_figure
from equipoise.reports import write_report
from equipoise.reports.table_report import render_table_report, section_of_run
from equipoise.reports.table_report_lines import head_lines
from equipoise.reports.table_report_plots import _draw_amounts, all_plots

NAME = HOSTILE.replace("\x01\ud800", "")


def rows(seed, count=200):
    stream = np.random.default_rng(seed)
    number = stream.normal(size=count)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(stream.integers(0, 900, count), unit="D")
    levels = stream.choice(["yes", NAME, "no"], count)
    return pd.DataFrame({NAME: number, "two": number**2, "day": days, "level": levels, "flag": number > 0})


@pytest.fixture(scope="module")
def report():
    return plain(report_table(rows(0), rows(1), train=rows(2), unused=rows(3)).to_json())


def test_the_page_is_whole_needs_nothing_from_elsewhere_and_escapes_what_it_is_given(report):
    page = render_table_report(report, title=NAME, now=0.0)
    found = checked(page)
    assert all(address.startswith("#") for address in found.addresses)
    assert "alert(1)</script>" not in page
    assert found.images_without_text == 0
    assert len(set(found.identifiers)) == len(found.identifiers)


def test_the_first_thing_that_a_person_reads_is_whether_it_can_be_used(report):
    text = text_of(render_table_report(report, now=0.0))
    assert text.index("Can I use this?") < text.index("The figures")
    for question in ("Does it look like the real data?", "Is it useful?", "Does it give away the rows"):
        assert text.index(question) < text.index("The figures")
    assert "no differential privacy" in text


def test_every_plot_says_how_to_read_it(report):
    plots = all_plots(report)
    assert len(plots) == 5 + 6 + 2 + 1 + 1 + 3
    assert all(plot.figure is not None and plot.reading for plot in plots)


@pytest.mark.parametrize("days", [1, 45, 400, 1_500, 1_800])
def test_an_axis_of_dates_of_any_length_is_drawn_without_a_warning(days, recwarn):
    picture = {"edges": np.linspace(1.5e9, 1.5e9 + days * 86_400, 9), "is_date": True, "real": [1] * 8, "fake": [1] * 8}
    with page_figure(2.0) as figure:
        axes = figure.subplots()
        _draw_amounts(axes, picture)
        assert 2 <= len(axes.get_xticks()) <= 6
    assert not recwarn.list


def ticks_of(values):
    """The words along the axis of a picture of this column."""
    column = measured(pd.DataFrame({"it": values})).columns["it"]
    with page_figure(2.0) as figure:
        axes = figure.subplots()
        _draw_amounts(axes, column_picture(column, column))
        low, high = axes.get_xlim()
        formatter = axes.xaxis.get_major_formatter()
        return [formatter(tick) for tick in axes.get_xticks() if low <= tick <= high]


def test_times_of_day_are_written_as_times():
    minutes = np.random.default_rng(0).integers(6 * 60, 22 * 60, 400)
    found = ticks_of([datetime.time(minute // 60, minute % 60) for minute in minutes])
    assert found == ["09:00", "12:00", "15:00", "18:00", "21:00"]
    assert ticks_of([datetime.time(9, 0, second) for second in range(0, 60, 4)])[0].startswith("09:0")


def test_years_are_whole_once_each_and_without_a_comma():
    assert ticks_of(np.repeat([2021, 2022, 2023], 50)) == ["2021", "2022", "2023"]


def test_trees_that_saw_too_few_rows_are_said_to_be_untrained(report):
    few = {**report, "aucs": {name: {**found, "value": None} for name, found in report["aucs"].items()}}
    assert any("boosted trees not trained: too few rows" in text for _, text in head_lines(few))


def test_a_run_shows_the_report_of_its_table(report, tmp_path):
    folder = build_run(tmp_path / "run", steps=200)
    assert "can it be used?" not in write_report(folder).read_text(encoding="utf-8")
    (folder / "table_report.json").write_text(json.dumps(report, default=str))
    page = write_report(folder).read_text(encoding="utf-8")
    checked(page)
    assert "The generated table: can it be used?" in page
    (folder / "table_report.json").write_text(json.dumps({"answers": []}))
    page = write_report(folder).read_text(encoding="utf-8")
    checked(page)
    assert "table_report.json is not as it was written" in page


def test_a_run_on_a_table_names_the_command_that_measures_it(tmp_path):
    folder = build_run(tmp_path / "run", steps=200)
    data = json.loads((folder / "data.json").read_text(encoding="utf-8"))
    (folder / "data.json").write_text(json.dumps({**data, "kind": "table", "space": {"kind": "table"}}))
    page = write_report(folder).read_text(encoding="utf-8")
    checked(page)
    assert f"equipoise report-table {folder}" in page
    assert section_of_run({}) is None


@pytest.mark.parametrize("content", [{"answers": 3}, {"pairs": [1]}, {"column_pictures": {"a": {}}}, {"answers": [{}]}])
def test_a_broken_table_report_is_said_to_be_broken(content, report):
    assert "broken" not in section_of_run(report)
    assert "not as it was written" in section_of_run({**report, **content})["broken"]


def test_of_a_run_that_could_not_be_measured_the_reason_is_shown(tmp_path):
    folder = build_run(tmp_path / "run", steps=200)
    (folder / "table_report.json").write_text(json.dumps({"step": 200, "why_not": f"there are 6 rows of {NAME}"}))
    page = write_report(folder).read_text(encoding="utf-8")
    checked(page)
    assert "there are 6 rows of" in text_of(page)
    assert "alert(1)</script>" not in page


def test_the_head_of_a_report_is_four_lines_of_figures_beside_those_of_unused_rows(report):
    (word, answer), *figures = head_lines(report)
    assert word == "table" and answer.startswith("Can I use this? ")
    assert [text.split("  ")[0] for _, text in figures] == ["looks real", "useful", "private"]
    auc = report["aucs"]
    beside = f"{auc['synthetic']['value']:.3f} (unused real rows {auc['unused real rows']['value']:.3f})"
    assert beside in figures[0][1]
    assert f"{report['usefulness']['scores']['synthetic']['value']:.3f}" in figures[1][1]
    assert f"attack AUC {report['privacy']['membership']['synthetic']['value']:.3f}" in figures[2][1]


@pytest.mark.parametrize("content", [{}, {"answers": [{}]}, {"answers": 3}, {"step": 3}])
def test_a_record_without_answers_has_no_head(content):
    assert head_lines(content) == []


def test_what_was_not_measured_says_why_in_its_line(report):
    assert head_lines({"why_not": "six rows"}) == [("table", "not measured: six rows")]
    lines = head_lines({**report, "usefulness": {"why_not": "No column suits."}, "privacy": {"why_not": "Few rows."}})
    assert lines[2][1].endswith("not measured: No column suits.") and lines[3][1].endswith("not measured: Few rows.")
