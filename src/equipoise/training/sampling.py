"""Samples of a generator as a pure function of (seed, position), in pieces that fit in memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from equipoise.randomness import Stream, torch_stream
from equipoise.training.conditions import Condition

CHUNK = 1024
"""Latents drawn at once. Part of the definition: sample i does not depend on how many are asked for."""
SUB_BATCH = 64
"""Samples of more than `SMALL_SAMPLE` numbers that a network makes at once; it bounds their memory. Divides `CHUNK`."""
SMALL_SAMPLE = 1024
"""Numbers in a sample up to which a whole chunk is made at once: many small calls would cost more than the work."""


@torch.no_grad()
def sample_batches(
    generator: nn.Module,
    count: int | None,
    *,
    latent_dimensions: int,
    seed: int,
    purpose: str = Stream.SAMPLES,
    condition: Condition | None = None,
    device: torch.device | str = "cpu",
    sample_numbers: int = 1,
    truncation: float = 1.0,
    first_chunk: int = 0,
    at_once: int | None = None,
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """`count` samples of `generator` in batches; their memory is that of one batch.

    Args:
        generator: called as `generator(latents)` or `generator(latents, condition)`.
        count: how many; `None` goes on without end.
        latent_dimensions: width of its latents.
        seed: decides the samples, together with `purpose`.
        condition: what a conditional generator is asked for.
        device: where the generator is.
        sample_numbers: numbers in one sample; it decides how many are made at once.
        truncation: factor on the latents; below 1 they lie nearer to their mean, 0. The latent that chooses among
            `components` of a generator keeps its law: they come as often as ever.
        first_chunk: samples begin with that of number `first_chunk * CHUNK`; `count` is counted from there.
        at_once: how many are made at once, a divisor of `CHUNK`; by default `sample_numbers` decides. Samples are the
            same up to rounding.

    Yields:
        Samples of shape `(batch, *sample_shape)`, float32, on the CPU, and what was asked for or `None`. A batch has
        `CHUNK` samples, or `SUB_BATCH` of large ones; the last one may have fewer.
    """
    chooses = 1 if hasattr(generator, "components") else 0
    at_once = at_once or (CHUNK if sample_numbers <= SMALL_SAMPLE else SUB_BATCH)
    starts = itertools.count(0, CHUNK) if count is None else range(0, count, CHUNK)
    for index, start in enumerate(starts):
        # Drawn on the CPU whatever the device: the same seed asks for the same samples everywhere.
        stream = torch_stream(seed, purpose, first_chunk + index)
        latents = torch.randn(CHUNK, latent_dimensions, generator=stream)
        latents[:, : latent_dimensions - chooses] *= truncation
        drawn = [latents]
        if condition is not None:
            drawn.append(condition.draw(CHUNK, stream))
        wanted = CHUNK if count is None else min(CHUNK, count - start)
        for at in range(0, wanted, at_once):
            # Whole batches only: a product of matrices may round differently for another number of rows.
            batch = [rows[at : at + at_once] for rows in drawn]
            kept = min(at_once, wanted - at)
            made = generator(*(rows.to(device) for rows in batch)).float().cpu()
            yield made[:kept], batch[1][:kept] if condition is not None else None


def joined(batches: Iterable[tuple[Tensor, Tensor | None]]) -> tuple[Tensor, Tensor | None]:
    """All batches one after the other: samples of shape `(count, *sample_shape)`, and what was asked for or `None`."""
    samples, asked = zip(*batches, strict=True)
    return torch.cat(samples), None if asked[0] is None else torch.cat(asked)
