"""`metrics.jsonl` read as it grows, and its columns in few points."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from equipoise.live import metrics_log
from equipoise.live.columns import (
    GrowingColumns,
    binned_errors,
    binned_steps,
    binned_values,
    rounded,
    series_json,
    stretch_of,
)
from equipoise.live.metrics_log import MetricsLog


def line(step, **more) -> str:
    return json.dumps({"step": step, "value": float(step)} | more) + "\n"


def read_all(log: MetricsLog) -> None:
    while log.read_on():
        pass


def test_new_rows_are_read_from_where_the_last_reading_ended(tmp_path, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path)
    assert not log.read_on()  # not there yet
    path.write_text("".join(line(step) for step in range(1, 1001)))
    read_all(log)
    parsed = []
    monkeypatch.setattr(metrics_log, "parse_json", lambda text: parsed.append(text) or json.loads(text))
    with open(path, "a") as stream:
        stream.write(line(1001) + line(1002))
    assert log.read_on()
    assert not log.read_on()
    assert len(parsed) == 2
    assert list(log.columns.all_steps()[-3:]) == [1000, 1001, 1002]
    assert log.generation == 0


def test_a_long_file_is_read_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(metrics_log, "AT_ONCE", 200)
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(line(step) for step in range(1, 101)))
    log = MetricsLog(path)
    assert log.read_on()
    assert 0 < len(log.columns) < 100
    read_all(log)
    assert list(log.columns.all_steps()) == list(range(1, 101))


def test_a_row_longer_than_a_piece_is_read_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(metrics_log, "AT_ONCE", 100)
    path = tmp_path / "metrics.jsonl"
    path.write_text(line(1, note="x" * 1000) + line(2))
    log = MetricsLog(path)
    read_all(log)
    assert list(log.columns.all_steps()) == [1, 2]


def test_a_line_that_is_being_written_is_waited_for(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(line(1) + line(2)[:9])
    log = MetricsLog(path)
    read_all(log)
    assert list(log.columns.all_steps()) == [1]
    path.write_text(line(1) + line(2))
    read_all(log)
    assert list(log.columns.all_steps()) == [1, 2]
    assert log.troubles() == []


@pytest.mark.parametrize(
    "broken",
    [
        b'{"step": 2, "val',
        b"\xff\xfe\x00",
        b"[1, 2]",
        b"null",
        b'{"step": NaN}',
        b'{"step": "2"}',
        b'{"step": true}',
        b'{"value": 1}',
        b"[" * 5000,
        b'{"step": 1e400}',
    ],
)
def test_a_broken_line_is_left_out_and_named(tmp_path, broken):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(line(1).encode() + broken + b"\n" + line(3).encode())
    log = MetricsLog(path)
    read_all(log)
    assert list(log.columns.all_steps()) == [1, 3]
    (said,) = log.troubles()
    assert "metrics.jsonl, line 2: " in said
    assert "left out" in said


def test_a_file_that_was_written_anew_begins_a_new_generation(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(line(step) for step in range(1, 51)))
    log = MetricsLog(path)
    read_all(log)
    other = tmp_path / "other"  # as cut_after does: written beside, then renamed
    other.write_text("".join(line(step) for step in range(1, 11)))
    other.replace(path)
    read_all(log)
    assert log.generation == 1
    assert len(log.columns) == 10
    path.write_text("".join(line(step, value=-1.0) for step in range(1, 91)))  # in place, and longer
    read_all(log)
    assert log.generation == 2
    assert list(log.columns.values("value")) == [-1.0] * 90
    assert log.troubles() == []
    path.unlink()
    assert log.read_on()
    assert (log.generation, len(log.columns)) == (3, 0)


def test_of_two_rows_for_a_step_the_later_one_counts_and_order_is_mended(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(line(1) + line(3) + line(2) + json.dumps({"step": 3, "value": 30.0}) + "\n")
    log = MetricsLog(path)
    read_all(log)
    assert list(log.columns.all_steps()) == [1, 2, 3]
    assert list(log.columns.values("value")) == [1, 2, 30]


def test_a_file_above_the_limit_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_MOST_LOG_BYTES", "50")
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(line(step) for step in range(1, 51)))
    log = MetricsLog(path)
    read_all(log)
    assert "EQUIPOISE_MOST_LOG_BYTES" in log.troubles()[0]


def test_a_row_is_read_again_from_its_place(tmp_path):
    path = tmp_path / "metrics.jsonl"
    found = {"what": "logit", "edges": [0, 1], "real": [1], "fake": [1]}
    path.write_text(line(1) + line(2, histogram=found) + line(3))
    log = MetricsLog(path)
    read_all(log)
    assert list(log.histograms) == [2]
    assert log.row_at(2)["histogram"] == found
    assert log.row_at(1) is None
    path.write_text("")
    assert log.row_at(2) is None


def columns_of(values) -> GrowingColumns:
    columns = GrowingColumns()
    for step, value in enumerate(values, start=1):
        columns.append(step, {"step": step, "value": value})
    return columns


def test_a_stretch_that_fits_is_exact():
    columns = columns_of([0.1 * k for k in range(500)])
    stretch = stretch_of(columns.all_steps(), low=100, high=200)
    assert stretch.per_bin == 1
    found = series_json(columns, ["value"], {}, stretch)
    assert found["steps"] == list(range(99, 202))  # one more on either side
    assert found["columns"]["value"]["mean"] == pytest.approx([0.1 * (step - 1) for step in range(99, 202)])
    assert "low" not in found["columns"]["value"]


def test_bins_hold_every_extreme_and_the_mean_of_their_rows():
    values = np.random.default_rng(0).normal(size=100_000)
    values[12_345], values[67_890] = 50.0, -50.0
    columns = columns_of(values)
    stretch = stretch_of(columns.all_steps(), low=None, high=None, most=600)
    mean, low, high = binned_values(columns.values("value"), stretch)
    assert 300 < len(mean) <= 600
    assert (high.max(), low.min()) == (50.0, -50.0)
    rows = values[: stretch.per_bin]
    assert (mean[0], low[0], high[0]) == pytest.approx((rows.mean(), rows.min(), rows.max()))
    assert binned_steps(columns.all_steps(), stretch)[0] == pytest.approx((1 + stretch.per_bin) / 2)


def test_full_bins_never_change_when_rows_are_added():
    values = np.arange(10_000.0)
    before = stretch_of(np.arange(1, 9_001.0), low=None, high=None, most=600)
    after = stretch_of(np.arange(1, 9_301.0), low=None, high=None, most=600)
    assert before.per_bin == after.per_bin == 16
    full = 9_000 // 16
    first, _, _ = binned_values(values[:9_000], before)
    second, _, _ = binned_values(values[:9_300], after)
    assert list(first[:full]) == list(second[:full])


def test_missing_values_are_left_out_of_a_bin_and_named_where_it_has_no_other():
    columns = columns_of([1.0, None, math.nan, 3.0, None, None, None, None])
    stretch = stretch_of(columns.all_steps(), low=None, high=None, most=2)
    assert stretch.per_bin == 4
    mean, low, high = binned_values(columns.values("value"), stretch)
    assert rounded(mean) == [2.0, None]
    assert (rounded(low), rounded(high)) == ([1.0, None], [3.0, None])
    assert rounded(columns.values("no such column")) == [None] * 8


def test_the_error_of_a_bins_mean_falls_with_the_root_of_its_rows():
    # Independent batches of one standard error s: the mean of k of them has s / sqrt(k).
    stretch = stretch_of(np.arange(1, 65.0), low=None, high=None, most=4)
    assert stretch.per_bin == 16
    assert binned_errors(np.full(64, 0.5), stretch) == pytest.approx(0.5 / 4)


def test_a_column_that_begins_late_is_missing_before():
    columns = GrowingColumns()
    columns.append(1, {"step": 1, "a": 1.0})
    columns.append(2, {"step": 2, "a": 2.0, "b": {"c": {"d": {"e": 1.0}}, "f": 5, "g": True, "h": 10**400}})
    assert rounded(columns.values("b/f")) == [None, 5.0]
    assert set(columns.columns) == {"step", "a", "b/f"}


def test_the_number_of_kinds_of_numbers_is_limited():
    columns = GrowingColumns()
    columns.append(1, {str(k): k for k in range(1000)})
    assert len(columns.columns) == 400
    assert columns.is_cut
