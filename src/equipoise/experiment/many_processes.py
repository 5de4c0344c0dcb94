"""What many processes agree on before they train, and what they cannot train exactly, which is refused by name."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from equipoise.data import PreparedData
from equipoise.distributed import ProcessGroup, restart_count
from equipoise.errors import ConfigError, EquipoiseError
from equipoise.experiment.config.files import read_run_config, validated
from equipoise.experiment.config.schema import RunConfig
from equipoise.penalties.base import Penalty
from equipoise.runfolder import RunFolder, is_run_folder
from equipoise.training import Plan


def refuse_unshareable(
    group: ProcessGroup,
    *,
    batch_size: int,
    rows: int,
    networks: Iterable[tuple[str, nn.Module]],
    penalties: Sequence[Penalty],
) -> None:
    """Refuse a game that several processes would not train as one process does.

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
    if group.is_single_process:
        return
    count = group.world_size
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
            "training.batch_size",
            f"{batch_size} samples cannot be divided among {count} processes.",
            f"Expected a multiple of {count}: the batch is that of all processes together.",
            f"Set training.batch_size={lower or upper}" + (f" or {upper}." if lower else "."),
        )
    for player, network in networks:
        for name, layer in network.named_modules():
            kind = (
                "batch normalisation, which needs the whole batch"
                if isinstance(layer, _BatchNorm)
                else "dropout, which draws for each process by itself"
                if isinstance(layer, _DropoutNd)
                else None
            )
            if kind is not None:
                raise ConfigError(
                    f"networks.{player}",
                    f"the layer '{name or type(layer).__name__}' is {kind}; there are {count} processes.",
                    "Expected layers that treat each sample by itself, for the game to be that of one process.",
                    "Use layer, group or instance normalisation, or none; or train in one process.",
                )
    for penalty in penalties:
        if penalty.draws and not penalty.draws_whole_batch:
            raise ConfigError(
                "penalties",
                f"'{penalty.name}' draws numbers for each process by itself; there are {count} processes.",
                "Expected a penalty that draws by ForwardPass.draw, for the game to be that of one process.",
                "Draw by position.draw and set draws_whole_batch=True, or train in one process.",
            )


def agreed_config(group: ProcessGroup, config: RunConfig, data: PreparedData) -> RunConfig:
    """The first process's configuration, for all; and the same data in each.

    Raises:
        ConfigError: a process has other data.
    """
    if group.is_single_process:
        return config
    group.require_same("data", data.fingerprint, advice=f"Give every machine the same {config.data.source}.")
    return validated(group.broadcast_object(config.to_dict()), where="the configuration of process 0")


def agreed_plan(group: ProcessGroup, plan: Plan) -> Plan:
    """The first process's plan, for all."""
    if group.is_single_process:
        return plan
    found = group.broadcast_object(
        {name: sorted(value) if isinstance(value, frozenset) else value for name, value in vars(plan).items()}
    )
    return Plan(**{name: frozenset(value) if isinstance(value, list) else value for name, value in found.items()})


def launch_name() -> str:
    """What the processes that one torchrun starts have in common, also after it has started them anew."""
    return f"{os.environ.get('TORCHELASTIC_RUN_ID', 'none')} on {socket.gethostname()} by process {os.getppid()}"


def begun_before(
    group: ProcessGroup, config: RunConfig, folder: Path | None, *, candidates: Callable[[], Iterable[Path]]
) -> Path | None:
    """The run folder that this command made before torchrun started it anew; `None` for a run that is to begin.

    Args:
        group: the processes.
        config: what the command asks for. A length or cadence that came from `--minutes` may differ from the stored.
        folder: the folder that was asked for; `None` searches `candidates` for the one that this torchrun made.
        candidates: where a run without a name would have gone, in order.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    # The machines may have counted differently: one that lost its connections was started anew by the others.
    is_anew = max(group.all_gather_object(restart_count())) > 0
    found = group.on_main(lambda: _begun_before(config, folder, candidates, is_anew=is_anew))
    return None if found is None else Path(found)


def _begun_before(
    config: RunConfig, folder: Path | None, candidates: Callable[[], Iterable[Path]], *, is_anew: bool
) -> str | None:
    if folder is None:
        made = [path for path in takewhile(Path.exists, candidates()) if _launched_as(path) == launch_name()]
        folder = made[-1] if made else None
    if folder is None or not is_run_folder(folder) or not (is_anew or _launched_as(folder) == launch_name()):
        return None
    try:
        stored = read_run_config(RunFolder(folder))
    except EquipoiseError:
        return None  # whoever makes the folder says what is there
    config = config.model_copy(update={"evaluations": config.evaluations.settled_like(stored.evaluations)})
    return str(folder) if _without_length(stored) == _without_length(config) else None


def _launched_as(path: Path) -> str | None:
    run = RunFolder(path)
    try:
        return run.read_json(run.metadata).get("launch")
    except EquipoiseError:
        return None


def _without_length(config: RunConfig) -> dict[str, Any]:
    content = config.to_dict()
    # What the evaluations are made of was timed; what the person wished of them was not.
    evaluations = {name: content["evaluations"][name] for name in ("confidence", "until", "margin", "keep_best")}
    return {**content, "outputs": None, "evaluations": evaluations, "training": {**content["training"], "steps": None}}
