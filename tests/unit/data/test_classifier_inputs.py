"""What classifiers read of a column of numbers."""

import numpy as np
import pytest

from equipoise.data.judging import STANDARD_LIMIT
from equipoise.data.tables.classifier_inputs import measured_points, table_preparation


@pytest.mark.parametrize("are_swapped", [False, True])
def test_a_side_in_one_place_leaves_the_other_as_wide_as_it_is(are_swapped):
    # Standardised by the narrow side alone, nine tenths of the wide one would lie at the limit.
    stream = np.random.default_rng(0)
    wide, narrow = stream.normal(size=(500, 1)), 0.01 * stream.normal(size=(500, 1))
    sides = [measured_points(side) for side in ((narrow, wide) if are_swapped else (wide, narrow))]
    numbers = table_preparation(*sides)(measured_points(wide)).numbers[:, 0]
    assert np.abs(numbers).max() < STANDARD_LIMIT
    assert numbers.std() == pytest.approx(1, rel=0.2)  # quartiles of 500 rows: a standard error of 5 %


def test_far_outliers_of_one_side_do_not_press_the_other_into_a_point():
    stream = np.random.default_rng(1)
    plain, torn = stream.normal(size=(500, 1)), stream.normal(size=(500, 1))
    torn[:5] = 1e6
    numbers = table_preparation(measured_points(plain), measured_points(torn))(measured_points(plain)).numbers[:, 0]
    assert numbers.std() == pytest.approx(1, rel=0.2)
