"""Checkpoints: all that changes during training, in safetensors, with a checksum; nothing that could run code.

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

from equipoise.distributed import ProcessGroup
from equipoise.documents import open_regular, read_json
from equipoise.errors import NewerFormat, RunFolderError, StorageError
from equipoise.files import plain, remove, write_bytes, write_json
from equipoise.migrations import FORMAT_VERSION, upgraded
from equipoise.runfolder import STEP_NAME
from equipoise.training.loop import Trainer
from equipoise.training.state import TrainingState, prefixed, require_finite, tensors_of

KEPT_LATEST = 2
"""Checkpoints kept whole at the end of the line; of the older ones, those at powers of two of the first interval."""
SET_ASIDE = "broken-"
"""Before the name of a file that resume set aside."""


def save_checkpoint(folder: Path, state: TrainingState, *, thin: bool = True) -> Path:
    """Store the state of training in `folder`; returns the path of the tensors. With `thin`, old ones are thinned out.

    Raises:
        StorageError: the write was refused; the checkpoints that were there are intact.
        PlayDiverged: a number of the state is infinite or NaN; nothing is stored.
    """
    from safetensors.torch import save

    # The trainer has seen to this before it announced the checkpoint, in all processes; others call here, too.
    require_finite(state.players, state.memories, step=state.step)
    tensors, numbers = stored_state(state)
    path = tensor_file(folder, state.step)
    # As bytes first: safetensors' own writer hides what the file system said when it refuses.
    content = save(tensors)
    write_bytes(path, content)
    digest = hashlib.blake2b(content).hexdigest()
    try:
        write_json(path.with_suffix(".json"), sealed({**numbers, "format": FORMAT_VERSION, "checksum": digest}))
    except StorageError:
        if not path.with_suffix(".json").is_file():
            remove(path)  # without numbers it counts for nothing, and on a full disk its room is needed
        raise
    if thin:
        thin_out(folder, state.plan.checkpoint_every, step=state.step)
    return path


def load_checkpoint(folder: Path, trainer: Trainer) -> tuple[int, list[str]]:
    """Put the newest whole checkpoint of `folder` into `trainer`; of many processes, all of them call this.

    Returns:
        The step, and a sentence for each newer checkpoint that was broken and passed over.

    Raises:
        RunFolderError: there is no whole checkpoint, or it belongs to other networks.
    """
    tensors, numbers, broken = read_together(trainer.group, folder)
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


def read_together(
    group: ProcessGroup, folder: Path, *, among: Sequence[Path] | None = None
) -> tuple[dict[str, Tensor], dict[str, Any], list[str]]:
    """As `read_checkpoint`, and the same one in every process: the first one chooses.

    The others' view of a shared folder may be old, so that they would find another newest one.

    Raises:
        RunFolderError: there is no whole checkpoint; in all processes.
    """
    if not group.is_main:
        step = group.broadcast_object(None)
        if step is None:
            raise RunFolderError(
                str(folder),
                "process 0 found no whole checkpoint.",
                "Expected step-*.safetensors with a .json beside it.",
                "Train again into a new folder.",
            )
        return read_checkpoint(folder, among=[tensor_file(folder, step)])
    try:
        found = read_checkpoint(folder, among=among)
    except RunFolderError:
        group.broadcast_object(None)
        raise
    group.broadcast_object(found[1]["step"])
    return found


def set_aside(folder: Path, *, after: int) -> None:
    """Rename the checkpoints of steps later than `after`: whoever went on from that one found them broken.

    Left where they are, they would count as the newest ones. Of those that were whole once nothing is deleted: a person
    may want to look at them. Tensors alone are what a kill left before their numbers were written; they go.

    Raises:
        StorageError: the file system refused.
    """
    for path in later_than(folder, after):
        numbers = path.with_suffix(".json")
        if is_half_written(path):
            remove(path)
            continue
        # The numbers first: a kill in between leaves tensors beside numbers that have been set aside.
        for part in (numbers, path):
            try:
                part.replace(part.with_name(SET_ASIDE + part.name))
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StorageError.from_os_error(part, error) from error


def is_half_written(path: Path) -> bool:
    """Whether tensors have no numbers, neither beside them nor set aside: a kill came before those were written."""
    numbers = path.with_suffix(".json")
    return not (numbers.exists() or numbers.with_name(SET_ASIDE + numbers.name).exists())


def later_than(folder: Path, step: int) -> list[Path]:
    """The tensor files of the checkpoints after `step`, whole or not, newest first."""
    return [path for path in reversed(checkpoint_files(folder)) if step_of(path) > step]


def sealed(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a checkpoint with a seal over them: a byte that changes on the disk is noticed."""
    content = plain({key: value for key, value in numbers.items() if key != "seal"})
    return {**content, "seal": seal_of(content)}


