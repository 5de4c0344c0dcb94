"""Many processes have to begin with the same weights: only then are their gradients about the same thing."""

from __future__ import annotations

import hashlib

import torch

from equipoise.distributed import ProcessGroup
from equipoise.game.player import Player


def require_same_weights(group: ProcessGroup, *players: Player) -> None:
    """Compare a checksum of everything that the players hold, once.

    Raises:
        ConfigError: the processes differ; names which.
    """
    if group.is_single_process:
        return
    digest = hashlib.blake2b(digest_size=16)
    for player in players:
        for name, tensor in player.network.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    group.require_same(
        "weights at the start of training",
        digest.hexdigest(),
        advice="Give every machine the same data, the same configuration, the same version of torch, and a run folder "
        "that all of them can read.",
    )
