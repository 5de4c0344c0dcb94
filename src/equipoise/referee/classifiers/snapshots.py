"""Networks as classifiers: trained from scratch, with states kept along the way as candidates of the model
selection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

SNAPSHOTS = 4
"""States kept along the way; each is a candidate, and the validation part picks one, which is early stopping."""
_LAST_RATE = 0.01
"""The learning rate falls to this share of its first value, along a cosine."""


def train_snapshots(
    network: torch.nn.Module,
    sides: Sequence[torch.Tensor],
    *,
    optimizer: torch.optim.Optimizer,
    steps: int,
    batch_size: int,
    stream: torch.Generator,
) -> list[dict[str, torch.Tensor]]:
    """Train by cross-entropy with as many real as generated samples in each batch; returns the kept states.

    Args:
        network: from samples to logits of shape `(batch, 1)`.
        sides: real and generated training samples.
        optimizer: of the network's parameters.
        steps: of the optimizer.
        batch_size: of both sides together.
        stream: draws the samples of each batch.
    """
    import torch

    (group,) = optimizer.param_groups
    first = group["lr"]
    half = batch_size // 2
    labels = torch.cat([torch.ones(half), torch.zeros(half)])
    snapshots = []
    for step in range(1, steps + 1):
        batch = torch.cat([side[torch.randint(len(side), (half,), generator=stream)] for side in sides])
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(batch).squeeze(1), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        # The schedulers of torch say the same and take a quarter of the time of these small networks.
        group["lr"] = first * (_LAST_RATE + (1 - _LAST_RATE) * (1 + math.cos(math.pi * (step - 1) / steps)) / 2)
        optimizer.step()
        if step % (steps // SNAPSHOTS) == 0:
            snapshots.append({name: tensor.detach().clone() for name, tensor in network.state_dict().items()})
    return snapshots


def snapshot_logits(
    network: torch.nn.Module, snapshots: Sequence[dict[str, torch.Tensor]], samples: torch.Tensor, *, at_once: int
) -> np.ndarray:
    """Logits of each kept state. Shape `(samples, states)`, float64."""
    import torch

    columns = []
    with torch.no_grad():
        for snapshot in snapshots:
            network.load_state_dict(snapshot)
            columns.append(torch.cat([network(chunk) for chunk in samples.split(at_once)]))
    return torch.cat(columns, dim=1).numpy().astype(np.float64)
