"""A rise is said of training that rises, and of training that does not in at most 5 % of runs."""

import math

import numpy as np
import pytest

from equipoise.training.rises import FALSE_ALARM, FEWEST, rise_limit, rise_sentence, significant_rise


def rows(estimates, *, error=0.02):
    """Evaluations at steps 10, 20, ...; the standard error of V is twice that of an estimate."""
    return [
        {"step": 10 * (place + 1), "jsd_estimate_nats": float(estimate), "value_standard_error": 2 * error}
        for place, estimate in enumerate(estimates)
    ]


def is_found(estimates, **options):
    """Whether any evaluation of a run finds a rise."""
    made = rows(estimates)
    return any(
        significant_rise(made[:count], planned=len(made), **options) is not None for count in range(1, len(made) + 1)
    )


def share_found(true, *, common=0.0, repeats=400):
    stream = np.random.default_rng(1)
    noise = math.sqrt(1 - common) * stream.normal(size=(repeats, len(true)))
    noise += math.sqrt(common) * stream.normal(size=(repeats, 1))
    return np.mean([is_found(each) for each in np.asarray(true) + 0.02 * noise])


def test_the_limit_of_four_evaluations_is_a_quantile_of_the_normal_distribution():
    # One comparison, of the mean of the last two with that of the first two: a standard normal number. The quantile of
    # 20,000 draws has the standard error sqrt(0.05 * 0.95 / 20000) / density(1.645) = 0.015.
    assert rise_limit(4) == pytest.approx(1.645, abs=0.05)
    assert math.isinf(rise_limit(FEWEST - 1))
    assert sorted(map(rise_limit, (4, 6, 10, 20, 40))) == [rise_limit(count) for count in (4, 6, 10, 20, 40)]


@pytest.mark.parametrize("count", [5, 10, 20])
def test_a_distance_that_stays_is_called_risen_in_at_most_one_run_of_twenty(count):
    # 400 runs: three standard errors of a share of 5 % are 0.033.
    assert share_found(np.full(count, 0.2)) <= FALSE_ALARM + 0.033


def test_a_distance_that_falls_or_errors_in_common_make_the_false_alarm_rarer():
    assert share_found(np.linspace(0.4, 0.1, 10)) == 0
    assert share_found(np.full(10, 0.2), common=0.5) <= 0.02


def test_a_rise_by_six_errors_over_the_second_half_is_found_in_most_runs():
    assert share_found([0.3, 0.2, 0.1, 0.1, 0.1, 0.13, 0.16, 0.19, 0.22, 0.22]) > 0.9


def test_one_evaluation_that_is_three_errors_high_is_no_rise():
    assert not is_found([0.2, 0.2, 0.2, 0.2, 0.26, 0.2, 0.2, 0.2, 0.2, 0.26])


def test_no_pair_straddles_a_change_of_the_training():
    fell_back = [0.3, 0.1, 0.1, 0.4, 0.4, 0.1, 0.1, 0.1]
    made = rows(fell_back)
    assert significant_rise(made[:5], planned=8) is not None
    # The evaluation of step 50 was before the change: with the one of step 60 it makes no pair.
    assert significant_rise(made[:6], planned=8, changed_at=[50]) is None
    assert significant_rise(made, planned=8, changed_at=[50]) is None
    rises_again = rows([*fell_back[:5], 0.1, 0.1, 0.3, 0.3])
    found = significant_rise(rises_again, planned=9, changed_at=[50])
    assert found["steps"] == [80, 90] and found["since_steps"] in ([20, 30], [60, 70])


def test_an_evaluation_without_an_estimate_or_an_error_finds_nothing():
    made = [*rows([0.1, 0.1, 0.1]), {"step": 40}, {"step": 50, "jsd_estimate_nats": 0.6}]
    assert significant_rise(made[:4], planned=5) is None and significant_rise(made, planned=5) is None
    made[3] |= {"value_standard_error": 0.01}
    assert significant_rise(made[:4], planned=5) is None
    assert significant_rise([], planned=5) is None


def test_near_the_data_neither_errors_of_nothing_nor_negative_estimates_make_a_rise():
    # Of 14 evaluations of a perfect generator of 1,000 rows, some had an error of 2e-5 and one was -0.005.
    made = [*rows([-0.005, -0.005]), *rows([0.001, 0.001], error=1e-5)]
    for place, row in enumerate(made):
        row |= {"step": place, "sensitivity_theoretical_nats": 0.003}
    assert significant_rise(made, planned=4) is None
    made[2] |= {"jsd_estimate_nats": 0.004}
    made[3] |= {"jsd_estimate_nats": 0.004}
    assert significant_rise(made, planned=4) is None  # by less than 0.02, the error of the first two
    for row in made[:2]:
        row["value_standard_error"] = 0.001
    assert significant_rise(made, planned=4)["nats"] == pytest.approx(0.004)


def test_a_rise_is_said_with_its_size_its_error_and_the_limit():
    found = significant_rise(rows([0.1, 0.1, 0.3, 0.3]), planned=4)
    assert found["nats"] == pytest.approx(0.2) and found["standard_error_nats"] == pytest.approx(0.02)
    assert "risen by 0.200 nats since steps 10 and 20, 10.0 standard errors" in rise_sentence(found)
    assert "1.6 in 5% of runs" in rise_sentence(found)
