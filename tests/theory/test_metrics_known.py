"""Metrics agree with closed forms on densities that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from equipoise.metrics.divergence import (
    contamination_of_jsd,
    jsd_by_quadrature,
    jsd_of_contamination,
    jsd_of_probabilities,
)
from equipoise.metrics.histogram import histogram_jsd
from equipoise.metrics.known import gaussian, grid25, ring8
from equipoise.metrics.modes import kl_to_shares, mode_scores


def test_equal_laws_have_no_jsd_and_disjoint_laws_have_log_two():
    assert jsd_of_probabilities(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0.0
    assert jsd_of_probabilities(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(math.log(2), rel=1e-12)


def test_one_missing_mode_of_twenty_five_costs_the_published_jsd():
    # The grid's modes do not overlap, so the densities' JSD is that of the shares: THEORY gives 0.01407 nats.
    grid = grid25()
    shares = jsd_of_probabilities(grid.weights, np.append(np.full(24, 1 / 24), 0.0))
    assert shares == pytest.approx(0.01407, abs=5e-6)
    assert jsd_of_contamination(1 / 25) == pytest.approx(shares, rel=1e-12)


def test_modes_ten_per_cent_wider_cost_the_published_jsd():
    mode = gaussian(2)
    found = jsd_by_quadrature(mode.log_density, mode.widened(1.1).log_density, low=-8, high=8, cells=400)
    # THEORY section 5 states 0.0045 to two digits.
    assert found == pytest.approx(0.0045, abs=5e-5)


def test_a_shift_of_unit_gaussians_is_found_by_quadrature_as_by_the_series():
    # JSD of N(0, 1) and N(d, 1) is d^2 / 8 - d^4 / 64 + O(d^6) in nats, from the expansion of log cosh.
    d = 0.1
    found = jsd_by_quadrature(
        gaussian(1).log_density, gaussian(1, mean=d).log_density, low=-9, high=9, cells=2000, dimensions=1
    )
    assert found == pytest.approx(d**2 / 8 - d**4 / 64, rel=1e-4)


def test_the_share_that_a_divergence_allows_inverts_the_divergence_of_a_share():
    for share in (1e-4, 0.02, 0.5, 0.99):
        assert contamination_of_jsd(jsd_of_contamination(share)) == pytest.approx(share, rel=1e-6)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_no_mixture_with_a_spoilt_share_is_further_away_than_its_bound(share):
    stream = np.random.default_rng(0)
    for _ in range(50):
        p, contaminated = stream.dirichlet(np.ones(6)), stream.dirichlet(np.ones(6))
        assert jsd_of_probabilities(p, (1 - share) * p + share * contaminated) <= jsd_of_contamination(share) + 1e-12


def test_a_mixture_integrates_to_one_and_its_samples_follow_its_density():
    ring = ring8()
    axis = np.linspace(-2.3, 2.3, 921)
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    # Cells of 0.005 are a quarter of a mode's width; the midpoint rule is then exact to rounding.
    assert ring.density(points).sum() * (axis[1] - axis[0]) ** 2 == pytest.approx(1.0, abs=1e-6)
    samples = ring.sample(20_000, np.random.default_rng(0))
    # -E[log p] is the entropy: log 8 + 1 + log(2 pi s^2); its deviation over 20,000 samples is 1 / sqrt(20,000) =
    # 0.007.
    entropy = math.log(8) + 1 + math.log(2 * math.pi * 0.02**2)
    assert -ring.log_density(samples).mean() == pytest.approx(entropy, abs=0.03)


def test_a_perfect_sampler_of_the_grid_scores_what_theory_says():
    grid = grid25()
    scores = mode_scores(grid.sample(50_000, np.random.default_rng(0)), grid)
    assert scores.modes_found == 25
    assert scores.perfect_high_quality_share == pytest.approx(1 - math.exp(-4.5), rel=1e-12)
    # Binomial deviation of 0.0005 at 50,000 samples; four of them.
    assert scores.high_quality_share == pytest.approx(scores.perfect_high_quality_share, abs=0.002)
    # The median of 50,000 chi(2) distances has relative deviation 0.003; four of them.
    assert scores.width_ratio == pytest.approx(1.0, abs=0.013)
    assert scores.reverse_kl_nats < 4 * scores.perfect_reverse_kl_nats


def test_narrow_modes_pass_the_scores_of_the_literature_and_fail_the_width_ratio():
    grid = grid25()
    scores = mode_scores(grid.widened(0.5).sample(10_000, np.random.default_rng(0)), grid)
    assert scores.modes_found == 25 and scores.high_quality_share > 0.999
    assert scores.width_ratio == pytest.approx(0.5, abs=0.01)


def test_a_missing_mode_and_bad_points_are_counted():
    grid = grid25()
    samples = np.concatenate(
        [grid.without_mode(7).sample(9_000, np.random.default_rng(0)), np.full((1_000, 2), np.nan)]
    )
    scores = mode_scores(samples, grid)
    assert scores.modes_found == 24
    assert scores.high_quality_share == pytest.approx(0.9 * 0.9889, abs=0.003)


def test_a_perfect_sampler_of_a_thousand_modes_has_the_expected_kl_and_not_zero():
    stream = np.random.default_rng(0)
    counts = stream.multinomial(25_600, np.full(1000, 1e-3))
    # (K - 1) / (2 n) = 0.0195; a chi-square of 999 degrees over 2 n has relative deviation sqrt(2 / 999) = 0.045.
    assert kl_to_shares(counts, np.full(1000, 1e-3)) == pytest.approx(0.0195, rel=0.15)


def test_the_histogram_of_a_perfect_sampler_scores_its_own_floor():
    grid = grid25()
    score = histogram_jsd(grid.sample(100_000, np.random.default_rng(1)), grid)
    assert score.samples == 100_000 and score.bin_width == 0.025
    # About 6,000 occupied bins: the remainder's relative deviation is below 2 %.
    assert score.jsd_nats == pytest.approx(score.perfect_nats, rel=0.06)


def test_the_histogram_measures_narrow_modes_as_quadrature_does():
    grid = grid25()
    score = histogram_jsd(grid.widened(0.6).sample(300_000, np.random.default_rng(1)), grid)
    mode = gaussian(2)
    truth = jsd_by_quadrature(mode.log_density, mode.widened(0.6).log_density, low=-8, high=8, cells=400)
    # Bins of half a deviation lose some of the truth, and sampling adds at most the remainder.
    assert 0.9 * truth < score.jsd_nats < truth + score.perfect_nats
