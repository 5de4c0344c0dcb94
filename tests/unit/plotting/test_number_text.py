"""Numbers, spans of time and tables as a person reads them."""

from __future__ import annotations

import pytest

from equipoise.plotting.number_text import duration, number, percent, text_table, time_of_day


def test_columns_line_up_whatever_their_cells_hold():
    table = text_table(("run", "step"), [("runs/a", "12"), ("runs/long", "3"), ("a\nb\x1b[2J", "4")])
    assert table.splitlines()[:3] == ["run          step", "runs/a       12", "runs/long    3"]
    assert "\x1b" not in table and len(table.splitlines()) == 4
    assert "abc…" in text_table(("name",), [("abcdef",)], longest=4)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1437, "1,437"),
        (-0.693147, "-0.6931"),
        (1e-5, "1e-5"),
        (123456.7, "123,457"),
        (None, "–"),
        (float("nan"), "–"),
        (True, "–"),
        ("3", "–"),
        (1e300, "1e+300"),
    ],
)
def test_numbers_are_written_as_people_read_them(value, text):
    assert number(value) == text


def test_times_of_day_have_seconds_where_there_are_any():
    assert [time_of_day(seconds) for seconds in (0.0, 32_700.0, 32_701.9, 86_399.0)] == [
        "00:00",
        "09:05",
        "09:05:01",
        "23:59:59",
    ]


def test_shares_and_durations_are_written_as_people_read_them():
    assert [percent(share) for share in (0.95, 0.975, 1.0, 0.5, None)] == ["95 %", "97.5 %", "100 %", "50 %", "–"]
    spans = [duration(seconds) for seconds in (0.4, 45, 130, 3_599.9, 7_200, 86_400 * 3, -1, None)]
    assert spans == ["0.4 s", "45 s", "2 min 10 s", "1 h", "2 h", "3 days", "–", "–"]
