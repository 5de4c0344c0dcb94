"""Optimizers beyond those of `torch.optim`: found by name, one to a file."""

from __future__ import annotations

import torch

from equipoise.optimizers.adam import Adam, AdamW
from equipoise.optimizers.growing_adam import GrowingAdam
from equipoise.parts import Parts

__all__ = ["Adam", "AdamW", "GrowingAdam", "available", "find"]

_PARTS: Parts[type[torch.optim.Optimizer]] = Parts(
    __name__, "OPTIMIZERS", kind="optimizer", where="optimizers.generator.name"
)
available, find = _PARTS.available, _PARTS.find
