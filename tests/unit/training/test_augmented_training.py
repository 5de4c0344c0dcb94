"""The seams of a trainer: an augmentation that adapts, and a stepper of one's own."""

import dataclasses

import pytest
import torch
from torch import nn

from equipoise.augmentation import Augmentation
from equipoise.errors import PlayDiverged
from equipoise.game import EagerStepper, Player, UpdateRule
from equipoise.objectives import find
from equipoise.training import BatchSource, Plan, Trainer
from equipoise.training.checkpoints import load_checkpoint, save_checkpoint


def adaptive():
    """Noise that grows where the discriminator is sure of real samples: a small version of ADA's controller."""
    state = {"level": torch.zeros(())}

    def observe(real_logits, fake_logits):
        state["level"].add_(0.1 * real_logits.sign().mean() - 0.1 * fake_logits.sign().mean())

    return Augmentation(
        name="adaptive",
        apply=lambda samples, level, stream: samples + level * torch.randn(samples.shape, generator=stream),
        source="arXiv:2006.06676",
        strength=lambda step, total: float(state["level"]),
        state=state,
        observe=observe,
    )


def trainer(*, augmentation=None, stepper=None, rule=UpdateRule(), steps=12, real=None):
    torch.manual_seed(0)
    generator, discriminator = nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))
    real = torch.randn(64, 2) if real is None else real
    return Trainer(
        discriminator=Player(discriminator, torch.optim.Adam(discriminator.parameters(), lr=0.05)),
        generator=Player(generator, torch.optim.Adam(generator.parameters(), lr=0.05)),
        objective=find("nonsaturating")(),
        batches=BatchSource(real, latent_dimensions=3, batch_size=16, updates_per_step=rule.updates_per_step, seed=0),
        plan=Plan(steps=steps, measure_every=1),
        update_rule=rule,
        augmentation=augmentation,
        stepper=stepper,
    )


def weights(game):
    return torch.cat([p.detach().flatten() for player in game.players.values() for p in player.parameters])


def test_an_augmentation_observes_the_last_update_of_the_discriminator_once_a_step():
    seen = []
    counting = dataclasses.replace(adaptive(), observe=lambda *logits: seen.append([len(side) for side in logits]))
    trainer(augmentation=counting, rule=UpdateRule(n_critic=3)).run()
    assert seen == [[16, 16]] * 12


def test_the_strength_of_an_adaptive_augmentation_is_measured():
    rows, game = [], trainer(augmentation=adaptive())
    game.handlers = [lambda event: rows.append(event.row) if hasattr(event, "row") else None]
    game.run()
    assert rows[-1]["adaptive"] == float(game.augmentation.state["level"]) != rows[0]["adaptive"]


def test_what_an_augmentation_remembers_is_stored_and_resumed_bit_for_bit(tmp_path):
    whole = trainer(augmentation=adaptive())
    for _ in range(12):
        whole.train_step()
    begun, resumed = trainer(augmentation=adaptive()), trainer(augmentation=adaptive())
    for _ in range(5):
        begun.train_step()
    save_checkpoint(tmp_path, begun.state)
    load_checkpoint(tmp_path, resumed)
    assert float(resumed.augmentation.state["level"]) == float(begun.augmentation.state["level"]) != 0
    for _ in range(7):
        resumed.train_step()
    assert torch.equal(weights(resumed), weights(whole))
    assert torch.equal(resumed.augmentation.state["level"], whole.augmentation.state["level"])


def test_a_state_of_an_augmentation_that_is_not_finite_is_not_stored(tmp_path):
    game = trainer(augmentation=adaptive())
    game.augmentation.state["level"].fill_(float("nan"))
    with pytest.raises(PlayDiverged, match="augmentation's 'level'"):
        save_checkpoint(tmp_path, game.state)


def test_a_trainer_steps_behind_the_stepper_that_it_is_given():
    class Counting:
        def __init__(self, game):
            self.eager, self.steps = EagerStepper(game.discriminator, game.generator, game.objective), 0

        def step(self, batches, **options):
            self.steps += 1
            return self.eager.step(batches, **options)

    plain, game = trainer(), trainer()
    game.stepper = Counting(game)
    plain.run()
    game.run()
    assert game.stepper.steps == 12
    assert torch.equal(weights(game), weights(plain))
