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

from equipoise.augmentation.base import WATCHED_EVERY, Augmentation
from equipoise.augmentation.shift import require_images
from equipoise.errors import ConfigError, nearest
from equipoise.shapes import Logits, Samples, Scalar

TRANSLATION, ROTATION, SCALING = 1 / 8, math.radians(15), 0.15
"""Longest shift as a fraction of the side; largest angle; largest logarithm of the factor."""
BRIGHTNESS, CONTRAST, DARKENING = 0.25, 0.3, 0.4
"""Most that is added; most that the factor of the distance to the mean differs from 1; most that a colour loses."""
CUTOUT = 1 / 2
"""Side of the square that is blanked, as a fraction of the image's."""
SPEED = 1 / 500
"""Change of an adaptive probability in a step: from 0 to 1 in 500 steps. Arbitrary."""
LOOKS = 32
"""Looks at withheld rows over which their logits are averaged: with some ten of them, one look says little."""
MOST_WITHHELD = 0.5
GAPS = ("to_withheld", "to_fake")
TINY = 1e-12
"""Keeps a quotient finite whose denominator is not used where it is so small."""
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
    kinds: Sequence[str] = ("translate", "cutout"),
    *,
    probability: float = 0.6,
    target: float | None = None,
    overfitting: float | None = None,
    withheld: float = 0.1,
) -> Augmentation:
    """Transformations of images, each with a probability of its own draw.

    Args:
        kinds: among flip, translate, rotate, scale, colour and cutout. No flip for letters and digits.
        probability: of each transformation, for each image; where it is adaptive, the one to begin with.
        target: makes the probability adaptive: it rises by `SPEED` a step while the discriminator ranks the real one
            of a pair above the generated one more often than by this much (2 P - 1; 0 at chance level, 1 always), and
            falls otherwise. The source's 0.6 is for pairs of another kind. `None` is fixed.
        overfitting: makes the probability adaptive by what the discriminator knows by heart: it rises by `SPEED` a
            step while `overfitting_of` is above this, and falls otherwise. 0 is none; at 1 a real image that was not
            learned from looks generated. `None` is fixed.
        withheld: share of the training images that nothing learns from, to measure that; without `overfitting` all are
            learned from.

    Reference:
        Zhao et al. 2020, arXiv:2006.10738 (translation, cutout, colour); Karras et al. 2020, arXiv:2006.06676, section
        3 (the rest, and the controllers; `target` there is on the sign of the logits: pairing logits have no zero).
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
    if overfitting is not None and (target is not None or not 0 < overfitting < 1 or not 0 < withheld <= MOST_WITHHELD):
        raise ConfigError(
            "augmentation.differentiable.overfitting",
            f"overfitting {overfitting}, withheld {withheld}, target {target}.",
            f"Expected an overfitting between 0 and 1, a withheld share above 0 and up to {MOST_WITHHELD}, and no "
            "target beside it: both would move one probability.",
            "0.5 withholds a tenth of the images and is a beginning.",
        )
    chosen = [kind for kind in KINDS if kind in kinds]  # always in one order
    state = {} if target is None and overfitting is None else {"probability": torch.tensor(float(probability))}
    if overfitting is not None:
        state |= {name: torch.tensor(0.0) for name in ("overfitting", "looks", *GAPS)}

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

    def observe_withheld(real_logits: Logits, withheld_logits: Logits, fake_logits: Logits) -> None:
        assert overfitting is not None
        state["looks"].add_(1)
        weight = 1 / state["looks"].clamp(max=LOOKS)
        for name, other in zip(GAPS, (withheld_logits, fake_logits), strict=True):
            state[name].lerp_(real_logits.float().mean() - other.float().mean(), weight)
        found = overfitting_of(*(state[name] for name in GAPS))
        state["overfitting"].copy_(found)
        state["probability"].add_(WATCHED_EVERY * SPEED * (found - overfitting).sign()).clamp_(0, 1)

    return Augmentation(
        name="differentiable",
        apply=apply,
        source="arXiv:2006.10738; arXiv:2006.06676, section 3",
        strength=lambda step, total: float(state["probability"]) if state else probability,
        state=state,
        observe=None if target is None else observe,
        withheld=0.0 if overfitting is None else withheld,
        observe_withheld=None if overfitting is None else observe_withheld,
    )


def overfitting_of(to_withheld: Scalar, to_fake: Scalar) -> Scalar:
    r"""How far withheld real samples have moved from the real ones that are learned from to the generated ones.

    .. math::
        r_v = \frac{E[f(x_{train})] - E[f(x_{withheld})]}{E[f(x_{train})] - E[f(G(z))]}

    0 where the discriminator generalises; 1 where real samples that it has not learned from look generated to it. A
    constant added to the logits changes nothing, as in a game of pairs.

    Args:
        to_withheld: the numerator, a mean over some steps.
        to_fake: the denominator; where it is not positive the discriminator knows nothing, and nothing by heart.

    Returns:
        A scalar from -1 to 2: beyond, the quotient of two noisy means says no more.

    Reference:
        Karras et al. 2020, arXiv:2006.06676, Eq. 1, left.
    """
    return torch.where(to_fake > 0, to_withheld / to_fake.clamp(min=TINY), 0).clamp(-1, 2)


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
