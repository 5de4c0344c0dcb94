"""Options and values of version 0.1.0 are understood, and told of once each on stderr."""

from __future__ import annotations

import pytest

from equipoise.cli.old_options import OPTIONS, VALUES, with_standard_names


@pytest.mark.parametrize(
    ("typed", "meant", "notes"),
    [
        (["judge", "a", "b", "--resolution", "floor"], ["judge", "a", "b", "--sensitivity", "theoretical"], 2),
        (["judge", "a", "b", "--resolution=screen"], ["judge", "a", "b", "--sensitivity=quick"], 1),
        (["judge", "a", "b", "--sensitivity", "screen"], ["judge", "a", "b", "--sensitivity", "quick"], 1),
        (["judge", "floor", "screen"], ["judge", "floor", "screen"], 0),
        (["train", "digits", "--set", "play.steps=3"], ["train", "digits", "--set", "play.steps=3"], 0),
    ],
)
def test_old_options_become_todays_with_a_note(typed, meant, notes, capsys):
    assert with_standard_names(typed) == meant
    assert capsys.readouterr().err.count("is now") == notes


def test_every_old_option_leads_to_one_that_there_is():
    import typer

    from equipoise.cli.main import app

    commands = typer.main.get_command(app).commands
    known = {option for command in commands.values() for parameter in command.params for option in parameter.opts}
    assert set(OPTIONS.values()) | set(VALUES) <= known


def test_an_old_setting_on_the_command_line_is_told_as_a_plain_line(equipoise, tmp_path):
    import numpy as np

    np.save(tmp_path / "points.npy", np.random.default_rng(0).normal(size=(60, 2)))
    settings = ("--set", "play.batch_size=8", "--set", "looks.count=0")
    outcome = equipoise("train", tmp_path / "points.npy", "--steps", 3, "--dry-run", *settings)
    assert outcome.code == 0, outcome.err
    assert "note: --set play.batch_size=8: 'play' is now 'training'." in outcome.err
    assert "note: --set looks.count=0: 'looks' is now 'evaluations'." in outcome.err
    assert "batch_size: 8" in outcome.out
