"""The classifier of values that were met before."""

import numpy as np

from equipoise.data.domain import domain_of
from equipoise.referee.classifiers.values import fit_values


def test_values_of_more_columns_than_it_reads_are_scored_by_those_that_it_does():
    stream, domain = np.random.default_rng(0), domain_of("points")
    sides = [stream.standard_normal((60, 64)) for _ in range(2)]
    sides[1][:, 0] = 7.0  # one column that tells the sides apart
    rows = [domain.preparation(*sides)(side) for side in sides]
    scores = [fit_values(*rows, seed=0)(each) for each in rows]
    assert scores[0].mean() > 0 > scores[1].mean()
