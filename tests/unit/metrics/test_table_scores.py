"""Scores of columns, pairs and whole rows, against closed forms."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from equipoise.data.tables.classifier_inputs import measured
from equipoise.metrics.tables.auc import (
    auc,
    auc_estimate,
    difference_of_shares,
    mean_auc,
    share_estimate,
    weighted_auc,
)
from equipoise.metrics.tables.boosted_trees import column_aucs, two_sample_auc
from equipoise.metrics.tables.pairs import (
    association,
    binned,
    contingency_similarity,
    correlation_ratio,
    correlation_similarity,
    cramers_v,
    pairs,
    pearson,
)
from equipoise.metrics.tables.shapes import ks_complement, mean_score, shapes, tv_complement


@pytest.fixture
def stream():
    return np.random.default_rng(0)


def both(real: dict, fake: dict):
    """Two tables whose levels have the same codes."""
    sides = [pd.DataFrame(real), pd.DataFrame(fake)]
    table = measured(pd.concat(sides, ignore_index=True))
    count = len(sides[0])
    return table[np.arange(count)], table[np.arange(count, len(table))]


def test_ks_complement_is_one_for_the_same_values_a_half_for_half_shifted_ones_and_zero_for_disjoint_ones():
    values = np.arange(100.0)
    assert ks_complement(values, values) == 1
    assert ks_complement(values, values + 50) == ks_complement(values + 50, values) == pytest.approx(0.5)
    assert ks_complement(values, values + 100) == 0


def test_ks_complement_leaves_missing_values_out_and_is_unknown_without_any_value():
    values = np.arange(100.0)
    assert ks_complement(np.append(values, np.nan), values) == 1
    assert np.isnan(ks_complement(np.full(5, np.nan), values))


def test_tv_complement_of_a_fair_coin_and_one_of_a_quarter_is_three_quarters():
    assert tv_complement(np.array([0, 1]), np.array([0, 1, 1, 1])) == pytest.approx(0.75)


def test_missing_is_a_level_of_its_own_and_a_gap_among_numbers_is_only_counted():
    real, fake = both({"a": ["x", None], "b": [1.0, np.nan]}, {"a": ["x", "x"], "b": [1.0, 1.0]})
    of_levels, of_numbers = shapes(real, fake)
    assert (of_levels.metric, of_levels.score) == ("TVComplement", 0.5)
    assert (of_numbers.metric, of_numbers.score, of_numbers.real_missing) == ("KSComplement", 1.0, 0.5)


def test_a_mean_score_leaves_out_what_could_not_be_measured():
    assert mean_score([1.0, float("nan"), 0.5]) == 0.75


def test_opposite_correlations_are_not_similar_at_all_and_one_beside_none_is_half_similar():
    assert correlation_similarity(1.0, -1.0) == 0
    assert correlation_similarity(1.0, 0.0) == 0.5
    assert correlation_similarity(0.3, 0.3) == 1


def test_a_perfect_relation_of_two_coins_is_half_similar_to_none():
    # Shares 1/2, 0, 0, 1/2 and 1/4 each: the total variation distance is 1/2.
    tied = np.array([0, 1]), np.array([0, 1])
    free = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    assert contingency_similarity(tied, free) == pytest.approx(0.5)
    assert contingency_similarity(free, free) == 1


def test_contingency_similarity_is_the_same_when_cells_are_too_many_to_be_counted_one_by_one(stream):
    codes = [stream.integers(0, 5, size=(2, 400)) for _ in range(2)]
    few = contingency_similarity(*(tuple(side) for side in codes))
    assert contingency_similarity(*(tuple(side * 1000) for side in codes)) == pytest.approx(few)


def test_bins_come_from_the_real_side_and_values_beyond_them_are_codes_of_their_own():
    real, fake = both({"x": np.linspace(0, 10, 11)}, {"x": [-1.0, 0.0, 9.5, 10.0, 11.0]})
    own, other = binned(real.columns["x"], fake.columns["x"])
    assert list(own) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10]  # the last bin has its upper edge, as numpy's histogram
    assert list(other) == [0, 1, 10, 10, 11]


def test_cramers_v_is_one_for_a_copy_and_zero_for_a_table_of_products():
    codes = np.array([0, 1, 2] * 20)
    assert cramers_v(codes, codes) == pytest.approx(1)
    one, other = (part.ravel() for part in np.meshgrid(np.arange(3), np.arange(4)))
    assert cramers_v(one, other) == 0


def test_the_correction_of_cramers_v_leaves_little_of_chance(stream):
    # Without it 20 x 20 levels of 500 rows have a V of about sqrt(19 / 500) = 0.19 by chance.
    found = [cramers_v(*stream.integers(0, 20, size=(2, 500))) for _ in range(20)]
    assert np.mean(found) < 0.06


def test_the_correlation_ratio_is_the_root_of_the_variance_between_levels():
    codes, inside = np.array([0, 0, 1, 1]), np.array([-1.0, 1.0, -1.0, 1.0])
    assert correlation_ratio(codes, codes * 7.0) == pytest.approx(1)
    assert correlation_ratio(codes, inside) == pytest.approx(0)
    # Level means at -1 and 1, and 1 to either side of them: variance 1 between, 1 within.
    assert correlation_ratio(codes, (2 * codes - 1) + inside) == pytest.approx(np.sqrt(0.5))


def test_pearson_uses_the_rows_that_have_both_numbers_and_is_unknown_for_a_constant():
    one = np.array([1.0, 2.0, 3.0, np.nan])
    assert pearson(one, np.array([2.0, 4.0, 6.0, 0.0])) == pytest.approx(1)
    assert np.isnan(pearson(one, np.ones(4)))


def test_each_kind_of_pair_is_measured_by_what_suits_it(stream):
    columns = {"n": stream.normal(size=50), "m": stream.normal(size=50), "l": ["a", "b"] * 25, "k": ["c", "d"] * 25}
    real, fake = both(columns, columns)
    found = {pair.columns: pair for pair in pairs(real, fake, names=tuple(columns))}
    assert {pair.score for pair in found.values()} == {1.0}
    assert (found["n", "m"].metric, found["n", "m"].measure) == ("CorrelationSimilarity", "Pearson")
    assert (found["n", "l"].metric, found["n", "l"].measure) == ("ContingencySimilarity", "correlation ratio")
    assert (found["l", "k"].metric, found["l", "k"].measure) == ("ContingencySimilarity", "Cramer's V")
    assert association(real.columns["l"], real.columns["k"])[1] == pytest.approx(1)


def test_the_auc_of_two_normals_is_that_of_their_distance(stream):
    shift = 0.8
    found = auc_estimate(stream.normal(shift, size=4000), stream.normal(size=4000))
    truth = NormalDist().cdf(shift / np.sqrt(2))
    assert found.low < truth < found.high
    assert found.high - found.low < 0.03


def test_ties_count_half():
    assert auc(np.ones(3), np.ones(4)) == 0.5
    assert auc(np.array([1.0, 2.0]), np.array([1.0])) == 0.75


def test_nineteen_of_twenty_intervals_hold_the_true_auc(stream):
    truth = NormalDist().cdf(1 / np.sqrt(2))
    trials = [auc_estimate(stream.normal(1, size=80), stream.normal(size=80)) for _ in range(400)]
    share = np.mean([trial.low <= truth <= trial.high for trial in trials])
    assert share > 0.95 - 4 * np.sqrt(0.05 * 0.95 / 400)


def test_folds_are_averaged_and_their_errors_shrink_with_their_number(stream):
    folds = [(stream.normal(1, size=200), stream.normal(size=200)) for _ in range(4)]
    each, together = [auc_estimate(*fold) for fold in folds], mean_auc(folds)
    assert together.value == pytest.approx(np.mean([fold.value for fold in each]))
    width = np.sqrt(np.mean([(fold.high - fold.low) ** 2 for fold in each]))
    assert together.high - together.low == pytest.approx(width / 2, rel=0.02)


def test_a_weighted_auc_is_that_of_rows_repeated_as_often(stream):
    scores, weights = np.sort(stream.integers(0, 6, size=30)).astype(float), stream.integers(0, 4, size=30)
    is_positive = stream.random(30) < 0.5
    repeated, sides = np.repeat(scores, weights), np.repeat(is_positive, weights)
    expected = auc(repeated[sides], repeated[~sides])
    assert weighted_auc(scores, is_positive, weights.astype(float)) == pytest.approx(expected)


def test_wilsons_interval_of_no_hits_in_n_ends_at_its_closed_form():
    z = NormalDist().inv_cdf(0.975)
    found = share_estimate(np.zeros(100))
    assert (found.value, found.low) == (0.0, pytest.approx(0, abs=1e-12))
    assert found.high == pytest.approx(z**2 / (100 + z**2))


def test_the_difference_of_equal_shares_has_zero_inside_and_of_all_and_none_lies_near_one():
    some = np.array([0.0, 1.0] * 50)
    same, apart = difference_of_shares(some, some), difference_of_shares(np.ones(100), np.zeros(100))
    assert same.low < 0 < same.high
    assert apart.value == 1
    assert 0.9 < apart.low < 1


def test_boosted_trees_guess_between_sides_of_one_law_and_see_a_relation_that_no_column_shows(stream):
    def rows(tied: bool):
        one = stream.normal(size=1500)
        return {"a": one, "b": one + 0.1 * stream.normal(size=1500) if tied else stream.permutation(one)}

    real, same = both(rows(True), rows(True))
    _, broken = both(rows(True), rows(False))
    assert two_sample_auc(real, same, seed=0).low < 0.53
    assert two_sample_auc(real, broken, seed=0).low > 0.9
    alone = column_aucs(real, broken, seed=0)
    assert max(found.low for found in alone.values()) < 0.55


def test_a_column_alone_is_told_by_its_levels_and_by_its_gaps(stream):
    count = 2000
    real = {"l": stream.choice(["x", "y"], count, p=[0.5, 0.5]), "g": np.ones(count), "same": np.ones(count)}
    fake = {"l": stream.choice(["x", "y"], count, p=[0.9, 0.1]), "g": np.where(stream.random(count) < 0.5, np.nan, 1.0)}
    found = column_aucs(*both(real, {**fake, "same": np.ones(count)}), seed=0)
    # Telling by one level of shares p and q, the AUC is 1/2 + |p - q| / 2.
    assert found["l"].value == pytest.approx(0.7, abs=0.03)
    assert found["g"].value == pytest.approx(0.75, abs=0.03)
    assert found["same"].value == 0.5


def test_too_few_rows_for_trees_are_not_scored(stream):
    real, fake = both({"a": stream.normal(size=60)}, {"a": stream.normal(size=60)})
    assert np.isnan(two_sample_auc(real, fake, seed=0).value)
    assert np.isnan(column_aucs(real, fake, seed=0)["a"].value)
