"""Random numbers that depend only on (seed, purpose, position), never on what was drawn before.

A run can therefore be cut anywhere and continued exactly, and any number of processes draw the same
global batch: each makes the whole of it and keeps its own rows.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch


def derived_seed(seed: int, purpose: str, *position: int) -> int:
    """A 63-bit seed for one purpose at one position; distinct inputs give unrelated streams.

    Hashing, rather than `seed + step`, keeps run 0 at step 1 from repeating run 1 at step 0.
    """
    text = f"{seed}/{purpose}/" + "/".join(str(part) for part in position)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def torch_stream(seed: int, purpose: str, *position: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch random stream for one purpose at one position."""
    return torch.Generator(device=device).manual_seed(derived_seed(seed, purpose, *position))


def numpy_stream(seed: int, purpose: str, *position: int) -> np.random.Generator:
    """A numpy random stream for one purpose at one position."""
    return np.random.default_rng(derived_seed(seed, purpose, *position))
