"""What a run was begun with, compared with what it is to go on with.

What decides the numbers (settings, data, threads, device, torch, the processor's kind of arithmetic) has to be the
same: a run that changes it half-way is neither of the two runs, and nobody could repeat it. What does not (where the
data lie, Python, the machine's name) may change, and is told; so is the number of processes, which decides the bits but
not the samples: whoever has fewer machines today must be able to go on.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from equipoise.distributed import process_group
from equipoise.errors import RunFolderError
from equipoise.experiment.config.schema import RunConfig

FREE_SETTINGS = ("preset", "data.source", "outputs.final_verdict", "outputs.table_report")
"""A name; a place, whose content is compared; and what happens after training."""
DECIDING = ("torch", "device", "threads", "machine", "arithmetic")
"""Entries of the environment that decide the bits of a result."""
_ABSENT = "nothing"


def environment(config: RunConfig) -> dict[str, Any]:
    """Where a run is trained, for `run.json`."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "machine": platform.machine(),
        "arithmetic": torch.backends.cpu.get_cpu_capability(),
        "device": torch.cuda.get_device_name() if config.runtime.device == "cuda" else config.runtime.device,
        "threads": config.runtime.threads,
        "processes": process_group().world_size,
    }


def changed_settings(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """A sentence for each setting that was changed since a run began.

    Args:
        then: the configuration of `run.json`, as nested dictionaries.
        now: that of `config.yaml`. Settings that the first version did not know and that are at their default are the
            same.
    """
    before, after = flat(then), flat(now)
    defaults = flat(_with_defaults(then))
    found = []
    for key in sorted({*before, *after}):
        old = before.get(key, defaults.get(key, _ABSENT))
        new = after.get(key, _ABSENT)
        if old != new and not key.startswith(FREE_SETTINGS):
            found.append(f"{key}: {old!r} when the run began, {new!r} now")
    return found


def changed_environment(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Sentences for what decides the bits of the result, and for what does not, where they have changed."""
    names = [name for name in now if name in then and then[name] != now[name]]
    said = {name: f"{name}: {then[name]} when the run began, {now[name]} now" for name in names}
    if "processes" in said:
        said["processes"] += "; the samples are the same, sums are taken in another order, and the bits will differ"
    return [said[name] for name in names if name in DECIDING], [said[name] for name in names if name not in DECIDING]


def refuse(differences: Sequence[str], *, where: str) -> None:
    """Refuse to go on with a run that would not be the same run.

    Raises:
        RunFolderError: there is a difference; shows all of them.
    """
    if differences:
        raise RunFolderError(
            where,
            "what decides the result has changed since the run began:\n    " + "\n    ".join(differences),
            "Expected the same, for the result to be that of the run that was never stopped.",
            "Change it back, train again into a new folder, or go on all the same with --force, which is recorded.",
        )


def flat(content: Any, prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as dotted keys; lists are values."""
    if not isinstance(content, Mapping) or not content:
        return {prefix: list(content) if isinstance(content, tuple) else content}
    return {
        key: value
        for name, entry in content.items()
        for key, value in flat(entry, f"{prefix}.{name}" if prefix else str(name)).items()
    }


def _with_defaults(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration with what a later version has added, at its defaults; as it is where it no longer fits."""
    try:
        return RunConfig.model_validate(dict(content)).to_dict()
    except ValueError:
        return content
