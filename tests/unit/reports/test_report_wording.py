"""Moments and the state of a run, as a person reads them."""

from __future__ import annotations

from equipoise.reports.rendering import prose
from equipoise.reports.wording import moment, silence, state_phrase


def test_moments_are_written_as_people_read_them():
    assert moment(0) == "1970-01-01 00:00 UTC"
    assert moment("yesterday") == "yesterday"
    assert moment(1e300) == "–"


def test_only_a_run_that_says_it_trains_and_was_silent_for_long_is_doubted():
    status = {"state": "training", "updated": 1_000.0}
    assert silence(status, now=1_010.0) is None
    assert state_phrase(status, now=1_000.0 + 7_200) == "training (no sign of life for 2 h)"
    assert state_phrase({**status, "state": "finished"}, now=1e9) == "finished"
    assert state_phrase({}, now=0.0) == "unknown"


def test_names_in_backticks_are_set_as_names_and_everything_is_escaped():
    shown = str(prose("the shares of `<b>age</b>` & `job`; a ` alone"))
    assert shown == "the shares of <code>&lt;b&gt;age&lt;/b&gt;</code> &amp; <code>job</code>; a ` alone"
