"""One step of play: players, turns, schedules, averages."""

from equipoise.game.ema import AveragedWeights
from equipoise.game.finite import FiniteUpdates, NonFinite
from equipoise.game.lr_schedule import Schedule
from equipoise.game.player import Player, total_norm
from equipoise.game.step import Batch, StepReport, UpdateRule, discriminator_loss, generator_loss, train_step

__all__ = [
    "AveragedWeights",
    "Batch",
    "FiniteUpdates",
    "NonFinite",
    "Player",
    "Schedule",
    "StepReport",
    "UpdateRule",
    "discriminator_loss",
    "generator_loss",
    "total_norm",
    "train_step",
]
