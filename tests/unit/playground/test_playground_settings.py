"""What a page may set, and what is refused in words."""

from __future__ import annotations

import pytest

from equipoise.errors import ConfigError
from equipoise.playground.settings import LIMITS, Settings, choices


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gama": 1}, "Did you mean 'gamma'"),
        ({"objective": "hing"}, "Did you mean 'hinge'"),
        ({"gamma": "much"}, "no number"),
        ({"gamma": float("nan")}, "no number"),
        ({"batch_size": 2.5}, "no whole number"),
        ({"batch_size": True}, "no whole number"),
        ({"batch_size": 0}, "from 1 to 512"),
        ({"generator_rate": -1}, "from 0 to 2"),
        ({"update_rule": "simultaneous", "n_critic": 3}, "Set n_critic to 1"),
        ({"objective": ["x"]}, "no word"),
    ],
)
def test_a_setting_that_cannot_be_says_what_can(changes, words):
    with pytest.raises(ConfigError, match=words):
        Settings().changed(changes)


def test_every_limit_is_a_setting_and_holds_its_default():
    for name, (low, high) in LIMITS.items():
        assert low <= getattr(Settings(), name) <= high


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, known in choices().items() for value in known])
def test_every_choice_can_be_chosen(name, value):
    assert getattr(Settings().changed({name: value}), name) == value
