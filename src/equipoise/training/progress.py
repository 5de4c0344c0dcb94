"""Who is told how far a run has come."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Progress:
    """Is told how far a run has come, and does nothing; the command line has one that shows a bar."""

    def watches(self, folder: Path) -> bool:
        """Training is about to begin in a run folder; whether somebody will ask the run things meanwhile."""
        return False

    def start(self, total_steps: int, start_step: int, description: str) -> None:
        """Training begins after `start_step` of `total_steps`."""

    def update(self, step: int, fields: Mapping[str, Any]) -> None:
        """`step` steps are taken; `fields` is what else to show, by name."""

    def message(self, text: str) -> None:
        """Something that a person should know."""

    def close(self) -> None:
        """Training has ended, for whatever reason."""


def is_watched(progress: Progress, folder: Path) -> bool:
    """What `Progress.watches` says; an object with the four methods of earlier versions says no."""
    watches = getattr(progress, "watches", None)
    return watches is not None and bool(watches(folder))
