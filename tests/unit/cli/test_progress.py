"""Progress: plain lines in a log, a bar on a terminal, silence on request; always on stderr."""

from __future__ import annotations

import io

import pytest

from equipoise.cli import progress
from equipoise.cli.progress import (
    Bar,
    Lines,
    Pace,
    injection_progress,
    live_text,
    rate_text,
    terminal_progress,
)
from equipoise.referee.sensitivity import MEASURED
from equipoise.training.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets by hand."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_display_suits_where_stderr_goes():
    assert isinstance(terminal_progress(stream=io.StringIO()), Lines)
    assert isinstance(terminal_progress(stream=Terminal()), Bar)
    assert type(terminal_progress(quiet=True, stream=Terminal())) is Progress


def test_the_pace_is_that_of_recent_steps_and_counts_from_the_resumed_step(clock):
    pace = Pace(total_steps=1000, start_step=400)
    clock.now += 10
    pace.mark(500)
    assert pace.steps_per_second == pytest.approx(10)
    assert pace.remaining_seconds == pytest.approx(50)


def test_before_the_first_step_nothing_is_forecast(clock):
    pace = Pace(total_steps=10, start_step=0)
    assert pace.steps_per_second is None
    assert pace.remaining_seconds is None


def test_live_fields_are_rate_value_with_its_error_and_time_left(clock):
    pace = Pace(total_steps=100, start_step=0)
    clock.now += 1
    pace.mark(50)
    text = live_text({"value": -0.69314, "value_standard_error": 0.0012}, pace)
    assert text == "50 step/s  value -0.6931 +- 0.0012  1.0 s left"


def test_the_speed_that_is_shown_is_the_one_that_the_time_left_follows_from(clock):
    pace = Pace(total_steps=100, start_step=0)
    clock.now += 20
    pace.mark(50)
    assert live_text({"steps_per_second": 40.0}, pace) == "2.5 step/s  20 s left"
    assert live_text({"steps_per_second": 40.0}, Pace(total_steps=100, start_step=0)) == "40 step/s"


def test_a_log_gets_a_line_every_ten_seconds_and_one_at_the_end(clock):
    log = io.StringIO()
    lines = Lines(log)
    lines.start(105, 0, "digits")
    for step in range(1, 106):
        clock.now += 1
        lines.update(step, {"value": -0.7})
    lines.close()
    told = log.getvalue().splitlines()
    assert told[0] == "digits: steps 0 to 105"
    # 105 steps of one second, a line every 10: steps 10, 20 ... 100, and the last.
    assert len(told) == 1 + 10 + 1
    assert told[-1].startswith("digits: step 105 of 105  1.0 step/s  value -0.7000")


def test_slow_steps_are_told_in_seconds_per_step():
    assert [rate_text(rate) for rate in (1234.4, 9.96, 0.25)] == ["1,234 step/s", "10.0 step/s", "4.0 s/step"]


def test_silence_says_nothing(capsys):
    silent = terminal_progress(quiet=True)
    silent.start(10, 0, "digits")
    silent.update(1, {})
    silent.message("a note")
    silent.close()
    assert capsys.readouterr() == ("", "")


def test_the_bar_writes_to_stderr_only_and_can_be_closed_twice(capsys):
    bar = Bar()
    bar.message("before the start")
    bar.start(10, 0, "digits")
    bar.update(5, {"value": -0.7})
    bar.message("a [bracket] stays as it is")
    bar.close()
    bar.close()
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "before the start" in printed.err and "a [bracket] stays as it is" in printed.err


def test_the_trend_and_the_referees_last_word_are_shown_beside_the_value(clock):
    pace = Pace(total_steps=100, start_step=0)
    fields = {"value": -0.69314, "referee": "distinguished, at least 0.210 nats", "trend": "improving"}
    assert live_text(fields, pace) == "value -0.6931  referee distinguished, at least 0.210 nats  trend improving"


def test_injection_is_told_once_for_each_kind_in_a_log_and_on_one_line_of_a_terminal():
    for is_terminal in (False, True):
        stream = io.StringIO()
        stream.isatty = lambda is_terminal=is_terminal: is_terminal
        with injection_progress(stream=stream) as tell:
            for trials, kind in enumerate(["shift", "shift", "noise"]):
                tell(MEASURED.format(kind), trials)
        said = stream.getvalue()
        assert said.count("\n") == (0 if is_terminal else 2) and said.count("\r") == (4 if is_terminal else 0)
        assert "measuring sensitivity: injecting 'noise' (2 so far, " in said
    with injection_progress(quiet=True, stream=stream) as tell:
        tell("shift", 0)
    assert stream.getvalue() == said
