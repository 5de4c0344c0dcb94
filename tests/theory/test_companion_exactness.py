"""The companion's p-value against enumeration of all relabellings, false alarms, and power beside Hotelling's."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from equipoise.data.domain import domain_of
from equipoise.referee.companion import companion_test, permutation_test
from equipoise.referee.companion.maximum import permutation_p_value, scores_of
from equipoise.referee.companion.permuting import label_sums, sums_under
from equipoise.referee.companion.statistics import Family, standardised

POINTS, TABLE = domain_of("points"), domain_of("table")


def companion_of(real, fake, *, domain=POINTS, level=0.05, seed=0, **options):
    return companion_test(real, fake, domain=domain, level=level, seed=seed, **options)


def labellings(count, real_count):
    """Every way to call `real_count` of the samples real. Shape `(ways, count)`, bool."""
    return np.array([np.isin(np.arange(count), real) for real in combinations(range(count), real_count)])


def p_values_of_all_labellings(samples, real_count, seeds=4):
    return np.array(
        [
            companion_of(samples[is_real], samples[~is_real], seed=seed, permutations=199).p_value
            for is_real in labellings(len(samples), real_count)
            for seed in range(seeds)
        ]
    )


@pytest.mark.parametrize("real_count", [4, 3])
@pytest.mark.parametrize("is_tied", [False, True])
def test_over_all_relabellings_of_the_same_samples_p_values_are_uniform_or_larger(real_count, is_tied):
    samples = np.random.default_rng(3).standard_normal((8, 2))
    p_values = p_values_of_all_labellings(np.round(samples) if is_tied else samples, real_count, seeds=1)
    for level in (0.05, 0.1, 0.25, 0.5):
        # Exactly at most the level in expectation over permutations; 56 or more p-values leave three deviations.
        assert np.mean(p_values <= level) <= level + 3 * np.sqrt(level * (1 - level) / len(p_values))


def test_a_feature_that_was_fitted_with_labels_fails_that_enumeration(monkeypatch):
    samples = np.random.default_rng(3).standard_normal((8, 5))
    found = []
    for is_real in labellings(8, 4):

        def knowing(shuffled, domain, stream, is_real=is_real):
            # The direction between the sides' means, which no permutation gets for itself.
            direction = samples[is_real].mean(axis=0) - samples[~is_real].mean(axis=0)
            return [Family("fitted", (shuffled @ direction)[:, None], np.ones(1), lambda *_: None)]

        monkeypatch.setattr(permutation_test, "families_of", knowing)
        monkeypatch.setattr(permutation_test, "_differences", lambda *_: ())
        found.append(companion_of(samples[is_real], samples[~is_real], permutations=199).p_value)
    # Along a direction chosen by them, the labels rank among the most extreme far too often.
    assert np.mean(np.array(found) <= 0.1) > 0.1 + 3 * np.sqrt(0.1 * 0.9 / len(found))


def test_the_p_value_is_the_rank_among_all_labellings_where_these_are_all_there_is():
    samples, ways = np.random.default_rng(1).standard_normal((8, 2)), labellings(8, 4)
    families, features = permutation_test._that_vary(
        permutation_test.families_of(samples, POINTS, np.random.default_rng(0))
    )
    maxima = scores_of(families, sums_under(ways, features), np.zeros(features.shape[1])).max(axis=1)
    exact = np.array([np.mean(maxima >= maximum - 1e-4) for maximum in maxima])
    # Half of the labellings mirror the other half, so that no p-value is below 2 / 70.
    assert exact.min() >= 2 / len(ways)
    assert all(np.mean(exact <= level) <= level + 1e-12 for level in np.unique(exact))
    drawn = maxima[np.r_[0, np.random.default_rng(2).integers(len(ways), size=4000)]]
    assert permutation_p_value(drawn) == pytest.approx(exact[0], abs=4 * 0.5 / np.sqrt(4000))


@pytest.mark.parametrize(("real_count", "fake_count"), [(40, 90), (4000, 4000)])
def test_sums_over_permuted_labels_have_mean_0_and_deviation_1(real_count, fake_count):
    features, _ = standardised(np.random.default_rng(0).standard_normal((real_count + fake_count, 6)))
    is_real = np.random.default_rng(1).permutation(real_count + fake_count) < real_count
    sums = label_sums(features, is_real, permutations=999, stream=np.random.default_rng(2))
    direct = features[is_real].mean(axis=0) - features[~is_real].mean(axis=0)
    # Whatever the permutations, row 0 is the difference of the sides' means, in its own standard errors.
    assert sums[0] == pytest.approx(direct / np.sqrt(1 / real_count + 1 / fake_count), rel=0.06)
    assert sums[1:].mean(axis=0) == pytest.approx(0, abs=4 / np.sqrt(999))
    assert sums[1:].std(axis=0) == pytest.approx(1, abs=4 / np.sqrt(2 * 999))


def few_levels(stream, count):
    return pd.DataFrame(
        {
            "a": stream.choice(["x", "y", "z"], count, p=[0.9, 0.07, 0.03]),
            "b": np.floor(stream.exponential(2.0, count)),
            "c": np.where(stream.random(count) < 0.1, np.nan, stream.standard_normal(count)),
        }
    )


@pytest.mark.parametrize("sizes", [(60, 60), (25, 200)])
def test_false_alarms_stay_within_the_level_with_ties_gaps_and_unlike_sizes(sizes):
    alarms = 0
    for trial in range(100):
        stream = np.random.default_rng(trial)
        real, fake = (few_levels(stream, size) for size in sizes)
        alarms += companion_of(real, fake, domain=TABLE, seed=trial, permutations=199).rejects
    # At 5 % more than 12 of 100 have a chance of 0.15 %.
    assert alarms <= 12


def test_rows_of_one_group_are_permuted_together():
    alarms = {True: 0, False: 0}
    for trial in range(60):
        stream = np.random.default_rng(trial)
        # Ten rows of each of 20 people a side, which hardly differ within a person.
        people = np.repeat(stream.standard_normal((40, 1)), 10, axis=0) + 0.01 * stream.standard_normal((400, 1))
        groups = np.repeat(np.arange(20), 10), np.repeat(np.arange(20), 10)
        for is_grouped in alarms:
            options = {"groups": groups if is_grouped else None, "seed": trial, "permutations": 199}
            alarms[is_grouped] += companion_of(people[:200], people[200:], **options).rejects
    # 5 % of 60 trials: more than 9 have a chance of 0.1 %. Rows taken as independent are alarming nearly always.
    assert alarms[True] <= 9 < 30 < alarms[False]


def test_a_shift_is_found_nearly_as_often_as_by_hotellings_t2():
    from scipy.stats import f, ncf

    trials, count, dimensions, shift, level = 60, 300, 3, 0.3, 0.04
    found = 0
    for trial in range(trials):
        stream = np.random.default_rng(trial)
        real, fake = stream.standard_normal((2, count, dimensions))
        fake[:, 0] += shift
        found += companion_of(real, fake, level=level, seed=trial).rejects
    denominator = 2 * count - dimensions - 1
    critical = f.isf(level, dimensions, denominator)
    power = float(ncf.sf(critical, dimensions, denominator, shift**2 * count / 2))
    # Some ten points for looking at everything else, and three deviations of 60 trials.
    assert found / trials >= power - 0.1 - 3 * np.sqrt(power * (1 - power) / trials)
    assert power > 0.85


def test_a_random_part_of_a_set_is_not_told_from_the_whole_by_its_copies_there():
    alarms = 0
    for trial in range(30):
        stream = np.random.default_rng(trial)
        whole = stream.standard_normal((300, 3))
        alarms += companion_of(whole, whole[stream.permutation(300)[:150]], seed=trial, permutations=199).rejects
    # Sides that share rows differ less than independent ones.
    assert alarms <= 2
