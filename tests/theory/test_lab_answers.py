"""The lab's experiments find what theory says they find."""

import math

import numpy as np
import pytest
import torch

from equipoise import lab, objectives
from equipoise.lab import bce as bce_experiment
from equipoise.lab.densities import densities
from equipoise.lab.dirac import THEORY_ROWS, dirac
from equipoise.lab.mse import mse
from equipoise.lab.saturation import gradient_row, saturation
from equipoise.lab.step import step
from equipoise.lab.update_rules import update_rules
from equipoise.lab.value import exact_moments, value
from equipoise.lab.weights import weights


@pytest.fixture(scope="module")
def exact():
    return densities()


@pytest.fixture(scope="module")
def estimates():
    return value(repeats=400)


@pytest.fixture(scope="module")
def drawn():
    return weights()


@pytest.fixture(scope="module")
def walk():
    return step()


def test_v_of_every_objective_at_its_own_best_logit_is_its_divergence(exact):
    for pair in exact.pairs:
        for row in pair.objectives:
            # Both are the same cells' sums; the terms lose at most 1e-12 of values that reach 6e3 for Pearson.
            assert row.value == pytest.approx(row.divergence, rel=1e-9, abs=1e-9), (pair.name, row.objective)


def test_the_densities_experiment_covers_every_objective_with_a_best_logit(exact):
    with_best = {name for name in objectives.available() if objectives.find(name)().best_logits is not None}
    assert {row.objective for row in exact.pairs[0].objectives} == with_best


def test_two_shifted_gaussians_have_the_divergences_of_the_books(exact):
    shifted = next(pair for pair in exact.pairs if pair.name == "shifted")
    # N(0, 1) and N(1, 1): KL 1/2, chi-square e - 1, squared Hellinger 2 (1 - e^(-1/8)), TV 2 Phi(1/2) - 1, W1 = 1.
    assert (shifted.kl, shifted.reverse_kl) == pytest.approx((0.5, 0.5), abs=1e-9)
    assert shifted.pearson == pytest.approx(math.e - 1, abs=1e-8)
    assert shifted.hellinger == pytest.approx(2 * (1 - math.exp(-1 / 8)), abs=1e-9)
    assert shifted.total_variation == pytest.approx(math.erf(0.5 / math.sqrt(2)), abs=1e-6)  # a kink in the cells
    assert shifted.wasserstein == pytest.approx(1.0, abs=1e-6)


def test_the_value_estimate_is_unbiased_at_every_batch_size_and_so_are_known_weights(estimates):
    for row in estimates.rows:
        if row.way != "weights self-normalised":
            # 14 rows at 4 standard errors: a false alarm once in a thousand seeds; the seed is fixed.
            assert abs(row.mean - estimates.exact) < 4 * row.mean_error, row
            # The spread of 400 draws has a relative error of 1/sqrt(800) = 3.5 %, more for heavy tails at small m.
            assert row.spread == pytest.approx(row.predicted_spread, rel=0.2), row


def test_self_normalised_weights_show_their_bias_of_order_one_over_m(estimates):
    bias = {r.batch_size: r.mean - estimates.exact for r in estimates.rows if r.way == "weights self-normalised"}
    # At m = 1 the weight cancels: E_N(1,1)[a] - E_N(0,1)[a] = -1/2 exactly, since softplus(t) - softplus(-t) = t.
    assert bias[1] == pytest.approx(-0.5, abs=0.15)
    assert bias[1] < bias[4] < bias[16] < -0.02
    assert abs(bias[1024]) < 0.01


def test_one_draw_has_no_standard_error_and_many_have_intervals_that_cover(estimates):
    assert all(row.stated_error is None for row in estimates.rows if row.batch_size == 1)
    large = [row.coverage for row in estimates.rows if row.batch_size >= 256 and row.way == "as drawn"]
    assert min(large) > 0.91  # 400 batches: 95 % with a standard error of 1.1 %


def test_the_exact_value_is_that_of_the_known_divergence(exact):
    shifted = next(pair for pair in exact.pairs if pair.name == "shifted")
    assert exact_moments()[0] == pytest.approx(-math.log(4) + 2 * shifted.jsd, abs=1e-9)


def test_cross_entropy_is_minus_half_of_v_with_the_same_gradient():
    found = bce_experiment.bce()
    assert found.one_batch == pytest.approx(-found.value / 2, abs=1e-14)
    assert found.two_batches == pytest.approx(-found.value / 2, abs=1e-14)
    assert max(found.gradient_gap_one, found.gradient_gap_two) < 1e-14
    assert [sample.label for sample in found.samples] == [1] * 4 + [0] * 4


def test_one_joined_batch_of_uneven_sides_is_not_v():
    found = bce_experiment.bce()
    assert found.uneven_two_batches == pytest.approx(found.uneven_minus_half_value, abs=1e-14)
    assert abs(found.uneven_one_batch - found.uneven_minus_half_value) > 0.1


@pytest.mark.parametrize("logit", [-100.0, -30.0, 0.0, 5.0])
def test_the_generators_gradients_are_minus_sigmoid_on_either_side(logit):
    row = gradient_row(logit)
    up, down = torch.sigmoid(torch.tensor([logit, -logit], dtype=torch.float64)).tolist()
    assert row.saturating == pytest.approx(-up, rel=1e-12)
    assert row.nonsaturating == pytest.approx(-down, rel=1e-12)


