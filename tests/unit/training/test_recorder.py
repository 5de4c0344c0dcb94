"""When the picture of real rows is drawn: with the first samples, which it stands beside, and not before the first
step."""

from types import SimpleNamespace

import pytest

from equipoise.runfolder import RunFolder
from equipoise.training.events import Ended, Measured, SamplesDue
from equipoise.training.recorder import Recorder, SampleGrids


@pytest.fixture
def recorded(tmp_path):
    """What a recorder asks to be drawn, as a function of the events that it is told."""
    drawn = []
    grids = SimpleNamespace(write_real=lambda: drawn.append("real"), write=lambda state: drawn.append(state))
    listener = SimpleNamespace(update=lambda *_: None, message=lambda *_: None)
    recorder = Recorder(RunFolder(tmp_path), grids, progress=listener)

    def told(*events):
        drawn.clear()
        for event in events:
            recorder(event)
        return list(drawn)

    return told


def test_real_rows_are_drawn_with_the_first_samples_and_not_before(recorded):
    step = Measured(1, {"step": 1, "value": -1.0, "steps_per_second": 1.0})
    assert recorded(step) == []
    assert recorded(step, SamplesDue(1, "state")) == ["real", "state"]


def test_a_run_that_ends_before_its_first_samples_has_the_real_ones(recorded):
    assert recorded(Ended(3, False)) == ["real"]


def test_they_are_drawn_once(tmp_path):
    saved = []

    def save(values, path, **_):
        saved.append(values)
        path.parent.mkdir(exist_ok=True)
        path.touch()

    domain = SimpleNamespace(shown=lambda part, by_class: part, save_shown=save)
    data = SimpleNamespace(domain=domain, shown_part=lambda name: name)
    grids = SampleGrids(RunFolder(tmp_path), data, seed=0, conditional=False)
    grids.write_real()
    grids.write_real()
    assert saved == ["train"]
