r"""A running average of a network's weights: samples drawn from it are better than from the last iterate.

The play around an equilibrium circles (THEORY, section 4); averaging removes most of the circle. The
average reaches back over a fixed share of the play so far,

    a_t = a_{t-1} + (w_t - a_{t-1}) / (1 + share * t),

so that early weights are forgotten at every length of run and no horizon has to be guessed.
"""

from __future__ import annotations

import copy

import torch
from torch import nn


class AveragedWeights:
    """The running average of `network`, kept as a second network of the same kind.

    Args:
        network: the network that is trained; not changed.
        share: how far back the average reaches, as a share of the steps played so far. 0 is the last iterate.

    Attributes:
        network: the averaged copy, in evaluation mode, without gradients.
        updates: how many updates have been averaged.
    """

    def __init__(self, network: nn.Module, *, share: float = 0.05) -> None:
        self.share = share
        self.updates = 0
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._pairs = tuple(zip(self.network.parameters(), network.parameters(), strict=True))
        self._buffers = tuple(zip(self.network.buffers(), network.buffers(), strict=True))

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the present weights. Buffers (running statistics) are copied."""
        self.updates += 1
        weight = 1.0 / (1.0 + self.share * self.updates)
        for averaged, present in self._pairs:
            averaged.lerp_(present.detach(), weight)
        for averaged, present in self._buffers:
            averaged.copy_(present)
