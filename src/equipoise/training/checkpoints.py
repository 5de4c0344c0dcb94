"""Checkpoints: all that changes during play, in safetensors, with a checksum; nothing that could run code.

`step-00001000.safetensors` holds the tensors, `step-00001000.json` beside it the numbers, the checksum of the tensors
and a seal over the numbers. The JSON is written last: a checkpoint counts only when both are there and agree.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from equipoise.documents import open_regular, read_json
from equipoise.errors import NewerFormat, PlayDiverged, RunFolderError
from equipoise.files import plain, write_bytes, write_json
from equipoise.game.player import Player
from equipoise.migrations import FORMAT_VERSION, upgraded
from equipoise.runfolder import STEP_NAME
from equipoise.training.loop import Trainer

KEPT_LATEST = 2
"""Checkpoints kept whole at the end of the line; of the older ones, those at powers of two of the first interval."""


def save_checkpoint(folder: Path, trainer: Trainer, *, thin: bool = True) -> Path:
    """Store the trainer's state in `folder`; returns the path of the tensors. With `thin`, old ones are thinned out.

    Raises:
        StorageError: the write was refused; the checkpoints that were there are intact.
        PlayDiverged: a weight is infinite or NaN; nothing is stored.
    """
    from safetensors.torch import save

    tensors, numbers = trainer_state(trainer)
    broken = [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        raise PlayDiverged(
            f"step {trainer.step}",
            f"'{broken[0]}' holds infinite or NaN numbers, and {len(broken) - 1} more tensors do.",
            "Expected finite weights: such a state is not stored.",
            "The last checkpoint is intact. Train again with a lower learning rate, "
            "e.g. --set optimisers.generator.learning_rate=0.0005.",
        )
    path = folder / f"step-{trainer.step:08d}.safetensors"
    # As bytes first: safetensors' own writer hides what the file system said when it refuses.
    content = save(tensors)
    write_bytes(path, content)
    digest = hashlib.blake2b(content).hexdigest()
    write_json(path.with_suffix(".json"), sealed({**numbers, "format": FORMAT_VERSION, "checksum": digest}))
    if thin:
        thin_out(folder, trainer.plan.checkpoint_every)
    return path


def load_checkpoint(folder: Path, trainer: Trainer) -> tuple[int, list[str]]:
    """Put the newest whole checkpoint of `folder` into `trainer`.

    Returns:
        The step, and a sentence for each newer checkpoint that was broken and passed over.

    Raises:
        RunFolderError: there is no whole checkpoint, or it belongs to other networks.
    """
    tensors, numbers, broken = read_checkpoint(folder)
    restore(trainer, tensors, numbers, where=str(folder))
    return trainer.step, broken


def read_checkpoint(
    folder: Path, *, among: Sequence[Path] | None = None
) -> tuple[dict[str, Tensor], dict[str, Any], list[str]]:
    """Tensors and numbers of the newest whole checkpoint, and a sentence for each broken one passed over.

    Args:
        folder: of the checkpoints.
        among: tensor files to choose from, oldest first; by default all.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    broken: list[str] = []
    for path in reversed(checkpoint_files(folder) if among is None else among):
        try:
            numbers = read_json(path.with_suffix(".json"))
            seal = numbers.pop("seal", None)
            has_seal = seal is not None or "rollbacks" in numbers  # those of the first version had neither
            if has_seal and seal != seal_of(numbers):
                raise ValueError("the seal of its numbers does not match")
            if numbers["checksum"] != checksum(path):
                raise ValueError("the checksum does not match")
            content = upgraded("checkpoint", {**numbers, "tensors": load_file(path)}, where=str(path))
            if type(content["step"]) is not int or content["step"] < 0:
                raise ValueError(f"its step is {str(content['step'])[:40]!r}")
            return content.pop("tensors"), content, broken
        except NewerFormat:
            raise
        except (OSError, ValueError, KeyError, RunFolderError, SafetensorError) as error:
            broken.append(f"{path.name} is broken ({error}); an older checkpoint is used.")
    raise RunFolderError(
        str(folder),
        f"no whole checkpoint among {len(broken)}: {broken[0]}" if broken else "no checkpoint.",
        "Expected step-*.safetensors with a .json beside it.",
        "Train again into a new folder.",
    )


