"""Memory that does not suffice: said with what to lower."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch

from equipoise.errors import OutOfMemory
from equipoise.experiment.config.schema import DataConfig, RunConfig

_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed", "std::bad_alloc")
"""What torch says in a `RuntimeError` of its own, on the CPU, on CUDA and in its libraries; in lower case."""


@contextlib.contextmanager
def explaining_memory(
    config: RunConfig,
    *,
    doing: str = "training",
    is_playing: bool = True,
    fitting: Callable[[], int | None] | None = None,
) -> Iterator[None]:
    """Turn an allocation that failed into a message that names what to lower.

    Args:
        config: holds what can be lowered.
        doing: what finds no room.
        is_playing: whether there may be checkpoints.
        fitting: tells the largest batch that the memory is thought to have room for.

    Raises:
        OutOfMemory: in place of torch's and Python's own errors.
    """
    with _explained(
        doing,
        config.runtime.device,
        "Expected room for weights, data and a batch; 'equipoise train DATA --dry-run', without --minutes, estimates "
        "them.",
        lambda: (
            advice(config, None if fitting is None else fitting())
            + (" Checkpoints that were written are intact." if is_playing else "")
        ),
    ):
        yield


@contextlib.contextmanager
def explaining_memory_of_data(section: DataConfig) -> Iterator[None]:
    """As `explaining_memory`, while data are read, split and encoded.

    Raises:
        OutOfMemory: in place of torch's and Python's own errors.
    """
    size = "" if section.image_size is None else f" (now {section.image_size})"
    with _explained(
        f"reading {section.source}",
        "cpu",
        "Expected room for the data: CSV and .npz files are read as a whole; large .npy, Parquet files and images "
        "stay on disk.",
        lambda: (
            f"Lower EQUIPOISE_MAP_ABOVE_MB, so that more stays on disk, or data.image_size{size}; save a CSV or "
            "an .npz file as Parquet or .npy; or give fewer rows (built-in points: lower data.points)."
        ),
    ):
        yield


@contextlib.contextmanager
def explaining_memory_of_verdict(where: str, *, again: str) -> Iterator[None]:
    """As `explaining_memory`, while the referee judges.

    Args:
        where: what is judged.
        again: what to do when there is room.

    Raises:
        OutOfMemory: in place of torch's and Python's own errors.
    """
    with _explained(
        f"judging {where}",
        "this machine",
        "Expected room for the held-out rows, as many samples, and the discriminators that are fitted to them.",
        lambda: (
            f"End what else takes memory and judge again{again}. Fewer or smaller samples take less, and so does "
            "--sensitivity theoretical."
        ),
    ):
        yield


@contextlib.contextmanager
def _explained(doing: str, device: str, expected: str, what_to_lower: Callable[[], str]) -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        said = str(error).strip().splitlines()
        found = f"there is not enough memory on {device}" + (f" ({said[0][:160]})." if said else ".")
        raise OutOfMemory(doing, found, expected, what_to_lower()) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is about memory."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


def advice(config: RunConfig, fitting: int | None = None) -> str:
    """What to lower, with the present values, the cheapest first; `fitting` is a batch that there is room for."""
    size = config.training.batch_size
    smaller = max(1, size // 2) if fitting is None else min(fitting, max(1, size // 2))
    words = [f"training.batch_size (now {size}; try --set training.batch_size={smaller})"]
    if config.preset in ("images", "textures", "small-images"):
        now = config.data.image_size
        words.append("data.image_size" + ("" if now is None else f" (now {now})"))
    for role, options in (("generator", config.networks.generator), ("discriminator", config.networks.discriminator)):
        for name in ("width", "channels", "widest"):
            if name in options:
                words.append(f"networks.{role}.{name} (now {options[name]})")
    return "Lower " + ", ".join(words) + "."
