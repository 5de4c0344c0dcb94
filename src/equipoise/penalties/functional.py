"""The same forward pass with another derivative: input gradients through `torch.func`, which a compiler can follow.

`ForwardPass` differentiates with `torch.autograd.grad(create_graph=True)`, the reference, which `torch.compile` cannot
trace. Here the gradient of the logits is the pull-back of a vector of ones; penalties cannot tell the difference.
"""

from __future__ import annotations

import torch

from equipoise.penalties.base import Discriminator, ForwardPass, Side
from equipoise.shapes import PerSample, Samples


class FunctionalForwardPass(ForwardPass):
    """The discriminator's forward pass inside a function that `torch.func` differentiates in the weights.

    Args:
        discriminator: maps samples to logits, each sample independently; a pure function of its weights and samples.
        real: shape `(batch, *sample_shape)`.
        fake: the same shape; a constant.
        differentiate: the sides at which some penalty needs the input gradient.
        randomness: the stream for penalties that draw random numbers; a compiler cannot follow these.
        fake_weights: importance weights of the generated samples; constants.
    """

    def __init__(
        self,
        discriminator: Discriminator,
        real: Samples,
        fake: Samples,
        *,
        differentiate: frozenset[Side] = frozenset(),
        randomness: torch.Generator | None = None,
        fake_weights: PerSample | None = None,
    ) -> None:
        self.discriminator = discriminator
        self.randomness = randomness
        self.fake_weights = fake_weights
        self.real, self.fake = real, fake
        self._gradients: dict[Side, Samples] = {}
        self._both = None
        count = len(real)
        both = torch.cat([real, fake])
        if differentiate:
            logits, pull_back = torch.func.vjp(discriminator, both)
            (gradient,) = pull_back(torch.ones_like(logits))
            self._gradients = {"real": gradient[:count], "fake": gradient[count:]}
        else:
            logits = discriminator(both)
        self.real_logits, self.fake_logits = logits[:count], logits[count:]

    def input_gradient(self, side: Side) -> Samples:
        """Gradient of the logit with respect to each sample of one side, differentiable in the weights."""
        return self._gradients[side]