def seal_of(numbers: Mapping[str, Any]) -> str:
    """BLAKE2 of numbers as JSON knows them, in the order of their names."""
    return hashlib.blake2b(json.dumps(numbers, sort_keys=True).encode(), digest_size=16).hexdigest()


def tensor_file(folder: Path, step: int) -> Path:
    """Where the tensors of the checkpoint of `step` are."""
    return folder / f"step-{step:08d}.safetensors"


def step_of(path: Path) -> int:
    """The step whose checkpoint `path` is."""
    return int(path.stem.split("-")[1])


NAMES_IN_A_CHECKPOINT = ("optimiser", "average", "memory")
"""What is stored beside a player's weights, under its name. Frozen: the keys of every checkpoint."""


def checkpoint_files(folder: Path) -> list[Path]:
    """The tensor files of the checkpoints in `folder`, oldest first."""
    return sorted(path for path in folder.glob("step-*.safetensors") if STEP_NAME.fullmatch(path.stem))


def stored_state(state: TrainingState) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Everything that changes during training, as tensors by name and plain numbers."""
    tensors: dict[str, Tensor] = {}
    groups: dict[str, Any] = {}
    for name, player in state.players.items():
        tensors.update(prefixed(name, tensors_of(player)))
        if player.average is not None:
            groups[f"{name}_average_updates"] = player.average.updates
    for owner, memory in state.memories.items():
        tensors.update(prefixed(owner, memory))
    contiguous = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    numbers = {"step": state.step, "seconds": state.seconds, "caution": state.lr_backoff}
    return contiguous, {**numbers, "rollbacks": list(state.rollbacks), **groups}


def restore(trainer: Trainer, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any], *, where: str) -> None:
    """The inverse of `stored_state`.

    Raises:
        RunFolderError: names or shapes do not fit the trainer's networks.
    """
    try:
        for name, player in trainer.players.items():
            player.network.load_state_dict(network_tensors(name, tensors))
            if player.average is not None:
                player.average.network.load_state_dict(network_tensors(name, tensors, average=True))
                player.average.updates = int(numbers[f"{name}_average_updates"])
            device = next(player.network.parameters()).device
            player.memory = {key: t.to(device) for key, t in _stripped(f"{name}.memory.", tensors).items()}
            state: dict[int, dict[str, Tensor]] = {}
            for key, tensor in _stripped(f"{name}.optimiser.", tensors).items():
                index, _, entry = key.partition(".")
                state.setdefault(int(index), {})[entry] = tensor.clone()
            weights = [weight for group in player.optimizer.param_groups for weight in group["params"]]
            _check_memory(state, weights)
            state = {index: _laid_out_like(weights[index], entries) for index, entries in state.items()}
            groups = player.optimizer.state_dict()["param_groups"]
            player.optimizer.load_state_dict({"state": state, "param_groups": groups})
        trainer.step = int(numbers["step"])  # first: it says whether there is a stage that remembers
        for owner, memory in trainer.memories.items():
            for key, tensor in memory.items():
                tensor.copy_(tensors[f"{owner}.{key}"])
        trainer.seconds = float(numbers["seconds"])
        trainer.lr_backoff = float(numbers.get("caution", 1.0))
        trainer.rollbacks = [dict(record) for record in numbers.get("rollbacks", ())]
        trainer.guard.clear()
        # Not `stop_asked`: a signal is answered by the end of training.
        trainer.should_stop, trainer.goal_reached = False, ""
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise RunFolderError(
            where,
            f"the checkpoint does not fit the networks ({error}).",
            "Expected the networks of config.yaml.",
            "Restore config.yaml as it was when the run began.",
        ) from error


def _check_memory(state: Mapping[int, Mapping[str, Tensor]], weights: list[Tensor]) -> None:
    """Refuse an optimizer's state that would fail in the middle of a step: it keeps a number, or a tensor like the
    weight.

    Raises:
        ValueError: an entry belongs to no weight, or has another shape than its weight.
    """
    for index, entries in state.items():
        if not 0 <= index < len(weights) or set(entries) != set(next(iter(state.values()))):
            raise ValueError(f"the optimizer remembers {sorted(entries)} of weight {index}")
        for name, tensor in entries.items():
            if tensor.numel() != 1 and tensor.shape != weights[index].shape:
                raise ValueError(f"the optimizer's '{name}' of weight {index} has the shape {tuple(tensor.shape)}")


def _laid_out_like(weight: Tensor, entries: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What an optimizer remembers of a weight, in the memory layout of the weight: files hold another.

    A fused optimizer walks through both in the order of memory; see `game.player.lay_out_like_weights`.
    """
    return {
        name: torch.empty_like(weight, dtype=tensor.dtype, device=tensor.device).copy_(tensor)
        if tensor.shape == weight.shape and tensor.stride() != weight.stride()
        else tensor
        for name, tensor in entries.items()
    }


