"""Batches that run evenly through the data: every row equally often by enumeration, and an order of neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.data.kd_order import kd_order
from equipoise.data.sampler import StratifiedDraws


@settings(deadline=None)
@given(rows=st.integers(1, 40), batch_size=st.integers(1, 60))
def test_every_row_comes_equally_often(rows, batch_size):
    """Enumerated: the uniform number runs through the middles of `rows` equal parts of [0, 1). Stretch i and part k
    give row floor((i rows + k + 1/2) / batch): each row batch times, whatever the two sizes."""
    draws = StratifiedDraws(np.arange(rows), seed=0)
    counts = np.zeros(rows, dtype=int)
    for part in range(rows):
        np.add.at(counts, draws.places(np.full(batch_size, (part + 0.5) / rows)), 1)
    assert counts.tolist() == [batch_size] * rows


def test_with_weights_every_row_comes_in_proportion_to_its_own():
    weights = np.array([3, 0, 1, 4, 2, 0])
    order = np.array([5, 3, 1, 0, 4, 2])
    draws = StratifiedDraws(order, weights=weights, seed=0)
    counts = np.zeros(6, dtype=int)
    for part in range(10):
        places = draws.places(np.full(7, (part + 0.5) / 10))
        np.add.at(counts, draws._order[places], 1)
    assert counts.tolist() == (7 * weights).tolist()


@settings(deadline=None)
@given(seed=st.integers(0, 100), draw=st.integers(0, 1000), rows=st.integers(1, 50), batch_size=st.integers(1, 60))
def test_a_batch_has_one_row_of_each_stretch_in_random_order(seed, draw, rows, batch_size):
    found = StratifiedDraws(np.arange(rows), seed=seed).indices(draw=draw, batch_size=batch_size)
    ordered = np.sort(found)
    low = np.floor(np.arange(batch_size) * rows / batch_size)
    high = np.ceil((np.arange(batch_size) + 1) * rows / batch_size) - 1
    assert (ordered >= low).all() and (ordered <= high).all()
    assert (found == StratifiedDraws(np.arange(rows), seed=seed).indices(draw=draw, batch_size=batch_size)).all()


def test_pairs_of_a_batch_are_at_random():
    """A pairing game compares entry i of both sides: the order of the stretches must not meet that of the latents."""
    draws = StratifiedDraws(np.arange(1000), seed=0)
    first = np.mean([draws.indices(draw=draw, batch_size=100)[0] for draw in range(400)])
    # Uniform on 0 to 999: mean 499.5, error of a mean of 400 is 14.4; four of these.
    assert first == pytest.approx(499.5, abs=58)


@settings(deadline=None, max_examples=30)
@given(
    rows=st.integers(1, 300),
    dimensions=st.integers(1, 4),
    stretches=st.integers(1, 64),
    kind=st.sampled_from(["normal", "constant", "lattice", "outlier"]),
)
def test_the_order_has_every_row_once_whatever_the_rows(rows, dimensions, stretches, kind):
    points = np.random.default_rng(0).normal(size=(rows, dimensions))
    if kind == "constant":
        points[:, 0] = 1.0
    elif kind == "lattice":
        points = np.round(points)
    elif kind == "outlier":
        points[0] = 1e6
    order = kd_order(points, stretches=stretches)
    assert sorted(order) == list(range(rows))
    assert (order == kd_order(points, stretches=stretches)).all()


def test_in_one_dimension_the_stretches_are_those_of_the_sorted_rows():
    points = np.random.default_rng(0).normal(size=(1000, 1))
    blocks = np.sort(kd_order(points, stretches=8).reshape(8, 125), axis=1)
    assert (blocks == np.sort(np.argsort(points[:, 0]).reshape(8, 125), axis=1)).all()


def test_the_mean_of_a_batch_varies_less_than_that_of_rows_at_random():
    """Stratified sampling loses the variance between stretches (Cochran 1977, Eq. 5.8): what is left of the variance of
    a mean is that within the stretches. On a uniform square cut into 64 equal cells it is 1/64 of the whole."""
    points = np.random.default_rng(0).uniform(size=(65_536, 2))
    draws = StratifiedDraws(kd_order(points, stretches=64), seed=0)
    means = np.array([points[draws.indices(draw=draw, batch_size=64)].mean(axis=0) for draw in range(400)])
    # Variance of a mean of 64 rows at random: 1/12/64. A variance from 400 draws is known to sqrt(2/400) = 7 %, and the
    # cells follow quantiles of random rows, which are not quite equal: 30 % covers both.
    assert means.var(axis=0) == pytest.approx(np.full(2, 1 / 12 / 64 / 64), rel=0.3)
