"""Memory that does not suffice: said with what to lower."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from equipoise.errors import OutOfMemory
from equipoise.experiment.config import RunConfig

_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed", "std::bad_alloc")
"""What torch says in a `RuntimeError` of its own, on the CPU, on CUDA and in its libraries; in lower case."""


@contextlib.contextmanager
def explaining_memory(config: RunConfig, *, doing: str = "training") -> Iterator[None]:
    """Turn an allocation that failed into a message that names what to lower.

    Raises:
        OutOfMemory: in place of torch's and Python's own errors.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        said = str(error).strip().splitlines()
        raise OutOfMemory(
            doing,
            f"there is not enough memory on {config.runtime.device}" + (f" ({said[0][:160]})." if said else "."),
            "Expected room for weights, data and a batch; 'equipoise train DATA --dry-run' estimates them.",
            advice(config),
        ) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is about memory."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


def advice(config: RunConfig) -> str:
    """What to lower, with the present values, the cheapest first."""
    size = config.play.batch_size
    words = [f"play.batch_size (now {size}; try --set play.batch_size={max(1, size // 2)})"]
    if config.preset in ("images", "small-images"):
        now = config.data.image_size
        words.append("data.image_size" + ("" if now is None else f" (now {now})"))
    for role, options in (("generator", config.networks.generator), ("discriminator", config.networks.discriminator)):
        for name in ("width", "channels", "widest"):
            if name in options:
                words.append(f"networks.{role}.{name} (now {options[name]})")
    return "Lower " + ", ".join(words) + ". Checkpoints that were written are intact."
