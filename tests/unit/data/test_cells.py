"""Cells of a column of numbers, which a network draws from as if they were categories."""

import numpy as np
import pytest
from scipy.special import ndtr

from equipoise.data.tables.cells import MOST_CELLS, cells_of
from equipoise.data.tables.quantile_transform import fit_quantiles


def column(kind):
    draws = np.random.default_rng(0)
    if kind == "smooth":
        return draws.standard_normal(5000)
    if kind == "one heap":
        return np.where(draws.random(5000) < 0.3, 0.0, draws.standard_normal(5000))
    if kind == "few values":
        return np.floor(draws.exponential(12, 5000))
    return np.round(draws.lognormal(0, 0.6, 5000), 2)  # several hundred values


def fitted(kind):
    values, counts = np.unique(column(kind), return_counts=True)
    return fit_quantiles(values, counts), values, counts


KINDS = ["smooth", "one heap", "few values", "hundreds of values"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_point_mass_is_cut_in_two(kind):
    numbers, values, counts = fitted(kind)
    borders = np.array(cells_of(numbers))
    heaps = values[counts >= 10]
    jitter = np.random.default_rng(1).random((50, len(heaps)))
    found = [np.searchsorted(borders, ndtr(numbers.encode(heaps, row)), side="right") for row in jitter]
    is_mass = np.isin(heaps, numbers.values[numbers.high > numbers.low])
    assert (np.array(found) == found[0])[:, is_mass].all()


@pytest.mark.parametrize("kind", KINDS)
def test_cells_are_in_order_and_no_more_than_a_thousandth_of_the_rows_unless_a_mass(kind):
    numbers, _, counts = fitted(kind)
    ends = np.array([0.0, *cells_of(numbers), 1.0])
    assert (np.diff(ends) > 0).all()
    assert np.diff(ends).max() <= max(2 / MOST_CELLS, 1.001 * counts.max() / counts.sum())


def test_each_of_a_few_values_has_a_cell_of_its_own():
    numbers, values, counts = fitted("few values")
    assert len(cells_of(numbers)) == len(values) - 1
    assert np.diff([0.0, *cells_of(numbers), 1.0]) == pytest.approx(counts / counts.sum())
