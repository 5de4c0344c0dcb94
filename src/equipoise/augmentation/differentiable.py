r"""Differentiable augmentation of images, for little data: each transformation hits each image with probability p.

Where a discriminator sees the same hundred pictures again and again, it learns them by heart; transformed at random on
both sides, they are many. The generator learns the data and not the transformed data as long as the law of the
transformed images tells the law of the images: with p below 1 part of them pass untouched (Karras et al. 2020,
arXiv:2006.06676, section 2.2 and appendix C). With high p, or rotations, the changes can show in the samples; whether
it pays is for the verdict to say.

Everything is made of gathers and arithmetic that is linear in the pixels, so that penalties differentiate through it
twice. Pixels that come in at an edge repeat the edge.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from equipoise.augmentation.base import Augmentation
from equipoise.augmentation.shift import require_images
from equipoise.errors import ConfigError, nearest
from equipoise.shapes import Logits, Samples

TRANSLATION, ROTATION, SCALING = 1 / 8, math.radians(15), 0.15
"""Longest shift as a fraction of the side; largest angle; largest logarithm of the factor."""
BRIGHTNESS, CONTRAST, DARKENING = 0.25, 0.3, 0.4
"""Most that is added; most that the factor of the distance to the mean differs from 1; most that a colour loses."""
CUTOUT = 1 / 2
"""Side of the square that is blanked, as a fraction of the image's."""
SPEED = 1 / 500
"""Change of an adaptive probability in a step: from 0 to 1 in 500 steps. Arbitrary."""
NUMBERS = 18
"""Random numbers for each image, three for each kind; the same many whatever is done with them."""
GREY, TRANSPARENT = 0.0, -1.0


@dataclass(frozen=True)
class Draw:
    """The random numbers of one transformation, each even on [0, 1). Shape `(batch,)` each."""

    chance: Tensor
    first: Tensor
    second: Tensor

    def hits(self, probability: float) -> Tensor:
        """Which images are transformed."""
        return self.chance < probability


def differentiable(
    kinds: Sequence[str] = ("translate", "cutout"), *, probability: float = 0.6, target: float | None = None
) -> Augmentation:
    """Transformations of images, each with a probability of its own draw.

    Args:
        kinds: among flip, translate, rotate, scale, colour and cutout. No flip for letters and digits.
        probability: of each transformation, for each image; where it is adaptive, the one to begin with.
        target: makes the probability adaptive: it rises by `SPEED` a step while the discriminator ranks the real one
            of a pair above the generated one more often than by this much (2 P - 1; 0 at chance level, 1 always), and
            falls otherwise. The source's 0.6 is for pairs of another kind. `None` is fixed.

    Reference:
        Zhao et al. 2020, arXiv:2006.10738 (translation, cutout, colour); Karras et al. 2020, arXiv:2006.06676, section
        3 (the rest, and the controller, there on the sign of the logits: pairing logits have no zero).
    """
    for kind in kinds:
        if kind not in KINDS:
            raise ConfigError(
                "augmentation.differentiable.kinds",
                f"no transformation is called '{kind}'.{nearest(str(kind), KINDS)}",
                f"Available: {', '.join(KINDS)}.",
                "Write a list of these.",
            )
    if not 0 <= probability <= 1 or not (target is None or -1 < target < 1):
        raise ConfigError(
            "augmentation.differentiable",
            f"probability {probability}, target {target}.",
            "Expected a probability from 0 to 1, and a target between -1 and 1.",
            "0.6 suits some hundred images.",
        )
    chosen = [kind for kind in KINDS if kind in kinds]  # always in one order
    state = {} if target is None else {"probability": torch.tensor(float(probability))}

    def apply(samples: Samples, strength: float, randomness: torch.Generator | None) -> Samples:
        require_images(samples, "differentiable")
        numbers = torch.rand(len(samples), NUMBERS, generator=randomness, device=samples.device)
        draws = {kind: Draw(*numbers[:, 3 * place : 3 * place + 3].unbind(1)) for place, kind in enumerate(KINDS)}
        return transformed(samples, {kind: draws[kind] for kind in chosen}, strength)

    def observe(real_logits: Logits, fake_logits: Logits) -> None:
        assert target is not None
        count = min(len(real_logits), len(fake_logits))
        lead = (real_logits[:count] - fake_logits[:count]).sign().float().mean()
        state["probability"].add_(SPEED * (lead - target).sign()).clamp_(0, 1)

    return Augmentation(
        name="differentiable",
        apply=apply,
        source="arXiv:2006.10738; arXiv:2006.06676, section 3",
        strength=lambda step, total: float(state["probability"]) if state else probability,
        state=state,
        observe=None if target is None else observe,
    )


def transformed(samples: Samples, draws: dict[str, Draw], probability: float) -> Samples:
    """Images with each of these transformations, by its draw. Shape `(batch, channels, height, width)`."""
    moves = {kind: draw for kind, draw in draws.items() if kind in GEOMETRIC}
    if "flip" in draws:
        is_flipped = draws["flip"].hits(probability) & (draws["flip"].first < 0.5)
        samples = torch.where(is_flipped[:, None, None, None], samples.flip(3), samples)
    if moves:
        samples = moved(samples, moves, probability)
    for kind in ("colour", "cutout"):
        if kind in draws:
            samples = KINDS[kind](samples, draws[kind], probability)
    return samples


