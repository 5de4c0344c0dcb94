"""Recorded runs: what a page would have shown of a prepared situation, as one small JSON file that needs no server."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from equipoise.files import plain, write_json
from equipoise.playground.frames import frame_of
from equipoise.playground.measure import prove
from equipoise.playground.situations import Situation
from equipoise.playground.walk_boxes import walk_json

FORMAT = 1
POINTS = 72
CELLS = 24
BEST_EVERY = 4
"""Frames between two best discriminators."""
REFEREE_READINGS = 3
"""Of a recording: at a third, at two thirds and at its end."""


def record(situation: Situation) -> dict[str, Any]:
    """Play a situation and keep a frame every few steps, the first step's walk, and a few readings of the referee.

    Every call gives the same numbers on the same machine. What the frames have in common, and what the situation's
    layers do not show, is kept once or not at all.
    """
    game = situation.game()
    steps, every = situation.recorded["steps"], situation.recorded["every"]
    read_at = {every * round(steps * (part + 1) / REFEREE_READINGS / every) for part in range(REFEREE_READINGS)}
    twin = copy.deepcopy(game)
    walk = {**walk_json(twin.step(walk=True), twin.settings, step=1), "is_made": True}
    frames, proved = [], None
    for step in range(steps + 1):
        if step:
            game.step()
        if step in read_at and game.settings.is_game:
            proved = prove(*game.referee_samples(), step=game.steps, seed=game.settings.seed)
        if step % every == 0:
            with_best = "best" in situation.layers and len(frames) % BEST_EVERY == 0
            frame = frame_of(game, with_best=with_best, proved=proved, points=POINTS, cells=CELLS)
            frames.append(_without_hidden(frame, situation))
    common = {"real": frames[0]["real"]}
    for frame in frames:
        frame.pop("real")
    return plain(
        {
            "format": FORMAT,
            "situation": situation.to_json(),
            "settings": vars(game.settings),
            "data": game.data.note,
            "common": common,
            "walk": walk,
            "frames": frames,
        }
    )


def write_recordings(situations: list[Situation], folder: Path) -> list[Path]:
    """Record each situation into `NAME.json` of a folder; the paths.

    Raises:
        StorageError: the file system refused a write; each file is whole or absent.
    """
    paths = []
    for each in situations:
        path = folder / f"{each.name}.json"
        write_json(path, record(each))
        paths.append(path)
    return paths


def _without_hidden(frame: dict[str, Any], situation: Situation) -> dict[str, Any]:
    """A frame without what the recorded page does not draw: it has no boxes to tick."""
    arrows = {"slope", "logits", "pull"} if not {"arrows", "both_losses"} & set(situation.layers) else set()
    grid = {"grid"} if "grid" not in situation.layers else set()
    return {name: value for name, value in frame.items() if name not in arrows | grid}
