"""One training step: players, update rules, learning-rate schedules, EMA."""

from equipoise.game.ema import AveragedWeights
from equipoise.game.finite import FiniteUpdates, NonFinite
from equipoise.game.lr_schedule import Schedule
from equipoise.game.player import Player, total_norm
from equipoise.game.step import Batch, StepReport, discriminator_loss, generator_loss, train_step
from equipoise.game.stepper import EagerStepper, Stepper
from equipoise.game.update_rules import UpdateRule

__all__ = [
    "AveragedWeights",
    "Batch",
    "EagerStepper",
    "FiniteUpdates",
    "NonFinite",
    "Player",
    "Schedule",
    "StepReport",
    "Stepper",
    "UpdateRule",
    "discriminator_loss",
    "generator_loss",
    "total_norm",
    "train_step",
]
