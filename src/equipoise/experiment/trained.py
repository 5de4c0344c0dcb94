"""What exports and cards need of a trained generator; `equipoise.experiment.generator.Gan` has it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from torch import Tensor, nn

from equipoise.data import Encoder
from equipoise.experiment.config.schema import RunConfig
from equipoise.spaces import Space


class Trained(Protocol):
    """A generator with its configuration, its encoding and its run folder."""

    folder: Path
    config: RunConfig
    encoder: Encoder
    generator: nn.Module
    discriminator: nn.Module | None
    label_names: tuple[str, ...]
    class_shares: Tensor | None
    names: tuple[str, ...]
    step: int

    @property
    def space(self) -> Space:
        """What one sample is."""
        ...
