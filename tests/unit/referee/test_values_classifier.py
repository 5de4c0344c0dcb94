"""The classifier of values that were met before."""

import numpy as np
import pytest

from equipoise.data.domain import domain_of
from equipoise.referee.classifiers.values import fit_values


def test_values_of_more_columns_than_it_reads_are_scored_by_those_that_it_does():
    stream, domain = np.random.default_rng(0), domain_of("points")
    sides = [stream.standard_normal((60, 64)) for _ in range(2)]
    sides[1][:, 0] = 7.0  # one column that tells the sides apart
    rows = [domain.preparation(*sides)(side) for side in sides]
    scores = [fit_values(*rows, seed=0)(each) for each in rows]
    assert scores[0].mean() > 0 > scores[1].mean()


@pytest.mark.parametrize("counts", [(61, 61), (64, 83), (20, 300)])
def test_a_value_that_all_rows_share_tells_nothing_of_their_side(counts):
    # Folds are of unlike sizes, and so are counts of the value in the other folds: of every side the same few.
    domain = domain_of("points")
    sides = [np.full((count, 2), 3.0) for count in counts]
    rows = [domain.preparation(*sides)(side) for side in sides]
    score = fit_values(*rows, seed=0)
    assert all(np.array_equal(score(each), np.zeros((len(each.exact), 2))) for each in rows)
