"""Rows of one group depend on each other: a group is one unit of evidence, exactly, whatever its size."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from equipoise.referee.bound import log_e_value, log_e_values
from equipoise.referee.groups import group_numbers, logits_of_log_means, logits_of_means, one_of_each

HEADS = 0.5
LOGITS = np.array([-1.5, 1.5])
SIZES = (1, 2, 4)
"""A group has one face, shown as often as its size says: rows of it could not depend on each other more."""


def laws_of_a_group(informative):
    """Probability, face and size of a group; whether large ones show one face more often."""
    for face, size in itertools.product((0, 1), SIZES):
        chance = 1 / len(SIZES)
        heads = (0.2 + 0.2 * SIZES.index(size)) if informative else HEADS
        yield chance * (heads if face else 1 - heads), face, size


@pytest.mark.parametrize("informative", [False, True], ids=["any size", "large groups differ"])
def test_groups_of_one_law_have_an_e_value_of_expectation_at_most_one_however_their_rows_depend(informative):
    expectation, as_rows = 0.0, 0.0
    for drawn in itertools.product(laws_of_a_group(informative), repeat=4):
        probability = math.prod(each[0] for each in drawn)
        sides = []
        for pair in (drawn[:2], drawn[2:]):
            faces = np.concatenate([np.full(size, face) for _, face, size in pair])
            numbers = np.concatenate([np.full(size, place) for place, (_, _, size) in enumerate(pair)])
            sides.append((LOGITS[faces], numbers))
        expectation += probability * math.exp(log_e_value(*(logits_of_means(*side) for side in sides)))
        as_rows += probability * math.exp(log_e_value(*(logits for logits, _ in sides)))
    assert expectation <= 1 + 1e-12
    # Taken for independent rows, the same samples would be called evidence of a difference that is not there.
    assert as_rows > 1.5


def test_a_group_has_the_mean_of_its_rows_in_the_order_in_which_it_is_met():
    logits = np.array([[0.0, 1.0], [2.0, -3.0], [-1.0, 0.5], [4.0, 6.0]])
    groups = np.array([7, 3, 7, 9])
    means = 1 / (1 + np.exp(-logits_of_means(logits, groups)))
    rows = 1 / (1 + np.exp(-logits))
    assert means == pytest.approx(np.array([(rows[0] + rows[2]) / 2, rows[1], rows[3]]))
    assert group_numbers(groups).tolist() == [0, 1, 0, 2]
    assert one_of_each(groups).tolist() == [0, 1, 3]
    assert logits_of_means(logits, None) is logits
    # Of several settings at once as of each alone.
    assert logits_of_means(logits[:, 1], groups) == pytest.approx(logits_of_means(logits, groups)[:, 1])


@pytest.mark.parametrize("is_real", [True, False])
def test_a_term_of_v_is_the_mean_over_the_group(is_real):
    logits, groups = np.array([-6.0, 6.0, 0.3, 2.0, 6.0]), np.array([0, 0, 1, 1, 2])
    sign = 1 if is_real else -1
    terms = -np.logaddexp(0, -sign * logits)
    found = -np.logaddexp(0, -sign * logits_of_log_means(logits, groups, is_real=is_real))
    assert found == pytest.approx([terms[:2].mean(), terms[2:4].mean(), terms[4]], rel=1e-9)


def test_a_group_makes_at_least_as_much_as_one_of_its_rows_drawn_at_random():
    stream = np.random.default_rng(0)
    logits, groups = stream.normal(1.0, 1.0, (60, 1)), np.repeat(np.arange(20), 3)
    others = stream.normal(-1.0, 1.0, (20, 1))
    drawn = [
        float(log_e_values(logits.reshape(20, 3, 1)[np.arange(20), picks], others)[0])
        for picks in stream.integers(0, 3, (400, 20))
    ]
    # 400 draws: the error of their mean is a twentieth of their deviation.
    assert float(log_e_values(logits_of_means(logits, groups), others)[0]) > np.mean(drawn) + 3 * np.std(drawn) / 20
