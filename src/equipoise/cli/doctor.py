"""`equipoise doctor`: what this machine offers, for a first impression and for a bug report."""

from __future__ import annotations

import os
import platform
import re
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

from equipoise.cli.options import AsJson
from equipoise.cli.terminal import print_json, readable_bytes

PURPOSE_OF_EXTRA = {
    "data": "the built-in data sets mnist5k and diamonds",
    "demo": "the built-in data set mnist5k",
    "docs": "building the documentation site",
    "excel": "tables from .xlsx files",
    "extractors": "well-known image networks as features of the referee (untested)",
    "hub": "generators from and to the Hugging Face hub (untested)",
    "onnx": "exports to ONNX, and image networks from an ONNX file as features of metrics and of the referee",
    "tensorboard": "TensorBoard events in each run folder",
    "test": "the test suite",
    "view": "run pages and the playground in the browser",
}


def doctor(as_json: AsJson = False) -> None:
    """Say what this machine offers.

    Versions, devices, threads, free memory and disk, and which extras are installed.

    \b
    Example: to see whether a GPU is found, and for a bug report.
      equipoise doctor
    """
    found = examine()
    if as_json:
        print_json(found)
    else:
        print("\n".join(lines(found)))


def examine() -> dict[str, Any]:
    """Everything that `doctor` says, as plain values."""
    from equipoise.experiment.available_memory import free_memory

    return {
        "equipoise": version_of("equipoise"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version_of(name) for name in requirements("")},
        "devices": devices(),
        "threads": threads(),
        "memory_bytes_free": free_memory(),
        "disk_bytes_free": shutil.disk_usage(Path.cwd()).free,
        "extras": {extra: extra_state(extra) for extra in extras()},
    }


def lines(found: dict[str, Any]) -> list[str]:
    """The same in words."""
    memory = found["memory_bytes_free"]
    text = [
        f"equipoise  {found['equipoise']}",
        f"python     {found['python']} on {found['platform']}",
        *(f"device     {device['name']}: {device['what']}" for device in found["devices"]),
        f"threads    {found['threads']['torch']} used by torch, {found['threads']['available']} available",
        f"memory     {'unknown' if memory is None else readable_bytes(memory) + ' free'}",
        f"disk       {readable_bytes(found['disk_bytes_free'])} free here",
        "packages   " + ", ".join(f"{name} {version or 'missing'}" for name, version in found["packages"].items()),
    ]
    for name, extra in found["extras"].items():
        state = "installed" if extra["installed"] else f"missing {', '.join(extra['missing'])}: {extra['install']}"
        text.append(f"extra      {name} ({extra['purpose']}): {state}")
    return text


def version_of(package: str) -> str | None:
    """The installed version, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def extras() -> list[str]:
    """The extras that this installation of equipoise knows, from its own metadata."""
    return metadata.metadata("equipoise").get_all("Provides-Extra") or []


def requirements(extra: str) -> list[str]:
    """Names of the packages that the core (`extra=""`) or one extra requires."""
    named = []
    for requirement in metadata.requires("equipoise") or []:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        belongs = re.search(r"extra == ['\"]([^'\"]+)['\"]", requirement)
        if name and (belongs.group(1) if belongs else "") == extra:
            named.append(name.group())
    return named


def extra_state(extra: str) -> dict[str, Any]:
    """Whether the packages of an extra are here, and what for."""
    missing = [name for name in requirements(extra) if version_of(name) is None]
    return {
        "purpose": PURPOSE_OF_EXTRA.get(extra, "see pyproject.toml"),
        "installed": not missing,
        "missing": missing,
        "install": f"pip install 'equipoise[{extra}]'",
    }


def devices() -> list[dict[str, str]]:
    """What `--device` can name here; `auto` takes CUDA where there is one, else the CPU."""
    import torch

    found = []
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            found.append(
                {"name": f"cuda:{index}", "what": f"{properties.name}, {readable_bytes(properties.total_memory)}"}
            )
    if torch.backends.mps.is_available():
        found.append({"name": "mps", "what": "Apple GPU (untested; ask for it with --device mps)"})
    found.append({"name": "cpu", "what": f"{platform.processor() or platform.machine()}, torch {torch.__version__}"})
    return found


def threads() -> dict[str, int]:
    """Threads that torch uses for one operation, and cores that this process may use."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"torch": torch.get_num_threads(), "available": cores}
