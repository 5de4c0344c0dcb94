"""The order in which the samples of two sides are scored: chunk by chunk, each after everything before it.

The order of a side depends on its samples and on the seed, not on whether it is called real or generated, so that
`judge A B` and `judge B A` score the same samples in the same order. Given which samples a side has, in whatever order
they came, the order used here is one of all of them with equal chance.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from equipoise.randomness import Stream, numpy_stream
from equipoise.referee.groups import Groups, group_numbers
from equipoise.referee.splits import MOST_DUPLICATES

FIRST_SHARE = 0.2
"""Share of each side that is only fitted on: classifiers of fewer samples prove next to nothing."""
FEWEST_FITTED = 10
"""Samples a side that are only fitted on, where a fifth is less and a side has twice as many."""


@dataclass(frozen=True)
class Chunks:
    """Indices of both sides, chunk by chunk; the first chunk is only fitted on.

    Attributes:
        real: of each chunk, the real samples in it. Shapes `(n_k,)`.
        fake: the same of the generated samples.
        is_kept: of both sides, for each sample whether it is scored: not in the first chunk, and no duplicate of a
            sample in an earlier chunk. Shapes `(n_real,)` and `(n_fake,)`.
        starts_with_fake: whether the generated side takes the first role; see `chunk_indices`.
        groups: of each sample, where they come in groups; a whole group is in one chunk.
    """

    real: tuple[np.ndarray, ...]
    fake: tuple[np.ndarray, ...]
    is_kept: tuple[np.ndarray, np.ndarray]
    starts_with_fake: bool
    groups: Groups | None = None

    def __len__(self) -> int:
        return len(self.real)

    def before(self, chunk: int) -> tuple[np.ndarray, np.ndarray]:
        """Real and generated samples of all chunks before this one."""
        return np.concatenate(self.real[:chunk]), np.concatenate(self.fake[:chunk])

    def scored(self, chunk: int) -> tuple[np.ndarray, np.ndarray]:
        """Real and generated samples of this chunk that are scored."""
        pairs = zip((self.real[chunk], self.fake[chunk]), self.is_kept, strict=True)
        return tuple(piece[kept[piece]] for piece, kept in pairs)

    @cached_property
    def scored_counts(self) -> tuple[int, int]:
        """How many real and generated samples are scored in all."""
        return int(self.is_kept[0].sum()), int(self.is_kept[1].sum())

    @cached_property
    def scored_units(self) -> tuple[int, int]:
        """How many real and generated units of evidence there are: groups, or else samples."""
        if self.groups is None:
            return self.scored_counts
        real, fake = (len(np.unique(side[kept])) for side, kept in zip(self.groups, self.is_kept, strict=True))
        return real, fake

    def units(self, real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
        """The groups of these real and generated samples; `None` where each stands for itself."""
        return (None, None) if self.groups is None else (self.groups[0][real], self.groups[1][fake])


def chunk_indices(
    real_keys: np.ndarray, fake_keys: np.ndarray, *, seed: int, scored_chunks: int, groups: Groups | None = None
) -> Chunks:
    """Both sides in random order, cut into a first chunk that is only fitted on and others that grow by one factor.

    The smaller the difference the more each sample counts that a classifier was fitted on; chunks that grow let every
    fit see about as large a share of what it could.

    Which side takes the first role, where classifiers do not treat both alike to the last bit, is decided by the counts
    and, where these are equal, by the first chunks: both are fixed before anything is scored.

    Once earlier chunks share a value, a sample is not scored if its value is in an earlier chunk, of either side,
    unless it is there more than `MOST_DUPLICATES` times. What is left out depends on earlier chunks and on the sample
    alone, so that the rest of a chunk is a sample of its distribution within the values that remain.

    Args:
        real_keys: a number per real sample, equal for equal samples. Shape `(n_real,)`, uint64.
        fake_keys: of the generated samples.
        seed: of the order.
        scored_chunks: how many chunks are scored.
        groups: of both sides, where samples come in groups: whole groups are then put in order and cut.
    """
    if groups is None:
        pieces = [_cut(_order(keys, seed), scored_chunks) for keys in (real_keys, fake_keys)]
    else:
        pieces = [
            _cut_groups(keys, side, seed, scored_chunks)
            for keys, side in zip((real_keys, fake_keys), groups, strict=True)
        ]
    sizes = [len(real_keys), len(fake_keys)]
    if sizes[0] == sizes[1]:
        first = [_digest(keys[side[0]]) for keys, side in zip((real_keys, fake_keys), pieces, strict=True)]
        starts_with_fake = first[1] > first[0]
    else:
        starts_with_fake = sizes[1] > sizes[0]
    return Chunks(
        tuple(pieces[0]),
        tuple(pieces[1]),
        _kept(pieces, (real_keys, fake_keys)),
        starts_with_fake=starts_with_fake,
        groups=groups,
    )


def _kept(pieces: list[list[np.ndarray]], keys: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    _, numbers = np.unique(np.concatenate(keys), return_inverse=True)
    of_side = numbers[: len(keys[0])], numbers[len(keys[0]) :]
    met = np.zeros((2, 1 + int(numbers.max())), dtype=np.int64)
    kept = tuple(np.zeros(len(side), dtype=bool) for side in keys)
    for chunk in range(len(pieces[0])):
        # While no value was met on both sides there is nothing that a duplicate could show, and a generator that
        # repeats itself is told by its repeats. Both sides are asked for the same: "not met" is not "not met there".
        are_shared, often = bool(met.all(axis=0).any()), met.sum(axis=0)
        for side, (is_kept, piece, values) in enumerate(zip(kept, pieces, of_side, strict=True)):
            here = values[piece[chunk]]
            is_new = (often[here] == 0) | (often[here] > MOST_DUPLICATES) | (not are_shared)
            is_kept[piece[chunk]] = is_new & (chunk > 0)
            met[side] += np.bincount(here, minlength=met.shape[1])
    return kept


def _order(keys: np.ndarray, seed: int) -> np.ndarray:
    return numpy_stream(seed, Stream.REFEREE_ORDER, _digest(keys)).permutation(len(keys))


def _cut_groups(keys: np.ndarray, groups: np.ndarray, seed: int, scored_chunks: int) -> list[np.ndarray]:
    """Groups in random order, whatever their sizes, cut into chunks; the samples of a group in random order too."""
    stream = numpy_stream(seed, Stream.REFEREE_ORDER, _digest(keys))
    numbers = group_numbers(groups)
    of_groups, samples = stream.permutation(int(numbers.max()) + 1), stream.permutation(len(keys))
    rank = np.empty_like(of_groups)
    rank[of_groups] = np.arange(len(of_groups))
    ranks = rank[numbers[samples]]
    samples, ranks = samples[order := np.argsort(ranks, kind="stable")], ranks[order]
    starts = [piece[0] if len(piece) else len(of_groups) for piece in _cut(np.arange(len(of_groups)), scored_chunks)]
    return np.split(samples, np.searchsorted(ranks, starts[1:]))


def _digest(keys: np.ndarray) -> int:
    """A number that depends on which keys there are and how often, not on their order."""
    return int.from_bytes(hashlib.blake2b(np.sort(keys).tobytes(), digest_size=8).digest(), "big")


def _cut(order: np.ndarray, scored_chunks: int) -> list[np.ndarray]:
    count = len(order)
    first = max(FIRST_SHARE * count, min(FEWEST_FITTED, count / 2))
    edges = count * (first / count) ** (1 - np.arange(scored_chunks + 1) / scored_chunks)
    return np.split(order, np.round(edges[:-1]).astype(int))