def thin_out(folder: Path, interval: int, *, step: int) -> None:
    """Delete old checkpoints. Of the planned ones, at multiples of `interval`, the latest two stay, and of the others
    those after 1, 2, 4, 8, ... intervals; one in between, where training was stopped, stays while it is the newest.

    So the planned ones that are there depend on the step alone, however often a run was stopped: a rollback finds the
    same one as in the run that was never stopped.

    Args:
        folder: of the checkpoints.
        interval: between planned ones.
        step: whose checkpoint was just written: it stays, and later ones are none of its business.
    """
    kept = complete_files(folder, up_to=step)
    planned = [path for path in kept if is_planned(path, interval)][-KEPT_LATEST:]
    for path in checkpoint_files(folder):
        count, rest = divmod(step_of(path), max(1, interval))
        is_milestone = rest == 0 and count > 0 and count & (count - 1) == 0 and path in kept
        if step_of(path) < step and not (is_milestone or path in planned):
            drop_checkpoint(path)


def complete_files(folder: Path, *, up_to: int) -> list[Path]:
    """The checkpoints of steps up to this one whose numbers are there too, oldest first; they may be broken still."""
    files = checkpoint_files(folder)
    return [path for path in files if step_of(path) <= up_to and path.with_suffix(".json").is_file()]


def is_planned(path: Path, interval: int) -> bool:
    """Whether a checkpoint is one of those that every run of this plan writes."""
    return step_of(path) % max(1, interval) == 0


def drop_checkpoint(path: Path) -> None:
    """Delete a checkpoint; a kill in between leaves tensors that count for nothing."""
    remove(path.with_suffix(".json"))
    remove(path)


def checksum(path: Path) -> str:
    """BLAKE2 of a file's content."""
    with open_regular(path, kind=RunFolderError) as stream:
        return hashlib.file_digest(stream, "blake2b").hexdigest()


def network_tensors(player: str, tensors: Mapping[str, Tensor], *, average: bool = False) -> dict[str, Tensor]:
    """The weights of a player's network in a checkpoint, or of its average, by the network's own names."""
    if average:
        return _stripped(f"{player}.average.", tensors)
    others = tuple(f"{name}." for name in NAMES_IN_A_CHECKPOINT)
    return {name: t for name, t in _stripped(f"{player}.", tensors).items() if not name.startswith(others)}


def _stripped(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
