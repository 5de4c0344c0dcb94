"""Growth per step in training equals |eigenvalue| of the update's Jacobian equals the closed form, on the Dirac-GAN."""

import math
from dataclasses import replace

import numpy as np
import pytest

from equipoise import objectives
from equipoise.augmentation.instance_noise import instance_noise
from equipoise.game import UpdateRule
from equipoise.lab.dirac_game import DiracGame, spectral_radius, update_matrix
from equipoise.lab.dirac_measurements import RULES, conserved, game_of, measure_case, measure_escape
from equipoise.lab.dirac_theory import derivatives_of, largest_stable_step
from equipoise.penalties.gradient_penalty import wgan_gp
from equipoise.penalties.r1_r2 import r1

# What the game's third-order terms and rounding may cost at the radius of 1e-6 is below 1e-9.
ALLOWED = 1e-5
# THEORY, section 2 and 4: f'(0) of both players' losses at the best logit.
ROTATION = {
    "minimax": 0.5,
    "nonsaturating": 0.5,
    "relativistic": 0.5,
    "wasserstein": 1.0,
    "hinge": 1.0,
    "least_squares": 0.5,
    "fgan_kl": 1.0,
    "fgan_reverse_kl": 1.0,
}


@pytest.mark.parametrize(("name", "rotation"), ROTATION.items())
def test_the_slopes_at_the_equilibrium_are_those_of_theory(name, rotation):
    derivatives = derivatives_of(objectives.find(name)())
    assert derivatives.of_value == pytest.approx(rotation, abs=1e-14)
    assert derivatives.of_generator == pytest.approx(rotation, abs=1e-14)


