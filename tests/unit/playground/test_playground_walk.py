"""A walked step is the real step, and its boxes say what was computed."""

from __future__ import annotations

import json
import re

import pytest
import torch

from equipoise import objectives
from equipoise.game.update_rules import ALTERNATING_RULES, UPDATE_RULES
from equipoise.playground.plane_data import find_data
from equipoise.playground.settings import PENALTIES, Settings
from equipoise.playground.toy_game import ToyGame
from equipoise.playground.walk import Pass, Update
from equipoise.playground.walk_boxes import walk_json


def game_of(**changes):
    small = {"generator_width": 8, "discriminator_width": 8, "batch_size": 6}
    return ToyGame(Settings().changed({**small, **changes}), find_data("two-modes"))


def weights_of(game):
    return [p.detach().clone() for player in (game.discriminator, game.generator) for p in player.parameters]


@pytest.mark.parametrize("rule", UPDATE_RULES)
def test_a_step_that_is_walked_is_the_same_step(rule):
    walked, plain = game_of(update_rule=rule), game_of(update_rule=rule)
    for _ in range(3):
        walked.step(walk=True)
        plain.step()
    for one, other in zip(weights_of(walked), weights_of(plain), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("name", [*objectives.available(), "squared_error"])
def test_every_game_can_be_walked_and_written_down(name, penalty):
    game = game_of(objective=name, penalty=penalty)
    for _ in range(2):
        walk = walk_json(game.step(walk=True), game.settings, step=game.steps)
    json.dumps(walk, allow_nan=False)
    for stage in walk["stages"]:
        names = [box["name"] for box in stage["boxes"]]
        assert names[:2] == ["latents", "fake"] and names[-2:] == ["gradient", "update"]
        assert all(box["filled"] for box in stage["boxes"])


def test_the_discriminators_updates_come_first_each_with_a_batch_of_its_own():
    game = game_of(n_critic=3)
    events = game.step(walk=True)
    kinds = [(type(event), event.player) for event in events]
    critic = [(Pass, "discriminator"), (Update, "discriminator")]
    assert kinds == [*critic * 3, (Pass, "generator"), (Update, "generator")]
    passes = [event for event in events if isinstance(event, Pass)]
    assert len({tuple(made.latents.flatten().tolist()) for made in passes}) == 4
    stages = walk_json(events, game.settings, step=1)["stages"]
    assert [(stage["player"], stage["place"], stage["of"]) for stage in stages] == [
        ("discriminator", 1, 3),
        ("discriminator", 2, 3),
        ("discriminator", 3, 3),
        ("generator", 1, 1),
    ]


@pytest.mark.parametrize("rule", UPDATE_RULES)
def test_nobody_moves_while_the_other_is_updated(rule):
    events = game_of(update_rule=rule).step(walk=True)
    updates = [event for event in events if isinstance(event, Update)]
    assert {update.player for update in updates} == {"discriminator", "generator"}
    assert all(update.change > 0 and update.change_of_other == 0 for update in updates)
    if rule not in ALTERNATING_RULES:
        first = next(place for place, event in enumerate(events) if isinstance(event, Update))
        assert sum(isinstance(event, Pass) for event in events[:first]) == 2


def test_updates_of_a_look_ahead_are_said_to_be_taken_back_and_those_after_it_are_not():
    game = game_of(update_rule="extragradient")
    stages = walk_json(game.step(walk=True), game.settings, step=1)["stages"]
    assert [stage["player"] for stage in stages] == ["discriminator", "generator"] * 2
    notes = [stage["boxes"][-1]["note"] for stage in stages]
    assert ["given back" in note for note in notes] == [True, True, False, False]


def test_the_generator_gets_no_gradient_while_the_discriminator_learns():
    made, _, answered, _ = game_of().step(walk=True)
    assert not made.fake_is_attached and made.to_samples is None
    assert answered.fake_is_attached and answered.to_samples.shape == (6, 2)


def test_what_flows_back_to_the_samples_is_the_gradient_of_the_loss():
    game = game_of(objective="nonsaturating", penalty="none")
    events = game.step(walk=True)
    made = events[2]
    # Minus sigma(-l) times the slope of the logit, over the batch size; D has not moved since.
    points = made.fake.clone().requires_grad_(True)
    logits = game.discriminator.network(points)
    (slope,) = torch.autograd.grad(logits.sum(), points)
    expected = -torch.sigmoid(-logits.detach())[:, None] * slope / 6
    torch.testing.assert_close(made.to_samples, expected, rtol=1e-4, atol=1e-7)


def test_the_formula_with_numbers_adds_up():
    game = game_of(batch_size=4, penalty="r1", gamma=0.5)
    events = game.step(walk=True)
    made = events[0]
    loss = next(box for box in walk_json(events, game.settings, step=1)["stages"][0]["boxes"] if box["name"] == "loss")
    real = torch.log(torch.sigmoid(made.real_logits.double()))
    fake = torch.log(1 - torch.sigmoid(made.fake_logits.double()))
    mean, weight = made.penalties["r1"]
    assert weight == 0.5
    shown = float(re.search(r"L_D = ([\d.]+)", loss["filled"])[1])
    assert shown == pytest.approx(float(-real.mean() - fake.mean()) + 0.5 * mean, rel=6e-3)  # three digits are shown
    for term in real[:4].tolist():
        assert f"{abs(term):.3g}" in loss["filled"]


def test_a_batch_of_one_is_said_to_have_no_standard_error():
    game = game_of(batch_size=1)
    walk = walk_json(game.step(walk=True), game.settings, step=1)
    loss = next(box for box in walk["stages"][0]["boxes"] if box["name"] == "loss")
    assert "no standard error" in loss["note"]
    assert game.reading().value.standard_error is None


def test_hooks_are_gone_after_a_walk():
    game = game_of()
    game.step(walk=True)
    for player in (game.discriminator, game.generator):
        assert not player.network._forward_hooks
        assert not player.optimizer._optimizer_step_pre_hooks and not player.optimizer._optimizer_step_post_hooks
