"""The saturation monitor: what it measures equals what the two losses would do, and it disturbs nothing."""

import json
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from equipoise.files import plain
from equipoise.game import Batch, Player
from equipoise.objectives import available, find
from equipoise.objectives.log_odds import log_odds_offset
from equipoise.runfolder import create_run_folder
from equipoise.training import Measured, Plan
from equipoise.training.recorder import Recorder
from equipoise.training.saturation import EXPLODED, SATURATED, SPACING_STEPS, measure_saturation


class Logit(nn.Module):
    def __init__(self, shift=0.0, scale=1.0):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
        self.shift, self.scale = shift, scale

    def forward(self, samples, labels=None):
        logits = self.scale * self.body(samples).squeeze(1) + self.shift
        return logits if labels is None else logits + labels


def player(network):
    return Player(network, torch.optim.SGD(network.parameters(), lr=0.1))


def game(*, shift=0.0, scale=1.0):
    torch.manual_seed(0)
    return player(Logit(shift, scale)), player(nn.Linear(3, 2))


def batch(seed, size=32):
    stream = torch.Generator().manual_seed(seed)
    return Batch(real=torch.randn(size, 2, generator=stream), latents=torch.randn(size, 3, generator=stream))


def measured(players, objective="nonsaturating", size=32):
    return measure_saturation(*players, objective=find(objective)(), batch=batch(0, size), other=batch(1, size))


def generator_norm(loss, generator):
    gradients = torch.autograd.grad(loss, list(generator.network.parameters()))
    return math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients))


@pytest.mark.parametrize("shift", [-8.0, 0.0, 3.0])
def test_both_gradient_norms_are_those_of_the_two_losses(shift):
    discriminator, generator = game(shift=shift)
    found = measured((discriminator, generator))
    logits = discriminator(generator(batch(0).latents))
    saturating = generator_norm((-softplus(logits)).mean(), generator)
    nonsaturating = generator_norm(softplus(-discriminator(generator(batch(0).latents))).mean(), generator)
    # The same float32 chain rule in another order: a few units in the seventh place.
    assert found["saturating_norm"] == pytest.approx(saturating, rel=1e-5)
    assert found["nonsaturating_norm"] == pytest.approx(nonsaturating, rel=1e-5)
    assert found["ratio"] == pytest.approx(nonsaturating / saturating, rel=1e-4)


def test_probabilities_and_slope_are_those_of_the_discriminator():
    discriminator, generator = game(shift=-4.0)
    found = measured((discriminator, generator))
    real = batch(0).real.requires_grad_(True)
    fake = generator(batch(0).latents).detach().requires_grad_(True)
    real_logits, fake_logits = discriminator(real), discriminator(fake)
    derivatives = torch.cat(torch.autograd.grad(real_logits.sum() + fake_logits.sum(), [real, fake]))
    real_logits, fake_logits = real_logits.detach(), fake_logits.detach()
    assert found["mean_probability_real"] == pytest.approx(float(real_logits.sigmoid().mean()), rel=1e-5)
    assert found["mean_probability_fake"] == pytest.approx(float(fake_logits.sigmoid().mean()), rel=1e-5)
    assert found["share_below_001"] == pytest.approx(float((fake_logits.sigmoid() < 0.01).float().mean()))
    assert found["input_gradient_norm"] == pytest.approx(float(derivatives.norm(dim=1).mean()), rel=1e-5)
    assert found["offset"] is None and found["flags"] == []


def test_relativistic_logits_are_measured_less_an_offset_from_the_other_batch():
    players = game(shift=40.0)
    found = measured(players, "relativistic")
    other = batch(1)
    offset = log_odds_offset(players[0](other.real), players[0](players[1](other.latents)))
    assert found["offset"] == pytest.approx(offset, rel=1e-6)
    real = (players[0](batch(0).real) - offset).detach()
    fake = (players[0](players[1](batch(0).latents)) - offset).detach()
    assert found["mean_probability_real"] == pytest.approx(float(real.sigmoid().mean()), rel=1e-4)
    expected = -float(softplus(-real).mean() + softplus(fake).mean())
    # Logits near 40 carry 4e-6 of rounding, which l - c keeps.
    assert found["minimax_value"] == pytest.approx(expected, abs=2e-5)
    assert found["minimax_value_standard_error"] > 0