@pytest.mark.parametrize("stabiliser", ["none", "r1", "r2", "r1 + r2", "instance noise"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("objective", ["minimax", "nonsaturating", "relativistic", "wasserstein"])
def test_growth_in_training_is_the_largest_eigenvalue_of_the_update(objective, rule, stabiliser):
    case = measure_case(objective, rule, stabiliser)
    assert case.measured == pytest.approx(case.autodiff, abs=ALLOWED)
    assert case.autodiff == pytest.approx(case.closed_form, abs=1e-12)  # eigenvalues of 2 x 2 and 4 x 4 matrices


@pytest.mark.parametrize("objective", sorted(set(objectives.available()) - {"least_squares_pearson"}))
@pytest.mark.parametrize("rule", ["simultaneous", "alternating"])
def test_every_objective_turns_at_the_rate_of_its_two_slopes(objective, rule):
    case = measure_case(objective, rule, "none")
    c = derivatives_of(objectives.find(objective)()).rotation
    expected = math.hypot(1, 0.1 * c) if rule == "simultaneous" else 1.0
    assert case.measured == pytest.approx(expected, abs=ALLOWED)


@pytest.mark.parametrize(
    ("objective", "rule", "stabiliser", "expected"),
    [
        # Computed by hand for h = 0.1, gamma = 0.3, kappa = 1 from the determinants 1 + h^2 c^2, 1 - h g + h^2 c^2,
        # 1 - h g, (1 - h kappa c^2)^2 + h^2 c^2 and (1 - h kappa c^2)^2; five digits.
        ("minimax", "simultaneous", "none", 1.00125),
        ("wasserstein", "simultaneous", "none", 1.00499),
        ("minimax", "simultaneous", "r1", 0.98615),
        ("minimax", "alternating", "r1", 0.98489),
        ("relativistic", "simultaneous", "r1 + r2", 0.97082),
        ("relativistic", "alternating", "r1 + r2", 0.96954),
        ("minimax", "consensus", "none", 0.97628),
        ("minimax", "alternating consensus", "none", 0.97500),
    ],
)
def test_the_rates_are_the_ones_computed_by_hand(objective, rule, stabiliser, expected):
    assert measure_case(objective, rule, stabiliser).measured == pytest.approx(expected, abs=5e-6)


@pytest.mark.parametrize("gamma", [0.01, 0.3])
@pytest.mark.parametrize("objective", ["minimax", "wasserstein", "relativistic"])
def test_simultaneous_play_with_r1_converges_exactly_below_gamma_over_c_squared(objective, gamma):
    limit = gamma / derivatives_of(objectives.find(objective)()).rotation ** 2
    growth = [
        DiracGame(
            objectives.find(objective)(),
            UpdateRule("simultaneous"),
            (r1(gamma),),
            generator_rate=fraction * limit,
            discriminator_rate=fraction * limit,
        ).growth()
        for fraction in (0.95, 1.0, 1.05)
    ]
    assert growth[0] < 1 - 1e-6 < 1 + 1e-6 < growth[2]
    assert growth[1] == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize(
    ("rule", "objective", "stabiliser", "damping"),
    [
        ("alternating", "minimax", "r1", 0.3),
        ("alternating", "wasserstein", "r1", 0.3),
        ("extragradient", "wasserstein", "none", 0.0),
        ("optimistic", "wasserstein", "none", 0.0),
        ("optimistic", "minimax", "none", 0.0),
        ("consensus", "minimax", "none", 0.0),
    ],
)
def test_play_contracts_below_the_largest_stable_step_and_grows_above_it(rule, objective, stabiliser, damping):
    limit = largest_stable_step(RULES[rule], derivatives=derivatives_of(objectives.find(objective)()), damping=damping)
    assert game_of(objective, rule, stabiliser, step_size=0.97 * limit).growth() < 1 - 1e-4
    assert game_of(objective, rule, stabiliser, step_size=1.03 * limit).growth() > 1 + 1e-4


def test_alternating_play_without_penalty_turns_while_h_c_is_below_two_and_diverges_above():
    assert game_of("minimax", "alternating", "none", step_size=3.9).growth() == pytest.approx(1.0, abs=ALLOWED)
    assert game_of("minimax", "alternating", "none", step_size=4.1).growth() > 1.3


def test_a_small_gamma_spirals_out_simultaneously_and_contracts_in_turns():
    # THEORY, section 4: h = 0.1, gamma = 0.01, c = 1/2; sqrt(1 - 0.001 + 0.0025) and sqrt(1 - 0.001).
    for rule, expected in (("simultaneous", math.sqrt(1.0015)), ("alternating", math.sqrt(0.999))):
        game = DiracGame(objectives.find("minimax")(), UpdateRule(rule), (r1(0.01),))
        assert game.growth() == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("radius", [1e-3, 1.0, 1e3])
def test_alternating_wasserstein_play_keeps_its_orbit_at_any_radius(radius):
    kept = conserved(game_of("wasserstein", "alternating", "none").train(radius, 0.0, steps=400), rate=0.1)
    # 400 steps of a few roundings each.
    assert np.abs(kept / kept[0] - 1).max() < 400 * 4 * np.finfo(float).eps


def test_alternating_minimax_play_keeps_its_orbit_near_the_equilibrium_only():
    drifts = []
    for radius in (1e-3, 1.0):
        kept = conserved(game_of("minimax", "alternating", "none").train(radius, 0.0, steps=200), rate=0.05)
        drifts.append(np.abs(kept / kept[0] - 1).max())
    assert drifts[0] < 1e-7  # the next term is of relative size radius^2 times h
    assert drifts[1] > 1e-3


def test_from_radius_one_nonsaturating_play_slowly_contracts_and_minimax_does_not():
    radii = [
        np.linalg.norm(game_of(name, "alternating", "none").train(1.0, 0.0, steps=500)[-1])
        for name in ("nonsaturating", "minimax")
    ]
    assert radii[0] < 0.5
    assert radii[1] == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("rule", ["simultaneous", "alternating"])
def test_wgan_gp_leaves_the_equilibrium_beside_which_it_starts(rule):
    escape = measure_escape("wasserstein", rule, steps=200)
    assert escape.least_radius > 100 * escape.start


@pytest.mark.parametrize("weight", [1.0, 2.0])
def test_wgan_gp_comes_to_rest_where_its_push_balances_the_game_and_not_at_the_data(weight):
    # As psi goes to 0 from above, v_psi = c theta - 2 weight: zero at theta = 2 weight / c, with c = 1. The approach is
    # monotone for weight >= c, so psi does not change sign; the slower rate, at weight 2, is 2 - sqrt(3) = 0.27.
    theta, psi = DiracGame(objectives.find("wasserstein")(), penalties=(wgan_gp(weight),)).train(0.1, 0.5, steps=600)[
        -1
    ]
    assert abs(theta) == pytest.approx(2 * weight, abs=1e-4)
    assert abs(psi) < 1e-4


@pytest.mark.parametrize("objective", ["wasserstein", "hinge", "fgan_tv"])
def test_instance_noise_does_nothing_where_both_terms_are_straight(objective):
    noisy, plain = (measure_case(objective, "alternating", stabiliser) for stabiliser in ("instance noise", "none"))
    assert noisy.measured == pytest.approx(plain.measured, abs=1e-9)


def test_noise_that_lifts_ends_as_the_game_without_noise():
    game = replace(game_of("minimax", "alternating", "none"), noise=instance_noise(0.8, decay_fraction=0.5))
    radius = np.linalg.norm(game.train(0.01, 0.0, steps=400), axis=1)
    # While it lifts, g = sigma^2 / 2 averages 0.107: 200 steps contract by about exp(-200 h g / 2) = 0.34.
    assert radius[200] < 0.5 * radius[0]
    # Afterwards the orbit theta^2 + psi^2 - h c theta psi: its radius varies by h c / 2 = 2.5 %.
    assert radius[200:].min() > 0.94 * radius[200:].max()


@pytest.mark.parametrize("rule", ["simultaneous", "alternating", "extragradient", "optimistic"])
def test_two_time_scales_enter_through_the_two_learning_rates(rule):
    game = DiracGame(
        objectives.find("minimax")(), UpdateRule(rule), (r1(0.3),), generator_rate=0.05, discriminator_rate=0.4
    )
    by_hand = update_matrix(np.array([[0.0, -0.5], [0.5, 0.3]]), game.update_rule, rates=(0.05, 0.4))
    assert game.growth() == pytest.approx(spectral_radius(by_hand), abs=1e-8)


@pytest.mark.parametrize("updates", [(1, 3), (4, 1), (2, 2)])
def test_k_updates_of_either_player_have_the_rate_of_the_product_of_their_matrices(updates):
    game = DiracGame(objectives.find("relativistic")(), UpdateRule("alternating", *updates), (r1(0.3),))
    assert game.growth() == pytest.approx(spectral_radius(game.update_jacobian()), abs=1e-8)


def test_the_pearson_least_squares_game_has_no_eigenbasis_and_says_so():
    assert math.isnan(measure_case("least_squares_pearson", "alternating", "none").measured)