def sealed(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a checkpoint with a seal over them: a byte that changes on the disk is noticed."""
    content = plain({key: value for key, value in numbers.items() if key != "seal"})
    return {**content, "seal": seal_of(content)}


def seal_of(numbers: Mapping[str, Any]) -> str:
    """BLAKE2 of numbers as JSON knows them, in the order of their names."""
    return hashlib.blake2b(json.dumps(numbers, sort_keys=True).encode(), digest_size=16).hexdigest()


def step_of(path: Path) -> int:
    """The step whose checkpoint `path` is."""
    return int(path.stem.split("-")[1])


def checkpoint_files(folder: Path) -> list[Path]:
    """The tensor files of the checkpoints in `folder`, oldest first."""
    return sorted(path for path in folder.glob("step-*.safetensors") if STEP_NAME.fullmatch(path.stem))


def trainer_state(trainer: Trainer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Everything that changes during play, as tensors by name and plain numbers."""
    tensors: dict[str, Tensor] = {}
    groups: dict[str, Any] = {}
    for name, player in _players(trainer).items():
        tensors.update(_prefixed(name, player.network.state_dict()))
        tensors.update(_prefixed(f"{name}.memory", player.memory))
        optimiser = player.optimizer.state_dict()
        for index, entries in optimiser["state"].items():
            tensors.update(
                _prefixed(f"{name}.optimiser.{index}", {key: torch.as_tensor(v) for key, v in entries.items()})
            )
        if player.average is not None:
            tensors.update(_prefixed(f"{name}.average", player.average.network.state_dict()))
            groups[f"{name}_average_updates"] = player.average.updates
    for index, penalty in enumerate(trainer.penalties):
        tensors.update(_prefixed(f"penalties.{index}", penalty.state))
    contiguous = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    numbers = {"step": trainer.step, "seconds": trainer.seconds, "caution": trainer.caution}
    return contiguous, {**numbers, "rollbacks": list(trainer.rollbacks), **groups}


def restore(trainer: Trainer, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any], *, where: str) -> None:
    """The inverse of `trainer_state`.

    Raises:
        RunFolderError: names or shapes do not fit the trainer's networks.
    """
    try:
        for name, player in _players(trainer).items():
            player.network.load_state_dict(
                _stripped(f"{name}.", tensors, without=("optimiser.", "average.", "memory."))
            )
            if player.average is not None:
                player.average.network.load_state_dict(_stripped(f"{name}.average.", tensors))
                player.average.updates = int(numbers[f"{name}_average_updates"])
            device = next(player.network.parameters()).device
            player.memory = {key: t.to(device) for key, t in _stripped(f"{name}.memory.", tensors).items()}
            state: dict[int, dict[str, Tensor]] = {}
            for key, tensor in _stripped(f"{name}.optimiser.", tensors).items():
                index, _, entry = key.partition(".")
                state.setdefault(int(index), {})[entry] = tensor.clone()
            _check_memory(state, list(player.parameters))
            groups = player.optimizer.state_dict()["param_groups"]
            player.optimizer.load_state_dict({"state": state, "param_groups": groups})
        for index, penalty in enumerate(trainer.penalties):
            for key, tensor in penalty.state.items():
                tensor.copy_(tensors[f"penalties.{index}.{key}"])
        trainer.step = int(numbers["step"])
        trainer.seconds = float(numbers["seconds"])
        trainer.caution = float(numbers.get("caution", 1.0))
        trainer.rollbacks = [dict(record) for record in numbers.get("rollbacks", ())]
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise RunFolderError(
            where,
            f"the checkpoint does not fit the networks ({error}).",
            "Expected the networks of config.yaml.",
            "Restore config.yaml as it was when the run began.",
        ) from error


def _check_memory(state: Mapping[int, Mapping[str, Tensor]], weights: list[Tensor]) -> None:
    """Refuse an optimiser's memory that would fail in the middle of a step: what it keeps is a number or like a weight.

    Raises:
        ValueError: an entry belongs to no weight, or has another shape than its weight.
    """
    for index, entries in state.items():
        if not 0 <= index < len(weights) or set(entries) != set(next(iter(state.values()))):
            raise ValueError(f"the optimiser remembers {sorted(entries)} of weight {index}")
        for name, tensor in entries.items():
            if tensor.numel() != 1 and tensor.shape != weights[index].shape:
                raise ValueError(f"the optimiser's '{name}' of weight {index} has the shape {tuple(tensor.shape)}")


def thin_out(folder: Path, interval: int) -> None:
    """Delete old checkpoints. Of the planned ones, at multiples of `interval`, the latest two stay, and of the others
    those after 1, 2, 4, 8, ... intervals; one in between, where play was stopped, stays while it is the newest.

    So the planned ones that are there depend on the step alone, however often a run was stopped: a rollback finds the
    same one as in the run that was never stopped.
    """
    files = checkpoint_files(folder)
    planned = [path for path in files if is_planned(path, interval)]
    for path in files:
        count, rest = divmod(step_of(path), max(1, interval))
        is_milestone = rest == 0 and count > 0 and count & (count - 1) == 0
        if not (is_milestone or path in planned[-KEPT_LATEST:] or path == files[-1]):
            drop_checkpoint(path)


def is_planned(path: Path, interval: int) -> bool:
    """Whether a checkpoint is one of those that every run of this plan writes."""
    return step_of(path) % max(1, interval) == 0


def drop_checkpoint(path: Path) -> None:
    """Delete a checkpoint; a kill in between leaves tensors that count for nothing."""
    path.with_suffix(".json").unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def checksum(path: Path) -> str:
    """BLAKE2 of a file's content."""
    with open_regular(path, kind=RunFolderError) as stream:
        return hashlib.file_digest(stream, "blake2b").hexdigest()


def _players(trainer: Trainer) -> dict[str, Player]:
    return {"discriminator": trainer.discriminator, "generator": trainer.generator}


def _prefixed(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in state.items()}


def _stripped(prefix: str, tensors: Mapping[str, Tensor], *, without: tuple[str, ...] = ()) -> dict[str, Tensor]:
    names = (name for name in tensors if name.startswith(prefix))
    return {
        name[len(prefix) :]: tensors[name] for name in names if not name[len(prefix) :].startswith(without or ("\0",))
    }
