"""What a penalty is, and the position it looks at.

A penalty adds `weight * mean(per_sample(position))` to the discriminator's loss. All penalties of one
turn share the position's logits and input gradients, so R1 and R2 together cost one extra
backward pass, not two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from equipoise.shapes import Logits, PerSample, Samples

Side = Literal["real", "fake"]
Discriminator = Callable[[Samples], Logits]


class Position:
    """One turn of the discriminator as penalties see it: both batches, their logits, their input gradients.

    Args:
        discriminator: maps samples to logits; class labels are bound already. It must treat the samples
            of a batch independently (no batch normalisation) when `differentiate` is not empty.
        real: shape `(batch, *sample_shape)`.
        fake: the same shape; detached from the generator.
        differentiate: the sides at which some penalty needs the input gradient.
        randomness: the stream that penalties which draw points draw from.
    """

    def __init__(
        self,
        discriminator: Discriminator,
        real: Samples,
        fake: Samples,
        *,
        differentiate: frozenset[Side] = frozenset(),
        randomness: torch.Generator | None = None,
    ) -> None:
        self.discriminator = discriminator
        self.randomness = randomness
        self._gradients: dict[Side, Samples] = {}
        self._joined: Samples | None = None
        if differentiate == {"real", "fake"}:
            # One pass over both batches: with independent samples it equals two passes, and it is faster.
            self._joined = torch.cat([real.detach(), fake.detach()]).requires_grad_(True)
            logits = discriminator(self._joined)
            self.real, self.fake = self._joined[: len(real)], self._joined[len(real) :]
            self.real_logits, self.fake_logits = logits[: len(real)], logits[len(real) :]
            self._logits = logits
        else:
            self.real = real.detach().requires_grad_("real" in differentiate)
            self.fake = fake.detach().requires_grad_("fake" in differentiate)
            self.real_logits = discriminator(self.real)
            self.fake_logits = discriminator(self.fake)

    def input_gradient(self, side: Side) -> Samples:
        """Gradient of the logit with respect to each sample of one side, differentiable in the weights."""
        if side not in self._gradients:
            if self._joined is not None:
                (gradient,) = torch.autograd.grad(self._logits.sum(), self._joined, create_graph=True)
                count = len(self.real_logits)
                self._gradients = {"real": gradient[:count], "fake": gradient[count:]}
            else:
                points, logits = (self.real, self.real_logits) if side == "real" else (self.fake, self.fake_logits)
                (self._gradients[side],) = torch.autograd.grad(logits.sum(), points, create_graph=True)
        return self._gradients[side]


@dataclass(frozen=True)
class Penalty:
    """A term of the discriminator's loss that does not depend on the objective.

    Attributes:
        name: as written in a configuration.
        weight: its factor; a schedule may scale it during a run.
        per_sample: the penalty per sample, before the weight. Shape `(batch,)`.
        differentiates: sides at which `per_sample` reads the position's input gradient.
        is_per_sample: whether it assumes that samples of a batch do not influence each other, which
            batch normalisation breaks.
        controls_slope: whether it bounds the discriminator's slope, as Wasserstein play needs.
        source: paper and equation.
    """

    name: str
    weight: float
    per_sample: Callable[[Position], PerSample]
    differentiates: frozenset[Side]
    is_per_sample: bool
    controls_slope: bool
    source: str


def squared_norm(gradient: Samples) -> PerSample:
    """Squared Euclidean length per sample, in float32 at least. Shape `(batch,)`."""
    precise = gradient if gradient.dtype == torch.float64 else gradient.float()
    return precise.flatten(start_dim=1).square().sum(dim=1)
