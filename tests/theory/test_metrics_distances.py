"""Distances between sets of samples agree with closed forms: moments, Gaussians, point masses, lattices."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.linalg import sqrtm

from equipoise.metrics.energy_distance import energy_distance
from equipoise.metrics.frechet import frechet_distance
from equipoise.metrics.kernel_distance import kernel_distance
from equipoise.metrics.pairwise import BLOCK_ROWS, distance_blocks
from equipoise.metrics.precision_recall import precision_recall


def normal(count, dimensions, seed):
    return np.random.default_rng(seed).standard_normal((count, dimensions))


def with_moments(mean, covariance, count, seed):
    """Samples whose mean and covariance are exactly these."""
    samples = normal(count, len(mean), seed)
    samples -= samples.mean(axis=0)
    whitened = samples @ np.linalg.inv(np.linalg.cholesky(np.cov(samples.T))).T
    return whitened @ np.linalg.cholesky(covariance).T + mean


def random_covariance(dimensions, seed):
    factor = normal(dimensions, 2 * dimensions, seed)
    return factor @ factor.T / dimensions


@pytest.mark.parametrize("seed", range(3))
def test_the_frechet_distance_of_gaussians_is_dowson_and_landaus(seed):
    means, covariances = (
        (np.zeros(5), normal(1, 5, seed)[0]),
        (random_covariance(5, seed), random_covariance(5, seed + 9)),
    )
    sides = [with_moments(*moments, 60, seed) for moments in zip(means, covariances, strict=True)]
    # The covariances do not commute, so that no shortcut gives this.
    expected = ((means[0] - means[1]) ** 2).sum() + np.trace(
        covariances[0] + covariances[1] - 2 * np.real(sqrtm(covariances[0] @ covariances[1]))
    )
    # sqrtm itself is good to about 1e-8 of a matrix of order one.
    assert frechet_distance(*sides) == pytest.approx(expected, rel=1e-7)


def test_the_frechet_distance_of_round_gaussians_is_shift_and_spread():
    real = with_moments(np.zeros(3), np.eye(3), 50, 0)
    fake = with_moments(np.array([1.0, 2.0, 0.0]), 4 * np.eye(3), 40, 1)
    assert frechet_distance(real, fake) == pytest.approx(5 + 3 * (1 - 2) ** 2, rel=1e-12)


def test_the_frechet_distance_needs_no_more_samples_than_features_to_be_zero_on_copies():
    few = normal(12, 40, 0)
    # Rounding alone: 1e-13 of the traces, which are about 80.
    assert frechet_distance(few, few.copy()) == pytest.approx(0.0, abs=1e-11)
    # With features that only the first side varies in, all of its variance is missing.
    flat = np.zeros((12, 40))
    assert frechet_distance(few - few.mean(axis=0), flat) == pytest.approx(np.trace(np.cov(few.T)), rel=1e-12)


def test_the_kernel_distance_is_unbiased_and_the_plain_mean_is_not():
    found = [kernel_distance(normal(20, 2, 2 * seed), normal(30, 2, 2 * seed + 1)) for seed in range(2_000)]
    error = np.std(found) / math.sqrt(len(found))
    assert abs(np.mean(found)) < 4 * error
    assert min(found) < 0
    # With the pairs of a sample with itself the mean would be E k(x, x) - E k(x, x') over n, for each side: with
    # |x|^2 / 2 exponential, E (e + 1)^3 = 16, and E (x'x / 2 + 1)^3 = 1 + 3 E (x'x)^2 / 4 = 2.5.
    biased = (16 - 2.5) * (1 / 20 + 1 / 30)
    assert biased > 50 * error


def test_the_kernel_distance_compares_three_moments_as_the_binomial_theorem_says():
    real, fake = normal(4_000, 1, 0), normal(4_000, 1, 1) + 0.3
    # With d = 1, k(x, y) = 1 + 3 xy + 3 (xy)^2 + (xy)^3, so that MMD^2 = 3 m1^2 + 3 m2^2 + m3^2; raw moments of
    # N(0.3, 1) differ from those of N(0, 1) by 0.3, 0.3^2 and 0.3^3 + 3 * 0.3.
    truth = 3 * 0.3**2 + 3 * 0.3**4 + (0.3**3 + 0.9) ** 2
    # The third moments have deviation sqrt(15 / 4000) = 0.06 each; 2 * 0.93 * 0.06 * sqrt(2) = 0.16 rules the error.
    assert kernel_distance(real, fake) == pytest.approx(truth, abs=4 * 0.16)


def test_the_energy_distance_of_point_masses_and_of_shifted_gaussians_is_the_closed_form():
    assert energy_distance(np.zeros((4, 2)), np.full((3, 2), 3.0)) == pytest.approx(2 * math.sqrt(18), rel=1e-12)
    mu = 1.5
    expected = 2 * (2 / math.sqrt(math.pi) * math.exp(-(mu**2) / 4) + mu * math.erf(mu / 2)) - 4 / math.sqrt(math.pi)
    found = energy_distance(normal(4_000, 1, 0), normal(4_000, 1, 1) + mu)
    # Its derivative in the shift is below 2, and both means have deviation 1 / sqrt(4000): 0.045 in all.
    assert found == pytest.approx(expected, abs=4 * 0.045)


def test_the_energy_distance_is_unbiased():
    found = [energy_distance(normal(15, 3, 2 * seed), normal(10, 3, 2 * seed + 1)) for seed in range(2_000)]
    assert abs(np.mean(found)) < 4 * np.std(found) / math.sqrt(len(found))


def test_precision_recall_density_and_coverage_on_a_line_are_counted_by_hand():
    real = np.arange(10.0)[:, None]  # with k = 1 every ball reaches to its neighbours
    fake = np.array([[0.5], [0.5], [2.0], [40.0]])  # balls of radius 0, 0, 1.5, 38
    found = precision_recall(real, fake, neighbours=1)
    assert found["precision"] == 3 / 4  # 40 lies in no ball
    assert found["density"] == (2 + 2 + 3) / 4  # 0.5 lies in the balls of 0 and 1, 2.0 in those of 1, 2 and 3
    assert found["coverage"] == 4 / 10  # the balls of 0, 1, 2 and 3
    assert found["recall"] == 9 / 10  # the ball of 2.0 holds 1, 2 and 3, that of 40 holds 2 to 9


@pytest.mark.parametrize("neighbours", [1, 5])
def test_equal_distributions_have_density_one_and_the_coverage_of_naeems_lemma(neighbours):
    n = 200
    found = [
        precision_recall(normal(n, 2, 2 * seed), normal(n, 2, 2 * seed + 1), neighbours=neighbours)
        for seed in range(60)
    ]
    expected = 1 - math.prod((n - j) / (2 * n - j) for j in range(1, neighbours + 1))
    for name, value in (("density", 1.0), ("coverage", expected)):
        values = [entry[name] for entry in found]
        assert np.mean(values) == pytest.approx(value, abs=4 * np.std(values) / math.sqrt(len(values)))


def test_copies_are_at_distance_zero_far_from_the_origin_and_in_every_block():
    samples = normal(BLOCK_ROWS + 7, 30, 0) + 1e4
    for rows, distances in distance_blocks(samples, samples):
        places = np.arange(rows.start, rows.stop)
        assert (distances[places - rows.start, places] == 0).all()
        away = np.linalg.norm(samples[rows.start] - samples[3]) if rows.start else 0.0
        assert distances[0, 3 if rows.start else 0] == pytest.approx(away, rel=1e-6)
