"""One step of play: players, turns, schedules, averages."""

from equipoise.game.averaging import WeightAverage
from equipoise.game.finite import FiniteMoves, Trouble
from equipoise.game.player import Player, total_norm
from equipoise.game.schedules import Ramp
from equipoise.game.step import Batch, Schedule, StepReport, discriminator_loss, generator_loss, play_step

__all__ = [
    "Batch",
    "FiniteMoves",
    "Player",
    "Ramp",
    "Schedule",
    "StepReport",
    "Trouble",
    "WeightAverage",
    "discriminator_loss",
    "generator_loss",
    "play_step",
    "total_norm",
]
