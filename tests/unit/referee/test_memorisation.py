"""Copies of the training samples are found, few or many; narrow modes and coinciding rows are not taken for them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from equipoise.metrics.known import grid25
from equipoise.referee import judge
from equipoise.referee.checks.memorisation import near_copies
from equipoise.referee.classifiers import available


def finding(held_out, fake, *, train, kind="points"):
    quick = [available()["quadratic"]]
    verdict = judge(held_out, fake, kind=kind, checks=["memorisation"], classifiers=quick, real_train=train)
    (found,) = [each for each in verdict.findings if each.check == "memorisation"]
    return found


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training, held-out and fresh digits."""
    from sklearn.datasets import load_digits

    images = np.round(load_digits().images * 255 / 16).astype(np.uint8)[:, None]
    images = images[np.random.default_rng(0).permutation(len(images))]
    return images[:900], images[900:1300], images[1300:]


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_copied_digits_are_found_also_where_most_are_fresh(share):
    train, held_out, fresh = digits()
    copied = round(share * len(fresh))
    chosen = np.random.default_rng(1).choice(len(train), copied, replace=False)
    found = finding(held_out, np.concatenate([fresh[copied:], train[chosen]]), train=train, kind="images")
    assert found.is_problem and "look copied" in found.statement
    # Three quarters of the training part are compared with; 249 samples are scored: two deviations of a binomial share.
    assert found.numbers["near_copy_share"] == pytest.approx(0.75 * share, abs=0.06)


def test_fresh_digits_are_no_copies():
    train, held_out, fresh = digits()
    assert not finding(held_out, fresh, train=train, kind="images").is_problem


@pytest.mark.parametrize("width", [1.0, 0.5, 0.05])
def test_narrow_modes_are_nearer_to_the_training_part_and_no_copies_of_it(width):
    stream, grid = np.random.default_rng(0), grid25()
    train, held_out = grid.sample(4000, stream), grid.sample(1500, stream)
    found = finding(held_out, grid.widened(width).sample(4000, stream), train=train)
    assert not found.is_problem
    assert (found.numbers["copying_z_score"] < -3) == (width < 1)


def test_rows_of_levels_that_coincide_by_nature_are_no_copies_and_a_copied_table_is():
    stream = np.random.default_rng(0)

    def table(count: int) -> pd.DataFrame:
        return pd.DataFrame({name: stream.integers(0, 4, count) for name in "abc"}).astype(str)

    train = table(2000)
    assert not finding(table(800), table(2000), train=train, kind="table").is_problem
    rare = pd.DataFrame({name: stream.integers(0, 40, 2000) for name in "abc"})
    held_out = pd.DataFrame({name: stream.integers(0, 40, 800) for name in "abc"})
    assert finding(held_out, rare.sample(frac=1, random_state=0), train=rare, kind="table").is_problem


def test_the_base_rate_is_right_for_a_generator_that_saw_neither_part():
    stream, z_scores = np.random.default_rng(0), []
    for _ in range(60):
        fitted, held_out = stream.standard_normal((600, 3)), stream.standard_normal((200, 3))
        # A generator with a distribution of its own: narrower than the data, so that it has more neighbours than fresh
        # data.
        z_scores.append(near_copies(fitted, held_out, 0.4 * stream.standard_normal((300, 3))).z_score)
    # Both shares have the same expectation; they are few, so the standardised difference has spread of order 1.
    assert abs(np.mean(z_scores)) < 0.5
    assert max(z_scores) < 4
