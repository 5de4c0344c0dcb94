"""Samples of a generator as a pure function of (seed, position), in pieces that fit in memory."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equipoise.randomness import Stream, torch_stream

PIECE = 1024
"""Latents drawn at once. Part of the definition: sample i does not depend on how many are asked for."""
SUB_BATCH = 64
"""Samples of more than `SMALL_SAMPLE` numbers that a network makes at once; it bounds their memory. Divides `PIECE`."""
SMALL_SAMPLE = 1024
"""Numbers in a sample up to which a whole piece is made at once: many small calls would cost more than the work."""


@torch.no_grad()
def draw_samples(
    generator: nn.Module,
    count: int,
    *,
    latent_dimensions: int,
    seed: int,
    purpose: str = Stream.SAMPLES,
    class_shares: Tensor | None = None,
    label: int | None = None,
    device: torch.device | str = "cpu",
    sample_numbers: int = 1,
) -> tuple[Tensor, Tensor | None]:
    """`count` samples of `generator`, on the CPU.

    Args:
        generator: called as `generator(latents)` or `generator(latents, labels)`.
        count: how many.
        latent_dimensions: width of its latents.
        seed: decides the samples, together with `purpose`.
        class_shares: chance of each class, for a conditional generator; labels are drawn from it.
        label: ask for this class only.
        device: where the generator is.
        sample_numbers: numbers in one sample; it decides how many are made at once.

    Returns:
        Samples of shape `(count, *sample_shape)`, float32, and their labels or `None`.
    """
    at_once = PIECE if sample_numbers <= SMALL_SAMPLE else SUB_BATCH
    pieces: list[Tensor] = []
    labels: list[Tensor] = []
    for index, start in enumerate(range(0, count, PIECE)):
        # Drawn on the CPU whatever the device: the same seed asks for the same samples everywhere.
        stream = torch_stream(seed, purpose, index)
        latents = torch.randn(PIECE, latent_dimensions, generator=stream)
        wanted = min(PIECE, count - start)
        arguments = [latents.to(device)]
        if class_shares is not None:
            drawn = torch.multinomial(class_shares.double(), PIECE, replacement=True, generator=stream)
            classes = drawn if label is None else torch.full_like(drawn, label)
            arguments.append(classes.to(device))
            labels.append(classes[:wanted])
        # Whole sub-batches only: a product of matrices may round differently for another number of rows.
        needed = -(-wanted // at_once) * at_once
        made = [
            generator(*(argument[at : at + at_once] for argument in arguments)).float().cpu()
            for at in range(0, needed, at_once)
        ]
        pieces.append(torch.cat(made)[:wanted])
    if not pieces:
        return torch.zeros(0), None
    return torch.cat(pieces), torch.cat(labels) if labels else None
