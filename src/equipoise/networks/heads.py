"""The last step of a generator: from raw numbers to a sample of its space."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equipoise.networks.detail import DetailCurves
from equipoise.networks.tone import ToneCurves
from equipoise.shapes import Samples
from equipoise.spaces import ImageSpace, Space

TEMPERATURE = 0.5
"""Of the relaxed draw whose gradient stands in for that of the hard draw: lower is less biased and noisier."""

ROUNDS = 2
"""How often tone and detail curves take turns before the last tone curves: each disturbs a little what the others have
brought about. On digits the referee's estimate fell with two rounds, and hardly more with a third."""

OVERSHOOT = 0.1
"""Slope of the leaky clip beyond [-1, 1]: small enough to hold black and white still, large enough to come back."""


def one_hot_entries(space: Space) -> int:
    """Latents that a generator needs to draw the categories of a row, one per one-hot entry."""
    return sum(block.width for block in space.blocks if block.is_one_hot)


class SampleHead(nn.Module):
    """Raw numbers to samples: points as they are, images through a leaky clip, rows with their categories drawn.

    The leaky clip is the identity on [-1, 1] and has the derivative `OVERSHOOT` outside. A tanh can shut off the
    generator's gradient for good (seen with the convolutional pair, whose gradient fell from 2.5 to 0.001 within 100
    steps); no bound at all leaves scans, which are full of pure black and white, with a noisy background. What remains
    beyond [-1, 1] is clipped where samples are decoded.

    A category is drawn from latents by the Gumbel-max rule, so the generator is a deterministic function of its input.
    The forward value is exactly one-hot, as in real rows (soft values would give generated rows away), and the gradient
    is that of the relaxed draw.

    Args:
        space: what one sample is.
        tone: whether images pass through `ToneCurves` in evaluation mode. The game is played without them: they would
            hide from the discriminator what it is to judge.
        detail: whether tone curves of whole channels and `DetailCurves` come before those, in turns.

    Reference:
        Jang, Gu, Poole 2017, arXiv:1611.01144, section 2.2 (straight-through Gumbel-softmax).
    """

    def __init__(self, space: Space, *, tone: bool = False, detail: bool = False) -> None:
        super().__init__()
        self.space = space
        self.blocks = space.blocks
        if (tone or detail) and not isinstance(space, ImageSpace):
            raise ValueError(
                f"{'tone' if tone else 'detail'} curves are for images, and these samples are {space.kind}"
            )
        turns = [each for _ in range(ROUNDS * detail) for each in (ToneCurves(space, whole=True), DetailCurves(space))]
        self.rounds = nn.ModuleList(turns)
        self.tone = ToneCurves(space) if tone else None

    def forward(self, raw: Tensor, noise: Tensor | None) -> Samples:
        """Samples of shape `(batch, *space.shape)` from `raw` of as many numbers; `noise` are standard normal."""
        if not self.blocks:
            samples = leaky_clip(raw) if self.space.is_bounded else raw
            samples = samples.reshape(-1, *self.space.shape)
            if not self.training:
                for curves in curves_of(self):
                    samples = curves(samples)
            return samples
        parts: list[Tensor] = []
        start = drawn = 0
        for block in self.blocks:
            part = raw[:, start : start + block.width]
            if block.is_one_hot:
                assert noise is not None
                part = draw_one_hot(part, noise[:, drawn : drawn + block.width])
                drawn += block.width
            parts.append(part)
            start += block.width
        return torch.cat(parts, dim=1)


def curves_of(network: nn.Module) -> list[ToneCurves | DetailCurves]:
    """The curves that a generator has, in the order in which samples pass through them."""
    return [part for part in network.modules() if isinstance(part, (ToneCurves, DetailCurves))]


def leaky_clip(raw: Tensor) -> Tensor:
    """x on [-1, 1]; beyond, +-1 plus `OVERSHOOT` times the excess. The derivative is never 0."""
    return raw.clamp(-1, 1).lerp(raw, OVERSHOOT)


def draw_one_hot(scores: Tensor, noise: Tensor) -> Tensor:
    """A one-hot draw with probabilities softmax(scores), from standard normal `noise` of the same shape."""
    # Phi(noise) is uniform; -log(-log u) is Gumbel. The clamp costs categories rarer than 1e-6, and keeps logs finite.
    uniform = torch.special.ndtr(noise.float()).clamp(1e-6, 1 - 1e-6)
    relaxed = torch.softmax((scores.float() - torch.log(-torch.log(uniform))) / TEMPERATURE, dim=1)
    hard = torch.zeros_like(relaxed).scatter_(1, relaxed.argmax(dim=1, keepdim=True), 1.0)
    return hard + (relaxed - relaxed.detach())  # the bracket is exactly 0
