"""Parts of one large sample, for many machines, and several samples of one generator.

Part i of m holds consecutive rows; all parts one after the other are the whole sample, bit for bit, because row k of a
sample is a function of the seed and of k alone. Under a condition nobody knows how many draws the rows before would
have taken: there each part has random numbers of its own, and the parts together are as many rows of the same law.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from equipoise.errors import InputError
from equipoise.randomness import Stream, derived_seed
from equipoise.training.sampling import CHUNK


@dataclass(frozen=True)
class SamplePart:
    """Part `number` of `of`, counted from 1."""

    number: int = 1
    of: int = 1

    def chunks(self, n: int) -> tuple[int, int]:
        """Number of the first chunk of this part of `n` samples, and how many samples it has.

        Raises:
            InputError: there are fewer chunks than parts.
        """
        chunks = -(-n // CHUNK)
        if chunks < self.of:
            raise InputError(
                "--shard",
                f"{n:,} samples are {chunks:,} pieces of {CHUNK:,}, and {self.of:,} parts are asked for.",
                f"Expected {(self.of - 1) * CHUNK + 1:,} samples or more.",
                "Ask for fewer parts: -n is the number of all samples together.",
            )
        first, end = (chunks * place // self.of for place in (self.number - 1, self.number))
        return first, min(n, end * CHUNK) - first * CHUNK

    def rows(self, n: int) -> int:
        """How many of `n` rows under a condition this part has.

        Raises:
            InputError: it would have none.
        """
        if n < self.of:
            raise InputError(
                "--shard", f"{n:,} rows cannot be had in {self.of:,} parts.", "Expected one row a part or more."
            )
        return n * self.number // self.of - n * (self.number - 1) // self.of

    def seed(self, seed: int) -> int:
        """The seed of this part under a condition; of the whole it is the seed itself."""
        return seed if self.of == 1 else derived_seed(seed, Stream.SAMPLE_PART, self.number, self.of)


def read_part(text: str) -> SamplePart:
    """The part that '2/8' means.

    Raises:
        InputError: it means none.
    """
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
    number, of = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= of:
        raise InputError(
            "--shard", f"'{text[:40]}' is no part.", "Expected i/n with i from 1 to n.", "Write, for example, 2/8."
        )
    return SamplePart(number, of)


def seed_of_set(seed: int, number: int) -> int:
    """The seed of one of several samples, numbered from 1."""
    return derived_seed(seed, Stream.SAMPLE_SET, number)
