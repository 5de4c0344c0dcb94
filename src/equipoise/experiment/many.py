"""What many processes cannot play exactly is refused by name, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from equipoise.distributed import Group
from equipoise.errors import ConfigError
from equipoise.penalties.base import Penalty


def refuse_unshareable(
    group: Group, *, batch_size: int, rows: int, networks: Iterable[tuple[str, nn.Module]], penalties: Sequence[Penalty]
) -> None:
    """Refuse a game that several processes would not play as one process plays it.

    Args:
        group: the processes.
        batch_size: of all of them together.
        rows: training samples.
        networks: each with the name of its player.
        penalties: of the game.

    Raises:
        ConfigError: the batch cannot be divided, there are fewer samples than processes, a network's samples
            influence each other or it draws numbers of its own, or a penalty draws for each process by itself.
    """
    if group.is_alone:
        return
    count = group.processes
    if rows < count:
        raise ConfigError(
            "many processes",
            f"{count} processes for {rows} training samples.",
            "Expected at least one sample for each process.",
            "Start fewer processes, or give more data.",
        )
    if batch_size % count:
        lower, upper = batch_size // count * count, -(-batch_size // count) * count
        raise ConfigError(
            "play.batch_size",
            f"{batch_size} samples cannot be divided among {count} processes.",
            f"Expected a multiple of {count}: the batch is that of all processes together.",
            f"Set play.batch_size={lower or upper}" + (f" or {upper}." if lower else "."),
        )
    for player, network in networks:
        for name, layer in network.named_modules():
            kind = (
                "batch normalisation, which needs the whole batch" if isinstance(layer, _BatchNorm)
                else "dropout, which draws for each process by itself" if isinstance(layer, _DropoutNd)
                else None
            )  # fmt: skip
            if kind is not None:
                raise ConfigError(
                    f"networks.{player}",
                    f"the layer '{name or type(layer).__name__}' is {kind}; there are {count} processes.",
                    "Expected layers that treat each sample by itself, for the game to be that of one process.",
                    "Use layer, group or instance normalisation, or none; or train in one process.",
                )
    for penalty in penalties:
        if penalty.draws and not penalty.draws_jointly:
            raise ConfigError(
                "penalties",
                f"'{penalty.name}' draws numbers for each process by itself; there are {count} processes.",
                "Expected a penalty that draws by Position.draw, for the game to be that of one process.",
                "Draw by position.draw and set draws_jointly=True, or train in one process.",
            )