@pytest.mark.parametrize("name", available())
def test_probabilities_are_claimed_only_where_logits_are_log_odds(name):
    found = measured(game(), name)
    has_probabilities = find(name)().logit_meaning != "other"
    for key in ("share_below_001", "mean_probability_real", "mean_probability_fake", "saturating_norm", "ratio"):
        assert (found[key] is not None) == has_probabilities, key
    assert found["input_gradient_norm"] > 0
    json.dumps(plain(found), allow_nan=False)


def test_a_discriminator_that_dismisses_most_generated_samples_raises_a_flag():
    assert measured(game(shift=-6.0))["flags"] == [SATURATED]
    assert measured(game(shift=-3.0))["flags"] == []
    # A relativistic game is no more saturated for having its logits shifted.
    assert measured(game(shift=-6.0), "relativistic")["flags"] == []


def test_an_exploded_slope_raises_a_flag_for_every_objective():
    assert EXPLODED in measured(game(scale=1e5), "hinge")["flags"]
    assert EXPLODED in measured(game(scale=1e5))["flags"]


def test_dead_gradients_leave_numbers_that_json_can_hold():
    found = measured(game(shift=-200.0))
    assert found["saturating_norm"] == 0.0 and found["ratio"] is None
    assert found["nonsaturating_norm"] > 0
    json.dumps(plain(found), allow_nan=False)


def test_one_sample_is_enough():
    found = measured(game(), "relativistic", size=1)
    assert found["minimax_value_standard_error"] is None
    assert found["mean_probability_fake"] is not None


def test_labels_reach_both_players():
    discriminator = player(Logit())

    class Labelled(nn.Linear):
        def forward(self, latents, labels):
            return super().forward(latents) + labels[:, None]

    generator = player(Labelled(3, 2))
    labelled = [
        Batch(real=batch(seed).real, latents=batch(seed).latents, labels=torch.arange(32) % 2) for seed in (0, 1)
    ]
    found = measure_saturation(
        discriminator, generator, objective=find("relativistic")(), batch=labelled[0], other=labelled[1]
    )
    assert found["mean_probability_real"] is not None


def test_measuring_changes_nothing_that_the_players_keep():
    spectral = nn.utils.parametrizations.spectral_norm
    network = nn.Sequential(spectral(nn.Linear(2, 8)), nn.Dropout(), nn.Linear(8, 1), nn.Flatten(0))
    discriminator, generator = player(network), player(nn.Linear(3, 2))
    network[2].eval()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    random_state = torch.get_rng_state()
    measured((discriminator, generator))
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())
    assert torch.equal(random_state, torch.get_rng_state())
    assert network.training and network[1].training and not network[2].training
    assert all(parameter.grad is None for parameter in (*network.parameters(), *generator.parameters))


@pytest.mark.parametrize("measure_every", [1, 7, 75, 900])
def test_the_monitor_keeps_its_distance_and_sees_the_last_step(measure_every):
    plan = Plan(steps=10_001, measure_every=measure_every)
    steps = [step for step in range(1, 10_002) if plan.is_monitored(step)]
    assert all(plan.is_measured(step) for step in steps)
    assert steps[-1] == 10_001
    gaps = [after - before for before, after in zip([0, *steps[:-2]], steps[:-1], strict=True)]
    assert min(gaps) >= SPACING_STEPS


def test_a_flag_is_told_once_and_stands_in_the_status_while_it_holds(tmp_path):
    folder = create_run_folder(tmp_path / "run")
    told = []

    class Listener:
        def start(self, total_steps, start_step, description): ...
        def update(self, step, fields): ...
        def close(self): ...

        def message(self, text):
            told.append(text)

    recorder = Recorder(folder, grids=None, progress=Listener())
    for step, flags in enumerate([[], [SATURATED], [SATURATED], [], [SATURATED, EXPLODED]], start=1):
        recorder(Measured(step, {"step": step, "value": -1.0, "steps_per_second": 1.0, "saturation": {"flags": flags}}))
        assert folder.read_status().get("flags", []) == flags
    assert told == [SATURATED, EXPLODED]
    assert folder.read_status()["message"] == f"{SATURATED} {EXPLODED}"
