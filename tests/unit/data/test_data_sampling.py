from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.data import WeightedDraws, balancing_weights, batch_indices
from equipoise.errors import DataError


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**63 - 1),
    draw=st.integers(0, 500),
    batch_size=st.integers(1, 60),
    rows=st.integers(1, 50),
    processes=st.integers(1, 9),
    is_weighted=st.booleans(),
)
def test_any_number_of_processes_draws_the_same_batch(seed, draw, batch_size, rows, processes, is_weighted):
    weights = np.arange(1, rows + 1) if is_weighted else None
    whole = batch_indices(seed=seed, draw=draw, batch_size=batch_size, rows=rows, weights=weights)
    assert whole.shape == (batch_size,) and whole.dtype == np.int64 and (0 <= whole).all() and (whole < rows).all()
    for rank in range(processes):
        own = batch_indices(
            seed=seed, draw=draw, batch_size=batch_size, rows=rows, rank=rank, processes=processes, weights=weights
        )
        assert (own == whole[rank::processes]).all()


@settings(deadline=None)
@given(seed=st.integers(0, 1000), batch_size=st.integers(1, 70), rows=st.integers(1, 40))
def test_every_epoch_has_every_row_once(seed, batch_size, rows):
    draws = -(-2 * rows // batch_size)
    sequence = np.concatenate(
        [batch_indices(seed=seed, draw=draw, batch_size=batch_size, rows=rows) for draw in range(draws)]
    )
    for epoch in range(2):
        assert sorted(sequence[epoch * rows : (epoch + 1) * rows]) == list(range(rows))


def test_epochs_and_seeds_have_orders_of_their_own():
    def order(seed, epoch):
        return batch_indices(seed=seed, draw=epoch, batch_size=100, rows=100).tolist()

    assert order(0, 0) != order(0, 1) and order(0, 0) != order(1, 0) and order(0, 1) != order(1, 0)


def test_a_draw_does_not_depend_on_what_was_drawn_before():
    later = batch_indices(seed=3, draw=1000, batch_size=7, rows=50)
    for draw in range(5):
        batch_indices(seed=3, draw=draw, batch_size=7, rows=50)
    assert (batch_indices(seed=3, draw=1000, batch_size=7, rows=50) == later).all()


def test_changing_a_batch_does_not_change_the_next_one():
    first = batch_indices(seed=0, draw=0, batch_size=10, rows=10)
    first[:] = -1
    assert (batch_indices(seed=0, draw=0, batch_size=10, rows=10) >= 0).all()


def test_weighted_draws_follow_the_weights():
    weights = np.array([0.0, 1.0, 3.0, 0.0])
    draws = WeightedDraws(weights, seed=0)
    counts = np.bincount(np.concatenate([draws.indices(draw=k, batch_size=1000) for k in range(20)]), minlength=4)
    assert counts[0] == counts[3] == 0
    assert abs(counts[2] / 20_000 - 0.75) < 5 * np.sqrt(0.75 * 0.25 / 20_000)  # five standard errors


def test_balancing_weights_draw_every_class_equally_often():
    labels = np.array([0] * 90 + [1] * 10)
    rows = WeightedDraws(balancing_weights(labels), seed=0).indices(draw=0, batch_size=20_000)
    assert abs(labels[rows].mean() - 0.5) < 5 * 0.5 / np.sqrt(20_000)  # five standard errors


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [1, np.nan], [1, np.inf], [[1, 2]]])
def test_weights_that_make_no_sense_are_refused(weights):
    with pytest.raises(DataError, match="sample weights"):
        WeightedDraws(np.array(weights), seed=0)
