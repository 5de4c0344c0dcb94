"""The memory of a step, from sizes; and whether there is as much, before a step is tried.

A step that finds too little memory takes minutes until the system ends the process, which then says nothing.
"""

from __future__ import annotations

import torch

from equipoise.data import PreparedData
from equipoise.data.store.arrow import RELEASE_BYTES
from equipoise.distributed import process_group
from equipoise.errors import ConfigError, OutOfMemory
from equipoise.experiment.available_memory import available_memory, how_to_state_it
from equipoise.experiment.build.networks import build_networks
from equipoise.experiment.config.schema import RunConfig
from equipoise.experiment.out_of_memory import advice
from equipoise.experiment.planned import Planned
from equipoise.spaces import sample_size

TORCH_BYTES = 350_000_000
"""What torch itself takes, about."""
ACTIVATIONS, ACTIVATIONS_OF_IMAGES = 12, 32
"""Numbers that are kept for each number of a batch of each side; rough, and high for small networks. Of strided
convolutions 32 were measured on images of 128 pixels in RGBA (64 for both sides), and 23 with four channels."""
LEAST, LEAST_OF_IMAGES = 4, 12
"""As few as any networks keep: both sides, their gradients, and those of the penalties. A run is refused by these, half
of what was measured with four channels, so that none is refused that would have fitted."""
CONVOLUTIONAL = ("strided", "residual", "convolutional")


def estimated_bytes(config: RunConfig, data: PreparedData, parameters: int, *, batch_size: int | None = None) -> int:
    """Memory of a run: weights, gradients and two moments for each player, the average, data, torch, and a batch.

    Args:
        config: the complete configuration.
        data: prepared as it says.
        parameters: of both players together.
        batch_size: another one than the configuration's.
    """
    batch = config.training.batch_size if batch_size is None else batch_size
    kept = ACTIVATIONS_OF_IMAGES if config.networks.family in CONVOLUTIONAL else ACTIVATIONS
    activations = 4 * 2 * (batch * kept * sample_size(data.space) + ACTIVATIONS * parameters)
    return 5 * 4 * parameters + data_bytes(data) + activations + TORCH_BYTES


def count_parameters(config: RunConfig, data: PreparedData) -> dict[str, int]:
    """Weights of each player."""
    players = build_networks(config, data.space, data.n_classes if config.networks.conditional else 0)
    counts = (sum(weight.numel() for weight in player.parameters()) for player in players)
    return dict(zip(("generator", "discriminator"), counts, strict=True))


def data_bytes(data: PreparedData) -> int:
    """The training part as it was read and as it is trained with, or the pages of data that stay on disk."""
    stored = data.domain.bytes_per_number * sample_size(data.space) * len(data.split.train)
    return 2 * stored if data.samples is None else min(2 * stored, RELEASE_BYTES)


def require_room(planned: Planned, *, doing: str) -> None:
    """Refuse a run on a CPU whose batch cannot fit into the memory that is left, by the least that any step takes.

    Networks of a person's own, other devices and many processes find out for themselves.

    Raises:
        OutOfMemory: while `doing` that; with the estimate, and the largest batch whose estimate fits.
    """
    config, data = planned.config, planned.data
    is_known = not config.python and ":" not in config.networks.family
    if config.runtime.device != "cpu" or not is_known or not process_group().is_single_process:
        return
    available = available_memory()
    bytes_of_number = 4 if config.runtime.precision == "float32" else 2
    kept = LEAST_OF_IMAGES if config.networks.family in CONVOLUTIONAL else LEAST
    least = bytes_of_number * 2 * kept * config.training.batch_size * sample_size(data.space)
    if available is None or least <= available:
        return
    needed = estimated_bytes(config, data, _parameters(config, data))
    raise OutOfMemory(
        doing,
        f"there is not enough memory: the run takes about {_gigabytes(needed)}, and {_gigabytes(available)} are left.",
        "Expected room for weights, data and a batch.",
        f"{advice(config, fitting_batch(config, data))} {how_to_state_it()}",
    )


def fitting_batch(config: RunConfig, data: PreparedData) -> int | None:
    """The largest batch of 1, 2, 4, ... below the present one whose estimate fits; `None` where nobody can tell."""
    available = available_memory()
    if available is None or config.runtime.device != "cpu":
        return None
    parameters, batch = _parameters(config, data), 1 << max(0, config.training.batch_size - 1).bit_length() >> 1
    while batch > 1 and estimated_bytes(config, data, parameters, batch_size=batch) > available:
        batch //= 2
    return max(1, batch)


def _parameters(config: RunConfig, data: PreparedData) -> int:
    """Weights of both players, counted without numbers; 0 where networks cannot be made so."""
    try:
        with torch.device("meta"):
            return sum(count_parameters(config, data).values())
    except (ConfigError, RuntimeError):
        return 0


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.1f} GB"