def moved(samples: Samples, draws: dict[str, Draw], probability: float) -> Samples:
    """Images shifted by whole pixels, turned and scaled about their centre, with bilinear weights where need be."""
    count, _, height, width = samples.shape
    still = torch.zeros(count, device=samples.device, dtype=samples.dtype)
    down, right, angle, growth = still, still, still, still
    if "translate" in draws:
        draw, is_hit = draws["translate"], draws["translate"].hits(probability)
        down, right = (
            torch.where(is_hit, (2 * drawn - 1) * (reach + 0.5), 0).round().clamp(-reach, reach).to(samples.dtype)
            for drawn, reach in ((draw.first, _reach(height)), (draw.second, _reach(width)))
        )
    if "rotate" in draws:
        angle = torch.where(draws["rotate"].hits(probability), (2 * draws["rotate"].first - 1) * ROTATION, 0)
    if "scale" in draws:
        growth = torch.where(draws["scale"].hits(probability), (2 * draws["scale"].first - 1) * SCALING, 0)
    cosine, sine = (
        function(angle.to(samples.dtype)) / growth.to(samples.dtype).exp() for function in (torch.cos, torch.sin)
    )
    rows = torch.arange(height, device=samples.device, dtype=samples.dtype) - (height - 1) / 2
    columns = torch.arange(width, device=samples.device, dtype=samples.dtype) - (width - 1) / 2
    y, x = (rows[None] - down[:, None])[:, :, None], (columns[None] - right[:, None])[:, None, :]
    # Where each pixel comes from.
    from_y = cosine[:, None, None] * y - sine[:, None, None] * x + (height - 1) / 2
    from_x = sine[:, None, None] * y + cosine[:, None, None] * x + (width - 1) / 2
    flat = samples.flatten(start_dim=2)
    if "rotate" not in draws and "scale" not in draws:
        return _gathered(flat, from_y.round(), from_x.round(), (height, width))
    top, left = from_y.floor(), from_x.floor()
    below, beside = from_y - top, from_x - left
    found = torch.zeros_like(samples)
    for step_y, weight_y in ((0, 1 - below), (1, below)):
        for step_x, weight_x in ((0, 1 - beside), (1, beside)):
            weight = (weight_y * weight_x)[:, None]
            found = found + weight * _gathered(flat, top + step_y, left + step_x, (height, width))
    return found


def _gathered(flat: Tensor, rows: Tensor, columns: Tensor, size: tuple[int, int]) -> Tensor:
    """The pixels at these places of each image, `(batch, height, width)` each; the nearest one beyond an edge."""
    height, width = size
    places = rows.clamp(0, height - 1).long() * width + columns.clamp(0, width - 1).long()
    index = places.flatten(start_dim=1)[:, None].expand(-1, flat.shape[1], -1)
    return flat.gather(2, index).unflatten(2, size)


def _reach(side: int) -> int:
    return max(1, int(side * TRANSLATION))


def recoloured(samples: Samples, draw: Draw, probability: float) -> Samples:
    """Brightness and contrast of each image changed; of transparent ones, each colour darkened, and alpha kept."""
    is_hit = draw.hits(probability)[:, None, None, None]
    if samples.shape[1] == 4:  # colours times alpha: they may shrink, and stay below alpha
        kept = torch.stack([draw.first, draw.second, (draw.first + draw.second) % 1], dim=1) * -DARKENING + 1
        factor = torch.cat([kept, torch.ones_like(kept[:, :1])], dim=1).to(samples.dtype)
        return torch.where(is_hit, (samples + 1) * factor[:, :, None, None] - 1, samples)
    added = ((2 * draw.first - 1) * BRIGHTNESS).to(samples.dtype)[:, None, None, None]
    factor = ((2 * draw.second - 1) * CONTRAST + 1).to(samples.dtype)[:, None, None, None]
    mean = samples.mean(dim=(1, 2, 3), keepdim=True)
    return torch.where(is_hit, (samples - mean) * factor + mean + added, samples)


def cut_out(samples: Samples, draw: Draw, probability: float) -> Samples:
    """A square of half the side made grey, or transparent; it may hang over an edge."""
    _, channels, height, width = samples.shape
    inside = []
    for drawn, side in ((draw.first, height), (draw.second, width)):
        lines = torch.arange(side, device=samples.device)[None] - (drawn * side)[:, None]
        inside.append(lines.abs() <= side * CUTOUT / 2)
    is_cut = inside[0][:, None, :, None] & inside[1][:, None, None, :] & draw.hits(probability)[:, None, None, None]
    return torch.where(is_cut, TRANSPARENT if channels == 4 else GREY, samples)


GEOMETRIC = ("translate", "rotate", "scale")
KINDS: dict[str, Callable[[Samples, Draw, float], Samples] | None] = {
    "flip": None,
    **dict.fromkeys(GEOMETRIC),
    "colour": recoloured,
    "cutout": cut_out,
}
"""The transformations, in the order in which they are done; those without a function are done together."""

AUGMENTATIONS = {"differentiable": differentiable}
