"""Changes of a picture that should not change what a discriminator says of it; consistency penalties draw them.

Each is a function of samples `(batch, channels, height, width)` and a random stream, and gives the same shape back.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from equipoise.errors import unknown_name
from equipoise.shapes import Samples

Change = Callable[[Samples, torch.Generator | None], Samples]

REACH = 1 / 8
"""How far pictures are shifted, as a share of their side: 1 pixel of 8, 4 of 32, as the source does."""


def shift(samples: Samples, randomness: torch.Generator | None) -> Samples:
    """Each picture moved by its own whole number of pixels along both sides, up to an eighth of the side.

    What comes in at an edge repeats the edge: a border of one value would be a mark that no real picture bears.

    Reference:
        Zhao et al. 2021, arXiv:2002.04724, Section 4 (random shifting by a few pixels).
    """
    count, _, height, width = samples.shape
    rows = _moved(count, height, samples.device, randomness)
    columns = _moved(count, width, samples.device, randomness)
    pictures = torch.arange(count, device=samples.device)[:, None, None]
    moved = samples.permute(0, 2, 3, 1)[pictures, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2).contiguous()


def shift_and_flip(samples: Samples, randomness: torch.Generator | None) -> Samples:
    """`shift`, and half of the pictures mirrored left to right; not for letters or digits, whose mirror image is none.

    Reference:
        Zhao et al. 2021, arXiv:2002.04724, Section 4.
    """
    is_mirrored = torch.rand(len(samples), 1, 1, 1, generator=randomness, device=samples.device) < 0.5
    return shift(torch.where(is_mirrored, samples.flip(3), samples), randomness)


def find_change(name: str, *, where: str) -> Change:
    """The change called `name`.

    Args:
        name: `shift` or `shift_and_flip`.
        where: what an error message calls the place where the name was written.
    """
    if name not in CHANGES:
        raise unknown_name(where, "change of pictures", name, CHANGES)
    return CHANGES[name]


def _moved(count: int, side: int, device: torch.device, randomness: torch.Generator | None) -> torch.Tensor:
    """Which line of a picture each line is taken from, int64 `(count, side)`."""
    reach = max(1, int(side * REACH))
    by = torch.randint(-reach, reach + 1, (count, 1), generator=randomness, device=device)
    return (torch.arange(side, device=device) + by).clamp(0, side - 1)


CHANGES: dict[str, Change] = {"shift": shift, "shift_and_flip": shift_and_flip}
