"""The kept evaluation is the latest within a quarter of an error of the least estimate, and the reasons for it hold."""

import numpy as np
import pytest

from equipoise.training.best_checkpoint import KEPT_WITHIN, best_evaluation


def rows(*estimates, error=0.1):
    """Evaluations at steps 1, 2, ...; the standard error of V is twice that of an estimate."""
    return [
        {"step": place + 1, "jsd_estimate_nats": estimate, "value_standard_error": 2 * error}
        for place, estimate in enumerate(estimates)
    ]


def kept_step(*estimates, **options):
    kept = best_evaluation(rows(*estimates), **options)
    return None if kept is None else kept["step"]


def test_without_a_finite_estimate_nothing_is_kept():
    assert kept_step() is None
    assert kept_step(float("nan"), None) is None
    assert kept_step(float("nan"), 0.5, float("inf")) == 2


def test_the_latest_within_a_quarter_of_an_error_of_the_least_is_kept_and_none_beyond():
    assert KEPT_WITHIN * 0.1 == pytest.approx(0.025)
    assert kept_step(0.5, 0.20, 0.22) == 3
    assert kept_step(0.5, 0.20, 0.23) == 2
    assert kept_step(0.5, 0.20, 0.22, 0.19, 0.5) == 4


def test_many_small_rises_do_not_add_up():
    assert kept_step(*(0.2 + 0.02 * place for place in range(10))) == 2


def test_at_an_estimate_of_zero_throughout_the_latest_is_kept():
    assert kept_step(0.0, 0.0, 0.0) == 3
    # Where nothing is found estimates scatter around zero, and one far below it is no better than the others.
    assert kept_step(0.3, -0.5, 0.0, -0.1) == 4


def test_an_evaluation_without_an_error_is_kept_only_as_the_least():
    found = [{"step": step, "jsd_estimate_nats": estimate} for step, estimate in enumerate((0.3, 0.2, 0.201), 1)]
    assert best_evaluation(found)["step"] == 2


def test_an_early_estimate_of_zero_with_a_large_error_does_not_rule_out_later_ones_with_small_errors():
    # As a run on the 25-grid had it: near the data each estimate is mostly its own error, and later errors are small.
    found = rows(0.03, error=0.004) + rows(-0.0015, error=0.0015) + rows(0.00014, error=0.0003)
    found = [{**row, "step": step} for step, row in enumerate(found, 1)]
    assert best_evaluation(found)["step"] == 3
    # Beyond a quarter of the larger error the early one stays.
    assert best_evaluation([*found[:2], {**found[2], "jsd_estimate_nats": 0.0005}])["step"] == 2


def test_below_what_an_evaluation_sees_a_later_one_is_kept_and_above_it_none():
    # As a run on a table had it: no classifier found anything at step 2, so that the error of its zero is zero.
    found = rows(0.0043, error=0.001) + rows(0.0, error=0.0) + rows(0.00066, 0.00034, error=0.0001)
    found = [{**row, "step": step} for step, row in enumerate(found, 1)]
    assert best_evaluation(found)["step"] == 2
    seeing = [{**row, "sensitivity_theoretical_nats": 0.005} for row in found]
    assert best_evaluation(seeing)["step"] == 4
    assert best_evaluation([*seeing[:3], {**seeing[3], "jsd_estimate_nats": 0.0051}])["step"] == 3


def test_what_was_kept_up_to_a_step_was_stored_then():
    # Whoever goes back to any step needs the evaluation that counts there: it was the newest of the kept at its time.
    stream = np.random.default_rng(0)
    found = rows(*stream.normal(0.3, 0.1, 30))
    stored = []
    for step in range(1, 31):
        kept = best_evaluation(found, up_to=step)
        if kept["step"] == step:
            stored.append(step)
        assert kept["step"] == stored[-1]


def regret(margin, true, *, error, repeats=2000):
    """Mean excess of the true distance of the kept evaluation over the least true one of the run, in standard errors.

    Of the error's variance a quarter is common to all evaluations of a run: they score the same real rows.
    """
    stream = np.random.default_rng(0)
    noise = 0.866 * stream.normal(size=(repeats, len(true))) + 0.5 * stream.normal(size=(repeats, 1))
    estimates = true + error * noise
    least = np.minimum.accumulate(estimates, axis=1)
    is_kept = estimates <= least + margin * error
    kept = len(true) - 1 - is_kept[:, ::-1].argmax(axis=1)
    return float((true[kept] - true.min()).mean() / error)


@pytest.mark.parametrize("count", [6, 10, 20])
@pytest.mark.parametrize("error", [0.01, 0.03])
def test_a_quarter_of_an_error_is_a_fair_margin_for_falling_and_turning_training(count, error):
    at = np.arange(1, count + 1) / count
    falling = [0.05 + 0.4 * np.exp(-5 * at), 0.15 - 0.05 * at, 0.4 - 0.3 * at]
    turning = [0.1 + np.where(at < 1 / 3, 0.5 * (1 / 3 - at), rate * (at - 1 / 3)) for rate in (0.045, 0.21)]
    losses = {
        margin: [np.mean([regret(margin, true, error=error) for true in family]) for family in (falling, turning)]
        for margin in (0.0, KEPT_WITHIN, 1.0)
    }
    none, quarter, whole = losses.values()
    # 2,000 runs of a loss whose deviation is below one error: the mean of each is known to 0.02.
    assert quarter[0] < 0.85 * none[0]  # the luck of the least costs more where training still improves
    assert quarter[1] < 0.85 * whole[1]  # and a whole error lets more of the decline in
    assert sum(quarter) < sum(none) + 0.05 and sum(quarter) < 0.95 * sum(whole)
    assert max(quarter) < 0.5
