"""Samples of a generator as a pure function of (seed, position), in batches that fit in memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from equipoise.randomness import Stream, torch_stream

CHUNK = 1024
"""Latents drawn at once. Part of the definition: sample i does not depend on how many are asked for."""
SUB_BATCH = 64
"""Samples of more than `SMALL_SAMPLE` numbers that a network makes at once; it bounds their memory. Divides `CHUNK`."""
SMALL_SAMPLE = 1024
"""Numbers in a sample up to which a whole chunk is made at once: many small calls would cost more than the work."""


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

    The arguments are those of `sample_batches`.

    Returns:
        Samples of shape `(count, *sample_shape)`, float32, and their labels or `None`.
    """
    batches = list(
        sample_batches(
            generator,
            count,
            latent_dimensions=latent_dimensions,
            seed=seed,
            purpose=purpose,
            class_shares=class_shares,
            label=label,
            device=device,
            sample_numbers=sample_numbers,
        )
    )
    if not batches:
        return torch.zeros(0), None
    labels = [classes for _, classes in batches if classes is not None]
    return torch.cat([samples for samples, _ in batches]), torch.cat(labels) if labels else None


@torch.no_grad()
def sample_batches(
    generator: nn.Module,
    count: int | None,
    *,
    latent_dimensions: int,
    seed: int,
    purpose: str = Stream.SAMPLES,
    class_shares: Tensor | None = None,
    label: int | None = None,
    device: torch.device | str = "cpu",
    sample_numbers: int = 1,
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """The samples of `draw_samples` in batches, bit for bit; their memory is that of one batch.

    Args:
        generator: called as `generator(latents)` or `generator(latents, labels)`.
        count: how many; `None` goes on without end.
        latent_dimensions: width of its latents.
        seed: decides the samples, together with `purpose`.
        class_shares: chance of each class, for a conditional generator; labels are drawn from it.
        label: ask for this class only.
        device: where the generator is.
        sample_numbers: numbers in one sample; it decides how many are made at once.

    Yields:
        Samples of shape `(batch, *sample_shape)`, float32, on the CPU, and their labels or `None`. A batch has
        `CHUNK` samples, or `SUB_BATCH` of large ones; the last one may have fewer.
    """
    at_once = CHUNK if sample_numbers <= SMALL_SAMPLE else SUB_BATCH
    starts = itertools.count(0, CHUNK) if count is None else range(0, count, CHUNK)
    for index, start in enumerate(starts):
        # Drawn on the CPU whatever the device: the same seed asks for the same samples everywhere.
        stream = torch_stream(seed, purpose, index)
        latents = torch.randn(CHUNK, latent_dimensions, generator=stream)
        arguments, classes = [latents.to(device)], None
        if class_shares is not None:
            drawn = torch.multinomial(class_shares.double(), CHUNK, replacement=True, generator=stream)
            classes = drawn if label is None else torch.full_like(drawn, label)
            arguments.append(classes.to(device))
        wanted = CHUNK if count is None else min(CHUNK, count - start)
        for at in range(0, wanted, at_once):
            # Whole sub-batches only: a product of matrices may round differently for another number of rows.
            made = generator(*(argument[at : at + at_once] for argument in arguments)).float().cpu()
            kept = min(at_once, wanted - at)
            yield made[:kept], None if classes is None else classes[at : at + kept]
