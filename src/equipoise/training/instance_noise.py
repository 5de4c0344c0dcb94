"""Instance noise during a run: both players see every sample through noise whose level follows the plan.

Real batches get it before a step; generated samples get it as they leave the generator, so that both losses, the
penalties and the monitor see the same fog. Samples that people see are drawn from the network itself, without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from equipoise.augmentation.instance_noise import InstanceNoise, add_instance_noise
from equipoise.distributed import SINGLE_PROCESS, ProcessGroup
from equipoise.game.player import Player
from equipoise.game.step import Batch
from equipoise.randomness import Stream, torch_stream


class InstanceNoiseStream:
    """The noise of one step after the other, as a pure function of (seed, step): nothing to store.

    Args:
        noise: how much, and how it decays.
        seed: of the whole run.

    Attributes:
        level: standard deviation during the present step.
        stream: what noise on generated samples is drawn from during the present step.
        group: the processes that share the batches of the present step.
    """

    def __init__(self, noise: InstanceNoise, *, seed: int) -> None:
        self.noise = noise
        self.seed = seed
        self.level = noise.level
        self.stream: torch.Generator | None = None
        self.group = SINGLE_PROCESS

    def over(
        self, batches: Sequence[Batch], *, step: int, total: int, group: ProcessGroup = SINGLE_PROCESS
    ) -> list[Batch]:
        """The batches of `step` (counted from 0) of `total` seen through noise, with the level set for that step."""
        device = batches[0].real.device
        self.group = group
        self.level = self.noise.level_at(step, total)
        self.stream = torch_stream(self.seed, Stream.NOISE_ON_FAKE, step, device=device)
        stream = torch_stream(self.seed, Stream.NOISE_ON_REAL, step, device=device)
        return [
            replace(batch, real=add_instance_noise(batch.real, self.level, randomness=stream, group=group))
            for batch in batches
        ]


@dataclass
class NoisyGenerator(Player):
    """A generator whose samples are seen through noise during play."""

    fog: InstanceNoiseStream = field(kw_only=True)

    def __call__(self, inputs: Tensor, labels: Tensor | None = None) -> Tensor:
        """The network's samples with the noise of the present step, a draw of its own for every call."""
        return add_instance_noise(
            super().__call__(inputs, labels), self.fog.level, randomness=self.fog.stream, group=self.fog.group
        )