def test_the_badly_written_loss_saturates_too():
    # THEORY, section 3: about -1e-5 at -30 for eps = 1e-8; exactly -sigmoid' / (sigmoid + eps).
    assert gradient_row(-30.0).badly_written == pytest.approx(-9.358e-6, rel=1e-3)


def test_a_winning_discriminator_starves_the_saturating_generator_only():
    rows = saturation(steps=400).live
    assert rows[-1].share_sure > 0.9
    assert rows[-1].nonsaturating > 100 * rows[-1].saturating
    assert rows[-1].saturating < 0.3 * rows[0].saturating
    assert rows[-1].nonsaturating > rows[0].nonsaturating


@pytest.mark.slow
def test_squared_error_to_paired_noise_gives_the_mean_and_play_gives_samples():
    found = mse(steps=1500)
    _, by_error, by_play = found.rows
    assert abs(by_error.mean) < 0.1
    assert by_error.standard_deviation < 0.15
    assert by_error.between > 0.99
    assert min(by_play.near_left_mode, by_play.near_right_mode) > 0.3
    assert by_play.between < 0.2
    assert found.mean_squared_error == pytest.approx(found.data_variance, abs=0.05)  # 4,000 pairs


def test_a_step_moves_one_player_at_a_time(walk):
    assert walk.discriminator_update[0] > 0
    assert walk.discriminator_update[1] == 0
    assert walk.generator_update == (0.0, pytest.approx(walk.generator_update[1]))
    assert walk.generator_update[1] > 0


def test_the_walk_names_what_play_step_does_in_its_order(walk):
    names = [moment.what for moment in walk.operations]
    wanted = [
        "no_grad",
        "discriminator(real and fake together)",
        "margins",
        "value",
        "r1",
        "r2",
        "discriminator.gradient_norm()",
        "discriminator.update()",
        "fake = generator(batch.latents)",
        "fake_logits",
        "real_logits",
        "generator_loss",
        "generator.gradient_norm()",
        "generator.update()",
    ]
    assert len(names) == len(wanted)
    assert all(part in name for part, name in zip(wanted, names, strict=True))


def test_the_walks_value_is_that_of_its_margins(walk):
    by_name = {moment.what.split(" = ")[0]: moment for moment in walk.operations}
    margins = np.array(by_name["margins"].values)
    together = np.array(by_name["discriminator(real and fake together)"].values)
    assert by_name["value"].values[0] == pytest.approx(-np.log1p(np.exp(-margins)).mean(), abs=1e-6)  # float32
    assert together.shape == margins.shape  # the first four of eight


@pytest.mark.slow
def test_a_discriminator_that_keeps_up_brings_the_generator_closer():
    rows = {row.name: row for row in update_rules(steps=600, seeds=1).rows}
    assert np.mean(rows["n_critic = 10"].jsd) < 0.1 * np.mean(rows["n_critic = 1"].jsd)
    assert np.mean(rows["n_critic = 1, D 5x faster"].jsd) < 0.5 * np.mean(rows["n_critic = 1"].jsd)
    assert rows["D to its end, then G"].deviation < 0.05
    assert rows["D to its end, then G"].jsd[0] > 0.5


def test_v_reaches_minus_log_four_for_the_density_that_rows_are_drawn_from_only(drawn):
    for row in drawn.rows:
        is_matched = row.generator == "drawn" or row.way == "as they come"
        assert (row.exact_drawn == pytest.approx(-math.log(4), abs=1e-9)) == is_matched


def test_importance_weights_bring_back_v_under_the_data_density(drawn):
    for row in drawn.rows:
        for estimate, exact_value in (
            (row.estimate_drawn, row.exact_drawn),
            (row.estimate_known, row.exact_data),
            (row.estimate_self_normalised, row.exact_data),
        ):
            # 15 comparisons at 4 standard errors, and the 50,000 rows stand for the density to 0.005.
            assert abs(estimate[0] - exact_value) < 4 * estimate[1] + 0.005, row


def test_the_dirac_experiment_holds_the_table_of_theory_and_agrees_with_itself():
    found = dirac(names=())
    assert found.worst_disagreement < 1e-5
    table = found.theory_table()
    assert len(table) == len(THEORY_ROWS)
    for row in table:
        converges = row["rule"] in ("R1", "R2", "R1 + R2", "consensus") or (
            row["rule"] == "instance noise" and row["objective"] == "minimax"
        )
        assert (row["simultaneous"]["measured"] < 1) == converges
        if not converges:
            assert row["alternating"]["measured"] == pytest.approx(1.0, abs=1e-5)
    assert all(t.growth_below <= 1 + 1e-9 < t.growth_above for t in found.thresholds)
    assert all(escape.least_radius > 50 * escape.start for escape in found.escapes)


def test_the_lab_answers_the_questions_that_the_design_lists():
    assert set(lab.available()) >= {
        "dirac",
        "densities",
        "value",
        "bce",
        "saturation",
        "mse",
        "step",
        "update-rules",
        "weights",
    }
