"""Fine-tuning: a run that begins with the weights of another one, as far as their shapes fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.errors import ConfigError
from equipoise.experiment.config.files import read_run_config
from equipoise.experiment.config.schema import RunConfig
from equipoise.experiment.pretrained import CONFIG, of_player, read_pretrained
from equipoise.experiment.stored_run import checkpoints_wanted
from equipoise.networks.folding import folding_of
from equipoise.networks.heads import curves_of
from equipoise.runfolder import open_run_folder
from equipoise.training import Trainer
from equipoise.training.checkpoints import network_tensors, read_checkpoint

SETTING = "training.init_from"
SHARED = ("family", "latents", "generator", "discriminator")
"""Settings of the networks that a run takes from the one that it begins with, where nobody sets them."""
MOST_NAMED = 12


@dataclass(frozen=True)
class Weights:
    """Those that a run begins with.

    Attributes:
        networks: the settings that the networks were made by.
        generator, discriminator: tensors by name; of the generator the average.
        step: after which they were stored.
    """

    networks: Mapping[str, Any]
    generator: Mapping[str, Tensor]
    discriminator: Mapping[str, Tensor]
    step: int


def weights_in(folder: Path | str) -> Weights:
    """The weights of a run folder, or of a folder that `equipoise export --folder` wrote; no code of it is run.

    Raises:
        RunFolderError: there is neither, or it is damaged.
    """
    path = Path(folder).expanduser()
    if (path / CONFIG).is_file() and not (path / "config.yaml").is_file():
        tensors, content = read_pretrained(path)
        networks = content["config"].get("networks")
        step = content.get("step")
        return Weights(
            networks if isinstance(networks, dict) else {},
            of_player("generator", tensors),
            of_player("discriminator", tensors),
            step if isinstance(step, int) else 0,
        )
    run = open_run_folder(path)
    config = read_run_config(run)
    tensors, numbers, _ = read_checkpoint(checkpoints_wanted(run, config, None))
    return Weights(
        config.networks.model_dump(mode="json"),
        network_tensors("generator", tensors, average=True),
        network_tensors("discriminator", tensors),
        numbers["step"],
    )


def networks_like(weights: Weights, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the networks for a run that begins with `weights`: theirs, unless the person names another family.

    Args:
        weights: what it begins with.
        asked: the person's own settings of the networks.
    """
    theirs = {key: weights.networks[key] for key in SHARED if key in weights.networks}
    own = asked.get("family")
    return {} if own not in (None, theirs.get("family")) else theirs


def begin_with(trainer: Trainer, config: RunConfig) -> str:
    """Put the weights that `training.init_from` names into both players and into the average.

    Returns:
        A sentence on what was taken and what was not.

    Raises:
        ConfigError: nothing fits a player.
        RunFolderError: the folder cannot be read.
    """
    weights = weights_in(str(config.training.init_from))
    said = []
    for role, player in trainer.players.items():
        taken, left = take(player.network, getattr(weights, role))
        if not taken:
            raise ConfigError(
                f"{SETTING} {config.training.init_from}",
                f"no tensor of its {role} has the name and shape of one here.",
                "Expected networks of the same family and widths.",
                "Leave networks.* out, so that they are made like those, or leave it out.",
            )
        folding = folding_of(player.network)
        if folding is not None and not any(name.startswith("folding.") for name in taken):
            folding.reset()  # weights of an earlier version read and paint pixels
        if player.average is not None:
            player.average.network.load_state_dict(player.network.state_dict())
        for curves in curves_of(player.network):
            curves.reset()  # the average keeps those of the other run until it gets its own
        names = ", ".join(left[:MOST_NAMED]) + (" ..." if len(left) > MOST_NAMED else "")
        missing = f" (not {names}: they are new here, or of another shape)" if left else ""
        said.append(f"{len(taken)} of {len(taken) + len(left)} tensors of the {role}{missing}")
    return f"Begun with the weights of {config.training.init_from} after step {weights.step:,}: {'; '.join(said)}."


@torch.no_grad()
def take(network: nn.Module, tensors: Mapping[str, Tensor]) -> tuple[list[str], list[str]]:
    """Copy the tensors whose name and shape fit; the names of those taken, and of the network's others."""
    own = network.state_dict()
    taken = [name for name, tensor in own.items() if name in tensors and tensors[name].shape == tensor.shape]
    for name in taken:
        own[name].copy_(tensors[name])
    return taken, [name for name in own if name not in taken]
