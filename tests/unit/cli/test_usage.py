"""Mistyped commands and options: exit code 2, the nearest name, no traceback."""

from __future__ import annotations

import pytest


def refused(outcome, *expected):
    assert outcome.code == 2, outcome.err
    assert "Traceback" not in outcome.err
    for text in expected:
        assert text in outcome.err
    return True


def test_a_misspelt_command_gets_the_nearest_name(equipoise):
    assert refused(equipoise("trian", "digits"), "trian", "train")


def test_a_misspelt_option_gets_the_nearest_name(equipoise):
    assert refused(equipoise("train", "digits", "--stps", "3"), "--stps", "--steps")


def test_a_missing_argument_is_named(equipoise):
    assert refused(equipoise("train"), "DATA")


def test_an_unknown_device_is_answered_with_the_known_ones(equipoise):
    assert refused(equipoise("train", "digits", "--device", "cuad"), "cuad", "cuda", "mps")


@pytest.mark.parametrize("steps", ["0", "-3", "many", "1.5"])
def test_steps_are_a_whole_number_above_zero(equipoise, steps):
    assert refused(equipoise("train", "digits", "--steps", steps), "--steps")


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf"])
def test_minutes_are_a_number_above_zero(equipoise, minutes):
    assert refused(equipoise("train", "digits", "--minutes", minutes), "--minutes")


@pytest.mark.parametrize("command", [("train", "digits"), ("resume", "runs/digits-1")])
def test_steps_and_minutes_exclude_each_other(equipoise, command):
    assert refused(equipoise(*command, "--steps", "3", "--minutes", "1"), "--steps, --minutes", "Leave one of them out")


@pytest.mark.parametrize("confidence", ["0", "1", "95", "nan"])
def test_confidence_is_a_probability(equipoise, confidence):
    assert refused(equipoise("judge", "a", "b", "--confidence", confidence), "--confidence")


@pytest.mark.parametrize("margin", ["0", "-0.1", "nan"])
def test_a_margin_is_a_positive_number(equipoise, margin):
    assert refused(equipoise("judge", "a", "b", "--margin", margin), "--margin")


def test_judge_needs_a_source_and_names_one_that_is_not_there(equipoise):
    assert refused(equipoise("judge"))
    assert refused(equipoise("judge", "a", "b", "c"), "a: there is no such file")
