r"""Exponential moving average (EMA) of a network's weights, over a window that grows with the run.

The iterates circle around an equilibrium (THEORY, section 4), and an average of them removes most of the circle. The
window is a fixed fraction of the run so far, so that no length of run has to be guessed:

.. math::
    a_t = a_{t-1} + \frac{w_t - a_{t-1}}{1 + s\, t}

with the relative length s. This is polynomial-decay averaging (Shamir & Zhang 2013, arXiv:1212.1824, Section 4), and
EDM2's power-function EMA (Karras et al. 2024, arXiv:2312.02696, Eq. 121, 123 and 127): the weights of step k count in
proportion to :math:`k^\gamma`, up to a relative O(1/k), with

.. math::
    \gamma = 1/s - 1

The relative length 0.05 is gamma = 19, whose profile has the relative standard deviation
:math:`\sigma_{rel} = \sqrt{(\gamma + 1)/((\gamma + 2)^2 (\gamma + 3))} = 0.045` that EDM2 calls its length.
"""

from __future__ import annotations

import copy

import torch
from torch import nn


class AveragedWeights:
    """The EMA of a network's weights, kept as a second network of the same kind.

    Args:
        network: the network that is trained; not changed.
        relative_length: s, the window as a fraction of the steps so far; gamma is `1 / relative_length - 1`. 0 gives
            the last weights.

    Attributes:
        network: the averaged copy, in evaluation mode, without gradients.
        updates: how many updates have been averaged.
    """

    def __init__(self, network: nn.Module, *, relative_length: float = 0.05) -> None:
        self.relative_length = relative_length
        self.updates = 0
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._pairs = tuple(zip(self.network.parameters(), network.parameters(), strict=True))
        self._buffers = tuple(
            pair
            for averaged, trained in zip(self.network.modules(), network.modules(), strict=True)
            if not getattr(trained, "is_fitted_to_the_average", False)
            for pair in zip(averaged.buffers(recurse=False), trained.buffers(recurse=False), strict=True)
        )

    @torch.no_grad()
    def update(self) -> None:
        """Bring the average up to date with the network's weights. Buffers (running statistics) are copied, but those
        of a module that says `is_fitted_to_the_average`."""
        self.updates += 1
        weight = 1.0 / (1.0 + self.relative_length * self.updates)
        for averaged, trained in self._pairs:
            averaged.lerp_(trained.detach(), weight)
        for averaged, trained in self._buffers:
            averaged.copy_(trained)
